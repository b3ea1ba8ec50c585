"""What is kept and for whom (RFC 9111): for each sentence, byte for byte, what origin and client saw."""
import re
import threading
import time

import pytest

from lib import conf, metrics
from lib.caching import answer, asked, date, forward, get, is_hit, status
from lib.client import Client, request
from lib.faults import assert_refused
from lib.origin import chunks, close, ok, read_body, send
from lib.times import until

pytestmark = pytest.mark.threads
RIG = forward(extra=metrics.ADMIN)


def serve(rig, path, *raw):
    """Answers that path with these, one after the other, the last one again and again; its URL."""
    left = list(raw)

    def say(conn):
        conn.sock.sendall(left.pop(0) if len(left) > 1 else left[0])
    rig.origin.at(path, read_body(), say)
    return rig.url(path)


def twice(rig, url, *fields):
    return get(rig, url, *fields), get(rig, url, *fields)


# -- freshness --------------------------------------------------------------------------------------

FRESH = {
    "max-age": ["Cache-Control: max-age=60"],
    "s-maxage": ["Cache-Control: max-age=0, s-maxage=60"],
    "expires": ["Expires: {later}"],
    "heuristic": ["Last-Modified: {long_ago}"],
    "unknown directives": ["Cache-Control: x-new=1, max-age=60, another"],
    "quoted": ['Cache-Control: max-age="60"'],
    "immutable": ["Cache-Control: max-age=60, immutable"],
    "must-understand": ["Cache-Control: must-understand, no-store, max-age=60"],
}


@pytest.mark.parametrize("what", FRESH)
def test_fresh(rig, what):
    fields = [f.format(later=date(-60), long_ago=date(86400)) for f in FRESH[what]]
    path = "/fresh/" + what.replace(" ", "-")
    first, second = twice(rig, serve(rig, path, answer("body of it", *fields, "X-Own: 1")))
    assert status(first) == {"fwd": "uri-miss", "stored": True} and not first.has("Age")
    assert is_hit(second) and int(status(second)["ttl"]) > 0 and second.get("Age") in ("0", "1")
    assert second.body == first.body == b"body of it"
    assert [second.get(f) for f in ("Date", "X-Own")] == [first.get(f) for f in ("Date", "X-Own")]
    assert len(asked(rig.origin, path)) == 1


NEVER = {
    "no-store": ["Cache-Control: no-store, max-age=60"],
    "private": ["Cache-Control: private, max-age=60"],
    "set-cookie": ["Cache-Control: max-age=60", "Set-Cookie: a=b"],
    "vary-star": ["Cache-Control: max-age=60", "Vary: *"],
    "no-freshness": [],
}


@pytest.mark.parametrize("word", NEVER)
def test_never_kept(rig, word):
    path = "/never/" + word
    first, second = twice(rig, serve(rig, path, answer("x", *NEVER[word])))
    for one in (first, second):
        assert status(one) == {"fwd": "uri-miss", "detail": word} and one.body == b"x"
    assert len(asked(rig.origin, path)) == 2


def test_no_cache_is_kept_and_always_validated(rig):
    url = serve(rig, "/no-cache", answer("once", "Cache-Control: no-cache", 'ETag: "1"'),
                ok("", 'ETag: "1"', status="304 Not Modified"))
    first, second = twice(rig, url)
    assert first.body == second.body == b"once"
    assert status(second)["fwd"] == "stale" and status(second)["fwd-status"] == "304"
    seen = asked(rig.origin, "/no-cache")
    assert len(seen) == 2 and seen[1].get("If-None-Match") == '"1"'


def test_age_goes_on_from_the_one_that_came(rig):
    url = serve(rig, "/aged", answer("x", "Cache-Control: max-age=60", "Age: 40", ago=30))
    first, second = twice(rig, url)
    assert first.get("Age") == "40" and 40 <= int(second.get("Age")) <= 42
    assert 17 <= int(status(second)["ttl"]) <= 20


def test_a_clock_that_is_wrong(rig):
    """A date from the future makes nothing younger, one from long ago makes it old."""
    url = serve(rig, "/future", answer("x", "Cache-Control: max-age=60", ago=-3600))
    assert [is_hit(r) for r in twice(rig, url)] == [False, True]
    url = serve(rig, "/past", answer("x", "Cache-Control: max-age=60", ago=3600))
    assert [is_hit(r) for r in twice(rig, url)] == [False, False]


def test_without_a_date_it_gets_one(rig):
    first, second = twice(rig, serve(rig, "/dateless", ok("x", "Cache-Control: max-age=60")))
    assert is_hit(second) and second.get("Date") == first.get("Date") is not None


@pytest.mark.parametrize("status_line,hit", [("404 Not Found", True), ("301 Moved Permanently", True),
                                             ("302 Found", True), ("500 Internal Server Error", True)])
def test_statuses_with_a_lifetime(rig, status_line, hit):
    url = serve(rig, "/status/" + status_line[:3],
                answer("x", "Cache-Control: max-age=60", "Location: /y", status=status_line))
    assert is_hit(twice(rig, url)[1]) is hit


def test_negative_answers_by_guess_only_where_that_is_allowed(rig):
    gone = serve(rig, "/gone", answer("x", f"Last-Modified: {date(86400)}", status="410 Gone"))
    found = serve(rig, "/found", answer("x", f"Last-Modified: {date(86400)}", status="302 Found"))
    assert is_hit(twice(rig, gone)[1]) and not is_hit(twice(rig, found)[1])


# -- what the request says ------------------------------------------------------------------------

def test_only_if_cached(rig):
    url = serve(rig, "/only", answer("x", "Cache-Control: max-age=60"))
    refused = get(rig, url, "Cache-Control: only-if-cached")
    assert_refused(refused, "not_cached")
    assert asked(rig.origin, "/only") == []
    get(rig, url)
    assert get(rig, url, "Cache-Control: only-if-cached").body == b"x"
    assert_refused(get(rig, url, "Cache-Control: only-if-cached", 'If-Match: "a"'), "not_cached")
    assert len(asked(rig.origin, "/only")) == 1
    get(rig, url, "Cache-Control: only-if-cached", method="DELETE")   # written through (RFC 9111 section 4)
    assert len(asked(rig.origin, "/only")) == 2


@pytest.mark.parametrize("field", ["Cache-Control: no-cache", "Cache-Control: max-age=0", "Pragma: no-cache",
                                   "Cache-Control: min-fresh=90"])
def test_the_client_wants_it_fresh(rig, field):
    path = "/demand/" + str(hash(field) & 0xffff)
    url = serve(rig, path, answer("old", "Cache-Control: max-age=60", 'ETag: "1"'),
                answer("new", "Cache-Control: max-age=60", 'ETag: "2"'))
    assert get(rig, url).body == b"old"
    forced = get(rig, url, field)
    assert forced.body == b"new" and status(forced)["fwd"] == "request"
    assert get(rig, url).body == b"new"


def test_no_store_of_a_request(rig):
    url = serve(rig, "/rns", answer("x", "Cache-Control: max-age=60"))
    first = get(rig, url, "Cache-Control: no-store")
    assert status(first)["detail"] == "request-no-store"
    assert not is_hit(get(rig, url))


def test_max_stale(rig):
    url = serve(rig, "/stale", answer("old", "Cache-Control: max-age=10", 'ETag: "a"', ago=30),
                answer("new", "Cache-Control: max-age=10"))
    assert get(rig, url).body == b"old"
    stale = get(rig, url, "Cache-Control: max-stale=60")
    assert stale.body == b"old" and is_hit(stale) and int(status(stale)["ttl"]) < 0
    assert get(rig, url, "Cache-Control: max-stale=5").body == b"new"


def test_must_revalidate_is_never_stale(rig):
    url = serve(rig, "/must", answer("old", "Cache-Control: max-age=10, must-revalidate", 'ETag: "a"', ago=30),
                answer("new", "Cache-Control: max-age=10"))
    assert get(rig, url).body == b"old"
    assert get(rig, url, "Cache-Control: max-stale").body == b"new"


def test_authorization(rig):
    """Only where the answer says that it may be shared."""
    basic = "Authorization: Basic YTpi"
    for path, control, hit in (("/auth/no", "max-age=60", False), ("/auth/public", "public, max-age=60", True),
                               ("/auth/s", "s-maxage=60", True), ("/auth/must", "max-age=60, must-revalidate", True)):
        first, second = twice(rig, serve(rig, path, answer("x", "Cache-Control: " + control)), basic)
        assert is_hit(second) is hit, path
        assert hit or status(first)["detail"] == "authorization"
    assert not is_hit(get(rig, rig.url("/auth/no")))


# -- validation -----------------------------------------------------------------------------------

def test_requests_that_a_rule_edits(proxyd, origin):
    """What such a client says is not what the origin is told: neither side of it is shared by Vary."""
    rules = "\n".join(f"allow {t} {{ from 127.0.1.{i}; to *; reach loopback; request {{ set X-Tenant {t}; }} }}"
                      for i, t in ((1, "ann"), (2, "bob")))
    daemon = proxyd(forward(rules=rules + "\nallow rest { to *; reach loopback; }"))

    def say(conn):
        tenant = conn.current.get("X-Tenant")
        conn.sock.sendall(answer(f"of {tenant}", "Cache-Control: max-age=60", "Vary: X-Tenant"))
    origin.at("/tenant", read_body(), say)
    for i, fields, body in ((3, ["X-Tenant: ann"], b"of ann"), (1, [], b"of ann"), (2, ["X-Tenant: ann"], b"of bob"),
                            (3, [], b"of None")):
        with Client(daemon.port, source=f"127.0.1.{i}") as client:
            assert client.get(origin.url("/tenant"), *fields).body == body
    assert is_hit(get(daemon, origin.url("/tenant"), "X-Tenant: ann"))
    with Client(daemon.port, source="127.0.1.1") as client:   # and what it changes is forgotten all the same
        client.get(origin.url("/tenant"), method="POST")
    assert not is_hit(get(daemon, origin.url("/tenant"), "X-Tenant: ann"))


def test_a_304_updates_what_is_kept(rig):
    url = serve(rig, "/304", answer("body", "Cache-Control: max-age=1", 'ETag: "a"', "X-Old: 1", ago=9),
                ok("", 'ETag: "a"', f"Date: {date()}", "Cache-Control: max-age=60", "X-New: 2",
                   status="304 Not Modified"))
    get(rig, url)
    renewed, hit = twice(rig, url)
    assert renewed.status == hit.status == 200 and renewed.body == hit.body == b"body"
    assert status(renewed) == {"fwd": "stale", "fwd-status": "304", "stored": True, "ttl": status(renewed)["ttl"]}
    assert is_hit(hit) and hit.get("X-New") == "2" and hit.get("X-Old") == "1"
    assert hit.get("Cache-Control") == "max-age=60" and len(asked(rig.origin, "/304")) == 2


def test_validated_by_date(rig):
    modified = date(1000)
    url = serve(rig, "/lm", answer("body", "Cache-Control: max-age=1", "Last-Modified: " + modified, ago=9),
                ok("", status="304 Not Modified"))
    assert [r.body for r in twice(rig, url)] == [b"body", b"body"]
    assert asked(rig.origin, "/lm")[1].get("If-Modified-Since") == modified


def test_validated_and_changed(rig):
    url = serve(rig, "/changed", answer("old", "Cache-Control: max-age=1", 'ETag: "a"', ago=9),
                answer("new", "Cache-Control: max-age=60", 'ETag: "b"'))
    assert [r.body for r in twice(rig, url)] == [b"old", b"new"]
    assert is_hit(get(rig, url)) and get(rig, url).body == b"new"


@pytest.mark.parametrize("tag", ['"b"', 'W/"b"'])
def test_a_304_about_something_else(rig, tag):
    """What is kept is not that: the origin is asked for all of it."""
    path = "/else/weak" if tag.startswith("W/") else "/else/strong"
    url = serve(rig, path, answer("old", "Cache-Control: no-cache", 'ETag: "a"'),
                ok("", "ETag: " + tag, status="304 Not Modified"), answer("new", "Cache-Control: max-age=60", "ETag: " + tag))
    assert [r.body for r in (*twice(rig, url), get(rig, url))] == [b"old", b"new", b"new"]
    assert [r.get("If-None-Match") for r in asked(rig.origin, path)] == [None, '"a"', None]


def test_a_304_makes_it_vary(rig):
    url = serve(rig, "/varied", answer("x", "Cache-Control: no-cache", 'ETag: "a"'),
                ok("", 'ETag: "a"', "Cache-Control: max-age=60", "Vary: X-Kind", status="304 Not Modified"))
    get(rig, url)
    assert get(rig, url, "X-Kind: 1").body == b"x" and is_hit(get(rig, url, "X-Kind: 1"))
    serve(rig, "/varied", answer("other", "Cache-Control: max-age=60", "Vary: X-Kind"))
    assert get(rig, url, "X-Kind: 2").body == b"other"


def test_what_a_304_forbids_to_keep_is_still_the_answer(rig):
    url = serve(rig, "/forbidden", answer("x", "Cache-Control: no-cache", 'ETag: "a"'),
                ok("", 'ETag: "a"', "Cache-Control: no-store", status="304 Not Modified"), answer("y"))
    get(rig, url)
    got = get(rig, url)
    assert got.body == b"x" and got.get("Cache-Control") == "no-store" and "stored" not in status(got)
    assert get(rig, url).body == b"y"


def test_conditions_are_answered_here(rig):
    modified = date(1000)
    url = serve(rig, "/cond", answer("body", "Cache-Control: max-age=60", 'ETag: W/"a"', "Last-Modified: " + modified))
    get(rig, url)
    for field, code in (('If-None-Match: "a"', 304), ('If-None-Match: "b", W/"a"', 304), ("If-None-Match: *", 304),
                        ('If-None-Match: "b"', 200), ("If-Modified-Since: " + modified, 304),
                        ("If-Modified-Since: " + date(2000), 200)):
        got = get(rig, url, field)
        assert got.status == code and is_hit(got), field
        assert got.get("ETag") == 'W/"a"' and got.body == (b"" if code == 304 else b"body")
    assert len(asked(rig.origin, "/cond")) == 1


def test_conditions_with_nothing_kept_are_the_origins_affair(rig):
    url = serve(rig, "/own", ok("", 'ETag: "a"', status="304 Not Modified"))
    got = get(rig, url, 'If-None-Match: "a"')
    assert got.status == 304 and "stored" not in status(got)


def test_the_clients_condition_after_validation(rig):
    """Stale here, and right at both: the client gets 304, and its own tag does not matter to the origin."""
    url = serve(rig, "/both", answer("body", "Cache-Control: no-cache", 'ETag: "a"'),
                ok("", 'ETag: "a"', status="304 Not Modified"))
    get(rig, url)
    assert get(rig, url, 'If-None-Match: "a"').status == 304
    again = get(rig, url, 'If-None-Match: "z"')
    assert again.status == 200 and again.body == b"body"
    assert [r.get("If-None-Match") for r in asked(rig.origin, "/both")[1:]] == ['"a"', '"a"']


def test_head_from_get(rig):
    url = serve(rig, "/head", answer("body", "Cache-Control: max-age=60"))
    get(rig, url)
    head = get(rig, url, method="HEAD")
    assert is_hit(head) and head.get("Content-Length") == "4" and head.body == b""


# -- ranges ---------------------------------------------------------------------------------------

def test_ranges_of_what_is_whole(rig):
    text = "".join(chr(97 + i % 26) for i in range(1000))
    url = serve(rig, "/ranges", answer(text, "Cache-Control: max-age=60", 'ETag: "a"', "Content-Type: text/x"))
    get(rig, url)
    for wanted, start, stop in (("0-9", 0, 10), ("990-", 990, 1000), ("-5", 995, 1000), ("500-9999", 500, 1000)):
        part = get(rig, url, "Range: bytes=" + wanted)
        assert part.status == 206 and part.body == text[start:stop].encode()
        assert part.get("Content-Range") == f"bytes {start}-{stop - 1}/1000"
    two = get(rig, url, "Range: bytes=0-4,10-14")
    boundary = two.get("Content-Type").partition("boundary=")[2].encode()
    parts = [p.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for p in two.body.split(b"--" + boundary)[1:-1]]
    assert two.status == 206 and parts == [text[0:5].encode(), text[10:15].encode()]
    assert two.body.count(b"Content-Type: text/x") == 2 and two.body.endswith(b"--" + boundary + b"--\r\n")
    none = get(rig, url, "Range: bytes=1000-")
    assert none.status == 416 and none.get("Content-Range") == "bytes */1000" and none.body == b""
    assert get(rig, url, "Range: bytes=0-9", 'If-Range: "b"').status == 200
    assert get(rig, url, "Range: bytes=0-9", 'If-Range: "a"').status == 206
    assert len(asked(rig.origin, "/ranges")) == 1


def test_a_range_that_misses_passes(rig):
    url = serve(rig, "/rmiss", ok("abc", "Content-Range: bytes 0-2/9", "Cache-Control: max-age=60",
                                  status="206 Partial Content"))
    for _ in range(2):
        part = get(rig, url, "Range: bytes=0-2")
        assert part.status == 206 and part.body == b"abc" and status(part)["detail"] == "partial"
    assert [r.get("Range") for r in asked(rig.origin, "/rmiss")] == ["bytes=0-2"] * 2


# -- Vary -----------------------------------------------------------------------------------------

def test_vary(rig):
    def by_language(conn):
        language = conn.current.get("Accept-Language") or "none"
        conn.sock.sendall(answer(language, "Cache-Control: max-age=60", "Vary: Accept-Language"))
    rig.origin.at("/vary", read_body(), by_language)
    url = rig.url("/vary")
    for _ in range(2):
        for language in ("de", "en", "fr"):
            assert get(rig, url, "Accept-Language: " + language).body == language.encode()
        assert get(rig, url).body == b"none"
    assert len(asked(rig.origin, "/vary")) == 4


def test_at_most_16_variants(rig):
    """The oldest gives way."""
    url = serve(rig, "/many", answer("x", "Cache-Control: max-age=60", "Vary: X-Number"))
    for i in range(20):
        got = get(rig, url, f"X-Number: {i}")
        assert "stored" in status(got), i
    assert [i for i in range(4, 20) if not is_hit(get(rig, url, f"X-Number: {i}"))] == []
    assert not is_hit(get(rig, url, "X-Number: 3"))


# -- other methods --------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "X-UNKNOWN"])
def test_unsafe_methods_make_it_untrue(rig, method):
    path = "/unsafe/" + method
    url = serve(rig, path, answer("x", "Cache-Control: max-age=60"))
    other = serve(rig, path + "/other", answer("y", "Cache-Control: max-age=60"))
    assert is_hit(twice(rig, url)[1]) and is_hit(twice(rig, other)[1])
    rig.origin.at(path, read_body(), send(ok("done", f"Location: {path}/other")))
    changed = get(rig, url, method=method)
    assert status(changed) == {"fwd": "method", "detail": "method"}
    serve(rig, path, answer("x", "Cache-Control: max-age=60"))
    assert not is_hit(get(rig, url)) and not is_hit(get(rig, other))


def test_a_failed_unsafe_request_changes_nothing(rig):
    url = serve(rig, "/failed", answer("x", "Cache-Control: max-age=60"))
    get(rig, url)
    rig.origin.at("/failed", read_body(), send(ok("no", status="409 Conflict")))
    get(rig, url, method="POST")
    assert is_hit(get(rig, url))


# -- stale ----------------------------------------------------------------------------------------

def test_stale_while_revalidate(rig):
    url = serve(rig, "/swr", answer("old", "Cache-Control: max-age=1, stale-while-revalidate=60", 'ETag: "a"', ago=9),
                answer("new", "Cache-Control: max-age=60", 'ETag: "b"'))
    assert get(rig, url, "X-Mine: 1").body == b"old"
    stale = get(rig, url, "X-Mine: 2")
    assert stale.body == b"old" and is_hit(stale) and int(status(stale)["ttl"]) < 0
    assert until(lambda: get(rig, url).body == b"new")
    seen = asked(rig.origin, "/swr")
    assert len(seen) == 2 and seen[1].get("If-None-Match") == '"a"' and seen[1].get("X-Mine") == "2"


@pytest.mark.parametrize("how", ["503", "closed"])
def test_stale_if_error(rig, how):
    path = "/sie/" + how
    url = serve(rig, path, answer("old", "Cache-Control: max-age=1, stale-if-error=60", ago=9))
    get(rig, url)
    rig.origin.at(path, read_body(), send(ok("sorry", status="503 Unavailable")) if how == "503" else close())
    rescued = get(rig, url)
    assert rescued.status == 200 and rescued.body == b"old"
    assert status(rescued).get("fwd-status") == ("503" if how == "503" else None)
    plain = serve(rig, path + "/not", answer("old", "Cache-Control: max-age=1, must-revalidate", ago=9))
    get(rig, plain)
    rig.origin.at(path + "/not", read_body(), send(ok("sorry", status="503 Unavailable")) if how == "503" else close())
    assert get(rig, plain).status in (503, 502)


# -- bodies ---------------------------------------------------------------------------------------

def test_incomplete_is_never_kept(rig):
    rig.origin.at("/cut", read_body(), send(answer("0123456789", "Cache-Control: max-age=60")[:-1]), close())
    first = get(rig, rig.url("/cut"))
    assert first.truncated and first.body == b"012345678"
    again = get(rig, rig.url("/cut"))
    assert again.truncated and len(asked(rig.origin, "/cut")) == 2


def test_chunked_is_kept_with_its_length(rig):
    rig.origin.at("/chunked", read_body(),
                  send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n"
                       b"Trailer: X-T\r\n\r\n"), chunks(b"a" * 5000, b"b" * 70000, trailers=[b"X-T: 1"]))
    first, second = twice(rig, rig.url("/chunked"))
    assert first.body == second.body == b"a" * 5000 + b"b" * 70000
    assert first.ended_by == "chunked" and second.ended_by == "length" and is_hit(second)


def test_too_large(proxyd, origin):
    daemon = proxyd(forward("cache main { memory 4m; max-object 100k; }"))
    origin.at("/fits", read_body(), send(answer("x" * 100 * 1024, "Cache-Control: max-age=60")))
    origin.at("/large", read_body(), send(answer("x" * 101 * 1024, "Cache-Control: max-age=60")))
    origin.at("/grows", read_body(), send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                                          b"Transfer-Encoding: chunked\r\n\r\n"), chunks(*[b"y" * 10000] * 30))
    assert is_hit([get(daemon, origin.url("/fits")) for _ in range(2)][1])
    for path, size in (("/large", 101 * 1024), ("/grows", 300000)):
        for _ in range(2):
            got = get(daemon, origin.url(path))
            assert len(got.body) == size and not got.truncated and not is_hit(got)
        assert len(asked(origin, path)) == 2


def test_min_uses(proxyd, origin):
    # covers: cache min-uses
    daemon = proxyd(forward("cache main { min-uses 3; }"))
    origin.at("/uses", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    got = [get(daemon, origin.url("/uses")) for _ in range(4)]
    assert [status(r).get("detail") for r in got[:2]] == ["min-uses"] * 2
    assert [is_hit(r) for r in got] == [False, False, False, True]


# -- who ------------------------------------------------------------------------------------------

def test_policy_comes_before_the_shortcut(proxyd, origin):
    """By name, and by the address that it came from."""
    daemon = proxyd(forward(
        listener="cache main;", extra="""
listener strict { bind 127.0.0.1:{strict_port}; mode forward; policy strict; cache main; }
listener nowhere { bind 127.0.0.1:{nowhere_port}; mode forward; policy nowhere; cache main; }
""" + conf.policy("deny secret { path /secret; } " + conf.OPEN_RULES, name="strict")
        + conf.policy("deny inside { to class loopback; } allow rest { to *; reach loopback; }", name="nowhere")))
    origin.at("/secret/a", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    origin.at("/b", read_body(), send(answer("y", "Cache-Control: max-age=60")))
    for path in ("/secret/a", "/b"):
        assert is_hit([get(daemon, origin.url(path)) for _ in range(2)][1])
    for port, path, refused in (("strict_port", "/secret/a", True), ("strict_port", "/b", False),
                                ("nowhere_port", "/b", True)):
        with Client(daemon.ports[port]) as client:
            got = client.get(origin.url(path))
            assert (got.status == 403) is refused, (port, path)
    assert len(asked(origin, "/b")) == 1


@pytest.mark.parametrize("control", ["max-age=60", "no-cache"])
def test_rules_about_answers_hold_for_what_is_kept(proxyd, origin, control):
    """Also when the origin has said 304, which says nothing of the type."""
    daemon = proxyd(forward(extra="""
listener strict { bind 127.0.0.1:{strict_port}; mode forward; policy strict; cache main; }
""" + conf.policy("deny pdf { type application/pdf; } " + conf.OPEN_RULES, name="strict")))
    origin.at("/p", read_body(), send(answer("x", "Cache-Control: " + control, 'ETag: "a"', "Content-Type: application/pdf")))
    get(daemon, origin.url("/p"))
    if control == "no-cache":
        origin.at("/p", read_body(), send(ok("", 'ETag: "a"', status="304 Not Modified")))
    assert get(daemon, origin.url("/p")).body == b"x"
    with Client(daemon.ports["strict_port"]) as client:
        assert_refused(client.get(origin.url("/p")), "rule_denied")


def test_reverse_is_opt_in_and_impersonal(proxyd, origin):
    # covers: routes route cache
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra="cache main { }" + """
listener plain { bind 127.0.0.1:{plain_port}; mode reverse; routes bare; }
routes bare { route all { to pool back; } }
""", routes="route all { to pool back; cache main; }"))
    origin.at("/r", read_body(), send(answer("x", "Cache-Control: max-age=60")))

    def ask(*fields, port=daemon.port):
        with Client(port) as client:
            return client.ask(request("/r", *fields, host="site.test"))
    assert [is_hit(ask()) for _ in range(2)] == [False, True]
    for field in ("Cookie: a=b", "Authorization: Basic YTpi"):
        passed = ask(field)
        assert status(passed) == {"fwd": "bypass", "detail": "personal"}
    assert not ask(port=daemon.ports["plain_port"]).has("Cache-Status")
    assert len(asked(origin, "/r")) == 4


def test_key_spaces_do_not_mix(proxyd, origin):
    """Two pools, and the forward direction, with one host name and one path."""
    daemon = proxyd(forward(extra=f"""
listener one {{ bind 127.0.0.1:{{one_port}}; mode reverse; routes one; }}
listener two {{ bind 127.0.0.1:{{two_port}}; mode reverse; routes two; }}
routes one {{ route all {{ to pool one; cache main; }} }}
routes two {{ route all {{ to pool two; cache main; }} }}
pool one {{ server 127.0.0.1:{origin.port}; }}
pool two {{ server 127.0.0.1:{origin.port}; }}
"""))
    count = iter(range(9))
    origin.at("/k", read_body(),
              lambda conn: conn.sock.sendall(answer(str(next(count)), "Cache-Control: max-age=60")))
    url = f"http://{origin.authority}/k"
    bodies = []
    for port in (daemon.port, daemon.ports["one_port"], daemon.ports["two_port"]) * 2:
        with Client(port) as client:
            bodies.append(client.ask(request(url)).body)
    assert bodies == [b"0", b"1", b"2"] * 2


def test_log_and_metrics(proxyd, origin):
    daemon = proxyd(forward(extra=metrics.ADMIN))
    origin.at("/m", read_body(), send(answer("x" * 1000, "Cache-Control: max-age=60")))
    origin.at("/n", read_body(), send(answer("x", "Cache-Control: no-store")))
    before = metrics.read(daemon)
    for path in ("/m", "/m", "/n"):
        get(daemon, origin.url(path))
    assert [daemon.wait_log(path) and None for path in ("/m", "/n")]
    got = metrics.grown(daemon, before)
    assert got["cache_requests_total hit"] == 1 and got["cache_requests_total miss"] == 2
    assert got["cache_not_stored_total no-store"] == 1 and got["cache_saved_bytes_total"] == 1000
    listener = re.search(r"listener (\w+)", forward())[1]
    assert got[f"listener_cache_requests_total {listener} hit"] == 1
    assert got[f"listener_cache_requests_total {listener} miss"] == 2
    assert got[f"listener_cache_saved_bytes_total {listener}"] == 1000 and got[f"listener_requests_total {listener}"] == 3
    assert metrics.read(daemon)["cache_objects main"] == 1
    words = {path: [line.get("cache") for line in daemon.log(path + '"')] for path in ("/m", "/n")}
    assert sorted(words["/m"]) == ["hit", "miss"] and words["/n"] == ["miss:no-store"]


def test_what_the_origin_is_told_of_the_client_is_not_what_the_client_says(proxyd, origin):
    """An answer that varies by X-Forwarded-For is one client's, and another one may name its address."""
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra="cache main { }",
                                 routes="route all { to pool back; cache main; }"))

    def say(conn):
        who = conn.current.get("X-Forwarded-For")
        conn.sock.sendall(answer(f"of {who}", "Cache-Control: max-age=60", "Vary: Accept, X-Forwarded-For"))
    origin.at("/whose", read_body(), say)
    for i in (1, 2):
        with Client(daemon.port, source=f"127.0.1.{i}") as client:
            got = client.ask("GET /whose HTTP/1.1\r\nHost: site.test\r\nX-Forwarded-For: 127.0.1.1\r\n\r\n")
            assert got.body == b"of 127.0.1.%d" % i and status(got)["detail"] == "vary-star"
