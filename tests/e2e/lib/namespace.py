"""A network of one's own: run a function in a private network namespace, where every port is free and
every address may be had.

    def inside(private): …     # asserts as usual; no fixture that threads
    in_namespace(inside, addresses=["10.1.2.3"], routes=["1.2.3.0/24"])

It needs root or user namespaces. Where neither is to be had, the function runs where it is, under a
lock that all test runs of this machine share, and the addresses are missing: it is told by the value
of `private`, its only argument, and leaves out what needs them. That test is then skipped, visibly;
one that leaves out nothing says `whole=True`.
"""
import ctypes
import fcntl
import os
import signal
import socket
import struct
import tempfile
import traceback

from .skip import skip

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_IFF_UP, _SIOCSIFFLAGS, _SIOCGIFFLAGS = 1, 0x8914, 0x8913
_LO, _NEWADDR, _NEWROUTE = 1, 20, 24
_PARTLY = b"fine, without a namespace"


def _unshare():
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.unshare(_NEWNET) == 0:
        return True
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_NEWUSER | _NEWNET) != 0:
        return False
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as f:
                f.write(text)
    except OSError:
        return False
    return True


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack("16xH", fcntl.ioctl(s, _SIOCGIFFLAGS, name + bytes(16))[:18])[0]
        fcntl.ioctl(s, _SIOCSIFFLAGS, name + struct.pack("H14x", flags | _IFF_UP))


def _netlink(kind, body):
    """One rtnetlink request that makes something, and its acknowledgement."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.bind((0, 0))
        s.send(struct.pack("IHHII", 16 + len(body), kind, 0x1 | 0x4 | 0x200 | 0x400, 1, 0) + body)
        error = struct.unpack("i", s.recv(4096)[16:20])[0]
        if error:
            raise OSError(-error, os.strerror(-error))


def _attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data


def _add_address(text):
    ip = socket.inet_aton(text)
    _netlink(_NEWADDR, struct.pack("BBBBI", socket.AF_INET, 32, 0, 0, _LO) + _attribute(1, ip)
             + _attribute(2, ip))


def _add_local_route(text):
    """All of a network is delivered here, though no interface has an address of it."""
    network, _, bits = text.partition("/")
    head = struct.pack("BBBBBBBBI", socket.AF_INET, int(bits), 0, 0, 255, 4, 254, 2, 0)
    _netlink(_NEWROUTE, head + _attribute(1, socket.inet_aton(network)) + _attribute(4, struct.pack("I", _LO)))


def _child(function, addresses, routes, write):
    try:
        private = _unshare()
        if private:
            _loopback_up()
            for text in addresses:
                _add_address(text)
            for text in routes:
                _add_local_route(text)
            function(True)
        else:
            with open(os.path.join(tempfile.gettempdir(), f"proxyd-e2e-alone.{os.getuid()}"), "w",
                      encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                function(False)
        os.write(write, b"fine" if private else _PARTLY)
    except BaseException:   # noqa: BLE001  pytest's failures are no Exception
        os.write(write, traceback.format_exc()[-60000:].encode())


def in_namespace(function, addresses=(), routes=(), whole=False):
    """Run function(private) in a child process of its own; its failure is ours."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(read)
        _child(function, addresses, routes, write)
        os._exit(0)
    os.close(write)
    said = b""
    while piece := os.read(read, 65536):
        said += piece
    os.close(read)
    os.waitpid(pid, 0)
    try:
        os.killpg(pid, signal.SIGKILL)   # what it had started and, having failed, not ended
    except ProcessLookupError:
        pass
    assert said in (b"fine", _PARTLY), f"in the namespace:\n{said.decode(errors='replace')}"
    if said == _PARTLY and not whole:
        skip("a network namespace needs root or user namespaces: some of this test did not run")
