"""A network that leads through a router, in network namespaces that the test makes: nothing leaves them.

    client 10.77.1.2 ── 10.77.1.1 router 10.77.2.1 ── server 93.184.216.0/24 (and the same with IPv6)

    with Lan() as lan:
        with lan.server: origin = Origin(host="93.184.216.34", port=80)
        with lan.router: daemon = proxyd(…)
        lan.rules("table ip …")
        with lan.client: Client(80, "93.184.216.34")

Inside `with`, what this thread makes (sockets, programs) belongs to that namespace, and stays there. The
addresses of the server are public ones, so that policies treat them as such.
"""
import ctypes
import itertools
import os
import subprocess
import threading

from .skip import need, skip

CLIENT, ROUTER, SERVER = "10.77.1.2", "10.77.1.1", "93.184.216.34"
CLIENT6, ROUTER6, SERVER6 = "fd77:1::2", "fd77:1::1", "2a00:1450:4001::34"
OTHER, OTHER6 = "93.184.216.35", "2a00:1450:4001::35"

_NEWNET = 0x40000000
_number = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, _NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


class Place:
    """One namespace. It lasts as long as this object and what was made in it."""

    def __init__(self, name):
        self.name = name
        self.stack = threading.local()
        done = []

        def make():   # in a thread of its own, which leaves the others where they are
            if _libc.unshare(_NEWNET) == 0:
                done.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not done:
            skip("network namespaces need root")
        self.fd = done[0]

    def __enter__(self):
        outside = self.stack.__dict__.setdefault("outside", [])
        outside.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _setns(self.fd)
        return self

    def __exit__(self, *error):
        fd = self.stack.outside.pop()
        _setns(fd)
        os.close(fd)

    def run(self, *words, text=None):
        """A program inside; its output."""
        with self:
            done = subprocess.run([need(words[0]), *words[1:]], input=text, capture_output=True, text=True)
        assert done.returncode == 0, (words, text, done.stderr)
        return done.stdout

    def ip(self, *lines):
        for line in lines:
            self.run("ip", *line.split())

    def sysctl(self, **values):
        with self:
            for name, value in values.items():
                with open("/proc/sys/" + name.replace("__", "/"), "w", encoding="ascii") as f:
                    f.write(str(value))


class Lan:
    def __init__(self, client=True):
        """Without `client` the router has only the server's side."""
        if os.geteuid() != 0:
            skip("network namespaces need root")
        need("nft")
        self.client, self.router, self.server = Place("client"), Place("router"), Place("server")
        number = f"{os.getpid() % 100000}{next(_number)}"
        if client:
            self._join(self.client, "lan0", self.router, "lan0", "l" + number)
        self._join(self.server, "wan0", self.router, "wan0", "w" + number)
        for place in (self.client, self.router, self.server):
            place.ip("link set lo up")
        if client:
            self.client.ip(f"addr add {CLIENT}/24 dev lan0", f"-6 addr add {CLIENT6}/64 dev lan0 nodad",
                           "link set lan0 up", f"route add default via {ROUTER}", f"-6 route add default via {ROUTER6}")
            self.router.ip(f"addr add {ROUTER}/24 dev lan0", f"-6 addr add {ROUTER6}/64 dev lan0 nodad", "link set lan0 up")
        self.router.ip("addr add 10.77.2.1/24 dev wan0", "-6 addr add fd77:2::1/64 dev wan0 nodad", "link set wan0 up",
                       "route add default via 10.77.2.2", "-6 route add default via fd77:2::2")
        self.router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        self.server.ip("addr add 10.77.2.2/24 dev wan0", "-6 addr add fd77:2::2/64 dev wan0 nodad", "link set wan0 up",
                       "route add default via 10.77.2.1", "-6 route add default via fd77:2::1",
                       "route add local 93.184.216.0/24 dev lo", "-6 route add local 2a00:1450:4001::/64 dev lo")
        self.server.sysctl(net__ipv6__ip_nonlocal_bind=1)

    @staticmethod
    def _join(one, name, other, other_name, temporary):
        """A cable between two places."""
        one.run("ip", "link", "add", name, "type", "veth", "peer", "name", temporary)
        one.run("ip", "link", "set", temporary, "netns", f"/proc/{os.getpid()}/fd/{other.fd}")
        other.ip(f"link set {temporary} name {other_name}")

    def rules(self, text):
        """nftables rules in the router, instead of those that were there."""
        self.router.run("nft", "-f", "-", text="flush ruleset\n" + text)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for place in (self.client, self.router, self.server):
            os.close(place.fd)
