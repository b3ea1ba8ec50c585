"""Parts of the tests of the cache: a configuration, an origin's answers with dates, and who was asked."""
import email.utils
import re
import socket
import time

from . import conf
from .client import Client
from .origin import ok
from .times import SOON

CACHE = "cache main { memory 32m; }"


def forward(cache=CACHE, listener="cache main;", extra="", **more):
    return conf.forward(extra=cache + "\n" + extra, listener=listener, **more)


def date(ago=0):
    return email.utils.formatdate(time.time() - ago, usegmt=True)


def answer(body="ok", *fields, ago=0, **more):
    """As `ok`, with a Date so many seconds ago."""
    return ok(body, f"Date: {date(ago)}", *fields, **more)


def asked(origin, path):
    """Requests that the origin has seen for that path."""
    return [r for r in origin.requests if r.target == path]


def get(daemon, url, *fields, **more):
    with Client(daemon.port) as client:
        return client.get(url, *fields, **more)


def status(response):
    """Our member of Cache-Status as {"name": value}; a parameter without value is True."""
    lines = response.all("Cache-Status")
    assert lines, response
    member = re.split(r",\s*", lines[-1])[-1]
    name, *parameters = [part.strip() for part in member.split(";")]
    assert name == "proxyd", member
    pairs = (part.partition("=") for part in parameters)
    return {key: value if equals else True for key, equals, value in pairs}


def heard(client):
    """What has come by now; `response` reads it all the same."""
    client.sock.settimeout(0)
    try:
        while piece := client.sock.recv(1 << 20):
            client.reader.buffer += piece
    except OSError:
        pass
    return bytes(client.reader.buffer)


def is_hit(response):
    return status(response).get("hit") is True


class File:
    """A file of an origin, of any size, that is made as it is read: ten bytes of each ten say where they are.

    It answers ranges, counts what it is asked for (`pieces`: first byte, and the one behind the last) and what it has
    sent (`sent`). Fields and etag may be changed; `wait`, an event, holds answers back, `rest` what is behind the first
    hundred bytes; `cut`: so many bytes of the next one, and no more."""

    def __init__(self, origin, path, length, *fields, etag='"one"', ranges=True):
        self.origin, self.path, self.length, self.fields = origin, path, length, fields
        self.ranges, self.wait, self.sent, self.pieces = ranges, None, 0, []
        self.version = (etag, 0)   # at once: it may change while an answer is sent
        self.status = self.rest = self.cut = None
        origin.at(path, self._answer)

    def bytes(self, begin=0, end=None, salt=None):
        end = self.length if end is None else end
        salt = self.version[1] if salt is None else salt
        first = begin // 10
        text = b"".join(b"%09d\n" % ((i + salt) % 10 ** 9) for i in range(first, -(-end // 10)))
        return text[begin - first * 10:end - first * 10]

    def change(self, etag, salt=7, length=None):
        """Another representation."""
        self.version = (etag, salt)
        self.length = self.length if length is None else length

    def url(self):
        return self.origin.url(self.path)

    def _range(self, request):
        """None: all of it; (): none of it."""
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.get("Range") or "")
        if not self.ranges or not match:
            return None
        if not match[1]:
            return max(0, self.length - int(match[2])), self.length
        begin, end = int(match[1]), min(int(match[2] or self.length) + 1, self.length)
        return (begin, end) if begin < end else ()

    def _answer(self, conn):
        if self.wait:
            assert self.wait.wait(SOON)
        request, (etag, salt) = conn.current, self.version
        fields = [f"Date: {date()}", *self.fields, *([f"ETag: {etag}"] if etag else [])]
        if etag and request.get("If-None-Match") == etag:
            conn.sock.sendall(ok("", *fields, status="304 Not Modified"))
            return
        piece = self._range(request)
        self.pieces.append(piece)
        if self.status or piece == ():
            end = [] if self.status else [f"Content-Range: bytes */{self.length}"]
            conn.sock.sendall(ok("", *end, *fields, status=self.status or "416 Range Not Satisfiable"))
            return
        begin, end = piece or (0, self.length)
        lines = [f"HTTP/1.1 {'206 Partial Content' if piece else '200 OK'}", f"Content-Length: {end - begin}", *fields]
        if piece:
            lines.append(f"Content-Range: bytes {begin}-{end - 1}/{self.length}")
        conn.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        if request.method == "HEAD":
            return
        cut, self.cut = self.cut, None
        if self.rest:
            conn.sock.sendall(self.bytes(begin, begin + 100, salt))
            assert self.rest.wait(SOON)
            begin += 100
        for at in range(begin, end if cut is None else begin + cut, 1 << 18):
            piece = self.bytes(at, min(end, at + (1 << 18)), salt)
            conn.sock.sendall(piece if cut is None else piece[:cut])
            self.sent += len(piece)
        if cut is not None:
            conn.sock.shutdown(socket.SHUT_RDWR)
