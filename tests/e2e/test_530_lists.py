"""Lists: what a rule says by `to list`, how lists are loaded, and how their content is exchanged while the proxy works."""
import os
import urllib.error
import urllib.request

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.faults import assert_refused
from lib.times import until, within

DENY = f"deny listed {{ to list ads; }} allow rest {{ reach {conf.CLASSES}; }}"


def lists(text="list ads { source ads.txt; }", rules=DENY, **more):
    return conf.forward(rules=rules, extra=metrics.ADMIN + text, **more)


def put(daemon, text, name="ads.txt"):
    """As writers of lists should: a new file, renamed over the old one."""
    path = os.path.join(daemon.folder, name)
    with open(path + ".new", "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.rename(path + ".new", path)


def ask(daemon, host, path="/", port=80, method="GET", fields=""):
    with Client(daemon.port) as client:
        target = f"{host}:{port}" if method == "CONNECT" else f"http://{host}:{port}{path}"
        return client.ask(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")


def listed(daemon, host, *more, **how):
    answer = ask(daemon, host, *more, **how)
    return answer.status == 403 and b"rule_denied" in answer.body


def readyz(daemon):
    url = f"http://127.0.0.1:{daemon.ports['admin_port']}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=within(5)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_source_and_format(proxyd):
    """Each list is read as its format says; `auto` finds that out; both are told."""
    # covers: list, list source, list format, policy rules deny to, policy rules allow to
    text = "".join(f"list {n} {{ source {n}; format {f}; }} " for n, f in
                   (("plain", "domains"), ("hosts", "auto"), ("adblock", "adblock"), ("cidr", "cidr"),
                    ("urls", "urls"), ("regex", "regex")))
    files = {"plain": "a.test\n.b.test\n", "hosts": "0.0.0.0 c.test\n0.0.0.0 d.test\n",
             "adblock": "||e.test^\n@@||good.e.test^\n||f.test/ad/\n", "cidr": "127.9.0.0/16\n",
             "urls": "g.test/bad\n", "regex": "^https?://h[0-9]+[.]test/\n"}
    rules = "deny listed { to list plain list hosts list adblock list cidr list urls list regex; } allow rest { }"
    daemon = proxyd(lists(text, rules), files=files)
    for host, path in (("a.test", "/"), ("b.test", "/"), ("x.b.test", "/"), ("c.test", "/"), ("e.test", "/"), ("x.e.test", "/"),
                       ("f.test", "/ad/x"), ("127.9.0.9", "/"), ("g.test", "/bad/x"), ("g.test", "/%62ad/x"), ("h1.test", "/")):
        assert listed(daemon, host, path), (host, path)
    for host, path in (("x.a.test", "/"), ("x.c.test", "/"), ("good.e.test", "/"), ("f.test", "/add"), ("127.8.0.9", "/"),
                       ("g.test", "/badly"), ("h.test", "/")):
        assert not listed(daemon, host, path), (host, path)
    assert listed(daemon, "h2.test", port=443, method="CONNECT") and not listed(daemon, "g.test", port=443, method="CONNECT")
    assert "list hosts: hosts, exact names; 2 entries from 1 file" in daemon.stderr()
    assert "list plain: domains, exact names; 2 entries" in daemon.stderr()


def test_match_subdomains(proxyd):
    # covers: list match
    text = "list ads { source ads.txt; format hosts; match subdomains; }"
    daemon = proxyd(lists(text), files={"ads.txt": "0.0.0.0 a.test\n"})
    assert listed(daemon, "a.test") and listed(daemon, "x.a.test") and not listed(daemon, "xa.test")


def test_categories(proxyd):
    """A folder as squidGuard's; `category` binds to the list before it."""
    # covers: policy rules deny to
    rules = "deny listed { to list ut1 category games list ut1 category de/bank b.test; } allow rest { }"
    files = {"ut1/games/domains": "g.test\n", "ut1/games/urls": "u.test/play\n", "ut1/de/bank/domains": "k.test\n",
             "ut1/news/domains": "n.test\n"}
    daemon = proxyd(lists("list ut1 { source ut1; }", rules), files=files)
    for host, path in (("g.test", "/"), ("x.g.test", "/"), ("u.test", "/play/1"), ("k.test", "/"), ("b.test", "/")):
        assert listed(daemon, host, path), host
    assert not listed(daemon, "n.test") and not listed(daemon, "u.test")
    assert "list ut1: categories of squidGuard" in daemon.stderr()


def test_exchange(proxyd):
    """A file that is renamed over the old one is taken up, and only that list is read again."""
    text = "list ads { source ads.txt; } list other { source other.txt; }"
    rules = "deny listed { to list ads list other; } allow rest { }"
    daemon = proxyd(lists(text, rules), files={"ads.txt": "a.test\nc.test\n", "other.txt": "o.test\n"})
    assert listed(daemon, "a.test") and not listed(daemon, "b.test")
    put(daemon, "b.test\nc.test\n")
    assert until(lambda: listed(daemon, "b.test"), within(5)) and not listed(daemon, "a.test")
    assert daemon.stderr().count("list other:") == 1


@pytest.mark.parametrize("broken", ["shrunken", "wrong", "gone", "few"])
def test_worse_content(proxyd, broken):
    """Less than half of what there was, lines of another kind, no file, fewer than wanted: the old content stays, and that is
    said and counted."""
    # covers: list min-entries
    daemon = proxyd(lists("list ads { source ads.txt; format domains; min-entries 5; }"),
                    files={"ads.txt": "".join(f"a{i}.test\n" for i in range(20))})
    before = metrics.text(daemon)
    if broken == "gone":
        os.unlink(os.path.join(daemon.folder, "ads.txt"))
    else:
        put(daemon, {"shrunken": "".join(f"b{i}.test\n" for i in range(9)), "wrong": "x.test\n" + "<html> no list\n" * 30,
                     "few": "b.test\n" * 4}[broken])
    assert until(lambda: "list ads: not taken, the content before it stays" in daemon.stderr(), within(5))
    assert listed(daemon, "a7.test") and not listed(daemon, "b1.test")
    after = metrics.text(daemon)
    assert 'proxyd_list_entries{list="ads"} 20' in after
    assert 'proxyd_list_refused_total{list="ads"} 0' in before and 'proxyd_list_refused_total{list="ads"} 1' in after
    put(daemon, "".join(f"c{i}.test\n" for i in range(30)))
    assert until(lambda: listed(daemon, "c7.test"), within(5))


def test_missing(proxyd):
    """Until a list was loaded once nobody gets past it; an optional one has no entries until then."""
    # covers: list optional
    daemon = proxyd(lists(), expect_ready=False)
    assert until(lambda: "try:" in daemon.stderr())
    assert_refused(ask(daemon, "a.test"), "list_missing")
    assert readyz(daemon) == (503, b"a list has not been loaded yet\n")
    put(daemon, "a.test\n")
    assert until(lambda: listed(daemon, "a.test"), within(5))
    assert readyz(daemon)[0] == 200 and not listed(daemon, "b.test")
    optional = proxyd(lists("list ads { source none.txt; optional; }"))
    assert not listed(optional, "a.test")
    assert readyz(optional)[0] == 200


def test_reload_without_its_list(proxyd):
    """A configuration that brings a list which cannot be loaded does not come into force."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN))
    daemon.reload(lists(), refused=True)
    assert until(lambda: "the list ads could not be loaded" in daemon.stderr())
    put(daemon, "a.test\n")
    daemon.reload(lists())
    assert listed(daemon, "a.test")
