"""Bytes through a tunnel: nothing is lost, added or reordered in either direction, spliced or not."""
import hashlib
import socket
import threading
import time

import pytest

from lib import conf, metrics
from lib.echo_server import pattern
from lib.origin import call, close, send
from lib.times import SOON, Stopwatch, until, within
from lib.tunnel import Tunnel, flood, tunnel_pair

RIG = conf.forward(extra=metrics.ADMIN)


# -- bulk and splice ------------------------------------------------------------------------------

MEGABYTES = 96


class Source(threading.Thread):
    """Sends pattern bytes and keeps their checksum; ends its direction when done."""

    def __init__(self, sock, megabytes, seed):
        super().__init__(daemon=True)
        self.sock, self.megabytes = sock, megabytes
        self.block = hashlib.sha256(str(seed).encode()).digest() * (1 << 15)   # 1 MB, not of a power of two
        self.sum = hashlib.sha256()
        self.error = None

    def run(self):
        try:
            self.sock.settimeout(within(60))
            for i in range(self.megabytes):
                block = self.block[i * 7 % 32:] + bytes([i & 255]) * (i * 7 % 32)
                self.sum.update(block)
                self.sock.sendall(block)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error


def receive_all(sock, delay=0.0):
    total, digest = 0, hashlib.sha256()
    sock.settimeout(within(60))
    while data := sock.recv(1 << 18):
        total += len(data)
        digest.update(data)
        if delay:
            time.sleep(delay)
    return total, digest.hexdigest()


class Sink(threading.Thread):
    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.result = sock, None

    def run(self):
        self.result = receive_all(self.sock)


@pytest.mark.slow("bulk, through Python on both sides")
@pytest.mark.parametrize("way", ["up", "down", "both"])
def test_bulk_is_spliced_and_whole(rig, way):
    before = metrics.calm(rig.proxyd)
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    up = Source(client.sock, MEGABYTES if way in ("up", "both") else 0, "up")
    down = Source(remote, MEGABYTES if way in ("down", "both") else 0, "down")
    sink = Sink(remote)
    up.start(), down.start(), sink.start()
    got_down = receive_all(client.sock)
    sink.join(within(60)), up.join(within(60)), down.join(within(60))
    assert up.error is None and down.error is None
    assert sink.result == ((up.megabytes << 20), up.sum.hexdigest())
    assert got_down == ((down.megabytes << 20), down.sum.hexdigest())
    hold.set()
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    grown = metrics.grown(rig.proxyd, before)
    assert grown.get("tunnel_bytes_total from_client", 0) == up.megabytes << 20
    assert grown.get("tunnel_bytes_total to_client", 0) == down.megabytes << 20
    assert grown["tunnel_spliced_total"] == (2 if way == "both" else 1)
    line = until(lambda: [l for l in rig.proxyd.log(f"CONNECT {rig.origin.authority}")
                          if int(l.get("in")) + int(l.get("out")) >= MEGABYTES << 20][-1:])[0]
    assert int(line.get("in")) - (up.megabytes << 20) in range(0, 400)
    assert int(line.get("out")) - (down.megabytes << 20) in range(0, 400)


def test_short_tunnels_are_not_spliced(rig):
    before = metrics.calm(rig.proxyd)
    for size in (1, 100_000, 500_000):
        rig.origin.next(send(pattern(size)), close())
        with Tunnel(rig.port, rig.origin.authority) as client:
            assert client.rest() == pattern(size)
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    grown = metrics.grown(rig.proxyd, before)
    assert "tunnel_spliced_total" not in grown and grown["tunnel_bytes_total to_client"] == 600_001


@pytest.mark.slow("a reader that is slow")
@pytest.mark.parametrize("megabytes", [0, 8])
def test_a_slow_reader_holds_the_sender_back(rig, megabytes):
    """Back-pressure by not reading: what the reader does not take stays with the sender."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin, rcvbuf=65536)
    if megabytes:   # long enough to be spliced first
        source = Source(remote, megabytes, "x")
        source.sock = remote.dup()
        data = pattern(1 << 20)
        sender = threading.Thread(target=lambda: [remote.sendall(data) for _ in range(megabytes)], daemon=True)
        sender.start()
        client.exactly(megabytes << 20)
        sender.join(SOON)
    memory = rig.proxyd.memory()
    sent = flood(remote)
    assert rig.proxyd.memory() - memory < 4 << 20
    remote.shutdown(socket.SHUT_WR)
    total, _ = receive_all(client.sock)
    assert total == sent
    hold.set()
    client.close()


def test_urgent_data_in_a_spliced_tunnel(rig):
    """Splice stops before the mark as if nothing were there; what lies behind it must still come."""
    before = metrics.calm(rig.proxyd)
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    data = pattern(1 << 20)
    sender = threading.Thread(target=lambda: [client.sock.sendall(data) for _ in range(16)], daemon=True)
    sender.start()
    left = 16 << 20
    while left:
        left -= len(remote.recv(min(left, 1 << 20)))
    sender.join(SOON)
    metrics.wait(rig.proxyd, "tunnel_spliced_total", before["tunnel_spliced_total"] + 1)
    client.sock.send(b"!", socket.MSG_OOB)
    client.send(b"TAIL")
    remote.settimeout(SOON)
    assert remote.recv(4, socket.MSG_WAITALL) == b"TAIL"
    hold.set()
    client.close()
    remote.close()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


def test_interleaved_small_messages(rig):
    """Ping-pong through one tunnel: each byte arrives without waiting for a companion."""
    def echo(conn):
        while data := conn.sock.recv(4096):
            conn.sock.sendall(data)
    rig.origin.next(call(echo))
    with Tunnel(rig.port, rig.origin.authority) as client, Stopwatch() as watch:
        for i in range(500):
            message = b"%d" % i
            client.send(message)
            assert client.exactly(len(message)) == message
    assert watch.seconds < within(5)


@pytest.mark.slow("a pipe is given back after two seconds")
def test_spliced_then_quiet_then_busy(rig):
    """A pipe is given back after a pause, and the tunnel goes on as if nothing had been."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    base = rig.proxyd.descriptors()

    def spliced():
        return metrics.read(rig.proxyd)["tunnel_spliced_total"]
    for _ in range(2):
        before = spliced()
        data = pattern(4 << 20)
        end = time.monotonic() + within(10)
        while spliced() == before and time.monotonic() < end:
            sender = threading.Thread(target=remote.sendall, args=(data,), daemon=True)
            sender.start()
            time.sleep(0.05)   # what waits is read in large pieces, however busy the machine
            assert client.exactly(len(data)) == data
            sender.join(SOON)
        assert spliced() > before
        assert until(lambda: rig.proxyd.descriptors() <= base, within(6)), "the pipe stays open"
        before = spliced()
        client.send(b"ping")
        assert remote.recv(10) == b"ping"
        remote.sendall(b"pong")
        assert client.exactly(4) == b"pong"
        assert spliced() == before, "a pipe for four bytes"
    hold.set()
    client.close()


def test_reset_of_a_spliced_tunnel(rig):
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    before = metrics.calm(rig.proxyd)
    stop = threading.Event()

    def pour():
        try:
            while not stop.is_set():
                remote.sendall(b"y" * 65536)
        except OSError:
            pass
    sender = threading.Thread(target=pour, daemon=True)
    sender.start()
    for _ in range(100):   # on a busy machine the reads may stay small for a while
        client.exactly(1 << 20)
        if metrics.read(rig.proxyd)["tunnel_spliced_total"] > before["tunnel_spliced_total"]:
            break
    else:
        raise AssertionError("it is not spliced")
    client.reset()
    sender.join(within(3))
    assert not sender.is_alive(), "the target may go on sending into nothing"
    hold.set()
    metrics.wait(rig.proxyd, "tunnels_open", 0)
