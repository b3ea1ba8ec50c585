"""Clients that have joined a large fetch whose copy is given up, for the disk is slower than the origin: they go on, by
slices that they share, and nothing is ever mixed.
"""
import resource
import threading

import pytest

from lib import metrics
from lib.caching import forward
from lib.client import hard_reset
from lib.daemon import run_command
from lib.large import MB, Download, Large
from lib.preload import preload
from lib.selection import BUILD
from lib.times import until

pytestmark = pytest.mark.threads
CACHE = "cache main { path store; size 1g; memory 16m; max-object 1g; }"
SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

/* A disk that takes some MB a second. */
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    usleep((useconds_t)(n / 10));
    return real(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    return pwrite(fd, p, n, at);
}
"""


def full_disk():
    return {"limits": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MB, MB))}


def start(proxyd, **how):
    daemon = proxyd(forward(CACHE, extra=metrics.ADMIN), **how)
    assert until(lambda: metrics.read(daemon).get("cache_disk_in_service main") == 1), daemon.stderr()
    return daemon


@pytest.fixture
def daemon(proxyd):
    """Whose disk takes nothing."""
    return start(proxyd, **full_disk())


def peak(daemon):
    """Bytes of memory that the process has had at most."""
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def join(daemon, large, n, *fields, **how):
    """One that begins it, and n more that have joined before the second MB comes."""
    first = Download(daemon, large.url, **how)
    return [first, *(Download(daemon, large.url, *fields, **how) for _ in range(n))]


def read_all(clients, large, pause=0.0):
    """The first one with a pause after each MB."""
    large.go.set()
    readers = [threading.Thread(target=c.read, kwargs={"pause": 0 if i else pause}) for i, c in enumerate(clients)]
    for r in readers:
        r.start()
    for r in readers:
        r.join(60)
    for c in clients:
        c.close()


@pytest.mark.slow("360 MB pass")
@pytest.mark.parametrize("disk", ["slow", "full"])
def test_all_of_them_go_on(proxyd, origin, tmp_path, disk):
    """Nine clients in two workers, 40 MB through 16 MB of memory. Most ranges are asked for once; those who are far
    behind find them gone, and ask again: never half of what nine fetches would be."""
    how = {"env": preload(tmp_path, "slow_disk", SLOW)} if disk == "slow" else full_disk()
    daemon = start(proxyd, **how)
    large = Large(origin, 40, hold=1, ranges=True)
    before = peak(daemon)
    clients = join(daemon, large, 8)
    read_all(clients, large)
    assert [c.has(large) for c in clients] == [True] * 9
    assert large.wholes == 1 and 20 <= len(set(large.pieces)) <= len(large.pieces) <= 4 * 40
    assert all(end - first == MB and first % MB == 0 for first, end in large.pieces)
    assert BUILD != "release" or peak(daemon) - before < 60 * MB   # a sanitizer keeps what was freed
    counts = metrics.calm(daemon)
    assert counts["cache_requests_total joined"] == 8 and counts["cache_not_stored_total no-room"] == 1
    said = run_command("cache", "--socket", str(daemon.folder / "control.sock"), "stat").stdout
    assert disk == "full" or "  on disk: 0 objects, " in said, said   # it has enough to do
    assert 8 * 40 * MB - len(large.pieces) * MB <= counts["cache_saved_bytes_total"] < 8 * 40 * MB


@pytest.mark.slow("100 MB pass")
def test_one_who_wants_a_part(daemon, origin):
    """It goes on within its range."""
    large = Large(origin, 24, hold=1, ranges=True)
    first, n = MB // 2 + 7, 20 * MB
    clients = join(daemon, large, 3, f"Range: bytes={first}-{first + n - 1}")
    read_all(clients, large)
    assert clients[0].has(large) and all(c.status == 206 and c.has(large, first, n) for c in clients[1:])
    assert large.wholes == 1 and max(end for _, end in large.pieces) <= 21 * MB


def test_a_disk_that_is_waited_for(proxyd, origin, tmp_path):
    """Nobody could go on without a validator, so for two seconds it is fetched no faster than the disk takes it. Alone
    nobody waits."""
    daemon = start(proxyd, env=preload(tmp_path, "slow_disk", SLOW.replace("n / 10", "n / 25")))
    alone = Large(origin, 24, path="/alone", etag=None)
    with Download(daemon, alone.url) as client:
        assert client.read().has(alone)
    assert daemon.wait_log("/alone").get("cache") == "miss:no-room"
    assert until(lambda: metrics.read(daemon)["cache_disk_queued_bytes main"] == 0)
    large = Large(origin, 24, hold=1, etag=None)
    clients = join(daemon, large, 3)
    read_all(clients, large)
    assert all(c.has(large) for c in clients) and large.wholes == 1


def test_the_end_does_not_wait_for_the_disk(proxyd, origin, tmp_path):
    """What waits for it, a second of writing, is not kept; and no thread hangs."""
    daemon = start(proxyd, env=preload(tmp_path, "slow_disk", SLOW.replace("n / 10", "n / 4")))
    for i in range(4):
        large = Large(origin, 1, path=f"/{i}")
        large.go.set()
        with Download(daemon, large.url) as client:
            assert client.read().has(large)
    assert metrics.read(daemon)["cache_disk_objects main"] < 4
    daemon.stop()
    assert "left behind" not in daemon.stderr()


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', None])
def test_the_first_one_has_left(daemon, origin, etag):
    """It is fetched for the others alone, who go on when that is given up: or at their own pace, where nobody could tell
    that slices are of the same bytes."""
    large = Large(origin, 24, hold=1, ranges=True, etag=etag)
    clients = join(daemon, large, 3)
    hard_reset(clients.pop(0).sock)
    assert daemon.wait_log("/large")
    read_all(clients, large)
    assert all(c.has(large) for c in clients) and large.wholes == 1
    assert bool(large.pieces) == (etag == '"1"')


@pytest.mark.slow("40 MB pass, and two seconds for who does not read")
@pytest.mark.parametrize("first,length", [("stays", True), ("leaves", True), ("leaves", False)])
def test_the_pace_of_those_who_read(daemon, origin, first, length):
    """Nothing of it is on disk, and no slices can be. One of those who have joined does not read: the others wait for it
    a while, and get all of it; it does not."""
    large = Large(origin, 40, hold=1, length=length, etag=None)
    before = peak(daemon)
    clients = join(daemon, large, 4, version="1.1" if length else "1.0")
    lazy = clients.pop()
    if first == "leaves":
        hard_reset(clients.pop(0).sock)
        assert daemon.wait_log("/large")
    read_all(clients, large, 0.03)
    assert all(c.has(large) for c in clients) and large.wholes == 1 and not large.pieces
    assert BUILD != "release" or peak(daemon) - before < 40 * MB
    assert lazy.read().is_cut(large)
    assert metrics.calm(daemon)["cache_objects main"] == 0


@pytest.mark.parametrize("why", ["another", "coded", "no-ranges", "refused"])
def test_where_it_cannot_go_on(daemon, origin, why):
    """All but the first are cut, with nothing in them that is not of that object; and nobody insists."""
    large = Large(origin, 24, hold=1, ranges=why != "no-ranges")
    clients = join(daemon, large, 3)
    if why == "another":
        large.change('"2"')
    large.of_pieces = ["Content-Encoding: gzip"] if why == "coded" else []
    large.refuses = "403 Forbidden" if why == "refused" else None
    read_all(clients, large)
    assert clients[0].has(large) and all(c.is_cut(large) for c in clients[1:])
    assert large.wholes + len(large.pieces) <= {"refused": 4}.get(why, 2)


@pytest.mark.slow("the pauses between tries")
@pytest.mark.parametrize("status", ["503 Service Unavailable", ""])
@pytest.mark.parametrize("fails", ["for a while", "for good"])
def test_an_origin_that_fails(daemon, origin, status, fails):
    """A slice is asked for four times, with longer and longer pauses, by one for all who want it; then they are cut."""
    large = Large(origin, 24, hold=1, ranges=True)
    clients = join(daemon, large, 8)
    large.refuses, large.refusals = status, 3 if fails == "for a while" else None
    read_all(clients, large)
    assert clients[0].has(large) and large.wholes == 1
    if fails == "for a while":
        assert all(c.has(large) for c in clients)
    else:
        assert all(c.is_cut(large) for c in clients[1:])
        times = [when for when, piece in zip(large.times, large.pieces) if piece == large.pieces[0]]
        assert len(large.pieces) <= 16 and times[-1] - times[-4] > 1.2   # not four by each
