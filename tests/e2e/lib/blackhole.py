"""A destination that neither accepts nor refuses: a listener on loopback whose queue is full, so that
the kernel drops every further SYN. What a firewall that drops looks like to a client.
"""
import socket
import time

from .times import SOON


class BlackHole:
    """`with BlackHole("::1", port):` connections to it stay half-open until they give up."""

    def __init__(self, host, port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.family, self.address = family, (host, port)
        self._sockets = []
        listener = socket.socket(family, socket.SOCK_STREAM)
        self._sockets.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(self.address)
        listener.listen(0)
        end = time.monotonic() + SOON
        while self._connects():
            assert time.monotonic() < end, "the queue never fills"

    def _connects(self):
        """One more connection into the queue; False when it is full."""
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        sock.settimeout(0.1)
        self._sockets.append(sock)
        try:
            sock.connect(self.address)   # a wildcard is this machine
            return True
        except (socket.timeout, TimeoutError):
            return False

    def close(self):
        for sock in self._sockets:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
