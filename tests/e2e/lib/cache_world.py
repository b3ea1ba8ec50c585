"""A random origin and random clients for the model of a cache (cache_model.py): everything they do
comes from one random.Random, so that a seed tells a whole story.

    world = World(random.Random(7), "http://origin.test:80", now)
    request = world.request()             # what a client asks next
    response = world.answer(sent, now)    # what the origin answers to what the cache sent
    step = world.step()                   # seconds until the next one
"""
import email.utils
from urllib.parse import urlsplit

from .cache_model import Request, Response, condition_holds, ranges, value

PATHS = ["/a", "/b", "/c", "/d?x=1"]
VARYING = ("/a", "/d?x=1")
LIFETIMES = ["max-age=0", "max-age=2", *["max-age=10", "max-age=60"] * 3, "s-maxage=20", "s-maxage=60, max-age=1",
             "max-age=\"10\"", "max-age=10, max-age=60", "max-age=x", "max-age=-1", "MAX-AGE=10"]
OTHERS = ["no-store", "no-cache", "private", "public", "must-revalidate", "proxy-revalidate",
          "must-understand, no-store", "immutable", "stale-while-revalidate=10", "stale-if-error=30",
          "private=\"x-user\"", "no-cache=\"x-user\"", "x=\"no-store, max-age=1\"", "unknown", ""]
ASKED = ["no-cache", "no-store", "max-age=0", "max-age=5", "min-fresh=5", "max-stale", "max-stale=10",
         "only-if-cached", "stale-if-error=20"]
VARY = ["Accept-Encoding", "Accept-Encoding", "accept-language, Accept-Encoding", "*", "X-None"]
# Seconds, and how often: mostly few, now and then a leap.
STEPS = [0, 1, 2, 3, 5, 9, 11, 30, 61, 400], [40, 20, 10, 8, 7, 6, 4, 3, 1, 1]
STATUSES = [200] * 12 + [404, 301, 410, 302, 500, 503, 418]
CODINGS = ["gzip", "br, gzip", "gzip , br", "identity;q=1"]


def text_of(at):
    return email.utils.formatdate(at, usegmt=True)


class World:
    def __init__(self, rng, base, now):
        self.rng, self.base = rng, base
        self.version = 0
        self.current = {}  # (url, variant): the response that stands
        self.skew = rng.choice([0, 0, 0, -100, 100])
        self.now = now

    # -- clients ---------------------------------------------------------------------------------

    def request(self):
        rng, fields = self.rng, []
        method = rng.choices(["GET", "HEAD", "POST", "DELETE"], [90, 6, 3, 1])[0]
        if rng.random() < 0.2:
            fields.append(("Cache-Control", rng.choice(ASKED)))
        elif rng.random() < 0.03:
            fields.append(("Pragma", "no-cache"))
        if rng.random() < 0.5:
            fields.append(("Accept-Encoding", rng.choice(CODINGS)))
        if rng.random() < 0.3:
            fields.append(("Accept-Language", rng.choice(["en", "de", "EN"])))
        if rng.random() < 0.08:
            fields.append(("Authorization", rng.choice(["Basic YTpi", "Basic Yzpk"])))
        url = self.base + rng.choices(PATHS, [6, 3, 2, 1])[0]
        if method == "GET":
            fields += self._conditions(url)
        return Request(method, url, fields)

    def _conditions(self, url):
        """With the validators of a version that is, was, or never was."""
        rng, fields = self.rng, []
        version = rng.randint(0, self.version)
        if rng.random() < 0.15:
            tag = rng.choice(['"v%d"', 'W/"v%d"', '"x", "v%d"']) % version
            fields.append(("If-None-Match", rng.choice([tag, "*"])))
        elif rng.random() < 0.08:
            fields.append(("If-Modified-Since", text_of(self.now - rng.choice([0, 50, 5000]))))
        if rng.random() < 0.15:
            wanted = rng.choice(["0-3", "5-", "-4", "0-0,9-9", "2-5,4-8", "900-", "8-2", "x"])
            fields.append(("Range", f"bytes={wanted}"))
            if rng.random() < 0.3:
                fields.append(("If-Range", f'"v{version}"'))
        return fields

    def step(self):
        """Until the next request; none goes back: that is what slack is for."""
        return self.rng.choices(*STEPS)[0]

    # -- origin ----------------------------------------------------------------------------------

    def _policy(self, now):
        rng, fields = self.rng, []
        words = [rng.choice(LIFETIMES)] if rng.random() < 0.8 else []
        words += rng.sample(OTHERS, rng.choice([0, 0, 0, 1, 1, 2]))
        rng.shuffle(words)
        if words and rng.random() < 0.3:
            fields += [("cache-control", w) for w in words]
        elif words:
            fields.append(("Cache-Control", ", ".join(words)))
        if rng.random() < 0.25:
            late = rng.choice([-10, 0, 5, 60, 3600])
            fields.append(("Expires", rng.choice([text_of(now + self.skew + late), "0"])))
        if rng.random() < 0.9:
            fields.append(("Date", text_of(now + self.skew)))
        if rng.random() < 0.1:
            fields.append(("Age", str(rng.choice([0, 3, 50]))))
        return fields

    def _make(self, request, now):
        rng = self.rng
        self.version += 1
        fields = [*self._policy(now), ("X-Version", str(self.version))]
        if rng.random() < 0.6:
            fields.append(("ETag", rng.choice(["", "W/"]) + f'"v{self.version}"'))
        if rng.random() < 0.5:
            fields.append(("Last-Modified", text_of(now + self.skew - rng.choice([20, 200, 10**6]))))
        if rng.random() < 0.3:
            fields.append(("Vary", rng.choice(VARY)))
        if rng.random() < 0.04:
            fields.append(("Set-Cookie", f"id={self.version}"))
        if rng.random() < 0.1:
            fields.append(("X-User", f"user{self.version}"))
        body = f"version {self.version} of {request.url} at {now:.0f}".encode()
        return Response(rng.choice(STATUSES), fields, body)

    def answer(self, request, now):
        """To what the cache sent; None: no answer, the connection ends."""
        rng = self.rng
        self.now = now
        if rng.random() < 0.03:
            return None
        if request.method not in ("GET", "HEAD"):
            return self._changed(request, now)
        varies = request.url.endswith(VARYING)   # of others one version is for all, whatever it says of Vary
        at = request.url, varies and (value(request, "accept-encoding"), value(request, "accept-language"))
        if at not in self.current or rng.random() < 0.3:
            self.current[at] = self._make(request, now)
        made = self.current[at]
        if made.status == 200 and (value(request, "if-none-match") or
                                   value(request, "if-modified-since")):
            if condition_holds(request, made):
                return self._not_modified(made, now)
        return self._part(request, made) or made

    def _changed(self, request, now):
        self.current = {at: r for at, r in self.current.items() if at[0] != request.url}
        self.version += 1
        fields = [("X-Version", str(self.version)), ("Date", text_of(now + self.skew))]
        if self.rng.random() < 0.5:
            where = self.rng.choice([urlsplit(self.base).path + "/a", "b", self.base + "/c", "http://elsewhere.test/d?x=1"])
            fields.append((self.rng.choice(["Location", "Content-Location"]), where))
        return Response(self.rng.choice([200, 204, 303, 400, 500]), fields, b"")

    def _not_modified(self, made, now):
        """Some of what it would say with 200, and a new policy; now and then it varies from now on."""
        same = [(n, v) for n, v in made.fields if n in ("ETag", "Vary", "Last-Modified")]
        if self.rng.random() < 0.25:
            same = [f for f in same if f[0] != "Vary"] + [("Vary", self.rng.choice(VARY))]
        return Response(304, same + self._policy(now))

    def _part(self, request, made):
        """206, from an origin that knows ranges; this one does half of the time."""
        wanted = ranges(request, len(made.body)) if made.status == 200 else None
        if not wanted or len(wanted) > 1 or value(request, "if-range") or self.version % 2:
            return None
        low, high = wanted[0]
        part = ("Content-Range", f"bytes {low}-{high}/{len(made.body)}")
        return Response(206, [*made.fields, part], made.body[low:high + 1])
