"""A raw client: it sends exactly the bytes a test gives it, in the pieces the test wants, and reads
answers with the strict reader of wire.py.

It never repairs, never adds a field, and does not mind when the daemon closes while it still sends:
that is what half of the tests provoke.
"""
import random
import socket
import struct
import time

from . import times, xor
from .times import SOON
from .wire import Ended, Reader, Silent, read_response

#: The ways to deliver a message; "random" takes a seed and makes up to a dozen pieces.
DELIVERIES = ("whole", "bytes", "random")


def pieces(data, how, seed=0):
    """Cut data as `how` says. Random cuts prefer the ends of lines, where parsers break."""
    if how == "whole" or len(data) < 2:
        return [data]
    if how == "bytes":
        return [data[i:i + 1] for i in range(len(data))]
    dice = random.Random(seed)
    cuts = {dice.randrange(1, len(data)) for _ in range(dice.randint(1, 8))}
    ends = [i for i, c in enumerate(data) if c in b"\r\n" and 0 < i < len(data)]
    if ends:
        cuts |= {dice.choice(ends) for _ in range(dice.randint(0, 4))}
    edges = [0, *sorted(cuts), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:])]


def hard_reset(sock):
    """Close so that the peer sees RST."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    sock.close()


class Client:
    """One connection to the daemon (or to anything else)."""

    def __init__(self, port, host="127.0.0.1", timeout=SOON, source=None, rcvbuf=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = xor.wrap(self.sock)
        self.timeout = timeout
        self.reader = Reader(self.sock, timeout)
        self.send_error = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data, how="whole", seed=0, pause=0.0005):
        """Send; a peer that closed meanwhile is noted in .send_error, not raised."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        parts = pieces(data, how, seed)
        self.sock.settimeout(self.timeout)
        try:
            for i, part in enumerate(parts):
                self.sock.sendall(part)
                if how == "random" and i + 1 < len(parts):
                    time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError) as error:
            self.send_error = error
        return self

    def response(self, method="GET", timeout=None):
        """The next answer; see wire.read_response."""
        return read_response(self.reader, method, timeout)

    def ask(self, data, how="whole", seed=0, method=None, timeout=None):
        """send() and response(); the method is read from the data unless given."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.send(data, how, seed)
        if method is None:
            method = data.split(b" ", 1)[0].decode("latin-1")
        return self.response(method, timeout)

    def get(self, url, *fields, version="1.1", method="GET", body=b""):
        """A tidy request in absolute form, and its answer."""
        return self.ask(request(url, *fields, version=version, method=method, body=body))

    def expect_closed(self, timeout=None):
        """The daemon closes now and sends nothing more; gives "eof" or "reset"."""
        try:
            got = self.reader.some(timeout)
        except Ended as end:
            return end.how
        except Silent:
            raise AssertionError("the connection stayed open") from None
        raise AssertionError(f"more bytes instead of a close: {got[:400]!r}")

    def expect_open(self, seconds=0.05):
        """The connection is open and silent for this long."""
        try:
            got = self.reader.some(seconds)
        except Silent:
            times.overdue = 0.0   # as it was to be
            return
        except Ended as end:
            raise AssertionError(f"the connection was closed ({end.how})") from None
        raise AssertionError(f"unexpected bytes: {got[:400]!r}")

    def exactly(self, n, timeout=None):
        return self.reader.exactly(n, timeout)

    def rest(self, timeout=None):
        return self.reader.rest(timeout)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        hard_reset(self.sock)

    def close(self):
        self.sock.close()


def authority_of(url):
    return url.split("://", 1)[1].split("/", 1)[0].split("?", 1)[0]


def request(url, *fields, version="1.1", method="GET", body=b"", host=None):
    """The bytes of a plain request in absolute form. Fields are "Name: value" strings."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"{method} {url} HTTP/{version}", f"Host: {host or authority_of(url)}", *fields]
    if body and not any(f.lower().startswith(("content-length", "transfer-enc")) for f in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*parts, trailers=(), extension=""):
    """A chunked body with these parts."""
    out = b""
    for part in parts:
        part = part.encode() if isinstance(part, str) else part
        out += f"{len(part):x}{extension}\r\n".encode() + part + b"\r\n"
    return out + b"0\r\n" + b"".join(t.encode() + b"\r\n" for t in trailers) + b"\r\n"


def never_reads(proxy_port, url, *fields):
    """A client that asks, with the smallest buffer there is, and never reads."""
    client = Client(proxy_port, rcvbuf=4096)
    return client.send(request(url, *fields))


def fetch(proxy_port, url, *fields, **more):
    """One request on a connection of its own."""
    with Client(proxy_port) as client:
        return client.get(url, *fields, **more)
