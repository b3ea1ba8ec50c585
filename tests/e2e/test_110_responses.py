"""Answers of origins that are wrong: malformed ones become a 502, cut ones never look whole.

The origin is an attacker too. Part one is a table of malformed answers, each tried in one piece or
in drops, on a new or on a used connection to the origin. Part two cuts good answers short.
"""
import itertools
import threading

import pytest

from lib.client import Client, fetch, request
from lib.faults import FAULTS, assert_refused, cause_of
from lib.origin import call, chunks, close, drip, ok, pause, read_body, read_eof, reset, send, signal
from lib.times import SOON
from lib.wire import Ended


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
