"""`range whole`: a range of what is not kept brings all of it, and its client gets the range as it comes by."""
import threading

import pytest

from lib.caching import answer, asked, forward, get, is_hit, status
from lib.client import Client, request
from lib.origin import chunks, close, ok, read_body, send
from lib.times import until

pytestmark = pytest.mark.threads
RIG = forward("cache main { memory 32m; range whole; }", rules="""
    allow passes { path /pass; reach loopback; cache { range pass; } }
    allow rest   { reach loopback; }
""")
BODY = "".join(f"{i:04}" for i in range(250))
FIELDS = ["Cache-Control: max-age=60", 'ETag: "a"']


def serve(rig, path, *fields, body=BODY):
    rig.origin.at(path, read_body(), send(answer(body, *(fields or FIELDS))))
    return rig.url(path)


@pytest.mark.parametrize("ranges,first,want", [("0-9", 206, BODY[:10]), ("-10", 206, BODY[-10:]), ("990-", 206, BODY[990:]),
                                               ("0-", 206, BODY), ("1000-", 416, ""), ("x", 200, BODY)])
def test_a_range_brings_the_whole(rig, ranges, first, want):
    # covers: cache range
    path = "/r/" + ranges
    got = get(rig, serve(rig, path), "Range: bytes=" + ranges)
    assert got.status == first and got.body.decode() == want
    if first == 206:
        start = BODY.index(want)
        assert got.get("Content-Range") == f"bytes {start}-{start + len(want) - 1}/1000"
    assert status(got) == {"fwd": "uri-miss", "stored": True} | ({} if first == 200 else {"fwd-status": "200"})
    whole = get(rig, rig.url(path))
    assert is_hit(whole) and whole.body.decode() == BODY
    seen = asked(rig.origin, path)
    assert len(seen) == 1 and not seen[0].has("Range")


def test_several_ranges_and_if_range(rig):
    got = get(rig, serve(rig, "/several"), "Range: bytes=0-1, 998-")
    assert got.status == 206 and got.get("Content-Type").startswith("multipart/byteranges") and b"\r\n\r\n00\r\n" in got.body
    got = get(rig, serve(rig, "/if-range"), "Range: bytes=0-1", 'If-Range: "other"')
    assert got.status == 200 and got.body.decode() == BODY and not asked(rig.origin, "/if-range")[0].has("If-Range")


def test_what_becomes_of_it_meanwhile(rig):
    """A client that has its range asks for the next thing at once; one that wants the end waits; others join."""
    go = threading.Event()
    head, body = answer(BODY, *FIELDS).split(b"\r\n\r\n")
    rig.origin.at("/slow", read_body(), send(head + b"\r\n\r\n" + body[:500]), lambda conn: go.wait(10), send(body[500:]))
    other = serve(rig, "/other")
    url, late = rig.url("/slow"), []
    with Client(rig.port) as client:
        assert client.get(url, "Range: bytes=0-9").body.decode() == BODY[:10]
        assert client.get(other).body.decode() == BODY
        with Client(rig.port) as second:
            assert second.get(url, "Range: bytes=100-199").body.decode() == BODY[100:200]
            assert second.get(other).status == 200
        thread = threading.Thread(target=lambda: late.append(get(rig, url, "Range: bytes=-10")))
        thread.start()
        go.set()
        thread.join()
    assert late[0].status == 206 and late[0].body.decode() == BODY[-10:]
    assert until(lambda: get(rig, url, "Cache-Control: only-if-cached").body.decode() == BODY)
    assert len(asked(rig.origin, "/slow")) == 1


def test_a_client_that_closes_with_its_range(rig):
    """The copy goes on, little as there is of it."""
    go = threading.Event()
    head, body = answer(BODY, *FIELDS).split(b"\r\n\r\n")
    rig.origin.at("/closes", read_body(), send(head + b"\r\n\r\n" + body[:50]), lambda conn: go.wait(10), send(body[50:]))
    with Client(rig.port) as client:
        got = client.ask(request(rig.url("/closes"), "Range: bytes=0-9", "Connection: close"))
        assert got.body.decode() == BODY[:10] and client.expect_closed() == "eof"
    go.set()
    assert until(lambda: get(rig, rig.url("/closes"), "Cache-Control: only-if-cached").status == 200)


def test_an_origin_that_cuts_it(rig):
    rig.origin.at("/cut", read_body(), send(answer(BODY, *FIELDS)[:-100]), close())
    with Client(rig.port) as client:
        assert client.get(rig.url("/cut"), "Range: bytes=0-9").body.decode() == BODY[:10]
        assert client.get(rig.url("/cut"), "Range: bytes=-10").truncated


@pytest.mark.parametrize("how", ["no-store", "chunked", "too-large"])
def test_what_cannot_be_kept_is_asked_for_by_its_range(rig, how):
    """And for two minutes nobody asks for all of it again."""
    path = "/not/" + how
    whole = {"no-store": [send(answer(BODY, "Cache-Control: no-store"))],
             "chunked": [send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"),
                         chunks(BODY.encode())],
             "too-large": [send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 99999999\r\n\r\nab")]}[how]

    def say(conn):
        if asked(rig.origin, path)[-1].has("Range"):
            conn.sock.sendall(ok("0123456789", "Content-Range: bytes 0-9/1000", status="206 Partial Content"))
        else:
            for step in whole:
                step(conn)
    rig.origin.at(path, read_body(), say)
    for _ in range(2):
        got = get(rig, rig.url(path), "Range: bytes=0-9")
        assert got.status == 206 and got.body == b"0123456789" and status(got) == {"fwd": "uri-miss", "detail": "partial"}
    assert [r.get("Range") for r in asked(rig.origin, path)] == [None, "bytes=0-9", "bytes=0-9"]


def test_a_rule_passes_ranges(rig):
    # covers: policy rules allow cache range
    rig.origin.at("/pass", read_body(), send(ok("abc", "Content-Range: bytes 0-2/9", status="206 Partial Content")))
    assert get(rig, rig.url("/pass"), "Range: bytes=0-2").body == b"abc"
    assert asked(rig.origin, "/pass")[0].get("Range") == "bytes=0-2"


def test_an_error_is_an_error(rig):
    rig.origin.at("/gone", read_body(), send(ok("gone", status="404 Not Found")))
    assert get(rig, rig.url("/gone"), "Range: bytes=0-2").status == 404 and len(asked(rig.origin, "/gone")) == 1
