"""Random requests, answers, steps of the clock and restarts, held against the model of RFC 9111
(lib/cache_model.py): whatever the cache answers without asking must be allowed.

CACHE_SEED=7 tells one story again, CACHE_STORIES=1000 tells more of them than a test run does.
"""
import mmap
import os
import random
import struct
import threading
import time

import pytest

from lib import metrics
from lib.cache_model import Model, Request, Response
from lib.cache_world import World
from lib.caching import forward
from lib.client import Client
from lib.daemon import run_command
from lib.origin import close, read_body
from lib.preload import preload
from lib.times import until

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
#: Two clocks that are read one after the other.
SLACK = 2


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


class Story:
    """A world whose origin is asked by a real proxy; `asked` is what came since it was taken last."""

    def __init__(self, seed, origin, clock):
        self.clock, self.origin, self.lock = clock, origin, threading.Lock()
        self.world = World(random.Random(seed), origin.url("").rstrip("/"), clock.now())
        self.model, self.came = Model(slack=SLACK), []
        for path in ("/a", "/b", "/c", "/d?x=1"):
            origin.at(path, read_body(), self.answer)

    def answer(self, conn):
        seen, before = conn.current, self.clock.now()
        fields = [(n.decode(), v.decode()) for n, v in seen.fields if n.lower() not in (b"host", b"via")]
        request = Request(seen.method, self.world.base + seen.target, fields)
        with self.lock:
            response = self.world.answer(request, before)
            self.came.append((request, response, before, before))
        if response is None:
            close()(conn)
        raw = wire(response)
        conn.sock.sendall(raw if seen.method != "HEAD" else raw[:raw.index(b"\r\n\r\n") + 4])

    def asked(self):
        with self.lock:
            came, self.came = self.came, []
        return came

    def exchange(self, client):
        request = self.world.request()
        got = client.get(request.url, *(f"{n}: {v}" for n, v in request.fields), method=request.method)
        fields = [(n.decode(), v.decode("latin-1")) for n, v in got.fields]
        answer, asked = Response(got.status, fields, got.body), self.asked()
        for late in (a for a in asked if a[0].url != request.url and a[1]):   # validated behind another answer
            self.model.learn(*late)
        asked = [a for a in asked if a[0].url == request.url]
        wrong = self.model.exchange(request, answer, asked, self.clock.now())
        return (request, answer, asked, wrong) if wrong else None


def tell(seed, daemon, origin, clock, exchanges, restart=None):
    """The first thing that is wrong, or None. `restart`: called now and then."""
    origin.clear()
    story = Story(seed, origin, clock)
    for number in range(exchanges):
        clock.step(story.world.step())
        if restart and story.world.rng.random() < 0.08:
            restart()
        with Client(daemon.port) as client:
            wrong = story.exchange(client)
        if wrong:
            return seed, number, wrong
        # What is validated behind the client's back is over before the next one.
        assert until(lambda: metrics.read(daemon)["requests_in_flight"] == 0)
    return None


@pytest.mark.slow("tells stories of hundreds of exchanges")
def test_nothing_is_answered_that_may_not_be(proxyd, origin, tmp_path):
    clock = Clock(tmp_path)
    daemon = proxyd(forward("cache main { memory 1m; }", extra=metrics.ADMIN), env=clock.env)
    first = int(os.environ.get("CACHE_SEED", "1"))
    stories = 1 if "CACHE_SEED" in os.environ else int(os.environ.get("CACHE_STORIES", "5"))
    before = metrics.read(daemon)
    for seed in range(first, first + stories):
        wrong = tell(seed, daemon, origin, clock, 120)
        assert wrong is None, "\n".join(map(repr, (wrong[0], wrong[1], *wrong[2])))
        run_command("cache", "--socket", str(daemon.folder / "control.sock"), "purge", "--all")
    grown = metrics.grown(daemon, before)
    assert grown["cache_requests_total hit"] > 5 * stories - 10   # and it is a cache


@pytest.mark.slow("tells stories in which the proxy is started again and again")
def test_nor_after_a_restart(proxyd, origin, tmp_path):
    """What is on disk is answered as if the proxy had run all the time; and it is a disk that is looked at."""
    clock, from_disk = Clock(tmp_path), []
    text = forward("cache main { memory 1m; path store; size 64m; }", extra=metrics.ADMIN)
    daemon = proxyd(text, env=clock.env)

    def in_service():
        assert until(lambda: metrics.read(daemon).get("cache_disk_in_service main") == 1)

    def restart():
        assert until(lambda: metrics.read(daemon)["cache_disk_queued_bytes main"] == 0)
        from_disk.append(metrics.read(daemon)["cache_requests_total disk"])
        if len(from_disk) % 2:
            daemon.stop()
        else:
            daemon.kill()
        daemon.start(text, env=clock.env)
        in_service()
    in_service()
    first = int(os.environ.get("CACHE_SEED", "101"))
    for seed in range(first, first + (1 if "CACHE_SEED" in os.environ else int(os.environ.get("CACHE_STORIES", "2")))):
        wrong = tell(seed, daemon, origin, clock, 120, restart)
        assert wrong is None, "\n".join(map(repr, (wrong[0], wrong[1], *wrong[2])))
        run_command("cache", "--socket", str(daemon.folder / "control.sock"), "purge", "--all")
    assert sum(from_disk) > 1
