"""A layer over both connections, as TLS will be: what holds without one holds with it, however it cuts the
bytes. The layer gives and takes at most a split at a time and holds the rest (tests/xor_stream.c).
"""
import socket
import threading

import pytest

from conftest import Rig
from lib import conf, xor
from lib.client import Client, chunked, request
from lib.origin import close, ok, read, read_body, send, wait
from lib.times import until
from test_120_forwarding import *   # noqa: F401,F403 (the whole scene, once more)

pytestmark = []

SPLITS = [*range(1, 65), 4096]


@pytest.fixture(scope="module", params=[[1], SPLITS], ids=["split-1", "every-split"])
def layers(request):
    with xor.everywhere(request.param):
        yield request.param


@pytest.fixture(scope="module", autouse=True)
def _layers(layers):
    pass


@pytest.fixture(scope="module")
def _module_rig(layers, tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("layers"), conf.forward(workers=1))
    yield rig
    rig.stop()


BODY = bytes(range(256)) * 40   # more than any layer holds


def test_exact_bytes_of_chunks(rig):   # noqa: F811
    """Chunks are cut where reads end."""
    seen = forwarded(rig, b"PUT http://@/c HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n"   # noqa: F405
                          b"0005;x=\"y z\"\r\nhello\r\n00\r\n\r\n", "/c")
    assert seen.all("Transfer-Encoding") == ["chunked"] and seen.body == b"hello"


@pytest.mark.slow("two bodies of 10 kB in pieces of one byte, and of each size to 64")
def test_each_split(rig, layers):
    """On connections of every split: bodies of each framing both ways, two requests in one go, reuse."""
    rig.origin.at("/up", read_body(), send(ok(BODY)))
    rig.origin.at("/chunks", read_body(), send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(BODY[:5000], BODY[5000:])))
    for _ in layers:
        rig.origin.clear()
        with Client(rig.port) as client:
            answer = client.get(rig.url("/up"), method="POST", body=BODY)
            assert answer.status == 200 and answer.body == BODY
            assert rig.origin.request("/up").body == BODY
            raw = request(rig.url("/chunks"), "Transfer-Encoding: chunked", method="PUT") + chunked(BODY, b"end")
            client.send(raw + request(rig.url("/last")))
            assert client.response().body == BODY
            assert client.response().body == b"ok"
            assert rig.origin.request("/chunks").body == BODY + b"end"


@pytest.mark.slow("bodies in pieces of one byte, and of each size to 64")
def test_each_split_of_a_tunnel(rig, layers):
    """Bytes both ways, then one direction ends and the other goes on."""
    for _ in layers:
        rig.origin.next(read(len(BODY)), send(BODY), lambda conn: conn.reader.rest(), send(BODY), close())
        with Client(rig.port) as client:
            client.send(b"CONNECT @ HTTP/1.1\r\nHost: @\r\n\r\n".replace(b"@", rig.a) + BODY)
            assert client.response("CONNECT").status == 200
            assert client.exactly(len(BODY)) == BODY
            client.half_close()
            assert client.rest() == BODY


@pytest.mark.slow("300 kB in pieces of one byte")
def test_slow_readers(rig):
    """A layer that has bytes half sent when the socket is full goes on with the same ones."""
    big, ready = BODY * 30, threading.Event()
    rig.origin.at("/slow", read_body(), send(ok(big)))
    rig.origin.at("/up-slow", wait(ready), read_body(), send(ok(b"")))
    with Client(rig.port, rcvbuf=4096) as client:
        client.send(request(rig.url("/up-slow"), method="POST", body=big))
        ready.set()
        assert client.response("POST").status == 200
        assert rig.origin.request("/up-slow").body == big
        client.send(request(rig.url("/slow")))
        until(lambda: rig.origin.paths()[1:])
        assert client.response().body == big


def test_a_body_until_close(rig):
    rig.origin.at("/close", read_body(), send(b"HTTP/1.1 200 OK\r\n\r\n" + BODY), close())
    with Client(rig.port) as client:
        assert client.get(rig.url("/close")).body == BODY


def test_a_stranger(rig):
    """A handshake that fails ends the connection, and nothing of it is a request."""
    with socket.create_connection(("127.0.0.1", rig.port), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert plain.recv(100) in (b"", xor.HELLO)
        assert rig.origin.paths() == []
