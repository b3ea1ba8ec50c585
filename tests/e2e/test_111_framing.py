"""Answers of origins that are right: 1xx, HEAD, 204, 304, trailers, chunked both ways, bodies of every size,
and the fields that come through.
"""
import re
import threading

import pytest

from lib.client import Client, chunked, fetch, request
from lib.origin import call, chunks, close, half_close, ok, pause, read_body, read_eof, send, wait
from lib.times import until, within

LONG = bytes(range(256)) * 400


# -- 1xx ------------------------------------------------------------------------------------------

def test_interim_answers_are_forwarded(rig, path):
    rig.origin.at(path, read_body(),
                  send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"),
                  send(b"HTTP/1.1 102 Processing\r\n\r\n"), pause(0.02),
                  send(b"HTTP/1.1 103 Early Hints\r\nLink: </b.js>; rel=preload\r\nConnection: x\r\nX: y\r\n\r\n"),
                  send(ok("done")))
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        assert [i.status for i in answer.interim] == [103, 102, 103]
        assert answer.interim[0].get("Link") == "</a.css>; rel=preload"
        assert not answer.interim[2].has("X"), "nominated by Connection"
        assert answer.status == 200 and answer.body == b"done"
        assert client.get(rig.url("/next")).status == 200


def test_interim_comes_before_the_final_answer(rig, path):
    """103 is worth something only if it is not held back."""
    go = threading.Event()
    rig.origin.at(path, read_body(), send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), wait(go),
                  send(ok("done")))
    with Client(rig.port) as client:
        client.send(request(rig.url(path)))
        assert client.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 103 ")
        go.set()
        assert client.response().body == b"done"


def test_no_interim_for_http_1_0(rig, path):
    rig.origin.at(path, read_body(), send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), send(ok("done")))
    answer = fetch(rig.port, rig.url(path), version="1.0")
    assert answer.interim == [] and answer.body == b"done"


def test_unasked_100_is_harmless(rig, path):
    rig.origin.at(path, read_body(), send(b"HTTP/1.1 100 Continue\r\n\r\n"), send(ok("done")))
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        assert answer.status == 200 and answer.body == b"done"
        assert client.get(rig.url("/next")).status == 200


# -- no body --------------------------------------------------------------------------------------

def test_head(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"))
    with Client(rig.port) as client:
        answer = client.get(rig.url(path), method="HEAD")
        assert answer.get("Content-Length") == "1234"
        assert client.get(rig.url("/next")).body == b"ok", "the connection goes on"
    assert len(rig.origin.received()) == 1, "and so does the origin's"


def test_head_with_chunked(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
    with Client(rig.port) as client:
        assert client.get(rig.url(path), method="HEAD").status == 200
        assert client.get(rig.url("/next")).body == b"ok"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_no_content(rig, path, status):
    rig.origin.at(path, send(f"HTTP/1.1 {status}\r\nETag: \"a\"\r\n\r\n".encode()))
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        assert answer.status == int(status[:3]) and answer.get("ETag") == '"a"'
        assert not answer.has("Transfer-Encoding")
        assert client.get(rig.url("/next")).body == b"ok"


def test_304_keeps_the_length_it_names(rig, path):
    """RFC 9110 8.6: the length the 200 would have had; no body follows."""
    rig.origin.at(path, send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"))
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        assert answer.status == 304 and answer.get("Content-Length") in (None, "99")
        assert client.get(rig.url("/next")).body == b"ok"


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nEVIL",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nEVIL",
    b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
], ids=["204-body", "304-body", "304-second", "200-second", "chunked-second"])
def test_excess_bytes_reach_nobody(rig, path, raw):
    """Response splitting: what comes behind an answer is not the next client's answer."""
    rig.origin.at(path, read_body(), send(raw), read_eof())
    with Client(rig.port) as client:
        first = client.get(rig.url(path))
        assert b"EVIL" not in first.raw
        assert client.get(rig.url("/mine")).body == b"ok"
    assert fetch(rig.port, rig.url("/other")).body == b"ok"
    assert rig.origin.until(lambda o: o.request(path).conn.closed.is_set())


def test_unasked_bytes_on_an_idle_connection(rig, path):
    """An answer sent before the question: the connection is dropped, not used."""
    rig.origin.at(path, read_body(), send(ok("first")), pause(0.05),
                  send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"), read_eof())
    with Client(rig.port) as client:
        assert client.get(rig.url(path)).body == b"first"
        assert rig.origin.until(lambda o: o.request(path).conn.closed.is_set())
        assert client.get(rig.url("/mine")).body == b"ok"


# -- bodies ---------------------------------------------------------------------------------------

def test_chunked_answer(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                  chunks(b"abc", b"defg", LONG))
    answer = fetch(rig.port, rig.url(path))
    assert answer.ended_by == "chunked" and answer.body == b"abcdefg" + LONG


def test_chunk_extensions_stop_here(rig, path):
    """The strict reader fails on an extension; quoted CR-free ones are legal from the origin."""
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                             b'3;a=b;c="d e"\r\nabc\r\n00;last\r\n\r\n'))
    assert fetch(rig.port, rig.url(path)).body == b"abc"


def test_trailers_of_the_answer(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"),
                  chunks(b"abc", trailers=[b"X-Sum: 123"]))
    answer = fetch(rig.port, rig.url(path), "TE: trailers", "Connection: TE")
    assert answer.trailers.get("X-Sum") == "123"


def test_trailers_of_the_request(rig, path):
    with Client(rig.port) as client:
        client.ask(request(rig.url(path), "Transfer-Encoding: chunked", "Trailer: X-Sum", method="POST")
                   + chunked("abc", LONG, trailers=["X-Sum: 123"]))
    seen = rig.origin.request(path)
    assert seen.body == b"abc" + LONG and seen.trailers.get("X-Sum") == "123"


def test_chunked_request(rig, path):
    with Client(rig.port) as client:
        for how, seed in (("whole", 0), ("bytes", 0), ("random", 1), ("random", 2)):
            answer = client.ask(request(rig.url(path), "Transfer-Encoding: chunked", method="POST")
                                + chunked("hello", b"x" * 300, extension=";a=b"), how, seed)
            assert answer.status == 200
    for seen in rig.origin.requests:
        assert seen.complete and seen.body == b"hello" + b"x" * 300 and seen.ended_by == "chunked"


def test_close_delimited_answer_1_1(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\n\r\n" + LONG), close())
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        assert answer.body == LONG and not answer.truncated


def test_close_delimited_by_half_close(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\n\r\n" + LONG), half_close(), read_eof())
    assert fetch(rig.port, rig.url(path)).body == LONG


@pytest.mark.parametrize("size", [0, 1, 100, 4095, 4096, 16384, 65536, 1000003])
def test_bodies_of_every_size(rig, path, size):
    data = (LONG * (size // len(LONG) + 1))[:size]
    rig.origin.at(path, read_body(), send(ok(data)))
    with Client(rig.port) as client:
        for how in ("length", "chunked"):
            more = ["Transfer-Encoding: chunked"] if how == "chunked" else [f"Content-Length: {size}"]
            sent = chunked(*([data] if data else [])) if how == "chunked" else data
            answer = client.ask(request(rig.url(path), *more, method="PUT") + sent)
            assert answer.body == data
    assert [r.body == data for r in rig.origin.requests] == [True, True]


@pytest.mark.no_sanitizer
def test_large_body_in_constant_memory(rig, path):
    """200 MB each way; the daemon's memory may not follow."""
    total, piece = 200 << 20, b"x" * (1 << 20)
    rig.origin.at(path, call(lambda conn: [conn.reader.exactly(1 << 20) for _ in range(200)]),
                  call(lambda conn: setattr(conn.current, "complete", True)),
                  send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total),
                  call(lambda conn: [conn.sock.sendall(piece) for _ in range(200)]))
    before = rig.proxyd.memory()
    peak = 0
    with Client(rig.port, timeout=within(60)) as client:
        client.send(request(rig.url(path), f"Content-Length: {total}", method="POST"))
        for _ in range(200):
            client.send(piece)
            peak = max(peak, rig.proxyd.memory())
        head = client.reader.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        left = total
        while left:
            left -= len(client.reader.some())
            peak = max(peak, rig.proxyd.memory())
    assert peak - before < 10 << 20


def test_slow_reader_holds_the_origin_back(rig, path):
    """Back-pressure: what the client does not read is not taken from the origin."""
    sent = [0]

    def pour(conn):
        piece = b"x" * 65536
        for _ in range(1024):
            conn.sock.sendall(piece)
            sent[0] += len(piece)

    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20)), call(pour))
    with Client(rig.port, rcvbuf=65536) as client:
        client.send(request(rig.url(path)))
        client.reader.until(b"\r\n\r\n")
        until(lambda: False, timeout=0.5)
        stalled = sent[0]
        assert stalled < 40 << 20, "kernel buffers explain some megabytes, not this"
        left = 64 << 20
        while left:
            left -= len(client.reader.some())


# -- fields ---------------------------------------------------------------------------------------

def test_fields_of_the_answer(rig, path):
    rig.origin.at(path, send(ok(
        "x", "Set-Cookie: a=1; Path=/", "X-Kept: one", "Set-Cookie: b=2", "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic realm=x", "Proxy-Authentication-Info: x", "Proxy-Connection: keep-alive",
        "Proxy-Whatever: x", "Proxy-Status: other.example; error=dns_error", "Upgrade: h2c",
        "Connection: X-Nominated, Cache-Control, keep-alive", "X-Nominated: x", "Cache-Control: no-store",
        "TE: x", "Server: me", "Alt-Svc: h3=\":443\"", "Via: 1.1 inner", "X-Empty:")))
    answer = fetch(rig.port, rig.url(path))
    assert answer.all("Set-Cookie") == ["a=1; Path=/", "b=2"], "never combined, never reordered"
    assert answer.get("X-Kept") == "one" and answer.get("Server") == "me" and answer.get("X-Empty") == ""
    for gone in ("Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Connection",
                 "Proxy-Whatever", "X-Nominated", "Upgrade"):
        assert not answer.has(gone), gone
    assert answer.get("Cache-Control") == "no-store", "may not be nominated away"
    assert "other.example; error=dns_error" in ", ".join(answer.all("Proxy-Status"))
    via = ", ".join(answer.all("Via"))
    assert re.fullmatch(r"1\.1 inner, 1\.1 \S+", via)


def test_reason_and_odd_status(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 299 Very Own\r\nContent-Length: 0\r\n\r\n"))
    answer = fetch(rig.port, rig.url(path))
    assert answer.status == 299
    rig.origin.at(path, send(b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"))
    assert fetch(rig.port, rig.url(path)).status == 200


def test_values_are_passed_untouched(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Raw: \xe9\xff caf\xc3\xa9\t,; \"x\"\r\n\r\n"))
    assert fetch(rig.port, rig.url(path)).get("X-Raw").encode("latin-1") == b"\xe9\xff caf\xc3\xa9\t,; \"x\""


def test_redirects_and_errors_of_the_origin_are_its_own(rig, path):
    rig.origin.at(path, send(ok("gone", "Location: http://elsewhere.test/", status="302 Found")))
    answer = fetch(rig.port, rig.url(path))
    assert answer.status == 302 and answer.get("Location") == "http://elsewhere.test/"
    rig.origin.at(path, send(ok("broken", status="502 Bad")))
    answer = fetch(rig.port, rig.url(path))
    assert answer.status == 502 and answer.body == b"broken" and not answer.has("Proxy-Status")
