"""Which address may be dialled: classes, `reach`, every spelling, every name, every idle connection.

The attacker is a page, or a resolver, that makes the proxy go where its client may not: this machine,
the private network, the cloud's metadata service, the proxy itself. What counts is the very address
that is dialled, so most tests look at what a listener there has seen: nothing.

Tests that need addresses of other classes to answer run in a network of their own (lib/netns.py).
"""
import threading
import time

import pytest

from lib import conf, metrics
from lib.blackhole import BlackHole
from lib.client import Client, fetch
from lib.daemon import StartFailed
from lib.faults import assert_refused
from lib.netns import ip, network
from lib.ports import free_port, release
from lib.origin import Origin, ok, read_body, send, wait
from lib.preload import preload
from lib.times import until, within

#: Everything is allowed, and nothing but public addresses is reached.
SHUT = "allow all { to *; }"
RIG = conf.forward(rules=SHUT)


def both(port, host, target_port=80, source=None):
    """The answers to a GET and to a CONNECT for host:port."""
    with Client(port, source=source) as client:
        yield client.ask(f"GET http://{host}:{target_port}/x HTTP/1.1\r\nHost: {host}\r\n\r\n")
    with Client(port, source=source) as client:
        yield client.ask(f"CONNECT {host}:{target_port} HTTP/1.1\r\nHost: {host}:{target_port}\r\n\r\n")


# -- literals -------------------------------------------------------------------------------------

CLASSES = {
    "metadata": "169.254.169.254 100.100.100.200 168.63.129.16 [fd00:ec2::254]",
    "loopback": "127.0.0.1 127.0.0.2 127.255.255.254 0.0.0.0 0.1.2.3 0.255.255.255 [::1] [::]",
    "link-local": "169.254.0.1 169.254.169.253 169.254.255.255 [fe80::1] [febf::1]",
    "private": "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 100.64.0.1 "
               "100.127.255.255 [fc00::1] [fd12:3456::1] [fd00:ec2::253] [fdff:ffff::1]",
    "multicast": "224.0.0.1 239.255.255.255 [ff02::1] [ff0e::1]",
    "reserved": "192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 240.0.0.1 "
                "255.255.255.255 [2001:db8::1] [100::1] [3fff::1] [fec0::1] [4000::1] [2001:2::1]",
}
LITERALS = [(kind, host) for kind, hosts in CLASSES.items() for host in hosts.split()]

#: The same addresses in the spellings that some resolver or library takes.
SPELLINGS = {
    "loopback": "127.1 127.0.1 127.0.0.1. 127.1. 2130706433 2130706433. 0177.0.0.1 0177.0.0.01 0000177.1 017700000001 "
                "0x7f.0.0.1 0x7F.0x0.0x0.0x1 0X7f000001 0x7f000001 0x7f.1 0x7f.0.1 127.0x1 0177.0x1 0 0. 00 0x0 0.0 "
                "[::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:7F00:1] [0:0:0:0:0:ffff:7f00:0001] [::127.0.0.1] [::7f00:1] "
                "[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [0064:FF9B::7f00:0001] [2002:7f00:1::] [2002:7f00:1::1] "
                "[2002:7f00:0001:1:2:3:4:5] [2001:0:0a00:1:0:0:80ff:fffe] [2001:0000:7f00:1:0:0:f7f7:f7f7] "
                "[0:0:0:0:0:0:0:1] [0::0:1] [::0001] [::0.0.0.1] [0:0:0:0:0:0:0.0.0.1] [::ffff:0.0.0.0] [::ffff:0:0]",
    "metadata": "2852039166 2852039166. 0xa9fea9fe 0xA9.0xFE.0xA9.0xFE 0251.0376.0251.0376 025177524776 169.254.43518 "
                "169.16689662 0xa9.254.0251.254 169.254.169.254. [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] "
                "[::a9fe:a9fe] [64:ff9b::a9fe:a9fe] [64:ff9b::169.254.169.254] [2002:a9fe:a9fe::1] "
                "[fd00:0ec2:0:0:0:0:0:0254] [FD00:EC2::254] [2001:0:a9fe:a9fe::1] [64:ff9b:1::a9fe:a9fe] [::ffff:0:a9fe:a9fe]",
    "private": "10.1 012.0.0.1 0xa.0.0.1 0x0a000001 167772161 10.0.1 3232235521 0xc0a80001 0300.0250.0.1 172.1048577 "
               "[::ffff:10.0.0.1] [::10.0.0.1] [64:ff9b::a00:1] [2002:a00:1::1] [2001:0:a00:1:0:0:f7f7:f7f7] [64:ff9b:1::a00:1]",
    "link-local": "0251.254.0.1 [64:ff9b::a9fe:1] [2002:a9fe:1::1]",
    "multicast": "0xe0.0.0.1 3758096385 [2002:e000:1::1]",
    "reserved": "4294967295 0xffffffff 0377.0377.0377.0377 [::ffff:255.255.255.255] [64:ff9b:1::808:808] [2002:c000:201::1] "
                "[::ffff:0:808:808]",
}
SPELLED = [(kind, host) for kind, hosts in SPELLINGS.items() for host in hosts.split()]


@pytest.mark.parametrize("kind,host", LITERALS + SPELLED)
def test_only_public_literals(rig, kind, host):
    cause = "destination_" + kind.replace("-", "_")
    for answer in both(rig.port, host):
        assert_refused(answer, cause)
        assert b"rule: all" in answer.body, "the rule that would have allowed it is named"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.",
                                  "[::ffff:127.0.0.1]"])
def test_reach_opens_every_spelling_alike(proxyd, origin, host):
    """One address, one decision; and what is dialled is the canonical address."""
    daemon = proxyd(conf.forward(rules="allow lo { to 127.0.0.1; reach loopback; }"))
    for answer in both(daemon.port, host, origin.port):
        assert answer.status == 200
    assert daemon.wait_log("GET").get("to") == f"127.0.0.1:{origin.port}"
    assert origin.request("/x").get("Host") == f"127.0.0.1:{origin.port}", "the spelling is not passed on"


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "[::]", "[::ffff:0.0.0.0]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"])
def test_a_host_rule_is_no_way_around(proxyd, origin, host):
    """Other roads to this machine are not the address the rule names."""
    daemon = proxyd(conf.forward(rules="allow lo { to 127.0.0.1; reach loopback; }"))
    for answer in both(daemon.port, host, origin.port):
        assert_refused(answer, "default_denied")
    assert origin.connections == []


@pytest.mark.parametrize("host", ["1.2.3.256", "256.1.1.1", "1.2.3.4.5", "0x", "4294967296", "0xfffffffff", "1..2", "08.1.1.1",
                                  "1.2.3.09", "127.0.0.1..", "foo.127", "foo.0x7f", "99999999999999999999",
                                  "[::ffff:1.2.3]", "[::1%25lo]", "[fe80::1%eth0]", "[127.0.0.1]", "[::ffff:0x7f.0.0.1]",
                                  "[::ffff:0177.0.0.1]", "[1::2::3]", "127.0.0.1%00", "127。0。0。1"])
def test_what_only_some_would_take_for_an_address_is_refused(rig, host):
    """A name that ends in a number and is no address would be one to some resolver."""
    raw = f"GET http://{host}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with Client(rig.port) as client:
        assert_refused(client.ask(raw), "bad_target|bad_host|destination_loopback")


# -- names ----------------------------------------------------------------------------------------

NAMES = {
    "loopback": ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "64:ff9b::7f00:1", "2002:7f00:1::1"],
    "private": ["10.1.2.3", "192.168.1.1", "172.20.0.1", "100.64.3.4", "fd00::1", "64:ff9b::a00:1"],
    "metadata": ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"],
    "link-local": ["169.254.7.7", "fe80::1"], "multicast": ["224.0.0.251", "ff02::fb"],
    "reserved": ["240.0.0.1", "255.255.255.255", "198.51.100.7", "2001:db8::1"],
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_lead_where_they_must_not(proxyd, parts, kind):
    """DNS rebinding: the name says nothing, its address decides."""
    dns = parts.dns()
    daemon = proxyd(conf.forward(rules=SHUT, dns=f"server {dns.server}; hosts none; timeout 500ms;"))
    for i, address in enumerate(NAMES[kind]):
        dns.set(f"n{i}.test", address)
        for answer in both(daemon.port, f"n{i}.test"):
            assert_refused(answer, "destination_" + kind.replace("-", "_"))
    line = daemon.wait_log(f"cause=destination_{kind.replace('-', '_')}")
    assert line.get("rule") == "all" and line.get("to"), "the log shows the address that was refused"


def test_a_mapped_address_is_no_answer(proxyd, parts, origin):
    """::ffff:127.0.0.1 as AAAA: no honest resolver says that, so the name has no address."""
    dns = parts.dns()
    daemon = proxyd(conf.forward(rules=SHUT, dns=f"server {dns.server}; hosts none; timeout 500ms;"))
    for i, address in enumerate(("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254")):
        dns.set(f"n{i}.test", address)
        for answer in both(daemon.port, f"n{i}.test", origin.port):
            assert_refused(answer, "dns_no_address")
    assert origin.connections == []


def test_hosts_file_is_no_way_around(proxyd):
    daemon = proxyd(conf.forward(rules=SHUT))
    for name in ("origin.test", "six.test", "dual.test", "localhost"):
        for answer in both(daemon.port, name):
            assert_refused(answer, "destination_loopback")


@pytest.mark.parametrize("default", ["allow", "deny"])
def test_default_allow_opens_public_only(proxyd, default):
    daemon = proxyd(conf.forward(rules="", default=default))
    for host in ("127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254"):
        for answer in both(daemon.port, host):
            assert_refused(answer, "destination_loopback|destination_private|destination_metadata"
                           if default == "allow" else "default_denied")
            assert b"default" in answer.body


# -- several addresses ----------------------------------------------------------------------------

def resolver(dns):
    return f"server {dns.server}; hosts none; timeout 500ms;"


def test_denied_addresses_are_dropped(proxyd, parts):
    """Each address is decided as if it were the only one; the log names the rule of the one dialled."""
    dns = parts.dns()
    with Origin("127.0.0.2") as two, Origin("127.0.0.3", port=two.port) as three, \
            Origin("127.0.0.4", port=two.port) as four:
        dns.set("many.test", "127.0.0.2", "127.0.0.3", "127.0.0.4")
        daemon = proxyd(conf.forward(dns=resolver(dns), rules="""
            deny  two   { to 127.0.0.2; }
            allow three { to 127.0.0.3; reach loopback; }
            allow four  { to *; reach loopback; }"""))
        for answer in both(daemon.port, "many.test", two.port):
            assert answer.status == 200
        line = daemon.wait_log("GET http://many.test")
        assert line.get("rule") == "three" and line.get("to") == f"127.0.0.3:{two.port}"
        three.until(lambda o: len(o.connections) == 2)
        assert two.connections == [] and four.connections == []


def test_the_rule_of_the_address_dialled(proxyd, parts):
    """The first address refuses the connection, so the second one's rule is the one that counts."""
    dns = parts.dns()
    with Origin("127.0.0.4") as four:
        dns.set("many.test", "127.0.0.3", "127.0.0.4")
        daemon = proxyd(conf.forward(dns=resolver(dns), rules="""
            allow three { to 127.0.0.3; reach loopback; }
            allow four  { to 127.0.0.4; reach loopback; }"""))
        for path in ("/new", "/idle"):
            assert fetch(daemon.port, f"http://many.test:{four.port}{path}").status == 200
            line = daemon.wait_log(path)
            assert line.get("rule") == "four" and line.get("to") == f"127.0.0.4:{four.port}", line


def test_none_left_is_refused_with_the_first_ones_rule(proxyd, parts):
    dns = parts.dns()
    dns.set("many.test", "127.0.0.2", "127.0.0.3", "10.0.0.1")
    daemon = proxyd(conf.forward(dns=resolver(dns), default='deny "nowhere"', rules="""
        deny  three { to 127.0.0.3; }
        deny  two   { to 127.0.0.2; }
        allow ten   { to 10.0.0.0/8; }"""))
    for answer in both(daemon.port, "many.test"):
        assert_refused(answer, "rule_denied")
        assert b"rule: two" in answer.body
    assert daemon.wait_log("GET").get("rule") == "two"
    dns.set("other.test", "127.0.0.9", "127.0.0.3")
    for answer in both(daemon.port, "other.test"):
        assert_refused(answer, "default_denied")
        assert b"nowhere" in answer.body and b"rule: default" in answer.body
    dns.set("third.test", "10.0.0.1", "127.0.0.3")
    for answer in both(daemon.port, "third.test"):
        assert_refused(answer, "destination_private")
        assert b"rule: ten" in answer.body


@network("93.184.216.0/24", "10.0.0.0/8")
def test_public_and_private_together(proxyd, parts):
    """A name with a public and a private address: the private one is never dialled, in whatever order."""
    dns = parts.dns()
    with Origin("0.0.0.0") as origin:
        daemon = proxyd(conf.forward(rules=SHUT, dns=resolver(dns)))
        dns.set("mixed.test", "10.0.0.5", "127.0.0.1", "93.184.216.34", "10.0.0.6")
        dns.set("dxeim.test", "93.184.216.34", "10.0.0.5")
        for name in ("mixed.test", "dxeim.test"):
            for answer in both(daemon.port, name, origin.port):
                assert answer.status == 200
        assert {c.here[0] for c in origin.connections} <= {"93.184.216.34"}
        assert daemon.wait_log("mixed.test").get("to") == f"93.184.216.34:{origin.port}"
        origin.stop()
        for answer in both(daemon.port, "mixed.test", origin.port):
            assert_refused(answer, "connect_refused")


# -- reach, class by class ------------------------------------------------------------------------

WORLD = {"metadata": "169.254.169.254", "loopback": "127.0.0.7", "link-local": "169.254.3.4", "private": "10.1.2.3",
         "reserved": "198.51.100.1", "public": "93.184.216.34"}


@pytest.mark.parametrize("reach", [*WORLD, "multicast", "private link-local", ""])
@network("93.184.216.0/24", "10.0.0.0/8", "169.254.0.0/16", "198.51.100.0/24")
def test_reach(proxyd, parts, reach):
    # covers: policy rules allow reach
    """Each class opens itself only; metadata is never part of private or link-local."""
    if reach == "public":   # always open: there is nothing to say
        reach = ""
    dns = parts.dns()
    opened = {"public", *reach.split()}
    rule = f"allow all {{ to *; {f'reach {reach};' if reach else ''} }}"
    with Origin("0.0.0.0") as origin:
        daemon = proxyd(conf.forward(rules=rule, dns=resolver(dns)))
        for kind, address in WORLD.items():
            dns.set(f"{kind}.test", address)
            for host in (address, f"{kind}.test"):
                for answer in both(daemon.port, host, origin.port):
                    if kind in opened:
                        assert answer.status == 200, (kind, answer)
                    else:
                        assert_refused(answer, "destination_" + kind.replace("-", "_"))
        dialled = {c.here[0] for c in origin.connections}
    assert dialled <= {WORLD[kind] for kind in opened if kind in WORLD}


@network("2a00:1450:4001::/64", "fd12::/16", "64:ff9b::/96")
def test_reach_over_ipv6(proxyd, parts):
    dns = parts.dns()
    with Origin("::") as origin:
        daemon = proxyd(conf.forward(rules=SHUT, dns=resolver(dns)))
        dns.set("public.test", "2a00:1450:4001::5")
        dns.set("nat64.test", "64:ff9b::808:808")
        for host in ("[2a00:1450:4001::5]", "public.test", "[64:ff9b::8.8.8.8]", "nat64.test"):
            for answer in both(daemon.port, host, origin.port):
                assert answer.status == 200
        for answer in both(daemon.port, "[fd12::1]", origin.port):
            assert_refused(answer, "destination_private")


@pytest.mark.slow("addresses are read every two seconds")
@network("93.184.216.0/24")
def test_this_machines_own_addresses_are_loopback(proxyd):
    """Whatever network they are of, and also when they come after the start."""
    ip("address", "add", "93.184.216.99/32", "dev", "lo")
    with Origin("0.0.0.0") as origin:
        daemon = proxyd(conf.forward(rules=SHUT))
        for answer in both(daemon.port, "93.184.216.99", origin.port):
            assert_refused(answer, "destination_loopback")
        for answer in both(daemon.port, "93.184.216.98", origin.port):
            assert answer.status == 200
        ip("address", "add", "93.184.216.97/32", "dev", "lo")
        assert until(lambda: fetch(daemon.port, f"http://93.184.216.97:{origin.port}/").status == 403, within(10), every=0.2)


@network("93.184.216.0/24")
def test_unroutable(proxyd, parts):
    """No route to the address: told at once, and the other address is tried at once."""
    dns = parts.dns()
    with Origin("0.0.0.0") as origin:
        daemon = proxyd(conf.forward(rules=SHUT, dns=resolver(dns)))
        for host in ("8.8.8.8", "[2a00:1450:4001::5]"):
            for answer in both(daemon.port, host, origin.port):
                assert_refused(answer, "connect_unreachable")
        dns.set("dual.test", "2a00:1450:4001::5", "8.8.8.8", "93.184.216.34")
        begin = time.monotonic()
        for answer in both(daemon.port, "dual.test", origin.port):
            assert answer.status == 200
        assert time.monotonic() - begin < within(0.4)


@network("93.184.216.0/24", "2a00:1450:4001::/64")
def test_ipv6_that_leads_nowhere(proxyd, parts):
    """The usual broken network: an IPv6 route, and nobody at its end."""
    dns = parts.dns()
    with Origin("0.0.0.0") as origin, BlackHole("::", origin.port):
        daemon = proxyd(conf.forward(rules=SHUT, dns=resolver(dns)))
        best = 99.0
        for i in range(3):
            dns.set(f"dual{i}.test", "2a00:1450:4001::5", "93.184.216.34")
            begin = time.monotonic()
            assert fetch(daemon.port, f"http://dual{i}.test:{origin.port}/").status == 200
            best = min(best, time.monotonic() - begin)
        assert 0.2 < best < within(0.3)


# -- the proxy itself -----------------------------------------------------------------------------

EVERYWHERE = conf.OPEN_RULES + ' '


@pytest.mark.parametrize("target", ["port", "second_port", "reverse_port", "admin_port", "six_port"])
def test_no_own_listener_is_dialled(proxyd, target):
    """The listener itself, its neighbours and the admin listener, in every spelling, whatever reach says."""
    daemon = proxyd(conf.forward(rules=EVERYWHERE, extra=metrics.ADMIN + """
        listener second { bind 127.0.0.1:{second_port}; mode forward; policy open; }
        listener gate { bind 127.0.0.1:{reverse_port}; mode reverse; routes web; }
        listener six { bind [::1]:{six_port} 127.0.0.1:{six_port}; mode forward; policy open; }
        routes web { route all { to pool back; } } pool back { server 127.0.0.1:{dead_port}; }"""))
    hosts = ["127.0.0.1", "127.1", "0.0.0.0", "0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "origin.test", "localhost"]
    if target == "six_port":
        hosts += ["[::1]", "[::]", "six.test", "dual.test"]
    for host in hosts:
        for answer in both(daemon.port, host, daemon.ports[target]):
            assert_refused(answer, "own_listener|connect_refused" if host in ("localhost", "0", "0.0.0.0") else "own_listener")
    if target != "port":
        assert len(daemon.log(f":{daemon.ports[target]}")) <= 2 * len(hosts), "nobody was asked a second time"


@pytest.mark.parametrize("bind", ["*:{port}", "0.0.0.0:{port}", "[::]:{port}"])
@network()
def test_own_listener_on_all_addresses(proxyd, bind):
    """A listener on every address is found at every address, also one that came later."""
    ip("address", "add", "93.184.216.99/32", "dev", "lo")
    ip("-6", "address", "add", "2a00:99::1/128", "dev", "lo", "nodad")
    daemon = proxyd(conf.forward(rules=EVERYWHERE).replace("127.0.0.1:{port}", bind))
    hosts = ["127.0.0.1", "127.0.0.2", "127.3.2.1", "0.0.0.0", "93.184.216.99", "[::ffff:93.184.216.99]"]
    if bind != "0.0.0.0:{port}":
        hosts += ["[::1]", "[::]", "[2a00:99::1]"]
    for host in hosts:
        for answer in both(daemon.port, host, daemon.port):
            assert_refused(answer, "own_listener")
    ip("address", "add", "93.184.216.97/32", "dev", "lo")
    for answer in both(daemon.port, "93.184.216.97", daemon.port):
        assert_refused(answer, "own_listener")


def test_other_ports_of_this_machine_stay_open(proxyd, origin):
    daemon = proxyd(conf.forward(rules=EVERYWHERE))
    assert fetch(daemon.port, origin.url()).status == 200


def test_reverse_to_itself(proxyd):
    """A pool that leads to the listener itself must not turn in circles."""
    daemon = proxyd(conf.reverse("127.0.0.1:{port}"))
    assert_refused(fetch(daemon.port, f"http://127.0.0.1:{daemon.port}/"), "own_listener|loop_detected")
    assert daemon.wait_log("GET") and len(daemon.log("GET")) == 1


def test_loop_over_two_proxyds(proxyd):
    """A sends to B and B to A: the first one to see itself in Via ends it."""
    port = free_port()
    first = proxyd(conf.reverse(f"127.0.0.1:{port}"))
    second = proxyd(conf.reverse(f"127.0.0.1:{first.port}").replace("{port}", str(port)), expect_ready=False)
    assert until(lambda: second.stdout() or "edge" in second.stderr())
    answer = fetch(first.port, f"http://127.0.0.1:{first.port}/loop")
    assert_refused(answer, "loop_detected")
    assert answer.status == 508
    assert first.wait_log("cause=loop_detected")
    assert until(lambda: len(first.log("/loop")) == 2), "once as it came, once as it came back"
    assert until(lambda: len(second.log("/loop")) == 1)
    release(port)


# -- idle connections ---------------------------------------------------------------------------

ON_IDLE = """
    allow a { from 127.0.0.2; to shared.test; reach loopback; }
    allow b { from 127.0.0.3; to shared.test; }"""
BY_ADDRESS = """
    deny  b { from 127.0.0.3; to 127.0.0.0/8; }
    allow a { to shared.test; reach loopback; }"""
BY_CLASS = """
    allow b { from 127.0.0.3; to shared.test; not to class loopback; reach loopback; }
    allow a { from 127.0.0.2; to shared.test; reach loopback; }"""


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("rules,cause", [(ON_IDLE, "destination_loopback"), (BY_ADDRESS, "rule_denied"),
                                         (BY_CLASS, "default_denied")])
def test_an_idle_connection_is_no_way_around(proxyd, origin, rules, cause, workers):
    """A may reach loopback; then B, who may not, asks for the same name: A's connections are not used."""
    daemon = proxyd(conf.forward(rules=rules, workers=workers, extra=metrics.ADMIN),
                    files={"hosts": "127.0.0.1 shared.test"})
    url = f"http://shared.test:{origin.port}"
    gate = threading.Event()
    origin.at("/hold", read_body(), wait(gate), send(ok()))
    clients = [Client(daemon.port, source="127.0.0.2") for _ in range(8)]
    for client in clients:   # eight connections at once, so that the idle lists have some
        client.send(f"GET {url}/hold HTTP/1.1\r\nHost: x\r\n\r\n")
    origin.until(lambda o: o.paths().count("/hold") == 8)
    gate.set()
    for client in clients:
        assert client.response().status == 200
        client.close()
    connections = len(origin.connections)
    for i in range(16):
        assert_refused(_get(daemon, f"{url}/b{i}", "127.0.0.3"), cause)
    assert "/b" not in "".join(origin.paths()) and len(origin.connections) == connections
    for i in range(16):
        assert _get(daemon, f"{url}/a{i}", "127.0.0.2").status == 200
    # Each worker may open one of its own where both idle lists are empty; one worker needs none.
    assert len(origin.connections) < connections + workers, "for A they are as good as before"
    for line in daemon.log("/b"):
        assert line.get("cause") == cause
    for line in daemon.log("/a"):
        assert line.get("rule") == "a"


def _get(daemon, url, source):
    with Client(daemon.port, source=source) as client:
        return client.get(url)


def test_a_refused_name_leaves_nothing_idle(proxyd, origin):
    daemon = proxyd(conf.forward(rules=ON_IDLE, extra=metrics.ADMIN), files={"hosts": "127.0.0.1 shared.test"})
    url = f"http://shared.test:{origin.port}/"
    assert_refused(_get(daemon, url, "127.0.0.3"), "destination_loopback")
    assert _get(daemon, url, "127.0.0.2").status == 200
    assert len(origin.connections) == 1


def test_an_idle_connection_belongs_to_a_name_and_port(proxyd, origin):
    """Two names for one address share nothing: what makes two connections the same is name and port."""
    daemon = proxyd(conf.forward(workers=1))
    for name in ("origin.test", "other.test", "127.0.0.1", "origin.test", "other.test", "ORIGIN.TEST."):
        assert fetch(daemon.port, f"http://{name}:{origin.port}/").status == 200
    assert len(origin.connections) == 3


# -- what cannot be known -------------------------------------------------------------------------

def test_no_start_without_the_own_addresses(proxyd, tmp_path):
    """This machine's public addresses count as loopback; unknown they would pass for public."""
    env = preload(tmp_path, "no_netlink", """
        #include <errno.h>
        int getifaddrs(void *out) { (void)out; errno = EAFNOSUPPORT; return -1; }
        """)
    with pytest.raises(StartFailed) as failed:
        proxyd(conf.forward(), env=env)
    assert failed.value.code == 1
    assert "cannot learn this machine's own addresses: Address family not" in failed.value.stderr
