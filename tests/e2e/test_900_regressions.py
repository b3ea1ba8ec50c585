"""One test for each bug that review and the whole-connection fuzzer have found, so that it stays gone."""
import signal
import socket
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, chunked, fetch, hard_reset, request
from lib.faults import assert_refused
from lib.origin import Closed, call, chunks, ok, pause, read_body, send, wait
from lib.times import SOON, Stopwatch, until, within
from lib.wire import Ended

RIG = conf.forward(workers=1, extra="limits { head 128k; line 64k; fields 1000; } "
                                    "timeouts { head 2s; body 600ms; response 5s; } " + metrics.ADMIN)


def quiet(rig):
    """Every client is gone and nothing is left of it."""
    assert until(lambda: metrics.read(rig.proxyd)["connections_open"] == 0), "a client is left"
    assert metrics.read(rig.proxyd)["requests_in_flight"] == 0


# -- what waits for a client that does not read -----------------------------------------------------

def padded(first, size, name="X-Pad"):
    """A head that begins so and has exactly this many bytes, in lines that are not too long."""
    lines, left = [], size - len(first) - 2
    while left > 0:
        n = left if left <= 30_000 else 25_000
        field = f"{name}-{len(lines)}: ".encode()
        lines.append(field + b"p" * (n - len(field) - 2) + b"\r\n")
        left -= n
    return first + b"".join(lines) + b"\r\n"


def interim(n, size):
    return b"".join(padded(b"HTTP/1.1 103 Early Hints\r\nX-Number: %d\r\n" % i, size) for i in range(n))


@pytest.mark.parametrize("last", [ok("done"), b"HTTP/1.1 nonsense\r\n\r\n"], ids=["answer", "malformed"])
def test_many_interim_answers_to_a_client_that_does_not_read(rig, last):
    """They were heaped up behind one another until none fitted: parts were left out, or it aborted."""
    rig.origin.at("/heap", read_body(), send(interim(60, 60_000) + interim(4, 120_000) + last))
    with Client(rig.port, rcvbuf=4096) as client:
        client.send(request(rig.url("/heap")))
        rig.origin.head("/heap")
        time.sleep(0.3)
        answer = client.response()
        assert len(answer.interim) == 64
        assert [i.get("X-Number") for i in answer.interim] == [str(i) for i in [*range(60), *range(4)]]
        assert answer.status == (200 if last.endswith(b"done") else 502)
    quiet(rig)


def test_interim_answers_do_not_wait_for_ever(rig):
    """They are written to a client within the same time as an answer."""
    rig.origin.at("/never", read_body(), send(interim(60, 120_000)), pause(3))
    client = Client(rig.port, rcvbuf=4096)
    client.send(request(rig.url("/never")))
    rig.origin.head("/never")
    assert rig.proxyd.wait_log("/never", SOON).get("cause") == "client_write_timeout"
    client.close()
    quiet(rig)


FULL = 128 * 1024


def test_a_head_and_trailers_of_full_size(proxyd, parts, origin):
    """Each is within the limit, together they did not fit a buffer: it aborted. A slow look-up lets all arrive
    before any of it can be sent on."""
    dns = parts.dns()
    dns.set("slow.example", "127.0.0.1", delay=0.5)
    daemon = proxyd(conf.forward(workers=1, dns=f"server {dns.server}; timeout 3s;",
                                 extra="limits { head 128k; line 64k; }"))
    url = f"http://slow.example:{origin.port}/full"
    head = padded(request(url, "Transfer-Encoding: chunked", method="PUT")[:-2], FULL)
    trailers = padded(b"", FULL, "X-T")
    with Client(daemon.port) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        assert client.ask(head + b"0\r\n" + trailers).status == 200
    assert fetch(daemon.port, f"http://127.0.0.1:{origin.port}/after").status == 200


def test_trailers_of_an_answer_behind_a_large_head(rig):
    head = padded(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", FULL)
    rig.origin.at("/large", read_body(), send(head + b"0\r\n" + padded(b"", FULL, "X-T")))
    for _ in range(5):
        with Client(rig.port, rcvbuf=4096) as client:
            client.send(request(rig.url("/large"), "TE: trailers", "Connection: TE"))
            time.sleep(0.1)
            answer = client.response()
            assert answer.status == 200 and not answer.truncated and len(answer.trailers) == 6


# -- pieces -----------------------------------------------------------------------------------------

def test_an_empty_line_in_two_pieces(rig):
    """A CRLF before a request is skipped, however it is cut."""
    with Client(rig.port) as client:
        for _ in range(3):
            client.send(b"\r")
            time.sleep(0.02)
            client.send(b"\n")
            time.sleep(0.02)
            assert client.get(rig.url("/pieces")).status == 200


# -- ends -------------------------------------------------------------------------------------------

def test_an_answer_outlives_a_body_that_stops(rig):
    """The client stops sending when it sees an answer; the answer was cut when the body's time was up."""
    rig.origin.at("/early", send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                  chunks(*[b"tick"] * 8, every=0.2))
    with Client(rig.port) as client:
        client.send(request(rig.url("/early"), "Content-Length: 100", method="POST") + b"x" * 10)
        answer = client.response("POST", timeout=SOON)
        assert answer.body == b"tick" * 8 and not answer.truncated
    quiet(rig)


def test_a_reset_behind_an_upload_does_not_look_like_an_end(rig):
    """The failed write takes the error away, and what is read then looks like an orderly end."""
    def script(conn):
        conn.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nthe first half")
        time.sleep(0.3)
        hard_reset(conn.sock)
        raise Closed
    for _ in range(5):
        rig.origin.at("/half", call(script))
        with Client(rig.port) as client:
            client.send(request(rig.url("/half"), "Content-Length: 100000000", method="PUT"))
            def offer():
                try:
                    while True:
                        client.sock.sendall(b"x" * 100_000)
                except OSError:
                    pass
            sender = threading.Thread(target=offer)
            sender.start()
            try:
                answer = client.response("PUT")
                assert answer.truncated, "half an answer came out as a whole one"
            except Ended:
                pass
            client.reset()
            sender.join()


def test_the_time_for_a_body_begins_anew_with_100_continue(rig):
    """Until then the client had no reason to send."""
    rig.origin.at("/continue", pause(0.4), send(b"HTTP/1.1 100 Continue\r\n\r\n"), read_body(), send(ok()))
    with Client(rig.port) as client:
        client.send(request(rig.url("/continue"), "Content-Length: 4", "Expect: 100-continue", method="PUT"))
        assert client.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        time.sleep(0.3)
        client.send(b"body")
        assert client.response("PUT").status == 200


# -- bytes behind a refused CONNECT -----------------------------------------------------------------

def test_bytes_behind_a_refused_connect_are_no_request(rig):
    """They were meant for the tunnel, and somebody else may have chosen them."""
    inside = request(rig.url("/inside"))
    with Client(rig.port) as client:
        client.send(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n" + inside)
        answer = client.response("CONNECT")
        assert_refused(answer, "connect_refused")
        assert answer.get("Connection") == "close"
        client.expect_closed()
    assert "/inside" not in rig.origin.paths()


# -- TRACE ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("n", [10, 200])
def test_trace_of_fields_without_a_blank(rig, n):
    """Written anew each is a byte longer; what did not fit was left out."""
    raw = request(rig.url("/"), "Max-Forwards: 0", *[f"X-{i}:v" for i in range(n)], method="TRACE")
    answer = Client(rig.port).ask(raw)
    assert answer.status == 200
    assert all(f"X-{i}: v\r\n".encode() in answer.body for i in range(n))
    assert answer.body.endswith(b"\r\n\r\n")


# -- many small fields ------------------------------------------------------------------------------

def test_many_fields_without_a_blank(rig):
    """Each is written with one: a thousand of them were too many for the room there was."""
    many = [f"X-{i}:v" for i in range(990)]
    rig.origin.answer("/many", ok("ok", *many))
    answer = fetch(rig.port, rig.url("/many"), *many)
    assert answer.status == 200 and answer.get("X-989") == "v"
    assert rig.origin.request("/many").get("X-989") == "v"


# -- HTTP/1.0 ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("expect", ["100-continue", "the moon"])
def test_a_client_of_1_0_expects_nothing(rig, expect):
    """It is ignored there, but went on to the origin in a request that is 1.1."""
    answer = fetch(rig.port, rig.url("/expect"), "Expect: " + expect, version="1.0", method="PUT", body=b"x")
    assert answer.status == 200
    assert rig.origin.request("/expect").get("Expect") is None


# -- urgent data ------------------------------------------------------------------------------------

def test_urgent_data_does_not_hold_up_what_follows(rig):
    """A read stops at the urgent mark; that it was short did not mean that nothing more was there."""
    with Client(rig.port) as client:
        client.send(request(rig.a.decode(), method="CONNECT", host=rig.a.decode()))
        assert client.response("CONNECT").status == 200
        rig.proxyd.send_signal(signal.SIGSTOP)
        client.send(b"GET /urgent HTTP/1.1\r\n")
        client.sock.send(b"!", socket.MSG_OOB)
        client.send(b"Host: x\r\n\r\n")
        time.sleep(0.05)
        rig.proxyd.send_signal(signal.SIGCONT)
        assert client.response().status == 200


# -- empty lines before a request -------------------------------------------------------------------

@pytest.mark.parametrize("n,status", [(1, 200), (8, 200), (9, 400)])
def test_empty_lines_before_a_request(rig, n, status):
    with Client(rig.port) as client:
        for _ in range(2 if status == 200 else 1):
            assert client.ask(b"\r\n" * n + request(rig.url("/"))).status == status


def test_a_flood_of_empty_lines_holds_nobody_up(proxyd, origin):
    """They were skipped without end and without a turn for anybody else: 4 s for one GET."""
    daemon = proxyd(conf.forward(workers=1))
    with Client(daemon.port) as flood:
        flood.sock.settimeout(10)
        def pour():
            try:
                while True:
                    flood.sock.sendall(b"\r\n" * (1 << 18))
            except OSError:
                pass
        sender = threading.Thread(target=pour)
        sender.start()
        with Stopwatch() as watch:
            for _ in range(20):
                assert fetch(daemon.port, origin.url("/")).status == 200
        assert watch.seconds < within(2)
        sender.join(10)
        assert not sender.is_alive(), "it was to be refused and closed"


# -- two waits on one connection --------------------------------------------------------------------

def flood(conn):
    try:
        conn.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            conn.sock.sendall(b"y" * 65536)
    except OSError:
        raise Closed from None


@pytest.mark.parametrize("trickle", [False, True])
def test_a_client_that_writes_but_does_not_read(rig, trickle):
    """Each byte of the request started the clock of the answer anew."""
    rig.origin.at("/early", call(flood))
    with Client(rig.port, rcvbuf=4096) as client, Stopwatch() as watch:
        client.send(request(rig.url("/early"), "Content-Length: 100000", method="POST"))
        try:
            while watch.seconds < within(5):
                time.sleep(0.2)
                client.sock.send(b"z" if trickle else b"")
                if metrics.read(rig.proxyd)["requests_in_flight"] == 0:
                    break
        except OSError:
            pass
        assert watch.seconds < within(2), "timeouts body is 600 ms"
    quiet(rig)


def test_the_time_for_a_head_ends_with_the_head(proxyd, origin):
    """A client that takes its time over the body is none of that time-out's business."""
    daemon = proxyd(conf.forward(workers=1, extra="timeouts { response 300ms; body 20s; }"))
    origin.answer("/large", ok(b"x" * (8 << 20)))
    with Client(daemon.port, rcvbuf=4096) as client:
        client.send(request(origin.url("/large")))
        time.sleep(1)
        assert len(client.response().body) == 8 << 20


# -- a tunnel that we end ---------------------------------------------------------------------------

def cut_tunnel(daemon, origin, *script, half=False):
    """What a client sees that reads only when its tunnel is over, and the tunnel's cause."""
    over = threading.Event()
    origin.next(*script, wait(over))
    with Client(daemon.port, rcvbuf=4096) as client:
        assert client.ask(request(origin.authority, method="CONNECT", host=origin.authority)).status == 200
        if half:
            client.half_close()
        cause = daemon.wait_log("CONNECT", SOON).get("cause")
        over.set()
        return cause, len(client.rest()), client.reader.end


@pytest.mark.parametrize("limit", ["tunnel-idle", "tunnel-lifetime"])
def test_a_tunnel_cut_with_bytes_left_does_not_end_orderly(proxyd, origin, limit):
    """The client reads what the kernel has for it, and then saw an end that the target had not made."""
    daemon = proxyd(conf.forward(extra=f"timeouts {{ {limit} 500ms; }}"))
    cause, n, end = cut_tunnel(daemon, origin, send(b"y" * (16 << 20)))
    assert cause == limit.replace("-", "_") + ("_timeout" if limit == "tunnel-idle" else "")
    assert n < 16 << 20 and end == "reset"


@pytest.mark.slow("idle for three seconds, so that a pause in between is none")
def test_a_client_that_waits_for_the_end_only_gets_no_false_one(proxyd, origin):
    """It has ended its own direction: any orderly end would say that this is all of the answer."""
    daemon = proxyd(conf.forward(extra="timeouts { tunnel-idle 3s; }"))
    assert cut_tunnel(daemon, origin, send(b"part"), half=True) == ("tunnel_idle_timeout", 4, "reset")


@pytest.mark.slow("idle for three seconds, so that a pause in between is none")
def test_a_tunnel_at_rest_is_closed_orderly(proxyd, origin):
    daemon = proxyd(conf.forward(extra="timeouts { tunnel-idle 3s; }"))
    assert cut_tunnel(daemon, origin, send(b"all")) == ("tunnel_idle_timeout", 3, "eof")
