"""Rules and routes that steer the cache: each departure from RFC 9111, and that it is for nobody else."""
import pytest

from lib import conf
from lib.caching import CACHE, answer, asked, forward, get, is_hit, status
from lib.client import Client, request
from lib.daemon import run_command
from lib.origin import ok, read_body, send

pytestmark = pytest.mark.threads

RULES = """
    allow ttl      { path /ttl; reach loopback; cache { override ttl 10m; } }
    allow cached   { path /no-cache; reach loopback; cache { ignore no-cache; override ttl 10m; } }
    allow stored   { path /no-store; reach loopback; cache { ignore no-store; } }
    allow shared   { path /private; reach loopback; cache { ignore private; } }
    allow cookies  { path /set-cookie; reach loopback; cache { store set-cookie; } }
    allow params   { path /params; reach loopback; cache { key without-params utm_* fbclid; } }
    allow query    { path /query; reach loopback; cache { key without-query; } }
    allow pass     { path /pass; reach loopback; cache { bypass; } }
    allow uses     { path /uses; reach loopback; cache { min-uses 3; } }
    allow large    { path /large; reach loopback; cache { max-object 1m; } }
    allow inside   { path /inside; to class loopback; reach loopback; cache { ignore private; } }
    allow rest     { reach loopback; }
"""
RIG = forward("cache main { memory 32m; max-object 100k; }", rules=RULES,
              extra="listener plain { bind 127.0.0.1:{plain_port}; mode forward; policy plain; cache main; }\n"
              + conf.policy(name="plain"))


def plainly(rig, url, *fields):
    """By a listener whose policy says nothing of the cache."""
    with Client(rig.proxyd.ports["plain_port"]) as client:
        return client.get(url, *fields)


def serve(rig, path, *fields, body="x"):
    rig.origin.at(path, read_body(), send(answer(body, *fields)))
    return rig.url(path)


DEPARTURES = {"/ttl": ["Cache-Control: max-age=0", 'ETag: "a"'], "/no-cache": ["Cache-Control: no-cache"],
              "/no-store": ["Cache-Control: no-store, max-age=60"], "/private": ["Cache-Control: private, max-age=60"],
              "/set-cookie": ["Cache-Control: max-age=60", "Set-Cookie: own=1"],
              "/inside": ["Cache-Control: private, max-age=60"]}


@pytest.mark.parametrize("path", DEPARTURES)
def test_what_a_rule_departs_in(rig, path):
    # covers: policy rules allow cache, policy rules allow cache override ttl, policy rules allow cache ignore
    # covers: policy rules allow cache store
    """Kept for whom the rule lets through, and for nobody else: for them it is as if nothing were kept."""
    url = serve(rig, path, *DEPARTURES[path])
    got = [get(rig, url) for _ in range(3)]
    assert [is_hit(r) for r in got] == [False, True, True] and {r.body for r in got} == {b"x"}
    assert not is_hit(plainly(rig, url)) and len(asked(rig.origin, path)) == 2
    assert is_hit(get(rig, url)) or path == "/ttl"


def test_a_cookie_is_for_its_own_client(rig):
    url = serve(rig, "/set-cookie/own", *DEPARTURES["/set-cookie"])
    first, second = get(rig, url), get(rig, url)
    assert first.all("Set-Cookie") == ["own=1"] and is_hit(second) and not second.has("Set-Cookie")


def test_a_name_whose_address_decides(rig):
    """The rule is known once the address is, before the answer is kept and before it is given."""
    url = serve(rig, "/inside/by-name", "Cache-Control: private, max-age=60").replace("127.0.0.1", "origin.test")
    assert [is_hit(get(rig, url)) for _ in range(3)] == [False, True, True]
    assert not is_hit(plainly(rig, url))


def test_what_is_in_no_key(rig):
    # covers: policy rules allow cache key
    for path in ("/params?a=1", "/params?utm_source=x&a=1&fbclid=9", "/params?a=2", "/params?utm_source=x", "/params",
                 "/query?a=1", "/query?b", "/query"):
        rig.origin.at(path, read_body(), send(answer(path, "Cache-Control: max-age=60")))
    body = {path: get(rig, rig.url(path)).body.decode()
            for path in ("/params?a=1", "/params?utm_source=x&a=1&fbclid=9", "/params?a=2", "/params?utm_source=x",
                         "/params", "/query?a=1", "/query?b", "/query")}
    assert body["/params?utm_source=x&a=1&fbclid=9"] == "/params?a=1" and body["/params?a=2"] == "/params?a=2"
    assert body["/params"] == "/params?utm_source=x"  # the origin was asked with all of it
    assert {body[p] for p in body if p.startswith("/query")} == {"/query?a=1"}
    assert plainly(rig, rig.url("/query")).body == b"/query"


def test_what_a_post_makes_untrue_where_parameters_do_not_count(rig):
    url = serve(rig, "/params/p?a=1", "Cache-Control: max-age=60")
    assert [is_hit(get(rig, url)) for _ in range(2)] == [False, True]
    rig.origin.at("/params/p?a=1&utm_x=1", read_body(), send(ok("done")))
    with Client(rig.port) as client:
        client.ask(request(rig.url("/params/p?a=1&utm_x=1"), "Content-Length: 0", method="POST"))
    assert not is_hit(get(rig, url))


def test_bypass(rig):
    # covers: policy rules allow cache bypass
    url = serve(rig, "/pass", "Cache-Control: max-age=60")
    assert is_hit([plainly(rig, url) for _ in range(2)][1])
    for _ in range(2):
        assert status(get(rig, url)) == {"fwd": "bypass", "detail": "rule"}
    assert get(rig, url, "Cache-Control: only-if-cached").status == 504


def test_sizes_and_uses_of_a_rule(rig):
    # covers: policy rules allow cache max-object, policy rules allow cache min-uses
    large = serve(rig, "/large", "Cache-Control: max-age=60", body="x" * 200 * 1024)
    assert is_hit([get(rig, large) for _ in range(2)][1])
    other = serve(rig, "/other", "Cache-Control: max-age=60", body="x" * 200 * 1024)
    assert status(get(rig, other))["detail"] == "too-large"
    uses = serve(rig, "/uses", "Cache-Control: max-age=60")
    assert [is_hit(get(rig, uses)) for _ in range(4)] == [False, False, False, True]


def test_who_says_so(rig):
    """`check` at each departure, `explain` at the rule, `cache show` at what is kept by one."""
    url = serve(rig, "/private/shown", *DEPARTURES["/private"])
    get(rig, url)
    socket = str(rig.proxyd.folder / "control.sock")
    said = run_command("cache", "--socket", socket, "show", url)
    assert ", kept by what the rule or route shared says\n" in said.stdout
    said = run_command("explain", "--socket", socket, "--listener", "main", "GET", rig.url("/params"))
    assert "cache       key without-params utm_* fbclid\n" in said.stdout
    done = run_command("check", "--strict", "-c", str(rig.proxyd.folder / "proxyd.conf"))
    told = done.stderr
    assert done.returncode == 0 and done.stdout.endswith("proxyd.conf: no errors, 9 notes\n") and "warning" not in told, told
    for what in ('"override ttl"', '"no-cache"', '"no-store"', '"private"', '"store set-cookie"', '"without-params"',
                 '"without-query"'):
        assert f": note: {what} " in told


# -- routes ---------------------------------------------------------------------------------------

@pytest.fixture
def site(proxyd, origin):
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra=CACHE, routes="""route all { to pool back; cache main;
        cache-ignore-cookies _ga* _gid; cache { override ttl 10m; ignore private; store set-cookie; key without-query;
        max-object 64k; min-uses 1; range whole; } }"""))

    def ask(path, *fields):
        with Client(daemon.port) as client:
            return client.ask(request(path, *fields, host="site.test"))
    return ask


def test_cookies_that_do_not_matter(site, origin):
    # covers: routes route cache-ignore-cookies
    """What is kept has seen none of them, so it cannot depend on them; with another one all go through."""
    origin.at("/c", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    got = [site("/c", field) for field in ("Cookie: _ga=1; _gid=2", "Cookie: _ga_X=3", "X-None: 1")]
    assert [is_hit(r) for r in got] == [False, True, True]
    for field in ("Cookie: _ga=1; session=5", "Cookie: _gidx=1", "Cookie: _ga=1; =3"):
        assert status(site("/c", field)) == {"fwd": "bypass", "detail": "personal"}
    seen = asked(origin, "/c")
    assert [r.get("Cookie") for r in seen] == [None, "_ga=1; session=5", "_gidx=1", "_ga=1; =3"]


def test_a_route_steers_as_a_rule_does(site, origin):
    # covers: routes route cache, routes route cache override ttl, routes route cache ignore, routes route cache store
    # covers: routes route cache key
    origin.at("/r?a=1", read_body(), send(answer("x", "Cache-Control: private, max-age=0", "Set-Cookie: a=b")))
    assert [is_hit(site(path)) for path in ("/r?a=1", "/r?a=2", "/r")] == [False, True, True]


def test_a_large_one_of_a_route(site, origin):
    # covers: routes route cache max-object
    origin.at("/l", read_body(), send(answer("x" * 65 * 1024, "Cache-Control: max-age=60")))
    assert status(site("/l"))["detail"] == "too-large"


def test_a_range_of_a_route(site, origin):
    # covers: routes route cache range
    origin.at("/w", read_body(), send(answer("0123456789", "Cache-Control: max-age=60")))
    assert site("/w", "Range: bytes=2-3").body == b"23" and not asked(origin, "/w")[0].has("Range")


def test_a_route_that_bypasses(proxyd, origin):
    # covers: routes route cache bypass, routes route cache min-uses
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra=CACHE + """
listener two { bind 127.0.0.1:{two_port}; mode reverse; routes two; }
routes two { route all { to pool back; cache main; cache { min-uses 2; } } }
""", routes="route all { to pool back; cache main; cache { bypass; } }"))
    origin.at("/b", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    for port, hits in ((daemon.ports["two_port"], [False, False, True]), (daemon.port, [False])):
        got = []
        for _ in hits:
            with Client(port) as client:
                got.append(client.ask(request("/b", host="site.test")))
        assert [is_hit(r) for r in got] == hits
