"""Bodies of many MB: an origin that makes them as they are sent, and clients that sum them as they come."""
import hashlib
import os
import re
import socket
import threading
import time

from .caching import asked, date
from .client import Client, request
from .origin import read_body
from .times import until

MB = 1 << 20
SEED = os.urandom(MB)


def block(i):
    """The MB number i: none is like another one."""
    return i.to_bytes(8, "big") + SEED[8:]


def digest(first, n):
    """Of n bytes of the body from `first` on."""
    sha, at = hashlib.sha256(), first
    while at < first + n:
        piece = block(at // MB)[at % MB:first + n - at // MB * MB]
        sha.update(piece)
        at += len(piece)
    return sha.hexdigest()


class Large:
    """An object of so many MB at the origin, which stops before `hold` of them until `go`, and every 2 MB, with
    `written`, until they are with the client and on disk: one that is slower than loopback would keep nothing.

    With `ranges` the origin gives them, too: `wholes` and `pieces` are what it was asked for, `sent` the bytes of all
    answers, `times` when it was asked for pieces. `change` makes it another one, `refuses` is a status for ranges from then on (of `refusals` of them:
    the next ones; "" closes the connection), and `of_pieces` are more fields of theirs."""

    def __init__(self, origin, mb, path="/large", hold=None, length=True, written=None, ranges=False, etag='"1"'):
        self.mb, self.path, self.origin, self.etag = mb, path, origin, etag
        self.go, self.reader, self.hold, self.written, self.ranges = threading.Event(), None, hold, written, ranges
        self.wholes, self.pieces, self.sent, self.lock, self.refuses = 0, [], 0, threading.Lock(), None
        self.times, self.shift, self.of_pieces, self.refusals = [], 0, [], None
        self.framing = f"Content-Length: {mb * MB}" if length else "Connection: close"
        origin.at(path, read_body(), self._answer)
        self.url = origin.url(path)

    def change(self, etag):
        self.etag, self.shift = etag, self.mb

    def _say(self, conn, status, framing, first, n):
        shift, fields = self.shift, [status, f"Date: {date()}", "Cache-Control: max-age=600", *framing]
        if self.etag:
            fields.append(f"ETag: {self.etag}")
        conn.sock.sendall("\r\n".join(fields).encode() + b"\r\n\r\n")
        at = first
        while at < first + n:
            i = at // MB
            if n == self.mb * MB:
                self._wait(i)
            piece = memoryview(block(i + shift))[at % MB:first + n - i * MB]
            conn.sock.sendall(piece)
            at += len(piece)
            with self.lock:
                self.sent += len(piece)

    def _wait(self, i):
        if i == self.hold:
            assert self.go.wait(30)
        if self.written and i and i % 2 == 0:
            assert until(lambda: self.reader and self.reader.n >= i * MB) and self.written()

    def _answer(self, conn):
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", conn.current.get("Range") or "")
        with self.lock:
            self.wholes += match is None
            self.pieces += [(int(match[1]), int(match[2]) + 1)] if match else []
            self.times += [time.monotonic()] if match else []
            refused = match and self.refuses is not None and self.refusals != 0
            if refused and self.refusals:
                self.refusals -= 1
        if refused and not self.refuses:
            conn.sock.shutdown(socket.SHUT_RDWR)
        elif refused:
            conn.sock.sendall(f"HTTP/1.1 {self.refuses}\r\nContent-Length: 0\r\n\r\n".encode())
        elif match and self.ranges:
            first, end = int(match[1]), min(int(match[2]) + 1, self.mb * MB)
            self._say(conn, "HTTP/1.1 206 Partial Content", [
                f"Content-Length: {end - first}", f"Content-Range: bytes {first}-{end - 1}/{self.mb * MB}",
                *self.of_pieces], first, end - first)
        else:
            self._say(conn, "HTTP/1.1 200 OK", [self.framing], 0, self.mb * MB)
            if self.framing == "Connection: close":
                conn.sock.close()

    def asked(self):
        return len(asked(self.origin, self.path))


class Download(Client):
    """An answer that is read in pieces and summed, not kept; to HTTP/1.0 one of unknown length is not in chunks."""

    def __init__(self, daemon, url, *fields, version="1.1", **more):
        super().__init__(daemon.port, **more)
        self.send(request(url, *fields, version=version))
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += self.sock.recv(4096)
        head, _, first = raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.fields = dict(line.split(": ", 1) for line in lines[1:])
        self.sha, self.n = hashlib.sha256(first), len(first)

    def read(self, to=1 << 62, piece=MB, pause=0.0):
        """Up to that many bytes, or to the end of the body."""
        to = min(to, int(self.fields.get("Content-Length", 1 << 62)))
        area = bytearray(piece)
        while self.n < to:
            try:
                got = self.sock.recv_into(area, min(piece, to - self.n))
            except ConnectionResetError:   # it is cut, where nothing else would tell
                break
            if got == 0:
                break
            self.sha.update(memoryview(area)[:got])
            self.n += got
            time.sleep(pause)
        return self

    def has(self, large, first=0, n=None):
        n = large.mb * MB if n is None else n
        return self.n == n and self.sha.hexdigest() == digest(first, n)

    def is_cut(self, large):
        """And what there is of it is right."""
        return self.n < large.mb * MB and self.sha.hexdigest() == digest(0, self.n)
