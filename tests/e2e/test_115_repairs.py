"""Answers that break a rule of HTTP and have one reading left are repaired (base/repair.tbl).

Each form is tried whole and in drops: the client, a strict reader, sees the right answer, the
connection to the origin is not used again, the counter grows and the debug log names the kind. What
has two readings is refused: test_110_responses.py.
"""
import itertools
import pathlib
import re

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.origin import close, drip, ok, read_body, read_eof, send
from lib.times import until

RIG = conf.forward(extra=metrics.ADMIN + " log error { level debug; }")
_serial = itertools.count()
KINDS = re.findall(r"^REPAIR\((\w+),", (pathlib.Path(__file__).parents[2] / "proxyd/base/repair.tbl").read_text(), re.M)


@pytest.fixture
def path():
    """A path nobody else uses."""
    return f"/t{next(_serial)}"


OK_, LENGTH_4 = b"HTTP/1.1 200 OK\r\n", b"Content-Length: 4\r\n"
CHUNKED_ = b"Transfer-Encoding: chunked\r\n"
BODY = b"\r\nBODY"

# name: kinds, what the origin sends, fields that the client sees, method. The body is BODY.
REPAIRED = {
    "line-end": ("line_end", b"HTTP/1.1 200 OK\nX: a\nContent-Length: 4\n\nBODY", {"X": "a"}),
    "line-end-some": ("line_end", OK_ + b"X: a\nY: b\r\n" + LENGTH_4 + b"\nBODY", {"X": "a", "Y": "b"}),
    "folding": ("folding", OK_ + b"X: a\r\n \tb\r\n" + LENGTH_4 + BODY, {"X": "a b"}),
    "folding-coding": ("folding", OK_ + b"Transfer-Encoding:\r\n chunked\r\n\r\n4\r\nBODY\r\n0\r\n\r\n", {}),
    "blank-before-colon": ("blank_before_colon", OK_ + b"X : a\r\nContent-Length\t: 4\r\n" + BODY, {"X": "a"}),
    "control-in-reason": ("control_byte", b"HTTP/1.1 200 O\x01K\r\n" + LENGTH_4 + BODY, {}),
    "status-line": ("status_line_blanks", b"HTTP/1.1\t200  OK\r\n" + LENGTH_4 + BODY, {}),
    "204-length": ("bodiless_framing", b"HTTP/1.1 204 No\r\n" + LENGTH_4 + b"\r\n", {"Content-Length": None}),
    "204-chunked": ("bodiless_framing", b"HTTP/1.1 204 No\r\n" + CHUNKED_ + b"\r\n0\r\n\r\n", {}),
    "304-coding": ("bodiless_framing", b"HTTP/1.1 304 Not\r\nTransfer-Encoding: x\r\n\r\n", {}),
    "head-identity": ("bodiless_framing", OK_ + b"Transfer-Encoding: identity\r\n\r\n", {}, "HEAD"),
    "head-both": ("bodiless_framing", OK_ + LENGTH_4 + CHUNKED_ + b"\r\n", {"Content-Length": None}, "HEAD"),
    "interim-length": ("bodiless_framing", b"HTTP/1.1 103 Early\r\n" + LENGTH_4 + b"\r\n" + OK_ + LENGTH_4 + BODY, {}),
    "equal-lengths": ("equal_lengths", OK_ + LENGTH_4 * 2 + BODY, {"Content-Length": "4"}),
    "equal-list": ("equal_lengths", OK_ + b"Content-Length: 4, 4\r\n" + BODY, {"Content-Length": "4"}),
    "both": ("both_lengths", OK_ + b"Content-Length: 9\r\n" + CHUNKED_ + b"\r\n4\r\nBODY\r\n0\r\n\r\n",
             {"Content-Length": None}),
    "identity": ("identity_coding", OK_ + b"Transfer-Encoding: identity\r\n" + BODY, {}),
    "chunk-blanks": ("chunk_blanks", OK_ + CHUNKED_ + b"\r\n4 \t\r\nBODY\r\n0\r\n\r\n", {}),
    "trailer-field": ("trailer_field", OK_ + CHUNKED_ + b"\r\n4\r\nBODY\r\n0\r\nSet-Cookie: x\r\nY: z\r\n\r\n", {}),
    "trailer-line-end": ("line_end", OK_ + CHUNKED_ + b"\r\n4\r\nBODY\r\n0\r\nY: z\n\n", {}),
    "several": ("line_end folding blank_before_colon chunk_blanks",
                OK_ + b"X : a\n b\n" + CHUNKED_ + b"\n4 \r\nBODY\r\n0\r\n\r\n", {"X": "a b"}),
}


def repairs(grown):
    return {name.split()[1]: n for name, n in grown.items() if name.startswith("response_repairs_total ")}


@pytest.mark.parametrize("how", ["whole", "drip"])
@pytest.mark.parametrize("name", REPAIRED)
def test_answer_is_repaired(rig, path, name, how):
    kinds, raw, fields, *method = REPAIRED[name]
    kinds, method = kinds.split(), (method or ["GET"])[0]
    out = send(raw) if how == "whole" else drip(raw, 0.0003, max(1, len(raw) // 60))
    rig.origin.at(path, read_body(), out, close() if name == "identity" else read_eof())
    before = metrics.calm(rig.proxyd)
    with Client(rig.port) as client:
        answer = client.get(rig.url(path), "TE: trailers", "Connection: TE", method=method)
        assert not answer.truncated and b"502" not in answer.raw[:12]
        assert answer.body == (b"BODY" if answer.status == 200 and method == "GET" else b"")
        for field, value in fields.items():
            assert answer.get(field) == value
        if "trailer" in name:
            assert answer.trailers.get("Y") == "z" and answer.trailers.get("Set-Cookie") is None
        assert client.get(rig.url("/next")).body == b"ok", "the client's connection goes on"
    mended = rig.origin.request(path).conn
    assert rig.origin.until(lambda o: mended.closed.is_set()), "the origin's connection was kept"
    assert repairs(metrics.grown(rig.proxyd, before)) == {kind: 1 for kind in kinds}
    words = "answer repaired: " + " ".join(k for k in KINDS if k in kinds) + " id="
    assert until(lambda: words in rig.proxyd.stderr())


def test_controls_stay(rig, path):
    """Which is why the strict reader is not asked."""
    cookie = b"Set-Cookie: a=\x01b; domain=\x7fx\r\n"
    rig.origin.at(path, read_body(), send(OK_ + cookie + LENGTH_4 + BODY), read_eof())
    before = metrics.calm(rig.proxyd)
    with Client(rig.port) as client:
        client.send(request(rig.url(path)))
        assert cookie in client.reader.until(b"\r\n\r\n")
        assert client.exactly(4) == b"BODY"
        assert client.get(rig.url("/next")).body == b"ok"
    mended = rig.origin.request(path).conn
    assert rig.origin.until(lambda o: mended.closed.is_set()), "the origin's connection was kept"
    assert repairs(metrics.grown(rig.proxyd, before)) == {"control_byte": 1}


def test_all_kinds_are_tried():
    assert {k for case in REPAIRED.values() for k in case[0].split()} == set(KINDS)


def test_a_good_answer_is_none(rig, path):
    """Odd but right: nothing is counted, and the connection stays."""
    odd = (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200\r\nX: \xff\tb\r\nContent-Length: 0\r\n\r\n",
           b"HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n")
    before = metrics.calm(rig.proxyd)
    for raw in odd:
        rig.origin.at(path, read_body(), send(raw))
        assert fetch(rig.port, rig.url(path)).status in (200, 204, 304)
        assert not rig.origin.request(path).conn.closed.wait(0.05)
    assert repairs(metrics.grown(rig.proxyd, before)) == {}


def test_what_follows_a_repaired_answer_reaches_nobody(rig, path):
    """Where the repair was wrong about the end, the rest is lost with the connection."""
    rig.origin.at(path, read_body(), send(b"HTTP/1.1 204 No\r\nContent-Length: 60\r\n\r\n" + ok("EVIL")), read_eof())
    with Client(rig.port) as client:
        assert client.get(rig.url(path)).status == 204
        assert client.get(rig.url("/mine")).body == b"ok"
