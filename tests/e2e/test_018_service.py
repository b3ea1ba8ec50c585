"""What a service needs: another user than root, a word for every signal, a service manager that knows how
it is, and the files that are installed beside it.

Tests of the change of the user are root's, who alone can make it.
"""
import grp
import os
import pathlib
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.daemon import BINARY, Proxyd, StartFailed, environment, run_command
from lib.faults import ROOT
from lib.namespace import in_namespace
from lib.origin import Origin, ok, read_body, send, wait
from lib.preload import preload
from lib.skip import need, skip
from lib.times import SLOW, until, within

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
            names = {"worker-0", "worker-1", "log", "reload", "admin", "watch", "offload"}
            assert until(lambda: names <= set(of_threads(daemon, "Uid")))   # each takes its name when it runs
            for key, expected in (("Uid", [str(NOBODY.pw_uid)] * 4), ("Gid", [str(NOBODY.pw_gid)] * 4),
                                  ("Groups", sorted({str(g) for g in os.getgrouplist("nobody", NOBODY.pw_gid)})),
                                  ("CapPrm", ["0" * 16]), ("CapEff", ["0" * 16]), ("CapAmb", ["0" * 16]), ("NoNewPrivs", ["1"])):
                for thread, value in of_threads(daemon, key).items():
                    assert sorted(value) == expected, (key, thread)
            assert "running as root" not in daemon.stderr()
            with Client(daemon.ports["admin_port"]) as client:   # it still may look at itself
                shown = client.ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").body.decode()
            assert int(re.search(r"^process_open_fds (\d+)", shown, re.M)[1]) > 10
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


def test_copies_of_lists_are_that_users(place):
    """Their folder is made before the rights are gone, where that user could make none; not in a home."""
    rules = "deny listed { to list ads; } " + conf.OPEN_RULES
    with Origin(name="origin.test") as origin:
        origin.at("/ads.txt", read_body(), send(ok("x.test\n")))
        lists = f"list ads {{ source {origin.url('/ads.txt')}; reach loopback; }}"
        daemon = start(place, as_user(f"state state; {lists}", rules=rules), expect_ready=False)
        try:
            assert until((place / "state/lists/ads.copy").exists), daemon.stderr()
            for path in (place / "state", *(place / "state").rglob("*")):
                assert path.owner() == "nobody", path
            assert "no copy" not in daemon.stderr()
        finally:
            daemon.stop()


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
                assert right or until(lambda: "ports below 1024 take root or CAP_NET_BIND_SERVICE" in daemon.stderr())
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


# -- the service manager --------------------------------------------------------------------------

class Manager:
    """A service manager's end of NOTIFY_SOCKET: an address that is a path, or "@NAME"."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self.env = {"NOTIFY_SOCKET": address}

    def next(self, beginning):
        """The next message that begins so; others are passed over."""
        end = time.monotonic() + within(5)
        while True:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            message = self.socket.recv(4096).decode()
            if message.startswith(beginning):
                return message

    def silence(self, beginning, seconds):
        """No such message for so long."""
        try:
            self.socket.settimeout(seconds)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                assert not self.socket.recv(4096).decode().startswith(beginning)
        except TimeoutError:
            pass


@pytest.mark.parametrize("form", ["path", "abstract"])
def test_the_manager_is_told(proxyd, tmp_path, form):
    """Ready when it serves, reloading and ready again whatever came of it, stopping and for how long."""
    manager = Manager(str(tmp_path / "notify") if form == "path" else f"@proxyd-{os.getpid()}")
    text = conf.forward(extra="timeouts { drain 20s; } " + metrics.ADMIN)
    daemon = proxyd(text, env=manager.env)
    manager.next("READY=1")
    assert manager.next("STATUS=") == "STATUS=serving"
    for config, refused in ((text + "\n# more", False), ("nothing;", True)):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        daemon.reload(config, refused=refused)
        message = manager.next("RELOADING=1")
        assert before <= int(message.partition("\nMONOTONIC_USEC=")[2]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert manager.next("READY=1") == "READY=1"
    daemon.send_signal(signal.SIGTERM)
    assert "STATUS=" in manager.next("STOPPING=1")
    assert manager.next("EXTEND_TIMEOUT_USEC") == "EXTEND_TIMEOUT_USEC=30000000"
    assert daemon.wait(within(5)) == 0


def test_the_manager_knows_what_is_missing(proxyd, tmp_path):
    """Ready, for it answers; but not yet as it should."""
    manager = Manager(str(tmp_path / "notify"))
    lists = "list names { source names.txt; format domains; }"
    daemon = proxyd(conf.forward(rules="deny x { to list names; }", extra=lists),
                    env=manager.env | {"WATCHDOG_USEC": "200000"})   # it looks four times as often
    assert manager.next("STATUS=") == "STATUS=a list has not been loaded yet"
    (daemon.folder / "names.txt").write_text("a.example\n")
    assert manager.next("STATUS=") == "STATUS=serving"


_HANG = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

int accept4(int fd, struct sockaddr *peer, socklen_t *n, int flags)
{
    int (*real)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");
    while (access("hang", F_OK) == 0)
        usleep(1000);
    return real(fd, peer, n, flags);
}
"""


def test_watchdog(proxyd, tmp_path):
    """A worker that hangs keeps the word back that all is well, and it comes again when the worker turns."""
    manager = Manager(str(tmp_path / "notify"))
    period = 0.2 * SLOW
    env = {"WATCHDOG_USEC": str(int(period * 1e6))} | preload(tmp_path, "hang", _HANG)
    daemon = proxyd(env=manager.env | env)
    for _ in range(3):
        manager.next("WATCHDOG=1")
    hang = daemon.folder / "hang"
    hang.touch()
    with socket.create_connection(("127.0.0.1", daemon.port)):
        assert until(lambda: "has not turned for" in daemon.stderr())
        while manager.socket in select.select([manager.socket], [], [], 0)[0]:
            manager.socket.recv(4096)
        manager.silence("WATCHDOG=1", period)
        assert count(daemon, "has not turned for") == 1
        hang.unlink()
        manager.next("WATCHDOG=1")


def test_watchdog_of_another_process(proxyd, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    proxyd(env=manager.env | {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"})
    manager.next("READY=1")
    manager.silence("WATCHDOG=1", 0.2)


# -- what is installed ----------------------------------------------------------------------------

SERVICE = ROOT / "service"


def test_the_unit(tmp_path):
    """As systemd judges it: no word that it does not know, and a sandbox that it calls fine."""
    analyze = need("systemd-analyze")
    unit = tmp_path / "proxyd.service"
    unit.write_text((SERVICE / "proxyd.service.in").read_text()
                    .replace("@BINDIR@/proxyd", str(BINARY)).replace("@CONFDIR@", str(SERVICE)))
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "proxyd.service" not in done.stderr, done.stderr
    done = subprocess.run([analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", unit],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert float(re.search(r"exposure level for proxyd.service: ([\d.]+)", done.stdout)[1]) < 2


def allowed_calls(analyze):
    """The system calls that the unit's filter leaves, by systemd's own sets."""
    text = subprocess.run([analyze, "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    sets, name = {}, None
    for line in text.splitlines():
        if line.startswith("@"):
            name = line.strip()
        elif line.startswith("    ") and not line.strip().startswith("#") and name:
            sets.setdefault(name, set()).add(line.strip())

    def whole(name):
        return set().union(*(whole(word) if word[0] == "@" else {word} for word in sets[name]))
    found = set()
    for minus, name in re.findall(r"^SystemCallFilter=(~?)(@\S+)$", (SERVICE / "proxyd.service.in").read_text(), re.M):
        found = found - whole(name) if minus else found | whole(name)
    return found | whole("@default")


@pytest.mark.no_sanitizer
def test_the_filter_of_system_calls(proxyd, origin, tmp_path):
    """What it calls at start, work, reload, rotation and end is all in the set that the unit allows."""
    allowed = allowed_calls(need("systemd-analyze"))
    trace = tmp_path / "trace"
    daemon = proxyd(conf.forward(extra=metrics.ADMIN, log="to access.log"), prefix=f"{need('strace')} -D -f -qq -o {trace}",
                    env={"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "100000"})
    assert fetch(daemon.port, origin.url()).status == 200
    daemon.reload(conf.forward(extra=metrics.ADMIN, log="to other.log"))
    assert run_command("ctl", "-s", daemon.folder / "control.sock", "fetch", origin.url()).returncode == 0
    daemon.send_signal(signal.SIGUSR1)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(within(10)) == 0
    assert until(lambda: "exit_group(" in trace.read_text())
    used = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M))
    assert len(used) > 30
    assert used <= allowed, used - allowed


def test_user_and_folders(tmp_path):
    """sysusers makes the user, tmpfiles the folders, which are that user's and nobody else's to write or, but
    for the control socket's, to read."""
    users, files = need("systemd-sysusers"), need("systemd-tmpfiles")
    if os.geteuid() != 0:
        skip("only root can give folders away")
    (tmp_path / "etc").mkdir()
    subprocess.run([users, f"--root={tmp_path}", SERVICE / "sysusers.conf"], check=True)
    passwd = re.search(r"^proxyd:\w*:(\d+):(\d+):.*:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text(), re.M)
    subprocess.run([files, "--create", f"--root={tmp_path}", SERVICE / "tmpfiles.conf"], check=True)
    for path, mode in (("run", 0o755), ("var/lib", 0o750), ("var/cache", 0o750), ("var/log", 0o750)):
        st = (tmp_path / path / "proxyd").stat()
        assert (st.st_mode & 0o7777, str(st.st_uid), str(st.st_gid)) == (mode, passwd[1], passwd[2]), path


def test_logrotate(place):
    """The file that is installed, with other paths, another user and no systemd; the real logrotate."""
    logrotate = need("logrotate")
    with Origin(name="origin.test") as origin:
        daemon = start(place, as_user())
        try:
            text = (SERVICE / "logrotate.conf").read_text()
            for old, new in (("/var/log/proxyd", str(place / "logs")), ("su proxyd proxyd", "su nobody " + grp.getgrgid(NOBODY.pw_gid).gr_name),
                             ("systemctl kill --kill-whom=main --signal=USR1 proxyd.service", f"kill -USR1 {daemon.pid}")):
                assert old in text
                text = text.replace(old, new)
            (place / "rotate.conf").write_text(text)
            (place / "rotate.conf").chmod(0o644)
            log = place / "logs/access.log"
            fetch(daemon.port, origin.url("/1"))
            assert until(lambda: "/1" in log.read_text())
            subprocess.run([logrotate, "-f", "-s", place / "state", place / "rotate.conf"], check=True)
            assert until(log.exists) and "/1" in (place / "logs/access.log.1").read_text()
            fetch(daemon.port, origin.url("/2"))
            assert until(lambda: "/2" in log.read_text())
        finally:
            daemon.stop()


def test_the_example(tmp_path):
    """Not a warning, where the folder of its log is there."""
    shutil.copytree(SERVICE, tmp_path / "service")
    example = tmp_path / "service/office.conf"
    text = example.read_text()
    assert "/var/log/proxyd/" in text
    example.write_text(text.replace("/var/log/proxyd/", f"{tmp_path}/"))
    done = run_command("check", "--strict", "-c", example)
    assert done.returncode == 0, done.stderr


# -- manual and completion ------------------------------------------------------------------------

PAGES = {"proxyd.8": ("help", "--man"), "proxyd.conf.5": ("reference", "--man")}


def commands():
    """Each command of `proxyd help`, with the options of its own help."""
    names = re.findall(r"^  (\w+)  +\S", run_command("help").stdout.split("To begin")[0], re.M)
    assert len(names) > 5
    return {name: set(re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+)", run_command("help", name).stdout, re.M)) for name in names}


@pytest.mark.parametrize("page", PAGES)
def test_manual_pages(tmp_path, page):
    """Nothing that two formatters complain of, and nothing left out."""
    path = tmp_path / page
    path.write_text(run_command(*PAGES[page]).stdout)
    lint = subprocess.run([need("mandoc"), "-Tlint", path], capture_output=True, text=True, check=False)
    assert lint.returncode == 0 and lint.stdout + lint.stderr == ""
    groff = subprocess.run([need("groff"), "-k", "-man", "-Tutf8", "-ww", "-z", path], capture_output=True, text=True, check=False)
    assert groff.returncode == 0 and groff.stderr == ""
    shown = subprocess.run([need("mandoc"), "-Tutf8", "-O", "width=900", path], capture_output=True, text=True, check=True).stdout
    shown = re.sub(".\b", "", shown)   # overstruck: bold and italics
    if page == "proxyd.8":
        for name, options in commands().items():
            text = shown.partition(f"   proxyd {name}\n")[2].partition("\n   proxyd ")[0]
            assert text and all(option in text for option in options), name
    else:
        for key in run_command("reference", "--keys").stdout.splitlines():
            *_, before, name = ["", *key.split()]   # "log access" and "override ttl" are keys of two words
            name = f"log {name}" if key == f"log {name}" else name
            assert re.search(rf"^(       ({before} )?{name}\b|.*\b{name}$)", shown, re.M), key


def complete(shell, script, *words):
    """What that shell offers behind these words."""
    if shell == "bash":
        ask = f'source {script}; COMP_WORDS=({" ".join(words)} ""); COMP_CWORD={len(words)}; _proxyd; printf "%s\\n" "${{COMPREPLY[@]}}"'
        command = [need("bash"), "--norc", "-c", ask]
    else:
        offers = "; ".join(f'complete -C "{" ".join(words)} {start}"' for start in ("", "-", "--"))
        command = [need("fish"), "--no-config", "-c", f"source {script}; {offers}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment({"HOME": str(script.parent)}))
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_completion(tmp_path, shell):
    """Asked of the shell itself: each command, each option, and the words that a command takes."""
    script = tmp_path / f"proxyd.{shell}"
    script.write_text(run_command("help", "--completion", shell).stdout)
    assert set(commands()) <= complete(shell, script, "proxyd")
    for name, options in commands().items():
        offered = complete(shell, script, "proxyd", name)
        assert options <= offered and "--help" in options, name
        assert {o for o in offered if o.startswith("--")} == options, name
    assert {"show", "find"} <= complete(shell, script, "proxyd", "lists")
    assert "fetch" in complete(shell, script, "proxyd", "ctl")
    assert set(commands()) <= complete(shell, script, "proxyd", "help")


def test_completion_of_zsh(tmp_path):
    """Its completion needs a terminal; so zsh reads it, and what it would offer is read by us."""
    text = run_command("help", "--completion", "zsh").stdout
    script = tmp_path / "_proxyd"
    script.write_text(text)
    subprocess.run([need("zsh"), "-f", "-n", script], check=True)
    for name, options in commands().items():
        assert f"    '{name}:" in text
        assert options <= set(re.search(rf"^    {name}\) compadd -- (.*) ;;$", text, re.M)[1].split()), name
    assert run_command("help", "--completion", "tcsh").returncode == 2
