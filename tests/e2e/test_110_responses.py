"""Answers of origins: malformed ones become a 502, cut ones never look whole, good ones come through.

The origin is an attacker too. Part one is a table of malformed answers, each tried in one piece or
in drops, on a new or on a used connection to the origin. Part two cuts good answers short. The rest
is framing done right: 1xx, HEAD, 204, 304, trailers, chunked both ways, HTTP/1.0, early answers,
pipelining, connections kept on both sides.
"""
import itertools
import random
import re
import threading
import time

import pytest

from lib import conf
from lib.client import Client, chunked, fetch, request
from lib.faults import FAULTS, assert_refused, cause_of
from lib.origin import (call, chunks, close, drip, half_close, ok, pause, read_body, read_eof,
                        read_head, reset, send, signal, wait)
from lib.times import SOON, Stopwatch, until, within
from lib.wire import Ended

_serial = itertools.count()


@pytest.fixture
def path():
    """A path nobody else uses."""
    return f"/t{next(_serial)}"


# -- malformed ------------------------------------------------------------------------------------

HEAD, FRAMING, LARGE = "response_malformed", "response_bad_framing", "response_head_too_large"
GONE = "upstream_closed|upstream_reset|response_truncated"
EVIL = b"\r\n\r\nEVIL"

BAD = {}


def bad(name, raw, cause=HEAD):
    assert name not in BAD
    BAD[name] = (raw, cause)


bad("no-http", b"EVIL EVIL EVIL\r\n\r\nEVIL")
bad("http-0.9", b"<html>EVIL</html>\r\n\r\n")
bad("tls-alert", b"\x15\x03\x03\x00\x02\x02\x46" + EVIL)
bad("ssh", b"SSH-2.0-OpenSSH_9.2" + EVIL)
bad("icy", b"ICY 200 OK" + EVIL)
bad("request", b"GET / HTTP/1.1\r\nHost: x" + EVIL)
bad("version-2", b"HTTP/2.0 200 OK\r\nContent-Length: 4" + EVIL)
bad("version-0.9", b"HTTP/0.9 200 OK\r\nContent-Length: 4" + EVIL)
bad("version-small", b"http/1.1 200 OK\r\nContent-Length: 4" + EVIL)
bad("version-long", b"HTTP/1.10 200 OK\r\nContent-Length: 4" + EVIL)
bad("version-missing", b"200 OK\r\nContent-Length: 4" + EVIL)
bad("status-two-digits", b"HTTP/1.1 20 OK\r\nContent-Length: 4" + EVIL)
bad("status-four-digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 4" + EVIL)
bad("status-letters", b"HTTP/1.1 2OO OK\r\nContent-Length: 4" + EVIL)
bad("status-negative", b"HTTP/1.1 -20 OK\r\nContent-Length: 4" + EVIL)
bad("status-zero", b"HTTP/1.1 000 OK\r\nContent-Length: 4" + EVIL)
bad("status-099", b"HTTP/1.1 099 OK\r\nContent-Length: 4" + EVIL)
bad("status-missing", b"HTTP/1.1\r\nContent-Length: 4" + EVIL)
bad("status-blank-before", b" HTTP/1.1 200 OK\r\nContent-Length: 4" + EVIL)
bad("reason-nul", b"HTTP/1.1 200 O\x00K\r\nContent-Length: 4" + EVIL)
bad("reason-bare-cr", b"HTTP/1.1 200 O\rK\r\nContent-Length: 4" + EVIL)
bad("line-empty-before", b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4" + EVIL)
bad("field-bare-cr", b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 4" + EVIL)
bad("field-cr-cr-lf", b"HTTP/1.1 200 OK\r\nX: a\r\r\nContent-Length: 4" + EVIL)
bad("field-no-colon", b"HTTP/1.1 200 OK\r\nEVIL\r\nContent-Length: 4" + EVIL)
bad("field-no-name", b"HTTP/1.1 200 OK\r\n: EVIL\r\nContent-Length: 4" + EVIL)
bad("field-blank-in-name", b"HTTP/1.1 200 OK\r\nX Y: EVIL\r\nContent-Length: 4" + EVIL)
bad("field-nul-in-name", b"HTTP/1.1 200 OK\r\nX\x00Y: EVIL\r\nContent-Length: 4" + EVIL)
bad("field-not-ascii-in-name", b"HTTP/1.1 200 OK\r\nX\xa0: EVIL\r\nContent-Length: 4" + EVIL)
bad("field-nul-in-value", b"HTTP/1.1 200 OK\r\nX: a\x00EVIL\r\nContent-Length: 4" + EVIL)
bad("field-folding-blank-line", b"HTTP/1.1 200 OK\r\nX: a\r\n \r\nContent-Length: 4" + EVIL)
bad("field-folding-first", b"HTTP/1.1 200 OK\r\n X: EVIL\r\nContent-Length: 4" + EVIL)
for _name, _value in {
    "plus": b"+4", "minus": b"-4", "hex": b"0x4", "empty": b"", "list-other": b"4, 5", "two": b"4 4", "fraction": b"4.0", "parameter": b"4;", "quoted": b'"4"', "word": b"four",
    "overflow": b"18446744073709551620", "overflow-long": b"9" * 100,
}.items():
    bad(f"length-{_name}", b"HTTP/1.1 200 OK\r\nContent-Length: " + _value + EVIL, FRAMING)
bad("length-twice-other", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9" + EVIL, FRAMING)
_CHUNKED = b"\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n"
for _name, _value in {
    "gzip": b"gzip", "gzip-chunked": b"gzip, chunked", "twice": b"chunked, chunked",
    "chunked-gzip": b"chunked, gzip", "unknown": b"cow", "suffix": b"chunkedx", "quoted": b'"chunked"',
    "empty": b"", "comma": b"chunked,", "parameter": b"chunked;q=1",
}.items():
    bad(f"coding-{_name}", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + _value + _CHUNKED, FRAMING)
bad("coding-two-fields", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
    + _CHUNKED, FRAMING)
bad("coding-identity-and-length", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 4" + EVIL,
    FRAMING)
bad("coding-in-1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked" + _CHUNKED, FRAMING)
bad("head-too-large", b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"EVIL" * 250)
                                                       for i in range(100)) + b"\r\n", LARGE)
bad("head-too-many-fields", b"HTTP/1.1 200 OK\r\n" + b"X: EVIL\r\n" * 2000 + b"\r\n", LARGE + "|" + HEAD)
bad("head-endless-line", b"HTTP/1.1 200 OK\r\nX: " + b"EVIL" * 20000, LARGE)
bad("upgrade-unasked", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x" + EVIL,
    "response_bad_upgrade")
bad("interim-malformed", b"HTTP/1.1 103 Early\r\nX y: z\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4" + EVIL)
bad("interim-with-coding", b"HTTP/1.1 103 Early\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    FRAMING + "|" + HEAD + "|" + GONE)

# Answers that just end: nothing is there to be passed on.
bad("end-at-once", b"", GONE)
bad("end-in-status", b"HTTP/1.1 2", GONE)
bad("end-in-field", b"HTTP/1.1 200 OK\r\nX: EV", GONE)
bad("end-before-empty-line", b"HTTP/1.1 200 OK\r\nX: EVIL\r\n", GONE)
bad("end-after-interim", b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n", GONE)


#: In one piece or in drops, on a new or on a used connection to the origin: each in one way, the ways in
#: turn. That the pieces mean nothing is shown by tests/fuzz/fuzz_splits.c, whose seeds these are.
WAYS = [("whole", False), ("drip", True), ("drip", False), ("whole", True)]


@pytest.mark.parametrize("name,how,used", [(name, *WAYS[i % len(WAYS)]) for i, name in enumerate(BAD)],
                         ids=[f"{name}-{how}-{'used' if used else 'new'}" for name, (how, used) in zip(BAD, itertools.cycle(WAYS))])
def test_malformed_answer_is_502(rig, path, name, how, used):
    raw, cause = BAD[name]
    out = send(raw) if how == "whole" else drip(raw, 0.0003, max(1, len(raw) // 60))
    end = close() if cause == GONE else read_eof()
    # POST, so that an answer that just ends is not asked for again on another connection.
    rig.origin.at(path, read_body(), out, end)
    with Client(rig.port) as client:
        if used:
            assert client.get(rig.url("/before")).status == 200
        answer = client.get(rig.url(path), method="POST", body=b"x")
        assert_refused(answer, cause)
        assert b"EVIL" not in answer.raw
        assert not answer.truncated
    bad_one = rig.origin.request(path).conn
    assert rig.origin.until(lambda o: bad_one.closed.is_set()), "the bad connection was kept"
    assert fetch(rig.port, rig.url("/after")).status == 200
    assert rig.origin.paths().count(path) == 1


BAD_CHUNKS = {
    "size": b"x\r\nEVIL\r\n", "size-prefix": b"0x4\r\nEVIL\r\n", "size-empty": b"\r\nEVIL\r\n",
    "size-overflow": b"10000000000000004\r\nEVIL\r\n", "size-minus": b"-4\r\nEVIL\r\n", "size-blank": b" 4\r\nEVIL\r\n",
    "size-bare-lf": b"4\nEVIL\r\n", "data-no-end": b"4\r\nEVIL0\r\n", "data-bare-lf": b"4\r\nEVIL\n0\r\n",
    "extension-lf": b"4;a\nb\r\nEVIL\r\n", "extension-cr": b"4;a\rb\r\nEVIL\r\n",
    "trailer-malformed": b"0\r\nX EVIL\r\n", "trailer-blanks-alone": b"0\r\nX: a\r\n \r\n", "trailer-nul": b"0\r\nX: \x00EVIL\r\n",
    "last-bare-lf": b"0\n\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
@pytest.mark.parametrize("late", [False, True], ids=["at-once", "later"])
def test_malformed_chunks_cut_the_answer(rig, path, name, late):
    """The head may be out already: then the client sees a body without its end, never a whole one."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    rest = BAD_CHUNKS[name] + b"\r\n0\r\n\r\n"
    script = [send(head), pause(0.02), send(rest)] if late else [send(head + rest)]
    rig.origin.at(path, read_body(), *script, read_eof())
    with Client(rig.port) as client:
        answer = client.get(rig.url(path))
        if answer.status == 200:
            assert answer.truncated
            assert b"hello".startswith(answer.body.replace(b"EVIL", b""))
        else:
            assert_refused(answer, "response_bad_chunk|response_bad_framing")
    rig.origin.until(lambda o: o.request(path).conn.closed.is_set())


def test_bad_chunk_is_in_the_log(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n"),
                  read_eof())
    fetch(rig.port, rig.url(path))
    assert "response_bad_chunk" in rig.proxyd.wait_log(path)


# -- cut ------------------------------------------------------------------------------------------

LONG = bytes(range(256)) * 400

CUTS = {
    "length-fin": [send(ok(LONG)[:-1]), close()],
    "length-rst": [send(ok(LONG)[:-1]), pause(0.02), reset()],
    "length-no-body": [send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), close()],
    "length-no-body-rst": [send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), pause(0.02), reset()],
    "length-1.0": [send(ok(LONG, version="1.0")[:-1]), close()],
    "chunked-no-chunk": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), close()],
    "chunked-no-last": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), chunks(LONG, last=False),
                        close()],
    "chunked-rst": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), chunks(LONG, last=False),
                    pause(0.02), reset()],
    "chunked-in-size": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1"), close()],
    "chunked-in-data": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), close()],
    "chunked-after-data": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello"), close()],
    "chunked-in-last": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
                        close()],
    "chunked-in-trailer": [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y"),
                           close()],
    "close-delimited-rst": [send(b"HTTP/1.1 200 OK\r\n\r\n" + LONG), pause(0.02), reset()],
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("name", CUTS)
def test_cut_answer_never_looks_whole(rig, path, name, version):
    rig.origin.at(path, read_body(), *CUTS[name])
    with Client(rig.port) as client:
        try:
            answer = client.get(rig.url(path), version=version)
        except Ended as end:
            assert end.how == "reset" and not end.got, "a head in parts, or a quiet end"
            return
        if answer.status == 200:
            assert answer.truncated, answer
            if answer.ended_by == "close":
                assert answer.end == "reset", "to a 1.0 client only a reset tells"
        else:
            assert cause_of(answer) and FAULTS[cause_of(answer)].whose == "UPSTREAM"
    assert rig.origin.paths().count(path) == 1, "an answer of which something was seen is never retried"


@pytest.mark.parametrize("name", ["length-fin", "chunked-no-last", "close-delimited-rst"])
def test_cut_answer_is_in_the_log(rig, path, name):
    rig.origin.at(path, read_body(), *CUTS[name])
    fetch(rig.port, rig.url(path))
    line = rig.proxyd.wait_log(path)
    assert "response_truncated" in line or "upstream_reset" in line


def test_client_that_leaves_ends_the_origin_side(rig, path):
    """Nobody reads any more: the transfer from the origin stops."""
    begun = threading.Event()
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"), signal(begun),
                  call(lambda conn: [conn.sock.sendall(b"x" * 100000) for _ in range(1000)]))
    client = Client(rig.port)
    client.send(request(rig.url(path)))
    begun.wait(SOON)
    client.exactly(1000)
    client.reset()
    conn = rig.origin.head(path).conn
    assert conn.closed.wait(SOON) and conn.ended == "reset"


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


# -- early answers --------------------------------------------------------------------------------

@pytest.mark.parametrize("status", ["413 Too Large", "200 OK", "401 Who"])
def test_early_answer_while_the_body_still_comes(rig, path, status):
    rig.origin.at(path, send(ok("early", status=status)), read_eof())
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Content-Length: 100000", method="POST") + b"x" * 1000)
        answer = client.response("POST")
        assert answer.status == int(status[:3]) and answer.body == b"early"


def test_early_answer_and_close(rig, path):
    """The origin answers and closes; the client's rest hits a closed door, the answer survives."""
    rig.origin.at(path, send(ok("early", "Connection: close", status="413 Too Large")), pause(0.02), close())
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Content-Length: 50000000", method="POST"))
        client.send(b"x" * 2000000)
        answer = client.response("POST")
        assert answer.status == 413 and answer.body == b"early"


def test_early_answer_never_desynchronises(rig, path):
    """The rest of the body is not the next request."""
    rig.origin.at(path, send(ok("early")), read_body())
    inner = request(rig.url("/smuggled"))
    with Client(rig.port) as client:
        client.send(request(rig.url(path), f"Content-Length: {len(inner)}", method="POST"))
        assert client.response("POST").body == b"early"
        client.send(inner)
        try:
            client.send(request(rig.url("/next")))
            answer = client.response()
            assert answer.status == 200
        except Ended:
            pass
    assert "/smuggled" not in rig.origin.paths()


# -- Expect ---------------------------------------------------------------------------------------

def test_expect_continue(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 100 Continue\r\n\r\n"), read_body(), send(ok("done")))
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert client.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        client.send(b"hello")
        assert client.response("POST").body == b"done"
        assert client.get(rig.url("/next")).status == 200
    assert rig.origin.request(path).body == b"hello"


def test_expect_continue_refused_by_the_origin(rig, path):
    rig.origin.at(path, send(ok("no", "Connection: close", status="403 No")), read_eof())
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST"))
        answer = client.response("POST")
        assert answer.status == 403 and not [i for i in answer.interim if i.status == 100]


def test_expect_continue_client_does_not_wait(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 100 Continue\r\n\r\n"), read_body(), send(ok("done")))
    with Client(rig.port) as client:
        answer = client.ask(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST")
                            + b"hello")
        assert answer.body == b"done" and all(i.status == 100 for i in answer.interim)


def test_expect_continue_silent_origin(rig, path):
    """An origin that knows no 100: the client sends after a while, and all is well."""
    rig.origin.at(path, read_body(), send(ok("done")))
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST"))
        time.sleep(0.1)
        client.send(b"hello")
        assert client.response("POST").body == b"done"


def test_expect_from_http_1_0_is_ignored(rig, path):
    answer = fetch(rig.port, rig.url(path), "Expect: 100-continue", version="1.0", method="POST", body=b"x")
    assert answer.status == 200 and not answer.interim


def test_other_expectations_are_refused(rig, path):
    with Client(rig.port) as client:
        assert_refused(client.get(rig.url(path), "Expect: 200-ok"), "bad_expectation")
    assert path not in rig.origin.paths()


# -- streams --------------------------------------------------------------------------------------

def test_event_stream_is_flushed_at_once(rig, path):
    """Each event is out before the next exists."""
    steps = [threading.Event() for _ in range(5)]
    script = [send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")]
    for i, event in enumerate(steps):
        script += [wait(event), send(b"9\r\ndata: %d\n\n\r\n" % i)]
    rig.origin.at(path, *script, send(b"0\r\n\r\n"))
    with Client(rig.port) as client:
        client.send(request(rig.url(path)))
        assert client.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        for i, event in enumerate(steps):
            with Stopwatch() as watch:
                event.set()
                client.reader.until(b"data: %d\n\n\r\n" % i)
            assert watch.seconds < within(0.5)
        assert client.exactly(5) == b"0\r\n\r\n"


def test_head_is_out_before_the_body_begins(rig, path):
    go = threading.Event()
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), wait(go), send(b"hello"))
    with Client(rig.port) as client:
        client.send(request(rig.url(path)))
        assert b"200" in client.reader.until(b"\r\n\r\n")
        client.expect_open()
        go.set()
        assert client.exactly(5) == b"hello"


def test_request_body_is_passed_as_it_comes(rig, path):
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
        conn = rig.origin.head(path).conn
        assert rig.origin.until(lambda o: b"5\r\nhello\r\n" in conn.received)
        client.send(b"0\r\n\r\n")
        assert client.response("POST").status == 200


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


