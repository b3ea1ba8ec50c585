"""Connections kept on both sides: versions, pipelining, those that had gone stale, and a reset at each step."""
import random
import threading
import time

import pytest

from lib import conf
from lib.client import Client, chunked, fetch, request
from lib.faults import assert_refused
from lib.origin import call, chunks, close, ok, pause, read_body, read_head, reset, send, wait
from lib.times import until

LONG = bytes(range(256)) * 400


# -- versions and connections ---------------------------------------------------------------------

def connections(origin):
    return len(origin.received())


def test_both_sides_are_kept(rig):
    with Client(rig.port) as client:
        for i in range(20):
            assert client.get(rig.url(f"/{i}")).status == 200
    assert connections(rig.origin) == 1


def test_another_client_rides_the_same_connection(proxyd, origin):
    daemon = proxyd(conf.forward(workers=1))
    for i in range(5):
        assert fetch(daemon.port, origin.url(f"/{i}")).status == 200
    assert connections(origin) == 1


def test_connection_close_of_the_client(rig):
    with Client(rig.port) as client:
        answer = client.get(rig.url("/"), "Connection: close")
        assert answer.get("Connection") == "close"
        assert client.expect_closed() == "eof"
    with Client(rig.port) as client:
        client.get(rig.url("/"), "Connection: keep-alive, CLOSE")
        assert client.expect_closed() == "eof"


def test_connection_close_of_the_origin(rig, path):
    rig.origin.at(path, send(ok("bye", "Connection: close")), close())
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        assert answer.body == b"bye" and answer.get("Connection") is None
        assert client.get(rig.url("/next")).status == 200


def test_origin_that_says_close_and_stays(rig, path):
    """Connection: close is believed even if the origin leaves the connection open."""
    rig.origin.at(path, send(ok("bye", "Connection: close")))
    with Client(rig.port) as client:
        client.get(rig.url(path))
        client.get(rig.url("/next"))
    assert rig.origin.request(path).conn is not rig.origin.request("/next").conn


def test_http_1_0_client_is_closed_after_the_answer(rig):
    with Client(rig.port) as client:
        answer = client.get(rig.url("/"), version="1.0")
        assert answer.body == b"ok"
        assert client.expect_closed() == "eof"


def test_http_1_0_client_gets_no_chunks(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), chunks(b"abc", LONG))
    with Client(rig.port) as client:
        answer = client.get(rig.url(path), version="1.0")
        assert answer.ended_by == "close" and answer.body == b"abc" + LONG
        assert not answer.truncated


def test_http_1_0_without_host(rig, path):
    with Client(rig.port) as client:
        assert client.ask(f"GET {rig.url(path)} HTTP/1.0\r\n\r\n").status == 200
    assert rig.origin.request(path).get("Host") == rig.origin.authority


def test_http_1_0_origin(rig, path):
    rig.origin.at(path, send(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\n" + LONG), close())
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        assert answer.version == "1.1" and answer.body == LONG and answer.get("X") == "y"
        assert client.get(rig.url("/next")).status == 200


def test_http_1_0_origin_with_length_is_not_reused(rig, path):
    rig.origin.at(path, send(ok("old", version="1.0")))
    with Client(rig.port) as client:
        assert client.get(rig.url(path)).body == b"old"
        assert client.get(rig.url("/next")).body == b"ok"
    assert rig.origin.request(path).conn is not rig.origin.request("/next").conn


def test_pipelining(rig):
    """Answers come in order, whatever the origin's speed."""
    rig.origin.at("/p0", pause(0.05), send(ok("answer 0")))
    for i in range(1, 10):
        rig.origin.at(f"/p{i}", send(ok(f"answer {i}")))
    batch = b"".join(request(rig.url(f"/p{i}")) for i in range(10))
    for how, seed in (("whole", 0), ("random", 1), ("random", 2), ("bytes", 0)):
        with Client(rig.port) as client:
            client.send(batch, how, seed)
            assert [client.response().body for _ in range(10)] == [b"answer %d" % i for i in range(10)]


def test_pipelining_with_bodies(rig):
    with Client(rig.port) as client:
        client.send(request(rig.url("/p-a"), method="POST", body=b"a" * 1000)
                    + request(rig.url("/p-b"), "Transfer-Encoding: chunked", method="POST") + chunked("b", "bb")
                    + request(rig.url("/p-c"), method="HEAD") + request(rig.url("/p-d")))
        assert [client.response(m).status for m in ("POST", "POST", "HEAD", "GET")] == [200] * 4
    assert [r.body for r in rig.origin.requests] == [b"a" * 1000, b"bbb", b"", b""]


def test_pipelining_stops_at_close(rig):
    with Client(rig.port) as client:
        client.send(request(rig.url("/one"), "Connection: close") + request(rig.url("/two")))
        assert client.response().status == 200
        assert client.expect_closed() == "eof"
    fetch(rig.port, rig.url("/three"))
    assert rig.origin.paths() == ["/one", "/three"]


def test_pipelined_client_that_half_closes(rig):
    """printf … | nc: the client ends its side right behind the requests and wants all answers."""
    rig.origin.at("/h0", pause(0.05), send(ok("answer")))
    with Client(rig.port) as client:
        client.send(request(rig.url("/h0")) + request(rig.url("/h1")))
        client.half_close()
        assert client.response().body == b"answer"
        assert client.response().status == 200
        assert client.expect_closed() == "eof"


# -- stale connections ----------------------------------------------------------------------------

def end_if_used(conn):
    """Close without an answer unless this is the first request on the connection."""
    if len(conn.requests) > 1:
        close()(conn)
    conn.sock.sendall(ok("fresh"))


def test_get_on_a_stale_connection_is_asked_again(proxyd, origin):
    """The origin closes just as the next request comes: the client sees nothing of it."""
    daemon = proxyd(conf.forward(workers=1))
    origin.at("/stale", call(end_if_used))
    with Client(daemon.port) as client:
        for _ in range(20):
            assert client.get(origin.url("/warm")).body == b"ok"
            assert client.get(origin.url("/stale")).body == b"fresh"


def test_stale_idle_race(proxyd, origin):
    """The origin closes at random 0 to 5 ms after each answer: no GET fails, no POST is doubled."""
    daemon = proxyd()
    dice = random.Random(1)

    def answer_and_go(conn):
        conn.finish_request()
        conn.sock.sendall(ok("race"))
        time.sleep(dice.random() * 0.005)
        close()(conn)

    origin.at("/race", call(answer_and_go))
    with Client(daemon.port) as client:
        for _ in range(300):
            assert client.get(origin.url("/race")).body == b"race"
    for i in range(300):
        origin.at(f"/post{i}", call(answer_and_go))
        answer = fetch(daemon.port, origin.url(f"/post{i}"), method="POST", body=b"x")
        if answer.status != 200:
            assert_refused(answer, "upstream_closed|upstream_reset")
    assert max(origin.paths().count(f"/post{i}") for i in range(300)) == 1


def test_post_is_never_sent_twice(proxyd, origin):
    daemon = proxyd(conf.forward(workers=1))
    origin.next(read_head(), send(ok("first")), read_head(), read_body(), close())
    with Client(daemon.port) as client:
        assert client.get(origin.url("/a")).body == b"first"
        answer = client.get(origin.url("/b"), method="POST", body=b"pay")
        assert_refused(answer, "upstream_closed|upstream_reset")
    assert [r.target for r in origin.requests] == ["/a", "/b"]


def test_no_retry_after_the_first_byte(proxyd, origin):
    daemon = proxyd(conf.forward(workers=1))
    origin.next(read_head(), send(ok("first")), read_head(), send(b"H"), close())
    with Client(daemon.port) as client:
        client.get(origin.url("/a"))
        assert client.get(origin.url("/b")).status == 502
    assert len(origin.requests) == 2


def test_no_retry_on_a_fresh_connection(rig, path):
    rig.origin.at(path, close())
    with Client(rig.port) as client:
        assert_refused(client.get(rig.url(path), method="POST", body=b"x"), "upstream_closed|upstream_reset")
    assert rig.origin.paths().count(path) == 1


def test_idle_connection_the_origin_closed_is_not_used(rig, path):
    rig.origin.at(path, read_body(), send(ok("x")), pause(0.02), close())
    with Client(rig.port) as client:
        for _ in range(5):
            client.get(rig.url(path))
            time.sleep(0.05)
            assert client.get(rig.url("/p"), method="POST", body=b"once").status == 200


# -- resets at each step --------------------------------------------------------------------------

@pytest.mark.parametrize("step", ["connect", "line", "head", "body", "answer"])
def test_client_resets_at_each_step(rig, path, step):
    go = threading.Event()
    rig.origin.at(path, read_body(), wait(go), send(ok(LONG)))
    full = request(rig.url(path), "Content-Length: 10", method="POST")
    client = Client(rig.port)
    if step == "line":
        client.send(full[:10])
    if step == "head":
        client.send(full[:-2])
    if step == "body":
        client.send(full + b"12345")
    if step == "answer":
        client.send(full + b"1234567890")
        rig.origin.request(path)
    time.sleep(0.02)
    client.reset()
    go.set()
    assert fetch(rig.port, rig.url("/after")).status == 200


@pytest.mark.parametrize("step", ["connect", "request", "head", "body"])
@pytest.mark.parametrize("how", [close, reset])
def test_origin_ends_at_each_step(proxyd, origin, step, how):
    daemon = proxyd()
    before = {"connect": [], "request": [read_head()], "head": [read_head(), send(b"HTTP/1.1 200 OK\r\nX:")],
              "body": [read_head(), send(ok(LONG)[:500])]}[step]
    for _ in range(3):   # a retry that is allowed meets the same end
        origin.next(*before, *([pause(0.02)] if step == "body" else []), how())
    with Client(daemon.port) as client:
        answer = client.get(origin.url("/x"), method="POST", body=b"x")
    assert answer.truncated if step == "body" else answer.status == 502
    assert until(lambda: daemon.descriptors() < 100)
