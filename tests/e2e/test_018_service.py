"""What a service needs: another user than root, and a word for every signal.

Tests of the change of the user are root's, who alone can make it.
"""
import grp
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.daemon import BINARY, Proxyd, StartFailed, environment, run_command
from lib.namespace import in_namespace
from lib.origin import Origin, read_body, send, wait
from lib.skip import need, skip
from lib.times import until, within

NOBODY = pwd.getpwnam("nobody")
# LSan looks at a process as a debugger does, which one that dumps no core forbids.
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0:exitcode=99"}
LOW_PORT_RIGHT = 1 << 10   # CAP_NET_BIND_SERVICE


@pytest.fixture
def place():
    """A folder that another user can reach, with one for logs that is nobody's."""
    if os.geteuid() != 0:
        skip("only root can become another user")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="proxyd-user-"))
    folder.chmod(0o755)
    (folder / "logs").mkdir()
    shutil.chown(folder / "logs", "nobody")
    yield folder
    shutil.rmtree(folder)


def start(folder, text, **how):
    daemon = Proxyd(folder)
    return daemon.start(text, env=NO_LEAKS | how.pop("env", {}), files={"hosts": conf.HOSTS}, **how)


def as_user(more="", **how):
    return conf.forward(log="to logs/access.log", extra=f"user nobody; {more} " + metrics.ADMIN, **how)


def of_threads(daemon, key):
    """What /proc says of every thread, by its name."""
    found = {}
    for task in pathlib.Path(f"/proc/{daemon.pid}/task").iterdir():
        status = (task / "status").read_text()
        found[(task / "comm").read_text().strip()] = re.search(rf"^{key}:\s*(.*)$", status, re.M)[1].split()
    return found


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


# -- another user ---------------------------------------------------------------------------------

def test_every_thread_is_that_user(place):
    # covers: user
    with Origin(name="origin.test") as origin:
        daemon = start(place, as_user())
        try:
            assert fetch(daemon.port, origin.url()).status == 200
            assert {"worker-0", "worker-1", "log", "reload", "admin", "watch", "offload"} <= set(of_threads(daemon, "Uid"))
            for key, expected in (("Uid", [str(NOBODY.pw_uid)] * 4), ("Gid", [str(NOBODY.pw_gid)] * 4),
                                  ("Groups", sorted({str(g) for g in os.getgrouplist("nobody", NOBODY.pw_gid)})),
                                  ("CapPrm", ["0" * 16]), ("CapEff", ["0" * 16]), ("CapAmb", ["0" * 16]), ("NoNewPrivs", ["1"])):
                for thread, value in of_threads(daemon, key).items():
                    assert sorted(value) == expected, (key, thread)
            assert "running as root" not in daemon.stderr()
        finally:
            daemon.stop()


def test_logs_and_reload_go_on(place):
    """The log is that user's, a rotation makes a new one, a reload another one, and the end takes the socket away."""
    with Origin(name="origin.test") as origin:
        text = as_user("control logs/control.sock;")
        daemon = start(place, text)
        try:
            first, old, other = (place / "logs" / name for name in ("access.log", "old.log", "other.log"))
            fetch(daemon.port, origin.url("/1"))
            assert until(lambda: "/1" in first.read_text())
            assert first.owner() == "nobody" and first.stat().st_mode & 0o777 == 0o640
            first.rename(old)
            daemon.send_signal(signal.SIGUSR1)
            assert until(first.exists)
            fetch(daemon.port, origin.url("/2"))
            assert until(lambda: "/2" in first.read_text())
            assert first.owner() == "nobody" and "/2" not in old.read_text()
            daemon.reload(text.replace("access.log", "other.log"))
            fetch(daemon.port, origin.url("/3"))
            assert until(lambda: "/3" in other.read_text())
            control = place / "logs/control.sock"
            assert control.owner() == "nobody" and control.stat().st_mode & 0o777 == 0o600
            done = run_command("reload", "-s", control)
            assert done.returncode == 0 and "nothing has changed" in done.stdout
            daemon.stop()
            assert not control.exists()
        finally:
            daemon.kill()


def test_what_that_user_may_not(place):
    """A log that only root could make is refused at the start, not at the first rotation; a configuration that
    cannot be read again is told."""
    with pytest.raises(StartFailed) as failed:
        start(place, as_user().replace("to logs/access.log", "to access.log"))
    assert failed.value.code == 1 and "cannot open the log" in failed.value.stderr
    assert "Permission denied" in failed.value.stderr
    daemon = Proxyd(place)
    (place / "proxyd.conf").touch(0o600)
    (place / "proxyd.conf").chmod(0o600)
    daemon.start(as_user(), env=NO_LEAKS)
    try:
        assert "it cannot be read again by a reload" in daemon.stderr()
        daemon.reload(refused=True)
    finally:
        daemon.stop()


def test_a_group(place):
    other = next(g for g in grp.getgrall() if g.gr_gid not in (0, NOBODY.pw_gid))
    daemon = start(place, as_user().replace("user nobody;", f"user nobody {other.gr_name};"))
    try:
        assert set(map(tuple, of_threads(daemon, "Gid").values())) == {(str(other.gr_gid),) * 4}
    finally:
        daemon.stop()


def test_low_ports(place):
    """The right to bind them is kept by who listens on one, for the next configuration; else a reload is refused."""
    def inside(private):
        if not private:
            return   # ports below 1024 may be somebody's
        for bind, right in (("127.0.0.1:80", LOW_PORT_RIGHT), ("127.0.0.1:{port}", 0)):
            text = as_user().replace("127.0.0.1:{port}", bind)
            daemon = Proxyd(place)
            daemon.start(text, env=NO_LEAKS, files={"hosts": conf.HOSTS})
            try:
                assert {int(v[0], 16) for v in of_threads(daemon, "CapEff").values()} == {right}
                daemon.reload(text.replace(bind, bind + " 127.0.0.1:81"), refused=not right)
                for port in (81, int(daemon.fill(bind).rsplit(":", 1)[1])):
                    assert is_listening(port) == (right > 0 or port != 81)
                assert right or "ports below 1024 take root or CAP_NET_BIND_SERVICE" in daemon.stderr()
            finally:
                daemon.stop()
    in_namespace(inside)


def test_not_root(place):
    """Who is another user already cannot become one and is told so; who is that user need not."""
    setpriv = need("setpriv")
    program = place / "proxyd"
    shutil.copy(BINARY, program)
    daemon = Proxyd(place / "run")
    shutil.chown(place / "run", "nobody")
    config = place / "run/proxyd.conf"
    (place / "run/hosts").write_text(conf.HOSTS)

    def run(user):
        config.write_text(daemon.fill(conf.forward(extra=f"user {user};")))
        return subprocess.Popen([setpriv, "--reuid=nobody", "--regid", str(NOBODY.pw_gid), "--clear-groups",
                                 program, "run", "-c", config], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                text=True, env=environment(NO_LEAKS | {"RUNTIME_DIRECTORY": str(place / "run")}))
    try:
        process = run("daemon")
        _, said = process.communicate(timeout=within(10))
        assert process.returncode == 1
        assert f"error: cannot become the user daemon: only root can, and this is user {NOBODY.pw_uid}" in said
        process = run("nobody")
        until(lambda: process.poll() is not None or is_listening(daemon.port))
        process.terminate()
        _, said = process.communicate(timeout=within(10))
        assert process.returncode == 0 and "cannot become" not in said
    finally:
        process.kill()
        daemon.cleanup()


def test_unknown_names(tmp_path):
    path = tmp_path / "proxyd.conf"
    for words, place, what in (("nobodi", "1:6", 'there is no user "nobodi"'), ("nobody no-such-group", "1:13", "there is no group")):
        path.write_text(f"user {words};\n" + conf.forward().replace("{port}", "1").replace("{dead_port}", "1"))
        done = run_command("check", "-c", path)
        assert done.returncode == 1 and f"{path}:{place}: error: {what}" in done.stderr
        assert ('did you mean "nobody"?' in done.stderr) == (words == "nobodi")


def test_root_is_told(proxyd):
    """Once, and only root."""
    daemon = proxyd()
    assert daemon.stderr().count("warning: running as root") == (os.geteuid() == 0)


# -- signals --------------------------------------------------------------------------------------

def count(daemon, text):
    return daemon.stderr().count(text)


def test_a_word_for_every_signal(proxyd):
    daemon = proxyd()
    unknown = [signal.SIGUSR2, signal.SIGTSTP, signal.SIGALRM, signal.SIGIO, signal.SIGTTIN, signal.SIGRTMIN + 3]
    for number in unknown + [signal.SIGHUP, signal.SIGUSR1]:
        daemon.send_signal(number)
    for name in ("USR2", "TSTP", "ALRM", "POLL", "TTIN", "RTMIN+3"):
        assert until(lambda: count(daemon, f" warning: {name}: this signal means nothing here") == 1), name
    assert until(lambda: count(daemon, " info: HUP: reading the configuration again") == 1)
    assert until(lambda: count(daemon, " info: log files opened again: ") == 1)
    assert until(lambda: count(daemon, " info: reloaded") == 1)
    daemon.send_signal(signal.SIGHUP)
    assert until(lambda: count(daemon, " info: HUP: ") == 2 and count(daemon, " info: reloaded") == 2)


def test_signals_while_it_ends(proxyd, origin):
    """A drain that waits for an answer: HUP, USR1 and others have their word, and are not the end."""
    daemon = proxyd(conf.forward(extra="timeouts { drain 60s; }"))
    go = threading.Event()
    origin.at("/held", read_body(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), wait(go), send(b"cd"))
    with Client(daemon.port) as client:
        client.send(request(origin.url("/held")))
        assert client.reader.until(b"\r\n\r\nab")
        daemon.send_signal(signal.SIGTERM)
        assert until(lambda: "draining" in daemon.stderr())
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            daemon.send_signal(number)
        for word in ("warning: HUP: comes too late", "log files opened again", "warning: USR2: this signal means nothing here"):
            assert until(lambda: count(daemon, word) == 1), word
        assert daemon.alive()
        go.set()
        assert client.exactly(2) == b"cd"
    assert daemon.wait(within(5)) == 0
