"""PROXY protocol: what stands in front of a listener says whose connection it passes on. From who is
listed it has to come, from nobody else it may.
"""
import socket
import struct
import subprocess

import pytest

from lib import conf, metrics
from lib.client import Client, request
from lib.daemon import environment, run_command
from lib.faults import assert_refused
from lib.origin import ok, read_body, send
from lib.skip import need
from lib.times import SLOW

FRONT, OTHER = "127.0.0.9", "127.0.0.5"
FROM = f"proxy-protocol from {FRONT} 127.0.1.0/24;"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client="127.0.0.77", port=1234):
    return f"PROXY TCP4 {client} 127.0.0.1 {port} 80\r\n".encode()


def v2(client="127.0.0.77", port=1234, command=0x21, extra=b""):
    if ":" in client:
        family, kind = socket.AF_INET6, 0x21
    else:
        family, kind = socket.AF_INET, 0x11
    ends = socket.inet_pton(family, client) * 2 + struct.pack(">HH", port, 80) + extra
    return V2 + struct.pack(">BBH", command, kind, len(ends)) + ends


def passed_on(daemon, header, url, split="whole", source=FRONT, **how):
    with Client(daemon.port, source=source) as client:
        client.send(header + request(url, **how), split)
        return client.response()


def client_of(line):
    return str(line).split()[1]


def forward(rules=conf.OPEN_RULES, listener=FROM, extra="", **how):
    return conf.forward(rules=rules, listener=listener, extra=metrics.ADMIN + extra, **how)


@pytest.mark.parametrize("split", ["whole", "bytes", "random"])
@pytest.mark.parametrize("header,client", [
    (v1(), "127.0.0.77"), (v2(), "127.0.0.77"), (v2("::1", 9), "::1"),
    (v2("::ffff:127.0.0.77"), "127.0.0.77"), (v2(extra=b"\x04\0\x03abc"), "127.0.0.77"),
    (b"PROXY UNKNOWN\r\n", FRONT), (v2(command=0x20), FRONT)])
def test_who_the_client_is(proxyd, origin, header, client, split):
    # covers: listener proxy-protocol
    daemon = proxyd(forward())
    before = metrics.calm(daemon)
    assert passed_on(daemon, header, origin.url("/x"), split).body == b"ok"
    assert client_of(daemon.wait_log("/x")) == client
    assert metrics.grown(daemon, before)["proxy_headers_total"] == 1


def test_the_next_request_has_no_header(proxyd, origin):
    daemon = proxyd(forward())
    with Client(daemon.port, source=FRONT) as client:
        client.send(v1() + request(origin.url("/1")) + request(origin.url("/2")))
        assert client.response().status == 200 and client.response().status == 200
        client.send(v1() + request(origin.url("/3")))
        assert_refused(client.response(), "proxy_header_unexpected")
    assert [r.target for r in origin.requests] == ["/1", "/2"]


def test_rules_see_the_client(proxyd, origin):
    """`clients` and `from` ask the one that is named, never the front."""
    daemon = proxyd(forward('deny one { from 127.0.0.66; } ' + conf.OPEN_RULES, clients="127.0.0.64/26"))
    assert passed_on(daemon, v1(), origin.url()).status == 200
    assert_refused(passed_on(daemon, v1("127.0.0.66"), origin.url()), "rule_denied")
    assert_refused(passed_on(daemon, v2("127.0.0.9"), origin.url()), "client_not_allowed")
    assert_refused(passed_on(daemon, v2(command=0x20), origin.url()), "client_not_allowed")
    # what was refused is told to whom it was refused, and to nobody else behind the same front
    why = f"http://127.0.0.1:{daemon.port}/why"
    assert b"origin.test" in passed_on(daemon, v1("127.0.0.66"), why).body
    assert b"origin.test" not in passed_on(daemon, v1("127.0.0.67"), why).body


def test_limits_count_the_client(proxyd, origin):
    """Each client its own connections; none is the front's, who may have as many as come."""
    daemon = proxyd(forward(extra="limits { clients-per-address 2; }"))
    held = []
    try:
        for last in (77, 77, 78, 78, 79):
            held.append(Client(daemon.port, source=FRONT))
            held[-1].send(v1(f"127.0.0.{last}") + request(origin.url()))
            assert held[-1].response().status == 200
        assert_refused(passed_on(daemon, v1("127.0.0.78"), origin.url()), "too_many_from_address")
        held.pop(0).close()
        metrics.wait(daemon, "connections_open", 4)
        assert passed_on(daemon, v1("127.0.0.77"), origin.url()).status == 200
    finally:
        for client in held:
            client.close()


@pytest.mark.parametrize("split", ["whole", "bytes"])
@pytest.mark.parametrize("said,fault", [
    (b"", "proxy_header_missing"), (b"\x16\x03\x01\x02\x00", "proxy_header_missing"), (b"\r\n", "proxy_header_missing"),
    (b"PROXY TCP4 127.0.0.77 127.0.0.1 1234\r\n", "proxy_header_malformed"),
    (b"PROXY TCP4 127.0.0.77 127.0.0.1 1234 80\n", "proxy_header_malformed"),
    (V2 + b"\x21\x12\0\x0c" + bytes(12), "proxy_header_malformed"),
    (v2(extra=b"\3\0\4abcd"), "proxy_header_malformed"), (V2 + b"\x21\x11\xff\xff", "proxy_header_malformed")])
def test_a_front_has_to_say_it(proxyd, origin, said, fault, split):
    daemon = proxyd(forward())
    with Client(daemon.port, source=FRONT) as client:
        client.send(said + request(origin.url("/x")), split)
        assert_refused(client.response(), fault)
        assert client.expect_closed()
    assert origin.requests == []
    assert metrics.calm(daemon)["proxy_headers_total"] == 0


@pytest.mark.parametrize("split", ["whole", "bytes", "random"])
@pytest.mark.parametrize("header", [v1(), v2(), b"PROXY UNKNOWN\r\n", v2(command=0x20)])
@pytest.mark.parametrize("listener", [FROM, ""])
def test_nobody_else_may(proxyd, origin, header, listener, split):
    daemon = proxyd(forward(listener=listener))
    assert_refused(passed_on(daemon, header, origin.url(), split, source=OTHER), "proxy_header_unexpected")
    with Client(daemon.port, source=OTHER) as client:
        assert client.get(origin.url("/plain")).status == 200
    assert [r.target for r in origin.requests] == ["/plain"]


def test_a_header_has_the_time_of_a_head(proxyd):
    """Half a header is answered in the end, and nothing at all with nothing."""
    daemon = proxyd(forward(extra="timeouts { head 1s; }"))
    with Client(daemon.port, source=FRONT) as half, Client(daemon.port, source=FRONT) as none:
        half.send(v2()[:20])
        assert_refused(half.response(), "request_head_timeout")
        assert none.expect_closed() == "eof"
    with Client(daemon.port, source=FRONT) as client:
        client.send(v1()[:9])
        client.half_close()
        assert client.expect_closed()
    assert metrics.calm(daemon)["fault client_closed"] == 1


def test_a_drain_closes_who_has_not_begun(proxyd, origin):
    daemon = proxyd(forward())
    with Client(daemon.port, source=FRONT) as none, Client(daemon.port, source=FRONT) as half:
        half.send(v1()[:9])
        metrics.wait(daemon, "connections_open", 2)
        daemon.send_signal(15)
        assert none.expect_closed() == "eof"
        half.send(v1()[9:] + request(origin.url("/last")))
        assert half.response().status == 200


def curl(daemon, *args):
    command = [need("curl"), "-sS", "--max-time", str(10 * SLOW), *args]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=20 * SLOW)


def test_curl(proxyd, origin):
    """curl itself as the front of a reverse listener; it sends version 1."""
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", listener="proxy-protocol from 127.0.0.1;"))
    done = curl(daemon, "--haproxy-protocol", f"http://127.0.0.1:{daemon.port}/curl")
    assert done.returncode == 0 and done.stdout == "ok", done.stderr
    assert origin.request("/curl").get("X-Forwarded-For") == "127.0.0.1"
    done = curl(daemon, f"http://127.0.0.1:{daemon.port}/curl")
    assert "proxy_header_missing" in done.stdout


SENDERS = {
    "haproxy v1": ("haproxy", "send-proxy"),
    "haproxy v2": ("haproxy", "send-proxy-v2"),
    "haproxy v2 with a sum": ("haproxy", "send-proxy-v2 proxy-v2-options crc32c,unique-id"),
    "nginx": ("nginx", ""),
}


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_real_fronts(proxyd, parts, origin, mode, sender):
    program, option = SENDERS[sender]
    listener = f"proxy-protocol from {FRONT};"
    if mode == "forward":
        daemon = proxyd(conf.forward(listener=listener, clients="127.0.0.77"))
    else:
        daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", listener=listener))
    front = parts.front(program, daemon.port, FRONT, option)
    with Client(front.port, source="127.0.0.77") as client:
        for _ in range(2):
            assert client.ask(request(origin.url("/x") if mode == "forward" else "/x", host=origin.authority)).status == 200
    assert client_of(daemon.wait_log("/x")) == "127.0.0.77"
    if mode == "reverse":
        assert origin.request("/x").get("X-Forwarded-For") == "127.0.0.77"


def test_check_names_what_is_everybody(tmp_path):
    text = conf.forward(listener="proxy-protocol from 10.0.0.0/8 0.0.0.0/0;").replace("{port}", "3128")
    (tmp_path / "c").write_text(text.replace("{dead_port}", "53").replace("hosts hosts;", ""))
    done = run_command("check", "-c", tmp_path / "c")
    assert done.returncode == 0, done.stderr
    assert "c:5:" in done.stderr and '"0.0.0.0/0" is everybody' in done.stderr
