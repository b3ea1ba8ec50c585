"""Parents: what a rule with `via` allows goes through another proxy, and through nothing else."""
import threading

import pytest

from lib import conf, metrics
from lib.blackhole import BlackHole
from lib.client import Client, fetch, request
from lib.daemon import run_command
from lib.echo_server import pattern
from lib.faults import assert_refused
from lib.hello import hello
from lib.origin import Origin, close, ok, pause, read, read_body, read_eof, read_head, reset, send, serve, wait
from lib.ports import free_port
from lib.skip import need
from lib.times import Stopwatch, until, within

UP = "allow up { to *; via up; }"


def through(*proxies, rules=UP, extra="", **how):
    """A configuration whose requests go through these, HOST:PORT each."""
    return conf.forward(rules=rules, extra=f"parent up {{ proxy {' '.join(proxies)}; }} {metrics.ADMIN} {extra}", **how)


def place(origin):
    return f"{origin.host}:{origin.port}"


def connect(daemon, authority="far.example:443", client=None):
    with client or Client(daemon.port) as c:
        return c.ask(request(authority, method="CONNECT", host=authority))


def test_the_whole_url_goes_to_the_parent(proxyd, origin):
    """A name that nobody here knows; the parent's answer is the answer; one connection for all hosts."""
    # covers: parent, parent proxy, policy rules allow via
    daemon = proxyd(through(place(origin)))
    origin.at("http://far.example/x?y", read_body(), send(ok("whole", "Proxy-Authenticate: Basic", "X-Kept: 1")))
    with Client(daemon.port) as client:
        answer = client.get("http://far.example/x?y", "Proxy-Authorization: Basic c2VjcmV0")
        assert answer.status == 200 and answer.body == b"whole" and answer.get("X-Kept") == "1"
        assert not answer.has("Proxy-Authenticate")
        assert client.get("http://other.example:8080/", method="POST", body=b"data").body == b"ok"
    one, two = origin.requests
    assert one.line == "GET http://far.example/x?y HTTP/1.1" and one.get("Host") == "far.example"
    assert not one.has("Proxy-Authorization") and one.get("Via").startswith("1.1 ")
    assert two.line == "POST http://other.example:8080/ HTTP/1.1" and two.body == b"data"
    assert one.conn is two.conn
    assert daemon.wait_log("far.example/x").get("to") == place(origin)
    assert metrics.read(daemon)[f"parent_uses_total up {place(origin)}"] == 2


def test_squid_log_names_the_parent(proxyd, origin):
    daemon = proxyd(through(place(origin), log="to stdout; format squid"))
    fetch(daemon.port, "http://far.example/")
    assert until(lambda: "FIRSTUP_PARENT/127.0.0.1 " in daemon.stdout())


def test_a_tunnel_through_the_parent(proxyd, origin):
    """What the parent sends behind its 200 is the tunnel's, what its head says is not."""
    daemon = proxyd(through(place(origin)))
    origin.next(read_head(), send(b"HTTP/1.1 200 Sure\r\nX-Parent: yes\r\n\r\nhello"),
                lambda conn: conn.sock.sendall(conn.reader.exactly(4)[::-1]), close())
    with Client(daemon.port) as client:
        answer = client.ask(request("far.example:443", "Proxy-Authorization: Basic c2VjcmV0", method="CONNECT",
                                    host="far.example:443"), method="CONNECT")
        assert answer.status == 200 and not answer.has("X-Parent")
        assert client.exactly(5) == b"hello"
        client.send(b"abcd")
        assert client.exactly(4) == b"dcba"
    head = origin.requests[0]
    assert head.line == "CONNECT far.example:443 HTTP/1.1" and head.get("Host") == "far.example:443"
    assert not head.has("Proxy-Authorization") and head.has("Via")
    assert daemon.wait_log("CONNECT far.example").get("to") == place(origin)


@pytest.mark.parametrize("status", [407, 503, 302])
def test_a_parent_that_refuses_a_tunnel(proxyd, origin, status):
    """Its page would be taken for the destination's; what it wants to know is not asked of the client."""
    daemon = proxyd(through(place(origin)))
    origin.next(read_head(), send(ok("secret", "Proxy-Authenticate: Basic", status=f"{status} No")), serve())
    answer = connect(daemon)
    assert_refused(answer, "parent_refused")
    assert not answer.has("Proxy-Authenticate") and b"secret" not in answer.body
    assert f'next-hop="{place(origin)}"' in answer.get("Proxy-Status")
    line = daemon.wait_log("CONNECT far.example")
    assert line.get("cause") == "parent_refused" and f'reason="its answer was {status} ' in line


def test_the_name_in_a_tunnel_is_judged_as_ever(proxyd, origin):
    """Also one that leads to addresses of which nobody knows."""
    daemon = proxyd(through(place(origin), rules="deny no { to no.example; } deny inner { to class loopback; } " + UP))
    for name, passes in (("also.example", True), ("no.example", False)):
        data = hello(name)
        origin.next(read_head(), send(b"HTTP/1.1 200 OK\r\n\r\n"), read(len(data)), send(b"ok"), close())
        with Client(daemon.port) as client:
            assert client.ask(request("far.example:443", method="CONNECT", host="far.example:443"),
                              method="CONNECT").status == 200
            client.send(data)
            assert client.exactly(2) == b"ok" if passes else client.expect_closed()
    assert daemon.wait_log("cause=sni_denied").get("rule") == "no"


def test_a_name_in_a_tunnel_is_not_judged_by_the_address_of_the_parent(proxyd, origin):
    """Which is where the parent is, and says nothing about the place that the name leads to."""
    rules = "allow partner { to .partner.example; via up; } allow inner { to 127.0.0.0/8; reach loopback; } deny no { to bad.example; }"
    daemon = proxyd(through(place(origin), rules=rules + " allow rest { to direct.example; }"))
    for name, passes in (("evil.example", False), ("direct.example", True)):
        data = hello(name)
        origin.next(read_head(), send(b"HTTP/1.1 200 OK\r\n\r\n"), read(len(data)), send(b"ok"), close())
        with Client(daemon.port) as client:
            assert client.ask(request("a.partner.example:443", method="CONNECT", host="a.partner.example:443"),
                              method="CONNECT").status == 200
            client.send(data)
            assert client.exactly(2) == b"ok" if passes else client.expect_closed()
    assert daemon.wait_log("cause=sni_denied").get("rule") == "default"


def test_a_name_that_has_to_go_through_the_parent_is_not_reached_without(proxyd, origin):
    """By a tunnel to another host at the same address."""
    rules = "allow up { to up.example; via up; } allow also { to also.example; reach loopback; } " \
            "allow near { to origin.test; reach loopback; }"
    daemon = proxyd(through("127.0.0.1:1", rules=rules, ports="connect-ports any;"))
    for name, passes in (("up.example", False), ("also.example", True)):
        data = hello(name)
        origin.next(*([read(len(data)), send(b"ok"), close()] if passes else [read_eof()]))
        with Client(daemon.port) as client:
            target = f"origin.test:{origin.port}"
            assert client.ask(request(target, method="CONNECT", host=target), method="CONNECT").status == 200
            client.send(data)
            assert client.exactly(2) == b"ok" if passes else client.expect_closed()
    assert daemon.wait_log("cause=sni_denied").get("rule") == "up"


def test_a_password_for_the_parent_is_not_asked_of_the_client(proxyd, origin):
    daemon = proxyd(through(place(origin)))
    origin.at("http://far.example/", read_body(), send(ok("who", "Proxy-Authenticate: Basic", status="407 Who")))
    assert_refused(fetch(daemon.port, "http://far.example/"), "parent_refused")


@pytest.mark.threads
def test_a_dead_one_is_passed_over(proxyd, origin):
    """POST too: nothing was sent. It is not tried by every request, not after a reload either, and is back by itself."""
    first = free_port()
    config = through(f"127.0.0.1:{first}", place(origin), workers=1)
    daemon = proxyd(config)
    name = f"127.0.0.1:{first}"
    for _ in range(5):
        assert fetch(daemon.port, "http://far.example/", method="POST", body=b"x").status == 200
    now = metrics.read(daemon)
    assert now[f"parent_failures_total up {name}"] == 1 and now[f"parent_up up {name}"] == 0
    assert now[f"parent_up up {place(origin)}"] == 1 and now[f"parent_uses_total up {place(origin)}"] == 5
    daemon.reload(config)
    assert fetch(daemon.port, "http://far.example/").status == 200
    assert metrics.read(daemon)[f"parent_up up {name}"] == 0
    with Origin(port=first) as back:
        assert until(lambda: fetch(daemon.port, "http://far.example/") and back.requests)
        assert metrics.read(daemon)[f"parent_up up {name}"] == 1


def test_never_silently_direct(proxyd, origin):
    """All are dead and the destination is not."""
    daemon = proxyd(through("127.0.0.1:{dead_a_port}", "127.0.0.1:{dead_b_port}",
                            rules="allow up { to *; via up; reach loopback; }"))
    for answer in (fetch(daemon.port, origin.url()), connect(daemon, f"origin.test:{origin.port}")):
        assert_refused(answer, "parent_unavailable")
    assert origin.connections == []
    assert daemon.wait_log("GET").get("cause") == "parent_unavailable"


@pytest.mark.slow("one waits for a time-out")
def test_only_one_waits_for_a_silent_one(proxyd, origin):
    port = free_port()
    with BlackHole("127.0.0.1", port):
        daemon = proxyd(through(f"127.0.0.1:{port}", place(origin), extra="timeouts { connect 500ms; }", workers=1))
        for bounds in ((0.4, within(3)), (0, within(0.4))):
            with Stopwatch() as watch:
                assert fetch(daemon.port, "http://far.example/").status == 200
            assert bounds[0] <= watch.seconds < bounds[1]


def test_a_parent_that_does_not_answer(proxyd):
    """It took the connection: that it is late is told, and no other is asked."""
    with Origin() as slow, Origin() as other:
        daemon = proxyd(through(place(slow), place(other), extra="timeouts { response 300ms; }"))
        never = threading.Event()
        slow.at("http://far.example/", wait(never))
        slow.at("far.example:443", wait(never))
        assert_refused(fetch(daemon.port, "http://far.example/"), "response_head_timeout")
        assert_refused(connect(daemon), "response_head_timeout")
        assert other.connections == []
        never.set()


def test_a_parent_that_dies(proxyd, origin):
    """In the middle of an answer, and before one."""
    daemon = proxyd(through(place(origin)))
    origin.at("http://far.example/half", read_body(), send(ok("0123456789")[:-5]), pause(0.05), reset())
    assert fetch(daemon.port, "http://far.example/half").truncated
    origin.next(read_head(), close())
    assert_refused(connect(daemon), "upstream_closed|upstream_reset")


@pytest.mark.parametrize("end", [close, reset])
@pytest.mark.parametrize("seen", [read_head, pause])
def test_one_that_ends_before_it_answers_is_passed_over(proxyd, origin, end, seen):
    """What may be sent twice goes to the next one, body and all, at once; no other request pays for it."""
    with Origin() as bad:
        daemon = proxyd(through(place(bad), place(origin), workers=1))
        begun = seen() if seen is read_head else pause(0.05)
        for _ in range(4):
            bad.next(begun, end())
        assert fetch(daemon.port, "http://far.example/get").body == b"ok"
        assert fetch(daemon.port, "http://far.example/put", method="PUT", body=b"x" * 1000).body == b"ok"
        assert origin.request("http://far.example/put").body == b"x" * 1000
        origin.at("far.example:443", send(b"HTTP/1.1 200 there\r\n\r\n"), read_eof())
        assert connect(daemon).status == 200
        assert len(bad.connections) == 3
        assert [r.method for r in origin.requests] == ["GET", "PUT", "CONNECT"]
        assert metrics.read(daemon)[f"parent_up up {place(bad)}"] == 1


def test_what_may_not_be_sent_twice_is_not(proxyd, origin):
    """A POST that was taken, a PUT whose body is gone, anything that a byte of an answer has come for."""
    with Origin() as bad:
        daemon = proxyd(through(place(bad), place(origin), workers=1))
        bad.next(read_head(), read_body(), close())
        assert_refused(fetch(daemon.port, "http://far.example/", method="POST", body=b"x"), "upstream_closed|upstream_reset")
        bad.next(read_head(), read(1000000), close())
        assert_refused(fetch(daemon.port, "http://far.example/", method="PUT", body=b"x" * 2000000),
                       "upstream_closed|upstream_reset")
        bad.next(read_head(), send(b"HTTP/1.1 "), close())
        assert_refused(fetch(daemon.port, "http://far.example/"), "upstream_closed|upstream_reset|response_truncated|response_malformed")
        assert origin.connections == []


def test_addresses_are_judged_all_the_same(proxyd, origin):
    daemon = proxyd(through(place(origin)))
    assert_refused(fetch(daemon.port, "http://169.254.169.254/"), "destination_metadata")
    assert_refused(fetch(daemon.port, "http://0x7f.1/"), "destination_loopback")
    assert_refused(connect(daemon, "10.1.2.3:443"), "destination_private")
    assert fetch(daemon.port, "http://8.8.8.8/").status == 200      # the parent's business
    assert origin.requests[0].line == "GET http://8.8.8.8/ HTTP/1.1" and len(origin.requests) == 1


def test_reload_exchanges_the_parent(proxyd):
    """New requests go to the new one; a tunnel goes on, whose own address was the parent's and is nobody's question."""
    with Origin() as old, Origin() as new:
        daemon = proxyd(through(place(old)))
        done = threading.Event()
        old.next(read_head(), send(b"HTTP/1.1 200 OK\r\n\r\n"), wait(done), send(b"end"), close())
        with Client(daemon.port) as client:
            assert client.ask(request("far.example:443", method="CONNECT", host="far.example:443"),
                              method="CONNECT").status == 200
            daemon.reload(through(place(new), rules="deny inner { to class loopback; } allow direct { }", ports="connect-ports any; http-ports any; grace 1ms;"))
            daemon.reload(through(place(new)))
            assert fetch(daemon.port, "http://far.example/").status == 200
            assert len(new.requests) == 1 and len(old.requests) == 1
            assert until(lambda: [k for k in metrics.read(daemon) if k.startswith("parent_up")] == [f"parent_up up {place(new)}"])
            done.set()
            assert client.exactly(3) == b"end"


def test_a_loop(proxyd):
    """Its own listener is never dialled; through another proxy it is seen by Via."""
    daemon = proxyd(through("127.0.0.1:{port}"))
    assert_refused(fetch(daemon.port, "http://far.example/"), "own_listener")
    port = free_port()
    first = proxyd(through(f"127.0.0.1:{port}"))
    proxyd(through(f"127.0.0.1:{first.port}").replace("{port}", str(port)), values={"port": port})
    assert_refused(fetch(first.port, "http://far.example/"), "loop_detected")


def check(tmp_path, text, strict=False):
    file = tmp_path / "proxyd.conf"
    file.write_text(text)
    return run_command("check", *(["--strict"] if strict else []), "-c", file)


def example(rules, parent="proxy 10.0.0.8:3128;"):
    return f"""listener main {{ bind 127.0.0.1:3128; mode forward; policy p; }}
policy p {{ default deny; rules {{ {rules} }} }}
parent up {{ {parent} }}
"""


@pytest.mark.parametrize("text,said", [
    (example("allow up { via upp; }"), 'did you mean "up"?'),
    (example("allow up { }") + "parent up { proxy a:1; }", '"up"'),
    (example("deny up { via up; }"), '"via" is not known'),
    (example("allow up { via up; }", "proxy a:1 b:2 c:3 d:4 e:5;"), "e:5"),
    (example("allow up { via up; }", ""), '"proxy" is missing'),
    (example("allow up { via up; }", "proxy a;"), "HOST:PORT"),
])
def test_errors(tmp_path, text, said):
    done = check(tmp_path, text)
    assert done.returncode != 0 and said in done.stdout + done.stderr, done


@pytest.mark.parametrize("text,said", [
    (example("allow up { }"), "parent"),
    (example("allow up { via up; }", "proxy a:1 b:2 a:1;"), "stands here twice"),
    (example("allow up { via up; }", "proxy a:1 127.0.0.1:3128;"), "is this proxy itself"),
    (example("deny inner { to class private; } allow up { via up; }"), "does not see where names lead"),
])
def test_warnings(tmp_path, text, said):
    done = check(tmp_path, text)
    assert done.returncode == 0 and "1 warning" in done.stdout + done.stderr and said in done.stdout + done.stderr, done
    assert check(tmp_path, text, strict=True).returncode != 0


@pytest.mark.parametrize("kind", ["tinyproxy", pytest.param("squid", marks=pytest.mark.slow("squid begins and ends slowly"))])
def test_real_parents(proxyd, parts, kind):
    """GET, POST, a tunnel, and one that it refuses."""
    need(kind)
    up, echo = getattr(parts, kind)(), parts.echo()
    daemon = proxyd(through("127.0.0.1:{dead_first_port}", f"127.0.0.1:{up.port}",
                            rules="allow up { to *; via up; reach loopback; }"))
    # The POST first: on a connection that tinyproxy is just closing it fails, for it is never sent twice.
    with Client(daemon.port) as client:
        assert client.get(echo.url("/echo"), method="POST", body=b"x" * 100000).body == b"x" * 100000
        assert client.get(echo.url("/bytes/1000")).body == pattern(1000)
    with Client(daemon.port) as client:
        authority = f"127.0.0.1:{echo.port}"
        assert client.ask(request(authority, method="CONNECT", host=authority), method="CONNECT").status == 200
        assert client.ask(f"GET /bytes/9 HTTP/1.1\r\nHost: {authority}\r\n\r\n").status == 200
    assert_refused(connect(daemon, f"127.0.0.1:{daemon.ports['dead_first_port']}"), "parent_refused")
