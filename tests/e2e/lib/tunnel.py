"""Tunnels: a client whose CONNECT has been answered, and the other side's socket."""
import socket
import threading

from lib.client import Client
from lib.origin import call
from lib.times import SOON, within


def connect(authority, *fields, version="1.1", host=None):
    lines = [f"CONNECT {authority} HTTP/{version}", f"Host: {host or authority}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Tunnel(Client):
    """A client whose CONNECT has been answered with 200."""

    def __init__(self, port, authority, **how):
        super().__init__(port, **how)
        answer = self.ask(connect(authority))
        assert answer.status == 200, answer


def tunnel_pair(port, target, **how):
    """(client, socket of the target's side) with a tunnel between."""
    accepted = []
    there = threading.Event()

    def take(conn):
        accepted.append(conn.sock)
        there.set()
        hold.wait(60)

    hold = threading.Event()
    target.next(call(take))
    client = Tunnel(port, target.authority, **how)
    assert there.wait(SOON)
    accepted[0].settimeout(SOON)
    return client, accepted[0], hold


def flood(sock, most=96 << 20):
    """Send until nobody takes any more. The kernels' own buffers take up to 40 MB on the way."""
    sock.settimeout(within(0.3))
    sent = 0
    try:
        while sent < most:
            sent += sock.send(b"x" * 65536)
    except (socket.timeout, TimeoutError, BlockingIOError):
        sock.settimeout(SOON)
        return sent
    raise AssertionError("somebody buffers without bound")
