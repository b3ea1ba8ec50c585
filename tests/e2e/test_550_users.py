"""Who asks: `auth basic`, users and groups in rules, wrong passwords, files that change.

Hashes are made by openssl, so that the reader is held against other writers.
"""
import base64
import json
import pathlib
import subprocess
import threading
import time

import pytest

from lib import conf, metrics
from lib.caching import date
from lib.client import Client
from lib.daemon import run_command
from lib.faults import assert_refused
from lib.hello import hello
from lib.origin import Origin, ok, read, read_body, read_eof, send
from lib.times import until
from lib.wire import Ended

pytestmark = pytest.mark.threads

SECRET = "Gr\u00fc\u00dfe 7"


def hashed(password, *how):
    return subprocess.run(["openssl", "passwd", *(how or ("-5",)), password], capture_output=True, text=True,
                          check=True).stdout.strip()


USERS = f"ann:{hashed('sesam')}\nbob:{hashed('builder', '-apr1')}\nu\u00e9:{hashed(SECRET, '-6')}\n"
GROUPS = "staff: ann bob\nbuilders: bob\n"
AUTH = "auth basic { file users; groups groups; realm \"The office\"; %s }"
FILES = {"users": USERS, "groups": GROUPS}


def field(name, password):
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode() + "\r\n"


def ask(daemon, url, credentials="", method="GET", client=None):
    if method == "CONNECT":
        host = url.split("/")[2]
        text = f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{credentials}\r\n"
    else:
        text = f"{method} {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n{credentials}\r\n"
    if client:
        return client.ask(text.encode())
    with Client(daemon.port) as one:
        return one.ask(text.encode())


@pytest.fixture
def start(proxyd):
    def begin(rules=conf.OPEN_RULES, auth="", files=FILES, **more):
        text = conf.forward(rules=rules, extra=metrics.ADMIN + more.pop("top", ""), **more)
        return proxyd(text.replace("rules {", AUTH % auth + " rules {", 1), files=files)
    return begin


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_who_does_not_say(start, origin, method):
    # covers: policy auth basic realm
    daemon = start()
    answer = ask(daemon, origin.url("/"), method=method)
    assert_refused(answer, "auth_required")
    assert answer.status == 407
    assert answer.get("proxy-authenticate") == 'Basic realm="The office", charset="UTF-8"'
    assert origin.requests == []


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_who_does(start, origin, method):
    # covers: policy auth basic
    # covers: policy auth basic file
    daemon = start()
    for name, password in (("ann", "sesam"), ("bob", "builder"), ("u\u00e9", SECRET), ("ann", "sesam")):
        assert ask(daemon, origin.url("/"), field(name, password), method).status == 200
    assert until(lambda: sorted(line.get("user") for line in daemon.log(" user=")) == ["ann", "ann", "bob", "u\\xC3\\xA9"])
    assert not any(r.has("proxy-authorization") for r in origin.requests)
    assert "sesam" not in daemon.stdout() and base64.b64encode(b"ann:sesam").decode() not in daemon.stdout()


@pytest.mark.parametrize("credentials, cause", [
    (field("ann", "Sesam"), "auth_failed"),
    (field("ann", ""), "auth_failed"),
    (field("nobody", "sesam"), "auth_failed"),
    (field("ann", "sesam") * 2, "auth_malformed"),
    ("Proxy-Authorization: Basic\r\n", "auth_malformed"),
    ("Proxy-Authorization: Basic YW5uOnNlc2Ft=\r\n", "auth_malformed"),
    ("Proxy-Authorization: Basic YW5u\r\n", "auth_malformed"),
    ("Proxy-Authorization: Bearer YW5uOnNlc2Ft\r\n", "auth_malformed"),
    ("Proxy-Authorization: Basic " + "QUFB" * 300 + "\r\n", "auth_malformed"),
])
def test_who_is_not(start, origin, credentials, cause):
    """A 407 with "auth_failed" or "auth_malformed", which say alike of a name that is there and one that is not."""
    daemon = start()
    for method in ("GET", "CONNECT"):
        answer = ask(daemon, origin.url("/"), credentials, method)
        assert_refused(answer, cause)
        assert answer.status == 407 and answer.get("proxy-authenticate")
    assert origin.requests == []


def test_users_and_groups_in_rules(start, origin):
    # covers: policy auth basic groups
    # covers: policy rules allow user, policy rules deny user, policy rules redirect user
    # covers: policy rules allow from
    daemon = start("deny no { user ann; path /private; } redirect away { user bob; path /away; location http://a.test/; } allow builders { from group builders; path /build; reach loopback; }"
                   " allow ann { user ann; reach loopback; } deny known { not user bob; } ")
    def rule(path, name, password):
        answer = ask(daemon, origin.url(path), field(name, password))
        assert until(lambda: daemon.log(f"{path}\""))
        return answer.status, daemon.log(f"{path}\"")[-1].get("rule")
    assert rule("/private", "ann", "sesam") == (403, "no")
    assert rule("/away", "bob", "builder") == (302, "away")
    assert rule("/a", "ann", "sesam") == (200, "ann")
    assert rule("/build", "bob", "builder") == (200, "builders")
    assert rule("/build/2", "u\u00e9", SECRET) == (403, "known")
    assert rule("/b", "bob", "builder") == (403, "default")


def test_exceptions(start, origin):
    # covers: policy auth basic except-to
    # covers: policy auth basic except-from
    rules = "deny someone { user *; path /only-nobody; } allow all { to *; reach loopback; }"
    daemon = start(rules, "except-to other.test; except-from 127.0.0.9;")
    assert ask(daemon, origin.url("/only-nobody").replace("origin.test", "other.test")).status == 200
    assert_refused(ask(daemon, origin.url("/")), "auth_required")
    assert_refused(ask(daemon, origin.url("/only-nobody"), field("ann", "sesam")), "rule_denied")
    with Client(daemon.port, source="127.0.0.9") as client:
        assert ask(daemon, origin.url("/only-nobody"), client=client).status == 200


def test_an_exception_is_for_the_name_that_rules_see(start):
    """With `dns { search; }` it is the whole one, for a request, for a tunnel that is decided again, and for explain."""
    daemon = start(auth="except-to other.test;", dns="server 127.0.0.1:{dead_port}; hosts hosts; timeout 1s; search test;",
                   ports="http-ports any; connect-ports any; grace 0s;")
    with Origin() as sink:
        assert ask(daemon, f"http://other:{sink.port}/").status == 200
        assert_refused(ask(daemon, f"http://origin:{sink.port}/"), "auth_required")
        sink.next(read(5), send(b"first"), read(6), send(b"second"), read_eof())
        with Client(daemon.port) as client:
            assert client.ask(f"CONNECT other:{sink.port} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
            client.send(b"hello")
            assert client.exactly(5) == b"first"
            daemon.reload((daemon.folder / "proxyd.conf").read_text().replace("grace 0s", "grace 1ms"))
            client.send(b"hello2")
            assert client.exactly(6) == b"second"
    explained = run_command("explain", f"http://other:{sink.port}/", "-c", daemon.config, "--from", "127.0.0.1").stdout
    assert "allow by all" in explained


def test_an_exception_is_no_way_to_other_names(start):
    """A tunnel to an excepted host whose ClientHello names another one is no exception, now or later."""
    def tunnel():
        client = Client(daemon.port)
        assert client.ask(f"CONNECT other.test:{sink.port} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        return client
    excepted = "except-to other.test %s;"
    daemon = start(auth=excepted % "nobody.test", ports="connect-ports any; grace 50ms;")
    explained = run_command("explain", "https://other.test/", "-c", daemon.config, "--from", "127.0.0.1", "--sni", "origin.test")
    assert "auth_required" in explained.stdout
    with Origin() as sink:
        sink.next(read_eof())
        with tunnel() as client:
            client.send(hello("origin.test"))
            assert client.expect_closed() == "reset"
        line = daemon.wait_log("auth_required")
        assert line.get("sni") == "origin.test" and line.get("in") == "0"
        sink.next(read(len(hello("nobody.test"))), send(b"answer"), read_eof())
        with tunnel() as client:
            client.send(hello("nobody.test"))
            assert client.exactly(6) == b"answer"
            daemon.reload((daemon.folder / "proxyd.conf").read_text().replace(excepted % "nobody.test", excepted % ""))
            assert client.expect_closed() in ("eof", "reset")
        assert until(lambda: [line.get("sni") for line in daemon.log("auth_required")] == ["origin.test", "nobody.test"])


@pytest.mark.slow("waits for three changes of files, and for the turn of passwords behind wrong ones")
def test_files_that_change(start, origin):
    daemon = start("allow staff { from group staff; reach loopback; }")
    folder = pathlib.Path(daemon.folder)
    assert ask(daemon, origin.url("/"), field("ann", "sesam")).status == 200
    (folder / "users").write_text(f"ann:{hashed('other')}\nnew:{hashed('new')}\n", encoding="utf-8")
    assert until(lambda: ask(daemon, origin.url("/"), field("ann", "other")).status == 200)
    assert_refused(ask(daemon, origin.url("/"), field("ann", "sesam")), "auth_failed")
    assert_refused(ask(daemon, origin.url("/"), field("new", "new")), "default_denied")
    (folder / "groups").write_text("staff: new\n", encoding="utf-8")
    assert until(lambda: ask(daemon, origin.url("/"), field("new", "new")).status == 200)
    (folder / "users").unlink()
    assert until(lambda: "cannot be read" in daemon.stderr())
    assert ask(daemon, origin.url("/"), field("new", "new")).status == 200
    assert_refused(ask(daemon, origin.url("/"), field("ann", "other")), "default_denied")


def test_guessing_becomes_slow(start, origin):
    daemon = start(auth="except-to other.test;", workers=1)
    assert ask(daemon, origin.url("/"), field("ann", "sesam")).status == 200
    times = []
    for i in range(4):
        begun = time.monotonic()
        assert_refused(ask(daemon, origin.url("/"), field("ann", f"guess {i}")), "auth_failed")
        times.append(time.monotonic() - begun)
    assert times[0] < 0.25 and times[-1] > 0.45
    begun = time.monotonic()  # who is remembered does not wait
    assert ask(daemon, origin.url("/"), field("ann", "sesam")).status == 200
    assert time.monotonic() - begun < 0.5


def test_too_often(start, origin):
    daemon = start(workers=1)
    causes = []
    def guess(i):
        try:
            answer = ask(daemon, origin.url("/"), field("ann", f"guess {i}"))
        except Ended:  # the daemon has ended meanwhile
            return
        causes.append((answer.status, answer.get("retry-after")))
    for i in range(4):
        guess(i)
    threads = [threading.Thread(target=guess, args=(i,)) for i in range(10, 40)]
    for t in threads:
        t.start()
    assert until(lambda: (429, "10") in causes)
    assert until(lambda: daemon.log("auth_too_often"))
    daemon.stop()
    for t in threads:
        t.join()


def test_counters(start, origin):
    daemon = start()
    before = metrics.read(daemon)
    ask(daemon, origin.url("/"), field("ann", "sesam"))
    ask(daemon, origin.url("/"), field("ann", "sesam"), "CONNECT")
    for password in ("other", "another"):
        ask(daemon, origin.url("/"), field("ann", password))
    ask(daemon, origin.url("/"))
    grown = metrics.grown(daemon, before)
    assert (grown["auth_passed_total basic"], grown["auth_failed_total basic"], grown["fault auth_required"]) == (2, 2, 1)
    assert "ann" not in metrics.text(daemon)


LIMIT = "limits { requests-per-user %s; } "


def test_requests_per_user(start, origin):
    """So many at once, however they come; of others, of nobody and of wrong passwords none counts; it goes on over
    a reload and over other passwords."""
    # covers: limits requests-per-user
    daemon = start(auth="except-to other.test;", top=LIMIT % "3/h")
    free = origin.url("/").replace("origin.test", "other.test")
    ann = field("ann", "sesam")
    assert_refused(ask(daemon, origin.url("/"), field("ann", "wrong")), "auth_failed")
    assert [ask(daemon, url, ann).status for url in (free, free, origin.url("/"))] == [200] * 3
    assert [ask(daemon, origin.url("/"), ann, method).status for method in ("CONNECT", "GET")] == [200] * 2
    for method in ("GET", "CONNECT"):
        answer = ask(daemon, origin.url("/"), ann, method)
        assert_refused(answer, "user_rate")
        assert answer.status == 429 and 1000 < int(answer.get("retry-after")) <= 1200
    assert ask(daemon, free, ann).status == 200
    assert ask(daemon, origin.url("/"), field("bob", "builder")).status == 200
    assert until(lambda: [line.get("user") for line in daemon.log("user_rate")] == ["ann", "ann"])
    assert metrics.read(daemon)["fault user_rate"] == 2
    text = (daemon.folder / "proxyd.conf").read_text()
    daemon.reload(text.replace("3/h", "4/h"))
    assert_refused(ask(daemon, origin.url("/"), ann), "user_rate")
    (daemon.folder / "users").write_text(f"new:{hashed('new')}\nann:{hashed('other')}\n")
    assert until(lambda: ask(daemon, origin.url("/"), field("new", "new")).status == 200)
    assert_refused(ask(daemon, origin.url("/"), field("ann", "other")), "user_rate")
    daemon.reload(text.replace("3/h", "1000/s"))  # not an hour later
    assert until(lambda: ask(daemon, origin.url("/"), field("ann", "other")).status == 200)


def test_requests_per_user_are_the_same_for_all_workers(start, origin):
    daemon = start(top=LIMIT % "20/h", workers=3)
    assert ask(daemon, origin.url("/"), field("ann", "sesam")).status == 200
    seen = []
    threads = [threading.Thread(target=lambda: seen.extend(ask(daemon, origin.url("/"), field("ann", "sesam")).status
                                                           for _ in range(5))) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == [200] * 19 + [429] * 21


def test_requests_per_user_come_back(start, origin):
    daemon = start(top=LIMIT % "2/s")
    for _ in range(2):
        assert ask(daemon, origin.url("/"), field("ann", "sesam")).status == 200
    answer = ask(daemon, origin.url("/"), field("ann", "sesam"))
    assert (answer.status, answer.get("retry-after")) == (429, "1")
    assert until(lambda: ask(daemon, origin.url("/"), field("ann", "sesam")).status == 200)


def test_the_page_about_a_refusal_has_the_name(start, origin):
    """Not the refusal itself, which scripts of the server that was asked may read, and no group ever."""
    name = "<b>u\u00e9"
    daemon = start("deny no { path /private; } ", files={"users": f"{name}:{hashed('x')}\n", "groups": f"staff: {name}\n"})
    refused = ask(daemon, origin.url("/private"), field(name, "x") + "Accept: application/json\r\n")
    page = json.loads(refused.body)
    assert page["cause"] == "rule_denied" and "u\u00e9" not in str(page)
    for kind, shown in (("application/json", name), ("text/html", "&lt;b&gt;u\u00e9"), ("text/plain", f"user: {name}\n")):
        with Client(daemon.port) as client:
            told = client.ask(f"GET /why?id={page['id']} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {kind}\r\n\r\n".encode()).body.decode()
        assert shown in (json.loads(told)["user"] if kind.endswith("json") else told) and "staff" not in told


# -- hostile -------------------------------------------------------------------------------------------

def test_guesses_at_once_are_no_faster(start, origin):
    """Forty before the first is answered: they wait for each other as if each had followed the one before."""
    daemon = start(workers=1)
    clients = [Client(daemon.port) for _ in range(40)]
    try:
        for i, client in enumerate(clients):
            client.send(f"GET {origin.url('/')} HTTP/1.1\r\nHost: origin.test\r\n{field('ann', f'guess {i}')}\r\n".encode())
        time.sleep(1)
        assert metrics.read(daemon)["fault auth_failed"] <= 3
        assert metrics.read(daemon)["fault auth_too_often"] >= 30
    finally:
        for client in clients:
            client.close()


def test_many_people_at_one_address(start, origin):
    """Who comes with others through one address does not wait for their first passwords."""
    people = {f"p{i}": hashed("sesam") for i in range(12)}
    daemon = start(workers=1, files={"users": "".join(f"{n}:{h}\n" for n, h in people.items()), "groups": ""})
    clients = [Client(daemon.port) for _ in people]
    begun = time.monotonic()
    for name, client in zip(people, clients):
        client.send(f"GET {origin.url('/')} HTTP/1.1\r\nHost: origin.test\r\n{field(name, 'sesam')}\r\n".encode())
    assert [client.response("GET").status for client in clients] == [200] * 12
    assert time.monotonic() - begun < 1
    for client in clients:
        client.close()


def test_what_is_said_goes_nowhere(start, origin):
    """Neither to an origin nor to a parent, whatever Connection says; Authorization is the origin's own."""
    with Origin() as parent:
        parent.at("*", read_body(), send(ok("parent")))
        daemon = start('allow parent { to far.test; via up; } allow near { to *; reach loopback; } ',
                       top="parent up { proxy 127.0.0.1:%d; } " % parent.port)
        mine = "Authorization: Basic bWU6bWU=\r\n"
        for connection in ("", "Connection: Proxy-Authorization\r\n", "Connection: keep-alive, authorization\r\n"):
            for url in (origin.url("/"), "http://far.test/"):
                ask(daemon, url, field("ann", "sesam") + connection + mine)
        ask(daemon, "https://far.test:443/", field("ann", "sesam"), "CONNECT")
        seen = origin.requests + parent.requests
        assert len(origin.requests) == 3 and len(parent.requests) == 4
        assert not any(r.has("proxy-authorization") for r in seen)
        assert all(r.has("authorization") for r in origin.requests)
        assert not any(base64.b64encode(b"ann:sesam").decode() in text for text in (daemon.stdout(), daemon.stderr()))


@pytest.mark.parametrize("value", ["Basic YW5uOnNlc2Ft, Basic YW5uOnNlc2Ft", "Basic YW5uOnNlc2Ft\tx", "Basic\tYW5uOnNlc2Ft",
                                   "Basic YW5uAHg6c2VzYW0=", "Basic " + "A" * 14000, "Basic YW5uOnNlc2Ft;", "YW5uOnNlc2Ft", "Basic \u00fc"])
def test_spellings_that_are_none(start, origin, value):
    daemon = start()
    for method in ("GET", "CONNECT"):
        assert_refused(ask(daemon, origin.url("/"), f"Proxy-Authorization: {value}\r\n", method), "auth_malformed")
    assert origin.requests == []


def test_64_kb_of_credentials(start, origin):
    daemon = start()
    assert ask(daemon, origin.url("/"), "Proxy-Authorization: Basic " + "QUFB" * 16384 + "\r\n").status == 431


@pytest.mark.parametrize("name, password, status", [
    ("u\u00e9", SECRET, 200),
    ("ue\u0301", SECRET, 407),       # the same to the eye: another name
    ("c", "a:b", 200),               # the first colon ends the name
    ("c:a", "b", 200)])
def test_names_and_colons(start, origin, name, password, status):
    daemon = start(files={"users": USERS + f"c:{hashed('a:b')}\n", "groups": ""})
    assert ask(daemon, origin.url("/"), field(name, password)).status == status
    latin = base64.b64encode(f"u\u00e9:{SECRET}".encode("latin-1")).decode()
    assert_refused(ask(daemon, origin.url("/"), f"Proxy-Authorization: Basic {latin}\r\n"), "auth_failed")


@pytest.mark.slow("compares slow hashes, so that they can be timed")
def test_no_name_is_told_by_the_time(start, origin):
    """Of hashes that differ in cost, an unknown name takes as long as most."""
    cheap, dear = hashed("x"), subprocess.run(["perl", "-e", "print crypt('x', '$6$rounds=400000$salt$')"], capture_output=True,
                                              text=True, check=True).stdout
    users = f"first:{cheap}\n" + "".join(f"d{i}:{dear}\n" for i in range(5)) + "".join(f"s{i}:{hashed('x', '-6')}\n" for i in range(3))
    daemon = start(files={"users": users, "groups": ""}, workers=1)

    def took(name):
        with Client(daemon.port, source=f"127.0.0.{len(taken) + 20}") as client:
            begun = time.monotonic()
            assert_refused(ask(daemon, origin.url("/"), field(name, "wrong"), client=client), "auth_failed")
            return time.monotonic() - begun
    taken = {}
    for name in ("d0", "n0", "d1", "n1", "d2", "n2"):
        taken[name] = took(name)
    known, unknown = (min(t for n, t in taken.items() if n[0] == kind) for kind in "dn")
    assert 0.5 < unknown / known < 2, taken


def test_a_file_that_changes_during_a_comparison(start, origin):
    """Who was taken out meanwhile is let through at most that once."""
    slow = subprocess.run(["perl", "-e", "print crypt('sesam', '$6$rounds=900000$salt$')"], capture_output=True, text=True,
                          check=True).stdout
    daemon = start(files={"users": f"ann:{slow}\nbob:{slow}\n", "groups": ""})
    with Client(daemon.port) as client:
        client.send(f"GET {origin.url('/')} HTTP/1.1\r\nHost: origin.test\r\n{field('ann', 'sesam')}\r\n".encode())
        (daemon.folder / "users").write_text(f"bob:{hashed('builder')}\n")
        assert client.response("GET").status in (200, 407)
        assert until(lambda: ": 1, 0 lines" in daemon.stderr())
    assert_refused(ask(daemon, origin.url("/"), field("ann", "sesam")), "auth_failed")


def test_what_is_validated_behind_a_user(start, origin):
    """stale-while-revalidate: under the rules of the user whose request was its cause, and in nobody's name there."""
    daemon = start(rules="allow ann { user ann; from 127.0.0.1; reach loopback; }", top="cache main { }", listener="cache main;")
    stale = [f"Date: {date(9)}", "Cache-Control: public, max-age=1, stale-while-revalidate=60"]
    origin.at("/swr", read_body(), send(ok("old", *stale)))
    own = field("ann", "sesam") + "Authorization: Basic YTpi\r\nCookie: a=b\r\nX-Mine: 1\r\n"
    assert ask(daemon, origin.url("/swr"), own).body == b"old"
    origin.at("/swr", read_body(), send(ok("new", "Cache-Control: public, max-age=60")))
    assert ask(daemon, origin.url("/swr"), own).body == b"old"
    assert until(lambda: ask(daemon, origin.url("/swr"), own).body == b"new")
    first, behind = origin.requests
    assert first.get("Authorization") and first.get("Cookie") == "a=b" and behind.get("X-Mine") == "1"
    assert not behind.has("Authorization") and not behind.has("Cookie") and not behind.has("Proxy-Authorization")
    assert " user=ann " in daemon.wait_log("cache=refreshed")


def test_what_is_by_user_is_validated_by_himself(start, origin):
    daemon = start(top="cache main { }", listener="cache main;")
    origin.at("/vary", read_body(), send(ok("x", f"Date: {date(9)}", "Vary: Cookie",
                                            "Cache-Control: max-age=1, stale-while-revalidate=60")))
    for _ in range(3):
        assert ask(daemon, origin.url("/vary"), field("ann", "sesam") + "Cookie: a=b\r\n").body == b"x"
    assert not until(lambda: len(origin.requests) > 1, 0.2)
