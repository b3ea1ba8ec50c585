"""Time-outs: each with its cause and its status, each by the clock it promises."""
import socket
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, never_reads, request
from lib.echo_server import pattern
from lib.faults import assert_refused
from lib.origin import call, chunks, drip, ok, pause, read_body, send
from lib.times import SLOW, SOON, Stopwatch, until, within

pytestmark = pytest.mark.threads

MIB = 1 << 20


# -- the clock: heads -----------------------------------------------------------------------------

QUICK = conf.forward(extra="timeouts { head 400ms; body 400ms; idle 700ms; response 400ms; connect 400ms; } "
                           + metrics.ADMIN)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    from conftest import Rig
    rig = Rig(tmp_path_factory.mktemp("quick"), QUICK)
    yield rig
    rig.stop()


def took(watch, seconds):
    """The clock ran this long: not less, and not more than what a busy machine adds."""
    assert seconds * 0.8 <= watch.seconds < seconds + within(2), watch.seconds


def test_408_for_half_a_head(quick):
    with Client(quick.port) as client, Stopwatch() as watch:
        client.send(b"GET " + quick.url("/").encode() + b" HTTP/1.1\r\nHost:")
        answer = client.response()
    assert_refused(answer, "request_head_timeout")
    assert answer.status == 408 and answer.get("Connection") == "close"
    took(watch, 0.4)


@pytest.mark.parametrize("earlier", [0, 1])
def test_408_is_for_the_whole_head(quick, earlier):
    """A byte now and then does not make it longer: neither for the first nor for a later request."""
    raw = request(quick.url("/drip"), "X-Long: " + "x" * 200)
    with Client(quick.port) as client:
        for _ in range(earlier):
            assert client.get(quick.url("/ok")).status == 200
        with Stopwatch() as watch:
            for byte in raw:
                client.send(bytes([byte]))
                time.sleep(0.02)
                if watch_until(client):
                    break
            answer = client.response()
    assert_refused(answer, "request_head_timeout")
    took(watch, 0.4)


def watch_until(client):
    """Has the daemon said something?"""
    client.sock.setblocking(False)
    try:
        return bool(client.sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.sock.setblocking(True)


@pytest.mark.parametrize("said", [b"", b"\r\n", b"\r\n\r\n\r\n"])
def test_a_client_that_asks_nothing_is_closed_silently(quick, said):
    with Client(quick.port) as client, Stopwatch() as watch:
        client.send(said)
        client.expect_closed()
    took(watch, 0.4)


def test_a_kept_connection_is_closed_when_idle(quick):
    """Empty lines do not count as asking."""
    with Client(quick.port) as client:
        assert client.get(quick.url("/ok")).status == 200
        with Stopwatch() as watch:
            for _ in range(6):
                client.send(b"\r\n")
                time.sleep(0.05)
            client.expect_closed()
    took(watch, 0.7)


def test_the_idle_clock_starts_anew_with_each_request(quick):
    with Client(quick.port) as client:
        for _ in range(4):
            assert client.get(quick.url("/ok")).status == 200
            time.sleep(0.3)
        assert client.get(quick.url("/ok")).status == 200


# -- the clock: bodies ----------------------------------------------------------------------------

def test_408_for_a_body_that_stops(quick):
    with Client(quick.port) as client, Stopwatch() as watch:
        client.send(request(quick.url("/up"), "Content-Length: 100", method="PUT") + b"x" * 50)
        answer = client.response("PUT")
    assert_refused(answer, "request_body_timeout")
    took(watch, 0.4)
    conn = quick.origin.head("/up").conn
    assert conn.closed.wait(SOON) and not quick.origin.requests[-1].complete


def test_a_slow_body_is_no_pause(quick):
    """The longest pause counts, not the sum."""
    with Client(quick.port) as client:
        client.send(request(quick.url("/slow-up"), "Content-Length: 20", method="PUT"))
        for _ in range(20):
            client.send(b"x")
            time.sleep(0.05)
        assert client.response("PUT").status == 200


def test_504_for_an_origin_that_does_not_answer(quick):
    quick.origin.at("/silent", read_body(), pause(2))
    with Stopwatch() as watch:
        answer = fetch(quick.port, quick.url("/silent"))
    assert_refused(answer, "response_head_timeout")
    assert answer.status == 504
    took(watch, 0.4)


def test_504_is_for_the_whole_answer_head(quick):
    """An origin that drips its head, or sends interim answers for ever."""
    quick.origin.at("/drip-head", read_body(), drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200, every=0.02))
    with Stopwatch() as watch:
        answer = fetch(quick.port, quick.url("/drip-head"))
    assert_refused(answer, "response_head_timeout")
    took(watch, 0.4)
    quick.origin.at("/interim", read_body(), *[step for _ in range(40) for step in (
        send(b"HTTP/1.1 102 Processing\r\n\r\n"), pause(0.05))])
    with Stopwatch() as watch:
        answer = fetch(quick.port, quick.url("/interim"))
    assert_refused(answer, "response_head_timeout")
    took(watch, 0.4)


def test_an_answer_that_stops_is_cut(quick):
    for name, steps in {
            "length": [send(ok("x" * 100)[:-50])],
            "chunked": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), chunks(b"x" * 50, last=False)],
            "close": [send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50)]}.items():
        quick.origin.at("/" + name, read_body(), *steps, pause(3))
        with Stopwatch() as watch:
            answer = fetch(quick.port, quick.url("/" + name))
        assert answer.status == 200 and answer.body == b"x" * 50 and answer.truncated, name
        took(watch, 0.4)
        assert quick.proxyd.wait_log("/" + name).get("cause") == "response_body_timeout"


def test_a_slow_answer_is_no_pause(quick):
    quick.origin.at("/slow-down", read_body(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"),
                    drip(b"x" * 20, every=0.05))
    assert fetch(quick.port, quick.url("/slow-down")).body == b"x" * 20


@pytest.fixture
def full_port():
    """A port whose queue is full: a connect to it is never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fill = []
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            fill.append(one)
        time.sleep(0.05)
        yield address[1]
        for one in fill:
            one.close()


def test_504_for_a_destination_that_does_not_accept(quick, full_port):
    with Stopwatch() as watch:
        answer = fetch(quick.port, f"http://127.0.0.1:{full_port}/")
    assert_refused(answer, "connect_timeout")
    assert answer.status == 504
    took(watch, 0.4)


def test_504_for_an_origin_that_does_not_read(quick):
    """More than all the buffers between hold."""
    def stop_reading(conn):
        time.sleep(3)
    quick.origin.at("/stuck", call(stop_reading))
    body = bytes(100_000_000)   # made before: it is to follow its head at once

    def offer():
        try:
            client.sock.sendall(body)
        except OSError:
            pass
    with Client(quick.port, timeout=SOON) as client, Stopwatch() as watch:
        client.send(request(quick.url("/stuck"), "Content-Length: 100000000", method="PUT"))
        sender = threading.Thread(target=offer)
        sender.start()
        answer = client.response("PUT")
    sender.join()
    assert_refused(answer, "upstream_write_timeout")
    assert watch.seconds < 0.4 + within(3)


# -- the clock: clients that do not read ----------------------------------------------------------

def endless(conn):
    """An answer as long as it is taken."""
    conn.sock.settimeout(SOON)
    conn.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while True:
        conn.sock.sendall(bytes(65536))


def test_a_client_that_does_not_read_is_ended(quick):
    quick.origin.at("/endless", read_body(), call(endless))
    before = metrics.calm(quick.proxyd)
    client = never_reads(quick.port, quick.url("/endless"))
    conn = quick.origin.head("/endless").conn
    assert conn.closed.wait(SOON + 0.4), "the origin's side has to end as well"
    assert quick.proxyd.wait_log("/endless").get("cause") == "client_write_timeout"
    assert metrics.grown(quick.proxyd, before)["fault client_write_timeout"] == 1
    client.close()


def test_a_client_that_does_not_read_while_the_origin_drips(quick):
    """What the origin still says is no progress of the client."""
    def drip_on(conn):
        conn.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        conn.sock.setblocking(False)
        end = time.monotonic() + 6 * SLOW
        while time.monotonic() < end:     # fill all the buffers, then a byte now and then
            try:
                conn.sock.send(bytes(65536))
            except BlockingIOError:
                time.sleep(0.02)
    quick.origin.at("/drip-on", read_body(), call(drip_on))
    client = never_reads(quick.port, quick.url("/drip-on"))
    line = quick.proxyd.wait_log("/drip-on", SOON)
    assert line.get("cause") == "client_write_timeout"
    client.close()


def test_a_slow_reader_is_served(quick):
    """A reader that takes a little again and again makes progress, and gets everything."""
    body = pattern(3 * MIB)
    quick.origin.at("/slow-reader", read_body(), send(ok(body)))
    with Client(quick.port, rcvbuf=65536) as client:
        client.send(request(quick.url("/slow-reader")))
        got = b""
        while len(got) < len(body):
            got += client.sock.recv(65536)
            time.sleep(0.01)
        assert got.endswith(body)


def test_a_refused_client_that_does_not_read(quick):
    """Own answers are bound by the same clock: many pipelined refusals, none of them read."""
    with Client(quick.port, rcvbuf=4096) as client:
        raw = request("http://127.0.0.1:1/nothing") * 200
        for _ in range(300):
            client.sock.settimeout(0.3)
            try:
                client.sock.sendall(raw)
            except OSError:
                break
        assert until(lambda: metrics.read(quick.proxyd)["connections_open"] == 0, SOON + 2)
