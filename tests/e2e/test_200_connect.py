"""CONNECT: from the target's spelling to the first byte through the tunnel, and the line in the log."""
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.echo_server import pattern
from lib.faults import FAULTS, assert_refused
from lib.origin import Origin, call, close, read, read_eof, send
from lib.times import within
from lib.tunnel import Tunnel, connect
from lib.ways import fill

RIG = conf.forward(extra=metrics.ADMIN)


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
