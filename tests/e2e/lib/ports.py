"""Free loopback ports, without two tests (or two test runs) ever taking the same one.

A port is taken below the kernel's ephemeral range, so that no outgoing connection can steal it
between our look and the server's bind, and is held by a lock on one byte of a shared file, so that
parallel runs keep away from each other.
"""
import fcntl
import os
import random
import socket
import tempfile
import threading

_LOW = 10240
_guard = threading.Lock()
_held = set()
_file = None


def _high():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    return first if first > _LOW + 1000 else 65000


def _lock(port):
    global _file
    if _file is None:
        path = os.path.join(tempfile.gettempdir(), f"proxyd-e2e-ports.{os.getuid()}")
        _file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return True
    except OSError:
        return False


def _unlock(port):
    fcntl.lockf(_file, fcntl.LOCK_UN, 1, port)


def _bindable(port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as s:
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    s.bind((address, port))
                except OSError:
                    return False
    return True


def free_port():
    """A port number nobody listens on, TCP and UDP, IPv4 and IPv6; ours until release()."""
    high = _high()
    with _guard:
        for _ in range(2000):
            port = random.SystemRandom().randrange(_LOW, high)
            if port in _held or not _lock(port):
                continue
            if _bindable(port):
                _held.add(port)
                return port
            _unlock(port)
    raise RuntimeError("no free port found")


def release(port):
    """Give a port back. Its next user has to cope with TIME_WAIT, so free_port() looks again."""
    with _guard:
        if port in _held:
            _held.discard(port)
            _unlock(port)
