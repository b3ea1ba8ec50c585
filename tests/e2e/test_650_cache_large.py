"""Bodies that are larger than the memory of their cache: they go to the disk as they come, in constant memory, are
read from there by whoever is behind, and later by all, byte for byte.
"""
import resource
import signal
import threading

import pytest

from lib import metrics
from lib.caching import forward
from lib.client import Client, hard_reset
from lib.large import MB, Download, Large, block, digest
from lib.selection import BUILD
from lib.times import until

CACHE = "cache main { path store; size 1g; memory 16m; max-object 1g; }"


def fetch(daemon, large, *fields):
    with Download(daemon, large.url, *fields) as large.reader:
        return large.reader.read()


def counted(daemon, name):
    """Of the only cache's disk."""
    return next((value for key, value in metrics.read(daemon).items() if key.split()[0] == f"cache_disk_{name}"), None)


def written(daemon):
    return until(lambda: counted(daemon, "queued_bytes") == 0)


@pytest.fixture
def daemon(proxyd):
    """Whose disk may be slow: 32 MB of a body may wait for it."""
    daemon = proxyd(forward(CACHE.replace("16m", "128m"), extra=metrics.ADMIN))
    assert until(lambda: counted(daemon, "in_service") == 1), daemon.stderr()
    return daemon


def peak(daemon):
    """Bytes of memory that the process has had at most."""
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.slow("300 MB pass three times")
def test_300_mb_in_16(proxyd, origin):
    daemon = proxyd(forward(CACHE, extra=metrics.ADMIN))
    assert until(lambda: counted(daemon, "in_service") == 1), daemon.stderr()
    large = Large(origin, 300, written=lambda: written(daemon))
    before = peak(daemon)
    assert fetch(daemon, large).has(large)
    assert written(daemon)
    again = fetch(daemon, large)
    assert again.has(large) and large.asked() == 1 and daemon.wait_log("cache=disk")
    first, n = 150 * MB - 12345, 3 * MB + 1
    part = fetch(daemon, large, f"Range: bytes={first}-{first + n - 1}")
    assert part.status == 206 and part.has(large, first, n)
    assert BUILD != "release" or peak(daemon) - before < 40 * MB   # a sanitizer keeps what was freed


@pytest.mark.parametrize("length", [True, False], ids=["length", "no-length"])
def test_it_is_found_after_a_restart(daemon, origin, length):
    large = Large(origin, 5, length=length)
    if length:
        assert fetch(daemon, large).has(large)
    else:
        with Client(daemon.port) as client:   # it is in chunks
            assert len(client.get(large.url).body) == 5 * MB
    assert written(daemon)
    daemon.stop(signal.SIGTERM)
    daemon.start(forward(CACHE, extra=metrics.ADMIN))
    assert until(lambda: counted(daemon, "in_service") == 1), daemon.stderr()
    assert fetch(daemon, large).has(large) and large.asked() == 1
    several = fetch(daemon, large, "Range: bytes=0-9,3000000-3000009")   # as bytes: with text between
    assert several.status == 206 and several.n == int(several.fields["Content-Length"])


def test_readers_of_all_speeds_while_it_grows(daemon, origin):
    """The first one leaves at 60 %; one joins at once, one reads slowly, one comes when all but the end is there."""
    large = Large(origin, 20, hold=18)
    first = Download(daemon, large.url)
    first.read(12 * MB)
    quick, slow = Download(daemon, large.url), Download(daemon, large.url, rcvbuf=65536)
    quick.read(17 * MB)
    slow.read(MB, piece=65536)
    hard_reset(first.sock)
    late = Download(daemon, large.url)
    large.go.set()
    readers = [threading.Thread(target=r.read, kwargs=how)
               for r, how in ((quick, {}), (late, {}), (slow, {"piece": 65536, "pause": 0.001}))]
    for r in readers:
        r.start()
    for r in readers:
        r.join(30)
    assert quick.has(large) and late.has(large) and slow.has(large) and large.asked() == 1
    assert written(daemon) and fetch(daemon, large).has(large) and large.asked() == 1
    for r in (quick, slow, late):
        r.close()


def test_it_goes_on_when_its_client_leaves(daemon, origin):
    large = Large(origin, 10, hold=6)
    with Download(daemon, large.url) as only:
        only.read(6 * MB - 1)
        hard_reset(only.sock)
    assert daemon.wait_log("/large")
    large.go.set()
    assert until(lambda: fetch(daemon, large, "Cache-Control: only-if-cached").has(large))
    assert large.asked() == 1


def test_a_disk_that_takes_nothing(proxyd, origin):
    """The client has all of it, and what is too large for memory alone is not kept."""
    daemon = proxyd(forward(CACHE, extra=metrics.ADMIN),
                    limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
    assert until(lambda: counted(daemon, "in_service") == 1), daemon.stderr()
    large = Large(origin, 30)
    assert fetch(daemon, large).has(large)
    assert daemon.wait_log("cache=miss:no-room")
    assert fetch(daemon, large).has(large) and large.asked() == 2


def test_flipped_bits_cut_it(daemon, origin):
    """None of the part that has changed is given, once it is read anew; and the next one is from the origin."""
    large = Large(origin, 6)
    assert fetch(daemon, large).has(large)
    assert written(daemon)
    daemon.stop(signal.SIGTERM)
    segment = next((daemon.folder / "store").glob("seg-*"))
    raw = bytearray(segment.read_bytes())
    at = raw.index(block(4)[:64]) + 500000
    raw[at] ^= 1
    segment.write_bytes(raw)
    daemon.start(forward(CACHE, extra=metrics.ADMIN))
    assert until(lambda: counted(daemon, "in_service") == 1), daemon.stderr()
    cut = fetch(daemon, large)
    assert cut.n == 4 * MB and cut.sha.hexdigest() == digest(0, 4 * MB)
    assert "is not what was written" in daemon.stderr()
    assert fetch(daemon, large).has(large) and large.asked() == 2
