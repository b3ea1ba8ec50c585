"""Taking out what is kept: by tag, softly, and what is fetched at that moment."""
import threading

import pytest

from lib import conf
from lib.caching import CACHE, answer, asked, forward, get, is_hit, status
from lib.client import Client, request
from lib.daemon import run_command
from lib.origin import close, ok, read_body, send
from lib.times import until

pytestmark = pytest.mark.threads
RIG = forward()


class Rig:
    def __init__(self, proxyd, origin):
        self.proxyd, self.origin, self.url = proxyd, origin, origin.url


def cache(rig, *words):
    daemon = getattr(rig, "proxyd", rig)
    ran = run_command("cache", "--socket", str(daemon.folder / "control.sock"), *words)
    assert ran.returncode == 0, ran
    return ran.stdout


def serve(rig, path, *fields, body="x", **more):
    rig.origin.at(path, read_body(), send(answer(body, *fields, **more)))
    return rig.url(path)


def kept(rig, *urls):
    return [get(rig, url, "Cache-Control: only-if-cached").status == 200 for url in urls]


def test_by_tag(rig):
    urls = [serve(rig, f"/tag/{n}", "Cache-Control: max-age=60", *fields)
            for n, fields in enumerate([["Surrogate-Key: shop item-1"], ["Cache-Tag: item-1,other"],
                                        ["Surrogate-Key: item-10"], []])]
    for url in urls:
        assert is_hit([get(rig, url) for _ in range(2)][1])
    assert ", tags shop item-1\n" in cache(rig, "show", urls[0])
    assert cache(rig, "purge", "--tag", "item-1") == "cache main: 2 taken out\n"
    assert kept(rig, *urls) == [False, False, True, True]
    assert cache(rig, "purge", "--tag", "item-1") == "cache main: 0 taken out\n"


def test_a_304_with_other_tags(rig):
    url = serve(rig, "/retagged", "Cache-Control: max-age=0", 'ETag: "a"', "Surrogate-Key: before")
    get(rig, url)
    rig.origin.at("/retagged", read_body(), send(ok("", 'ETag: "a"', "Surrogate-Key: after", "Cache-Control: max-age=60",
                                                    status="304 Not Modified")))
    assert status(get(rig, url))["fwd-status"] == "304"
    assert cache(rig, "purge", "--tag", "before") == "cache main: 0 taken out\n"
    assert cache(rig, "purge", "--tag", "after") == "cache main: 1 taken out\n"


def test_more_tags_than_are_noted(rig):
    """A purge by one of them would miss it."""
    url = serve(rig, "/many", "Cache-Control: max-age=60", "Cache-Tag: " + ",".join(map(str, range(65))))
    assert [status(get(rig, url)).get("detail") for _ in range(2)] == ["tags-many"] * 2


def test_clients_of_a_site_see_no_tags(proxyd, origin):
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra=CACHE, routes="route all { to pool back; cache main; }"))
    tags = ["Surrogate-Key: a", "Cache-Tag: b"]
    origin.at("/s", read_body(), send(answer("x", "Cache-Control: max-age=60", *tags)))
    origin.at("/p", read_body(), send(answer("x", "Cache-Control: no-store", *tags)))
    for path, hit in (("/s", False), ("/s", True), ("/p", False)):
        with Client(daemon.port) as client:
            got = client.ask(request(path, host="site.test"))
        assert is_hit(got) is hit and not got.has("Surrogate-Key") and not got.has("Cache-Tag")
    assert cache(daemon, "purge", "--tag", "b") == "cache main: 1 taken out\n"


def test_clients_of_a_forward_listener_do(rig):
    url = serve(rig, "/seen", "Cache-Control: max-age=60", "Surrogate-Key: a")
    assert [get(rig, url).get("Surrogate-Key") for _ in range(2)] == ["a", "a"]


# -- softly ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("words", [["{url}"], ["--prefix", "{url}"], ["--tag", "soft"], ["--all"]])
def test_softly(rig, words):
    path = "/soft/" + words[0].strip("-{}")
    url = serve(rig, path, "Cache-Control: max-age=60, stale-if-error=60", 'ETag: "a"', "Surrogate-Key: soft")
    cache(rig, "purge", "--all")
    get(rig, url)
    assert cache(rig, "purge", "--soft", *(w.format(url=url) for w in words)) == "cache main: 1 made stale\n"
    rig.origin.at(path, read_body(), close())
    rescued = get(rig, url)
    assert rescued.status == 200 and is_hit(rescued) is False and int(status(rescued)["ttl"]) <= 0
    rig.origin.at(path, read_body(), send(ok("", 'ETag: "a"', status="304 Not Modified")))
    assert status(get(rig, url))["fwd-status"] == "304" and is_hit(get(rig, url))
    assert asked(rig.origin, path)[-1].get("If-None-Match") == '"a"'


def test_softly_and_revalidated_behind_it(rig):
    url = serve(rig, "/soft-swr", "Cache-Control: max-age=60, stale-while-revalidate=60", body="old")
    get(rig, url)
    serve(rig, "/soft-swr", "Cache-Control: max-age=60", body="new")
    cache(rig, "purge", "--soft", url)
    assert get(rig, url).body == b"old"
    assert until(lambda: get(rig, url).body == b"new")


# -- while it is fetched --------------------------------------------------------------------------

def late(rig, path, *fields):
    """Asks for it, and waits until the origin has been asked; a function that lets the answer come."""
    asked_for, go, got = threading.Event(), threading.Event(), []
    rig.origin.at(path, read_body(), lambda conn: asked_for.set() or go.wait(10),
                  send(answer("old", "Cache-Control: max-age=60", *fields)))
    one = threading.Thread(target=lambda: got.append(get(rig, rig.url(path))))
    one.start()
    assert asked_for.wait(10)

    def finish():
        go.set()
        one.join()
        return got[0]
    return finish


@pytest.mark.parametrize("how", ["url", "tag", "post", "soft"])
def test_what_is_under_way_is_not_kept(rig, how):
    """It may show what was purged; the purge has not found it yet."""
    path = "/late/" + how
    finish = late(rig, path, "Surrogate-Key: late")
    if how == "post":
        rig.origin.at(path, read_body(), send(ok("done")))
        with Client(rig.port) as client:
            client.ask(request(rig.url(path), "Content-Length: 0", method="POST"))
    else:
        cache(rig, "purge", *{"url": [rig.url(path)], "tag": ["--tag", "late"], "soft": ["--soft", "--all"]}[how])
    got = finish()
    assert got.body == b"old" and status(got) == {"fwd": "uri-miss", "detail": "purged"}
    assert kept(rig, rig.url(path)) == [False]


def test_a_validation_under_way_renews_nothing(rig):
    url = serve(rig, "/late304", "Cache-Control: max-age=0", 'ETag: "a"', body="old")
    get(rig, url)
    asked_for, go, got = threading.Event(), threading.Event(), []
    rig.origin.at("/late304", read_body(), lambda conn: asked_for.set() or go.wait(10),
                  send(ok("", 'ETag: "a"', "Cache-Control: max-age=60", status="304 Not Modified")))
    one = threading.Thread(target=lambda: got.append(get(rig, url)))
    one.start()
    assert asked_for.wait(10)
    cache(rig, "purge", url)
    go.set()
    one.join()
    assert got[0].body == b"old" and "stored" not in status(got[0])
    assert kept(rig, url) == [False]


# -- the method PURGE -----------------------------------------------------------------------------

PURGERS = """
listener open { bind 127.0.0.1:{open_port}; mode forward; policy plain; cache main; }
""" + conf.policy(name="plain")


def test_purge_where_a_rule_allows_it(proxyd, origin):
    # covers: policy rules allow cache purge
    """From elsewhere, or where none does, it is the origin's affair, as any method."""
    daemon = proxyd(forward(extra=PURGERS, rules="""
        allow purgers { method PURGE; reach loopback; cache { purge 127.0.0.2/31; } }
        allow rest    { reach loopback; }"""))
    origin.at("/p", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    url = origin.url("/p")

    def purge(source="127.0.0.2", port=daemon.port, *fields, body=b""):
        with Client(port, source=source) as client:
            return client.get(url, *fields, method="PURGE", body=body)
    assert is_hit([get(daemon, url) for _ in range(2)][1])
    for elsewhere in (purge("127.0.0.1"), purge("127.0.0.2", daemon.ports["open_port"])):
        assert elsewhere.body == b"x"
    assert [r.method for r in origin.requests] == ["GET", "PURGE", "PURGE"]
    for body in (b"", b"is read over"):
        get(daemon, url)
        done = purge(body=body)
        assert done.status == 200 and done.body == b"1 taken out\n" and not done.has("Cache-Status")
        again = purge("127.0.0.3")
        assert again.status == 404 and again.body == b"0 taken out\n"


def test_purge_of_a_route(proxyd, origin):
    # covers: routes route cache purge
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra=CACHE,
                                 routes="route all { to pool back; cache main; cache { purge 127.0.0.2; } }"))
    origin.at("/p", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    with Client(daemon.port, source="127.0.0.2") as client:
        for hit in (False, True):
            assert is_hit(client.ask(request("/p", host="site.test"))) is hit
        assert client.ask(request("/p", host="other.test", method="PURGE")).status == 404
        assert client.ask(request("/p", host="site.test", method="PURGE")).status == 200
        assert not is_hit(client.ask(request("/p", host="site.test")))


# -- by the admin listener ------------------------------------------------------------------------

def test_post_to_the_admin_listener(proxyd, origin):
    # covers: admin purge
    """From networks that are named, and never from a page of another site."""
    daemon = proxyd(forward(extra="admin { bind 127.0.0.1:{admin_port}; purge 127.0.0.2; }"))
    fields = ["Cache-Control: max-age=60", "Surrogate-Key: a"]
    urls = [serve(Rig(daemon, origin), f"/{n}", *fields) for n in range(4)]

    def post(query, *more, source="127.0.0.2", method="POST", fields=("X-Requested-With: curl",)):
        with Client(daemon.ports["admin_port"], source=source) as client:
            return client.ask(request("/cache/purge" + query, *fields, *more, host="127.0.0.1", method=method))

    def done(query):
        for url in urls:
            get(daemon, url)
        got = post(query)
        return got.status, got.body.decode()
    assert done("?url=" + urls[0].replace("/", "%2F")) == (200, "cache main: 1 taken out\n")
    assert done("?prefix=" + urls[0][:-1]) == (200, "cache main: 4 taken out\n")
    assert done("?tag=a") == (200, "cache main: 4 taken out\n")
    assert done("?all=yes&soft=yes") == (200, "cache main: 4 made stale\n")
    assert post("?all=yes").status == 200
    for query in ("", "?all=no", "?tag=a&all=yes", "?url=--all", "?tag=--all", "?url=x", "?tag=a%20b", "?tag=" + "a" * 5000):
        assert done(query)[0] == 400, query
    assert post("?all=yes", source="127.0.0.1").status == 403
    assert post("?all=yes", fields=()).status == 403
    assert post("?all=yes", "Origin: http://127.0.0.1").status == 403
    assert post("?all=yes", "Host: site.test", fields=("X-Requested-With: x",)).status in (400, 403)
    assert post("?all=yes", method="GET").status == 404 and b"by POST /cache/purge" in post("?all=yes", method="GET").body
    assert post("?all=yes", method="OPTIONS").status == 404
    assert all(get(daemon, url, "Cache-Control: only-if-cached").status == 200 for url in urls)


def test_nobody_is_named_for_it(proxyd):
    daemon = proxyd(forward(extra="admin { bind 127.0.0.1:{admin_port}; }"))
    with Client(daemon.ports["admin_port"]) as client:
        assert client.ask(request("/cache/purge?all=yes", "X-Requested-With: x", host="127.0.0.1", method="POST")).status == 403
