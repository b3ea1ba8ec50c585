"""The model of a cache, without the daemon: a small cache that keeps to RFC 9111 passes, and each lie put
into it is found. A model that believes everything would make the test of the real cache worthless.
"""
import dataclasses
import random

import pytest

from lib import cache_model as rfc
from lib.cache_model import Kept, Model, Request, Response, value
from lib.cache_world import World

pytestmark = pytest.mark.inputs("tests/e2e/lib/cache_model.py", "tests/e2e/lib/cache_world.py")

T = 1_794_997_600
DATE = ("Date", "Wed, 18 Nov 2026 10:26:40 GMT")  # T


class Toy:
    """The least cache that keeps to the rules; `lie` breaks one of them."""

    def __init__(self, world, lie=None):
        self.world, self.lie, self.store = world, lie, {}

    def _find(self, request):
        for kept in reversed(self.store.get(request.url, [])):
            if self.lie == "vary" or rfc.same_variant(kept, request):
                return kept
        return None

    def _usable(self, kept, request, now):
        if self.lie == "stale":
            return rfc.may_use(kept, request, now - 30) is None
        if self.lie == "must-revalidate":
            found = rfc.directives(kept.response)
            left = rfc.lifetime(kept) - rfc.age(kept, now)
            if left <= 0 and rfc.never_stale(found) and "no-cache" not in found:
                return left > -30
        if self.lie == "no-cache of the request" and "no-cache" in rfc.directives(request):
            request = Request(request.method, request.url, [])
        return rfc.may_use(kept, request, now) is None

    def _may_store(self, request, response):
        why = rfc.may_store(request, response)
        return why is None or why == self.lie

    def _given(self, kept, request, now):
        """The stored response, made to fit what the client asked for."""
        response = kept.response
        hidden = rfc.hidden_fields(rfc.directives(response))
        fields = [(n, v) for n, v in response.fields
                  if n.lower() not in ("age", *hidden) or n.lower() == "date"]
        told = 0 if self.lie == "age" else int(rfc.age(kept, now))
        answer = Response(response.status, [*fields, ("Age", str(told))], response.body)
        conditional = value(request, "if-none-match") or value(request, "if-modified-since")
        if conditional and 200 <= response.status < 300:
            if rfc.condition_holds(request, response) or self.lie == "condition":
                return dataclasses.replace(answer, status=304, body=b"")
        wanted = rfc.ranges(request, len(response.body)) if response.status == 200 else None
        if wanted is not None and len(wanted) == 1 and not value(request, "if-range"):
            low, high = wanted[0]
            part = response.body[low:high + (0 if self.lie == "range" else 1)]
            place = ("Content-Range", f"bytes {low}-{high}/{len(response.body)}")
            return Response(206, [*answer.fields, place], part)
        if request.method == "HEAD":
            answer.body = b""
        return answer

    def _ask(self, request, kept, now, asked):
        sent = Request(request.method, request.url, list(request.fields))
        if kept and request.method == "GET":
            drop = {"if-none-match", "if-modified-since", "range", "if-range"}
            sent.fields = [f for f in sent.fields if f[0].lower() not in drop]
            for ours, theirs in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
                if value(kept.response, ours):
                    sent.fields.append((theirs, value(kept.response, ours)))
        response = self.world.answer(sent, now)
        asked.append((sent, response, now, now))
        return sent, response

    def exchange(self, request, now, asked):
        kept = self._find(request) if request.method in ("GET", "HEAD") else None
        if kept and self._usable(kept, request, now):
            return self._given(kept, request, now)
        if "only-if-cached" in rfc.directives(request) and self.lie != "only-if-cached":
            return Response(504)
        sent, response = self._ask(request, kept, now, asked)
        if response is None or response.status in rfc.ERRORS:
            anyhow = self.lie == "stale-if-error"
            if kept and (anyhow or rfc.may_use(kept, request, now, failed=True) is None):
                return self._given(kept, request, now)
            return response or Response(502)
        if response.status == 304 and kept and rfc.updated(kept, sent, response, now, now) is None:
            sent, response = self._ask(request, None, now, asked)  # about another representation
            if response is None:
                return Response(502)
        return self._take(request, sent, response, kept, now)

    def _take(self, request, sent, response, kept, now):
        if sent.method not in rfc.SAFE and response.status < 400 and self.lie != "invalidation":
            self._forget(sent, response)
        if response.status == 304 and kept and sent.method == "GET":
            fresh = rfc.updated(kept, sent, response, now, now)
            if fresh is None:  # the client's own condition
                return response
            if self.lie == "update":
                fresh.response.fields = kept.response.fields
            if self.lie == "first request":
                fresh.request = kept.request
            self._put(request.url, fresh if rfc.may_store(sent, fresh.response) is None else None,
                      None if self.lie == "not updated" else kept)
            return self._given(fresh, request, now)
        if sent.method == "GET" and response.status not in (206, 304):
            self._put(request.url, Kept(sent, response, now, now)
                      if self._may_store(sent, response) else None, kept)
        if self.lie == "mixed" and kept and response.status == 200 and sent.method == "GET":
            return dataclasses.replace(response, body=kept.response.body)
        if sent.fields != request.fields and response.status == 200:
            return self._given(Kept(sent, response, now, now), request, now)
        return response

    def _put(self, url, kept, instead_of):
        rest = [k for k in self.store.get(url, []) if k is not instead_of]
        self.store[url] = [*rest, kept] if kept else rest

    def _forget(self, sent, response):
        for name in ("location", "content-location"):
            named = rfc.urljoin(sent.url, value(response, name) or "")
            if rfc.urlsplit(named)[:2] == rfc.urlsplit(sent.url)[:2]:
                self.store.pop(named, None)
        self.store.pop(sent.url, None)


def story(seed, lie=None, exchanges=400):
    """The first thing that the model finds wrong or None, and how many were answered without the origin."""
    world = World(random.Random(seed), "http://origin.test", T)
    cache, model, now, hits = Toy(world, lie), Model(slack=0), T, 0
    for number in range(exchanges):
        now += world.step()
        if world.rng.random() < 0.01:
            cache.store.clear()  # a restart that loses everything
        request, asked = world.request(), []
        answer = cache.exchange(request, now, asked)
        hits += not asked and answer.status != 504
        wrong = model.exchange(request, answer, asked, now)
        if wrong:
            return (seed, number, request, answer, wrong), hits
    return None, hits


def test_a_cache_that_keeps_to_the_rules_passes():
    told = [story(seed) for seed in range(4)]
    assert not any(wrong for wrong, _ in told), told
    assert sum(hits for _, hits in told) > 4 * 400 / 10  # and it is a cache


@pytest.mark.parametrize("lie", [
    "vary", "stale", "must-revalidate", "no-cache of the request", "age", "condition", "range",
    "only-if-cached", "stale-if-error", "invalidation", "update", "mixed",
    "first request", "not updated",
    "no-store", "no-store of the request", "private", "authorization", "set-cookie",
    "status without a lifetime"])
def test_each_lie_is_found(lie):
    assert any(story(seed, lie)[0] for seed in range(16)), lie


def kept(fields, request=(), status=200, received=T):
    return Kept(Request("GET", "http://a/", list(request)), Response(status, list(fields), b"0123456789"),
                received, received)


CC = "Cache-Control"
AUTHORIZED = [("Authorization", "x")]


@pytest.mark.parametrize("fields, request_fields, status, why", [
    ([(CC, "max-age=5")], [], 200, None),
    ([], [], 200, None),
    ([(CC, "no-store, max-age=5")], [], 200, "no-store"),
    ([(CC, "no-store, must-understand")], [], 200, None),
    ([(CC, "private")], [], 200, "private"),
    ([(CC, 'private="x-a"')], [], 200, None),
    ([(CC, "max-age=5")], AUTHORIZED, 200, "authorization"),
    ([(CC, "public")], AUTHORIZED, 200, None),
    ([(CC, "max-age=5")], [], 302, None),
    ([], [], 302, "status without a lifetime"),
    ([], [], 206, "status"),
    ([("Set-Cookie", "a")], [], 200, "set-cookie"),
    ([("Vary", "a, *")], [], 200, "vary: *")])
def test_storing(fields, request_fields, status, why):
    stored = kept(fields, request_fields, status)
    assert rfc.may_store(stored.request, stored.response) == why


@pytest.mark.parametrize("fields, want", [
    ([(CC, "max-age=5")], 5), ([(CC, "max-age=5, s-maxage=7")], 7), ([(CC, "max-age=5, max-age=3")], 5),
    ([(CC, 'max-age="5"')], 5), ([(CC, "max-age=x")], 0), ([(CC, "no-cache, max-age=5")], 0),
    ([(CC, 'x="max-age=9", max-age=5')], 5), ([(CC, 'no-cache="x", max-age=5')], 5),
    ([DATE, ("Expires", "Wed, 18 Nov 2026 10:27:40 GMT")], 60), ([DATE, ("Expires", "0")], 0),
    ([("Date", "Wednesday, 18-Nov-26 10:26:30 GMT"), ("Expires", "Wed Nov 18 10:27:40 2026")], 70),
    ([DATE, ("Last-Modified", "Wed, 18 Nov 2026 10:25:00 GMT")], 10),
    ([DATE, ("Last-Modified", "Wed, 18 Nov 2020 10:25:00 GMT")], 86400)])
def test_lifetimes(fields, want):
    assert rfc.lifetime(kept(fields)) == want


def test_what_has_no_date_is_of_the_second_in_which_it_came():
    assert rfc.lifetime(kept([("Expires", "Wed, 18 Nov 2026 10:26:45 GMT")], received=T + 0.5)) == 5


def test_ages():
    assert rfc.age(kept([DATE]), T + 5) == 5
    assert rfc.age(kept([DATE, ("Age", "7, 9")]), T + 5) == 12
    assert rfc.age(kept([("Date", "Wed, 18 Nov 2026 10:26:30 GMT"), ("Age", "7")]), T + 5) == 15
    assert rfc.age(kept([("Date", "Wed, 18 Nov 2026 11:26:30 GMT")]), T + 5) == 5


@pytest.mark.parametrize("stored, asked, after, usable", [
    ("max-age=10", "", 9, True), ("max-age=10", "", 10, False), ("max-age=10", "no-cache", 1, False),
    ("max-age=10", "max-age=3", 4, False), ("max-age=10", "min-fresh=5", 6, False),
    ("max-age=10", "max-stale", 99, True), ("max-age=10", "max-stale=5", 16, False),
    ("max-age=10, must-revalidate", "max-stale", 11, False), ("s-maxage=10", "max-stale", 11, False),
    ("max-age=10, stale-while-revalidate=5", "", 15, True),
    ("max-age=10, stale-while-revalidate=5", "", 16, False)])
def test_using(stored, asked, after, usable):
    request = Request("GET", "http://a/", [(CC, asked)] if asked else [])
    assert (rfc.may_use(kept([DATE, (CC, stored)]), request, T + after) is None) == usable


def test_ranges():
    def of(text):
        return rfc.ranges(Request("GET", "/", [("Range", text)]), 10)
    assert of("bytes=0-3, 8-99,-1") == [(0, 3), (8, 9), (9, 9)]
    assert of("bytes=10-") == [] and of("bytes=x") is None and of("items=0-1") is None
