"""The rule language as its users meet it: each condition on the wire, with allow and with deny.

The engine's unit tests (tests/unit/policy) have every sentence; here it is shown that what an exchange
shows reaches the rules, before anything is sent and again for each address.
"""
import time

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.faults import assert_refused
from lib.origin import Origin, send
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
    before = metrics.calm(daemon)
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
    assert metrics.calm(daemon)["patterns_exhausted_total"] == 1


def test_decided_again_for_each_address_on_what_was_received(proxyd, origin):
    """A field that is taken out for the origin is still what the request said."""
    rules = f"deny r {{ header Proxy-Team red; to 127.0.0.1; }} allow any {{ {REACH} }}"
    daemon = proxyd(conf.forward(rules=rules))
    assert_refused(ask(daemon, origin, "/", "Proxy-Team: red\r\n"), "rule_denied")
    assert until(lambda: daemon.log("rule=r"))
    with Client(daemon.port) as client:   # and on a connection that is there already
        assert client.ask(f"GET {origin.url('/')} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        assert_refused(client.ask(f"GET {origin.url('/')} HTTP/1.1\r\nHost: x\r\nProxy-Team: red\r\n\r\n"), "rule_denied")


# -- what a rule answers -------------------------------------------------------------------------

def test_text_status_and_page(proxyd, origin):
    # covers: policy rules deny text, policy rules deny respond, policy rules deny page
    rules = ('deny a { path /a; text "ask <the> desk"; respond 451; } deny b { path /b; page refused.html; } '
             f"deny c {{ path /c; }} allow any {{ {REACH} }}")
    page = "<!DOCTYPE html><title>no</title><p>Our own page"
    daemon = proxyd(conf.forward(rules=rules), files={"hosts": conf.HOSTS, "refused.html": page})
    answer = ask(daemon, origin, "/a", "Accept: text/plain\r\n")
    assert answer.status == 451 and "ask <the> desk" in answer.body.decode() and "rule_denied" in answer.body.decode()
    answer = ask(daemon, origin, "/a", "Accept: text/html\r\n")
    assert answer.status == 451 and "ask &lt;the&gt; desk" in answer.body.decode() and "451" in answer.body.decode()
    assert '"status":451' in ask(daemon, origin, "/a", "Accept: application/json\r\n").body.decode()
    line = daemon.wait_log("rule=a")
    assert " 451 " in line and line.get("cause") == "rule_denied" and "ask <the> desk" in line
    answer = ask(daemon, origin, "/b", "Accept: text/html\r\n")
    assert answer.status == 403 and answer.body.decode() == page and "text/html" in answer.get("Content-Type")
    assert_refused(ask(daemon, origin, "/b", "Accept: text/plain\r\n"), "rule_denied")
    assert_refused(ask(daemon, origin, "/c", "Accept: text/html\r\n"), "rule_denied")
    assert origin.requests == []


def test_a_denied_connect_has_the_status_of_the_rule(proxyd, origin):
    daemon = proxyd(conf.forward(rules=f'deny a {{ method CONNECT; respond 451; text "no"; }} allow any {{ {REACH} }}'))
    answer = ask(daemon, origin, "/", method="CONNECT")
    assert answer.status == 451 and "rule a" in answer.reason


def test_redirect(proxyd, origin):
    # covers: policy rules redirect location, policy rules redirect respond, policy rules redirect text
    rules = ("redirect a { path /a; location https://new.example/why?x=1; text \"it has moved\"; } "
             f"redirect b {{ path /b; to 127.0.0.1; location http://b.example/; respond 308; }} "
             f"redirect c {{ method CONNECT; location http://c.example/; }} allow any {{ {REACH} }}")
    daemon = proxyd(conf.forward(rules=rules))
    answer = ask(daemon, origin, "/a")
    assert (answer.status, answer.get("Location")) == (302, "https://new.example/why?x=1")
    assert "it has moved" in answer.body.decode()
    answer = ask(daemon, origin, "/b")
    assert (answer.status, answer.get("Location")) == (308, "http://b.example/"), "also where the address decides"
    answer = ask(daemon, origin, "/", method="CONNECT")
    assert_refused(answer, "rule_denied")
    assert not answer.has("Location"), "nobody follows one there"
    assert ask(daemon, origin, "/c").status == 200
    assert " 302 " in daemon.wait_log("rule=a") and len(origin.requests) == 1


REDIRECTS = {"url": 'url ~"/x$"', "header": "header X-Team red", "cookie": "cookie a=b", "query": "query q=1", "path": "path /x",
             "to": "to origin.test", "method": "method GET", "from": "from 127.0.0.1", "port": "port {port}", "time": "time 00:00-24:00"}


@pytest.mark.parametrize("name", REDIRECTS)
def test_conditions_of_a_redirect(proxyd, origin, name):
    # covers: policy rules redirect url, policy rules redirect header, policy rules redirect cookie, policy rules redirect query
    # covers: policy rules redirect path, policy rules redirect to, policy rules redirect method, policy rules redirect from
    # covers: policy rules redirect port, policy rules redirect time
    condition = REDIRECTS[name].replace("{port}", str(origin.port))
    for negated, status in (("", 302), ("not ", 200)):
        daemon = proxyd(conf.forward(rules=f"redirect r {{ {negated}{condition}; location http://x.example/; }} allow any {{ {REACH} }}"))
        assert ask(daemon, origin, "/x?q=1" if name == "query" else "/x", "X-Team: red\r\nCookie: a=b\r\n").status == status


def test_shadow(proxyd, origin):
    """It is logged and counted, and the decision goes on."""
    # covers: policy rules deny mode, policy rules allow mode, policy rules redirect mode
    rules = ("deny a { path /a; mode shadow; } allow b { path /b; mode shadow; reach loopback; } "
             "redirect c { path /c; mode shadow; location http://x.example/; } deny d { path /d; to 127.0.0.1; mode shadow; } "
             f"deny e {{ path /a/e; mode shadow; }} deny rest {{ path /b; }} allow any {{ {REACH} }}")
    daemon = proxyd(conf.forward(rules=rules, extra=metrics.ADMIN))
    for path, status, shadow in (("/a", 200, "a"), ("/b", 403, "b"), ("/c", 200, "c"), ("/d", 200, "d"), ("/a/e", 200, "a"), ("/x", 200, None)):
        assert ask(daemon, origin, path).status == status, path
        line = daemon.wait_log(f"{path}\"")
        assert line.get("shadow") == shadow, line
        assert line.get("rule") == ("rest" if path == "/b" else "any")
    now = metrics.calm(daemon)
    assert {r: now[f"rule_shadowed_total open {r}"] for r in "abcde"} == {"a": 2, "b": 1, "c": 1, "d": 1, "e": 0}
    assert now["rule_decisions_total open a"] == 0 and now["rule_decisions_total open rest"] == 1


def test_counters_of_rules_outlive_a_reload(proxyd, origin):
    rules = f"deny a {{ path /a; }} deny gone {{ path /gone; }} deny addr {{ path /addr; to 127.0.0.1; }} allow any {{ {REACH} }}"
    daemon = proxyd(conf.forward(rules=rules, extra=metrics.ADMIN))
    for path in ("/a", "/a", "/gone", "/addr", "/x"):
        ask(daemon, origin, path)
    counts = {name: metrics.calm(daemon).get(f"rule_decisions_total open {name}") for name in ("a", "gone", "addr", "any")}
    assert counts == {"a": 2, "gone": 1, "addr": 1, "any": 1}
    daemon.reload(conf.forward(rules=rules.replace("deny gone { path /gone; }", "deny fresh { path /fresh; }"), extra=metrics.ADMIN))
    assert metrics.calm(daemon)["rule_decisions_total open fresh"] == 0
    ask(daemon, origin, "/a")
    assert metrics.calm(daemon)["rule_decisions_total open a"] == 3
    assert until(lambda: "rule_decisions_total open gone" not in metrics.read(daemon)), "nobody uses it any more"


def test_prefer(proxyd):
    # covers: policy rules allow prefer
    with Origin("0.0.0.0", name="dual.test") as four, Origin("::1", port=four.port) as six:
        for prefer, family in (("", six), ("prefer any;", six), ("prefer v6;", six), ("prefer v4;", four)):
            daemon = proxyd(conf.forward(rules=f"allow any {{ {prefer} {REACH} }}", listener=""))
            assert ask(daemon, four, "/", host="dual.test").status == 200
            assert (len(four.requests), len(six.requests)) == ((1, 0) if family is four else (0, 1)), prefer
            four.requests.clear(), six.requests.clear()
        daemon = proxyd(conf.forward(rules=f"allow any {{ to 127.0.0.0/8 ::1; prefer v4; {REACH} }}"))
        assert ask(daemon, four, "/", host="dual.test").status == 200 and len(four.requests) == 1


# -- the answer ----------------------------------------------------------------------------------

ANSWERS = {
    "type": ("type application/x-msdownload video/*", ["/exe", "/video"], ["/text", "/untyped"]),
    "length": ("length 100k-", ["/long"], ["/text", "/chunks"]),
    "status": ("status 404 500-599", ["/missing", "/broken"], ["/text"]),
}


@pytest.fixture
def answers(origin):
    def at(path, fields="", body=b"hello", status="200 OK"):
        origin.at(path, send(f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body))
    at("/exe", "Content-Type: application/x-msdownload\r\n")
    at("/video", "Content-Type: Video/mp4; a=b\r\n")
    at("/text", "Content-Type: text/plain\r\nX-In-A: 1\r\nx-in-b: 2\r\nX-Out: 3\r\n")
    at("/untyped")
    at("/long", body=b"x" * 200000)
    at("/missing", status="404 Not Found")
    at("/broken", status="503 Service Unavailable")
    origin.at("/chunks", send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
    return origin


@pytest.mark.parametrize("name", ANSWERS)
def test_rules_that_look_at_the_answer(proxyd, answers, name):
    # covers: policy rules deny type, policy rules deny length, policy rules deny status, policy rules allow type
    # covers: policy rules allow length, policy rules allow status
    condition, yes, no = ANSWERS[name]
    denies = proxyd(conf.forward(rules=f'deny r {{ {condition}; path /; text "not this"; }} allow any {{ {REACH} }}', extra=metrics.ADMIN))
    allows = proxyd(conf.forward(rules=f"allow r {{ {condition}; }} deny s {{ status 100-599; }} allow any {{ {REACH} }}"))
    for path in yes:
        with Client(denies.port) as client:
            answer = client.ask(f"GET {answers.url(path)} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert_refused(answer, "rule_denied")
            assert "not this" in answer.body.decode() and b"hello" not in answer.body
            assert client.ask(f"GET {answers.url('/text')} HTTP/1.1\r\nHost: x\r\n\r\n").body == b"hello", "the client may go on"
        assert ask(allows, answers, path, host="127.0.0.1").status != 403
        assert denies.wait_log(f"{path}\"").get("rule") == "r"
    for path in no:
        assert ask(denies, answers, path, host="127.0.0.1").body == b"hello"
        assert_refused(ask(allows, answers, path, host="127.0.0.1"), "rule_denied")
    now = metrics.calm(denies)
    assert now["rule_decisions_total open r"] == len(yes) and now["upstream_idle"] >= 1


@pytest.mark.parametrize("name", ANSWERS)
def test_redirect_by_the_answer(proxyd, answers, name):
    # covers: policy rules redirect type, policy rules redirect length, policy rules redirect status
    condition, yes, no = ANSWERS[name]
    daemon = proxyd(conf.forward(rules=f"redirect r {{ {condition}; location http://x.example/; }} allow any {{ {REACH} }}"))
    assert ask(daemon, answers, yes[0], host="127.0.0.1").get("Location") == "http://x.example/"
    assert ask(daemon, answers, no[0], host="127.0.0.1").status == 200


def test_edits(proxyd, answers):
    # covers: policy rules allow request set, policy rules allow request add, policy rules allow request remove
    # covers: policy rules allow response set, policy rules allow response add, policy rules allow response remove
    rules = ("allow r { to 127.0.0.1; path /text; reach loopback; request { set User-Agent one; add X-New 1; add X-New 2; remove X-Debug X-Gone-*; } "
             f"response {{ remove X-In-*; set X-Out out; add Vary a; }} }} allow any {{ {REACH} }}")
    daemon = proxyd(conf.forward(rules=rules))
    fields = "User-Agent: curl\r\nuser-agent: two\r\nX-Debug: 1\r\nX-Gone-A: 1\r\nX-Stays: 1\r\n"
    with Client(daemon.port) as client:
        for round in range(2):   # the second one on a connection that is there already
            answer = client.ask(f"GET http://origin.test:{answers.port}/text HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
            seen = answers.requests[-1]
            assert seen.all("User-Agent") == ["one"] and seen.all("X-New") == ["1", "2"]
            assert not seen.has("X-Debug") and not seen.has("X-Gone-A") and seen.get("X-Stays") == "1"
            assert answer.body == b"hello" and answer.get("X-Out") == "out" and answer.get("Vary") == "a"
            assert not answer.has("X-In-A") and not answer.has("X-In-B")
        answer = client.ask(f"GET {answers.url('/untyped')} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
        assert answers.requests[-1].get("X-Debug") == "1" and not answer.has("X-Out"), "of another rule"
