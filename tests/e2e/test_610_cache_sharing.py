"""Many clients want the same: one request goes to the origin, and nobody waits for somebody else's client."""
import signal
import threading

import pytest

from lib import conf, metrics
from lib.caching import answer, asked, forward, get, heard, is_hit, status
from lib.client import Client, request
from lib.origin import call, chunks, close, ok, read_body, send, wait
from lib.times import until

pytestmark = pytest.mark.threads
RIG = forward(extra=metrics.ADMIN)


class Crowd:
    """Clients on connections of their own, of many addresses, that ask for the same at once."""

    def __init__(self, port, url, n):
        self.clients = [Client(port, source=f"127.0.1.{i % 200 + 1}") for i in range(n)]
        for client in self.clients:
            client.send(request(url))

    def answers(self):
        try:
            return [client.response() for client in self.clients]
        finally:
            for client in self.clients:
                client.close()


def waits(daemon, since):
    return metrics.read(daemon)["cache_waits_total main"] - since.get("cache_waits_total main", 0)


@pytest.mark.slow("opens a thousand connections")
def test_a_thousand_clients_and_one_request(proxyd, origin):
    daemon = proxyd(forward(extra=metrics.ADMIN))
    go = threading.Event()
    body = b"0123456789" * 5000
    origin.at("/crowd", read_body(), wait(go), send(answer(body, "Cache-Control: max-age=60")))
    crowd = Crowd(daemon.port, origin.url("/crowd"), 1000)
    metrics.wait(daemon, "cache_waits_total main", 999)
    go.set()
    answers = crowd.answers()
    assert all(a.status == 200 and a.body == body for a in answers)
    assert sum("collapsed" in status(a) for a in answers) == 999
    assert len(asked(origin, "/crowd")) == 1


def test_they_stream_as_it_grows(rig):
    """From the head on, long before the end; chunk by chunk, in either worker."""
    more, end = threading.Event(), threading.Event()
    rig.origin.at("/grow", read_body(), send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                                             b"Transfer-Encoding: chunked\r\n\r\n"),
                  chunks(b"first", last=False), wait(more), chunks(b"second", last=False), wait(end), chunks(b"last"))
    clients = [Client(rig.port) for _ in range(6)]
    for client in clients:
        client.send(request(rig.url("/grow")))
    for word, event in ((b"first", more), (b"second", end)):
        for client in clients:
            assert until(lambda client=client: word in heard(client)), (word, heard(client))
        event.set()
    for client in clients:
        got = client.response()
        assert got.body == b"firstsecondlast" and not got.truncated
        client.close()
    assert len(asked(rig.origin, "/grow")) == 1


@pytest.mark.parametrize("word,fields", [("no-store", ["Cache-Control: no-store"]),
                                         ("set-cookie", ["Cache-Control: max-age=60", "Set-Cookie: a=b"])])
def test_uncacheable_ones_are_released_and_remembered(rig, word, fields):
    """Each of them gets an answer of its own; the next ones do not wait for each other at all."""
    path, go = "/alone/" + word, threading.Event()
    rig.origin.at(path, read_body(), wait(go), send(answer("x", *fields)))
    before = metrics.read(rig.proxyd)
    crowd = Crowd(rig.port, rig.url(path), 20)
    assert until(lambda: waits(rig.proxyd, before) == 19 and asked(rig.origin, path))
    assert len(asked(rig.origin, path)) == 1
    go.set()
    assert [status(a)["detail"] for a in crowd.answers()] == [word] * 20
    assert len(asked(rig.origin, path)) == 20
    go.clear()
    crowd = Crowd(rig.port, rig.url(path), 20)
    assert until(lambda: len(asked(rig.origin, path)) == 40)   # while nothing has been answered
    go.set()
    assert len(crowd.answers()) == 20 and waits(rig.proxyd, before) == 19


def test_one_validation_for_all(rig):
    """The 304 makes it fresh again, so the others need not ask."""
    path, go = "/revalidate", threading.Event()
    stale, fresh = "Cache-Control: max-age=10", "Cache-Control: max-age=60"
    rig.origin.at(path, read_body(), send(answer("body", stale, 'ETag: "a"', ago=9)))
    get(rig, rig.url(path))
    assert until(lambda: get(rig, rig.url(path), "Cache-Control: only-if-cached").status == 504)
    rig.origin.at(path, read_body(), wait(go), send(answer("", fresh, 'ETag: "a"', status="304 Not Modified")))
    before = metrics.read(rig.proxyd)
    crowd = Crowd(rig.port, rig.url(path), 20)
    assert until(lambda: waits(rig.proxyd, before) == 19)
    go.set()
    assert all(a.body == b"body" for a in crowd.answers())
    assert len(asked(rig.origin, path)) == 2


@pytest.mark.parametrize("fields", [["Cache-Control: no-cache"], ["Cache-Control: max-age=0, must-revalidate"],
                                    ["X-Says: nothing"], ["Cache-Control: max-age=5", "Age: 5"]])
def test_what_has_to_be_validated_is_for_nobody_who_waits(rig, fields):
    """RFC 9111 section 4: one response for several requests only if each may reuse it. An origin that has
    every use validated tells its users apart itself, by their cookies, say."""
    path, go = f"/own/{len(''.join(fields))}", threading.Event()

    def own(conn):
        user = conn.current.get("Cookie")
        conn.sock.sendall(answer(f"page of {user}", f'ETag: "{user}"', *fields))
    rig.origin.at(path, read_body(), wait(go), own)
    before = metrics.read(rig.proxyd)
    clients = [Client(rig.port) for _ in range(6)]
    for i, client in enumerate(clients):
        client.send(request(rig.url(path), f"Cookie: user{i}"))
    assert until(lambda: waits(rig.proxyd, before) == 5)
    go.set()
    assert [c.response().body for c in clients] == [b"page of user%d" % i for i in range(6)]
    for client in clients:
        client.close()
    go.clear()
    crowd = Crowd(rig.port, rig.url(path), 5)
    assert until(lambda: len(asked(rig.origin, path)) == 11)   # nor does anybody wait for it again
    go.set()
    assert len(crowd.answers()) == 5 and waits(rig.proxyd, before) == 5


def test_the_first_one_leaves_before_the_head(rig):
    """Another one goes for all."""
    path, go = "/leaves", threading.Event()
    rig.origin.at(path, read_body(), wait(go), send(answer("body", "Cache-Control: max-age=60")))
    before = metrics.read(rig.proxyd)
    first = Client(rig.port)
    first.send(request(rig.url(path)))
    rig.origin.head(path)
    crowd = Crowd(rig.port, rig.url(path), 10)
    assert until(lambda: waits(rig.proxyd, before) == 10)
    first.reset()
    assert until(lambda: len(asked(rig.origin, path)) == 2)
    go.set()
    assert all(a.body == b"body" for a in crowd.answers())
    assert len(asked(rig.origin, path)) == 2


def test_a_failing_origin_fails_all_at_once(rig):
    """They do not go one after the other into the same trouble."""
    path, go = "/fails", threading.Event()
    rig.origin.at(path, read_body(), wait(go), close())
    before = metrics.read(rig.proxyd)
    crowd = Crowd(rig.port, rig.url(path), 10)
    assert until(lambda: waits(rig.proxyd, before) == 9)
    go.set()
    assert [a.status for a in crowd.answers()] == [502] * 10


BIG = b"".join(b"%07d\n" % i for i in range(500_000))   # 4 MB


def start_big(rig, path, first):
    """The first client has the head and does not read on; the origin has said a part of the body."""
    go = threading.Event()
    head, body = answer(BIG, "Cache-Control: max-age=60").split(b"\r\n\r\n", 1)
    rig.origin.at(path, read_body(), send(head + b"\r\n\r\n" + body[:first]), wait(go), send(body[first:]))
    slow = Client(rig.port, rcvbuf=4096)
    slow.send(request(rig.url(path)))
    assert until(lambda: asked(rig.origin, path))
    return slow, go


def test_a_slow_client_slows_nobody(rig):
    """Neither the one that began it nor one that has joined it."""
    slow, go = start_big(rig, "/slow", 100)
    go.set()
    quick = Client(rig.port)
    also_slow = Client(rig.port, rcvbuf=4096)
    for client in (also_slow, quick):
        client.send(request(rig.url("/slow")))
    got = quick.response()
    assert got.body == BIG
    assert is_hit(get(rig, rig.url("/slow")))   # all of it is kept, though the first one has not read it
    for client in (slow, also_slow):
        assert client.response().body == BIG
        client.close()
    quick.close()
    assert len(asked(rig.origin, "/slow")) == 1


def test_a_slow_client_holds_no_connection_to_the_origin(proxyd, origin):
    """What is there is there: the next request rides on the connection that has brought it."""
    daemon = proxyd(forward(workers=1))
    origin.answer("/slow", answer(BIG, "Cache-Control: max-age=60"))
    slow = Client(daemon.port, rcvbuf=4096)
    slow.send(request(origin.url("/slow")))
    assert until(lambda: get(daemon, origin.url("/slow"), "Cache-Control: only-if-cached").body == BIG)
    assert get(daemon, origin.url("/other")).status == 200
    assert len(origin.connections) == 1
    assert slow.response().body == BIG
    slow.close()


@pytest.mark.parametrize("listens,half", [(True, False), (False, True), (False, False)])
def test_the_first_one_leaves_in_the_middle(rig, listens, half):
    """It is fetched on when others listen, or more than half of it is there; else it is given up."""
    path, had = f"/middle/{listens}/{half}", metrics.read(rig.proxyd)["cache_bytes main"]
    first, go = start_big(rig, path, len(BIG) * 3 // 4 if half else 1000)
    other = Client(rig.port) if listens else None
    if other:
        other.send(request(rig.url(path)))
        assert until(lambda: BIG[:1000] in heard(other))
    goes_on = listens or half
    if half:   # the proxy has to have it
        assert until(lambda: metrics.read(rig.proxyd)["cache_bytes main"] - had > 5 << 19)
    before = len(rig.proxyd.log(path))
    first.reset()
    assert until(lambda: len(rig.proxyd.log(path)) > before)
    assert "client_reset" in rig.proxyd.log(path)[before]
    go.set()
    if other:
        assert other.response().body == BIG
        other.close()
    assert until(lambda: is_hit(get(rig, rig.url(path)))) if goes_on else get(rig, rig.url(path)).body == BIG
    assert len(asked(rig.origin, path)) == (1 if goes_on else 2)


def test_cut_for_the_first_is_cut_for_all(rig):
    """What was torn looks torn to everybody, and is not kept."""
    path, go = "/torn", threading.Event()
    rig.origin.at(path, read_body(), send(answer(BIG, "Cache-Control: max-age=60")[:-1000000]), wait(go), close())
    crowd = Crowd(rig.port, rig.url(path), 5)
    go.set()
    answers = crowd.answers()
    assert all(a.truncated and BIG.startswith(a.body) for a in answers)
    rig.origin.at(path, read_body(), send(answer("whole", "Cache-Control: max-age=60")))
    assert get(rig, rig.url(path)).body == b"whole"


def test_joined_and_too_large(proxyd, origin):
    """Nobody knew how large it would be: the first one gets all of it, and the others see that they do not."""
    daemon = proxyd(forward("cache main { memory 4m; max-object 100k; }", extra=metrics.ADMIN))
    go = threading.Event()
    origin.at("/huge", read_body(), send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                                         b"Transfer-Encoding: chunked\r\n\r\n"),
              chunks(b"x" * 1000, last=False), wait(go), chunks(*[b"y" * 50000] * 40))
    first, joined = Client(daemon.port), Client(daemon.port)
    first.send(request(origin.url("/huge")))
    assert until(lambda: b"x" * 1000 in heard(first))
    joined.send(request(origin.url("/huge")))
    assert until(lambda: b"x" * 1000 in heard(joined))
    go.set()
    whole, part = first.response(), joined.response()
    assert len(whole.body) == 2001000 and not whole.truncated
    assert part.truncated and whole.body.startswith(part.body)
    first.close()
    joined.close()


# -- the whole of it ------------------------------------------------------------------------------

def test_memory_is_bounded(proxyd, origin):
    # covers: cache memory, cache max-object
    daemon = proxyd(forward("cache main { memory 4m; max-object 64k; }", extra=metrics.ADMIN))
    sizes = (100, 5000, 60000, 70000)
    for size in sizes:
        origin.answer(f"/{size}", answer("z" * size, "Cache-Control: max-age=60"))
    most = 0
    with Client(daemon.port) as client:
        for i in range(600):
            size = sizes[i % len(sizes)]
            if i % 50 == 0:
                most = max(most, metrics.read(daemon)["cache_bytes main"])
            origin.at(f"/{size}/{i}", read_body(), send(answer("z" * size, "Cache-Control: max-age=60")))
            got = client.get(origin.url(f"/{size}/{i}"))
            assert len(got.body) == size and ("stored" in status(got)) is (size < 65536)
    now = metrics.read(daemon)
    assert most <= 4 << 20 and 3.5 * (1 << 20) < now["cache_bytes main"] <= 4 << 20
    assert now["cache_evictions_total main"] > 50


def test_reload_keeps_what_is_there(proxyd, origin):
    # covers: listener cache
    with_cache, small = forward(extra=metrics.ADMIN), forward("cache main { memory 1m; }", extra=metrics.ADMIN)
    without = conf.forward(extra=metrics.ADMIN)
    daemon = proxyd(with_cache)
    for i in range(30):
        origin.answer(f"/{i}", answer("z" * 100000, "Cache-Control: max-age=600"))
        get(daemon, origin.url(f"/{i}"))
    daemon.reload(with_cache.replace("timeout 1s", "timeout 2s"))
    assert all(is_hit(get(daemon, origin.url(f"/{i}"))) for i in range(30))
    daemon.reload(small)
    get(daemon, origin.url("/29"))   # sizes are those of the first request on
    assert metrics.read(daemon)["cache_bytes main"] <= 1 << 20
    daemon.reload(without)
    assert not get(daemon, origin.url("/29")).has("Cache-Status")
    assert until(lambda: "cache_objects main" not in metrics.read(daemon))
    daemon.reload(with_cache)
    assert not is_hit(get(daemon, origin.url("/29")))


def test_drain_waits_for_what_is_fetched(proxyd, origin):
    """An exchange without a client is one as well, and is cut like any other at the deadline."""
    daemon = proxyd(forward(extra="timeouts { drain 300ms; }"))
    go = threading.Event()
    head, body = answer(BIG, "Cache-Control: max-age=60").split(b"\r\n\r\n", 1)
    origin.at("/drain", read_body(), send(head + b"\r\n\r\n" + body[:3500000]), wait(go))
    client = Client(daemon.port)
    client.send(request(origin.url("/drain")))
    assert until(lambda: body[:3000000] in heard(client))
    client.reset()
    assert daemon.wait_log("/drain").get("cause") == "client_reset"
    try:
        daemon.stop(signal.SIGTERM)
    finally:
        go.set()


def test_reload_without_the_cache_while_it_revalidates(proxyd, origin):
    """What is validated behind everybody's back goes before the cache that it belongs to."""
    daemon = proxyd(forward(extra=metrics.ADMIN))
    go = threading.Event()
    origin.answer("/behind", answer("old", "Cache-Control: max-age=1, stale-while-revalidate=60", ago=9))
    get(daemon, origin.url("/behind"))
    origin.at("/behind", read_body(), wait(go), send(answer("new", "Cache-Control: max-age=60")))
    assert get(daemon, origin.url("/behind")).body == b"old"
    assert until(lambda: len(asked(origin, "/behind")) == 2)
    daemon.reload(conf.forward(extra=metrics.ADMIN))
    go.set()
    assert until(lambda: "cache_objects main" not in metrics.read(daemon))
    assert get(daemon, origin.url("/other")).status == 200


def test_who_waited_through_a_reload_revalidates_nothing(proxyd, origin):
    """Its listener goes with its configuration, and a validation behind its back would stay."""
    text = forward(extra=metrics.ADMIN)
    daemon = proxyd(text)
    go, end = threading.Event(), threading.Event()
    origin.at("/waited", read_body(), wait(go), call(lambda conn: origin.at("/waited", read_body(), wait(end), close())),
              send(answer("old", "Cache-Control: max-age=1, stale-while-revalidate=60", ago=9)))
    crowd = Crowd(daemon.port, origin.url("/waited"), 5)
    metrics.wait(daemon, "cache_waits_total main", 4)
    daemon.reload(text.replace("timeout 1s", "timeout 2s"))
    go.set()
    assert [a.body for a in crowd.answers()] == [b"old"] * 5
    assert get(daemon, origin.url("/other")).status == 200
    end.set()
    assert until(lambda: len(asked(origin, "/waited")) == 1)


def test_reload_in_the_middle(rig):
    """What is growing belongs to nobody's configuration."""
    first, go = start_big(rig, "/mid", 1000)
    other = Client(rig.port)
    other.send(request(rig.url("/mid")))
    assert until(lambda: BIG[:1000] in heard(other))
    rig.proxyd.reload(RIG.replace("timeout 1s", "timeout 2s"))
    late = Client(rig.port)
    late.send(request(rig.url("/mid")))
    assert until(lambda: BIG[:1000] in heard(late))
    go.set()
    for client in (first, other, late):
        assert client.response().body == BIG
        client.close()
    assert len(asked(rig.origin, "/mid")) == 1


# -- what is for all, and what is not ---------------------------------------------------------------

def test_what_came_by_a_parent_is_for_those_who_go_by_it(proxyd, origin):
    """And what did not for those who do not: what is judged is the address that the answer came from."""
    daemon = proxyd(forward(rules="allow up { to *; via up; }", extra=f"parent up {{ proxy 127.0.0.1:{origin.port}; }}" + """
listener direct { bind 127.0.0.1:{direct_port}; mode forward; policy direct; cache main; }
""" + conf.policy(conf.OPEN_RULES, name="direct")))
    url = origin.url("/both")
    for target in (url, "/both"):
        origin.at(target, read_body(), send(answer(target, "Cache-Control: max-age=60")))
    for port, target in ((daemon.port, url), (daemon.ports["direct_port"], "/both")) * 2:
        with Client(port) as client:
            got = [client.get(url) for _ in range(2)]
        assert [is_hit(r) for r in got] == [False, True] and {r.body for r in got} == {target.encode()}
    assert len(asked(origin, url)) == len(asked(origin, "/both")) == 2


@pytest.mark.parametrize("length", [1, 100000])
def test_a_field_that_is_named_is_for_its_own_client(rig, length):
    """Be it kept at once, or while it comes."""
    path = f"/named/{length}"
    rig.origin.at(path, read_body(), send(answer("x" * length, 'Cache-Control: max-age=60, private="X-User", no-cache="X-Seat"',
                                                 "X-User: ann", "X-Seat: 7", "X-All: 1")))
    first, second = (get(rig, rig.url(path)) for _ in range(2))
    assert [first.get(name) for name in ("X-User", "X-Seat", "X-All")] == ["ann", "7", "1"]
    assert is_hit(second) and [second.get(name) for name in ("X-User", "X-Seat", "X-All")] == [None, None, "1"]


@pytest.mark.parametrize("field", ["X-Forwarded-Host", "X-Forwarded-Proto"])
def test_a_site_shares_nothing_that_varies_by_what_it_is_told_of_the_client(proxyd, origin, field):
    """X-Forwarded-For: test_600_cache.py. What the client says there is not what the site has seen."""
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}", extra="cache main { }",
                                 routes="route all { to pool back; cache main; }"))
    origin.at("/told", read_body(), send(answer("x", "Cache-Control: max-age=60", "Vary: Accept, " + field)))
    for _ in range(2):
        with Client(daemon.port) as client:
            assert status(client.ask(request("/told", host="site.test")))["detail"] == "vary-star"


def test_a_small_one_that_is_too_large(proxyd, origin):
    """One that comes with its head is kept at once: within the same bounds."""
    daemon = proxyd(forward("cache main { memory 4m; max-object 1k; }"))
    for path, size, hit in (("/fits", 1024, True), ("/large", 1025, False)):
        origin.at(path, read_body(), send(answer("x" * size, "Cache-Control: max-age=60")))
        assert [is_hit(get(daemon, origin.url(path))) for _ in range(2)] == [False, hit]
