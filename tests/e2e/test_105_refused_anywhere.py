"""Refusals of well-formed requests, and answers of the proxy itself: the same wherever on a connection
they come and in whatever pieces, and what stands right behind is never taken for something else.

Each is tried in the ways of lib/ways.py. Where a body or tunnel bytes may follow, the connection
ends with the answer; otherwise it goes on, and the tidy request behind gets its own answer.
"""
from collections import namedtuple

import pytest

from lib import conf
from lib.client import Client
from lib.faults import assert_refused
from lib.ways import send, tried

RIG = conf.forward(ports="connect-ports 443; http-ports any;", rules="deny no { path /evil-rule; } " + conf.OPEN_RULES)

#: `verdict` is a status or causes, `ends` tells whether the connection does.
Case = namedtuple("Case", "raw verdict ends")

TAIL = " HTTP/1.1\r\nHost: @\r\n"
SIZED = "Content-Length: 5\r\n\r\nhello"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

CASES = {
    "expectation": Case("GET http://@/evil" + TAIL + "Expect: x\r\n\r\n", "bad_expectation", True),
    "expectation-sized": Case("POST http://@/evil" + TAIL + "Expect: x\r\n" + SIZED, "bad_expectation", True),
    "expectation-chunked": Case("POST http://@/evil" + TAIL + "Expect: x\r\n" + CHUNKED, "bad_expectation", True),
    "expectation-two": Case("PUT http://@/evil" + TAIL + "Expect: 100-continue, x\r\n" + SIZED, "bad_expectation", True),
    "max-forwards-bad": Case("OPTIONS http://@/evil" + TAIL + "Max-Forwards: x\r\n\r\n", "bad_max_forwards", False),
    "max-forwards-0-options": Case("OPTIONS http://@/evil" + TAIL + "Max-Forwards: 0\r\n\r\n", 200, False),
    "max-forwards-0-options-sized": Case("OPTIONS http://@/evil" + TAIL + "Max-Forwards: 0\r\n" + SIZED, 200, True),
    "max-forwards-0-trace": Case("TRACE http://@/evil" + TAIL + "Max-Forwards: 0\r\n\r\n", 200, False),
    "loop": Case("GET http://@/evil" + TAIL + "Via: 1.1 {mark}\r\n\r\n", "loop_detected", False),
    "loop-sized": Case("POST http://@/evil" + TAIL + "Via: 1.0 x, 1.1 {mark}\r\n" + SIZED, "loop_detected", True),
    "loop-chunked": Case("POST http://@/evil" + TAIL + "Via: 1.1 {mark}\r\n" + CHUNKED, "loop_detected", True),
    "own-listener": Case("GET http://127.0.0.1:{port}/evil HTTP/1.1\r\nHost: x\r\n\r\n", "own_listener", False),
    "own-listener-sized": Case("POST http://127.1:{port}/evil HTTP/1.1\r\nHost: x\r\n" + SIZED, "own_listener", True),
    "own-404": Case("GET /evil HTTP/1.1\r\nHost: x\r\n\r\n", "not_found", False),
    "own-404-sized": Case("POST /evil HTTP/1.1\r\nHost: x\r\n" + SIZED, "not_found", True),
    "own-404-chunked": Case("POST /evil HTTP/1.1\r\nHost: x\r\n" + CHUNKED, "not_found", True),
    "own-405": Case("DELETE /proxy.pac HTTP/1.1\r\nHost: x\r\n\r\n", "method_not_allowed", False),
    "rule": Case("GET http://@/evil-rule" + TAIL + "\r\n", "rule_denied", False),
    "rule-chunked": Case("POST http://@/evil-rule" + TAIL + CHUNKED, "rule_denied", True),
    "connect-port-denied": Case("CONNECT origin.test:22 HTTP/1.1\r\nHost: x\r\n\r\n", "connect_port_denied", True),
    "connect-refused": Case("CONNECT 127.0.0.99:443 HTTP/1.1\r\nHost: x\r\n\r\n", "connect_refused", True),
    "connect-loop": Case("CONNECT origin.test:443 HTTP/1.1\r\nHost: x\r\nVia: 1.1 {mark}\r\n\r\n", "loop_detected", True),
}
for _target in ("origin.test", "origin.test:", ":443", "/", "*", "http://origin.test:443", "https://origin.test/",
                "origin.test:443/", "/origin.test:443", "origin.test:0", "origin.test:65536",
                "origin.test:18446744073709552059", "origin.test:-443", "origin.test:0x1bb", "origin.test:443:443",
                "origin.test,other.test:443", "user@AT@:443", "..:443", "origin%2etest:443",
                "[::1]", "[::1]443", "[::1:443", "::1:443", "[zz]:443", "[::1%25lo]:443", "256.1.1.1:443"):
    CASES[f"connect {_target}"] = Case(f"CONNECT {_target} HTTP/1.1\r\nHost: origin.test:443\r\n\r\n",
                                       "bad_connect_target|bad_target", True)

#: Where what follows the refusal may be taken for something else: these are tried in every way.
EDGES = {"expectation-chunked", "max-forwards-0-options-sized", "loop", "own-404-chunked", "rule", "connect-refused"}

_verdicts = {}   # case → the cause it got first


@pytest.fixture(scope="module")
def marks():
    """Our own entry in Via, by daemon: a new one follows where a test has ended another."""
    return {}


def our_mark(rig, marks):
    if rig.proxyd.pid not in marks:
        with Client(rig.port) as client:
            assert client.get(rig.url("/mark")).status == 200
        marks[rig.proxyd.pid] = rig.origin.request("/mark").get("Via").split()[1]
        rig.origin.clear()
    return marks[rig.proxyd.pid]


@pytest.mark.parametrize("case,way", tried(CASES, EDGES))
def test_answered_alike(rig, marks, case, way):
    raw = case.raw.replace("{port}", str(rig.port))
    if "{mark}" in raw:
        raw = raw.replace("{mark}", our_mark(rig, marks))
    with Client(rig.port) as client:
        send(client, raw.encode(), rig.a, way)
        answer = client.response(raw.split(" ", 1)[0])
        if isinstance(case.verdict, int):
            assert answer.status == case.verdict
        else:
            cause = assert_refused(answer, case.verdict)
            assert cause == _verdicts.setdefault(case, cause), "another verdict in other pieces"
        assert not answer.truncated
        closing = (answer.get("Connection") or "").lower() == "close"
        assert closing == case.ends, answer
        if closing:
            assert client.expect_closed() == "eof"
        else:
            assert client.response().status == 200
            client.expect_open()
    expected = ["/first"] * (way[0] != "first") + ["/smuggled"] * (not case.ends)
    assert rig.origin.paths() == expected, "nothing of it reaches the origin"
    seen = b"".join(rig.origin.received())
    assert b"evil" not in seen and b"hello" not in seen and not rig.origin.errors()
