"""Limits: on sizes, on connections and on descriptors; each with its cause and its status, and none of them
a reason to spin.
"""
import ctypes
import os
import struct
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, chunked, fetch, request
from lib.faults import assert_refused
from lib.origin import Origin, ok, pause, read_body, send, wait
from lib.skip import skip
from lib.times import SOON, Stopwatch, until, within
from lib.wire import Silent

pytestmark = pytest.mark.threads


# -- the size of heads ----------------------------------------------------------------------------

SMALL = conf.forward(extra="limits { head 2k; line 512; fields 12; body 1000; } " + metrics.ADMIN)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    from conftest import Rig
    rig = Rig(tmp_path_factory.mktemp("small"), SMALL)
    yield rig
    rig.stop()


def second(rig, raw):
    """Ask on a connection that has had an answer already."""
    with Client(rig.port) as client:
        assert client.get(rig.url("/first")).status == 200
        return client.ask(raw)


def first(rig, raw):
    with Client(rig.port) as client:
        return client.ask(raw)


def padded(rig, size):
    """A request whose head has exactly this many bytes."""
    pads = ["X-Pad: " + "x" * 400] * 4
    left = size - len(request(rig.url("/p"), *pads, "X-Pad: "))
    return request(rig.url("/p"), *pads, "X-Pad: " + "x" * left)


@pytest.mark.parametrize("ask", [first, second])
def test_431_for_a_large_head(small, ask):
    assert ask(small, padded(small, 2048)).status == 200
    small.origin.clear()
    answer = ask(small, padded(small, 2049))
    assert_refused(answer, "head_too_large")
    assert answer.status == 431 and answer.get("Connection") == "close"
    assert "/p" not in small.origin.paths()


def test_431_for_one_long_field(small):
    """A field line is a line as well."""
    assert first(small, request(small.url("/"), "X: " + "x" * 500)).status == 200
    assert first(small, request(small.url("/"), "X: " + "x" * 600)).status == 431


@pytest.mark.parametrize("ask", [first, second])
def test_431_for_many_fields(small, ask):
    assert ask(small, request(small.url("/f"), *[f"X-{i}: {i}" for i in range(11)])).status == 200
    answer = ask(small, request(small.url("/f"), *[f"X-{i}: {i}" for i in range(12)]))
    assert_refused(answer, "too_many_fields")
    assert answer.status == 431


@pytest.mark.parametrize("ask", [first, second])
def test_414_for_a_long_line(small, ask):
    line = len("GET  HTTP/1.1\r\n") + len(small.url("/"))
    assert ask(small, request(small.url("/" + "a" * (510 - line)))).status == 200
    answer = ask(small, request(small.url("/" + "a" * (520 - line))))
    assert_refused(answer, "target_too_long")
    assert answer.status == 414


def test_414_before_the_line_has_ended(small):
    """A line without end is refused when it is too long, not when time is up."""
    with Client(small.port) as client, Stopwatch() as watch:
        client.send(b"GET " + small.url("/").encode() + b"a" * 600)
        assert_refused(client.response(), "target_too_long")
    assert watch.seconds < within(2)


@pytest.mark.parametrize("raw,status", [
    (b"GET http://x.test/" + b"a" * 600, 414), (b"GET / HTTP/1.1\r\nX-Pad: " + b"y" * 600, 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400), (b"GET / HTTP/1.1\r\nHos", 408)])
def test_the_log_counts_what_never_became_a_head(proxyd, raw, status):
    daemon = proxyd(conf.forward(extra="limits { head 2k; line 512; } timeouts { head 300ms; }"))
    with Client(daemon.port) as client:
        assert client.send(raw).response().status == status
    assert daemon.wait_log(f'"-" {status} ').get("in") == str(len(raw))


def test_an_endless_head_costs_no_more_than_its_limit(small):
    with Client(small.port) as client:
        client.send(b"GET " + small.url("/").encode() + b" HTTP/1.1\r\n")
        for _ in range(200):
            client.send(b"X-Pad: " + b"y" * 100 + b"\r\n")
            if client.send_error:
                break
        assert client.response().status == 431


# -- the size of bodies ---------------------------------------------------------------------------

def test_413_by_the_announced_length(small):
    """Refused before the origin is asked; a body of exactly the limit passes."""
    assert first(small, request(small.url("/b"), method="PUT", body=b"x" * 1000)).status == 200
    small.origin.clear()
    answer = first(small, request(small.url("/b"), method="PUT", body=b"x" * 1001))
    assert_refused(answer, "body_too_large")
    assert answer.status == 413 and small.origin.requests == []


def test_413_without_waiting_for_the_body(small):
    with Client(small.port) as client:
        client.send(request(small.url("/b"), "Content-Length: 100000", "Expect: 100-continue", method="PUT"))
        answer = client.response("PUT")
        assert answer.status == 413 and answer.interim == []


@pytest.mark.parametrize("parts", [[b"x" * 600, b"y" * 600], [b"z" * 100_000], [b"q"] * 1001])
def test_413_by_counting_chunks(small, parts):
    raw = request(small.url("/bc"), "Transfer-Encoding: chunked", method="PUT")
    assert first(small, raw + chunked(b"x" * 500, b"y" * 500)).status == 200
    small.origin.clear()
    answer = first(small, raw + chunked(*parts))
    assert_refused(answer, "body_too_large")
    assert all(len(r.body) <= 1000 and not r.complete for r in small.origin.requests)


# -- how many -------------------------------------------------------------------------------------

def test_connections_of_one_address(proxyd, origin):
    daemon = proxyd(conf.forward(extra="limits { clients-per-address 5; } " + metrics.ADMIN))
    metrics.settle(daemon)
    held = [Client(daemon.port, source="127.0.0.9") for _ in range(5)]
    for client in held:
        assert client.get(origin.url()).status == 200
    before = metrics.calm(daemon)
    with Client(daemon.port, source="127.0.0.9") as sixth:
        answer = sixth.get(origin.url("/sixth"))
        assert_refused(answer, "too_many_from_address")
        assert answer.status == 503 and answer.get("Connection") == "close"
        sixth.expect_closed()
    assert "/sixth" not in origin.paths()
    grown = metrics.grown(daemon, before)
    assert grown["fault too_many_from_address"] == 1 and grown["connections_refused_total"] == 1
    with Client(daemon.port, source="127.0.0.10") as other:
        assert other.get(origin.url()).status == 200, "another address has a count of its own"
    assert held[0].get(origin.url()).status == 200, "the established go on"
    held.pop().close()
    metrics.wait(daemon, "connections_open", 4)
    with Client(daemon.port, source="127.0.0.9") as again:
        assert again.get(origin.url()).status == 200
    for client in held:
        client.close()


@pytest.mark.slow("CPU time over one second")
@pytest.mark.parametrize("workers", [1, 2])
def test_clients_beyond_the_limit_wait(proxyd, origin, workers):
    """They are not refused: as soon as one leaves, the next is served. Nothing spins meanwhile."""
    daemon = proxyd(conf.forward(workers=workers, extra="limits { clients 4; } " + metrics.ADMIN))
    metrics.settle(daemon)
    held = [Client(daemon.port) for _ in range(4)]
    for client in held:
        assert client.get(origin.url()).status == 200
    waiting = [Client(daemon.port) for _ in range(8)]
    for client in waiting:
        client.send(request(origin.url("/waited"), "Connection: close"))
    time.sleep(0.2)
    assert metrics.read(daemon)["connections_open"] <= 4 + workers - 1
    assert metrics.read(daemon)["accept_paused_total"] > 0
    assert daemon.cpu_share(1.0) < within(0.05)
    assert held[1].get(origin.url()).status == 200, "the established go on"
    with pytest.raises(Silent):
        waiting[-1].reader.some(0.05)
    for client in held:
        client.close()
    for client in waiting:
        assert client.response(timeout=SOON).status == 200
        client.close()
    metrics.wait(daemon, "connections_open", 0)


@pytest.mark.slow("CPU time over 1.5 s")
def test_out_of_descriptors(proxyd, origin):
    """New clients wait in the queue of the kernel, no spin; established ones go on; it recovers."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN))
    with Client(daemon.port) as steady:
        assert steady.get(origin.url()).status == 200
        metrics.wait(daemon, "connections_open", 1)
        daemon.lower_descriptors(1)
        crowd = [Client(daemon.port) for _ in range(10)]
        for client in crowd:
            client.send(request(origin.url("/crowd")))
        time.sleep(0.3)
        assert daemon.cpu_share(1.5) < within(0.05)
        for _ in range(20):
            assert steady.get(origin.url("/steady")).status == 200, "it has its connections"
        daemon.restore_descriptors()
        for client in crowd:
            assert client.response(timeout=SOON).status in (200, 503)
            client.close()
        assert fetch(daemon.port, origin.url("/after")).status == 200
        assert metrics.read(daemon)["accept_paused_total"] > 0
    assert daemon.alive()


@pytest.mark.slow("CPU time over one second")
def test_out_of_descriptors_with_an_admin_client(proxyd):
    """A scrape that cannot be accepted waits as well, and its listener does not spin."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN))
    metrics.settle(daemon)
    time.sleep(0.2)
    daemon.lower_descriptors(0)
    with Client(daemon.ports["admin_port"]) as scrape:
        scrape.send(request("/healthz", host="localhost"))
        time.sleep(0.2)
        assert daemon.cpu_share(1.0) < within(0.05)
        daemon.restore_descriptors()
        assert scrape.response(timeout=SOON).status == 200


def refuse_accept():
    """In the child before exec: from here on the kernel answers accept4 with EPERM (a seccomp filter)."""
    number = {"x86_64": 288, "aarch64": 242}[os.uname().machine]
    program = b"".join(struct.pack("=HBBI", *row) for row in (
        (0x20, 0, 0, 0),             # load the number of the call
        (0x15, 0, 1, number),        # not accept4: skip one
        (0x06, 0, 0, 0x00050001),    # errno 1
        (0x06, 0, 0, 0x7FFF0000)))   # allow
    area = ctypes.create_string_buffer(program)
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(area)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(38, 1, 0, 0, 0) or prctl(22, 2, filters, 0, 0):   # NO_NEW_PRIVS; SECCOMP, FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


@pytest.mark.slow("CPU time over one second")
def test_accept_is_forbidden(proxyd):
    """Whatever makes accept fail: it is said, not all the time, and neither listener spins."""
    if os.uname().machine not in ("x86_64", "aarch64"):
        skip("the number of accept4 is not known here")
    daemon = proxyd(conf.forward(extra=metrics.ADMIN), limits=refuse_accept)
    with Client(daemon.port) as client, Client(daemon.ports["admin_port"]) as scrape:
        client.send(request("http://origin.test/"))
        scrape.send(request("/healthz", host="localhost"))
        assert until(lambda: "cannot accept clients for now: Operation not permitted" in daemon.stderr())
        assert daemon.cpu_share(1.5) < within(0.05)
        assert daemon.stderr().count("cannot accept") <= os.cpu_count()
        with pytest.raises(Silent):
            client.reader.some(0.05)


def test_no_descriptor_for_the_origin(proxyd, origin):
    """A client that is here already gets 503 with the cause; an idle idle connection gives way first."""
    daemon = proxyd(conf.forward(workers=1, extra=metrics.ADMIN))
    with Origin() as other, Client(daemon.port) as client, Client(daemon.port) as second_client:
        assert client.get(origin.url()).status == 200
        assert second_client.get(origin.url()).status == 200
        until(lambda: metrics.read(daemon)["connections_open"] == 2)
        until(lambda: metrics.read(daemon)["upstream_idle"] == 1)
        daemon.lower_descriptors(0)
        answer = client.get(f"http://127.0.0.1:{other.port}/gave-way")
        assert answer.status == 200, "the connection that rested made room"
        origin.at("/hold", read_body(), pause(1.0), send(ok()))
        go = threading.Event()
        other.at("/hold", read_body(), wait(go), send(ok()))
        client.send(request(f"http://127.0.0.1:{other.port}/hold"))
        other.head("/hold")
        answer = second_client.get(origin.url("/no-room"))
        assert_refused(answer, "out_of_descriptors")
        assert answer.status == 503
        go.set()
        assert client.response().status == 200
        daemon.restore_descriptors()
        assert second_client.get(origin.url("/room")).status == 200


@pytest.fixture
def resolving(proxyd, parts):
    """A daemon that has not asked its resolver yet."""
    dns = parts.dns()
    dns.set("name.test", "127.0.0.1")
    daemon = proxyd(conf.forward(workers=1, dns=f"server {dns.server}; hosts none; timeout 1s;", extra=metrics.ADMIN))
    metrics.settle(daemon)
    return daemon


def test_no_descriptor_for_the_resolver(resolving, origin):
    """503 as for an origin, not 502 as if the resolver had failed; and nobody remembers it."""
    with Client(resolving.port) as client:
        metrics.wait(resolving, "connections_open", 1)
        time.sleep(0.1)
        resolving.lower_descriptors(0)
        answer = client.get(f"http://name.test:{origin.port}/")
        assert_refused(answer, "out_of_descriptors")
        assert answer.status == 503
        resolving.restore_descriptors()
        assert client.get(f"http://name.test:{origin.port}/").status == 200


def test_idle_connections_make_room_for_the_resolver(resolving, origin):
    """Of two connections that rest, one gives way to the question, one to the new connection."""
    with Origin() as other, Client(resolving.port) as client:
        assert client.get(f"http://127.0.0.1:{origin.port}/").status == 200
        assert client.get(f"http://127.0.0.1:{other.port}/").status == 200
        metrics.wait(resolving, "upstream_idle", 2)
        time.sleep(0.1)
        resolving.lower_descriptors(0)
        assert client.get(f"http://name.test:{origin.port}/").status == 200
        resolving.restore_descriptors()
