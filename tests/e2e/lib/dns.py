"""A scripted resolver on a loopback port, over UDP and TCP: it answers, lies, stalls and counts.

dnsmasq (lib/parts.py) is the real one; this is for what dnsmasq will not do: TTLs of one's choice,
answers that change, SERVFAIL, silence, truncation, garbage.
"""
import ipaddress
import socket
import struct
import threading
import time

from .ports import free_port, release

A, AAAA, CNAME = 1, 28, 5
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5


class Drop(Exception):
    """Raised by a script: no answer at all."""


def _name(text):
    out = b""
    for label in text.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode("latin-1")
    return out + b"\0"


def _question(packet):
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    kind, _ = struct.unpack("!HH", packet[at + 1:at + 5])
    return ".".join(labels).lower(), kind, packet[12:at + 5]


class Dns:
    """set(name, addresses…, ttl=) defines; script(name, function) takes over one name.

    A script gets (name, type) and gives a list of addresses, a response code, bytes (the raw
    packet, its id replaced), or raises Drop; it may sleep. Unknown names are NXDOMAIN.
    """

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.port = free_port()
        self.queries = []   # (name, type, "udp" | "tcp")
        self.silent = False
        self.dead_zone = None   # names that end so are never answered
        self.edns = 0           # questions with an OPT record
        self.to_edns = None     # what they get: a response code, or Drop
        self.negative_ttl = 60
        self._names = {}
        self._ttl = {}
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)   # many questions at once on a busy machine
        self._udp.bind((host, self.port))
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind((host, self.port))
        self._tcp.listen(64)
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    @property
    def server(self):
        return f"{self.host}:{self.port}"

    def set(self, name, *addresses, ttl=60, truncate=False, delay=0):
        def answer(_, kind):
            if delay:
                time.sleep(delay)
            wanted = 4 if kind == A else 6
            return [a for a in addresses if ipaddress.ip_address(a).version == wanted]
        answer.truncate = truncate
        self._names[name.lower()] = answer
        self._ttl[name.lower()] = ttl

    def script(self, name, function, ttl=60):
        self._names[name.lower()] = function
        self._ttl[name.lower()] = ttl

    def alias(self, name, target, ttl=60, last=False):
        """CNAME; the target's addresses come in the same answer, behind it or (last) before it."""
        self._names[name.lower()] = ("alias", target.lower(), last)
        self._ttl[name.lower()] = ttl

    def count(self, name, kind=None):
        return sum(1 for n, k, _ in self.queries if n == name.lower() and kind in (None, k))

    def stop(self):
        self._udp.close()
        self._tcp.close()
        release(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def _answer(self, packet, via):
        name, kind, question = _question(packet)
        self.queries.append((name, kind, via))
        if self.silent or (self.dead_zone and name.endswith(self.dead_zone)):
            raise Drop
        if packet[11]:
            self.edns += 1
            if self.to_edns is Drop:
                raise Drop
            if self.to_edns is not None:
                return packet[:2] + struct.pack("!HHHHH", 0x8180 | self.to_edns, 1, 0, 0, 0) + question
        records, code, truncated, owner = [], NOERROR, False, name
        script = self._names.get(name)
        ttl = self._ttl.get(name, 60)
        if isinstance(script, tuple):
            owner = script[1]
            records.append((name, CNAME, ttl, _name(owner)))
            script = self._names.get(owner)
        if script is None:
            code = NXDOMAIN
        else:
            truncated = via == "udp" and getattr(script, "truncate", False)
            result = script(owner, kind)
            if isinstance(result, bytes):
                return packet[:2] + result[2:]
            if isinstance(result, int):
                code = result
            else:
                for address in result:
                    parsed = ipaddress.ip_address(address)
                    mine = A if parsed.version == 4 else AAAA
                    if mine == kind:
                        records.append((owner, mine, ttl, parsed.packed))
        if isinstance(self._names.get(name), tuple) and self._names[name][2]:
            records.reverse()
        if truncated:
            records = []
        authority = b""
        if code == NXDOMAIN or not records:
            soa = _name("ns.test") + _name("root.test") + struct.pack(
                "!IIIII", 1, 60, 60, 60, self.negative_ttl)
            authority = _name("test") + struct.pack("!HHIH", 6, 1, self.negative_ttl, len(soa)) + soa
        flags = 0x8180 | code | (0x0200 if truncated else 0)
        head = packet[:2] + struct.pack("!HHHHH", flags, 1, len(records), 1 if authority else 0, 0)
        body = b"".join(_name(n) + struct.pack("!HHIH", t, 1, life, len(d)) + d
                        for n, t, life, d in records)
        return head + question + body + authority

    def _serve_udp(self):
        while True:
            try:
                packet, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            threading.Thread(target=self._one_udp, args=(packet, peer), daemon=True).start()

    def _one_udp(self, packet, peer):
        try:
            self._udp.sendto(self._answer(packet, "udp"), peer)
        except (Drop, OSError, IndexError, struct.error):
            pass

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._one_tcp, args=(sock,), daemon=True).start()

    def _one_tcp(self, sock):
        with sock:
            sock.settimeout(10)
            try:
                while length := sock.recv(2, socket.MSG_WAITALL):
                    packet = sock.recv(struct.unpack("!H", length)[0], socket.MSG_WAITALL)
                    reply = self._answer(packet, "tcp")
                    sock.sendall(struct.pack("!H", len(reply)) + reply)
            except (Drop, OSError, IndexError, struct.error):
                pass
