"""Names: the resolver is asked once, and what it said is kept as long as it may be.

A scripted resolver (lib/dns.py) counts what it is asked and lies as told; dnsmasq stands for the real
world. Nothing here leaves loopback.
"""
import time

import pytest

from lib import metrics
from lib.client import Client, fetch
from lib.dns import A, AAAA, NXDOMAIN, SERVFAIL
from lib.faults import assert_refused
from lib.origin import Origin
from lib.resolving import ask, connects, served, together
from lib.times import Stopwatch, until, within

pytestmark = pytest.mark.threads


# -- the real resolver ----------------------------------------------------------------------------

def test_dnsmasq(resolving, parts, origin):
    # covers: dns server
    real = parts.dnsmasq("host-record=a.example.test,127.0.0.1", "cname=b.example.test,a.example.test",
                         "host-record=six.example.test,::1", "local-ttl=100")
    daemon = resolving(server=real.server)
    for _ in range(3):
        assert connects(daemon, "a.example.test", origin) == 200
        assert connects(daemon, "A.Example.TEST.", origin) == 200
    assert real.queries("a.example.test") >= 1 and real.queries("a.example.test", "AAAA") >= 1
    assert metrics.read(daemon)["dns_queries_total"] == 2, "however often each was tried"
    served(daemon, "b.example.test", origin)
    assert_refused(ask(daemon, "none.example.test", origin), "dns_nxdomain")
    with Origin("::1", port=None) as six:
        assert fetch(daemon.port, f"http://six.example.test:{six.port}/").status == 200


def test_dnsmasq_single_flight(resolving, parts, origin):
    real = parts.dnsmasq("host-record=flight.test,127.0.0.1", "local-ttl=100")
    daemon = resolving(server=real.server, workers=4)
    answers = together(40, lambda i: ask(daemon, "flight.test", origin, f"/{i}"))
    assert [a.status for a in answers] == [200] * 40
    assert metrics.read(daemon)["dns_queries_total"] == 2 and real.queries("flight.test") >= 1


def test_names_in_url_connect_and_log(resolving, dns, origin):
    dns.set("name.test", "127.0.0.1")
    daemon = resolving()
    served(daemon, "name.test", origin)
    assert origin.request("/").get("Host") == f"name.test:{origin.port}", "the name is passed on, not the address"
    assert daemon.wait_log("GET").get("to") == f"127.0.0.1:{origin.port}"
    with Client(daemon.port) as client:
        assert client.ask(f"CONNECT name.test:{origin.port} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    assert dns.count("name.test", A) == 1


# -- the cache ------------------------------------------------------------------------------------

def test_single_flight(resolving, dns, origin):
    """Many askers on all workers, one question."""
    dns.set("slow.test", "127.0.0.1", delay=0.4)
    daemon = resolving("timeout 5s;", workers=4)
    answers = together(60, lambda i: ask(daemon, "slow.test", origin, f"/{i}"))
    assert [a.status for a in answers] == [200] * 60
    assert dns.count("slow.test", A) == 1 and dns.count("slow.test", AAAA) == 1


def test_single_flight_of_a_failure(resolving, dns, origin):
    dns.script("slow.test", lambda name, kind: (time.sleep(0.3), SERVFAIL)[1])
    daemon = resolving("timeout 5s;", workers=4)
    answers = together(30, lambda i: ask(daemon, "slow.test", origin))
    for answer in answers:
        assert_refused(answer, "dns_failure")
    assert dns.count("slow.test", A) <= 3, "one question (repeated by the resolver library), not thirty"


def test_a_leaver_does_not_end_the_flight(resolving, dns, origin):
    """The client that caused the question goes; the others still get the answer."""
    dns.set("slow.test", "127.0.0.1", delay=0.5)
    daemon = resolving("timeout 5s;", workers=1)
    first = Client(daemon.port)
    first.send(f"GET http://slow.test:{origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert until(lambda: dns.count("slow.test", A))
    second = Client(daemon.port)
    second.send(f"GET http://slow.test:{origin.port}/2 HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.1)
    first.reset()
    assert second.response().status == 200
    assert dns.count("slow.test", A) == 1
    assert origin.paths() == ["/2"]


def test_ttl(resolving, dns, origin):
    dns.set("short.test", "127.0.0.1", ttl=1)
    dns.set("long.test", "127.0.0.1", ttl=100)
    daemon = resolving()
    for _ in range(5):
        assert connects(daemon, "short.test", origin) == 200
        assert connects(daemon, "long.test", origin) == 200
    assert dns.count("short.test", A) <= 2 and dns.count("long.test", A) == 1
    before = dns.count("short.test", A)
    time.sleep(1.3)
    assert connects(daemon, "short.test", origin) == 200
    assert connects(daemon, "long.test", origin) == 200
    assert until(lambda: dns.count("short.test", A) == before + 1) and dns.count("long.test", A) == 1


def test_ttl_zero_lives_a_second(resolving, dns, origin):
    """A resolver that forbids caching is not asked a thousand times a second."""
    dns.set("zero.test", "127.0.0.1", ttl=0)
    daemon = resolving()
    with Stopwatch() as watch:
        for _ in range(50):
            assert connects(daemon, "zero.test", origin) == 200
    assert dns.count("zero.test", A) <= 2 + watch.seconds


def test_an_answer_that_changes(resolving, dns):
    """After its TTL the new address is used; before, the old one."""
    with Origin("127.0.0.2") as old, Origin("127.0.0.3", port=old.port) as new:
        dns.set("moves.test", "127.0.0.2", ttl=1)
        daemon = resolving()
        served(daemon, "moves.test", old, "/1")
        dns.set("moves.test", "127.0.0.3", ttl=1)
        old.stop()   # also ends the idle connection
        assert until(lambda: ask(daemon, "moves.test", new, "/2").status == 200, within(5), every=0.1)
        assert "/2" in new.paths()


@pytest.mark.slow("two lives of a record, in whole seconds on the wire")
def test_what_is_used_is_asked_anew_before_it_expires(resolving, dns, origin):
    """In the last tenth of its life a name in use is refreshed in the background: nobody waits."""
    dns.set("used.test", "127.0.0.1", ttl=2)
    daemon = resolving(workers=1)
    assert connects(daemon, "used.test", origin) == 200
    before = metrics.calm(daemon)
    end = time.monotonic() + 4.5
    while time.monotonic() < end:
        assert connects(daemon, "used.test", origin) == 200
        time.sleep(0.03)
    grown = metrics.grown(daemon, before)
    assert grown["dns_lookups_total"] == grown["dns_cache_hits_total"], "somebody waited for the resolver"
    assert dns.count("used.test", A) in (2, 3, 4)


@pytest.mark.parametrize("kind", ["nxdomain", "no_address"])
def test_negative_caching(resolving, dns, origin, kind):
    if kind == "no_address":
        dns.script("not.test", lambda name, qtype: [])
    daemon = resolving()
    for _ in range(5):
        assert_refused(ask(daemon, "not.test", origin), f"dns_{kind}")
    assert dns.count("not.test", A) == 1 and dns.count("not.test", AAAA) == 1


def test_negative_ttl_is_the_soa_s(resolving, dns, origin):
    dns.negative_ttl = 1
    daemon = resolving()
    assert_refused(ask(daemon, "born.test", origin), "dns_nxdomain")
    dns.set("born.test", "127.0.0.1")
    time.sleep(1.2)
    served(daemon, "born.test", origin)


def test_what_is_said_of_a_failure(proxyd, resolving, dns, origin):
    """True of a resolver that refuses, and of one that is not there at all."""
    dns.script("ill.test", lambda name, kind: SERVFAIL)
    for daemon in (resolving(), proxyd()):
        answer = ask(daemon, "ill.test", origin)
        assert_refused(answer, "dns_failure")
        assert b"no resolver gave a usable answer" in answer.body


def test_a_failure_is_not_kept_for_long(resolving, dns, origin):
    dns.script("ill.test", lambda name, kind: SERVFAIL)
    daemon = resolving()
    assert_refused(ask(daemon, "ill.test", origin), "dns_failure")
    asked = dns.count("ill.test", A)
    assert_refused(ask(daemon, "ill.test", origin), "dns_failure")
    assert dns.count("ill.test", A) == asked, "held for a moment"
    dns.set("ill.test", "127.0.0.1")
    assert until(lambda: ask(daemon, "ill.test", origin).status == 200, within(4), every=0.1)


@pytest.mark.parametrize("how", ["servfail", "silent"])
def test_serve_stale(resolving, dns, origin, how):
    """RFC 8767: when the resolver fails, what it said before stands in."""
    dns.set("stale.test", "127.0.0.1", ttl=1)
    daemon = resolving("timeout 300ms;")
    assert connects(daemon, "stale.test", origin) == 200
    if how == "servfail":
        dns.script("stale.test", lambda name, kind: SERVFAIL)
    else:
        dns.silent = True
    time.sleep(1.2)
    before = metrics.calm(daemon)
    for _ in range(5):
        assert connects(daemon, "stale.test", origin) == 200
    assert metrics.grown(daemon, before)["dns_stale_total"] == 5
    with Stopwatch() as watch:
        for _ in range(5):
            assert connects(daemon, "stale.test", origin) == 200
    assert watch.seconds < within(0.25), "one attempt every few seconds, and nobody waits for it"


def test_nxdomain_is_never_replaced_by_stale(resolving, dns, origin):
    dns.set("gone.test", "127.0.0.1", ttl=1)
    daemon = resolving()
    assert connects(daemon, "gone.test", origin) == 200
    dns.script("gone.test", lambda name, kind: NXDOMAIN)
    time.sleep(1.2)
    assert connects(daemon, "gone.test", origin) == 502
    assert_refused(fetch(daemon.port, f"http://gone.test:{origin.port}/"), "dns_nxdomain")
