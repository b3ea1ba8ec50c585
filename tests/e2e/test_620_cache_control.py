"""What a cache holds is shown, and taken out, while it works."""
import re

import pytest

from lib import conf
from lib.caching import CACHE, answer, asked, forward, get, is_hit
from lib.client import Client
from lib.daemon import run_command
from lib.origin import ok, read_body, send
from lib.times import until

pytestmark = pytest.mark.threads


def cache(daemon, *words, code=0):
    ran = run_command("cache", "--socket", str(daemon.folder / "control.sock"), *words)
    assert ran.returncode == code, ran
    return ran.stdout if code == 0 else ran.stderr


@pytest.fixture
def filled(proxyd, origin):
    """A daemon that keeps /a, /b/1 and /b/2, which it has in both workers."""
    daemon = proxyd(forward())
    for path in ("/a", "/b/1", "/b/2"):
        origin.answer(path, answer("x" * 10, "Cache-Control: max-age=60", "Vary: Accept-Encoding"))
        assert is_hit([get(daemon, origin.url(path)) for _ in range(2)][1])
    return daemon


def kept(daemon, origin):
    """Which of them are still there; each is asked for of several connections, so of both workers."""
    return [path for path in ("/a", "/b/1", "/b/2")
            if all(get(daemon, origin.url(path), "Cache-Control: only-if-cached").status == 200 for _ in range(6))]


def test_stat_and_show(filled, origin):
    said = cache(filled, "stat")
    assert "cache main: 3 objects, " in said and " miss 3 " in said and " hit 3 " in said
    said = cache(filled, "show", origin.url("/a"))
    assert f"200, 10 bytes, age " in said and f"from 127.0.0.1:{origin.port}, by accept-encoding" in said
    assert "nothing is kept" in cache(filled, "show", origin.url("/c"))


def test_why(filled, origin):
    origin.at("/private", read_body(), send(answer("x", "Cache-Control: private")))
    get(filled, origin.url("/private"))
    assert until(lambda: "the answer is for one user only (private)" in cache(filled, "why", "GET", origin.url("/private")))
    assert "only GET and HEAD are" in cache(filled, "why", "POST", origin.url("/a"))
    assert "no answer was turned away in the last hour" in cache(filled, "why", "GET", origin.url("/a"))


@pytest.mark.parametrize("field,word", [("Authorization: Basic eA==", "authorization"), ("Cache-Control: no-store", "request-no-store"),
                                        ("If-Match: x", "conditional")])
def test_why_is_known_of_a_reason_that_lies_in_the_request(filled, origin, field, word):
    """Others need not go alone because of it; who asks why nothing is kept is told all the same."""
    origin.answer("/c", answer("x", "Cache-Control: max-age=60"))
    get(filled, origin.url("/c"), field)
    assert until(lambda: f"({word})" in cache(filled, "why", "GET", origin.url("/c")))
    assert "  the last answer, " in cache(filled, "why", "GET", origin.url("/c"))
    get(filled, origin.url("/c"))
    assert until(lambda: "the last answer" not in cache(filled, "why", "GET", origin.url("/c")))


def why(daemon, url, *fields, method="GET"):
    """What it says of a request with these fields alone."""
    said = cache(daemon, "why", method, url, *(word for field in fields for word in ("--header", field)))
    return [line.strip().removeprefix("this request: ") for line in said.splitlines() if "this request" in line]


@pytest.mark.parametrize("fields,told", [
    (["Accept: */*"], r"hit; ttl=\d+"), (["Authorization: Basic eA=="], "hit"),
    (["Range: bytes=0-1", "If-None-Match: x"], "hit"), (["Cache-Control: no-cache"], "fwd=request"),
    (["Cache-Control: min-fresh=90"], "fwd=request"), (["Cache-Control: only-if-cached"], "hit")])
def test_why_tells_what_is_kept_to_a_request(filled, origin, fields, told):
    """And a client that sends it is told the same."""
    said = why(filled, origin.url("/a"), *fields)[-1]
    assert re.match(f"Cache-Status: proxyd; {told}", said)
    got, = get(filled, origin.url("/a"), *fields).all("Cache-Status")
    assert re.match(f"proxyd; {told}", got)


def test_why_tells_variants_of_one_request_from_others(filled, origin):
    get(filled, origin.url("/a"), "Accept-Encoding: gzip")
    for codings in ("gzip", "x-gzip;q=1, gzip"):
        assert sorted(line.split(";")[1][:4] for line in why(filled, origin.url("/a"), f"Accept-Encoding: {codings}")
                      if "proxyd; " in line) == [" hit"]
    assert why(filled, origin.url("/a"), "Accept-Encoding: br") == 2 * [
        "another variant, by accept-encoding (vary-miss)"] + ["none of these is for this request (vary-miss)"]


@pytest.mark.parametrize("fields,told", [
    (["If-Match: x"], "the cache is not asked: .*(bypass:conditional)"),
    (["If-Match: x", "Cache-Control: only-if-cached"], "504, .*(absent)"),
    (["Cache-Control: no-store"], "an answer .* is not kept: .*(request-no-store)"),
    (["Authorization: Basic eA=="], "an answer .* is not kept: .*(authorization)"),
    (["Cache-Control: only-if-cached"], "504 unless what is kept may be used (absent)")])
def test_why_tells_what_a_request_decides_alone(filled, origin, fields, told):
    assert re.fullmatch(told.replace("(", r"\(").replace(")", r"\)"), why(filled, origin.url("/c"), *fields)[0])


def test_why_tells_what_a_route_passes(proxyd, origin):
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra=CACHE, routes="route all { to pool back; cache main; }"))
    url = f"http://127.0.0.1:{daemon.port}/"
    assert why(daemon, url, "Accept: x") == []
    said, = why(daemon, url, "Cookie: a=b")
    assert said.startswith("on a route ") and said.endswith("(bypass:personal)")


def test_why_names_what_is_wrong_with_a_field(filled, origin):
    def wrong(*fields, code):
        return cache(filled, "why", "GET", origin.url("/a"), *(f"--header={field}" for field in fields), code=code)

    for field in ("no colon", "two words: x", "A: b\nC: d"):
        assert "a header is written NAME: VALUE" in wrong(field, code=2)
    assert "made from the URL" in wrong("Host: x", code=2)
    assert "too long" in wrong("A: " + "x" * 5000, code=1) and "too long" in wrong("A: " + "x" * 9000, code=2)
    assert "Content-Length is malformed" in wrong("Content-Length: x", code=1)
    assert "--help" in cache(filled, "show", origin.url("/a"), "--header", "A: b", code=2)


def test_why_is_known_of_a_route(proxyd, origin):
    """What is kept of a pool's servers lies apart from what is kept of other origins."""
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra=CACHE, routes="route all { to pool back; cache main; }"))
    origin.answer("/mine", answer("x", "Cache-Control: private"))
    with Client(daemon.port) as client:
        client.ask(f"GET /mine HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\n\r\n".encode())
    url = f"http://127.0.0.1:{daemon.port}/mine"
    assert until(lambda: "(private)" in cache(daemon, "why", "GET", url))
    assert f'"GET {url}"' in daemon.wait_log("/mine")   # and the log names the URL so that this can be asked


@pytest.mark.parametrize("words,left", [(["{url}/a"], ["/b/1", "/b/2"]), (["--prefix", "{url}/b/"], ["/a"]),
                                        (["--all"], []), (["{url}/b"], ["/a", "/b/1", "/b/2"])])
def test_purge(filled, origin, words, left):
    said = cache(filled, "purge", *(word.format(url=origin.url("")) for word in words))
    assert said == f"cache main: {3 - len(left)} taken out\n"
    assert kept(filled, origin) == left


def test_what_is_growing_is_purged_as_well(proxyd, origin):
    """Who reads it reads on; nobody finds it any more."""
    daemon = proxyd(forward())
    import threading
    go = threading.Event()
    head, body = answer("0123456789", "Cache-Control: max-age=60").split(b"\r\n\r\n")
    origin.at("/g", read_body(), send(head + b"\r\n\r\n" + body[:5]), lambda conn: go.wait(10), send(body[5:]))
    with Client(daemon.port) as client:
        client.send(b"GET " + origin.url("/g").encode() + b" HTTP/1.1\r\nHost: " + origin.authority.encode() + b"\r\n\r\n")
        client.reader.until(b"01234")
        assert cache(daemon, "purge", "--all") == "cache main: 1 taken out\n"
        go.set()
        assert client.exactly(5) == b"56789"
    assert not is_hit(get(daemon, origin.url("/g"))) and len(asked(origin, "/g")) == 2


def test_fetch_tells_what_the_cache_was_to_it(filled, origin):
    def told(path):
        done = run_command("ctl", "-s", filled.folder / "control.sock", "fetch", origin.url(path))
        return [line.split(None, 1)[1] for line in done.stdout.splitlines() if line.startswith("cache")]

    origin.answer("/new", answer("x", "Cache-Control: max-age=60"))
    origin.answer("/private", answer("x", "Cache-Control: private"))
    assert [told("/new") for _ in range(2)] == [["miss"], ["hit"]]
    assert told("/private") == ["miss:private, not kept: the answer is for one user only"]


def test_wrong_questions(filled):
    assert "usage" not in cache(filled, "purge", "not a url", code=1)
    assert "of https nothing is kept" in cache(filled, "why", "GET", "https://a.example/", code=1)
    for words in (["purge"], ["show"], ["--all", "stat"], ["why", "GET"], ["eat", "x"]):
        assert "proxyd cache --help" in cache(filled, *words, code=2)
