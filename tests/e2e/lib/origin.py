"""A scripted origin that misbehaves on demand and remembers every byte it was sent.

Each connection has a thread. Normally it reads a request head, looks up the script for that path
(Origin.at) and runs it; a path without script gets a small 200. Scripts by path rather than by
connection, because the daemon keeps connections to the origin open and a test cannot know which one
its request will ride on. Where the connection itself is the point, Origin.next() scripts a whole
connection from its first byte.

A script is a list of steps; a step is a function of the connection, made by the small factories
below: send, drip, pause, read, read_body, chunks, close, reset, half_close, wait, signal, call.
"""
import queue
import socket
import threading
import time

from . import xor
from .client import hard_reset
from .ports import free_port, release
from .times import SOON, ran_out
from .wire import Ended, Malformed, Reader, Silent, read_request_body, read_request_head


class Closed(Exception):
    """A step closed the connection; nothing may follow."""


def ok(body=b"ok", *fields, status="200 OK", version="1.1"):
    """The bytes of a plain answer with Content-Length."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/{version} {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


# -- steps ----------------------------------------------------------------------------------------

def send(data):
    """Send exactly these bytes at once."""
    return lambda conn: conn.sock.sendall(data)


def drip(data, every=0.001, piece=1):
    """Send in pieces with a pause between."""
    def step(conn):
        for i in range(0, len(data), piece):
            conn.sock.sendall(data[i:i + piece])
            time.sleep(every)
    return step


def chunks(*parts, last=True, trailers=(), every=0):
    """Send a chunked body; without `last` it stays open-ended."""
    def step(conn):
        for part in parts:
            conn.sock.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            if every:
                time.sleep(every)
        if last:
            conn.sock.sendall(b"0\r\n" + b"".join(t + b"\r\n" for t in trailers) + b"\r\n")
    return step


def pause(seconds):
    return lambda conn: time.sleep(seconds)


def read_head():
    """Read the next request's head (in connection scripts; path scripts have it already)."""
    return lambda conn: conn.next_head()


def read_body():
    """Read the body of the present request."""
    return lambda conn: conn.finish_request()


def read(n):
    """Read n raw bytes."""
    return lambda conn: conn.reader.exactly(n)


def read_eof():
    """Read until the daemon ends its side."""
    return lambda conn: conn.reader.rest()


def wait(event):
    """Go on when the test sets the event."""
    def step(conn):
        if not event.wait(SOON):
            raise Closed
    return step


def signal(event):
    return lambda conn: event.set()


def call(function):
    """Anything else: function(conn)."""
    return function


def half_close():
    return lambda conn: conn.sock.shutdown(socket.SHUT_WR)


def close():
    """An orderly end (FIN, or RST by the kernel if bytes are unread: use read_body before)."""
    def step(conn):
        raise Closed
    return step


def reset():
    """RST."""
    def step(conn):
        hard_reset(conn.sock)
        raise Closed
    return step


def serve():
    """Go on as a normal origin: request by request, scripts by path."""
    return lambda conn: conn.serve()


# -- the server -----------------------------------------------------------------------------------

class Conn:
    """One accepted connection: .received is every byte, .requests the heads parsed so far."""

    def __init__(self, origin, sock, peer, number):
        self.origin = origin
        self.sock = sock
        self.peer = peer
        self.here = sock.getsockname()    # the address that was dialled
        self.number = number
        self.received = bytearray()
        self.requests = []
        self.current = None
        self.error = None
        self.closed = threading.Event()   # we are done with it
        self.ended = None                 # how the daemon ended it: "eof" or "reset"
        self.reader = Reader(sock, timeout=60, on_bytes=self._record)

    def _record(self, data):
        with self.origin.changed:
            self.received += data
            self.origin.changed.notify_all()

    def next_head(self):
        request = read_request_head(self.reader)
        if request is None:
            raise Ended(self.reader.end)
        request.conn = self
        self.current = request
        with self.origin.changed:
            if request.raw_head in self.received:   # else it came before clear(), to be forgotten
                self.requests.append(request)
                self.origin.requests.append(request)
                self.origin.changed.notify_all()
        return request

    def finish_request(self):
        if self.current:
            read_request_body(self.reader, self.current)
            with self.origin.changed:
                self.origin.changed.notify_all()

    def serve(self):
        while True:
            request = self.next_head()
            script = self.origin.script_for(request)
            if script is None:
                self.finish_request()
                body = b"" if request.method == "HEAD" else b"ok"
                self.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
            else:
                for step in script:
                    step(self)
                self.finish_request()
            if (request.get("Connection") or "").lower() == "close":
                raise Closed

    def run(self, script):
        try:
            for step in script:
                step(self)
        except Closed:
            pass
        except Ended as end:
            self.ended = end.how
        except (Malformed, Silent) as error:
            self.error = error
        except OSError as error:
            self.ended = self.ended or ("reset" if isinstance(error, ConnectionError) else "eof")
        finally:
            if not self.ended:
                self.ended = self.reader.end
            self.sock.close()
            self.closed.set()
            with self.origin.changed:
                self.origin.changed.notify_all()


class Origin:
    """Listens on a loopback port of its own until stop()."""

    def __init__(self, host="127.0.0.1", name=None, tls=None, port=None, backlog=512):
        self.host = host
        self.name = name
        self.tls = tls
        self.changed = threading.Condition()
        self.connections = []
        self.requests = []
        self._paths = {}
        self._next = queue.SimpleQueue()
        self._own_port = port is None
        self.port = free_port() if port is None else port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, self.port))
        self._listener.listen(backlog)
        self._running = True
        threading.Thread(target=self._accept, daemon=True).start()

    # what to do

    def at(self, path, *script):
        """Run the script for each request to this path (the path of the target, with its query)."""
        self._paths[path] = list(script)

    def unscript(self):
        """No path has a script any more."""
        self._paths.clear()

    def answer(self, path, raw):
        """Read the request, then send these bytes."""
        self.at(path, read_body(), send(raw))

    def next(self, *script):
        """Script the whole of the next new connection."""
        self._next.put(list(script))

    def script_for(self, request):
        return self._paths.get(request.target)

    # where it is

    @property
    def authority(self):
        host = self.name or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{host}:{self.port}"

    def url(self, path="/"):
        return f"http://{self.authority}{path}"

    # what it saw

    def clear(self):
        """Forget what was seen; connections stay open."""
        with self.changed:
            self.requests.clear()
            self.connections = [c for c in self.connections if not c.closed.is_set()]
            for conn in self.connections:
                conn.received.clear()
                conn.requests.clear()

    def received(self):
        """The bytes of each connection since clear(), those with none left out."""
        with self.changed:
            return [bytes(c.received) for c in self.connections if c.received]

    def errors(self):
        """What the daemon sent that is not HTTP."""
        return [c.error for c in self.connections if c.error]

    def paths(self):
        with self.changed:
            return [r.target for r in self.requests]

    def until(self, condition, timeout=SOON):
        """Wait until condition(self) holds; gives its value, or fails."""
        with self.changed:
            end = time.monotonic() + timeout
            while not (value := condition(self)):
                if not self.changed.wait(max(0, end - time.monotonic())):
                    if time.monotonic() >= end:
                        ran_out()
                        raise AssertionError(f"the origin waited in vain; it saw {self.requests}")
            return value

    def request(self, path, timeout=SOON):
        """The first complete request to this path since clear()."""
        return self.until(lambda o: next((r for r in o.requests if r.target == path
                                          and r.complete), None), timeout)

    def head(self, path, timeout=SOON):
        """The same, complete or not."""
        return self.until(lambda o: next((r for r in o.requests if r.target == path), None), timeout)

    def all_closed(self, timeout=SOON):
        """Wait until the daemon has ended every connection."""
        return self.until(lambda o: all(c.closed.is_set() for c in o.connections) or None, timeout)

    def stop(self):
        self._running = False
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for conn in list(self.connections):
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self._own_port:
            release(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def _accept(self):
        while self._running:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(sock, peer), daemon=True).start()

    def _one(self, sock, peer):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            try:
                sock.settimeout(SOON)
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                return
        sock = xor.wrap(sock)
        try:
            script = self._next.get_nowait()
        except queue.Empty:
            script = [serve()]
        with self.changed:
            conn = Conn(self, sock, peer, len(self.connections))
            self.connections.append(conn)
            self.changed.notify_all()
        conn.run(script)
