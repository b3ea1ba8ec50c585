"""What a cache keeps on disk: found again after a restart and a crash, byte for byte; never what was purged,
changed, torn, or is another's; and a disk that fails costs nothing but what it would have kept.
"""
import os
import pathlib
import re
import resource
import shutil
import signal
import threading
import time

import pytest

from lib import conf, metrics
from lib.caching import answer, asked, forward, get, heard, is_hit, status
from lib.client import Client, request
from lib.daemon import run_command
from lib.origin import ok, read_body
from lib.preload import preload
from lib.times import Stopwatch, until, within

CACHE = "cache main { path store; size 64m; memory 8m; }"
FRESH = "Cache-Control: max-age=600"


def config(cache=CACHE, **more):
    rules = f"allow all {{ to *; reach {conf.CLASSES}; cache {{ purge 127.0.0.1; }} }}"
    return forward(cache, extra=metrics.ADMIN, rules=rules, **more)


def disk(daemon):
    """Of its only cache: {"objects": …} of the metrics of the disk."""
    prefix = 'cache_disk_'
    return {name[len(prefix):].split()[0]: value for name, value in metrics.read(daemon).items()
            if name.startswith(prefix)}


class Stand:
    """A daemon with a cache on disk that can be started again, and an origin."""

    def __init__(self, proxyd, origin, text=None, **how):
        self.origin, self.text, self.how = origin, text or config(), how
        self.daemon = proxyd(self.text, **how)
        self.store = self.daemon.folder / "store"
        self.ready()

    def ready(self):
        assert until(lambda: disk(self.daemon).get("in_service") == 1), self.daemon.stderr()

    def serve(self, path, *raw):
        left = list(raw)

        def say(conn):
            conn.sock.sendall(left.pop(0) if len(left) > 1 else left[0])
        self.origin.at(path, read_body(), say)
        return self.origin.url(path)

    def get(self, url, *fields, **more):
        return get(self.daemon, url, *fields, **more)

    def asked(self, path):
        return len(asked(self.origin, path))

    def written(self):
        """Until nothing is on its way to the disk any more."""
        assert until(lambda: disk(self.daemon)["queued_bytes"] == 0)

    def purge(self, *what):
        return run_command("cache", "--socket", str(self.daemon.folder / "control.sock"), "purge", *what)

    def start(self):
        self.daemon.start(self.text, **self.how)
        self.ready()

    def restart(self, number=signal.SIGTERM):
        self.daemon.stop(number)
        self.start()

    def crash(self):
        self.written()
        self.daemon.kill()
        self.start()

    def segments(self):
        return sorted(self.store.glob("seg-*"))


@pytest.fixture
def stand(proxyd, origin):
    return Stand(proxyd, origin)


# -- found again --------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["restart", "crash"])
def test_it_is_found_again(stand, how):
    body = bytes(range(256)) * 200
    url = stand.serve("/a", answer(body, FRESH, 'ETag: "1"', "X-Own: \xe9 x", ago=100))
    first = stand.get(url)
    getattr(stand, how)()
    again, thereafter = stand.get(url), stand.get(url)
    assert is_hit(again) and again.body == first.body == body and stand.asked("/a") == 1
    assert [again.get(f) for f in ("ETag", "X-Own", "Date")] == [first.get(f) for f in ("ETag", "X-Own", "Date")]
    assert 100 <= int(again.get("Age")) <= 110 and 480 <= int(status(again)["ttl"]) <= 500
    assert stand.daemon.wait_log("cache=disk").get("cache") == "disk"
    assert stand.daemon.wait_log("cache=hit")   # it is in memory now
    assert thereafter.body == body


def test_what_has_become_stale_meanwhile_is_validated(stand):
    url = stand.serve("/a", answer("one", "Cache-Control: max-age=1", 'ETag: "1"'),
                      ok("", 'ETag: "1"', FRESH, status="304 Not Modified"))
    stand.get(url)
    stand.restart()
    time.sleep(1.1)
    again = stand.get(url)
    assert again.body == b"one" and status(again)["fwd-status"] == "304"
    assert asked(stand.origin, "/a")[-1].get("If-None-Match") == '"1"'
    stand.restart()   # and the new head is there, too
    third = stand.get(url)
    assert is_hit(third) and third.body == b"one" and int(status(third)["ttl"]) > 500


def test_variants(stand):
    for coding, body in (("gzip", "zipped"), ("br", "brotli")):
        url = stand.serve("/v", answer(body, FRESH, "Vary: Accept-Encoding"))
        assert stand.get(url, f"Accept-Encoding: {coding}").body == body.encode()
    url = stand.serve("/v", answer("other", FRESH, "Vary: Accept-Encoding"))
    stand.restart()
    for coding, body in (("x", b"other"), ("gzip", b"zipped"), ("br", b"brotli")):
        got = stand.get(url, f"Accept-Encoding: {coding}")
        assert got.body == body and status(got).get("fwd", "none") == ("vary-miss" if coding == "x" else "none")


@pytest.mark.parametrize("size", [10, 50000])
def test_a_304_makes_it_vary(stand, size):
    """What lies on disk without the new `Vary` is for nobody any more, as long as it would have been fresh."""
    url = stand.serve("/v", answer(b"x" * size, FRESH, 'ETag: "a"'),
                      ok("", 'ETag: "a"', FRESH, "Vary: X-Kind", status="304 Not Modified"))
    stand.get(url, "X-Kind: 1")
    stand.written()
    assert status(stand.get(url, "X-Kind: 2", "Cache-Control: no-cache"))["fwd-status"] == "304"
    stand.serve("/v", answer("other", "Cache-Control: no-store", "Vary: X-Kind"))

    def is_for_one_alone():
        for fields in ([], ["X-Kind: 1"], ["X-Kind: 3"]):
            assert stand.get(url, *fields).body == b"other", fields
        got = stand.get(url, "X-Kind: 2")
        assert is_hit(got) and got.body == b"x" * size
    is_for_one_alone()
    stand.crash()
    is_for_one_alone()


def test_head_conditions_and_ranges(stand):
    url = stand.serve("/a", answer("0123456789", FRESH, 'ETag: "1"'))
    cases = [(("Range: bytes=2-4",), "GET", 206, b"234"), (('If-None-Match: "1"',), "GET", 304, b""),
             ((), "HEAD", 200, b""), (("Range: bytes=20-",), "GET", 416, b"")]
    stand.get(url)
    for fields, method, code, body in cases:
        stand.restart()
        got = stand.get(url, *fields, method=method)
        assert (got.status, got.body) == (code, body) and is_hit(got)
    assert stand.asked("/a") == 1


def test_with_credentials_that_were_let_share(stand):
    url = stand.serve("/a", answer("x", "Cache-Control: public, max-age=600"))
    stand.get(url, "Authorization: Basic YTpi")
    stand.restart()
    assert is_hit(stand.get(url))


def test_an_answer_without_body(stand):
    url = stand.serve("/a", answer("", FRESH, status="404 Not Found"))
    stand.get(url)
    stand.restart()
    got = stand.get(url)
    assert is_hit(got) and got.status == 404 and got.body == b""


def test_what_left_memory_is_on_disk(proxyd, origin):
    stand = Stand(proxyd, origin, config(CACHE.replace("memory 8m", "memory 1m")))
    urls = [stand.serve(f"/{i}", answer(bytes([i]) * 60000, FRESH)) for i in range(40)]
    for url in urls:
        stand.get(url)
        stand.written()
    for i, url in enumerate(urls):
        got = stand.get(url)
        assert got.body == bytes([i]) * 60000 and is_hit(got), i
    assert len(stand.origin.requests) == 40


def test_many_at_once_read_it_once(stand):
    url = stand.serve("/a", answer(b"x" * 50000, FRESH))
    stand.get(url)
    stand.restart()
    for segment in stand.segments():   # out of the system's memory, so that somebody has to wait
        with open(segment, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    got = [None] * 12

    def ask(i):
        got[i] = stand.get(url)
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(got))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(g.body == b"x" * 50000 for g in got)
    assert stand.asked("/a") == 1, disk(stand.daemon)


def test_it_is_shown(stand):
    for coding in ("gzip", "br"):
        url = stand.serve("/v", answer("12345", FRESH, "Vary: Accept-Encoding", "Cache-Tag: one", ago=100))
        stand.get(url, f"Accept-Encoding: {coding}")
    stand.restart()
    done = run_command("cache", "--socket", str(stand.daemon.folder / "control.sock"), "show", url)
    memory, there = done.stdout.split("cache main, on disk:\n")
    assert memory == "cache main:\n  nothing is kept\n"
    line = r"  200, 5 bytes, age 10\d s, fresh for [45]\d\d s, from 127.0.0.1:\d+, by accept-encoding, tags one\n"
    assert re.fullmatch(line * 2, there), there
    told = run_command("cache", "--socket", str(stand.daemon.folder / "control.sock"), "why", "GET", url, "--header", "Accept-Encoding: br").stdout
    said = [line.split(": ", 1)[1] for line in told.splitlines() if line.startswith("    this request")]
    assert sorted(said)[1] == "another variant, by accept-encoding (vary-miss)" and "; hit; ttl=" in sorted(said)[0]
    assert "  on disk: 2 objects, " in run_command("cache", "--socket", str(stand.daemon.folder / "control.sock"), "stat").stdout


# -- taken out ------------------------------------------------------------------------------------------

def purge_of(what):
    def do(stand, url):
        assert stand.purge(*{"url": [url], "prefix": ["--prefix", url[:-1]], "all": ["--all"]}[what]).returncode == 0
    return do


def change(stand, url):
    stand.get(url, "Content-Length: 0", method="POST")


def soft(stand, url):
    """It is there, but validated, and then it is another one."""
    assert stand.purge("--soft", url).returncode == 0


def tag(stand, url):
    assert stand.purge("--tag", "one").returncode == 0


def purge(stand, url):
    assert stand.get(url, method="PURGE").status == 200


TAKE_OUT = {"PURGE": purge, "tag": tag, "soft": soft, "url": purge_of("url"), "prefix": purge_of("prefix"), "all": purge_of("all"), "POST": change}


@pytest.mark.parametrize("how", ["restart", "crash"])
@pytest.mark.parametrize("what", TAKE_OUT)
def test_what_was_taken_out_stays_away(stand, what, how):
    url = stand.serve("/gone/a", answer("old", FRESH, "Cache-Tag: two, one", 'ETag: "1"'))
    kept = stand.serve("/kept", answer("kept", FRESH))
    stand.get(url)
    stand.get(kept)
    stand.restart()   # so that it is on disk alone
    TAKE_OUT[what](stand, url)
    stand.serve("/gone/a", answer("new", "Cache-Control: no-store"))
    assert stand.get(url).body == b"new"
    getattr(stand, how)()
    assert stand.get(url).body == b"new"
    assert is_hit(stand.get(kept)) == (what != "all")


def test_a_soft_purge_of_one_url_is_about_that_one(stand):
    urls = [stand.serve(path, answer("x", FRESH)) for path in ("/soft", "/soft/er", "/softer")]
    for url in urls:
        stand.get(url)
    stand.restart()
    soft(stand, urls[0])
    stand.crash()
    assert [is_hit(stand.get(url)) for url in urls] == [False, True, True]


def test_thousands_of_purges(proxyd, origin):
    """Each is taken, whatever is in force; when they have been applied none is, and all hold, then and after kill -9."""
    stand = Stand(proxyd, origin, config().replace(metrics.ADMIN, "admin { bind 127.0.0.1:{admin_port}; purge 127.0.0.1; }"))
    urls = [stand.serve(f"/{n}", answer("old", FRESH, f"Surrogate-Key: all item-{n}")) for n in range(30)]
    for url in urls:
        stand.get(url)
    stand.restart()   # on disk alone
    for n in range(3000):
        item = n // 150 if n % 150 == 0 else f"none-{n}"   # the first 20 of them
        with Client(stand.daemon.ports["admin_port"]) as client:
            got = client.ask(request(f"/cache/purge?tag=item-{item}", "X-Requested-With: x", host="127.0.0.1", method="POST"))
        assert got.body == b"cache main: 0 taken out in memory, and all such on disk\n"
    kept = [False] * 20 + [True] * 10
    assert until(lambda: disk(stand.daemon)["bans"] < 1024)
    stand.crash()
    assert until(lambda: disk(stand.daemon)["bans"] < 1024)
    for n in range(30):
        stand.serve(f"/{n}", answer("new", "Cache-Control: no-store"))
    assert [is_hit(stand.get(url)) for url in urls] == kept


def test_a_purge_holds_for_what_is_kept_later_not(stand):
    url = stand.serve("/a", answer("old", FRESH), answer("new", FRESH))
    stand.get(url)
    stand.purge("--all")
    assert stand.get(url).body == b"new"
    stand.restart()
    got = stand.get(url)
    assert is_hit(got) and got.body == b"new"


def test_what_a_304_takes_back_is_not_found_on_disk(stand):
    url = stand.serve("/a", answer("old", FRESH, 'ETag: "1"'),
                      b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: private\r\n\r\n',
                      answer("new", "Cache-Control: no-store"))
    stand.get(url)
    stand.written()
    assert stand.get(url, "Cache-Control: no-cache").body == b"old"
    assert stand.get(url).body == b"new"
    stand.crash()
    assert stand.get(url).body == b"new"


def test_a_departure_is_for_its_rule_after_a_restart(proxyd, origin):
    """And `cache show` names the rule that has it kept, once it is in memory again."""
    stand = Stand(proxyd, origin, forward(CACHE, extra=metrics.ADMIN, rules="""
        allow mine { from 127.0.0.1; reach loopback; cache { ignore private; } } allow rest { reach loopback; }"""))
    url = stand.serve("/a", answer("x", FRESH + ", private"))
    stand.get(url)
    stand.restart()
    with Client(stand.daemon.port, source="127.0.0.2") as other:
        assert not is_hit(other.get(url))
    assert is_hit(stand.get(url)) and stand.asked("/a") == 2
    said = run_command("cache", "--socket", str(stand.daemon.folder / "control.sock"), "show", url).stdout
    assert "kept by what the rule or route mine says" in said


@pytest.mark.parametrize("what", ["url", "prefix", "POST"])
def test_what_is_taken_out_while_it_comes_is_not_written(stand, what):
    """The purge finds it in memory, half of it; the disk gets it when it is whole."""
    more = threading.Event()

    def say(conn):
        raw = answer("x" * 20000, FRESH)
        if conn.current.method == "GET":
            conn.sock.sendall(raw[:-10])
            more.wait(within(5))
            conn.sock.sendall(raw[-10:])
        else:
            conn.sock.sendall(ok("done"))
    stand.origin.at("/gone/a", read_body(), say)
    url = stand.origin.url("/gone/a")
    with Client(stand.daemon.port) as client:
        client.send(request(url))
        assert until(lambda: b"200 OK" in heard(client))
        TAKE_OUT[what](stand, url)
        more.set()
        assert client.response().body == b"x" * 20000
    stand.restart()
    assert not is_hit(stand.get(url)) and stand.asked("/gone/a") == (3 if what == "POST" else 2)


# -- a disk that fails ----------------------------------------------------------------------------------

def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 0x10]))


@pytest.mark.parametrize("running", [True, False])
def test_flipped_bits_are_never_served(stand, running):
    bodies = {f"/{i}": os.urandom(5000) for i in range(20)}
    urls = {p: stand.serve(p, answer(b, FRESH)) for p, b in bodies.items()}
    for url in urls.values():
        stand.get(url)
    stand.restart()
    if not running:
        stand.daemon.stop()
    [segment] = [s for s in stand.segments() if s.stat().st_size > 50000]
    for at in range(2000, segment.stat().st_size, 9000):
        flip(segment, at)
    if not running:
        stand.start()
    got = {p: stand.get(url) for p, url in urls.items()}
    assert {p: g.body for p, g in got.items()} == bodies
    assert len(stand.origin.requests) > 20
    if running:
        assert disk(stand.daemon)["read_errors_total"] > 0
        assert stand.daemon.stderr().count("what was read is not what was written") == 1


def test_verify(stand):
    def verify():
        return run_command("cache", "--socket", str(stand.daemon.folder / "control.sock"), "verify").stdout
    for i in range(5):
        stand.get(stand.serve(f"/{i}", answer(os.urandom(5000), FRESH)))
    stand.restart()
    assert verify().startswith("cache main: 5 read, ") and ", 0 bad and forgotten" in verify()
    [segment] = [s for s in stand.segments() if s.stat().st_size > 20000]
    flip(segment, 8000)
    assert ", 1 bad and forgotten\n" in verify() and verify().startswith("cache main: 4 read, ")


def test_verify_without_a_disk(proxyd):
    daemon = proxyd(forward())
    ran = run_command("cache", "--socket", str(daemon.folder / "control.sock"), "verify")
    assert ran.stdout == "cache main: nothing is kept on disk\n"


def test_one_folder_has_one_process(proxyd, origin):
    one = Stand(proxyd, origin)
    other = proxyd(config(CACHE.replace("path store", f"path {one.store}")))
    assert until(lambda: f"{one.store}: another process has it" in other.stderr())
    url = one.serve("/a", answer("x", FRESH))
    assert get(other, url).body == b"x" and is_hit(get(other, url)) and disk(other)["in_service"] == 0


def test_the_next_process_has_the_folder_once_this_one_drains(proxyd, origin):
    one = Stand(proxyd, origin)
    url = one.serve("/a", answer("x", FRESH))
    one.get(url)
    with Client(one.daemon.port) as client:
        client.send(b"GET /slow HTTP/1.1\r\n")
        other = proxyd(config(CACHE.replace("path store", f"path {one.store}")))
        one.daemon.send_signal(signal.SIGTERM)
        assert until(lambda: disk(other)["in_service"] == 1)
    assert is_hit(get(other, url)) and one.asked("/a") == 1
    assert "in service again" in other.stderr()
    one.daemon.wait()


def test_a_deleted_folder_is_made_again(stand):
    shutil.rmtree(stand.store)
    url = stand.serve("/a", answer("x", FRESH))
    assert stand.get(url).body == b"x" and is_hit(stand.get(url))
    assert until(lambda: f"{stand.store}: it was deleted, with all that was kept there, and is made anew" in stand.daemon.stderr())


def test_a_folder_that_cannot_be_written_costs_nothing_else(proxyd, origin, tmp_path):
    if os.geteuid() == 0:
        target = pathlib.Path("/proc/store")   # nobody can make one there
    else:
        target = tmp_path / "shut"
        target.mkdir(mode=0o500)
    daemon = proxyd(config(CACHE.replace("path store", f"path {target}")))
    told = f"error: cache main: {target}: "
    assert until(lambda: told in daemon.stderr())
    origin.at("/a", read_body(), lambda conn: conn.sock.sendall(answer("x", FRESH)))
    assert get(daemon, origin.url("/a")).body == b"x" and is_hit(get(daemon, origin.url("/a")))
    time.sleep(1.3)   # and it is told once
    assert daemon.stderr().count(told) == 1


def test_a_folder_is_made_but_not_the_one_above_it(proxyd, tmp_path):
    daemon = proxyd(config(CACHE.replace("path store", f"path {tmp_path}/none/store")))
    assert until(lambda: f"{tmp_path}/none/store: it cannot be made: the folder above it is not there" in daemon.stderr())


def test_a_full_disk(proxyd, origin):
    """Files may not grow beyond a megabyte: what is written then fails as on a disk that is full."""
    stand = Stand(proxyd, origin, limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
    bodies = {f"/{i}": os.urandom(60000) for i in range(40)}
    for path, body in bodies.items():
        assert stand.get(stand.serve(path, answer(body, FRESH))).body == body
    assert until(lambda: disk(stand.daemon)["write_errors_total"] > 0)
    assert disk(stand.daemon)["in_service"] == 0 and stand.daemon.stderr().count("cannot write to") == 1
    assert is_hit(stand.get(origin.url("/0")))
    stand.how = {}
    stand.restart()
    for path, body in bodies.items():
        assert stand.get(origin.url(path)).body == body


_SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    struct stat s;
    struct timespec t = { 0, fstat(fd, &s) == 0 && s.st_nlink ? 300000000 : 0 }; /* not in memory */
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    nanosleep(&t, NULL);
    return real(fd, p, n, at);
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}
"""


def test_a_slow_disk_slows_nobody(proxyd, origin, tmp_path):
    """Each write takes 300 ms, and what waits may be a quarter of 4 MB."""
    stand = Stand(proxyd, origin, config(CACHE.replace("memory 8m", "memory 4m")), env=preload(tmp_path, "slow", _SLOW))
    urls = [stand.serve(f"/{i}", answer(os.urandom(60000), FRESH)) for i in range(60)]
    with Stopwatch() as taken:
        for url in urls:
            assert stand.get(url).status == 200
    assert taken.seconds < within(0.3 * len(urls) / 4)
    assert disk(stand.daemon)["refused_total"] > 0
    stand.written()
    assert disk(stand.daemon)["objects"] > 10
    stand.daemon.stop(signal.SIGTERM)   # which waits for the last write


@pytest.mark.slow("fills the smallest disk there may be")
@pytest.mark.slow("each write takes 300 ms")
def test_what_the_queue_has_no_room_for_is_not_found_as_it_was_before(proxyd, origin, tmp_path):
    stand = Stand(proxyd, origin, config(CACHE.replace("memory 8m", "memory 4m")), env=preload(tmp_path, "slow", _SLOW))
    url = stand.serve("/a", answer("old", FRESH), answer(bytes(60000), FRESH))
    stand.get(url)
    stand.written()
    for i in range(20):
        stand.get(stand.serve(f"/{i}", answer(os.urandom(60000), FRESH)))
    before = disk(stand.daemon)["refused_total"]
    stand.get(url, "Cache-Control: no-cache")
    assert disk(stand.daemon)["refused_total"] > before
    stand.restart()
    assert stand.get(url).body == bytes(60000)


def test_who_walks_through_all_pushes_nothing_out(proxyd, origin):
    """When the disk is full, what is asked for once is not written, and twice it is."""
    stand = Stand(proxyd, origin, config(CACHE.replace("memory 8m", "memory 1m")))
    raw = answer(os.urandom(128000), FRESH)

    def ask(which):
        for i in which:
            stand.get(stand.serve(f"/{i}", raw))
            stand.written()
        return disk(stand.daemon)
    full = ask(range(500))
    assert full["bytes"] <= 64 << 20 and full["objects"] > 400
    once = ask(range(2000, 2020))
    assert once["appended_bytes_total"] == full["appended_bytes_total"]
    assert ask(range(2000, 2005))["appended_bytes_total"] > once["appended_bytes_total"]


def test_the_folder_is_the_users(proxyd, origin, tmp_path):
    """Root makes it before it becomes another."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    for folder in (tmp_path, *tmp_path.parents):
        if folder != pathlib.Path("/tmp"):
            folder.chmod(0o755)
            if folder.parent == pathlib.Path("/tmp"):
                break
    stand = Stand(proxyd, origin, "user nobody; " + config())
    url = stand.serve("/a", answer("x", FRESH))
    stand.get(url)
    assert stand.store.stat().st_uid != 0 and stand.store.stat().st_mode & 0o777 == 0o700
    stand.restart()
    assert is_hit(stand.get(url))


# -- configuration --------------------------------------------------------------------------------------

def test_a_reload_changes_size_and_folder(stand):
    # covers: cache path, cache size
    url = stand.serve("/a", answer("x", FRESH))
    stand.get(url)
    stand.written()
    stand.daemon.reload(config(CACHE.replace("size 64m", "size 128m")))
    assert until(lambda: disk(stand.daemon)["size_bytes"] == 128 << 20)
    stand.daemon.reload(config(CACHE.replace("path store", "path other")))
    assert until(lambda: disk(stand.daemon)["in_service"] == 1 and (stand.daemon.folder / "other").exists())
    assert disk(stand.daemon)["objects"] == 0 and is_hit(stand.get(url))
    stand.daemon.reload(config("cache main { memory 8m; }"))
    assert until(lambda: not disk(stand.daemon))
    stand.text = config()
    stand.restart()
    assert is_hit(stand.get(url)) and stand.asked("/a") == 1


WRONG = {
    "two caches": ("cache main { path one; } cache more { path one/; }", "has that folder already"),
    "size alone": ("cache main { size 1g; }", '"size" needs "path"'),
    "too small": ("cache main { path one; size 63m; }", "64m"),
}


@pytest.mark.parametrize("cache,least", [
    ("memory 16m; max-object 5m;", 4 << 20), ("memory 16m; max-object 4m;", None), ("max-object 17m;", 16 << 20),
    ("path one; size 64m; max-object 33m;", 32 << 20), ("path one; max-object 512m;", None)])
def test_an_object_that_there_is_no_room_for_is_noted(tmp_path, cache, least):
    """A max-object beyond what one answer may take of the room there is promises what is not kept."""
    (tmp_path / "a.conf").write_text(f"cache main {{ {cache} }}\n" + conf.policy() +
                                     "listener main { bind 127.0.0.1:3128; mode forward; policy open; cache main; }")
    done = run_command("check", "-c", str(tmp_path / "a.conf"))
    told = f"note: an answer of more than {least} bytes is not kept all the same"
    assert done.returncode == 0 and (told in done.stderr if least else "note:" not in done.stderr), done.stderr


@pytest.mark.parametrize("what", WRONG)
def test_wrong(tmp_path, what):
    text, told = WRONG[what]
    file = tmp_path / "a.conf"
    more = "listener more { bind 127.0.0.1:3129; mode forward; policy open; cache more; }" if "more" in text else ""
    file.write_text(text + "listener main { bind 127.0.0.1:3128; mode forward; policy open; cache main; }" + more +
                    conf.policy())
    done = run_command("check", "-c", str(file))
    assert done.returncode != 0 and told in done.stderr
    assert not (tmp_path / "one").exists()
