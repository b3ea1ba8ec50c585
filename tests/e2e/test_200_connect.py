"""CONNECT: from the target's spelling to the last byte in the log.

A tunnel is two byte streams. What this file holds it to: nothing is lost, added or reordered in
either, each ends on its own, an abrupt end stays abrupt, and none of them lasts longer than the
administrator allowed.
"""
import hashlib
import select
import socket
import ssl
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, hard_reset
from lib.echo_server import pattern
from lib.faults import FAULTS, assert_refused
from lib.origin import Origin, call, close, half_close, ok, read, read_eof, reset, send, wait
from lib.times import SOON, Stopwatch, until, within
from lib.ways import fill
from lib.wire import Ended, Silent

RIG = conf.forward(extra=metrics.ADMIN)


def connect(authority, *fields, version="1.1", host=None):
    lines = [f"CONNECT {authority} HTTP/{version}", f"Host: {host or authority}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Tunnel(Client):
    """A client whose CONNECT has been answered with 200."""

    def __init__(self, port, authority, **how):
        super().__init__(port, **how)
        answer = self.ask(connect(authority))
        assert answer.status == 200, answer


def refused(port, raw, causes):
    """The refusal of a CONNECT names its cause in status line, Proxy-Status and body."""
    with Client(port) as client:
        answer = client.ask(raw, method="CONNECT")
    cause = assert_refused(answer, causes)
    assert cause in answer.reason, f"the status line does not say why: {answer.reason!r}"
    assert FAULTS[cause].text in answer.body.decode(), answer.body
    assert answer.get("Content-Type").startswith("text/plain") and len(answer.body) < 1000
    return answer


# -- the target -----------------------------------------------------------------------------------

BAD_TARGETS = """
    origin.test  origin.test:  :443  /  *  http://origin.test:443  http://origin.test:443/  https://origin.test/
    //origin.test:443  origin.test:443/  origin.test:443/x  origin.test:443?x  origin.test:443#x  /origin.test:443
    origin.test:0  origin.test:00000  origin.test:65536  origin.test:99999  origin.test:100000
    origin.test:4294967739  origin.test:18446744073709552059  origin.test:000443  origin.test:-443
    origin.test:+443  origin.test:0x1bb  origin.test:443a  origin.test:https  origin.test:4_4  origin.test:443:443
    origin.test,other.test:443  user@:443  user:secret@origin.test  user\\x@origin.test:443
    origin.test@:443  ..:443  .:443  origin..test:443  .origin.test:443  origin.test..:443  origin%2etest:443
    origin.test%00:443  origin\\test:443  <origin>:443  "origin.test":443  origin[.test]:443
    [::1]  [::1]443  [::1]:  [::1]x:443  [::1:443  ::1]:443  ::1:443  []:443  [1]:443  [127.0.0.1]:443  [zz]:443
    [::1%25lo]:443  [::1%lo]:443  [fe80::1%25eth0]:443  [:::1]:443  [1:2:3:4:5:6:7:8:9]:443  [::1]]:443
    [12345::]:443  [::1.2.3]:443  [::1.2.3.256]:443  256.1.1.1:443  1.2.3.4.5:443  09.1.1.1:443
    127.0.0.99999:443  4294967296:443  1.2..3:443
""".split()


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_authority_form_only(rig, target):
    refused(rig.port, connect(target, host="origin.test:443"), "bad_connect_target|bad_target")
    assert rig.origin.connections == []


@pytest.mark.parametrize("target", ["origin.test:0", "origin.test:70000"])
def test_a_wrong_target_that_stands_in_host_as_well(rig, target):
    """As curl sends it: the target is what is wrong."""
    refused(rig.port, connect(target), "bad_connect_target")


def test_a_long_host(rig):
    for host in ("a" * 64 + ".test", ".".join(["a" * 60] * 5), "a" * 5000):
        refused(rig.port, connect(host + ":443", host="x"), "bad_connect_target")


@pytest.mark.parametrize("target", ["origin.test :443", " origin.test:443", "origin.test: 443", "origin.test:443 "])
def test_a_blank_in_the_target(rig, target):
    refused(rig.port, connect(target, host="origin.test:443"), "bad_request_line|bad_target|bad_connect_target")


@pytest.mark.parametrize("method", ["GET", "POST", "connect", "Connect"])
def test_authority_form_is_for_connect_only(rig, method):
    """Methods are case-sensitive: `connect` is another method, whose target is none."""
    with Client(rig.port) as client:
        answer = client.ask(f"{method} origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n")
    assert_refused(answer, "bad_target|bad_scheme")


@pytest.mark.parametrize("fields", [["Host: x, y"], ["Host: a", "Host: a"], ["Host: u@a:1"], ["Host:"]])
def test_host_beside_the_authority(rig, fields):
    """When Host is there, it must be there once and be one; then the target wins."""
    raw = "\r\n".join([f"CONNECT {rig.origin.authority} HTTP/1.1", *fields]) + "\r\n\r\n"
    refused(rig.port, raw.encode(), "bad_host")


@pytest.mark.parametrize("raw", [
    "CONNECT @ HTTP/1.1\r\nHost: evil.test:1\r\n\r\n", "CONNECT @ HTTP/1.0\r\n\r\n", "CONNECT @ HTTP/1.1\r\n\r\n",
    "CONNECT user:secret@AT@@ HTTP/1.1\r\nHost: @\r\n\r\n", "CONNECT @AT@@ HTTP/1.1\r\nHost: @\r\n\r\n",
    "CONNECT @ HTTP/1.0\r\nHost: @\r\n\r\n", "CONNECT @ HTTP/1.1\r\nHost: @\r\nProxy-Connection: keep-alive\r\n"
    "User-Agent: x\r\nProxy-Authorization: Basic eA==\r\n\r\n"])
def test_good_heads(rig, raw):
    with Client(rig.port) as client:
        assert client.ask(fill(raw.encode(), rig.origin.authority.encode())).status == 200
        assert client.ask(b"GET /in HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    assert rig.origin.request("/in").raw == b"GET /in HTTP/1.1\r\nHost: x\r\n\r\n", "nothing of the head leaks"


@pytest.mark.parametrize("host", [
    "127.0.0.1", "origin.test", "ORIGIN.Test", "origin.test.", "127.0.0.1.", "127.1", "2130706433", "0x7f.0.0.1",
    "0177.0.0.01", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]"])
def test_hosts(rig, host):
    with Tunnel(rig.port, f"{host}:{rig.origin.port}") as client:
        assert client.ask(b"GET /h HTTP/1.1\r\nHost: x\r\n\r\n").status == 200


def test_ipv6_literal(rig):
    with Origin("::1") as six:
        for host in ("[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::0.0.0.1]"):
            with Tunnel(rig.port, f"{host}:{six.port}") as client:
                assert client.ask(b"GET /6 HTTP/1.1\r\nHost: x\r\n\r\n").status == 200


@pytest.mark.parametrize("port", ["1", "00001", "65535", "65534"])
def test_ports_at_the_edges(rig, port):
    """Nobody listens there: the refusal of the destination shows that the target was fine."""
    refused(rig.port, connect(f"127.0.0.1:{port}"), "connect_refused")


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_a_body_is_refused(rig, field):
    """RFC 9110 9.3.6: CONNECT has no content; what looks like it must not become tunnel bytes."""
    with Client(rig.port) as client:
        answer = client.ask(connect(rig.origin.authority, field) + b"hello")
        assert 400 <= answer.status < 500 and answer.has("Proxy-Status")
        client.expect_closed()
    assert rig.origin.received() == []


def test_content_length_zero_is_no_body(rig):
    with Client(rig.port) as client:
        assert client.ask(connect(rig.origin.authority, "Content-Length: 0")).status == 200


# -- ports by policy ------------------------------------------------------------------------------

@pytest.mark.parametrize("ports,allowed,denied", [
    ("", [443], [80, 444, 8443, 22, 25, 1, 65535]),
    ("connect-ports 443 8000-8002;", [443, 8000, 8001, 8002], [442, 7999, 8003, 80]),
    ("connect-ports any;", [1, 25, 443, 65535], []),
])
def test_connect_ports(proxyd, ports, allowed, denied):
    # covers: policy connect-ports
    daemon = proxyd(conf.forward(ports=ports))
    for port in denied:
        answer = refused(daemon.port, connect(f"127.0.0.1:{port}"), "connect_port_denied")
        assert "connect-ports" in answer.body.decode()
    for port in allowed:   # nobody listens there, or somebody else does
        with Client(daemon.port) as client:
            answer = client.ask(connect(f"127.0.0.1:{port}"))
            if answer.status != 200:
                assert_refused(answer, "connect_refused")


# -- the answer -----------------------------------------------------------------------------------

def test_the_200_is_only_a_head(rig):
    """RFC 9110 9.3.6: no Content-Length, no Transfer-Encoding; and nothing else a client could trip over."""
    with Tunnel(rig.port, rig.origin.authority) as client:
        client.expect_open()
    with Client(rig.port) as client:
        answer = client.ask(connect(rig.origin.authority))
    assert not answer.has("Content-Length") and not answer.has("Transfer-Encoding")
    assert not answer.has("Connection")


def test_the_200_comes_after_the_connection(rig, proxyd):
    """A refused destination is a refusal, never a 200 that ends."""
    daemon = proxyd(conf.forward(extra="", dns="server 127.0.0.1:{dead_port}; hosts hosts; timeout 100ms;"))
    refused(daemon.port, connect(f"127.0.0.1:{daemon.ports['dead_port']}"), "connect_refused")
    refused(daemon.port, connect("nowhere.test:443"), "dns_timeout|dns_failure")


@pytest.mark.parametrize("rules,cause,rule", [
    ("deny no { to origin.test; }", "rule_denied", "no"), ("", "default_denied", "default"),
    ("allow some { to origin.test; }", "destination_loopback", "some"),
    ("allow all { to *; reach loopback; } ", None, "all")])
def test_refusal_names_the_rule(proxyd, origin, rules, cause, rule):
    daemon = proxyd(conf.forward(rules=rules))
    if cause is None:
        Tunnel(daemon.port, origin.authority).close()
        assert daemon.wait_log("CONNECT").get("rule") == rule
        return
    answer = refused(daemon.port, connect(origin.authority, "Accept: text/html"), cause)
    assert rule in answer.reason and rule in answer.body.decode()
    line = daemon.wait_log("CONNECT")
    assert line.get("cause") == cause and line.get("rule") == rule and " 403 " in line
    assert origin.connections == []


def test_default_deny_text_is_on_the_page(proxyd, origin):
    daemon = proxyd(conf.forward(rules="", default='deny "not on the company list"'))
    answer = refused(daemon.port, connect(origin.authority), "default_denied")
    assert b"not on the company list" in answer.body


def test_a_refusal_ends_the_connection(rig):
    """RFC 9931: whatever comes behind it, however late, was meant for the tunnel."""
    inside = f"GET {rig.url('/inside')} HTTP/1.1\r\nHost: x\r\n\r\n"
    for target, cause in (("127.0.0.1:1", "connect_refused"), ("none.test:443", "dns_failure")):
        with Client(rig.port) as client:
            answer = client.ask(connect(target))
            assert_refused(answer, cause)
            assert answer.get("Connection") == "close"
            time.sleep(0.05)
            try:
                client.send(inside)
            except OSError:
                pass
            client.expect_closed()
    assert "/inside" not in rig.origin.paths()


# -- bytes right behind the head ------------------------------------------------------------------

EARLY = b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("how,seed", [("whole", 0), ("bytes", 0), ("random", 1), ("random", 2), ("random", 3)])
def test_bytes_right_behind_the_head(rig, how, seed):
    with Client(rig.port) as client:
        client.send(connect(rig.origin.authority) + EARLY, how, seed)
        assert client.response("CONNECT").status == 200
        assert client.response().body == b"ok"
    assert rig.origin.received() == [EARLY]


@pytest.mark.parametrize("size", [1, 3000, 4096, 20_000, 300_000, 2_000_000])
def test_much_right_behind_the_head(rig, size):
    data = pattern(size)
    rig.origin.next(read(size), send(b"got it"), close())
    with Client(rig.port) as client:
        threading.Thread(target=client.send, args=(connect(rig.origin.authority) + data,), daemon=True).start()
        assert client.response("CONNECT").status == 200
        assert client.exactly(6) == b"got it"
    assert rig.origin.received() == [data]


def test_as_second_message(rig):
    with Client(rig.port) as client:
        client.send(b"GET " + rig.url("/one").encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
                    + connect(rig.origin.authority) + EARLY)
        assert client.response().body == b"ok"
        assert client.response("CONNECT").status == 200
        assert client.response().body == b"ok"
    assert rig.origin.paths() == ["/one", "/early"]


def test_the_target_speaks_first(rig):
    rig.origin.next(send(b"220 hello\r\n"), read(4), send(b"bye"), close())
    with Tunnel(rig.port, rig.origin.authority) as client:
        assert client.exactly(11) == b"220 hello\r\n"
        client.send(b"QUIT")
        assert client.rest() == b"bye"


def test_head_and_early_bytes_then_gone(rig):
    """The client sends its bytes and ends before it is answered: the target still gets them all."""
    rig.origin.next(read_eof(), send(b"answer"), close())
    with Client(rig.port) as client:
        client.send(connect(rig.origin.authority) + b"all there is")
        client.half_close()
        assert client.response("CONNECT").status == 200
        assert client.rest() == b"answer"
    assert rig.origin.received() == [b"all there is"]


def test_tls_through_the_tunnel(rig, parts):
    ca = parts.ca()
    with Origin(name="origin.test", tls=ca.server_context("origin.test")) as secure:
        client = Tunnel(rig.port, secure.authority)
        with ca.client_context().wrap_socket(client.sock, server_hostname="origin.test") as sock:
            sock.sendall(b"GET /tls HTTP/1.1\r\nHost: origin.test\r\nConnection: close\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        assert secure.request("/tls").complete


# -- how it ends ----------------------------------------------------------------------------------

def test_client_half_closes(rig):
    """The target sees the end, and everything it says afterwards still arrives."""
    go = threading.Event()
    rig.origin.next(read_eof(), send(b"one"), wait(go), send(b"two"), close())
    with Tunnel(rig.port, rig.origin.authority) as client:
        client.send(b"question")
        client.half_close()
        assert client.exactly(3) == b"one"
        client.expect_open()
        go.set()
        assert client.rest() == b"two" and client.reader.end == "eof"
    assert rig.origin.received() == [b"question"]


def test_target_half_closes(rig):
    done = threading.Event()
    rig.origin.next(send(b"all I say"), half_close(), read_eof(), call(lambda c: done.set()), close())
    with Tunnel(rig.port, rig.origin.authority) as client:
        assert client.rest() == b"all I say" and client.reader.end == "eof"
        for _ in range(20):
            client.send(b"more")
            assert client.send_error is None
            time.sleep(0.005)
        assert not done.is_set()
        client.half_close()
        assert done.wait(SOON)
    assert rig.origin.received() == [b"more" * 20]


def test_both_half_close_and_nothing_is_left(rig):
    before = metrics.calm(rig.proxyd)
    descriptors = rig.proxyd.descriptors()
    for _ in range(20):
        rig.origin.next(half_close(), read_eof(), close())
        with Tunnel(rig.port, rig.origin.authority) as client:
            client.half_close()
            assert client.rest() == b""
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    assert metrics.grown(rig.proxyd, before)["tunnels_total"] == 20
    assert until(lambda: rig.proxyd.descriptors() <= descriptors + 2)


def test_target_closes(rig):
    rig.origin.next(send(b"bye"), close())
    with Tunnel(rig.port, rig.origin.authority) as client:
        assert client.rest() == b"bye" and client.reader.end == "eof"


def tunnel_pair(port, target, **how):
    """(client, socket of the target's side) with a tunnel between."""
    accepted = []
    there = threading.Event()

    def take(conn):
        accepted.append(conn.sock)
        there.set()
        hold.wait(60)

    hold = threading.Event()
    target.next(call(take))
    client = Tunnel(port, target.authority, **how)
    assert there.wait(SOON)
    accepted[0].settimeout(SOON)
    return client, accepted[0], hold


def was_reset(sock):
    """True for a reset, False for an orderly end; data before it is skipped."""
    try:
        while sock.recv(1 << 16):
            pass
        return False
    except ConnectionResetError:
        return True


def flood(sock, most=96 << 20):
    """Send until nobody takes any more. The kernels' own buffers take up to 40 MB on the way."""
    sock.settimeout(within(0.3))
    sent = 0
    try:
        while sent < most:
            sent += sock.send(b"x" * 65536)
    except (socket.timeout, TimeoutError, BlockingIOError):
        sock.settimeout(SOON)
        return sent
    raise AssertionError("somebody buffers without bound")


def fill_way(client, remote, direction):
    """Bring the tunnel into the state in which a reset is to be noticed."""
    if direction == "busy":
        client.send(b"a" * 3_000_000)
        got = 0
        while got < 3_000_000:
            got += len(remote.recv(1 << 16))
    elif direction == "client-blocked":
        flood(client.sock)
    elif direction == "target-blocked":
        flood(remote)
    elif direction == "client-ended":
        client.half_close()
        assert remote.recv(1) == b""
    elif direction == "target-ended":
        remote.shutdown(socket.SHUT_WR)
        assert client.sock.recv(1) == b""
    elif direction == "both-blocked":
        flood(client.sock)
        flood(remote)


STATES = ["quiet", "busy", "client-blocked", "target-blocked", "both-blocked", "client-ended", "target-ended"]


@pytest.mark.slow("until both directions are full")
@pytest.mark.parametrize("state", [s for s in STATES if s != "client-ended"])
def test_reset_by_the_client(rig, state):
    """An abrupt end must not look orderly, whatever the tunnel was doing; and it is seen at once."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    fill_way(client, remote, state)
    client.reset()
    with Stopwatch() as watch:
        assert was_reset(remote)
    assert watch.seconds < within(2)
    hold.set()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


@pytest.mark.slow("until both directions are full")
@pytest.mark.parametrize("state", [s for s in STATES if s != "target-ended"])
def test_reset_by_the_target(rig, state):
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    fill_way(client, remote, state)
    hard_reset(remote)
    with Stopwatch() as watch:
        assert was_reset(client.sock)
    assert watch.seconds < within(2)
    hold.set()
    client.close()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


@pytest.mark.parametrize("who", ["client", "target"])
def test_reset_after_its_own_end(rig, who):
    """It half-closed and then died: nothing of it is read any more, yet its reset is noticed."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    ours = client.sock
    first, other = (ours, remote) if who == "client" else (remote, ours)
    first.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    hard_reset(first)
    poll = select.poll()
    poll.register(other, 0)   # errors only: the end itself is always there to be read
    got = poll.poll(within(2) * 1000)
    assert got and got[0][1] & select.POLLERR, "the reset was not passed on"
    hold.set()
    client.close()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


def test_reset_before_the_answer(rig, origin):
    """The client is gone while the proxy still connects: nothing is left behind."""
    before = metrics.calm(rig.proxyd)
    for _ in range(20):
        client = Client(rig.port)
        client.send(connect(origin.authority))
        client.reset()
    metrics.wait(rig.proxyd, "connections_total", 20, since=before)
    metrics.wait(rig.proxyd, "connections_open", 0, since=before)
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    metrics.wait(rig.proxyd, "requests_in_flight", 0)
    origin.all_closed()


# -- bulk and splice ------------------------------------------------------------------------------

MEGABYTES = 96


class Source(threading.Thread):
    """Sends pattern bytes and keeps their checksum; ends its direction when done."""

    def __init__(self, sock, megabytes, seed):
        super().__init__(daemon=True)
        self.sock, self.megabytes = sock, megabytes
        self.block = hashlib.sha256(str(seed).encode()).digest() * (1 << 15)   # 1 MB, not of a power of two
        self.sum = hashlib.sha256()
        self.error = None

    def run(self):
        try:
            self.sock.settimeout(within(60))
            for i in range(self.megabytes):
                block = self.block[i * 7 % 32:] + bytes([i & 255]) * (i * 7 % 32)
                self.sum.update(block)
                self.sock.sendall(block)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error


def receive_all(sock, delay=0.0):
    total, digest = 0, hashlib.sha256()
    sock.settimeout(within(60))
    while data := sock.recv(1 << 18):
        total += len(data)
        digest.update(data)
        if delay:
            time.sleep(delay)
    return total, digest.hexdigest()


class Sink(threading.Thread):
    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.result = sock, None

    def run(self):
        self.result = receive_all(self.sock)


@pytest.mark.slow("bulk, through Python on both sides")
@pytest.mark.parametrize("way", ["up", "down", "both"])
def test_bulk_is_spliced_and_whole(rig, way):
    before = metrics.calm(rig.proxyd)
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    up = Source(client.sock, MEGABYTES if way in ("up", "both") else 0, "up")
    down = Source(remote, MEGABYTES if way in ("down", "both") else 0, "down")
    sink = Sink(remote)
    up.start(), down.start(), sink.start()
    got_down = receive_all(client.sock)
    sink.join(within(60)), up.join(within(60)), down.join(within(60))
    assert up.error is None and down.error is None
    assert sink.result == ((up.megabytes << 20), up.sum.hexdigest())
    assert got_down == ((down.megabytes << 20), down.sum.hexdigest())
    hold.set()
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    grown = metrics.grown(rig.proxyd, before)
    assert grown.get("tunnel_bytes_total from_client", 0) == up.megabytes << 20
    assert grown.get("tunnel_bytes_total to_client", 0) == down.megabytes << 20
    assert grown["tunnel_spliced_total"] == (2 if way == "both" else 1)
    line = until(lambda: [l for l in rig.proxyd.log(f"CONNECT {rig.origin.authority}")
                          if int(l.get("in")) + int(l.get("out")) >= MEGABYTES << 20][-1:])[0]
    assert int(line.get("in")) - (up.megabytes << 20) in range(0, 400)
    assert int(line.get("out")) - (down.megabytes << 20) in range(0, 400)


def test_short_tunnels_are_not_spliced(rig):
    before = metrics.calm(rig.proxyd)
    for size in (1, 100_000, 500_000):
        rig.origin.next(send(pattern(size)), close())
        with Tunnel(rig.port, rig.origin.authority) as client:
            assert client.rest() == pattern(size)
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    grown = metrics.grown(rig.proxyd, before)
    assert "tunnel_spliced_total" not in grown and grown["tunnel_bytes_total to_client"] == 600_001


@pytest.mark.slow("a reader that is slow")
@pytest.mark.parametrize("megabytes", [0, 8])
def test_a_slow_reader_holds_the_sender_back(rig, megabytes):
    """Back-pressure by not reading: what the reader does not take stays with the sender."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin, rcvbuf=65536)
    if megabytes:   # long enough to be spliced first
        source = Source(remote, megabytes, "x")
        source.sock = remote.dup()
        data = pattern(1 << 20)
        sender = threading.Thread(target=lambda: [remote.sendall(data) for _ in range(megabytes)], daemon=True)
        sender.start()
        client.exactly(megabytes << 20)
        sender.join(SOON)
    memory = rig.proxyd.memory()
    sent = flood(remote)
    assert rig.proxyd.memory() - memory < 4 << 20
    remote.shutdown(socket.SHUT_WR)
    total, _ = receive_all(client.sock)
    assert total == sent
    hold.set()
    client.close()


def test_urgent_data_in_a_spliced_tunnel(rig):
    """Splice stops before the mark as if nothing were there; what lies behind it must still come."""
    before = metrics.calm(rig.proxyd)
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    data = pattern(1 << 20)
    sender = threading.Thread(target=lambda: [client.sock.sendall(data) for _ in range(16)], daemon=True)
    sender.start()
    left = 16 << 20
    while left:
        left -= len(remote.recv(min(left, 1 << 20)))
    sender.join(SOON)
    metrics.wait(rig.proxyd, "tunnel_spliced_total", before["tunnel_spliced_total"] + 1)
    client.sock.send(b"!", socket.MSG_OOB)
    client.send(b"TAIL")
    remote.settimeout(SOON)
    assert remote.recv(4, socket.MSG_WAITALL) == b"TAIL"
    hold.set()
    client.close()
    remote.close()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


def test_interleaved_small_messages(rig):
    """Ping-pong through one tunnel: each byte arrives without waiting for a companion."""
    def echo(conn):
        while data := conn.sock.recv(4096):
            conn.sock.sendall(data)
    rig.origin.next(call(echo))
    with Tunnel(rig.port, rig.origin.authority) as client, Stopwatch() as watch:
        for i in range(500):
            message = b"%d" % i
            client.send(message)
            assert client.exactly(len(message)) == message
    assert watch.seconds < within(5)


@pytest.mark.slow("a pipe is given back after two seconds")
def test_spliced_then_quiet_then_busy(rig):
    """A pipe is given back after a pause, and the tunnel goes on as if nothing had been."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    base = rig.proxyd.descriptors()

    def spliced():
        return metrics.read(rig.proxyd)["tunnel_spliced_total"]
    for _ in range(2):
        before = spliced()
        data = pattern(4 << 20)
        for _ in range(20):   # on a busy machine the reads may stay small for a while
            sender = threading.Thread(target=remote.sendall, args=(data,), daemon=True)
            sender.start()
            assert client.exactly(len(data)) == data
            sender.join(SOON)
            if spliced() > before:
                break
        assert spliced() > before
        assert until(lambda: rig.proxyd.descriptors() <= base, within(6)), "the pipe stays open"
        before = spliced()
        client.send(b"ping")
        assert remote.recv(10) == b"ping"
        remote.sendall(b"pong")
        assert client.exactly(4) == b"pong"
        assert spliced() == before, "a pipe for four bytes"
    hold.set()
    client.close()


def test_reset_of_a_spliced_tunnel(rig):
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    before = metrics.calm(rig.proxyd)
    stop = threading.Event()

    def pour():
        try:
            while not stop.is_set():
                remote.sendall(b"y" * 65536)
        except OSError:
            pass
    sender = threading.Thread(target=pour, daemon=True)
    sender.start()
    for _ in range(100):   # on a busy machine the reads may stay small for a while
        client.exactly(1 << 20)
        if metrics.read(rig.proxyd)["tunnel_spliced_total"] > before["tunnel_spliced_total"]:
            break
    else:
        raise AssertionError("it is not spliced")
    client.reset()
    sender.join(within(3))
    assert not sender.is_alive(), "the target may go on sending into nothing"
    hold.set()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


# -- limits ---------------------------------------------------------------------------------------

def limited(proxyd, timeouts):
    return proxyd(conf.forward(extra=metrics.ADMIN + f" timeouts {{ {timeouts} }}"))


@pytest.mark.parametrize("megabytes", [0, 4])
def test_idle_limit(proxyd, origin, megabytes):
    # covers: timeouts tunnel-idle
    daemon = limited(proxyd, "tunnel-idle 300ms;")
    origin.next(send(pattern(megabytes << 20)), read_eof(), close())
    with Tunnel(daemon.port, origin.authority) as client:
        client.exactly(megabytes << 20)
        with Stopwatch() as watch:
            client.expect_closed()
    assert 0.2 < watch.seconds < within(3)
    line = daemon.wait_log("CONNECT")
    assert line.get("cause") == "tunnel_idle_timeout" and int(line.get("out")) >= megabytes << 20
    metrics.wait(daemon, "fault tunnel_idle_timeout", 1)
    metrics.wait(daemon, "tunnels_open", 0)
    origin.all_closed()


@pytest.mark.parametrize("way", ["up", "down"])
def test_one_direction_keeps_it_alive(proxyd, origin, way):
    daemon = limited(proxyd, "tunnel-idle 500ms;")
    client, remote, hold = tunnel_pair(daemon.port, origin)
    source, sink = (client.sock, remote) if way == "up" else (remote, client.sock)
    for _ in range(15):
        source.sendall(b"x")
        assert sink.recv(1) == b"x"
        time.sleep(0.1)
    hold.set()
    client.close()
    assert daemon.wait_log("CONNECT").get("cause") is None


@pytest.mark.parametrize("busy", [False, True])
def test_lifetime_limit(proxyd, origin, busy):
    # covers: timeouts tunnel-lifetime
    daemon = limited(proxyd, "tunnel-lifetime 700ms;")
    client, remote, hold = tunnel_pair(daemon.port, origin)
    with Stopwatch() as watch:
        try:
            while watch.begin + within(5) > time.monotonic():
                if busy:
                    client.sock.sendall(b"x" * 10000)
                    remote.recv(1 << 16)
                    time.sleep(0.001)
                elif client.sock.recv(1) == b"":
                    break
        except OSError:
            pass
    assert 0.5 < watch.seconds < within(4)
    assert daemon.wait_log("CONNECT").get("cause") == "tunnel_lifetime"
    metrics.wait(daemon, "fault tunnel_lifetime", 1)
    hold.set()


def test_no_limit_by_the_other_timeouts(proxyd, origin):
    """A quiet tunnel is not a slow head, a slow body, an idle client or a late answer."""
    daemon = limited(proxyd, "head 200ms; body 200ms; idle 200ms; response 200ms; connect 2s;")
    client, remote, hold = tunnel_pair(daemon.port, origin)
    time.sleep(0.8)
    client.send(b"still")
    assert remote.recv(10) == b"still"
    remote.sendall(b"here")
    assert client.exactly(4) == b"here"
    hold.set()
    client.close()


# -- the log --------------------------------------------------------------------------------------

def test_one_log_line_at_the_close(proxyd, origin):
    daemon = proxyd(conf.forward())
    origin.next(read(5), send(b"answered"), read_eof(), close())
    with Tunnel(daemon.port, origin.authority) as client:
        client.send(b"hello")
        assert client.exactly(8) == b"answered"
        time.sleep(0.3)
        assert daemon.log("CONNECT") == [], "the line comes at the close, with the bytes"
    line = daemon.wait_log(f'"CONNECT {origin.authority}" 200')
    head = len(connect(origin.authority))
    assert int(line.get("in")) in (5, 5 + head) and int(line.get("out")) in range(8, 8 + 100)
    assert line.get("to") == f"127.0.0.1:{origin.port}" and line.get("rule") == "all"
    assert line.get("cause") is None and line.startswith("20") and " 127.0.0.1 " in line
    milliseconds = [w for w in line.split() if w.endswith("ms")][0]
    assert 250 < float(milliseconds[:-2]) < within(5) * 1000
    assert len(daemon.log("CONNECT")) == 1


def test_many_tunnels_at_once(rig):
    """300 tunnels, each with its own bytes, opened and closed in all orders."""
    def echo(conn):
        while data := conn.sock.recv(4096):
            conn.sock.sendall(data)
        raise ConnectionResetError
    clients = []
    for _ in range(300):
        rig.origin.next(call(echo))
        clients.append(Tunnel(rig.port, rig.origin.authority, source=f"127.0.0.{len(clients) % 100 + 2}"))
    for i, client in enumerate(clients):
        client.send(b"%d" % i)
    for i, client in reversed(list(enumerate(clients))):
        assert client.exactly(len(b"%d" % i)) == b"%d" % i
        client.close()
    metrics.wait(rig.proxyd, "tunnels_open", 0)
