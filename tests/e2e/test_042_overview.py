"""The page of the admin listener for people, and the same as JSON: what it tells, and what it must not let through."""
import base64
import hashlib
import html.parser
import json
import re
import threading

import pytest

from lib import metrics
from lib.caching import answer, forward, get
from lib.client import Client, request
from lib.origin import read_body, send
from lib.times import until

pytestmark = [pytest.mark.threads, pytest.mark.smoke]

RULES = "deny x { to list none; } deny wish { to *.wish.test; } allow all { to 127.0.0.0/8; reach loopback; }"


def ask(daemon, path="/", accept="text/html"):
    with Client(daemon.ports["admin_port"]) as client:
        return client.ask(request(path, f"Accept: {accept}", host="127.0.0.1"))


def state(daemon):
    return json.loads(ask(daemon, "/status", "*/*").body)


class Page(html.parser.HTMLParser):
    """Well-formed, and its text by table: {heading: [[cell, …], …]}."""
    VOID = {"meta", "br"}
    OPTIONAL = {"th": {"th"}}

    def __init__(self, body):
        super().__init__()
        self.open, self.tags, self.links, self.tables, self.heading, self.text = [], set(), [], {}, None, ""
        self.feed(body)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src", "action", "style")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs), attrs
        if self.open and self.open[-1] in self.OPTIONAL.get(tag, ()):
            self.open.pop()
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr" and self.heading:
            self.tables[self.heading].append([])
        if tag == "td":
            self.tables[self.heading][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        if self.open[-1] == "th" and tag == "tr":
            self.open.pop()
        assert self.open.pop() == tag, (tag, self.open, self.getpos())

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "h2":
            self.heading = data
            self.tables[data] = []
        elif "td" in self.open:
            self.tables[self.heading][-1][-1] += data

    def rows(self, heading):
        return [row for row in self.tables[heading] if row]


BIG, SMALL = "/big?key=secret", "/small&'x"
CONFIG = forward(cache="cache main { memory 32m; path store; size 64m; }", rules=RULES, extra=metrics.ADMIN + "list none { source none.txt; optional; }")


@pytest.fixture
def daemon(proxyd, origin):
    origin.at(BIG, read_body(), send(answer("x" * 3000, "Cache-Control: max-age=60")))
    origin.at(SMALL, read_body(), send(answer("x" * 100, "Cache-Control: max-age=60")))
    return proxyd(CONFIG)


def test_what_it_tells(daemon, origin):
    for path in (BIG,) * 3 + (SMALL,) * 2:
        assert get(daemon, origin.url(path)).status == 200
    assert get(daemon, "http://a.wish.test/").status == 403
    assert until(lambda: state(daemon)["requests_in_flight"] == 0 and state(daemon)["listeners"][0]["requests"] == 6)
    assert until(lambda: state(daemon)["caches"][0]["disk_in_service"])
    body = ask(daemon).body.decode()
    page = Page(body)
    assert "Serving" in page.text and "2 workers" in page.text and "configuration 1" in page.text
    (name, address, _, requests, share, saved), = page.rows("Listeners")
    assert (name, address, requests, share) == ("mainforward", f"127.0.0.1:{daemon.port}", "6", "60 %")
    assert saved == "5.96 kB"   # twice 3000 and 100 bytes
    (name, memory, disk, _), = page.rows("Caches")
    assert name.startswith("main2 in memory, ") and memory.endswith(" of 32.0 MB") and disk.endswith(" of 64.0 MB")
    assert [row[:3] for row in page.rows("What has saved most")] == [
        [origin.url("/big") + "?…", "5.86 kB", "2.93 kB"], [origin.url(SMALL), "100 B", "100 B"]]
    assert page.rows("Refused and failed")[0][0].startswith("rule_denied")
    assert page.rows("Lists")[0][0] == "none"
    assert "secret" not in body and "/small&amp;&#39;x" in body, "a query is nobody's business"
    told = state(daemon)
    assert told["ready"] and told["workers"] == 2 and told["configuration"] == 1
    assert [row["saved_bytes"] for row in told["top"]] == [6000, 100]
    assert told["failures"] == [{"cause": "rule_denied", "lately": 1, "total": 1}]
    assert told["listeners"][0]["cache_asked"] == 5 and told["listeners"][0]["cache_hits"] == 3
    assert told["history"][-1]["requests"] == 6 and told["history"][-1]["saved_bytes"] == 6100


def test_nothing_of_it_is_a_program_or_from_elsewhere(daemon, origin):
    got = ask(daemon)
    body = got.body.decode()
    page = Page(body)
    style = re.search(r"<style>(.*)</style>", body, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.split(" ", 1) for part in got.get("Content-Security-Policy").split("; "))
    assert policy == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'",
                      "frame-ancestors": "'none'", "style-src": f"'sha256-{digest}'"}
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "form", "link", "base", "use", "image"}
    assert "url(" not in style and "@import" not in style
    assert all(link.startswith("/") or link == f"http://127.0.0.1:{daemon.port}/" for link in page.links), page.links


def test_a_reload_is_told_and_takes_no_history_away(daemon, origin):
    assert get(daemon, origin.url(BIG)).status == 200
    assert until(lambda: state(daemon)["listeners"][0]["requests"] == 1)
    before = state(daemon)
    daemon.reload(CONFIG.replace("listener main", "listener other", 1))
    after = state(daemon)
    assert after["configuration"] == 2 and len(after["history"]) >= len(before["history"])
    assert (after["listeners"][0]["name"], after["listeners"][0]["requests"]) == ("other", 1), "the address is the same"
    assert [row["saved_bytes"] for row in after["top"]] == []


def test_while_the_workers_are_busy(daemon, origin):
    """What is looked at changes meanwhile: each page is whole, and no counter of it goes backwards."""
    for i in range(40):
        origin.at(f"/{i}", read_body(), send(answer("x" * 500, "Cache-Control: max-age=60")))
    stop = threading.Event()

    def load():
        with Client(daemon.port) as client:
            while not stop.is_set():
                for i in range(40):
                    assert client.get(origin.url(f"/{i}")).status == 200

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    last = 0
    for _ in range(10):
        Page(ask(daemon).body.decode())
        saved = state(daemon)["listeners"][0]["saved_bytes"]
        assert saved >= last
        last = saved
    stop.set()
    for thread in threads:
        thread.join()
    assert last > 0


def test_what_is_served_from_disk_is_among_what_has_saved_most(proxyd, origin):
    """It is too large for memory, and another object for each use."""
    origin.at("/large", read_body(), send(answer("x" * 3_000_000, "Cache-Control: max-age=60")))
    daemon = proxyd(forward(cache="cache main { memory 8m; path store; size 64m; }", extra=metrics.ADMIN))
    assert until(lambda: state(daemon)["caches"][0]["disk_in_service"])
    assert get(daemon, origin.url("/large")).status == 200
    assert until(lambda: state(daemon)["caches"][0]["disk_objects"] == 1)
    for _ in range(2):
        assert len(get(daemon, origin.url("/large")).body) == 3_000_000
    top = until(lambda: state(daemon)["top"])
    assert [(row["url"], row["bytes"]) for row in top] == [(origin.url("/large"), 3_000_000)]
    assert until(lambda: state(daemon)["top"][0]["saved_bytes"] == 6_000_000)
