"""Connections to origins: kept, used again, and found dead.

An idle connection may have been closed by the origin while the request was on its way. For a request
that can be repeated that is invisible: one retry, on a fresh connection, as long as nothing of an
answer was seen. A POST is never sent twice, whatever happens.
"""
import itertools
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, chunked, fetch, request
from lib.echo_server import pattern
from lib.faults import assert_refused
from lib.origin import (Origin, call, close, half_close, ok, pause, read_body, read_eof, reset, send,
                        signal, wait)
from lib.times import SOON, until

pytestmark = pytest.mark.threads

RIG = conf.forward(extra=metrics.ADMIN, workers=1)

_serial = itertools.count()


@pytest.fixture
def path():
    """A path nobody else uses."""
    return f"/p{next(_serial)}"


@pytest.fixture
def before(rig):
    """Counters before the test, and exactly one idle connection, to an origin of which nothing is known."""
    drop_idle(rig)
    common, rig.origin = rig.origin, Origin(name="origin.test")
    assert fetch(rig.port, rig.url("/fill")).status == 200
    rig.origin.requests.clear()
    yield metrics.calm(rig.proxyd)
    rig.origin.stop()
    rig.origin = common
    metrics.wait(rig.proxyd, "upstream_idle", 0)


def drop_idle(rig):
    """End every idle connection from the origin's side and wait until the daemon knows."""
    for conn in list(rig.origin.connections):
        try:
            conn.sock.shutdown(2)
        except OSError:
            pass
    metrics.wait(rig.proxyd, "upstream_idle", 0)
    rig.origin.all_closed()
    rig.origin.connections.clear()


def counted(rig, before):
    """(dialled, reused, retried) since then."""
    grown = metrics.grown(rig.proxyd, before)
    return (grown.get("upstream_connects_total", 0), grown.get("upstream_reused_total", 0),
            grown.get("upstream_retries_total", 0))


POSTS = 1600

# -- the race that cannot be avoided --------------------------------------------------------------

def hasty(origin, path, delay):
    """The origin answers, keeps silent about it, and closes after delay() seconds."""
    origin.at(path, read_body(), send(ok("here you are")), call(lambda conn: time.sleep(delay())), close())


def run_clients(port, clients, each, ask):
    """each requests on each of so many connections; ask(client, number) judges the answer."""
    errors = []

    def one(i):
        client = Client(port, source=f"127.0.0.{2 + i}")
        for k in range(each):
            try:
                if ask(client, i * each + k):
                    client.close()
                    client = Client(port, source=f"127.0.0.{2 + i}")
            except Exception as error:   # noqa: BLE001 - whatever it is, it is the finding
                errors.append(error)
                client = Client(port, source=f"127.0.0.{2 + i}")
        client.close()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return errors


@pytest.mark.slow("thousands of connections")
@pytest.mark.parametrize("workers,clients", [(1, 1), (1, 8), (2, 8)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_thousand_requests_to_a_hasty_origin(proxyd, origin, workers, clients, method):
    """Closed 0 to 5 ms after each answer: 1,000 requests, no error, each seen once by the origin."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN, workers=workers))
    steps = itertools.cycle([0, 0.0003, 0.001, 0.002, 0.003, 0.004, 0.005])
    total = 1000 if method == "GET" else 400
    for number in range(total):
        hasty(origin, f"/{number}", lambda: next(steps))

    def ask(client, number):
        body = b"" if method == "GET" else b"small body %d" % number
        answer = client.get(origin.url(f"/{number}"), method=method, body=body)
        assert answer.status == 200 and answer.body == b"here you are", answer

    assert run_clients(daemon.port, clients, total // clients, ask) == []
    assert sorted(origin.paths()) == sorted(f"/{n}" for n in range(total))
    if method == "PUT":
        assert all(r.body == b"small body %d" % int(r.target[1:]) for r in origin.requests)
    assert origin.errors() == []


@pytest.mark.slow("an origin that closes each connection")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_post_is_never_sent_twice(proxyd, origin, workers):
    """To the same hasty origin: 200, or an honest 502; and the origin never sees one a second time. How soon
    it closes is learned, and from then on no POST rides a connection that may be closing: below one in a
    hundred is lost."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN, workers=workers))
    steps = itertools.cycle([0, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.005])
    for number in range(POSTS):
        hasty(origin, f"/{number}", lambda: next(steps))
    answers = {}

    def ask(client, number):
        answer = client.get(origin.url(f"/{number}"), method="POST", body=b"pay %d" % number)
        answers[number] = answer.status
        if answer.status != 200:
            assert_refused(answer, "upstream_closed|upstream_reset")

    assert run_clients(daemon.port, 8, POSTS // 8, ask) == []
    seen = origin.paths()
    assert len(seen) == len(set(seen)), "a POST was sent twice"
    for number, status in answers.items():
        assert (f"/{number}" in seen) or status == 502
    lost = sum(status != 200 for status in answers.values())
    assert lost < POSTS / 100, f"{lost} of {POSTS} lost"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_who_keeps_connections_gets_no_more_of_them(rig, before, path, method):
    """An origin that never closed an idle one gets what may not be repeated on it, however long it rested."""
    with Client(rig.port) as client:
        for turn in range(10):
            assert client.get(rig.url(path), method=method, body=b"once").status == 200
            time.sleep(0.01 * turn)
    assert counted(rig, before) == (0, 10, 0)


# -- the retry, case by case ----------------------------------------------------------------------

def stale_then(rig, path, *steps, body=True):
    """The idle connection reads the request and then does `steps`; every other one answers."""
    used = []

    def once(conn):
        used.append(conn)
        if len(used) == 1:
            for step in steps:
                step(conn)
        conn.sock.sendall(ok("second try") if body else ok("second try")[:-10])
    rig.origin.at(path, read_body(), call(once))
    return used


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
@pytest.mark.parametrize("end", [close(), reset()])
def test_what_can_be_repeated_is(rig, before, path, method, end):
    """RFC 9110 9.2.2: idempotent methods. The client sees nothing of it."""
    used = stale_then(rig, path, end, body=method != "HEAD")
    with Client(rig.port) as client:
        answer = client.get(rig.url(path), method=method)
        assert answer.status == 200, answer
        assert method == "HEAD" or answer.body == b"second try"
        assert client.get(rig.url("/after")).status == 200
    assert len(used) == 2
    assert counted(rig, before) == (1, 2, 1), "one new connection, the stale one and then the new one reused"


def test_the_retry_keeps_no_connection_to_an_old_client(rig, before, path):
    """RFC 9112 section 9.3: as without a retry."""
    used = stale_then(rig, path, close())
    with Client(rig.port) as client:
        answer = client.ask(f"GET {rig.url(path)} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer.status == 200 and answer.get("Connection") == "close"
        client.expect_closed()
    assert len(used) == 2


@pytest.mark.parametrize("framing", ["length", "chunked", "expect"])
def test_the_body_is_repeated_too(rig, before, path, framing):
    used = stale_then(rig, path, close())
    body = b"0123456789" * 100
    with Client(rig.port) as client:
        if framing == "chunked":
            answer = client.get(rig.url(path), "Transfer-Encoding: chunked", method="PUT",
                                body=chunked(body[:300], body[300:], trailers=("X-End: 1",)))
        elif framing == "expect":
            answer = client.get(rig.url(path), "Expect: 100-continue", method="PUT", body=body)
        else:
            answer = client.get(rig.url(path), method="PUT", body=body)
    assert answer.status == 200 and len(used) == 2
    assert [r.body for r in rig.origin.requests if r.target == path] == [body, body]


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK", "X-ANY"])
@pytest.mark.parametrize("body", [b"", b"once"])
@pytest.mark.parametrize("end", [close(), reset()])
def test_what_may_not_be_repeated_is_not(rig, before, path, method, body, end):
    used = stale_then(rig, path, end)
    with Client(rig.port) as client:
        answer = client.get(rig.url(path), method=method, body=body)
        assert_refused(answer, "upstream_closed|upstream_reset")
        assert client.get(rig.url("/after")).status == 200
    assert len(used) == 1 and len([p for p in rig.origin.paths() if p == path]) == 1
    assert counted(rig, before)[2] == 0


def test_a_post_finds_the_closed_connection_out(rig, before, path):
    """Closed before the request: a watched connection is known to be dead, so a POST simply dials."""
    drop_idle(rig)
    with Client(rig.port) as client:
        assert client.get(rig.url(path), method="POST", body=b"once").status == 200
    assert rig.origin.paths() == [path]


SEEN = {
    "one-byte": [send(b"H"), pause(0.05), close()],
    "half-a-head": [send(b"HTTP/1.1 200 OK\r\nContent-"), close()],
    "one-byte-reset": [send(b"H"), pause(0.05), reset()],
    "interim": [send(b"HTTP/1.1 103 Early Hints\r\n\r\n"), pause(0.05), close()],
    "half-an-interim": [send(b"HTTP/1.1 103 Ear"), pause(0.05), close()],
}


@pytest.mark.parametrize("case", SEEN)
def test_not_after_a_byte_of_an_answer(rig, before, path, case):
    used = stale_then(rig, path, *SEEN[case])
    assert_refused(fetch(rig.port, rig.url(path)), "upstream_closed|upstream_reset")
    assert len(used) == 1 and counted(rig, before)[2] == 0


def test_not_after_half_a_body(rig, before, path):
    stale_then(rig, path, send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), close())
    answer = fetch(rig.port, rig.url(path))
    assert answer.truncated and answer.body == b"half"
    assert counted(rig, before)[2] == 0


def test_not_after_a_timeout(proxyd, origin):
    """The origin has the request and is slow: sending it again would not help anybody."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN + " timeouts { response 300ms; }", workers=1))
    assert fetch(daemon.port, origin.url("/fill")).status == 200
    origin.at("/slow", read_body(), pause(1))
    assert_refused(fetch(daemon.port, origin.url("/slow")), "response_head_timeout")
    assert origin.paths().count("/slow") == 1


def test_not_on_a_fresh_connection(rig, path):
    """Nothing was stale about it: the origin does not want this request."""
    drop_idle(rig)
    used = []
    rig.origin.at(path, read_body(), call(used.append), close())
    assert_refused(fetch(rig.port, rig.url(path)), "upstream_closed")
    assert len(used) == 1


def test_only_once(rig, before, path):
    """The second connection dies as well: told, not tried for ever."""
    used = []
    rig.origin.at(path, read_body(), call(used.append), close())
    assert_refused(fetch(rig.port, rig.url(path)), "upstream_closed|upstream_reset")
    assert len(used) == 2 and counted(rig, before) == (1, 1, 1)


def test_the_retry_dials(rig, path):
    """Ten stale idle connections: the retry does not meet the second of them."""
    drop_idle(rig)
    gate = threading.Event()
    rig.origin.at("/hold", read_body(), wait(gate), send(ok()))
    clients = [Client(rig.port) for _ in range(10)]
    for client in clients:
        client.send(request(rig.url("/hold")))
    rig.origin.until(lambda o: o.paths().count("/hold") == 10)
    gate.set()
    for client in clients:
        assert client.response().status == 200
        client.close()
    old = set(rig.origin.connections)
    before = metrics.calm(rig.proxyd)

    def only_new(conn):
        if conn in old:
            raise ConnectionResetError
        conn.sock.sendall(ok("new"))
    rig.origin.at(path, read_body(), call(only_new))
    assert fetch(rig.port, rig.url(path)).body == b"new"
    assert rig.origin.paths().count(path) == 2 and counted(rig, before) == (1, 1, 1)


def test_the_retry_can_fail_to_connect(proxyd):
    """The origin is gone for good: its idle connection dies and nobody listens any more."""
    with Origin() as origin:
        daemon = proxyd(conf.forward(workers=1))
        assert fetch(daemon.port, origin.url("/fill")).status == 200

        def vanish(conn):
            origin._listener.shutdown(2)
            origin._listener.close()
            raise ConnectionResetError
        origin.at("/x", read_body(), call(vanish))
        assert_refused(fetch(daemon.port, origin.url("/x")), "connect_refused")


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_body_that_is_gone_cannot_be_repeated(rig, before, path, method):
    """2 MB were passed on and are no longer here: an honest 502, and one half request at the origin."""
    first = []

    def take_some(conn):
        first.append(conn)
        if len(first) == 1:
            conn.reader.exactly(500_000)
        else:
            conn.finish_request()
            conn.sock.sendall(ok("second"))
            return
        raise ConnectionResetError
    rig.origin.at(path, call(take_some))
    data = request(rig.url(path), f"Content-Length: {2_000_000}", method=method) + pattern(2_000_000)
    with Client(rig.port) as client:
        threading.Thread(target=client.send, args=(data,), daemon=True).start()
        assert_refused(client.response(method), "upstream_closed|upstream_reset")
    assert len(first) == 1


def test_a_body_still_to_come_is_not_lost(rig, before, path):
    """The head is repeated with what came of the body; the rest follows on the new connection."""
    used = []

    def once(conn):
        used.append(conn)
        if len(used) == 1:
            conn.reader.exactly(3)
            raise ConnectionResetError
        conn.finish_request()
        conn.sock.sendall(ok(conn.current.body))
    rig.origin.at(path, call(once))
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Content-Length: 10", method="PUT") + b"abc")
        assert until(lambda: len(used) == 2)
        client.send(b"defghij")
        answer = client.response("PUT")
    assert answer.status == 200 and answer.body == b"abcdefghij"


# -- what is kept ---------------------------------------------------------------------------------

def reused(rig, path, *steps, method="GET"):
    """Ask for path, whose answer is `steps`, then for another: did that ride the same connection?"""
    rig.origin.at(path, *steps)
    with Client(rig.port) as client:
        client.get(rig.url(path), method=method)
    first = rig.origin.head(path).conn
    with Client(rig.port) as client:
        answer = client.get(rig.url("/next"))
    assert answer.status == 200 and answer.body == b"ok", answer
    return rig.origin.head("/next").conn is first


KEPT = {
    "length": [read_body(), send(ok("x"))],
    "empty": [read_body(), send(ok(""))],
    "chunked": [read_body(), send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")],
    "trailers": [read_body(), send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n")],
    "204": [read_body(), send(b"HTTP/1.1 204 No\r\n\r\n")],
    "304": [read_body(), send(b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n")],
    "interim": [read_body(), send(b"HTTP/1.1 103 E\r\n\r\n" + ok("x"))],
    "500": [read_body(), send(ok("x", status="500 Oh"))],
    "keep-alive": [read_body(), send(ok("x", "Connection: keep-alive", "Keep-Alive: timeout=5"))],
    "split": [read_body(), send(ok("xyz")[:-2]), pause(0.02), send(b"yz")],
}


@pytest.mark.parametrize("case", KEPT)
def test_kept(rig, path, case):
    drop_idle(rig)
    assert reused(rig, path, *KEPT[case])


NOT_KEPT = {
    "close": [read_body(), send(ok("x", "Connection: close"))],
    "close-in-a-list": [read_body(), send(ok("x", "Connection: X-Y , CLOSE"))],
    "until-close": [read_body(), send(b"HTTP/1.1 200 OK\r\n\r\nx"), close()],
    "1.0": [read_body(), send(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx")],
    "more-bytes": [read_body(), send(ok("x") + b"y")],
    "second-answer": [read_body(), send(ok("x") + ok("EVIL"))],
    "more-bytes-after-chunks": [read_body(), send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + ok("EVIL"))],
    "bytes-after-204": [read_body(), send(b"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\n" + ok("EVIL"))],
    "bytes-after-304": [read_body(), send(b"HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\nEVIL")],
    "half-closed": [read_body(), send(ok("x")), half_close(), pause(0.3)],
    "closed": [read_body(), send(ok("x")), close()],
}


@pytest.mark.parametrize("case", NOT_KEPT)
def test_not_kept(rig, path, case):
    """Whatever is left over or at its end is nobody's next answer."""
    drop_idle(rig)
    assert not reused(rig, path, *NOT_KEPT[case])


def test_head_with_a_body_is_not_kept(rig, path):
    """An origin that sends a body to HEAD would have it taken for the next answer."""
    drop_idle(rig)
    assert not reused(rig, path, read_body(), send(ok("EVIL")), method="HEAD")


@pytest.mark.parametrize("data", [b"x", ok("EVIL"), b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"])
def test_bytes_unasked(rig, path, data):
    """An idle connection on which the origin speaks first is closed, not used."""
    drop_idle(rig)
    for i in range(5):
        gone = threading.Event()
        rig.origin.at(f"{path}{i}", read_body(), send(ok("x")), pause(0.02), send(data), read_eof(), signal(gone))
        with Client(rig.port) as client:
            assert client.get(rig.url(f"{path}{i}")).body == b"x"
            assert gone.wait(SOON)
            assert client.get(rig.url("/own")).body == b"ok"
        drop_idle(rig)


def test_an_early_answer_ends_the_connection(rig, path):
    """The rest of the body would be taken for the next request."""
    drop_idle(rig)
    rig.origin.at(path, send(ok("no", status="413 No")), read_eof())
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Content-Length: 100", method="POST") + b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.response("POST").status == 413
    assert fetch(rig.port, rig.url("/next")).status == 200
    assert rig.origin.head("/next").conn is not rig.origin.head(path).conn
    assert "/evil" not in rig.origin.paths()


def test_a_client_that_leaves_in_the_middle(rig, path):
    """Half an answer was read for nobody: the rest must not meet the next client."""
    drop_idle(rig)
    gate = threading.Event()
    rig.origin.at(path, read_body(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000),
                  wait(gate), send(b"x" * 999_000))
    client = Client(rig.port)
    client.send(request(rig.url(path)))
    client.exactly(500)
    client.reset()
    assert fetch(rig.port, rig.url("/next")).body == b"ok"
    gate.set()
    assert fetch(rig.port, rig.url("/next2")).body == b"ok"


# -- counting -------------------------------------------------------------------------------------

def test_one_connection_serves_many(rig, before):
    for i in range(30):
        assert fetch(rig.port, rig.url(f"/one{i}")).status == 200
    assert counted(rig, before) == (0, 30, 0)
    assert metrics.calm(rig.proxyd)["upstream_idle"] == 1


def test_as_many_are_kept_as_were_busy(rig):
    drop_idle(rig)
    before = metrics.calm(rig.proxyd)
    for turn in range(3):
        gate = threading.Event()
        rig.origin.at(f"/busy{turn}", read_body(), wait(gate), send(ok()))
        clients = [Client(rig.port) for _ in range(20)]
        for client in clients:
            client.send(request(rig.url(f"/busy{turn}")))
        rig.origin.until(lambda o: o.paths().count(f"/busy{turn}") == 20)   # noqa: B023
        gate.set()
        for client in clients:
            assert client.response().status == 200
            client.close()
    assert counted(rig, before) == (20, 40, 0)
    assert metrics.calm(rig.proxyd)["upstream_idle"] == 20
    drop_idle(rig)
    assert metrics.read(rig.proxyd)["upstream_idle"] == 0


def test_workers_share_through_the_shared_list(proxyd, origin):
    """What one worker does not need is taken by another: few connections for many clients."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN, workers=4))
    for i in range(100):
        assert fetch(daemon.port, origin.url(f"/{i}")).status == 200
    counters = metrics.calm(daemon)
    taken = counters["upstream_reused_total"] + counters["upstream_shared_reused_total"]
    assert counters["upstream_connects_total"] == len(origin.connections) <= 5
    assert taken == 100 - counters["upstream_connects_total"]


def test_a_shared_connection_that_went_stale(proxyd, origin):
    """Nobody watches the shared idle list: a peek at the taking finds out, and a race is a retry."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN, workers=4))
    for turn in range(5):
        gate = threading.Event()
        origin.at(f"/busy{turn}", read_body(), wait(gate), send(ok()))
        clients = [Client(daemon.port) for _ in range(16)]
        for client in clients:
            client.send(request(origin.url(f"/busy{turn}")))
        origin.until(lambda o: o.paths().count(f"/busy{turn}") == 16)   # noqa: B023
        gate.set()
        for client in clients:
            assert client.response().status == 200
        for conn in list(origin.connections):
            try:
                conn.sock.shutdown(2)
            except OSError:
                pass
        for client in clients:   # also POST: a dead connection is seen before it is used
            assert client.get(origin.url(f"/after{turn}"), method="POST", body=b"x").status == 200
            client.close()
    assert len(origin.paths()) == 5 * 32


def test_a_tunnel_takes_no_idle_connection(rig, before):
    with Client(rig.port) as client:
        assert client.ask(f"CONNECT {rig.origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        client.send(b"GET /tunnel HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.response().status == 200
    assert counted(rig, before)[:2] == (1, 0)
    assert until(lambda: metrics.read(rig.proxyd)["tunnels_open"] == 0)
    assert metrics.read(rig.proxyd)["upstream_idle"] == 1


def test_reading_exactly(rig, path):
    """Many answers on one idle connection, in odd pieces, each whole and its own."""
    drop_idle(rig)
    bodies = {f"{path}/{i}": bytes([65 + i % 26]) * (i * 37 % 5000) for i in range(60)}
    for where, body in bodies.items():
        raw = ok(body)
        cut = len(raw) * 7 % 40 + 1
        rig.origin.at(where, read_body(), send(raw[:cut]), pause(0.002), send(raw[cut:]))
    with Client(rig.port) as client:
        for where, body in bodies.items():
            assert client.get(rig.url(where)).body == body
    assert len({r.conn for r in rig.origin.requests}) == 1
