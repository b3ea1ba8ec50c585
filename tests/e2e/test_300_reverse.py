"""Reverse: one pool behind a listener, the smallest real thing of the other direction.

The administrator names the destination; the client's words (Host, target, X-Forwarded-*) are what the
server is told, never where a connection goes. Framing, limits and faults are the engine's and tested
with the forward listener; here stands what differs, and a sample that shows the engine is the same.
"""
import contextlib
import socket
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, chunked, request
from lib.echo_server import pattern
from lib.faults import assert_refused
from lib.netns import network
from lib.origin import Origin, call, close, ok, read_body, read_eof, read_head, reset, send
from lib.ports import free_port, release
from lib.times import until, within
from lib.wire import Ended

pytestmark = [pytest.mark.threads, pytest.mark.smoke]


def pool(*origins):
    """(server, pool_extra) for conf.reverse."""
    first, *rest = [o if isinstance(o, str) else o.authority for o in origins]
    return {"server": first, "pool_extra": " ".join(f"server {s};" for s in rest)}


@pytest.fixture
def back():
    with Origin() as server:
        yield server


@pytest.fixture
def gate(proxyd, back):
    """A reverse listener before one server."""
    return proxyd(conf.reverse(**pool(back), extra=metrics.ADMIN))


def ask(daemon, raw, how="whole", seed=0, **client):
    with Client(daemon.port, **client) as c:
        return c.ask(raw, how, seed)


def get(daemon, path="/", *fields, host="site.test", **client):
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *fields]
    return ask(daemon, "\r\n".join(lines) + "\r\n\r\n", **client)


# -- the bytes ------------------------------------------------------------------------------------

def test_exact_bytes(gate, back):
    raw = (b"GET /a/../b?c=%2Fd HTTP/1.1\r\nHost: Site.Test:8080\r\nUser-Agent: x\r\nX-odd-CASE:  v \r\n"
           b"Cookie: a=b\r\nAuthorization: Basic eA==\r\nAccept-Encoding: gzip\r\n\r\n")
    for how, seed in (("whole", 0), ("bytes", 0), ("random", 1), ("random", 2)):
        back.clear()
        assert ask(gate, raw, how, seed, source="127.0.0.9").status == 200
        seen = back.request("/a/../b?c=%2Fd")
        mark = seen.get("Via").split()[1].encode()
        assert seen.raw == (
            b"GET /a/../b?c=%2Fd HTTP/1.1\r\nHost: site.test:8080\r\nUser-Agent: x\r\nX-odd-CASE: v\r\n"
            b"Cookie: a=b\r\nAuthorization: Basic eA==\r\nAccept-Encoding: gzip\r\n"
            b"X-Forwarded-For: 127.0.0.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site.test:8080\r\n"
            b"Via: 1.1 " + mark + b"\r\n\r\n")


def test_nothing_is_added_to_answers(gate, back):
    """A gateway hides its servers, and that it is one. Only a missing Date is set (RFC 9110 section 6.6.1)."""
    back.answer("/plain", b"HTTP/1.1 200 Fine\r\nServer: theirs\r\nContent-Length: 2\r\nX-A: 1\r\nX-a: 2\r\n\r\nok")
    answer = get(gate, "/plain")
    assert answer.reason == "Fine" and answer.get("Server") == "theirs" and answer.all("x-a") == ["1", "2"]
    assert set(answer.fields.names()) == {"server", "content-length", "x-a", "date"}


@pytest.mark.parametrize("line", [
    "X-Forwarded-For: 9.9.9.9", "x-forwarded-for: 9.9.9.9", "X-Forwarded-For: 9.9.9.9, 8.8.8.8", "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.test", "X-Forwarded-Port: 443", "X-Forwarded-Prefix: /evil", "X-Forwarded-Server: evil",
    "Forwarded: for=9.9.9.9;proto=https", "X-Real-IP: 9.9.9.9", "X_Forwarded_For: 9.9.9.9", "X-Forwarded-User: root",
    "X-FORWARDED_SSL: on", "Client-Cert: :AAAA:", "client_cert: :AAAA:"])
def test_what_the_client_claims_is_replaced(gate, back, line):
    name = line.split(":")[0]
    for fields in ([line], [line, line], ["X-Before: 1", line, "Connection: close"]):
        back.clear()
        assert get(gate, "/xf", *fields, source="127.0.0.9").status == 200
        seen = back.request("/xf")
        ours = {"x-forwarded-for": ["127.0.0.9"], "x-forwarded-proto": ["http"], "x-forwarded-host": ["site.test"]}
        assert seen.all(name) == ours.get(name.lower(), [])
        assert b"9.9.9.9" not in seen.raw and b"evil" not in seen.raw


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via", "Host"])
def test_our_fields_cannot_be_nominated_away(gate, back, name):
    assert get(gate, "/nom", f"Connection: {name}").status == 200
    assert len(back.request("/nom").all(name)) == 1


def test_forwarded_for_ipv6(proxyd, back):
    daemon = proxyd(conf.reverse(**pool(back)).replace("127.0.0.1:{port}", "[::1]:{port} 127.0.0.1:{port}"))
    assert get(daemon, "/six", "Connection: close", **{"host": "site.test"}).status == 200
    with Client(daemon.port, host="::1") as client:
        assert client.ask(b"GET /six6 HTTP/1.1\r\nHost: site.test\r\n\r\n").status == 200
    assert back.request("/six6").all("X-Forwarded-For") == ["::1"]


HOSTS = {"site.test": "site.test", "SITE.Test": "site.test", "site.test:8080": "site.test:8080", "site.test:80": "site.test",
         "127.0.0.1": "127.0.0.1", "[::1]:99": "[::1]:99", "unknown.test": "unknown.test", "10.0.0.1": "10.0.0.1"}


@pytest.mark.parametrize("host", HOSTS)
def test_host_is_kept(gate, back, host):
    """And decides nothing: whatever it says, the pool's server answers."""
    assert get(gate, "/host", host=host).status == 200
    assert back.request("/host").all("Host") == [HOSTS[host]]
    assert back.request("/host").all("X-Forwarded-Host") == [HOSTS[host]]


@pytest.mark.parametrize("lines,cause", [
    ("", "bad_host"), ("Host: a, b\r\n", "bad_host"), ("Host: a\r\nHost: a\r\n", "bad_host"), ("Host: u@a\r\n", "bad_host"),
    ("Host: a/b\r\n", "bad_host"), ("Host: \r\n", "bad_host")])
def test_bad_hosts(gate, back, lines, cause):
    assert_refused(ask(gate, f"GET /bad HTTP/1.1\r\n{lines}\r\n"), cause)
    assert back.requests == []


def test_http_1_0(gate, back):
    """Without Host: the server is told its own name; the connection ends."""
    with Client(gate.port) as client:
        assert client.ask(b"GET /old HTTP/1.0\r\n\r\n").status == 200
        client.expect_closed()
    seen = back.request("/old")
    assert len(seen.all("Host")) == 1 and not seen.has("X-Forwarded-Host")
    assert seen.get("Via").startswith("1.0 ")
    with Client(gate.port) as client:   # RFC 9112 C.2.2: an origin may keep it for who asks
        answer = client.ask(b"GET /old2 HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n")
        if (answer.get("Connection") or "").lower() == "keep-alive":
            assert client.ask(b"GET /old3 HTTP/1.0\r\nHost: a.test\r\n\r\n").status == 200
        else:
            client.expect_closed()


# -- targets --------------------------------------------------------------------------------------

def test_absolute_form(gate, back):
    """RFC 9112 3.2.2: a server must take it, and the target's authority wins over Host."""
    assert ask(gate, b"GET http://other.test:81/abs?x HTTP/1.1\r\nHost: site.test\r\n\r\n").status == 200
    seen = back.request("/abs?x")
    assert seen.all("Host") == ["other.test:81"] and seen.all("X-Forwarded-Host") == ["other.test:81"]


def test_a_target_as_clients_send_it(gate, back):
    assert ask(gate, b"GET http://user:pass-word@other.test/a|\xff#b HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    seen = back.request("/a%7C%FF")
    assert seen.all("Host") == ["other.test"] and b"pass-word" not in seen.raw


@pytest.mark.parametrize("target,cause", [
    ("https://site.test/", "bad_scheme"), ("ftp://site.test/", "bad_scheme"), ("http://u@/", "bad_target"),
    ("http:///x", "bad_target"), ("site.test", "bad_target"), ("*", "bad_target"), ("/a#b c", "bad_target"), ("", "bad_request_line|bad_target")])
def test_bad_targets(gate, back, target, cause):
    assert_refused(ask(gate, f"GET {target} HTTP/1.1\r\nHost: site.test\r\n\r\n"), cause)
    assert back.requests == []


def test_no_open_proxy(gate, back):
    """Whatever the target says, nothing but the pool is dialled."""
    with Origin(name="origin.test") as elsewhere:
        for raw in (f"GET {elsewhere.url('/leak')} HTTP/1.1\r\nHost: x\r\n\r\n",
                    f"GET /leak HTTP/1.1\r\nHost: {elsewhere.authority}\r\n\r\n",
                    f"GET http://127.0.0.1:{elsewhere.port}/leak HTTP/1.1\r\nHost: x\r\n\r\n",
                    f"GET /leak HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: {elsewhere.authority}\r\n\r\n"):
            assert ask(gate, raw).status == 200
        assert elsewhere.connections == [] and back.paths() == ["/leak"] * 4


@pytest.mark.parametrize("target", ["site.test:443", "127.0.0.1:80", "127.0.0.1:{dead}"])
def test_connect_is_refused(gate, back, target):
    target = target.replace("{dead}", str(back.port))
    with Client(gate.port) as client:
        answer = client.ask(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
        assert_refused(answer, "method_not_allowed")
        allow = [m.strip() for m in answer.get("Allow").split(",")]
        assert "GET" in allow and "CONNECT" not in allow
        if (answer.get("Connection") or "").lower() != "close":
            assert client.ask(b"GET /after HTTP/1.1\r\nHost: a.test\r\n\r\n").status == 200
    assert not any(p != "/after" for p in back.paths())
    assert gate.wait_log("CONNECT").get("cause") == "method_not_allowed"


def test_options_asterisk_goes_to_the_server(gate, back):
    assert ask(gate, b"OPTIONS * HTTP/1.1\r\nHost: site.test\r\n\r\n").status == 200
    assert back.request("*").line == "OPTIONS * HTTP/1.1"


def test_proxy_pac_is_the_servers_affair(gate, back):
    """What a forward listener answers itself is an ordinary path here."""
    assert get(gate, "/proxy.pac").body == b"ok"
    assert back.paths() == ["/proxy.pac"]


# -- the pool -------------------------------------------------------------------------------------

@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("same_connection", [True, False])
def test_round_robin(proxyd, workers, same_connection):
    # covers: pool server, listener routes, routes route to
    with Origin() as a, Origin() as b, Origin() as c:
        daemon = proxyd(conf.reverse(**pool(a, b, c), workers=workers))
        if same_connection:
            with Client(daemon.port) as client:
                for i in range(30):
                    assert client.ask(f"GET /{i} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        else:
            for i in range(30):
                assert get(daemon, f"/{i}").status == 200
        assert [len(o.requests) for o in (a, b, c)] == [10, 10, 10], "in turn, over all workers"
        assert [p for p in a.paths()] == [f"/{i}" for i in range(0, 30, 3)]


def ask_in_turn(daemon, n):
    """GETs and POSTs with a body, each on a connection of its own."""
    for i in range(n):
        raw = f"GET /{i} HTTP/1.1\r\nHost: x\r\n\r\n" if i % 2 else \
            f"POST /{i} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
        yield ask(daemon, raw)


def test_a_dead_server_beside_living_ones(proxyd, back):
    """Nobody notices: where no connection came about nothing was sent, so another one is asked."""
    dead = free_port()
    daemon = proxyd(conf.reverse(**pool(f"127.0.0.1:{dead}", back, back.authority), extra=metrics.ADMIN))
    assert [a.status for a in ask_in_turn(daemon, 30)] == [200] * 30
    assert sorted(back.paths()) == sorted(f"/{i}" for i in range(30)), "each once"
    assert metrics.calm(daemon)["upstream_retries_total"] >= 1
    release(dead)


def test_a_server_that_does_not_accept(proxyd, back):
    """Its time-out is waited for about once a second, not by every request in its turn."""
    with socket.socket() as full, contextlib.ExitStack() as fillers:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            s = fillers.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(full.getsockname())
        stuck = f"127.0.0.1:{full.getsockname()[1]}"
        daemon = proxyd(conf.reverse(**pool(stuck, back), extra="timeouts { connect 500ms; }"))
        start = time.monotonic()
        assert [a.status for a in ask_in_turn(daemon, 20)] == [200] * 20
        assert time.monotonic() - start < within(4), "not ten times half a second"


def test_the_only_server_is_down_and_comes_back(proxyd):
    port = free_port()
    daemon = proxyd(conf.reverse(f"127.0.0.1:{port}", extra=metrics.ADMIN))
    with Client(daemon.port) as client:
        for accept, start in (("text/html", b"<!DOCTYPE html>"), ("application/json", b'{"status":502')):
            answer = client.ask(f"GET / HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n")
            assert_refused(answer, "connect_refused")
            assert answer.body.startswith(start)
        with Origin(port=port) as server:
            assert client.ask(b"GET /back HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
            assert server.paths() == ["/back"]
        assert_refused(client.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "connect_refused|upstream_closed|upstream_reset")
    assert daemon.wait_log("cause=connect_refused").get("to") == f"127.0.0.1:{port}"
    assert metrics.calm(daemon)["fault connect_refused"] >= 2
    release(port)


@pytest.mark.parametrize("steps,causes", [
    ([read_body(), close()], "upstream_closed"), ([read_body(), reset()], "upstream_reset|upstream_closed"),
    ([read_body(), send(b"nonsense\r\n\r\n"), close()], "response_malformed")])
def test_faults_of_a_server(gate, back, steps, causes):
    back.at("/ill", *steps)
    assert_refused(get(gate, "/ill"), causes)
    assert get(gate, "/well").status == 200


def test_server_by_name_and_ipv6(proxyd):
    with Origin("::1") as six:
        daemon = proxyd(conf.reverse(f"[::1]:{six.port}"))
        assert get(daemon, "/lit").status == 200 and six.paths() == ["/lit"]
        daemon = proxyd(conf.reverse(f"dual.test:{six.port}", extra="dns { hosts hosts; server 127.0.0.1:{dead_port}; }"))
        assert get(daemon, "/name").status == 200 and six.paths() == ["/lit", "/name"]
        daemon = proxyd(conf.reverse("nowhere.test:80", extra="dns { hosts hosts; server 127.0.0.1:{dead_port}; timeout 100ms; }"))
        assert_refused(get(daemon, "/name"), "dns_failure|dns_timeout")


@network("10.0.0.0/8")
def test_configured_servers_need_no_reach(proxyd):
    """The pool names its servers; private addresses are what they usually have."""
    with Origin("0.0.0.0") as server:
        assert get(proxyd(conf.reverse(f"10.9.8.7:{server.port}"))).status == 200


# -- connections ----------------------------------------------------------------------------------

def test_keep_alive_on_both_sides(gate, back):
    with Client(gate.port) as client:
        for i in range(20):
            answer = client.ask(f"GET /{i} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.status == 200 and not answer.has("Connection")
    for i in range(20):
        assert get(gate, f"/n{i}").status == 200
    assert len(back.connections) <= 2, "one for each worker at most"
    assert len(back.requests) == 40
    counters = metrics.calm(gate)
    assert counters["upstream_reused_total"] + counters["upstream_shared_reused_total"] >= 38


def test_connection_close_is_the_clients_alone(gate, back):
    with Client(gate.port) as client:
        answer = client.ask(b"GET /bye HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.get("Connection").lower() == "close"
        client.expect_closed()
    assert (back.request("/bye").get("Connection") or "").lower() != "close"
    assert not back.connections[0].closed.is_set(), "the server's connection stays for the next"


def test_pipelining(gate, back):
    with Client(gate.port) as client:
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(10)))
        for _ in range(10):
            assert client.response().status == 200
    assert back.paths() == [f"/{i}" for i in range(10)]


def test_stale_connection_is_replaced(gate, back):
    """A server that closes after each answer without saying so."""
    for i in range(50):
        back.next(read_head(), send(ok(b"%d" % i)), close())
        assert get(gate, f"/{i}").status == 200


def test_bodies_both_ways(gate, back):
    data = pattern(3_000_000)

    def mirror(conn):
        conn.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(conn.current.body))
    back.at("/mirror", read_body(), call(mirror))
    answer = ask(gate, request("/mirror", "Transfer-Encoding: chunked", method="POST", host="x",
                               body=chunked(*(data[i:i + 9999] for i in range(0, len(data), 9999)))))
    assert answer.body == data and answer.ended_by == "chunked"
    answer = ask(gate, request("/mirror", method="PUT", host="x", body=data))
    assert answer.body == data


def test_interim_answers_and_early_final(gate, back):
    back.at("/hint", send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), send(ok("done")))
    answer = get(gate, "/hint")
    assert [i.status for i in answer.interim] == [103] and answer.body == b"done"
    back.at("/no", send(ok("no", status="413 No")), read_eof())
    with Client(gate.port) as client:
        client.send(b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        assert client.response("POST").status == 413


def test_websocket(gate, back):
    back.at("/ws", send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            call(lambda conn: conn.sock.sendall(conn.reader.exactly(4)[::-1])), close())
    with Client(gate.port) as client:
        answer = client.ask(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert answer.status == 101
        client.send(b"abcd")
        assert client.rest() == b"dcba"
    assert back.head("/ws").has("X-Forwarded-For")


HOP = ["Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip", "Proxy-Authorization: Basic c2VjcmV0",
       "Proxy-Status: x", "Upgrade: h2c", "Trailer: X"]


@pytest.mark.parametrize("line", HOP)
def test_hop_by_hop_fields_stay_here(gate, back, line):
    assert get(gate, "/hop", line).status == 200
    assert back.request("/hop").fields.names() in (
        ["host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"],
        ["host", "trailer", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"])


SMUGGLED = {
    "length-twice": (b"Content-Length: 5\r\nContent-Length: 6", "bad_content_length"),
    "both-lengths": (b"Content-Length: 5\r\nTransfer-Encoding: chunked", "both_lengths"),
    "coding": (b"Transfer-Encoding: xchunked", "unknown_transfer_encoding|bad_transfer_encoding"),
    "blank-before-colon": (b"Content-Length : 5", "bad_field_name"), "folding": (b"X: a\r\n b", "bad_folding"),
    "bare-lf": (b"X: a\nY: b", "bad_line_end"), "nul": (b"X: a\0b", "bad_field_value"),
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_the_parser_is_the_same(gate, back, case):
    lines, cause = SMUGGLED[case]
    for first in (b"", b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n"):
        back.clear()
        with Client(gate.port) as client:
            if first:
                assert client.ask(first).status == 200
            client.send(b"POST /evil HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n\r\nGET /evil2 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert_refused(client.response("POST"), cause)
            client.expect_closed()
        assert not any("evil" in p for p in back.paths())


def test_tls_to_the_plain_port(gate):
    with Client(gate.port) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 100)
        assert_refused(client.response(), "tls_to_plain_port")


# -- the log, and two directions at once ----------------------------------------------------------

def test_log_line(gate, back):
    assert get(gate, "/log?secret=1", host="site.test:99").status == 200
    line = gate.wait_log("/log")
    assert '"GET http://site.test/log?...' in line or '"GET http://site.test:99/log?...' in line
    assert line.get("rule") == "all" and line.get("to") == f"127.0.0.1:{back.port}" and " 200 " in line
    assert "secret" not in line


def test_both_directions_in_one_process(proxyd, back, origin):
    """Neither knows of the other: no field, no page, no pool is shared by mistake."""
    text = conf.forward(extra="""
        listener gate { bind 127.0.0.1:{gate_port}; mode reverse; routes web; }
        routes web { route all { to pool back; } } pool back { server %s; }""" % back.authority)
    daemon = proxyd(text)
    with Client(daemon.port) as forward, Client(daemon.ports["gate_port"]) as reverse:
        for i in range(5):
            assert forward.get(origin.url(f"/f{i}")).has("Via")
            assert not reverse.ask(f"GET /r{i} HTTP/1.1\r\nHost: x\r\n\r\n").has("Via")
    assert all(not r.has("X-Forwarded-For") for r in origin.requests) and len(origin.requests) == 5
    assert all(r.has("X-Forwarded-For") for r in back.requests) and len(back.requests) == 5


def test_many_clients_at_once(gate, back):
    errors = []

    def one(i):
        try:
            with Client(gate.port, source=f"127.0.0.{i % 20 + 2}") as client:
                for k in range(10):
                    answer = client.ask(f"GET /{i}/{k} HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert answer.status == 200
        except (AssertionError, Ended, OSError) as error:
            errors.append(error)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(60)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == [] and len(back.requests) == 600
    assert until(lambda: metrics.read(gate)["requests_in_flight"] == 0)
