"""What test_600 has no scene for: how directives are read, the ends of lifetimes, what each answer says of itself."""
import itertools
import re

import pytest

from lib import conf
from lib.caching import answer, date, forward, get, is_hit, status
from lib.client import Client, request
from lib.faults import assert_refused
from lib.origin import close, ok, read_body, send
from lib.times import until

pytestmark = pytest.mark.threads
RIG = forward()
NUMBERS = itertools.count()


@pytest.fixture
def kept(rig):
    """Puts an answer into the cache, under a path of its own; its URL. What follows is said thereafter."""
    def put(*fields, then=(), ago=0, body="x", asked_with=(), **more):
        path = f"/clause/{next(NUMBERS)}"
        left = [answer(body, *fields, ago=ago, **more), *then]

        def say(conn):
            conn.sock.sendall(left.pop(0) if len(left) > 1 else left[0])
        rig.origin.at(path, read_body(), say)
        get(rig, rig.url(path), *asked_with)
        return rig.url(path)
    return put


# -- directives (RFC 9111 sections 4.2.1 and 5.2) ---------------------------------------------------

RESPONSES = {
    # the name in any case, an argument as token or as quoted-string, empty members
    'MAX-AGE=60': 60, ',,max-age="60",,': 60, "max-age=60, x=\"a, b\\\"\", y": 60,
    # too long to be counted
    "max-age=99999999999999999999": 2 ** 31,
    # the stricter one of two; s-maxage before max-age in any case
    "max-age=60, max-age=0": None, "max-age=0, max-age=60": None, "s-maxage=0, max-age=60": None,
    "max-age=0, s-maxage=60": 60,
    # no number: stale
    "max-age=x": None, "max-age=-1": None, "max-age=6.5": None, "max-age='60'": None, "max-age": None, "max-age = 60": None,
    # what forbids, with an argument that it does not have; what stands in quotes says nothing
    "max-age=60, no-store=1": None, 'max-age=60, x="no-store"': 60, 'max-age=60, x="private, no-store"': 60,
    # a quote without end hides nothing
    'x="y, max-age=60': None, 'max-age=60, x="y, private': None,
    # one field or all of it
    'max-age=60, private="x-own"': 60, "max-age=60, private": None, 'max-age=60, private="content-type"': None,
    "must-understand, no-store, max-age=60": 60,
}


@pytest.mark.parametrize("control", RESPONSES)
def test_directives_of_an_answer(rig, kept, control):
    got = get(rig, kept("Cache-Control: " + control, "X-Own: 1", "X-All: 2"))
    ttl = status(got).get("ttl")
    assert (is_hit(got), ttl and int(ttl)) in ([(False, None)] if RESPONSES[control] is None else
                                               [(True, RESPONSES[control] - n) for n in range(3)])
    assert got.get("X-All") == "2" and got.has("X-Own") is not ('="x-own"' in control)


REQUESTS = {
    'max-age="60"': True, "max-age=60, max-age=0": False, "Max-Age=0": False, "max-age=x": False, "max-age": False,
    "min-fresh=30": True, "min-fresh=90": False, "min-fresh=x": False, "max-stale=x": True, "no-cache=1": False,
    'x="no-cache"': True, 'x="y, no-cache': False, "no-store": True, "no-transform": True, "x=1, y": True,
}


@pytest.mark.parametrize("control", REQUESTS)
def test_directives_of_a_request(rig, kept, control):
    got = get(rig, kept("Cache-Control: max-age=60"), "Cache-Control: " + control)
    assert is_hit(got) is REQUESTS[control] and (is_hit(got) or status(got)["fwd"] == "request")


def test_directives_in_two_lines(rig, kept):
    assert not is_hit(get(rig, kept("Cache-Control: max-age=60", "Cache-Control: private")))
    assert is_hit(get(rig, kept("Cache-Control: x", "Cache-Control: max-age=60")))


def test_what_never_changes_is_not_asked_for_again(rig, kept):
    """immutable (RFC 8246): a reload (max-age=0) of what is fresh is answered here, a forced one is not."""
    url = kept("Cache-Control: max-age=60, immutable")
    assert is_hit(get(rig, url, "Cache-Control: max-age=0"))
    assert not is_hit(get(rig, url, "Cache-Control: no-cache"))


@pytest.mark.parametrize("word", ["must-revalidate", "proxy-revalidate", "s-maxage=1", "no-cache"])
def test_never_stale(rig, kept, word):
    """Not by leave of the client, nor of the answer itself, nor on an error."""
    url = kept(f"Cache-Control: max-age=1, stale-while-revalidate=60, stale-if-error=60, {word}", 'ETag: "a"', ago=9,
               then=[ok("sorry", status="503 Unavailable")])
    for field in ("X-None: 1", "Cache-Control: max-stale", "Cache-Control: stale-if-error=60"):
        assert get(rig, url, field).status == 503


# -- age and dates (sections 4.2.1 to 4.2.3) --------------------------------------------------------

LIFETIMES = {
    # Expires is told by Date, whatever our clock says; one in the past, none, or twice
    "ahead": (["Expires: -960 s ago"], -900, 60), "behind": (["Expires: 840 s ago"], 900, None), "zero": (["Expires: 0"], 0, None),
    "twice": (["Expires: -60 s ago", "Expires: 60 s ago"], 0, None), "less": (["Expires: 60 s ago", "Cache-Control: max-age=60"], 0, 60),
    # a tenth, at most a day; nothing of what is yet to come
    "tenth": (["Last-Modified: 1000 s ago"], 0, 100), "day": (["Last-Modified: 99999999 s ago"], 0, 86400),
    "future": (["Last-Modified: -1000 s ago"], 0, None), "aged": (["Last-Modified: 1000 s ago"], 60, 34),
    # the first Age counts; one that is none does not
    "two ages": (["Cache-Control: max-age=60", "Age: 40, 59"], 0, 20), "no age": (["Cache-Control: max-age=60", "Age: x"], 0, 60),
    "too old": (["Cache-Control: max-age=60", "Age: 60"], 0, None), "older": (["Cache-Control: max-age=60", "Age: 9"], 30, 30),
}


@pytest.mark.parametrize("what", LIFETIMES)
def test_lifetimes(rig, kept, what):
    fields, ago, want = LIFETIMES[what]
    got = get(rig, kept(*[re.sub(r"-?\d+ s ago", lambda m: date(int(m[0].split()[0])), f) for f in fields], ago=ago))
    assert is_hit(got) is (want is not None), got
    if want:
        ttl = int(status(got)["ttl"])
        assert want - 4 <= ttl <= want + 1 and got.get("Age").isdigit()


@pytest.mark.parametrize("how", ["200", "304"])
def test_a_date_that_is_given_stays(rig, kept, how):
    """It is when the answer was made, and Age tells the rest."""
    then = [ok("", 'ETag: "a"', "Cache-Control: max-age=60", status="304 Not Modified")] if how == "304" else ()
    url = kept("Cache-Control: " + ("no-cache" if then else "max-age=60"), 'ETag: "a"', then=then)
    if how == "200":
        rig.origin.at("/dateless", read_body(), send(ok("x", "Cache-Control: max-age=60")))
        url = rig.url("/dateless")
    first = get(rig, url)
    aged = until(lambda: (r := get(rig, url)).get("Age") not in (None, "0") and r)
    assert is_hit(aged) and aged.all("Date") == first.all("Date") and len(first.all("Date")) == 1


def test_what_is_stale_has_no_warning(rig, kept):
    """RFC 9111 has obsoleted it; Age and Cache-Status say so."""
    got = get(rig, kept("Cache-Control: max-age=1", 'ETag: "a"', ago=9), "Cache-Control: max-stale")
    assert got.status == 200 and int(got.get("Age")) >= 9 and int(status(got)["ttl"]) < 0 and not got.has("Warning")


# -- variants (section 4.1) -------------------------------------------------------------------------

SAME = [("Accept-Encoding", "gzip, br", ["br,gzip", "GZIP ,br", "gzip;q=1.0, br", "x-gzip, br"], ["gzip", "gzip;q=0.5, br", None]),
        ("Accept-Language", "de, en;q=0.5", ["DE,EN; q=0.5"], ["en;q=0.5, de"]),
        ("Accept", "text/html, */*;q=0.1", ["text/html,*/*; q=0.1"], ["text/HTML, */*;q=0.1"]),
        ("X-Own", "a, b", [], ["a,b", "A, b", "b, a"])]


@pytest.mark.parametrize("name,first,same,other", SAME, ids=[row[0] for row in SAME])
def test_variants_that_say_the_same_are_one(rig, kept, name, first, same, other):
    """And a miss says whether there is nothing, or nothing of that variant (RFC 9211 section 2.2)."""
    url = kept("Cache-Control: max-age=60", "Vary: " + name, asked_with=[f"{name}: {first}"])
    for value in same:
        assert is_hit(get(rig, url, f"{name}: {value}")), value
    for value in other:
        assert status(get(rig, url, *([f"{name}: {value}"] if value else []))) == {"fwd": "vary-miss", "stored": True}, value


# -- HEAD (section 4.3.5) ---------------------------------------------------------------------------

def test_a_head_is_rescued_as_a_get_is(rig, kept):
    url = kept("Cache-Control: max-age=1, stale-if-error=60", ago=9, body="four", then=[ok("sorry", status="503 Unavailable")])
    head = get(rig, url, method="HEAD")
    assert head.status == 200 and head.get("Content-Length") == "4" and status(head)["fwd-status"] == "503"


@pytest.mark.parametrize("length,tag,same", [(4, "a", True), (4, "b", False), (5, "a", False)])
def test_what_a_head_tells_of_what_is_kept(rig, kept, length, tag, same):
    """Another tag or length: a GET would get something else by now."""
    url = kept("Cache-Control: max-age=60", 'ETag: "a"', body="four")
    path = url.removeprefix(rig.url(""))
    rig.origin.at(path, read_body(), send(f'HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nETag: "{tag}"\r\n\r\n'.encode()))
    forced = get(rig, url, "Cache-Control: no-cache", method="HEAD")
    assert status(forced) == {"fwd": "request", "detail": "method"} and forced.get("ETag") == f'"{tag}"'
    rig.origin.at(path, read_body(), send(answer("other")))
    assert get(rig, url).body == (b"four" if same else b"other")


def test_a_head_of_one_user_tells_nothing_of_what_others_get(rig, kept):
    """Or whoever has a password could empty the cache for all, at the price of a head."""
    url = kept("Cache-Control: max-age=60", 'ETag: "a"', body="four")
    path = url.removeprefix(rig.url(""))
    rig.origin.at(path, read_body(), send(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: "mine"\r\n\r\n'))
    head = get(rig, url, "Cache-Control: no-cache", "Authorization: Basic bWU6bWU=", method="HEAD")
    assert status(head) == {"fwd": "request", "detail": "method"} and head.get("ETag") == '"mine"'
    rig.origin.at(path, read_body(), send(answer("other")))
    assert get(rig, url).body == b"four"


# -- ranges and conditions (sections 3.3 and 4.3.2) -------------------------------------------------

@pytest.mark.parametrize("tag", ['"a"', 'W/"a"'])
def test_only_strong_validators_join_ranges(rig, kept, tag):
    """If-Range; and a date only where it is a minute older than Date."""
    old, new = date(1000), date(1)
    url = kept("Cache-Control: max-age=60", "ETag: " + tag, "Last-Modified: " + old, body="0123456789")
    fresh = kept("Cache-Control: max-age=60", "Last-Modified: " + new, body="0123456789")
    for where, condition, part in ((url, tag, tag == '"a"'), (url, '"b"', False), (url, old, True), (url, new, False),
                                   (fresh, new, False)):
        got = get(rig, where, "Range: bytes=2-3", "If-Range: " + condition)
        assert (got.status, got.body) == ((206, b"23") if part else (200, b"0123456789")), condition


def test_conditions_come_before_ranges(rig, kept):
    url = kept("Cache-Control: max-age=60", 'ETag: "a"', body="0123456789")
    for condition, want in (('"a"', (304, b"")), ('"b"', (206, b"23")), ("a", (206, b"23"))):
        got = get(rig, url, "Range: bytes=2-3", "If-None-Match: " + condition)
        assert (got.status, got.body) == want and got.has("Content-Range") is (got.status == 206)


# -- other methods (section 4.4) --------------------------------------------------------------------

PLACES = {"{path}": True, "{url}": True, "{path}#part": True, "/x/..{path}": True, "http://other.test:{port}{path}": False,
          "http://{host}:1{path}": False, "https://{host}:{port}{path}": False, "{path}?other": False}


@pytest.mark.parametrize("field", ["Location", "Content-Location"])
@pytest.mark.parametrize("place", PLACES)
def test_what_an_unsafe_answer_names(rig, kept, field, place):
    """Made untrue if it is of the same origin."""
    url = kept("Cache-Control: max-age=60")
    path = url.removeprefix(rig.url(""))
    host, port = rig.origin.authority.rsplit(":", 1)
    named = place.format(path=path, url=url, host=host, port=port)
    rig.origin.at("/changes", read_body(), send(ok("done", f"{field}: {named}", status="201 Created")))
    get(rig, rig.url("/changes"), method="POST", body=b"x")
    assert is_hit(get(rig, url)) is not PLACES[place]


# -- Cache-Status (RFC 9211) ------------------------------------------------------------------------

def test_each_answer_of_an_origin_says_what_became_of_it(proxyd, origin):
    """Also one that a rule edits. What is made here for another reason has none (section 2), nor what the cache never sees."""
    daemon = proxyd(forward(rules="deny no { path /no; } allow edited { path /edited; reach loopback; request { set X-A 1; } }"
                                  + conf.OPEN_RULES))
    for path in ("/edited", "/one"):
        origin.at(path, read_body(), send(answer("x", "Cache-Control: max-age=60", "Cache-Status: other; hit")))
    for _ in range(2):
        edited = get(daemon, origin.url("/edited"))
        assert edited.all("Cache-Status") == ["other; hit", "proxyd; fwd=bypass; detail=edited"]
    assert daemon.wait_log("cache=bypass:edited")
    assert_refused(get(daemon, origin.url("/edited"), "Cache-Control: only-if-cached"), "not_cached")
    assert get(daemon, origin.url("/one")).all("Cache-Status") == ["other; hit", "proxyd; fwd=uri-miss; stored"]
    assert get(daemon, origin.url("/one")).all("Cache-Status")[0].startswith("proxyd; hit; ttl=")   # an answer of ours by now
    assert status(get(daemon, origin.url("/one"), method="OPTIONS")) == {"fwd": "method", "detail": "method"}
    assert status(get(daemon, origin.url("/two"), 'If-Match: "a"')) == {"fwd": "bypass", "detail": "conditional"}
    origin.at("/closes", read_body(), close())
    for refused, word in ((get(daemon, origin.url("/no")), "rule_denied"),
                          (get(daemon, origin.url("/closes")), None)):
        assert not refused.has("Cache-Status") and refused.status == (403 if word else 502)
    with Client(daemon.port) as client:
        assert not client.ask(f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n").has("Cache-Status")


def test_what_is_for_others_is_a_miss(proxyd, origin):
    """There is something for the URL, and it is by a rule that departs, for those alone who have it."""
    daemon = proxyd(forward(rules="allow some { from 127.0.1.1; reach loopback; cache { ignore private; } }" + conf.OPEN_RULES))
    origin.at("/o", read_body(), send(answer("x", "Cache-Control: private, max-age=60")))
    for source, want in (("127.0.1.1", {"fwd": "uri-miss", "stored": True}), ("127.0.1.2", {"fwd": "miss", "detail": "private"})):
        with Client(daemon.port, source=source) as client:
            assert status(client.get(origin.url("/o"))) == want


# -- targeted fields (RFC 9213) ---------------------------------------------------------------------

TARGETED = {
    "max-age=60": ("no-store", 60), "max-age=0": ("max-age=60", None), "no-store": ("max-age=60", None),
    "private": ("public, max-age=60", None), "max-age=60, x=(1 2)": ("private", 60),
    # no dictionary: it is as if it were not there
    "max-age=60,": ("no-store", None), 'max-age=60, x="y': ("max-age=30", 30), "MAX-AGE=60": ("max-age=30", 30),
}


@pytest.mark.parametrize("control", TARGETED)
def test_targeted_fields_count_on_the_side_of_an_origin(proxyd, origin, control):
    """And there alone: a forward proxy is no CDN."""
    plain, want = TARGETED[control]
    daemon = proxyd(forward(extra=f"""
listener site {{ bind 127.0.0.1:{{site_port}}; mode reverse; routes web; }}
routes web {{ route all {{ to pool back; cache main; }} }}
pool back {{ server 127.0.0.1:{origin.port}; }}
"""))
    origin.at("/t", read_body(), send(answer("x", "CDN-Cache-Control: " + control, "Cache-Control: " + plain, "Expires: 0")))
    for _ in range(2):
        with Client(daemon.ports["site_port"]) as client:
            of_site = client.ask(request("/t", host="site.test"))
    assert (int(status(of_site)["ttl"]) in (want, want - 1)) if want else not is_hit(of_site)
    forward_hit = is_hit([get(daemon, origin.url("/t")) for _ in range(2)][1])
    assert forward_hit is ("max-age" in plain)
