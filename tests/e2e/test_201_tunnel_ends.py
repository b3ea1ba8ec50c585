"""How a tunnel ends: each direction on its own, an abrupt end stays abrupt, and none lasts longer than the
administrator allowed.
"""
import select
import socket
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, hard_reset
from lib.echo_server import pattern
from lib.origin import call, close, half_close, read_eof, send, wait
from lib.times import SOON, Stopwatch, until, within
from lib.tunnel import Tunnel, connect, flood, tunnel_pair

RIG = conf.forward(extra=metrics.ADMIN)


# -- how it ends ----------------------------------------------------------------------------------

def test_client_half_closes(rig):
    """The target sees the end, and everything it says afterwards still arrives."""
    go = threading.Event()
    rig.origin.next(read_eof(), send(b"one"), wait(go), send(b"two"), close())
    with Tunnel(rig.port, rig.origin.authority) as client:
        client.send(b"question")
        client.half_close()
        assert client.exactly(3) == b"one"
        client.expect_open()
        go.set()
        assert client.rest() == b"two" and client.reader.end == "eof"
    assert rig.origin.received() == [b"question"]


def test_target_half_closes(rig):
    done = threading.Event()
    rig.origin.next(send(b"all I say"), half_close(), read_eof(), call(lambda c: done.set()), close())
    with Tunnel(rig.port, rig.origin.authority) as client:
        assert client.rest() == b"all I say" and client.reader.end == "eof"
        for _ in range(20):
            client.send(b"more")
            assert client.send_error is None
            time.sleep(0.005)
        assert not done.is_set()
        client.half_close()
        assert done.wait(SOON)
    assert rig.origin.received() == [b"more" * 20]


def test_both_half_close_and_nothing_is_left(rig):
    before = metrics.calm(rig.proxyd)
    descriptors = rig.proxyd.descriptors()
    for _ in range(20):
        rig.origin.next(half_close(), read_eof(), close())
        with Tunnel(rig.port, rig.origin.authority) as client:
            client.half_close()
            assert client.rest() == b""
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    assert metrics.grown(rig.proxyd, before)["tunnels_total"] == 20
    assert until(lambda: rig.proxyd.descriptors() <= descriptors + 2)


def test_target_closes(rig):
    rig.origin.next(send(b"bye"), close())
    with Tunnel(rig.port, rig.origin.authority) as client:
        assert client.rest() == b"bye" and client.reader.end == "eof"


def was_reset(sock):
    """True for a reset, False for an orderly end; data before it is skipped."""
    try:
        while sock.recv(1 << 16):
            pass
        return False
    except ConnectionResetError:
        return True


def fill_way(client, remote, direction):
    """Bring the tunnel into the state in which a reset is to be noticed."""
    if direction == "busy":
        client.send(b"a" * 3_000_000)
        got = 0
        while got < 3_000_000:
            got += len(remote.recv(1 << 16))
    elif direction == "client-blocked":
        flood(client.sock)
    elif direction == "target-blocked":
        flood(remote)
    elif direction == "client-ended":
        client.half_close()
        assert remote.recv(1) == b""
    elif direction == "target-ended":
        remote.shutdown(socket.SHUT_WR)
        assert client.sock.recv(1) == b""
    elif direction == "both-blocked":
        flood(client.sock)
        flood(remote)


STATES = ["quiet", "busy", "client-blocked", "target-blocked", "both-blocked", "client-ended", "target-ended"]


@pytest.mark.slow("until both directions are full")
@pytest.mark.parametrize("state", [s for s in STATES if s != "client-ended"])
def test_reset_by_the_client(rig, state):
    """An abrupt end must not look orderly, whatever the tunnel was doing; and it is seen at once."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    fill_way(client, remote, state)
    client.reset()
    with Stopwatch() as watch:
        assert was_reset(remote)
    assert watch.seconds < within(2)
    hold.set()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


@pytest.mark.slow("until both directions are full")
@pytest.mark.parametrize("state", [s for s in STATES if s != "target-ended"])
def test_reset_by_the_target(rig, state):
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    fill_way(client, remote, state)
    hard_reset(remote)
    with Stopwatch() as watch:
        assert was_reset(client.sock)
    assert watch.seconds < within(2)
    hold.set()
    client.close()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


@pytest.mark.parametrize("who", ["client", "target"])
def test_reset_after_its_own_end(rig, who):
    """It half-closed and then died: nothing of it is read any more, yet its reset is noticed."""
    client, remote, hold = tunnel_pair(rig.port, rig.origin)
    ours = client.sock
    first, other = (ours, remote) if who == "client" else (remote, ours)
    first.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    hard_reset(first)
    poll = select.poll()
    poll.register(other, 0)   # errors only: the end itself is always there to be read
    got = poll.poll(within(2) * 1000)
    assert got and got[0][1] & select.POLLERR, "the reset was not passed on"
    hold.set()
    client.close()
    metrics.wait(rig.proxyd, "tunnels_open", 0)


def test_reset_before_the_answer(rig, origin):
    """The client is gone while the proxy still connects: nothing is left behind."""
    before = metrics.calm(rig.proxyd)
    for _ in range(20):
        client = Client(rig.port)
        client.send(connect(origin.authority))
        client.reset()
    metrics.wait(rig.proxyd, "connections_total", 20, since=before)
    metrics.wait(rig.proxyd, "connections_open", 0, since=before)
    metrics.wait(rig.proxyd, "tunnels_open", 0)
    metrics.wait(rig.proxyd, "requests_in_flight", 0)
    origin.all_closed()


# -- limits ---------------------------------------------------------------------------------------

def limited(proxyd, timeouts):
    return proxyd(conf.forward(extra=metrics.ADMIN + f" timeouts {{ {timeouts} }}"))


@pytest.mark.parametrize("megabytes", [0, 4])
def test_idle_limit(proxyd, origin, megabytes):
    # covers: timeouts tunnel-idle
    daemon = limited(proxyd, "tunnel-idle 300ms;")
    origin.next(send(pattern(megabytes << 20)), read_eof(), close())
    with Tunnel(daemon.port, origin.authority) as client:
        client.exactly(megabytes << 20)
        with Stopwatch() as watch:
            client.expect_closed()
    assert 0.2 < watch.seconds < within(3)
    line = daemon.wait_log("CONNECT")
    assert line.get("cause") == "tunnel_idle_timeout" and int(line.get("out")) >= megabytes << 20
    metrics.wait(daemon, "fault tunnel_idle_timeout", 1)
    metrics.wait(daemon, "tunnels_open", 0)
    origin.all_closed()


@pytest.mark.parametrize("way", ["up", "down"])
def test_one_direction_keeps_it_alive(proxyd, origin, way):
    daemon = limited(proxyd, "tunnel-idle 500ms;")
    client, remote, hold = tunnel_pair(daemon.port, origin)
    source, sink = (client.sock, remote) if way == "up" else (remote, client.sock)
    for _ in range(15):
        source.sendall(b"x")
        assert sink.recv(1) == b"x"
        time.sleep(0.1)
    hold.set()
    client.close()
    assert daemon.wait_log("CONNECT").get("cause") is None


@pytest.mark.parametrize("busy", [False, True])
def test_lifetime_limit(proxyd, origin, busy):
    # covers: timeouts tunnel-lifetime
    daemon = limited(proxyd, "tunnel-lifetime 700ms;")
    client, remote, hold = tunnel_pair(daemon.port, origin)
    with Stopwatch() as watch:
        try:
            while watch.begin + within(5) > time.monotonic():
                if busy:
                    client.sock.sendall(b"x" * 10000)
                    remote.recv(1 << 16)
                    time.sleep(0.001)
                elif client.sock.recv(1) == b"":
                    break
        except OSError:
            pass
    assert 0.5 < watch.seconds < within(4)
    assert daemon.wait_log("CONNECT").get("cause") == "tunnel_lifetime"
    metrics.wait(daemon, "fault tunnel_lifetime", 1)
    hold.set()


def test_no_limit_by_the_other_timeouts(proxyd, origin):
    """A quiet tunnel is not a slow head, a slow body, an idle client or a late answer."""
    daemon = limited(proxyd, "head 200ms; body 200ms; idle 200ms; response 200ms; connect 2s;")
    client, remote, hold = tunnel_pair(daemon.port, origin)
    time.sleep(0.8)
    client.send(b"still")
    assert remote.recv(10) == b"still"
    remote.sendall(b"here")
    assert client.exactly(4) == b"here"
    hold.set()
    client.close()
