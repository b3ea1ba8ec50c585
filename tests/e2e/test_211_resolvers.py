"""Resolvers that fail: each way with its cause, another is asked, and nobody else waits for it."""
import signal

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.dead_disk import DeadDisk
from lib.dns import A, AAAA, FORMERR, NOTIMP, REFUSED, SERVFAIL, Drop
from lib.faults import assert_refused
from lib.resolv_conf import own_resolv_conf
from lib.resolving import ask, connects, served
from lib.times import Stopwatch, until, within

pytestmark = pytest.mark.threads


# -- causes ---------------------------------------------------------------------------------------

def _drop(name, kind):
    raise Drop


CAUSES = {
    "nxdomain": (None, "dns_nxdomain"),
    "nothing": (lambda n, k: [], "dns_no_address"),
    "servfail": (lambda n, k: SERVFAIL, "dns_failure"),
    "refused": (lambda n, k: REFUSED, "dns_failure"),
    "not-implemented": (lambda n, k: 4, "dns_failure"),
    "silence": (_drop, "dns_timeout"),
    "only-header": (lambda n, k: b"\0\0\x81\x80" + b"\0" * 8, "dns_failure|dns_timeout|dns_no_address"),
    "garbage": (lambda n, k: b"\0\0" + b"\xff" * 60, "dns_failure|dns_timeout"),
    "six-nothing-four-servfail": (lambda n, k: [] if k == AAAA else SERVFAIL, "dns_failure"),
    "four-nothing-six-servfail": (lambda n, k: [] if k == A else SERVFAIL, "dns_failure"),
}


@pytest.mark.parametrize("case", CAUSES)
@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_causes(resolving, dns, origin, case, method):
    script, causes = CAUSES[case]
    if script:
        dns.script("ill.test", script)
    daemon = resolving("timeout 300ms;")
    with Client(daemon.port) as client:
        target = f"ill.test:{origin.port}"
        answer = client.ask(f"{method} {'' if method == 'CONNECT' else 'http://'}{target} HTTP/1.1\r\n"
                            f"Host: {target}\r\n\r\n")
        cause = assert_refused(answer, causes)
    with Client(daemon.port) as client:
        assert client.ask(f"GET http://127.0.0.1:{origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    assert daemon.wait_log("ill.test").get("cause") == cause
    assert metrics.read(daemon)[f"fault {cause}"] == 1


@pytest.mark.parametrize("configured,expected", [("timeout 200ms;", 0.2), ("timeout 1s;", 1.0)])
def test_timeout(resolving, dns, origin, configured, expected):
    # covers: dns timeout
    dns.silent = True
    daemon = resolving(configured)
    with Stopwatch() as watch:
        assert_refused(ask(daemon, "mute.test", origin), "dns_timeout")
    assert expected * 0.8 < watch.seconds < min(within(expected + 0.6), 1.9), "2 s is the default"


def test_connect_timeout_covers_the_lookup(resolving, dns, origin):
    dns.silent = True
    daemon = resolving("timeout 10s;", extra=" timeouts { connect 300ms; }")
    with Stopwatch() as watch:
        assert_refused(ask(daemon, "mute.test", origin), "dns_timeout")
    assert 0.2 < watch.seconds < within(1)


def test_nobody_listens_at_the_resolver(proxyd, origin):
    daemon = proxyd(conf.forward())
    assert_refused(ask(daemon, "any.test", origin), "dns_failure|dns_timeout")


@pytest.mark.parametrize("first", ["dead", "silent"])
def test_the_next_server_is_asked(proxyd, parts, origin, first):
    silent, good = parts.dns(), parts.dns()
    silent.silent = True
    good.set("name.test", "127.0.0.1")
    server = "127.0.0.1:{dead_port}" if first == "dead" else silent.server
    daemon = proxyd(conf.forward(dns=f"server {server}; server {good.server}; hosts none; timeout 2s;"))
    with Stopwatch() as watch:
        served(daemon, "name.test", origin)
    assert watch.seconds < within(1.5)


def test_a_lost_packet_is_asked_again(resolving, dns, origin):
    def second_time(name, kind, seen=[]):
        seen.append(kind)
        if seen.count(kind) == 1:
            raise Drop
        return ["127.0.0.1"] if kind == A else []
    dns.script("lossy.test", second_time)
    served(resolving("timeout 2s;"), "lossy.test", origin)


def test_truncated_is_asked_over_tcp(resolving, dns, origin):
    dns.set("large.test", "127.0.0.1", truncate=True)
    served(resolving("timeout 2s;"), "large.test", origin)
    assert ("large.test", A, "tcp") in dns.queries


@pytest.mark.parametrize("reply", [FORMERR, NOTIMP, SERVFAIL, REFUSED, Drop],
                         ids=["formerr", "notimp", "servfail", "refused", "silence"])
def test_a_resolver_without_edns(resolving, dns, origin, reply):
    """It is asked again without, and from then on at once."""
    dns.to_edns = reply
    dns.set("one.test", "127.0.0.1", "::1")
    dns.set("two.test", "127.0.0.1", "::1")
    daemon = resolving("timeout 2s;", workers=1)
    assert connects(daemon, "one.test", origin) == 200
    assert until(lambda: dns.count("one.test") == 4)
    assert until(lambda: metrics.read(daemon)["dns_edns_failures_total"] >= 1)
    assert connects(daemon, "two.test", origin) == 200
    assert until(lambda: dns.count("two.test") == 2) and dns.edns == 2


@pytest.mark.parametrize("edns", ["on", "off"])
def test_edns(resolving, dns, origin, edns):
    # covers: dns edns
    dns.set("name.test", "127.0.0.1")
    served(resolving(f"edns {edns};"), "name.test", origin)
    assert dns.edns == (2 if edns == "on" else 0)


def test_resolv_conf_changes(proxyd, parts, origin, tmp_path):
    """Started before the network is up: the file is not there, then it is, then it names another server."""
    first, second = parts.dns(), parts.dns()
    first.set("one.test", "127.0.0.1")
    second.set("two.test", "127.0.0.1")
    daemon = proxyd(conf.forward(dns="hosts none; timeout 500ms;"), env=own_resolv_conf(tmp_path))
    assert connects(daemon, "one.test", origin) == 502
    file = daemon.folder / "resolv.conf"
    file.write_text(f"search ignored.test\nnameserver {first.server}\n")
    assert until(lambda: connects(daemon, "one.test", origin) == 200, within(1))
    new = daemon.folder / "new"
    new.write_text(f"nameserver {second.server}\n")
    new.rename(file)
    assert until(lambda: connects(daemon, "two.test", origin) == 200, within(1))
    assert {n for n, _, _ in first.queries} <= {"one.test", "two.test"}, "the search list is not the proxy's"


def test_a_hosts_file_that_hangs_holds_up_nothing_else(proxyd, dns, origin, tmp_path):
    """Neither look-ups nor resolv.conf, and what it said before still counts."""
    dns.set("one.test", "127.0.0.1")
    disk, resolv_conf = DeadDisk(tmp_path), own_resolv_conf(tmp_path)
    both = {"LD_PRELOAD": f"{disk.env['LD_PRELOAD']}:{resolv_conf['LD_PRELOAD']}"}
    daemon = proxyd(conf.forward(dns="hosts hosts; timeout 500ms;", extra=metrics.ADMIN), env={**disk.env, **both})
    disk.goes_away(daemon)
    assert metrics.read(daemon)["offload_running hosts_file"] == 1
    (daemon.folder / "resolv.conf").write_text(f"nameserver {dns.server}\n")
    assert until(lambda: connects(daemon, "one.test", origin) == 200, within(1))
    assert connects(daemon, "origin.test", origin) == 200
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(within(5)) == 0


@pytest.mark.parametrize("last", [False, True])
def test_alias(resolving, dns, origin, last):
    """Also when it stands behind the address that it leads to."""
    dns.set("real.test", "127.0.0.1")
    dns.alias("www.alias.test", "real.test", last=last)
    served(resolving(), "www.alias.test", origin)


def test_spoofed_answers_are_not_taken(resolving, dns, origin):
    """An answer to another question (or for another id) is not an answer."""
    other = b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + b"\5other\4test\0\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"
    dns.script("asked.test", lambda name, kind: other)
    assert_refused(ask(resolving("timeout 300ms;"), "asked.test", origin), "dns_timeout|dns_failure")


# -- a dead resolver ------------------------------------------------------------------------------

@pytest.mark.slow("the time-out has to be longer than what is measured meanwhile")
def test_a_dead_resolver_harms_nobody_else(resolving, dns, origin):
    """200 clients wait for names in vain; whoever needs no look-up is served as if nothing were."""
    dns.set("known.test", "127.0.0.1", ttl=300)
    daemon = resolving(f"timeout {int(within(1500))}ms;", hosts="hosts", workers=1)
    served(daemon, "known.test", origin)
    dns.silent = True
    waiting = []
    for i in range(200):
        client = Client(daemon.port, source=f"127.0.0.{2 + i % 50}")
        client.send(f"GET http://dead{i}.test:{origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.append(client)
    worst = 0.0
    for host in ("known.test", "origin.test", "127.0.0.1", "localhost", "[::ffff:127.0.0.1]") * 4:
        with Stopwatch() as watch:
            served(daemon, host, origin)
        worst = max(worst, watch.seconds)
    assert worst < within(1.0), "0.1 s, times ten"
    for client in waiting:
        assert_refused(client.response(), "dns_timeout")
        client.close()


@pytest.mark.slow("waits for the end of what nobody answers")
def test_a_dead_zone_takes_its_share(resolving, dns, origin):
    """1,600 names of a zone whose servers never answer, asked at once by one client: other names, of the same
    client too, are answered as by a quiet resolver, and the dead ones are over in their time."""
    dns.dead_zone = ".dead.test"
    daemon = resolving(f"timeout {int(within(1000))}ms;", workers=1, extra=" limits { clients-per-address 5000; }")
    waiting = []
    for i in range(1600):
        client = Client(daemon.port)
        client.send(f"GET http://n{i}.dead.test:{origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.append(client)
    times = []
    for i in range(60):
        dns.set(f"n{i}.zone{i % 7}.test", "127.0.0.1", "::1")
        with Stopwatch() as watch:
            served(daemon, f"n{i}.zone{i % 7}.test", origin)
        times.append(watch.seconds)
    assert sorted(times)[len(times) // 2] < within(0.05), "10 ms, times five"
    assert metrics.read(daemon)["dns_waits_total"] > 1000
    for client in waiting:
        assert_refused(client.response(), "dns_timeout")
        client.close()
