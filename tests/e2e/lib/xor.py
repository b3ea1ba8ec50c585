"""The other end of tests/xor_stream.c, where a test has switched it on: a greeting of one byte each way, every
byte XORed. It stands in for TLS, so what the tests' client and origin do to their sockets stays as it is.
"""
import contextlib
import os

from . import daemon

KEY = 0x5A
HELLO = b"\xa5"
TABLE = bytes(i ^ KEY for i in range(256))

_on = False


class Socket:
    """A socket whose bytes are XORed; everything else is the socket's own."""

    def __init__(self, sock):
        self._sock = sock
        self._greeted = False
        try:
            sock.sendall(HELLO)
        except OSError:
            pass   # whoever reads will learn it

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def sendall(self, data):
        self._sock.sendall(bytes(data).translate(TABLE))

    def send(self, data):
        return self._sock.send(bytes(data).translate(TABLE))

    def recv(self, n, *flags):
        data = self._sock.recv(n, *flags)
        if data and not self._greeted:
            assert data[:1] == HELLO, data
            self._greeted = True
            data = data[1:] or self._sock.recv(n, *flags)
        return data.translate(TABLE)


def wrap(sock):
    return Socket(sock) if _on else sock


@contextlib.contextmanager
def everywhere(splits):
    """Daemons, clients and origins made inside speak it; the daemon's connections take the splits in turn."""
    global _on
    plain = daemon.BINARY
    here = plain.parent if plain.parent.name == "bin" else plain.parent / "release/bin"
    daemon.BINARY = here / "xor_proxyd"
    os.environ["XOR_SPLITS"] = " ".join(map(str, splits))
    _on = True
    try:
        yield
    finally:
        _on = False
        daemon.BINARY = plain
        del os.environ["XOR_SPLITS"]
