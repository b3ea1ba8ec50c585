"""Random requests, answers, steps of the clock and restarts, held against the model of RFC 9111
(lib/cache_model.py): whatever the cache answers without asking must be allowed.

A story is told by eight voices, each with a client, an origin and a model of its own. They share the proxy,
its clock and its restarts, so that waking the other processes is paid for once for eight exchanges. A seed
says all of a story. In each run one stays, and as long as there is time new ones follow; what fails says how to tell it again.

    CACHE_SEED=7 /usr/bin/python3 -m pytest tests/e2e/test_630_cache_random.py -k restart   one story again
    CACHE_SECONDS=1800 /usr/bin/python3 -m pytest -s tests/e2e/test_630_cache_random.py     new ones, so long in each way
"""
import math
import mmap
import os
import random
import struct
import threading
import time

import pytest

from lib import metrics
from lib.cache_model import Model, Request, Response, value
from lib.cache_world import PATHS, STEPS, World
from lib.caching import forward
from lib.client import Client, request as raw_request
from lib.origin import close, read_body
from lib.preload import preload
from lib.times import until

pytestmark = pytest.mark.threads

#: The wall clock goes on by as much as stands in a file.
_CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static volatile long *shift;
__attribute__((constructor)) static void open_it(void)
{
    int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);
    shift = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
}
int clock_gettime(clockid_t id, struct timespec *t)
{
    int r = (int)syscall(SYS_clock_gettime, id, t);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        t->tv_sec += *shift;
    return r;
}
"""
#: Two clocks that are read one after the other, and one of them in whole seconds.
SLACK = 1
VOICES, ROUNDS = 8, 60


class Clock:
    def __init__(self, folder):
        path = folder / "shift"
        path.write_bytes(bytes(8))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 8)
        self.shift = 0
        self.env = preload(folder, "clock", _CLOCK) | {"CLOCK_SHIFT": str(path)}

    def step(self, seconds):
        self.shift += seconds
        self.map[:] = struct.pack("l", self.shift)

    def now(self):
        return time.time() + self.shift


def wire(response):
    lines = [f"HTTP/1.1 {response.status} X", *(f"{n}: {v}" for n, v in response.fields)]
    if response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body)}")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head if response.status in (204, 304) else head + response.body


def say(message):
    """In a line, for whoever has to find out who is wrong."""
    if message is None:
        return "no answer"
    start = f"{message.method} {message.url}" if isinstance(message, Request) else f"{message.status} {message.body!r}"
    return f"{start} {{{', '.join(f'{n}: {v}' for n, v in message.fields)}}}"


class Voice:
    """A world whose clients ask a real proxy, and that its origin; and what they have seen of each other."""

    def __init__(self, rng, origin, path, clock):
        self.clock, self.lock = clock, threading.Lock()
        self.world = World(rng, origin.url(path), clock.now())
        self.model, self.came, self.client, self.request = Model(slack=SLACK), [], None, None
        self.began = 0   # of the exchange, seconds since 1970
        self.told = []   # (seconds since 1970, request, answer, what the origin was asked)
        for p in PATHS:
            origin.at(path + p, read_body(), self.answer)

    def answer(self, conn):
        seen, now = conn.current, self.clock.now()
        fields = [(n.decode(), v.decode()) for n, v in seen.fields if n.lower() not in (b"host", b"via")]
        request = Request(seen.method, "http://" + seen.get("Host") + seen.target, fields)
        with self.lock:
            response = self.world.answer(request, now)
            self.came.append((request, response, self.began, now))
        if response is None:
            close()(conn)
        raw = wire(response)
        conn.sock.sendall(raw if seen.method != "HEAD" else raw[:raw.index(b"\r\n\r\n") + 4])

    def asked(self):
        """What the origin was asked since this was called last."""
        with self.lock:
            came, self.came = self.came, []
        return came

    def ask(self, port):
        r = self.world.request()
        self.request, self.began = r, self.clock.now()
        self.client = self.client or Client(port)
        self.client.send(raw_request(r.url, *(f"{n}: {v}" for n, v in r.fields), method=r.method))

    def hear(self):
        """(the answer, what the origin was asked for it, what is wrong with it)"""
        got = self.client.response(self.request.method)
        if got.end or (got.get("Connection") or "").lower() == "close":
            self.hang_up()
        fields = [(n.decode(), v.decode("latin-1")) for n, v in got.fields]
        answer, came, heard = Response(got.status, fields, got.body), self.asked(), self.clock.now()
        asked = [a for a in came if a[0].url == self.request.url]
        self.learn([a for a in came if a[0].url != self.request.url])
        self.told.append((self.began, self.request, answer, asked))
        return answer, asked, self.model.exchange(self.request, answer, asked, self.began, heard=heard)

    def so_far(self):
        """What was said of the URL that was asked for last, and what may have changed it."""
        about = [t for t in self.told if t[1].url == self.request.url or t[1].method not in ("GET", "HEAD")]
        lines = []
        for now, request, answer, asked in about:
            lines += [f"{now:.1f} {say(request)}", *(f"    {say(a)} -> {say(b)}" for a, b, *_ in asked), f"  {say(answer)}"]
        return "\n".join(lines)

    def learn(self, late):
        """What was validated behind an answer."""
        for asked in late:
            if asked[1]:
                self.model.learn(*asked)

    def hang_up(self):
        if self.client:
            self.client.close()
        self.client = None


class Stage:
    """Where stories are told; it counts them."""

    def __init__(self, daemon, origin, clock):
        self.daemon, self.origin, self.clock = daemon, origin, clock
        self.stories = self.exchanges = self.from_store = 0

    def round(self, voices):
        """An exchange of each voice, and the first thing that is wrong with one."""
        behind, wrong = False, None
        for voice in voices:
            voice.ask(self.daemon.port)
        for voice in voices:
            answer, asked, why = voice.hear()
            self.exchanges += 1
            self.from_store += not asked and answer.status < 500
            said = [value(answer, name) or "" for name in ("cache-status", "cache-control")]
            behind |= "ttl=-" in said[0] and "stale-while-revalidate" in said[1]
            if why and not wrong:
                wrong = "\n".join([*why, voice.so_far()])
        # What is validated behind a client's back is over before its next request.
        assert not behind or until(lambda: metrics.read(self.daemon)["requests_in_flight"] == 0)
        for voice in voices:
            voice.learn(voice.asked())
        return wrong

    def tell(self, seed, restart=None, end=math.inf):
        """A story to its end, to that of the time, or to the first thing that is wrong, which it gives. `restart`:
        called now and then."""
        print(f"story CACHE_SEED={seed}, after {self.exchanges} exchanges")
        rng = random.Random(seed)
        self.origin.clear()
        self.origin.unscript()
        voices = [Voice(random.Random(f"{seed} {i}"), self.origin, f"/{seed}/{i}", self.clock) for i in range(VOICES)]
        self.stories += 1
        for number in range(ROUNDS):
            if time.monotonic() > end:
                break
            self.clock.step(rng.choices(*STEPS)[0])
            if restart and rng.random() < 0.05:
                for voice in voices:
                    voice.hang_up()
                restart(rng)
            elif rng.random() < 0.3:   # to another worker, perhaps
                rng.choice(voices).hang_up()
            wrong = self.round(voices)
            if wrong:
                return f"CACHE_SEED={seed} tells it again, in round {number}:\n{wrong}"
        for voice in voices:
            voice.hang_up()
        return None

    def tell_all(self, fixed, restart=None):
        """The one that is asked for; or the fixed one, and others as long as there is time."""
        end = time.monotonic() + float(os.environ.get("CACHE_SECONDS", "10"))
        wrong = self.tell(int(os.environ.get("CACHE_SEED", fixed)), restart)
        new = random.SystemRandom().randrange(10**6, 10**9)
        while not wrong and "CACHE_SEED" not in os.environ and time.monotonic() < end:
            wrong = self.tell(new, restart, end)
            new += 1
        assert wrong is None, wrong
        assert self.from_store > self.exchanges / 10   # and it is a cache
        print(f"{self.stories} stories, {self.exchanges} exchanges, {self.from_store} of them answered from the store")


@pytest.mark.slow("tells stories for ten seconds")
def test_nothing_is_answered_that_may_not_be(proxyd, origin, tmp_path):
    clock = Clock(tmp_path)
    daemon = proxyd(forward("cache main { memory 1m; }", extra=metrics.ADMIN), env=clock.env)
    Stage(daemon, origin, clock).tell_all(fixed=1)


@pytest.mark.slow("tells stories for ten seconds, in which the proxy is started again and again")
def test_nor_after_a_restart(proxyd, origin, tmp_path):
    """What is on disk is answered as if the proxy had run all the time; and it is a disk that is looked at."""
    clock, from_disk = Clock(tmp_path), []
    text = forward("cache main { memory 1m; path store; size 64m; }", extra=metrics.ADMIN)
    daemon = proxyd(text, env=clock.env)

    def in_service():
        assert until(lambda: metrics.read(daemon).get("cache_disk_in_service main") == 1)

    def restart(rng):
        assert until(lambda: metrics.read(daemon)["cache_disk_queued_bytes main"] == 0)
        from_disk.append(metrics.read(daemon)["cache_requests_total disk"])
        if rng.random() < 0.5:
            daemon.stop()
        else:
            daemon.kill()
        daemon.start(text, env=clock.env)
        in_service()
    in_service()
    Stage(daemon, origin, clock).tell_all(fixed=101, restart=restart)
    assert sum(from_disk) > 1
    print(f"{len(from_disk)} restarts, {sum(from_disk)} answers from the disk")
