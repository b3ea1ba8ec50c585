"""HTTP/1.1 as the tests read it: strictly, and never more bytes than the message has.

Whatever the daemon writes goes through this reader, in both directions, so anything sloppy in what
it sends (a bare LF, a blank before a colon, two lengths) fails the test that saw it.
"""
import re
import socket
import time

from .times import SOON, ran_out

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP/(1\.[01])")
STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})((?:;[\t\x20-\x7e\x80-\xff]*)?)")


class Malformed(AssertionError):
    """The peer sent something that is not a message."""


class Ended(Exception):
    """The connection ended before what was asked for; .how is "eof" or "reset", .got what came."""

    def __init__(self, how, got=b""):
        super().__init__(f"connection ended ({how}) after {got!r}")
        self.how = how
        self.got = got


class Silent(AssertionError):
    """Nothing (more) came in time; .got is what did."""

    def __init__(self, timeout, got=b""):
        super().__init__(f"nothing more within {timeout:.3g} s after {got!r}")
        ran_out()
        self.got = got


class Reader:
    """A buffered, timed reader over one socket. `on_bytes` sees every byte as it arrives."""

    def __init__(self, sock, timeout=SOON, on_bytes=None):
        self.sock = sock
        self.timeout = timeout
        self.on_bytes = on_bytes
        self.buffer = bytearray()
        self.end = None  # "eof" or "reset" once the peer ended

    def _more(self, deadline):
        if self.end:
            raise Ended(self.end, bytes(self.buffer))
        left = deadline - time.monotonic()
        if left <= 0:
            raise Silent(self.timeout, bytes(self.buffer[:400]))
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(65536)
        except (socket.timeout, TimeoutError):
            raise Silent(self.timeout, bytes(self.buffer[:400])) from None
        except (ConnectionResetError, BrokenPipeError):
            self.end = "reset"
            raise Ended("reset", bytes(self.buffer)) from None
        except OSError as error:
            # The other thread of a test closed the socket under us: for the reader that is the end.
            self.end = "eof"
            raise Ended("eof", bytes(self.buffer)) from error
        if not data:
            self.end = "eof"
            raise Ended("eof", bytes(self.buffer))
        self.buffer += data
        if self.on_bytes:
            self.on_bytes(data)

    def _deadline(self, timeout):
        return time.monotonic() + (self.timeout if timeout is None else timeout)

    def take(self, n):
        piece = bytes(self.buffer[:n])
        del self.buffer[:n]
        return piece

    def until(self, mark, timeout=None, limit=1 << 20):
        """Bytes up to and with `mark`."""
        deadline = self._deadline(timeout)
        while (at := self.buffer.find(mark)) < 0:
            if len(self.buffer) > limit:
                raise Malformed(f"no {mark!r} in {limit} bytes")
            self._more(deadline)
        return self.take(at + len(mark))

    def exactly(self, n, timeout=None):
        deadline = self._deadline(timeout)
        while len(self.buffer) < n:
            self._more(deadline)
        return self.take(n)

    def some(self, timeout=None):
        """At least one byte, whatever is there."""
        if not self.buffer:
            self._more(self._deadline(timeout))
        return self.take(len(self.buffer))

    def rest(self, timeout=None):
        """Everything until the peer ends; how it ended stands in .end."""
        deadline = self._deadline(timeout)
        try:
            while True:
                self._more(deadline)
        except Ended:
            return self.take(len(self.buffer))


class Fields(list):
    """(name, value) pairs of bytes in the order of the wire, with look-up by name in str."""

    def all(self, name):
        wanted = name.lower().encode()
        return [v.decode("latin-1") for n, v in self if n.lower() == wanted]

    def get(self, name, default=None):
        found = self.all(name)
        return found[0] if found else default

    def names(self):
        return [n.decode("latin-1").lower() for n, _ in self]


def parse_fields(lines):
    fields = Fields()
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name):
            raise Malformed(f"bad field line {line!r}")
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise Malformed(f"control character in {line!r}")
        fields.append((name, value.strip(b" \t")))
    return fields


def split_head(raw):
    """The start line and the fields of a head with its empty line; Malformed unless all CR LF."""
    assert raw.endswith(b"\r\n\r\n")
    body = raw[:-4]
    if re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", body):
        raise Malformed(f"bare CR, LF or NUL in {raw!r}")
    start, *lines = body.split(b"\r\n")
    return start, parse_fields(lines)


def framing(fields):
    """("chunked", None), ("length", n) or (None, None), after the rules a recipient must keep."""
    codings = fields.all("Transfer-Encoding")
    lengths = fields.all("Content-Length")
    if codings and lengths:
        raise Malformed(f"both lengths: {codings} {lengths}")
    if codings:
        if [c.lower() for c in codings] != ["chunked"]:
            raise Malformed(f"Transfer-Encoding {codings}")
        return "chunked", None
    if lengths:
        if len(lengths) != 1 or not re.fullmatch(r"[0-9]+", lengths[0]):
            raise Malformed(f"Content-Length {lengths}")
        return "length", int(lengths[0])
    return None, None


class Message:
    """What requests and responses share. `raw` is exactly what stood on the wire."""

    def __init__(self):
        self.fields = Fields()
        self.trailers = Fields()
        self.body = b""
        self.raw = b""
        self.chunks = []        # sizes, when chunked
        self.truncated = False  # ended before its framing said so
        self.ended_by = None    # "length", "chunked", "close", "none"

    def get(self, name, default=None):
        return self.fields.get(name, default)

    def all(self, name):
        return self.fields.all(name)

    def has(self, name):
        return bool(self.fields.all(name))


class Request(Message):
    def __init__(self, raw_head):
        super().__init__()
        self.raw = self.raw_head = raw_head
        start, self.fields = split_head(raw_head)
        match = REQUEST_LINE.fullmatch(start)
        if not match:
            raise Malformed(f"request line {start!r}")
        self.line = start.decode("latin-1")
        self.method, self.target, self.version = (g.decode("latin-1") for g in match.groups())
        self.complete = False

    def __repr__(self):
        return f"<{self.line} {dict(self.fields)} body {len(self.body)}>"


class Response(Message):
    def __init__(self, raw_head):
        super().__init__()
        self.raw = self.raw_head = raw_head
        start, self.fields = split_head(raw_head)
        match = STATUS_LINE.fullmatch(start)
        if not match:
            raise Malformed(f"status line {start!r}")
        self.version = match[1].decode()
        self.status = int(match[2])
        self.reason = match[3].decode("latin-1")
        self.interim = []       # the 1xx answers that came before
        self.end = None         # how the connection ended while this was read, if it did

    def __repr__(self):
        cut = " truncated" if self.truncated else ""
        return f"<{self.status} {dict(self.fields)} body {self.body[:200]!r}{cut}>"


def read_body(reader, message, kind, length, timeout=None):
    """Read the body into the message. Raises Ended with what came kept in the message."""
    if kind == "length":
        message.ended_by = "length"
        try:
            message.body = reader.exactly(length, timeout)
        except Ended:
            message.body = reader.take(length)
            message.truncated = True
            raise
        message.raw += message.body
    elif kind == "chunked":
        message.ended_by = "chunked"
        try:
            _read_chunks(reader, message, timeout)
        except Ended:
            message.truncated = True
            raise


def _read_chunks(reader, message, timeout):
    while True:
        line = reader.until(b"\r\n", timeout)
        message.raw += line
        match = CHUNK_LINE.fullmatch(line[:-2])
        if not match:
            raise Malformed(f"chunk line {line!r}")
        if match[2]:
            raise Malformed(f"a chunk extension was passed on: {line!r}")
        size = int(match[1], 16)
        if size == 0:
            break
        message.chunks.append(size)
        try:
            data = reader.exactly(size, timeout)
        except Ended:
            message.body += reader.take(size)
            raise
        message.body += data
        message.raw += data
        end = reader.exactly(2, timeout)
        message.raw += end
        if end != b"\r\n":
            raise Malformed(f"chunk ends in {end!r}")
    lines = []
    while True:
        line = reader.until(b"\r\n", timeout)
        message.raw += line
        if line == b"\r\n":
            break
        lines.append(line[:-2])
    message.trailers = parse_fields(lines)


def read_request_head(reader, timeout=None):
    """The next request's head, or None when the peer closed between requests."""
    try:
        return Request(reader.until(b"\r\n\r\n", timeout))
    except Ended as end:
        if end.got:
            raise
        return None


def read_request_body(reader, request, timeout=None):
    if request.complete:
        return request
    kind, length = framing(request.fields)
    read_body(reader, request, kind, length, timeout)
    request.complete = True
    return request


def read_response(reader, method="GET", timeout=None):
    """One final response with its body, the 1xx before it in .interim.

    A body cut short gives .truncated, never an exception; no head at all raises Ended.
    """
    interim = []
    while True:
        response = Response(reader.until(b"\r\n\r\n", timeout))
        if response.status >= 200 or response.status == 101:
            break
        if response.has("Content-Length") or response.has("Transfer-Encoding"):
            raise Malformed(f"a {response.status} with a length: {response}")
        interim.append(response)
    response.interim = interim
    if response.status in (101, 204, 304) or method == "HEAD" or (
            method == "CONNECT" and response.status < 300):
        response.ended_by = "none"
        return response
    kind, length = framing(response.fields)
    try:
        if kind:
            read_body(reader, response, kind, length, timeout)
        else:
            response.ended_by = "close"
            response.body = reader.rest(timeout)
            response.raw += response.body
            response.end = reader.end
            response.truncated = reader.end == "reset"
    except Ended as end:
        response.end = end.how
    return response
