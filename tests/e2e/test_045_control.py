"""The control socket: `proxyd reload` and `proxyd ctl` reach the daemon that runs, and nobody else does."""
import os
import signal
import stat
import subprocess
import threading

import pytest

from lib import conf
from lib.client import fetch
from lib.daemon import BINARY, StartFailed, run_command
from lib.faults import assert_refused
from lib.origin import close, ok, pause, read_body, read_eof, send, wait
from lib.times import until, within

DENY = 'deny no { path /x; } '


def reload(socket, **more):
    return run_command("reload", "--socket", socket, **more)


def test_reload_prints_what_changed(proxyd, origin):
    # covers: control
    daemon = proxyd(conf.forward(rules=DENY + conf.OPEN_RULES, extra="control here/c.sock;"),
                    files={"here/empty": ""})
    socket = daemon.folder / "here/c.sock"
    mode = os.stat(socket).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert_refused(fetch(daemon.port, origin.url("/x")), "rule_denied")
    daemon.config.write_text(daemon.config.read_text().replace(DENY, ""))
    done = reload(socket)
    assert (done.returncode, done.stderr) == (0, "") and "deny no: removed" in done.stdout
    assert fetch(daemon.port, origin.url("/x")).status == 200
    assert "nothing has changed" in reload(socket).stdout
    daemon.stop()
    assert not socket.exists()
    done = reload(socket)
    assert done.returncode == 1 and "no proxyd listens there" in done.stderr


def test_a_wrong_configuration_changes_nothing_and_is_explained(proxyd, origin):
    daemon = proxyd(conf.forward())
    daemon.config.write_text(daemon.config.read_text() + "limmits { }\n")
    done = reload(daemon.folder / "control.sock")
    assert done.returncode == 1 and done.stdout == ""
    assert f'{daemon.config}:' in done.stderr and 'did you mean "limits"?' in done.stderr
    assert fetch(daemon.port, origin.url()).status == 200


def test_the_default_path_is_found_by_both_sides(proxyd):
    daemon = proxyd(conf.forward())
    done = run_command("reload", env={"RUNTIME_DIRECTORY": str(daemon.folder)})
    assert done.returncode == 0, done.stderr
    with open(daemon.folder / "stderr") as said:
        assert f"control at {daemon.folder}/control.sock" in said.read()


def test_none_is_wanted(proxyd):
    daemon = proxyd(conf.forward(extra="control none;"))
    assert not (daemon.folder / "control.sock").exists()


def test_a_path_that_another_one_has(proxyd, origin):
    """A default path is done without; one that was chosen is insisted on. The first keeps it in either case."""
    first = proxyd(conf.forward())
    socket = first.folder / "control.sock"
    second = proxyd(conf.forward(), env={"RUNTIME_DIRECTORY": str(first.folder)})
    assert "another proxyd listens there" in second.stderr() and fetch(second.port, origin.url()).status == 200
    with pytest.raises(StartFailed) as failed:
        proxyd(conf.forward(extra=f"control {socket};"))
    assert failed.value.code == 1 and "another proxyd listens there" in failed.value.stderr
    second.stop()
    assert reload(socket).returncode == 0


def test_one_that_a_killed_daemon_left_behind_is_replaced(proxyd):
    first = proxyd(conf.forward())
    socket = first.folder / "control.sock"
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    first.excused = True
    assert socket.exists()
    proxyd(conf.forward(extra=f"control {socket};"))
    assert reload(socket).returncode == 0


@pytest.mark.parametrize("words,code,says", [
    (["ctl"], 2, "what?"), (["ctl", "fech", "u"], 2, 'did you mean "fetch"?'), (["ctl", "fetch"], 2, "needs a URL"),
    (["reload", "-s"], 2, "needs the path of a control socket"), (["reload", "file"], 2, '"file" is not known here'),
    (["reload", "-s", "/nowhere/c"], 1, "no proxyd listens there")])
def test_what_is_wrong_with_the_call(words, code, says):
    done = run_command(*words)
    assert done.returncode == code and says in done.stderr and done.stdout == ""


@pytest.mark.parametrize("path,says", [("/nowhere/c.sock", "No such file"), ("x" * 120, "too long for a socket")])
def test_a_path_that_cannot_be(proxyd, path, says):
    with pytest.raises(StartFailed) as failed:
        proxyd(conf.forward(extra=f"control {path};"))
    assert says in failed.value.stderr


# ---- proxyd ctl fetch ----

POOL = """
listener edge {{ bind 127.0.0.1:{{edge_port}}; mode reverse; routes web; }}
routes web {{ route all {{ to pool q; }} }}
pool q {{ server {server}; }}
"""


def fetch_by(daemon, *words):
    """Exit code and the report as a dict; what is no row of it is under ""."""
    done = run_command("ctl", "--socket", daemon.folder / "control.sock", "fetch", *words)
    rows = {}
    for line in (done.stdout + done.stderr).splitlines():
        key, _, value = line.partition(" ")
        rows[key] = value.strip()
    return done.returncode, rows


def test_fetch_tells_every_phase(proxyd, origin):
    origin.at("/slow", pause(0.2), send(ok("x" * 1000)))
    daemon = proxyd(conf.forward(clients="10.0.0.0/8"))   # the proxy itself is no client
    code, rows = fetch_by(daemon, origin.url("/slow"))
    assert code == 0 and rows["status"] == "200 OK" and rows["body"] == "1000 bytes"
    assert rows["listener"] == "main" and rows["rule"] == "all" and rows["server"] == f"127.0.0.1:{origin.port}"
    assert 200 <= float(rows["first"].split()[1]) <= float(rows["all"].split()[0]) < 1000 * within(2)
    assert "look-up" in rows and "connect" in rows
    request = origin.request("/slow")
    assert request.method == b"GET" or request.method == "GET"
    code, rows = fetch_by(daemon, origin.url("/again"))
    assert rows["server"].endswith("by a connection that was open") and "connect" not in rows
    assert daemon.wait_log("/slow").startswith(daemon.wait_log("/slow")[:24] + " - ")


@pytest.mark.parametrize("url,says", [
    ("http://127.0.0.1:1/x", "connect_refused"), ("http://no.such.test/", "dns_"), ("https://a/", "bad_scheme"),
    ("http://localhost:1/closed", "destination_loopback"), ("http://a:b@/", "bad_")])
def test_fetch_tells_what_was_in_the_way(proxyd, url, says):
    """Refusals are answers of the proxy itself, by the same rules and the same address guard as for clients."""
    daemon = proxyd(conf.forward(rules="deny no { path /none; } allow closed { path /closed; } " + conf.OPEN_RULES))
    code, rows = fetch_by(daemon, url)
    assert code == 0 and rows["status"].endswith("of the proxy itself") and rows["cause"].startswith(says), rows


def test_fetch_through_another_listener(proxyd, origin):
    daemon = proxyd(conf.forward(extra=POOL.format(server=f"127.0.0.1:{origin.port}")))
    code, rows = fetch_by(daemon, "http://any.site.test/x", "edge")
    assert code == 0 and rows["listener"] == "edge" and rows["status"] == "200 OK"
    assert origin.paths() == ["/x"]
    assert fetch_by(daemon, "http://any.site.test/x", "nowhere")[0] == 1


def test_fetches_that_nobody_waits_for_are_ended(proxyd, origin):
    """As many as there are places, of an answer that never ends: an interrupted one gives its place back."""
    go = threading.Event()
    origin.at("/endless", read_body(), send(b"HTTP/1.1 200 OK\r\n\r\nx"), wait(go))
    daemon = proxyd(conf.forward())
    socket = daemon.folder / "control.sock"
    asked = [subprocess.Popen([BINARY, "ctl", "--socket", socket, "fetch", origin.url("/endless")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(16)]
    assert until(lambda: len(origin.requests) == 16)
    too_many = reload(socket)
    assert too_many.returncode == 1 and "16 commands are under way, which is all" in too_many.stderr
    for one in asked:
        one.kill()
        one.wait()
    assert until(lambda: reload(socket).returncode == 0, within(3))
    assert until(lambda: daemon.stdout().count("/endless") == 16)
    go.set()


def test_fetch_of_an_answer_that_is_cut(proxyd, origin):
    origin.at("/cut", send(ok("0123456789")[:-1]), close())
    code, rows = fetch_by(proxyd(conf.forward()), origin.url("/cut"))
    assert code == 1 and rows["body"] == "9 bytes, then cut"


def test_fetch_of_a_long_answer(proxyd, origin):
    """It is given up at 100 MB, which is nobody's reset."""
    origin.at("/long", read_body(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n"), *[send(bytes(1 << 20))] * 101, read_eof())
    daemon = proxyd(conf.forward())
    code, rows = fetch_by(daemon, origin.url("/long"))
    assert code == 0 and rows["status"] == "200 OK" and rows["body"].endswith("bytes, given up there")
    assert daemon.wait_log("/long").get("cause") == "fetch_too_long"


@pytest.mark.parametrize("url", ["http://a/ b", "http://a/\r\nX: y", "", "a" * 9000])
def test_fetch_of_what_is_no_url(proxyd, url):
    done = run_command("ctl", "--socket", proxyd(conf.forward()).folder / "control.sock", "fetch", url)
    assert done.returncode == 1 and done.stdout == ""


def test_who_waits_for_a_fetch_is_told_that_the_proxy_ends(proxyd, origin):
    origin.at("/never", pause(60))
    daemon = proxyd(conf.forward(extra="timeouts { drain 200ms; }"))
    asking = subprocess.Popen([BINARY, "ctl", "-s", daemon.folder / "control.sock", "fetch", origin.url("/never")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    origin.head("/never")
    daemon.stop()
    out, err = asking.communicate(timeout=within(5))
    assert asking.returncode == 1 and "cause" in err, (out, err)
    told = [line.split()[0] for line in err.splitlines()]
    assert told == ["url", "listener", "cause", "look-up", "connect", "all"], "the phases that it had"
