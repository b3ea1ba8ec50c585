"""The test parts themselves, without the daemon: a tool that lies makes every other test worthless."""
import os
import re
import shutil
import subprocess
import threading
import urllib.request

import pytest

from lib import namespace, selection, slow, unsteady
from lib.client import Client, chunked, pieces, request
from lib.daemon import BINARY
from lib.dns import A, SERVFAIL
from lib.faults import ROOT
from lib.origin import chunks, close, drip, ok, read_body, reset, send, wait
from lib.parts import apt_command
from lib.times import until
from lib.wire import Ended, Malformed, Silent, split_head

pytestmark = pytest.mark.inputs("tests/run.sh")

GET = b"GET %s HTTP/1.1\r\nHost: origin.test\r\n\r\n"


def test_a_missing_namespace_is_seen(monkeypatch):
    """What could not run is skipped, in CI failed, and never passes in silence."""
    monkeypatch.setattr(namespace, "_unshare", lambda: False)
    ran = []
    monkeypatch.setattr(namespace, "skip", ran.append)
    namespace.in_namespace(lambda private: None, whole=True)
    assert ran == []
    namespace.in_namespace(lambda private: None)
    assert len(ran) == 1 and "namespace" in ran[0]


def test_delivery_loses_no_byte():
    data = bytes(range(256)) + b"\r\n\r\nabc"
    for how in ("whole", "bytes", "random"):
        for seed in range(20):
            assert b"".join(pieces(data, how, seed)) == data
    assert pieces(data, "random", 7) == pieces(data, "random", 7)


@pytest.mark.parametrize("head", [
    b"X\r\nA : b\r\n\r\n", b"X\r\nA: b\nC: d\r\n\r\n", b"X\r\n A: b\r\n\r\n", b"X\r\nA: \x00\r\n\r\n",
    b"X\r\nA: b\r c\r\n\r\n", b"X\r\nA\r\n\r\n", b"X\r\n: b\r\n\r\n"])
def test_reader_is_strict(head):
    with pytest.raises(Malformed):
        split_head(head)


def test_origin_records_and_answers(origin):
    with Client(origin.port) as c:
        first = c.ask(GET % b"/a")
        second = c.ask(request(origin.url("/b"), method="POST", body=b"hello"), how="bytes")
        assert (first.status, second.status, first.body) == (200, 200, b"ok")
    assert [r.target for r in origin.requests] == ["/a", origin.url("/b")]
    assert origin.requests[1].body == b"hello"
    assert len(origin.received()) == 1 and origin.received()[0].startswith(GET % b"/a")


def test_origin_scripts(origin):
    event = threading.Event()
    origin.at("/chunks", send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
              chunks(b"abc", b"defg", trailers=[b"X-End: 1"]))
    origin.at("/drip", drip(ok("drip")))
    origin.at("/cut", send(ok("0123456789")[:-3]), close())
    origin.at("/reset", send(ok("0123456789")[:-3]), reset())
    origin.at("/wait", wait(event), send(ok("now")))
    origin.at("/none", close())
    with Client(origin.port) as c:
        r = c.ask(GET % b"/chunks")
        assert (r.body, r.chunks, r.trailers.get("X-End"), r.truncated) == (b"abcdefg", [3, 4], "1",
                                                                           False)
        assert c.ask(GET % b"/drip").body == b"drip"
        c.send(GET % b"/wait")
        with pytest.raises(Silent):
            c.response(timeout=0.05)
        event.set()
        assert c.response().body == b"now"
        r = c.ask(GET % b"/cut")
        assert r.truncated and r.body == b"0123456" and r.end == "eof"
        assert c.expect_closed() == "eof"
    with Client(origin.port) as c:
        r = c.ask(GET % b"/reset")
        assert r.truncated and r.end == "reset"
    with Client(origin.port) as c, pytest.raises(Ended):
        c.ask(GET % b"/none")
    origin.all_closed()


def test_origin_connection_script(origin):
    origin.next(send(b"junk"), close())
    with Client(origin.port) as c:
        assert c.rest() == b"junk"
    with Client(origin.port) as c:
        r = c.ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  + chunked("abc", "d"), how="random")
        assert r.status == 200
    assert origin.requests[0].body == b"abcd" and origin.requests[0].chunks == [3, 1]


def test_origin_notes_malformed_requests(origin):
    with Client(origin.port) as c:
        c.send(b"GET / HTTP/1.1\nHost: a\r\n\r\n")
        c.rest()
    assert until(origin.errors)


def test_scripted_dns(parts):
    dns = parts.dns()
    dns.set("a.test", "127.0.0.1", "::1")
    dns.script("bad.test", lambda name, kind: SERVFAIL)
    import socket
    import struct
    question = b"\x01a\x04test\x00" + struct.pack("!HH", A, 1)
    packet = b"\x12\x34" + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + question
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(packet, ("127.0.0.1", dns.port))
        reply = s.recv(512)
    assert reply[:2] == b"\x12\x34" and reply.endswith(b"\x7f\x00\x00\x01")
    assert dns.count("a.test", A) == 1


def test_echo(parts):
    echo = parts.echo()
    for path, size in (("/bytes/70000", 70000), ("/chunked/70000", 70000), ("/close/5", 5),
                       ("/sse/3/1", 27), ("/drip/5/1", 5)):
        with Client(echo.port) as c:
            r = c.ask(GET % path.encode())
            assert len(r.body) == size and not r.truncated, path


def test_real_parts(parts, tmp_path):
    nginx = parts.nginx(files={"a.txt": "hello"})
    assert urllib.request.urlopen(nginx.url("/a.txt")).read() == b"hello"
    assert until(lambda: "/a.txt" in nginx.text())  # it writes the line after the answer
    dnsmasq = parts.dnsmasq("host-record=a.test,127.0.0.1")
    assert dnsmasq.queries("a.test") == 0
    ca = parts.ca()
    secure = parts.echo(tls=ca.issue("origin.test", "127.0.0.1"))
    got = urllib.request.urlopen(secure.url("/bytes/10", "https"), context=ca.client_context())
    assert len(got.read()) == 10
    git = parts.git()
    done = subprocess.run(["git", "clone", "-q", git.url("/demo.git"), tmp_path / "clone"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parts.websocket()


def test_apt_repository(parts, tmp_path):
    """With nginx itself as the "proxy": it ignores the host of an absolute target."""
    apt = parts.apt()
    done = apt_command(tmp_path / "apt", apt.line, apt.port, "update")
    assert done.returncode == 0, done.stdout + done.stderr
    done = apt_command(tmp_path / "apt", apt.line, apt.port, "download", apt.package)
    assert done.returncode == 0, done.stdout + done.stderr


def test_scripts_may_answer_before_the_body(origin):
    origin.at("/early", send(ok("early")), read_body(), )
    with Client(origin.port) as c:
        c.send(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        assert c.response().body == b"early"
        c.send(b"body")
        assert c.ask(GET % b"/next").status == 200


# -- which tests run, and how long ----------------------------------------------------------------

def test_each_file_is_taken_once(monkeypatch, tmp_path):
    """By the first process that comes to it, and the longest first."""
    known = {"long.py": 60.0, "b.py": 30.0, "c.py": 20.0, "d.py": 10.0}   # and a new one takes as long as most: 25
    monkeypatch.setattr(selection, "durations", lambda: known)
    monkeypatch.setattr(selection, "CLAIMS", str(tmp_path))
    items = [Item() for _ in range(6)]
    for item, name in zip(items, ["d.py", "new.py", "long.py", "c.py", "b.py", "b.py"]):
        item.path = tmp_path / name
    one, other = selection.claimed(items), selection.claimed(items)
    assert [next(one), next(other), next(other), next(one)] == [[items[2]], items[4:], [items[1]], [items[3]]]
    assert [*one, *other] == [[items[0]]]


class Item:
    """What selection and slow ask of a test of pytest."""
    name = "test_x"

    def __init__(self, **marks):
        self.marks = {name: getattr(pytest.mark, name)(*args).mark for name, args in marks.items()}

    def get_closest_marker(self, name):
        return self.marks.get(name)


@pytest.mark.parametrize("build,whole,marks,runs", [
    ("release", True, {}, True), ("release", True, {"once": ()}, False), ("release", False, {"once": ()}, True),
    ("release", True, {"inputs": ("x",)}, True), ("asan", True, {"once": ()}, True), ("asan", True, {"inputs": ("x",)}, False),
    ("asan", True, {"no_sanitizer": ()}, False), ("tsan", True, {}, False), ("tsan", True, {"threads": ()}, True),
    ("tsan", False, {}, True), ("tsan", False, {"no_sanitizer": ()}, False)])
def test_who_runs_where(monkeypatch, build, whole, marks, runs):
    monkeypatch.setattr(selection, "BUILD", build)
    monkeypatch.setattr(selection, "WHOLE", whole)
    assert selection.is_for_this_build(Item(**marks)) == runs


def test_unchanged_inputs_are_not_tested_again(monkeypatch, tmp_path):
    item = Item(inputs=("tools/deps.sh",))
    item.path = selection.ROOT / "tests/e2e/test_015_deps.py"
    monkeypatch.setattr(selection, "WHOLE", True)
    monkeypatch.setenv("E2E_GREEN", str(tmp_path))
    assert not selection.is_unchanged(item), "never passed"
    selection.note_green([item], failed=set())
    assert selection.is_unchanged(item)
    item.marks["inputs"] = pytest.mark.inputs("tools/deps.sh", "packages.txt").mark
    assert not selection.is_unchanged(item), "there is more that it tests"
    selection.note_green([item], failed={"test_015_deps.py"})
    item.marks["inputs"] = pytest.mark.inputs("tools/deps.sh").mark
    assert not selection.is_unchanged(item), "it has failed since"


def test_a_slow_test_says_why(monkeypatch):
    monkeypatch.setattr(unsteady, "FILE", None)
    too_long = slow.BOUND + 0.1
    assert slow.complaint(Item(), slow.BOUND, slow.BOUND) is None
    assert "took" in slow.complaint(Item(), too_long, too_long)
    assert slow.complaint(Item(slow=("it waits",)), 100, 100) is None
    assert "says why" in slow.complaint(Item(slow=()), 0.1, 0.1)
    assert slow.complaint(Item(), 9 * too_long, slow.BOUND) is None, "the rest of it, the machine was busy"


def test_a_quiet_machine(monkeypatch):
    """The time for which others kept it busy is not the test's, where the kernel tells it."""
    waited = iter((10.0, 11.5))
    with monkeypatch.context() as patch:   # this test is measured as well
        patch.setattr(slow, "stalled", lambda: next(waited))
        clock = slow.Clock()
        clock.begin -= 2
        quiet = clock.quiet()
    assert 0.5 <= quiet < 1.5


UNSTEADY = """
import time, pytest
from lib import slow, times
from lib.wire import Silent

slow.BOUND, slow.stalled = 0.2, lambda: 0.0

@pytest.fixture
def first(request, tmp_path_factory):
    file = tmp_path_factory.getbasetemp().parent / f"once-{request.node.name}"
    if file.exists():
        return False
    file.touch()
    return True

def test_ran_out(first):
    assert times.until(lambda: not first, 0.01), "nothing came"

def test_silent(first):
    if first:
        raise Silent(1)

def test_compared(first):
    with times.Stopwatch() as watch:
        pass
    assert watch.seconds < (0 if first else 60)

def test_long(first):
    time.sleep(0.3 if first else 0)

def test_wrong(first):
    assert not first

def test_crashed(first, proxyd):
    daemon = proxyd()
    if first:
        daemon.process.kill()
        daemon.process.wait()
    assert times.until(lambda: not first, 0.01)

def test_ended_wrongly(first, proxyd):
    daemon = proxyd()
    if first:
        daemon.stop = lambda: pytest.fail("exit code 1")
    assert times.until(lambda: not first, 0.01)

def test_twice():
    assert times.until(lambda: False, 0.01), "it never comes"
"""


@pytest.mark.slow("runs tests of its own, some of them twice")
def test_who_is_tried_again(tmp_path):
    """What failed on time alone, once, by itself; nothing that was wrong, crashed or ended wrongly."""
    tests = tmp_path / "tests"
    shutil.copytree(ROOT / "tests/e2e", tests / "e2e", ignore=shutil.ignore_patterns("test_*", "__pycache__"))
    shutil.copy(ROOT / "tests/run.sh", tests)
    (tests / "e2e/test_made.py").write_text(UNSTEADY)
    (tmp_path / "proxyd").symlink_to(ROOT / "proxyd")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/proxyd").symlink_to(BINARY)
    (tmp_path / "made").mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("E2E_") and name != "CI"}
    env |= {"BUILD": str(tmp_path / "build"), "PYTEST_ADDOPTS": f"--basetemp={tmp_path}/made/x"}
    done = subprocess.run([tests / "run.sh", "e2e", "release", "tests/e2e/test_made.py"], env=env, capture_output=True, text=True)
    out = done.stdout
    told = dict(re.findall(r"^unsteady: test_made.py::(\w+): (.*)", out, re.M))
    assert told.keys() == {"test_ran_out", "test_silent", "test_compared"}, out
    assert "nothing came" in told["test_ran_out"]
    assert "slow only beside others: test_made.py::test_long\n" in out
    assert "--- test_made.py::test_twice failed again" in out
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S*::(\w+)", out, re.M))
    assert failed >= {"test_wrong", "test_crashed", "test_ended_wrongly", "test_twice"}, out
    assert re.search(r"^e2e-release: 4 passed, \d failed, 0 skipped, 3 unsteady\n\Z", out, re.M), out
    assert done.returncode == 1
