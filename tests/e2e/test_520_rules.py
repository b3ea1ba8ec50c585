"""The rule language as its users meet it: each condition on the wire, with allow and with deny.

The engine's unit tests (tests/unit/policy) have every sentence; here it is shown that what an exchange
shows reaches the rules, before anything is sent and again for each address.
"""
import time

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.faults import assert_refused
from lib.times import until

REACH = f"reach {conf.CLASSES};"

#: condition → requests (path, fields) for which it holds, and for which not.
CONDITIONS = {
    "url": (r'url ~"^http://origin[.]test:[0-9]+/(banner|sponsor)s?/" ~"[?]id=7$"',
            [("/banner/x", ""), ("/x?id=7", ""), ("/%62anner/", ""), ("/x?%69d=7", "")],
            [("/Banner/x", ""), ("/x/banner/", ""), ("/x?id=77", "")]),
    "header": ('header X-Team red ~"^blue"',
               [("/", "X-Team: red\r\n"), ("/", "x-team: blueish\r\n"), ("/", "X-Team: no\r\nX-Team: red\r\n")],
               [("/", ""), ("/", "X-Team: reddish\r\n"), ("/", "X-Teams: red\r\n")]),
    "cookie": ('cookie stage=beta debug', [("/", "Cookie: a=b; stage=beta\r\n"), ("/", "Cookie: debug=1\r\n")],
               [("/", ""), ("/", "Cookie: stage=alpha\r\n"), ("/", "X: stage=beta\r\n")]),
    "query": ('query beta=true id ~"^[0-9]+$"', [("/?beta=true", ""), ("/x?a&b%65ta=true", ""), ("/?id=12", "")],
              [("/", ""), ("/?beta=false", ""), ("/?id=x", ""), ("/beta=true", "")]),
    "to": ('to ~"^orig[a-z]+[.]test$"', [("/", "")], []),
}


def ask(daemon, origin, path, fields="", method="GET", host="origin.test"):
    with Client(daemon.port) as client:
        target = f"{host}:{origin.port}" if method == "CONNECT" else f"http://{host}:{origin.port}{path}"
        return client.ask(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions(proxyd, origin, name):
    # covers: policy rules allow url, policy rules deny url, policy rules allow header, policy rules deny header
    # covers: policy rules allow cookie, policy rules deny cookie, policy rules allow query, policy rules deny query
    condition, yes, no = CONDITIONS[name]
    for negated in ("", "not "):
        denies = proxyd(conf.forward(rules=f"deny r {{ {negated}{condition}; }} allow any {{ {REACH} }}"))
        allows = proxyd(conf.forward(rules=f"allow r {{ {negated}{condition}; {REACH} }}"))
        for holds, requests in ((not negated, yes), (bool(negated), no)):
            for path, fields in requests:
                answer = ask(denies, origin, path, fields)
                if holds:
                    assert_refused(answer, "rule_denied")
                    assert ask(allows, origin, path, fields).status == 200
                else:
                    assert answer.status == 200, (path, fields)
                    assert_refused(ask(allows, origin, path, fields), "default_denied")


def test_time(proxyd, origin):
    """All week but this minute and the next two, in a zone that is hours away."""
    # covers: policy rules allow time, policy rules deny time, policy time-zone
    zone = "Pacific/Kiritimati"   # 14 hours ahead, without summer time
    now = time.time() + 14 * 3600
    begin, end = (time.strftime("%H:%M", time.gmtime(now + shift)) for shift in (0, 180))
    today = time.strftime("%a", time.gmtime(now)).lower()
    inside, outside = f"time {today} {begin}-{end};", f"time {end}-{begin};"
    for rules, refused in ((f"deny r {{ {inside} }} allow any {{ {REACH} }}", True), (f"deny r {{ {outside} }} allow any {{ {REACH} }}", False),
                           (f"allow any {{ {inside} {REACH} }}", False), (f"allow any {{ {outside} {REACH} }}", True)):
        daemon = proxyd(conf.forward(rules=rules, extra="").replace("default deny;", f"default deny; time-zone {zone};"))
        answer = ask(daemon, origin, "/")
        if refused:
            assert_refused(answer, "rule_denied|default_denied")
        else:
            assert answer.status == 200
    utc = proxyd(conf.forward(rules=f"deny r {{ {inside} }} allow any {{ {REACH} }}").replace("default deny;", "default deny; time-zone UTC;"))
    assert ask(utc, origin, "/").status == 200, "the zone counts"


def test_a_tunnel_shows_its_authority_as_a_url(proxyd, origin):
    rules = (f'deny r {{ url ~"^https://origin[.]test:{origin.port}/$"; }} deny h {{ header X-Team; }} '
             f"deny q {{ query a; }} deny c {{ cookie a; }} allow any {{ {REACH} }}")
    daemon = proxyd(conf.forward(rules=rules))
    assert_refused(ask(daemon, origin, "/", method="CONNECT"), "rule_denied")
    assert ask(daemon, origin, "/", "X-Team: x\r\nCookie: a=b\r\n", method="CONNECT", host="other.test").status == 200, \
        "what is inside the tunnel is unknown"


def test_a_pattern_that_comes_to_its_limits(proxyd, origin):
    """A deny by it refuses, an allow does not open, both are counted, and nobody waits."""
    bad = "/" + "a" * 60 + "!"
    daemon = proxyd(conf.forward(rules=f'deny r {{ url ~"/(a+)+$"; }} allow any {{ {REACH} }}', extra=metrics.ADMIN))
    before = metrics.read(daemon)
    began = time.monotonic()
    assert_refused(ask(daemon, origin, bad), "pattern_exhausted")
    assert time.monotonic() - began < 2
    assert ask(daemon, origin, "/b").status == 200
    grown = metrics.grown(daemon, before)
    assert grown["fault pattern_exhausted"] == 1 and grown["patterns_exhausted_total"] == 1
    assert daemon.wait_log("cause=pattern_exhausted").get("rule") == "r"
    daemon = proxyd(conf.forward(rules=f'allow r {{ url ~"/(a+)+$"; {REACH} }}', extra=metrics.ADMIN))
    assert_refused(ask(daemon, origin, bad), "default_denied")
    assert ask(daemon, origin, "/aa").status == 200
    assert metrics.read(daemon)["patterns_exhausted_total"] == 1


def test_decided_again_for_each_address_on_what_was_received(proxyd, origin):
    """A field that is taken out for the origin is still what the request said."""
    rules = f"deny r {{ header Proxy-Team red; to 127.0.0.1; }} allow any {{ {REACH} }}"
    daemon = proxyd(conf.forward(rules=rules))
    assert_refused(ask(daemon, origin, "/", "Proxy-Team: red\r\n"), "rule_denied")
    assert until(lambda: daemon.log("rule=r"))
    with Client(daemon.port) as client:   # and on a connection that is there already
        assert client.ask(f"GET {origin.url('/')} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        assert_refused(client.ask(f"GET {origin.url('/')} HTTP/1.1\r\nHost: x\r\nProxy-Team: red\r\n\r\n"), "rule_denied")
