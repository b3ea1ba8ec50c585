"""`/why`: what a browser does not show of a refused CONNECT, told to its own client and to no other."""
import json
import re

from lib import conf
from lib.client import Client
from lib.times import until

RULES = ('deny shop { method CONNECT; to shop.test; text "shut <b>until</b> Monday"; } '
         "deny private { path /private; } " + conf.OPEN_RULES)


def get(daemon, target, accept="text/plain", source="127.0.0.1", host="127.0.0.1"):
    with Client(daemon.port, source=source) as client:
        return client.ask(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n".encode())


def connect(daemon, host="shop.test:443", source="127.0.0.1"):
    with Client(daemon.port, source=source) as client:
        return client.ask(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


def test_one_s_own(proxyd, origin):
    daemon = proxyd(conf.forward(rules=RULES))
    assert get(daemon, "/why").body == b"Nothing was refused to you lately.\n"
    refused = connect(daemon)
    assert refused.status == 403 and refused.get("proxy-status").endswith('; details="rule_denied"; rule="shop"')
    assert get(daemon, origin.url("/private/x?token=hunter2")).status == 403
    newest, oldest = json.loads(get(daemon, "/why", "application/json").body)
    assert (oldest["method"], oldest["request"], oldest["rule"], oldest["cause"]) == (
        "CONNECT", "shop.test:443", "shop", "rule_denied")
    assert newest["matched"] == "path /private/x" and "hunter2" not in json.dumps(newest)
    assert re.fullmatch("[0-9a-f]{32}", oldest["id"]) and oldest["id"] in refused.body.decode()
    page = get(daemon, "/why?id=" + oldest["id"])
    assert page.status == 200 and page.get("cache-control") == "no-store"
    assert "rule: shop\n" in page.body.decode() and "proxyd.conf:" in page.body.decode()
    assert until(lambda: oldest["id"] in daemon.stdout())


def test_no_other_s(proxyd):
    daemon = proxyd(conf.forward(rules=RULES))
    connect(daemon)
    own = json.loads(get(daemon, "/why", "application/json").body)[0]["id"]
    assert json.loads(get(daemon, "/why", "application/json", "127.0.0.2").body) == []
    foreign = get(daemon, "/why?id=" + own, source="127.0.0.2")
    unknown = get(daemon, "/why?id=" + "0" * 32, source="127.0.0.2")
    assert foreign.status == unknown.status == 404
    assert re.sub(rb"id: \w+", b"", foreign.body) == re.sub(rb"id: \w+", b"", unknown.body)


def test_what_came_from_outside_is_escaped(proxyd):
    daemon = proxyd(conf.forward(rules=RULES))
    connect(daemon)
    get(daemon, "http://shop.test/private/<script>alert(1)</script>'\"&")
    for target in ("/why", "/why?id=" + json.loads(get(daemon, "/why", "application/json").body)[1]["id"]):
        page = get(daemon, target, "text/html").body.decode()
        assert "<script" not in page and "<b>" not in page and "shut &lt;b&gt;" in page


def test_the_oldest_go_first(proxyd):
    daemon = proxyd(conf.forward(rules=RULES))
    for i in range(25):
        get(daemon, f"http://shop.test/private/{i}")
    told = json.loads(get(daemon, "/why", "application/json").body)
    assert [one["request"] for one in told] == [f"http://shop.test/private/{i}" for i in range(24, 4, -1)]


def test_other_methods(proxyd):
    daemon = proxyd(conf.forward(rules=RULES))
    with Client(daemon.port) as client:
        assert client.ask(b"POST /why HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status == 405


def test_only_by_address(proxyd):
    """A page whose name leads to the proxy gets nothing to read; a browser's own way through the proxy does."""
    daemon = proxyd(conf.forward(rules=RULES))
    connect(daemon)
    own = json.loads(get(daemon, "/why", "application/json", host="localhost").body)[0]["id"]
    assert get(daemon, "/why", host="rebound.test").status == 404
    assert get(daemon, "/why?x", host="127.0.0.1").status == 404
    through = get(daemon, f"http://127.0.0.1:{daemon.port}/why", "application/json")
    assert json.loads(through.body)[0]["id"] == own
    assert through.get("x-content-type-options") == "nosniff" and through.get("x-frame-options") == "DENY"
