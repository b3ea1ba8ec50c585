"""Every key of the configuration does something: one test each that fails when the key is ignored. What
it does in all depth is tested where its subject is; here each is varied, and the difference is seen.
`make test` compares the marks with the keys of the schema.
"""
import re
import signal
import socket
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.daemon import Proxyd
from lib.faults import assert_refused
from lib.hello import hello
from lib.namespace import in_namespace
from lib.origin import Origin, ok, pause, read, read_body, read_eof, send, wait
from lib.ports import free_port, release
from lib.times import SOON, Stopwatch, until, within
from lib.wire import Ended


def connect(daemon, authority, **how):
    with Client(daemon.port, **how) as client:
        return client.ask(request(authority, method="CONNECT", host=authority))


def listening(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


# -- listener -------------------------------------------------------------------------------------

def test_bind(proxyd, origin):
    """Several addresses in one statement and in several; both families; nothing else."""
    # covers: listener bind
    text = conf.forward().replace("bind 127.0.0.1:{port};",
                                  "bind 127.0.0.1:{port} [::1]:{six_port}; bind 127.0.0.3:{third_port};")
    daemon = proxyd(text, expect_ready=False)
    port, six, third = daemon.port, daemon.ports["six_port"], daemon.ports["third_port"]
    assert until(lambda: "try:" in daemon.stderr())
    for host, one in (("127.0.0.1", port), ("::1", six), ("127.0.0.3", third)):
        with Client(one, host) as client:
            assert client.get(origin.url()).status == 200
    assert not listening(port, "127.0.0.3") and not listening(six) and not listening(third)
    assert "on 127.0.0.3:" in daemon.stderr()


@pytest.mark.parametrize("wildcard", ["*", "[::]"])
def test_bind_to_every_address(proxyd, origin, wildcard):
    # covers: listener bind
    daemon = proxyd(conf.forward().replace("127.0.0.1:{port}", wildcard + ":{port}"))
    for host in ("127.0.0.1", "127.0.0.77", "::1"):
        with Client(daemon.port, host) as client:
            assert client.get(origin.url()).status == 200


def test_via(proxyd):
    """Off for who needs compressed answers, a name for who wants no other; what others added stays."""
    # covers: listener via
    text = conf.forward(listener="via off;") + """
listener named { bind 127.0.0.1:{named_port}; mode forward; policy open; via proxy.test; }
listener plain { bind 127.0.0.1:{plain_port}; mode forward; policy open; via on; }
listener edge  { bind 127.0.0.1:{edge_port}; mode reverse; routes web; via off; }
routes web { route all { to pool one; } }
pool one { server 127.0.0.1:{one}; }
"""
    with Origin() as one:
        one.at("/v", read_body(), send(ok("x", "Via: 1.1 inner")))
        daemon = proxyd(text, values={"one": one.port})

        def ask(port, via, target=""):
            one.clear()
            with Client(port) as client:
                answer = client.ask(f"GET {target}/v HTTP/1.1\r\nHost: site.test\r\nVia: {via}\r\n\r\n")
            return [seen.all("Via") for seen in one.requests], answer.all("Via")
        url = f"http://{one.authority}"
        assert ask(daemon.port, "1.1 before", url) == ([["1.1 before"]], ["1.1 inner"])
        assert ask(daemon.ports["named_port"], "1.1 before", url) == (
            [["1.1 before", "1.1 proxy.test"]], ["1.1 inner", "1.1 proxy.test"])
        (seen,), answered = ask(daemon.ports["plain_port"], "1.1 before", url)
        assert seen[1].startswith("1.1 proxyd-") and answered[1] == seen[1]
        assert ask(daemon.ports["edge_port"], "1.1 before") == ([["1.1 before"]], ["1.1 inner"])
        # loops: by either name, and by length where no name is added
        assert ask(daemon.ports["named_port"], "1.1 proxy.test", url)[0] == []
        assert ask(daemon.port, seen[1], url)[0] == []
        assert ask(daemon.port, ", ".join(["1.1 other"] * 17), url)[0] == []
        assert until(lambda: len(daemon.log("cause=loop_detected")) == 3)


def test_mode_policy_and_routes(proxyd, origin):
    """Two listeners: the same request is a proxy's on one, a server's on the other."""
    # covers: listener mode, listener policy, listener routes, routes route to, pool server
    text = conf.forward() + """
policy shut { default deny; connect-ports any; http-ports any; }
listener closed { bind 127.0.0.1:{closed_port}; mode forward; policy shut; }
listener edge   { bind 127.0.0.1:{edge_port}; mode reverse; routes web; }
listener other  { bind 127.0.0.1:{other_port}; mode reverse; routes app; }
routes web { route all { to pool one; } }
routes app { route all { to pool two; } }
pool one { server 127.0.0.1:{a}; }
pool two { server 127.0.0.1:{b}; server 127.0.0.1:{c}; }
"""
    with Origin() as a, Origin() as b, Origin() as c:
        for name, one in (("a", a), ("b", b), ("c", c)):
            one.at("/who", read_body(), send(ok(name)))
        daemon = proxyd(text, values={"a": a.port, "b": b.port, "c": c.port})
        raw = b"GET /who HTTP/1.1\r\nHost: site.test\r\n\r\n"

        def ask(port):
            with Client(port) as client:
                return client.ask(raw)
        assert ask(daemon.port).status == 404, "a forward proxy serves no sites"
        assert ask(daemon.ports["edge_port"]).body == b"a"
        assert {ask(daemon.ports["other_port"]).body for _ in range(6)} == {b"b", b"c"}, "in turn"
        assert fetch(daemon.port, origin.url()).status == 200
        assert_refused(fetch(daemon.ports["closed_port"], origin.url()), "default_denied")


# -- policy ---------------------------------------------------------------------------------------

def test_clients(proxyd, origin):
    # covers: policy clients
    daemon = proxyd(conf.forward(clients="127.0.0.1 127.8.0.0/16"))
    for source, allowed in (("127.0.0.1", True), ("127.8.1.2", True), ("127.0.0.2", False), ("127.9.0.1", False)):
        with Client(daemon.port, source=source) as client:
            answer = client.get(origin.url("/" + source))
            if allowed:
                assert answer.status == 200
            else:
                assert_refused(answer, "client_not_allowed")
                client.expect_closed()
    assert origin.paths() == ["/127.0.0.1", "/127.8.1.2"]


def test_connect_ports(proxyd, origin):
    # covers: policy connect-ports
    with Origin() as other:
        daemon = proxyd(conf.forward(ports=f"connect-ports {origin.port} 1-2; http-ports any;"))
        assert connect(daemon, f"127.0.0.1:{origin.port}").status == 200
        assert_refused(connect(daemon, f"127.0.0.1:{other.port}"), "connect_port_denied")
        assert_refused(connect(daemon, "127.0.0.1:2"), "connect_refused")
        assert fetch(daemon.port, f"http://127.0.0.1:{other.port}/").status == 200, "of CONNECT only"


@pytest.mark.parametrize("sni,denied,without", [("match", False, True), ("require", False, False), ("ignore", True, True)])
def test_sni(proxyd, origin, sni, denied, without):
    """A tunnel that names a host that is denied; one without a name."""
    # covers: policy sni
    daemon = proxyd(conf.forward(rules="deny no { to denied.test; } " + conf.OPEN_RULES,
                                 ports=f"connect-ports any; http-ports any; sni {sni};"))
    for first, passes in ((hello("denied.test"), denied), (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", without)):
        origin.next(read(1), send(b"seen"), read_eof())
        with Client(daemon.port) as client:
            assert client.ask(request(origin.authority, method="CONNECT", host=origin.authority)).status == 200
            client.send(first)
            if passes:
                assert client.exactly(4) == b"seen"
            else:
                assert client.expect_closed() == "reset"


def test_http_ports(proxyd, origin):
    # covers: policy http-ports
    with Origin() as other:
        daemon = proxyd(conf.forward(ports=f"connect-ports any; http-ports {origin.port};"))
        assert fetch(daemon.port, f"http://127.0.0.1:{origin.port}/").status == 200
        assert_refused(fetch(daemon.port, f"http://127.0.0.1:{other.port}/"), "http_port_denied")
        assert connect(daemon, f"127.0.0.1:{other.port}").status == 200, "CONNECT has its own"


def test_ports_by_default(proxyd, origin):
    # covers: policy connect-ports, policy http-ports
    daemon = proxyd(conf.forward(ports=""))
    assert_refused(connect(daemon, f"127.0.0.1:{origin.port}"), "connect_port_denied")
    assert_refused(fetch(daemon.port, "http://127.0.0.1:25/"), "http_port_denied")
    assert fetch(daemon.port, origin.url()).status == 200


@pytest.mark.parametrize("default,cause", [("deny", "default_denied"), ('deny "ask the helpdesk"', "default_denied"),
                                           ("allow", "destination_loopback")])
def test_default(proxyd, origin, default, cause):
    # covers: policy default
    daemon = proxyd(conf.forward(rules="allow some { path /some; reach loopback; }", default=default))
    assert fetch(daemon.port, origin.url("/some")).status == 200
    answer = fetch(daemon.port, origin.url("/other"))
    assert_refused(answer, cause)
    assert (b"reason: ask the helpdesk" in answer.body) == ("helpdesk" in default)


# -- conditions -----------------------------------------------------------------------------------

REACH = f"reach {conf.CLASSES};"

#: condition: (what it takes, what it leaves); {o} is the origin's port. A request is a method and a
#: URL; "from" is the client's address.
CONDITIONS = {
    "to": ("to other.test 127.0.0.2;", ("GET", "http://other.test:{o}/"), ("GET", "http://origin.test:{o}/")),
    "port": ("port {o} 1-3;", ("GET", "http://origin.test:{o}/"), ("GET", "http://origin.test:{p}/")),
    "method": ("method PUT DELETE;", ("DELETE", "http://origin.test:{o}/"), ("GET", "http://origin.test:{o}/")),
    "path": ("path /admin /x/y;", ("GET", "http://origin.test:{o}/admin/it"), ("GET", "http://origin.test:{o}/adm")),
    "from": ("from 127.0.0.50/31;", ("GET", "http://origin.test:{o}/", "127.0.0.51"),
             ("GET", "http://origin.test:{o}/", "127.0.0.52")),
}


def asked(daemon, origin, other, method, url, source="127.0.0.1"):
    with Client(daemon.port, source=source) as client:
        return client.get(url.replace("{o}", str(origin.port)).replace("{p}", str(other.port)), method=method)


@pytest.mark.parametrize("key", CONDITIONS)
def test_condition_of_deny(proxyd, origin, key):
    # covers: policy rules deny to, policy rules deny port, policy rules deny method
    # covers: policy rules deny path, policy rules deny from
    condition, matching, leaving = CONDITIONS[key]
    with Origin() as other:
        condition = condition.replace("{o}", str(origin.port))
        daemon = proxyd(conf.forward(rules=f"deny it {{ {condition} }} " + conf.OPEN_RULES))
        answer = asked(daemon, origin, other, *matching)
        assert_refused(answer, "rule_denied")
        assert b"rule: it" in answer.body
        assert asked(daemon, origin, other, *leaving).status == 200
        inverse = proxyd(conf.forward(rules=f"deny it {{ not {condition} }} " + conf.OPEN_RULES))
        assert asked(inverse, origin, other, *matching).status == 200
        assert_refused(asked(inverse, origin, other, *leaving), "rule_denied")


@pytest.mark.parametrize("key", CONDITIONS)
def test_condition_of_allow(proxyd, origin, key):
    # covers: policy rules allow to, policy rules allow port, policy rules allow method
    # covers: policy rules allow path, policy rules allow from
    condition, matching, leaving = CONDITIONS[key]
    with Origin() as other:
        condition = condition.replace("{o}", str(origin.port))
        daemon = proxyd(conf.forward(rules=f"allow it {{ {condition} {REACH} }}"))
        assert asked(daemon, origin, other, *matching).status == 200
        assert_refused(asked(daemon, origin, other, *leaving), "default_denied")
        assert daemon.wait_log("rule=it")


@pytest.mark.parametrize("reach,loopback,private", [("loopback", True, False), ("private", False, True),
                                                    ("loopback private", True, True), ("metadata", False, False)])
def test_reach(tmp_path, reach, loopback, private):
    """In a network of its own, where 10.1.2.3 is an address that can be served."""
    # covers: policy rules allow reach
    def inside(alone):
        daemon = Proxyd(tmp_path / "daemon")
        daemon.start(conf.forward(rules=f"allow it {{ to *; reach {reach}; }}"), files={"hosts": conf.HOSTS})
        with Origin("127.0.0.1") as local:
            answer = fetch(daemon.port, local.url())
            if loopback:
                assert answer.status == 200
            else:
                assert_refused(answer, "destination_loopback")
        if not private:
            assert_refused(fetch(daemon.port, "http://10.1.2.3/"), "destination_private")
        elif alone:
            with Origin("10.1.2.3") as remote:
                assert fetch(daemon.port, remote.url()).status == 200
        daemon.stop()
    in_namespace(inside, routes=["10.1.2.0/24"], whole=not private)


# -- log ------------------------------------------------------------------------------------------

CROWD = "limits { clients-per-address 1; clients 2; } " + metrics.ADMIN
TOLD = {"info": "info: limits clients-per-address is reached by 127.0.0.1",
        "warning": "warning: limits clients 2 is reached: new clients wait"}


def crowd(daemon):
    """Both of the things that the error log is told about."""
    metrics.settle(daemon)
    first = Client(daemon.port)
    first.get("http://127.0.0.1:1/")
    with Client(daemon.port) as second:
        assert second.get("http://127.0.0.1:1/").status == 503
    third = Client(daemon.port, source="127.0.0.2")
    third.get("http://127.0.0.1:1/")
    waiting = Client(daemon.port, source="127.0.0.3")
    return [first, third, waiting]


@pytest.mark.parametrize("level,expected", [("debug", {"info", "warning"}), ("info", {"info", "warning"}),
                                            ("warning", {"warning"}), ("error", set())])
def test_level(proxyd, level, expected):
    # covers: log error level
    daemon = proxyd(conf.forward(workers=1, extra=f"{CROWD} log error {{ level {level}; }}"))
    clients = crowd(daemon)
    time.sleep(0.2)
    for client in clients:
        client.close()
    daemon.stop()
    for name, text in TOLD.items():
        assert (text in daemon.stderr()) == (name in expected), daemon.stderr()
    assert TOLD["info"] not in daemon.stdout()


@pytest.mark.parametrize("level", ["debug", "info"])
def test_debug_tells_what_was_attempted(proxyd, level):
    daemon = proxyd(conf.forward(rules="allow here { to 127.0.0.1; reach loopback; }",
                                 extra=f"log error {{ level {level}; }}"))
    with Client(daemon.port) as client:
        assert client.get("http://127.0.0.1:1/").status == 502
        assert client.get("http://127.0.0.2:1/").status == 403
    daemon.stop()
    for line in ("connect_refused while connecting id=", "default_denied while asking the policy's rules id="):
        assert (line in daemon.stderr()) == (level == "debug"), daemon.stderr()


@pytest.mark.parametrize("where", ["stderr", "errors.log", "none"])
def test_error_log(proxyd, where):
    # covers: log error to
    daemon = proxyd(conf.forward(workers=1, extra=f"{CROWD} log error {{ to {where}; }}"))
    clients = crowd(daemon)
    time.sleep(0.2)
    for client in clients:
        client.close()
    daemon.stop()
    file = daemon.folder / "errors.log"
    assert (TOLD["warning"] in daemon.stderr()) == (where == "stderr")
    assert file.exists() == (where == "errors.log")
    if file.exists():
        assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z " + re.escape(TOLD["warning"]) + "$",
                         file.read_text(), re.M)


def test_what_lasts_is_not_told_each_time(proxyd):
    daemon = proxyd(conf.forward(workers=1, extra=CROWD))
    clients = crowd(daemon)
    time.sleep(0.5)
    for client in clients:
        client.close()
    daemon.stop()
    assert daemon.stderr().count(TOLD["warning"]) == 1


# -- dns ------------------------------------------------------------------------------------------

def test_dns_server(proxyd, parts, origin):
    # covers: dns server
    dns = parts.dns()
    dns.set("looked.test", "127.0.0.1")
    daemon = proxyd(conf.forward(dns=f"server {dns.server}; hosts none;"))
    assert fetch(daemon.port, f"http://looked.test:{origin.port}/").status == 200
    assert dns.count("looked.test") > 0
    assert_refused(fetch(daemon.port, f"http://unknown.test:{origin.port}/"), "dns_nxdomain")


def test_dns_hosts(proxyd, parts, origin):
    # covers: dns hosts
    dns = parts.dns()
    daemon = proxyd(conf.forward(dns=f"server {dns.server}; hosts names;"),
                    files={"names": "127.0.0.1 first.test alias.test # comment\n"})
    for name in ("first.test", "alias.test"):
        assert fetch(daemon.port, f"http://{name}:{origin.port}/").status == 200
        assert dns.count(name) == 0
    none = proxyd(conf.forward(dns=f"server {dns.server}; hosts none;"), files={"names": "127.0.0.1 first.test\n"})
    assert_refused(fetch(none.port, f"http://first.test:{origin.port}/"), "dns_nxdomain")


@pytest.mark.slow("an answer later than the default of two seconds")
def test_dns_timeout(proxyd, parts, origin):
    """The default is 2 s: a longer one waits beyond it, a shorter one gives up before."""
    # covers: dns timeout
    dns = parts.dns()
    dns.set("slow.test", "127.0.0.1", delay=4)

    def resolving(timeout):
        return proxyd(conf.forward(dns=f"server {dns.server}; hosts none; timeout {timeout};",
                                   extra="timeouts { connect 60s; }"))
    with Stopwatch() as watch:
        assert fetch(resolving("60s").port, f"http://slow.test:{origin.port}/").status == 200
    assert watch.seconds > 3.9
    assert_refused(lasts(0.4, lambda: fetch(resolving("400ms").port, "http://slow.test/"), 2), "dns_timeout")


def test_dns_search(proxyd, parts, origin):
    # covers: dns search
    dns = parts.dns()
    dns.set("short.corp.test", "127.0.0.1")
    rules = "allow it { to short.corp.test; reach loopback; }"
    daemon = proxyd(conf.forward(rules=rules, dns=f"server {dns.server}; hosts none; search corp.test;"))
    assert fetch(daemon.port, f"http://short:{origin.port}/").status == 200, "before any rule sees the name"
    without = proxyd(conf.forward(rules=rules, dns=f"server {dns.server}; hosts none;"))
    assert fetch(without.port, f"http://short:{origin.port}/").status == 403


# -- limits (in depth: test_701_clock.py) --------------------------------------------------------

def test_head(proxyd, origin):
    # covers: limits head
    field = "X: " + "x" * 3000
    small, large = proxyd(conf.forward(extra="limits { head 2k; }")), proxyd(conf.forward(extra="limits { head 8k; }"))
    assert_refused(fetch(small.port, origin.url(), field), "head_too_large")
    assert fetch(large.port, origin.url(), field).status == 200
    origin.at("/long", read_body(), send(ok("x", field)))
    assert_refused(fetch(small.port, origin.url("/long")), "response_head_too_large")
    assert fetch(large.port, origin.url("/long")).status == 200


def test_fields(proxyd, origin):
    # covers: limits fields
    fields = [f"X-{i}: {i}" for i in range(20)]
    few, many = proxyd(conf.forward(extra="limits { fields 16; }")), proxyd(conf.forward(extra="limits { fields 32; }"))
    assert_refused(fetch(few.port, origin.url(), *fields), "too_many_fields")
    assert fetch(many.port, origin.url(), *fields).status == 200
    origin.at("/many", read_body(), send(ok("x", *fields)))
    assert_refused(fetch(few.port, origin.url("/many")), "response_head_too_large")
    assert fetch(many.port, origin.url("/many")).status == 200


def test_line(proxyd, origin):
    # covers: limits line
    short, long = proxyd(conf.forward(extra="limits { line 512; }")), proxyd(conf.forward(extra="limits { line 2k; }"))
    assert_refused(fetch(short.port, origin.url("/" + "a" * 600)), "target_too_long")
    assert fetch(long.port, origin.url("/" + "a" * 600)).status == 200


def test_body(proxyd, origin):
    # covers: limits body
    small, large = proxyd(conf.forward(extra="limits { body 10; }")), proxyd(conf.forward(extra="limits { body 1k; }"))
    assert_refused(fetch(small.port, origin.url(), method="PUT", body=b"x" * 11), "body_too_large")
    assert fetch(large.port, origin.url(), method="PUT", body=b"x" * 11).status == 200


def test_clients_limit(proxyd, origin):
    # covers: limits clients
    daemon = proxyd(conf.forward(workers=1, extra="limits { clients 2; } " + metrics.ADMIN))
    metrics.settle(daemon)
    held = [Client(daemon.port) for _ in range(2)]
    for client in held:
        assert client.get(origin.url()).status == 200
    with Client(daemon.port) as third:
        third.send(request(origin.url()))
        third.expect_open(0.2)
        held[0].close()
        assert third.response().status == 200
    held[1].close()


def test_clients_per_address(proxyd, origin):
    # covers: limits clients-per-address
    daemon = proxyd(conf.forward(extra="limits { clients-per-address 2; } " + metrics.ADMIN))
    metrics.settle(daemon)
    held = [Client(daemon.port) for _ in range(2)]
    for client in held:
        assert client.get(origin.url()).status == 200
    assert_refused(fetch(daemon.port, origin.url()), "too_many_from_address")
    for client in held:
        client.close()


@pytest.mark.slow("twice a thousand clients")
def test_memory(proxyd, origin):
    """A thousand half heads of 4 kB are more than 4 MiB less what is kept for finishing."""
    # covers: limits memory
    def held(memory):
        daemon = proxyd(conf.forward(workers=1, extra=f"limits {{ memory {memory}; clients-per-address 2000; }} "
                                                      + metrics.ADMIN))
        metrics.settle(daemon)
        clients = [Client(daemon.port) for _ in range(1000)]
        for client in clients:
            client.send(b"GET http://half.of/a/head")
        metrics.wait(daemon, "connections_open", 1000)
        until(lambda: metrics.read(daemon)["buffer_bytes"] > 3_900_000, within(0.5))
        bytes_held = metrics.read(daemon)["buffer_bytes"]
        for client in clients:
            client.close()
        metrics.wait(daemon, "connections_open", 0)
        return bytes_held
    assert held("4m") < 3_000_000
    assert held("64m") > 3_900_000


# -- time-outs (in depth: test_701_clock.py) -----------------------------------------------------

def lasts(seconds, function, default=10):
    """What happens takes this long, and not as long as with the key's default, however slow the build is."""
    with Stopwatch() as watch:
        result = function()
    assert seconds * 0.8 < watch.seconds < min(seconds + within(3), default * 0.95), watch.seconds
    return result


def test_head_timeout(proxyd):
    # covers: timeouts head
    daemon = proxyd(conf.forward(extra="timeouts { head 300ms; }"))
    with Client(daemon.port) as client:
        client.send(b"GET ")
        assert_refused(lasts(0.3, client.response), "request_head_timeout")


def test_body_timeout(proxyd, origin):
    # covers: timeouts body
    daemon = proxyd(conf.forward(extra="timeouts { body 300ms; }"))
    with Client(daemon.port) as client:
        client.send(request(origin.url(), "Content-Length: 5", method="PUT"))
        assert_refused(lasts(0.3, client.response), "request_body_timeout")


def test_idle_timeout(proxyd, origin):
    # covers: timeouts idle
    daemon = proxyd(conf.forward(extra="timeouts { idle 300ms; }"))
    with Client(daemon.port) as client:
        assert client.get(origin.url()).status == 200
        assert lasts(0.3, client.expect_closed) == "eof"


def test_connect_timeout(proxyd, parts):
    # covers: timeouts connect
    dns = parts.dns()
    dns.silent = True
    daemon = proxyd(conf.forward(dns=f"server {dns.server}; hosts none; timeout 30s;",
                                 extra="timeouts { connect 300ms; }"))
    assert_refused(lasts(0.3, lambda: fetch(daemon.port, "http://silent.test/")), "dns_timeout|connect_timeout")


def test_response_timeout(proxyd, origin):
    # covers: timeouts response
    daemon = proxyd(conf.forward(extra="timeouts { response 300ms; }"))
    origin.at("/slow", read_body(), pause(3))
    assert_refused(lasts(0.3, lambda: fetch(daemon.port, origin.url("/slow"))), "response_head_timeout")


def test_tunnel_idle_timeout(proxyd, origin):
    # covers: timeouts tunnel-idle
    daemon = proxyd(conf.forward(extra="timeouts { tunnel-idle 300ms; }"))
    with Client(daemon.port) as client:
        assert client.ask(request(origin.authority, method="CONNECT", host=origin.authority)).status == 200
        lasts(0.3, client.expect_closed)
    assert daemon.wait_log("CONNECT").get("cause") == "tunnel_idle_timeout"


def test_tunnel_lifetime(proxyd, origin):
    # covers: timeouts tunnel-lifetime
    daemon = proxyd(conf.forward(extra="timeouts { tunnel-lifetime 600ms; }"))

    def be_busy(client):
        end = time.monotonic() + within(5)
        try:
            while time.monotonic() < end:
                assert client.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
                time.sleep(0.05)
        except Ended:
            pass
    with Client(daemon.port) as client:
        assert client.ask(request(origin.authority, method="CONNECT", host=origin.authority)).status == 200
        lasts(0.6, lambda: be_busy(client))
    assert daemon.wait_log("CONNECT").get("cause") == "tunnel_lifetime"


def test_drain(proxyd, origin):
    # covers: timeouts drain
    daemon = proxyd(conf.forward(extra="timeouts { drain 300ms; }"))
    go = threading.Event()
    origin.at("/held", read_body(), wait(go), send(ok()))
    with Client(daemon.port) as client:
        client.send(request(origin.url("/held")))
        origin.head("/held")
        daemon.send_signal(signal.SIGTERM)
        assert lasts(0.3, lambda: daemon.wait(SOON)) == 0
    go.set()


# -- admin ----------------------------------------------------------------------------------------

def test_admin_bind(proxyd):
    # covers: admin bind
    without = proxyd(conf.forward())
    port = free_port()
    try:
        assert not listening(port)
        daemon = proxyd(conf.forward(extra=f"admin {{ bind [::1]:{port}; }}"))
        until(lambda: "try:" in daemon.stderr())
        assert listening(port, "::1") and not listening(port)
        with Client(port, "::1") as client:
            assert client.ask(request("/healthz", host="[::1]")).body == b"ok\n"
    finally:
        release(port)
    assert "admin on" not in without.stderr()
