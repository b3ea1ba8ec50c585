"""The policy as its users meet it: who may ask, where to, and what the refusal says.

The rule engine has its own unit tests; here each sentence of the manual is shown on the wire, with the
rule's name and cause on the page and in the log, and with an origin that must have seen nothing.
"""
import json

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.faults import FAULTS, assert_refused
from lib.netns import ip, network
from lib.origin import Origin
from lib.times import until

REACH = f"reach {conf.CLASSES};"
ANY = f"allow any {{ {REACH} }}"


class Asker:
    """One daemon and the questions asked of it; decide() gives (rule, cause or None)."""

    def __init__(self, daemon, origin):
        self.daemon = daemon
        self.origin = origin
        self.lines = 0

    def decide(self, path="/", method="GET", host="origin.test", port=None, source="127.0.0.1"):
        port = port or self.origin.port
        target = f"{host}:{port}" if method == "CONNECT" else f"http://{host}:{port}{path}"
        before, self.origin.requests[:] = len(self.origin.connections), []
        with Client(self.daemon.port, source=source) as client:
            answer = client.ask(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
        self.lines += 1
        assert until(lambda: len(self.daemon.log(" in=")) >= self.lines), "no log line for it"
        line = self.daemon.log(" in=")[-1]
        if answer.status == 200:
            assert line.get("cause") is None
            return line.get("rule"), None
        cause = line.get("cause")
        assert_refused(answer, cause)
        assert f" {answer.status} " in line
        if method != "HEAD":
            page = answer.body.decode()
            assert f"rule: {line.get('rule')}\n" in page if line.get("rule") else "rule:" not in page
        if method == "CONNECT":
            assert cause in answer.reason and (line.get("rule") or "") in answer.reason
        if FAULTS[cause].whose == "POLICY":
            assert self.origin.requests == [] and len(self.origin.connections) == before
        return line.get("rule"), cause


@pytest.fixture
def policy(proxyd, origin):
    """start(rules, …) → an Asker."""
    def start(rules, **how):
        return Asker(proxyd(conf.forward(rules=rules, **how)), origin)
    return start


def refused(rule):
    return rule, "rule_denied"


DEFAULT = ("default", "default_denied")


# -- clients --------------------------------------------------------------------------------------

def test_clients(proxyd, origin):
    # covers: policy clients
    daemon = proxyd(conf.forward(clients="127.0.0.2 127.0.1.0/24", extra=metrics.ADMIN))
    for source in ("127.0.0.2", "127.0.1.0", "127.0.1.255"):
        with Client(daemon.port, source=source) as client:
            assert client.get(origin.url("/in")).status == 200
    for i, source in enumerate(("127.0.0.1", "127.0.0.3", "127.0.2.0", "127.0.0.255")):
        for raw in (f"GET {origin.url('/out')} HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
                    f"CONNECT {origin.authority} HTTP/1.1\r\nHost: x\r\n\r\nGET /out HTTP/1.1\r\nHost: x\r\n\r\n",
                    f"GET /proxy.pac HTTP/1.1\r\nHost: x\r\n\r\nGET {origin.url('/out')} HTTP/1.1\r\nHost: x\r\n\r\n",
                    f"POST {origin.url('/out')} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
                    f"TRACE {origin.url('/out')} HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n",
                    f"OPTIONS {origin.url('/out')} HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n"):
            with Client(daemon.port, source=source) as client:
                answer = client.ask(raw)
                assert_refused(answer, "client_not_allowed")
                assert answer.get("Connection").lower() == "close"
                assert f"\nclient: {source}\n" in answer.body.decode(), "its own address, as it was seen"
                assert client.expect_closed() == "eof", "one answer, then the end"
        assert until(lambda: len(daemon.log(f" {source} ")) == 6)
        assert all(line.get("cause") == "client_not_allowed" for line in daemon.log(f" {source} "))
    assert "/out" not in origin.paths()
    assert metrics.read(daemon)["fault client_not_allowed"] == 24


@network()
def test_clients_by_default_are_loopback(proxyd):
    ip("address", "add", "10.9.0.1/32", "dev", "lo")
    ip("-6", "address", "add", "fd12::1/128", "dev", "lo", "nodad")
    text = conf.forward().replace("clients 127.0.0.0/8 ::1;", "").replace("127.0.0.1:{port}", "*:{port}")
    assert "clients" not in text
    daemon = proxyd(text)
    with Origin(name="origin.test") as origin:
        for host, allowed in (("127.0.0.1", True), ("127.0.0.9", True), ("::1", True), ("10.9.0.1", False), ("fd12::1", False)):
            with Client(daemon.port, host=host, source=host) as client:
                answer = client.get(origin.url())
                if allowed:
                    assert answer.status == 200
                else:
                    assert_refused(answer, "client_not_allowed")
                    client.expect_closed()


def test_clients_over_ipv6(proxyd, origin):
    daemon = proxyd(conf.forward(clients="::1").replace("127.0.0.1:{port}", "[::1]:{port} 127.0.0.1:{port}"))
    with Client(daemon.port, host="::1") as client:
        assert client.get(origin.url()).status == 200
    with Client(daemon.port) as client:
        answer = client.get(origin.url(), "Accept: application/json")
        assert_refused(answer, "client_not_allowed")
        assert json.loads(answer.body)["client"] == "127.0.0.1"


def test_a_mapped_client_is_its_ipv4_address(proxyd, origin):
    """A listener on [::] for both families sees ::ffff:127.0.0.2, which is 127.0.0.2."""
    daemon = proxyd(conf.forward(clients="127.0.0.2").replace("127.0.0.1:{port}", "[::]:{port}"))
    with Client(daemon.port, source="127.0.0.2") as client:
        assert client.get(origin.url()).status == 200
    assert " 127.0.0.2 " in daemon.wait_log("GET")


# -- ports ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("ports,allowed,denied", [
    ("", [80, 443, 1024, 8080, 65535], [1, 22, 25, 79, 81, 442, 444, 1023]),
    ("http-ports 80 8000-8002;", [80, 8000, 8002], [443, 7999, 8003, 1024]),
    ("http-ports any;", [1, 22, 80, 443, 1023, 65535], [])])
def test_http_ports(policy, ports, allowed, denied):
    # covers: policy http-ports
    asker = policy(ANY, ports=ports)
    for port in allowed:   # nobody listens: that it was tried is enough
        assert asker.decide(port=port, host="127.0.0.99") == ("any", "connect_refused")
    for port in denied:
        assert asker.decide(port=port, host="127.0.0.99") == ("http-ports", "http_port_denied")


def test_the_two_port_lists_are_apart(policy, origin):
    asker = policy(ANY, ports=f"http-ports 80; connect-ports {origin.port};")
    assert asker.decide(method="CONNECT") == ("any", None)
    assert asker.decide() == ("http-ports", "http_port_denied")
    asker = policy(ANY, ports=f"http-ports {origin.port}; connect-ports 443;")
    assert asker.decide() == ("any", None)
    assert asker.decide(method="CONNECT") == ("connect-ports", "connect_port_denied")


def test_ports_come_before_rules(policy):
    asker = policy("deny no { } ", ports="http-ports 80;")
    assert asker.decide() == ("http-ports", "http_port_denied")


# -- the default ----------------------------------------------------------------------------------

@pytest.mark.parametrize("default,rule,cause,text", [
    ("deny", "default", "default_denied", ""), ('deny "not on the <company> \\"list\\""', "default", "default_denied",
                                                 'not on the <company> "list"'),
    ("allow", "default", "destination_loopback", "")])
def test_default(policy, default, rule, cause, text):
    # covers: policy default
    asker = policy("", default=default)
    assert asker.decide() == (rule, cause)
    if text:
        with Client(asker.daemon.port) as client:
            assert text in client.get(asker.origin.url(), "Accept: text/plain").body.decode()
            assert "not on the &lt;company&gt; &quot;list&quot;" in client.get(asker.origin.url(), "Accept: text/html").body.decode()
        assert "not on the <company>" in asker.daemon.wait_log("reason=")


def test_no_rules_at_all(proxyd, origin):
    text = conf.forward(policy_text="policy open { default deny; }", )
    asker = Asker(proxyd(text), origin)
    assert asker.decide(port=80) == DEFAULT
    assert asker.decide(method="CONNECT", port=443) == DEFAULT
    assert asker.decide() == DEFAULT


# -- order ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("rules,expected", [
    ("deny a { to origin.test; } allow b { %s }", refused("a")), ("allow b { %s } deny a { to origin.test; }", ("b", None)),
    ("deny x { to other.test; } deny a { to origin.test; } allow b { %s }", refused("a")),
    ("deny x { to other.test; } allow b { to origin.test; %s } deny a { }", ("b", None)),
    ("allow x { to other.test; %s } deny a { }", refused("a")),
    ("allow shut { } allow open { %s }", ("shut", "destination_loopback")),
    ("allow x { to other.test; %s }", DEFAULT)])
def test_the_first_match_decides(policy, rules, expected):
    """Also an allow that then refuses by class: the next one is not asked."""
    asker = policy(rules.replace("%s", REACH))
    for method in ("GET", "CONNECT", "POST"):
        assert asker.decide(method=method) == expected


# -- conditions -----------------------------------------------------------------------------------

HOSTS = conf.HOSTS + "127.0.0.1 a.corp.test b.a.corp.test corp.test xcorp.test\n127.0.0.2 two.test\n"

TO = [
    ("to origin.test;", ["origin.test", "ORIGIN.Test", "origin.test."], ["www.origin.test", "other.test", "127.0.0.1"]),
    ("to Origin.TEST.;", ["origin.test", "origin.test."], ["www.origin.test"]),
    ("to *.corp.test;", ["a.corp.test", "b.a.corp.test", "A.CORP.test."], ["corp.test", "xcorp.test", "origin.test"]),
    ("to .corp.test;", ["corp.test", "a.corp.test", "b.a.corp.test"], ["xcorp.test", "origin.test"]),
    ("to *;", ["origin.test", "corp.test", "127.0.0.1", "[::ffff:127.0.0.1]"], []),
    ("to 127.0.0.1;", ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "origin.test"], ["127.0.0.2", "two.test"]),
    ("to 127.0.0.0/31;", ["127.0.0.1", "origin.test", "0x7f.1"], ["127.0.0.2", "two.test"]),
    ("to ::1;", ["[::1]", "[0::1]"], ["127.0.0.1", "origin.test"]),
    ("to class loopback;", ["127.0.0.1", "127.0.0.2", "origin.test", "two.test"], []),
    ("to class private;", [], ["127.0.0.1", "origin.test"]),
    ("to class public class loopback;", ["127.0.0.1", "origin.test"], []),
    ("to corp.test 127.0.0.2/32 class private;", ["corp.test", "127.0.0.2", "two.test"], ["127.0.0.1", "origin.test"]),
    ("to corp.test; to .test;", ["corp.test"], ["origin.test"]),
    ("not to origin.test;", ["corp.test", "127.0.0.1"], ["origin.test"]),
    ("not to .corp.test other.test;", ["origin.test"], ["corp.test", "a.corp.test", "other.test"]),
    ("not to 127.0.0.2;", ["127.0.0.1", "origin.test"], ["127.0.0.2", "two.test"]),
    ("to .corp.test; not to corp.test;", ["a.corp.test"], ["corp.test", "origin.test"]),
]


@pytest.mark.parametrize("condition,yes,no", TO)
def test_to(proxyd, condition, yes, no):
    # covers: policy rules allow to, policy rules deny to
    for action, match, other in (("deny", refused("r"), ("any", None)), ("allow", ("r", None), DEFAULT)):
        rules = f"deny r {{ {condition} }} {ANY}" if action == "deny" else f"allow r {{ {condition} {REACH} }}"
        with Origin("0.0.0.0", name="origin.test") as origin, Origin("::1", port=origin.port):
            asker = Asker(proxyd(conf.forward(rules=rules), files={"hosts": HOSTS}), origin)
            for host in yes:
                assert asker.decide(host=host) == match, host
            for host in no:
                assert asker.decide(host=host) == other, host
            assert asker.decide(host=(yes or no)[0], method="CONNECT") == (match if yes else other)


def test_port(policy, origin):
    # covers: policy rules allow port, policy rules deny port
    with Origin() as second:
        asker = policy(f"deny r {{ port {second.port} 1-79; }} allow s {{ port 80 {origin.port}-{origin.port}; {REACH} }}")
        assert asker.decide() == ("s", None)
        assert asker.decide(method="CONNECT") == ("s", None)
        assert asker.decide(port=second.port) == refused("r")
        assert asker.decide(port=79, method="CONNECT") == refused("r")
        assert asker.decide(port=81) == DEFAULT
        asker = policy(f"allow s {{ not port {second.port} 1-1023; {REACH} }}")
        assert asker.decide() == ("s", None)
        assert asker.decide(port=second.port) == DEFAULT and asker.decide(port=1023) == DEFAULT
        assert second.connections == []


def test_method(policy):
    # covers: policy rules allow method, policy rules deny method
    asker = policy(f"deny r {{ method PUT POST PURGE; }} deny c {{ method CONNECT; }} allow s {{ not method DELETE; {REACH} }}")
    for method, expected in (("GET", ("s", None)), ("HEAD", ("s", None)), ("PUT", refused("r")), ("POST", refused("r")),
                             ("PURGE", refused("r")), ("PURGES", ("s", None)), ("put", ("s", None)), ("DELETE", DEFAULT),
                             ("CONNECT", refused("c")), ("OPTIONS", ("s", None)), ("PROPFIND", ("s", None))):
        assert asker.decide(method=method) == expected, method


def test_from(policy):
    # covers: policy rules allow from, policy rules deny from
    asker = policy(f"deny r {{ from 127.0.0.3 127.0.9.0/24; }} allow s {{ from 127.0.0.0/24 ::1; not from 127.0.0.4; {REACH} }}")
    for source, expected in (("127.0.0.1", ("s", None)), ("127.0.0.3", refused("r")), ("127.0.9.7", refused("r")),
                             ("127.0.0.4", DEFAULT), ("127.0.8.1", DEFAULT), ("127.0.0.255", ("s", None))):
        assert asker.decide(source=source) == expected, source
        assert asker.decide(source=source, method="CONNECT") == expected, source


def test_all_conditions_must_hold(policy, origin):
    asker = policy(f"""
        deny r {{ to .origin.test; port {origin.port}; method POST; path /up; from 127.0.0.2; }} {ANY}""")
    hit = {"path": "/up/x", "method": "POST", "source": "127.0.0.2"}
    assert asker.decide(**hit) == refused("r")
    for change in ({"path": "/down"}, {"method": "PUT"}, {"source": "127.0.0.1"}, {"host": "other.test"}):
        assert asker.decide(**{**hit, **change}) == ("any", None), change


def test_a_repeated_condition_is_and(policy):
    asker = policy(f"deny both {{ from 127.0.0.0/24; from 127.0.0.2/31; }} {ANY}")
    assert asker.decide(source="127.0.0.2") == refused("both")
    assert asker.decide(source="127.0.0.4") == ("any", None)
    asker = policy(f"deny either {{ from 127.0.0.2 127.0.0.4; }} {ANY}")
    assert asker.decide(source="127.0.0.4") == refused("either")


# -- paths ----------------------------------------------------------------------------------------

DENIED = ["/admin", "/admin/", "/admin/x", "/admin?x", "/%61dmin", "/%61%64%6d%69%6e/", "/x/../admin", "/./admin", "//admin",
          "/x//../admin", "/%2e/admin", "/x/%2e%2e/admin", "/x/.%2E/admin/y", "/x%2f..%2fadmin", "/x/..%2fadmin", "/admin%2fx",
          "/%2fadmin", "/%2Fadmin", "/x/%2e%2e%2fadmin", "/..//admin", "/../../admin", "/admin/../admin", "/admin/..%2fx",
          "/admin/%2e%2e%2f", "/x/..%2F..%2Fadmin"]
NOT_DENIED = ["/", "/adm", "/administrator", "/Admin", "/x/admin", "/admin/../x", "/%2561dmin", "/x?/admin", "/x;/admin", "/adm%69",
              "/admin.html", "/admin;x"]


def test_a_deny_by_path(policy):
    # covers: policy rules deny path
    """It matches if either form of the path does; the raw target is forwarded unchanged."""
    asker = policy(f"deny r {{ path /admin; }} {ANY}")
    for path in DENIED:
        assert asker.decide(path) == refused("r"), path
    for path in NOT_DENIED:
        assert asker.decide(path) == ("any", None), path
        assert asker.origin.paths() == [path], "as the client sent it"


ALLOWED = ["/public", "/public/", "/public/x?y=/../..", "/%70ublic/x", "/x/../public", "/./public/./x", "/public/a%20b"]
NOT_ALLOWED = ["/", "/publi", "/publicx", "/Public", "/public/../admin", "/public/..%2fadmin", "/public%2f..%2fadmin",
               "/public/%2e%2e/admin", "//public", "/public%2fx", "/x/public", "/%2570ublic"]


def test_an_allow_by_path(policy):
    # covers: policy rules allow path
    """It matches only if both forms do: what the origin makes of the path is not known here."""
    asker = policy(f"allow r {{ path /public; {REACH} }}")
    for path in ALLOWED:
        assert asker.decide(path) == ("r", None), path
        assert asker.origin.paths() == [path], "as the client sent it"
    for path in NOT_ALLOWED:
        assert asker.decide(path) == DEFAULT, path


def test_not_path(policy):
    asker = policy(f"deny r {{ not path /public; }} {ANY}")
    for path in ("/public", "/public/x", "/x/../public"):
        assert asker.decide(path) == ("any", None), path
    for path in ("/", "/admin", "/public/../admin", "/public/..%2fadmin", "//public"):
        assert asker.decide(path) == refused("r"), path


def test_a_long_path_is_no_way_around(policy):
    """Where no form of a path can be had, a deny matches and an allow does not."""
    tail = "/x/.." * 2500
    asker = policy(f"deny r {{ path /admin; }} {ANY}", extra="limits { line 64k; head 128k; }")
    assert asker.decide(tail + "/admin") == refused("r")
    rule, cause = asker.decide("/" + "y" * 30000 + "/../admin")
    assert (rule, cause) == refused("r")
    asker = policy(f"allow r {{ path /public; {REACH} }}", extra="limits { line 64k; head 128k; }")
    assert asker.decide("/public/" + "y" * 30000) in (DEFAULT, ("r", None))
    assert asker.decide("/" + "y" * 30000 + "/../admin") == DEFAULT


# -- what is not known ----------------------------------------------------------------------------

@pytest.mark.parametrize("rules,expected", [
    (f"deny r {{ path /; }} {ANY}", ("any", None)), (f"deny r {{ not path /x; }} {ANY}", ("any", None)),
    (f"allow r {{ path /; {REACH} }}", DEFAULT), (f"allow r {{ not path /x; {REACH} }}", DEFAULT),
    (f"deny r {{ to origin.test; path /a; }} {ANY}", ("any", None))])
def test_the_path_in_a_tunnel_is_unknown(policy, rules, expected):
    """A rule with an unknown condition never matches, with or without `not`."""
    asker = policy(rules)
    assert asker.decide(method="CONNECT") == expected


UNRESOLVED = [
    # rules, default, expected rule and cause for a name that does not exist
    ("deny r { to 10.0.0.0/8; }", "deny", DEFAULT),
    ("deny r { not to 10.0.0.0/8; }", "deny", DEFAULT),
    ("allow r { to 10.0.0.0/8; reach private; }", "deny", DEFAULT),
    ("allow r { not to class private; }", "deny", DEFAULT),
    ("deny r { to class private; } deny s { to nowhere.test; }", "deny", refused("s")),
    ("deny r { to class private; } allow s { to nowhere.test; }", "deny", ("s", "dns_nxdomain")),
    ("deny r { to class private; }", "allow", ("default", "dns_nxdomain")),
    ("allow r { to nowhere.test; } deny s { to class private; }", "deny", ("r", "dns_nxdomain")),
]


@pytest.mark.parametrize("rules,default,expected", UNRESOLVED)
@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_an_address_that_does_not_resolve_is_unknown(policy, parts, rules, default, expected, method):
    """Who may not go there anyway is not told whether the name exists."""
    dns = parts.dns()
    asker = policy(rules, default=default, dns=f"server {dns.server}; hosts none; timeout 400ms;")
    assert asker.decide(host="nowhere.test", method=method) == expected


def test_a_resolver_that_is_silent_opens_nothing(policy, parts):
    dns = parts.dns()
    dns.silent = True
    asker = policy("deny r { to class private; }", dns=f"server {dns.server}; hosts none; timeout 300ms;")
    assert asker.decide(host="nowhere.test") == DEFAULT
    asker = policy(f"deny r {{ to class private; }} {ANY}", dns=f"server {dns.server}; hosts none; timeout 300ms;")
    assert asker.decide(host="nowhere.test") == ("any", "dns_timeout")
    asker = policy("deny r { to class private; }", extra="timeouts { connect 200ms; }",
                   dns=f"server {dns.server}; hosts none; timeout 5s;")
    assert asker.decide(host="nowhere.test") == DEFAULT


def test_only_what_reaches_an_address_rule_is_looked_up(policy, parts):
    dns = parts.dns()
    dns.set("late.test", "127.0.0.1")
    asker = policy(f"""
        deny  early {{ to early.test; }}
        allow name  {{ to origin.test 192.0.2.0/24; {REACH} }}
        deny  net   {{ to 10.0.0.0/8; }}
        allow rest  {{ to late.test; {REACH} }}""", dns=f"server {dns.server}; hosts hosts; timeout 400ms;")
    assert asker.decide(host="early.test") == refused("early")
    assert asker.decide(host="origin.test") == ("name", None)
    assert asker.decide(host="127.0.0.1") == DEFAULT
    assert dns.queries == []
    assert asker.decide(host="late.test") == ("rest", None)
    assert asker.decide(host="else.test") == DEFAULT
    assert {n for n, _, _ in dns.queries} == {"late.test", "else.test"}


def test_a_deny_by_network_after_resolution(policy, parts):
    """The name is unknown to the rules, its address is not; every address is judged alone."""
    dns = parts.dns()
    dns.set("bad.test", "127.0.0.3")
    dns.set("mixed.test", "127.0.0.3", "127.0.0.1")
    asker = policy(f"deny net {{ to 127.0.0.2/31; }} {ANY}", dns=f"server {dns.server}; hosts none; timeout 400ms;")
    assert asker.decide(host="bad.test") == refused("net")
    assert asker.decide(host="mixed.test") == ("any", None)
    assert asker.daemon.wait_log("mixed.test").get("to") == f"127.0.0.1:{asker.origin.port}"


# -- policies and listeners -----------------------------------------------------------------------

def test_each_listener_has_its_policy(proxyd, origin):
    # covers: listener policy
    daemon = proxyd(conf.forward(extra="""
        listener strict { bind 127.0.0.1:{strict_port}; mode forward; policy strict; }
        policy strict { clients 127.0.0.2; default deny "strictly not"; }"""))
    with Client(daemon.port) as client:
        assert client.get(origin.url()).status == 200
    with Client(daemon.ports["strict_port"], source="127.0.0.2") as client:
        answer = client.get("http://origin.test/")
        assert_refused(answer, "default_denied")
        assert b"strictly not" in answer.body
    with Client(daemon.ports["strict_port"], source="127.0.0.1") as client:
        assert_refused(client.get("http://origin.test/"), "client_not_allowed")


def test_refusals_keep_the_connection(policy):
    """A browser's connection carries requests to many hosts; a 403 for one is no reason to end it."""
    asker = policy(f"deny r {{ path /no; }} {ANY}")
    with Client(asker.daemon.port) as client:
        for i in range(5):
            assert_refused(client.get(asker.origin.url("/no")), "rule_denied")
            assert client.get(asker.origin.url(f"/yes{i}")).status == 200
        client.send(f"POST {asker.origin.url('/no')} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                    f"GET {asker.origin.url('/next')} HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.response("POST")
        assert_refused(answer, "rule_denied")
        if (answer.get("Connection") or "").lower() == "close":
            client.expect_closed()
        else:
            assert client.response().status == 200
    assert "/no" not in asker.origin.paths()


def test_every_one_of_many_rules_is_asked(policy):
    """The first, one in the middle, the last, and what stands behind them all; test_730 has the cost."""
    rules = "".join(f"deny r{i} {{ to *.host{i}.example host{i}.test; method GET; }}\n" for i in range(200))
    asker = policy(rules + "deny last { to www.origin.test; }" + ANY)
    for host, expected in (("host0.test", refused("r0")), ("host137.test", refused("r137")),
                           ("a.host199.example", refused("r199")), ("www.origin.test", refused("last"))):
        assert asker.decide(host=host) == expected
    assert asker.decide() == ("any", None)
