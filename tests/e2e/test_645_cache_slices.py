"""`range slice`: what is kept of a large file are its slices, and the client sees nothing of it."""
import base64
import os
import signal
import subprocess
import threading

import pytest

from lib import conf, metrics
from lib.caching import File, answer, date, forward, get, heard, is_hit, status
from lib.client import Client, request
from lib.daemon import run_command
from lib.times import until

pytestmark = pytest.mark.threads
SLICE = 64 << 10
CACHE = "cache main { memory 32m; range slice 64k; }"
RIG = forward(CACHE, extra=metrics.ADMIN)
FRESH = "Cache-Control: max-age=60"


def part(daemon, file, begin, end, *fields):
    return get(daemon, file.url(), f"Range: bytes={begin}-{end - 1}", *fields)


def assert_part(got, file, begin, end):
    assert got.status == 206 and not got.truncated
    assert got.get("Content-Range") == f"bytes {begin}-{end - 1}/{file.length}"
    assert got.body == file.bytes(begin, end)


def assert_whole(got, file):
    assert got.status == 200 and not got.truncated and not got.has("Content-Range")
    assert got.body == file.bytes()


@pytest.mark.parametrize("words,complaint", [
    ("slice", '"slice" needs a size'), ("slice 32k", '"32k" is no size of slices'), ("slice 65m", "is no size"),
    ("slice 65537", "is no size"), ("slice many", '"many" is not'), ("whole 1m", 'only "slice" takes a size'),
    ("slice 1m; memory 3m", 'a slice is larger than a quarter of "memory"')])
def test_sizes(tmp_path, words, complaint):
    # covers: cache range
    path = tmp_path / "c.conf"
    path.write_text(conf.forward(extra="cache main { range %s; }" % words).replace("{port}", "1").replace("{dead_port}", "2"))
    said = run_command("check", "-c", path).stderr
    assert complaint in said, said


def test_a_seek_costs_a_slice(rig):
    """Of a gigabyte that nobody has."""
    file = File(rig.origin, "/seek", 1 << 30, FRESH)
    at = (1 << 29) + 1000
    first = part(rig, file, at, at + 5000)
    assert_part(first, file, at, at + 5000)
    assert status(first)["fwd"] == "uri-miss" and status(first)["detail"] == "slices"
    again = part(rig, file, at + 100, at + 200)
    assert_part(again, file, at + 100, at + 200)
    assert is_hit(again) and status(again)["detail"] == "slices"
    assert file.pieces == [(at // SLICE * SLICE, at // SLICE * SLICE + SLICE)]
    edge = at // SLICE * SLICE + SLICE
    over = part(rig, file, edge - 10, edge + 10)    # and the one behind it
    assert_part(over, file, edge - 10, edge + 10)
    assert until(lambda: file.pieces[1:] == [(edge, edge + SLICE)])
    assert until(lambda: file.sent == 2 * SLICE)


def test_the_whole(rig):
    """Byte for byte, each slice asked for once; then without the origin."""
    file = File(rig.origin, "/whole", 20 * SLICE + 777, FRESH, "Content-Digest: sha-256=:of-a-part:", "X-Kept: yes")
    first = get(rig, file.url())
    assert_whole(first, file)
    assert first.get("X-Kept") == "yes" and not first.has("Content-Digest")
    assert sorted(file.pieces) == [(i * SLICE, min((i + 1) * SLICE, file.length)) for i in range(21)]
    again = get(rig, file.url())
    assert_whole(again, file)
    assert is_hit(again) and len(file.pieces) == 21
    tail = get(rig, file.url(), "Range: bytes=-1000")
    assert_part(tail, file, file.length - 1000, file.length)
    head = get(rig, file.url(), method="HEAD")
    assert head.status == 200 and head.get("Content-Length") == str(file.length) and is_hit(head)
    assert len(file.pieces) == 21


# -- what must not be mixed -----------------------------------------------------------------------

def slow_client(rig, file, *fields):
    """It has asked for the whole, and does not read on."""
    client = Client(rig.port, rcvbuf=1 << 16)
    client.send(request(file.url(), *fields))
    return client


def test_another_file_in_the_middle_of_an_answer(rig):
    """What is sent is cut, and the next one gets the new file, none of whose bytes are old ones."""
    file = File(rig.origin, "/swap", 40 * SLICE, FRESH)
    slow = slow_client(rig, file)
    assert until(lambda: file.pieces)
    old = file.bytes()
    file.change('"two"')
    got = slow.response()
    slow.close()
    assert got.truncated and 0 < len(got.body) < len(old) and old.startswith(got.body)
    assert_whole(get(rig, file.url()), file)
    assert_whole(get(rig, file.url()), file)


def test_another_file_before_the_first_missing_slice(rig):
    """Nobody has seen a byte yet, so nobody is cut: the answer is of the new one."""
    file = File(rig.origin, "/swapped", 10 * SLICE, FRESH)
    assert_part(part(rig, file, 0, 100), file, 0, 100)
    file.change('"two"', length=12 * SLICE)
    got = part(rig, file, 5 * SLICE, 5 * SLICE + 9)
    assert_part(got, file, 5 * SLICE, 5 * SLICE + 9)
    assert_part(part(rig, file, 0, 100), file, 0, 100)   # the old first slice is no part of it
    assert_whole(get(rig, file.url()), file)


@pytest.mark.parametrize("name,etag,fields", [("weak", 'W/"a"', []), ("none", None, []),
                                              ("date", None, ["Last-Modified: {now}"])])
def test_no_strong_validator(rig, name, etag, fields):
    """Nobody could tell slices of two files apart: what the client asks for goes through, from then on at once."""
    file = File(rig.origin, "/" + name, 5 * SLICE, "Cache-Control: max-age=0",
                *[f.format(now=date()) for f in fields], etag=etag)
    for begin in (0, 70000):
        assert_part(part(rig, file, begin, begin + 5), file, begin, begin + 5)
    assert file.pieces == [(0, SLICE), (0, 5), (70000, 70005)]
    assert_whole(get(rig, file.url()), file)
    assert file.pieces[3:] == [None]


def test_an_old_date_is_a_strong_validator(rig):
    file = File(rig.origin, "/dated", 3 * SLICE, FRESH, f"Last-Modified: {date(600)}", etag=None)
    assert_whole(get(rig, file.url()), file)
    assert len(file.pieces) == 3 and is_hit(get(rig, file.url()))


# -- origins without slices -----------------------------------------------------------------------

def test_an_origin_without_ranges(rig):
    """One request: its whole answer is kept, and is the answer."""
    file = File(rig.origin, "/plain", 3 * SLICE, FRESH, ranges=False)
    assert_whole(get(rig, file.url()), file)
    assert file.pieces == [None]
    got = part(rig, file, 5, 10)
    assert_part(got, file, 5, 10)
    assert is_hit(got) and "detail" not in status(got)


def test_smaller_than_a_slice(rig):
    """It is kept as the whole that it is."""
    file = File(rig.origin, "/small", 1000, FRESH)
    got = get(rig, file.url())
    assert_whole(got, file)
    again = get(rig, file.url())
    assert_whole(again, file)
    assert is_hit(again) and file.pieces == [(0, 1000)] and "detail" not in status(again)


def test_an_empty_file(rig):
    """It has no first slice, and the origin says so."""
    file = File(rig.origin, "/empty", 0, FRESH)
    assert get(rig, file.url()).status == 200
    assert is_hit(get(rig, file.url()))


def test_what_is_not_there(rig):
    file = File(rig.origin, "/gone", 10, FRESH)
    file.status = "404 Not Found"
    assert get(rig, file.url()).status == 404
    again = part(rig, file, 0, 10)
    assert again.status == 404 and is_hit(again) and len(file.pieces) == 1


def test_beyond_the_end(rig):
    """Of a file that is known or not; in its last slice, or far away."""
    file = File(rig.origin, "/end", 3 * SLICE - 100, FRESH)
    for begin in (3 * SLICE - 50, 100 * SLICE):
        for _ in range(2):
            got = part(rig, file, begin, begin + 10)
            assert got.status == 416 and got.get("Content-Range") == f"bytes */{file.length}"
            assert got.body == b""
    assert_whole(get(rig, file.url()), file)


# -- who asks -------------------------------------------------------------------------------------

def test_fifty_clients_and_one_slice(rig):
    """In two workers; and those who want another one are not held up by it."""
    file = File(rig.origin, "/crowd", 100 * SLICE, FRESH)
    assert_part(part(rig, file, 0, 10), file, 0, 10)
    file.wait = threading.Event()
    begin = 50 * SLICE + 100
    clients = [Client(rig.port) for _ in range(50)]
    for client in clients:
        client.send(request(file.url(), f"Range: bytes={begin}-{begin + 999}"))
    before = len(rig.origin.requests)
    assert until(lambda: any((r.get("Range") or "").startswith(f"bytes={50 * SLICE}-") for r in rig.origin.requests))
    assert_part(part(rig, file, 5, 15), file, 5, 15)
    file.wait.set()
    for client in clients:
        assert_part(client.response(), file, begin, begin + 1000)
        client.close()
    assert len(rig.origin.requests) <= before + 1 and len(file.pieces) == 2


@pytest.mark.parametrize("field", ["Authorization: Basic YTpi", "Cookie: a=b", "Cache-Control: no-store",
                                   "Range: bytes=0-1,10-11"])
def test_who_gets_no_slices(rig, field):
    """The request goes as it is, whatever is kept."""
    file = File(rig.origin, "/as-it-is/" + field[:3], 3 * SLICE, FRESH)
    assert_whole(get(rig, file.url()), file)
    asked = len(file.pieces)
    get(rig, file.url(), field)
    assert file.pieces[asked:] == [None]
    assert rig.origin.requests[-1].get(field.split(":")[0]) == field.split(": ")[1]


def test_conditions(rig):
    file = File(rig.origin, "/conditions", 5 * SLICE, FRESH, f"Last-Modified: {date(600)}")
    assert_part(part(rig, file, 0, 10), file, 0, 10)
    got = get(rig, file.url(), 'If-None-Match: "one"')
    assert got.status == 304 and status(got)["hit"] is True
    assert_part(part(rig, file, 70000, 70010, 'If-Range: "one"'), file, 70000, 70010)
    assert len(file.pieces) == 2
    assert_whole(get(rig, file.url(), "Range: bytes=5-9", 'If-Range: "other"'), file)
    unknown = File(rig.origin, "/conditions/2", 5 * SLICE, FRESH)
    assert_whole(get(rig, unknown.url(), "Range: bytes=200000-200009", 'If-Range: "other"'), unknown)


def test_only_if_cached(rig):
    file = File(rig.origin, "/only", 5 * SLICE, FRESH)
    only = "Cache-Control: only-if-cached"
    assert get(rig, file.url(), only).status == 504
    assert_part(part(rig, file, 0, 10), file, 0, 10)
    assert_part(part(rig, file, 0, 10, only), file, 0, 10)
    assert part(rig, file, 70000, 70010, only).status == 504
    assert get(rig, file.url(), only).status == 504
    assert len(file.pieces) == 1


def test_who_wants_a_part_of_a_slice(rig):
    """It has its part before the slice is there, which is fetched to its end all the same."""
    file = File(rig.origin, "/part", 5 * SLICE, FRESH)
    file.rest = threading.Event()
    assert_part(part(rig, file, SLICE + 10, SLICE + 20), file, SLICE + 10, SLICE + 20)
    file.rest.set()
    assert_part(part(rig, file, SLICE, 2 * SLICE), file, SLICE, 2 * SLICE)
    assert len(file.pieces) == 1


# -- when something goes wrong --------------------------------------------------------------------

@pytest.mark.parametrize("what", ["cut", "fails"])
def test_a_slice_that_comes_to_grief(rig, what):
    """Cut in the middle, it is asked for again, and the client sees nothing of it; when the origin fails it is cut."""
    file = File(rig.origin, f"/grief/{what}", 40 * SLICE, FRESH)
    slow = slow_client(rig, file)
    assert until(lambda: file.pieces)
    if what == "cut":
        file.cut = 1000
        assert_whole(slow.response(), file)
        assert file.cut is None and len(file.pieces) > 40
    else:
        file.status = "500 Internal Server Error"
        got = slow.response()
        assert got.truncated and file.bytes().startswith(got.body)
        file.status = None
        assert_whole(get(rig, file.url()), file)
    slow.close()


def test_slices_that_are_not_to_be_kept(rig):
    """They pass, at the pace of each client who wants them."""
    file = File(rig.origin, "/pass", 40 * SLICE, FRESH)
    assert_part(part(rig, file, 0, 10), file, 0, 10)
    file.fields = ("Cache-Control: no-store",)
    clients = [slow_client(rig, file) for _ in range(3)]
    file.cut = 1000   # one is had again
    for client in clients:
        assert_whole(client.response(), file)
        client.close()
    assert file.cut is None
    asked = len(file.pieces)
    assert_part(part(rig, file, 5 * SLICE - 10, 5 * SLICE + 10), file, 5 * SLICE - 10, 5 * SLICE + 10)
    assert len(file.pieces) > asked
    leaving = slow_client(rig, file)
    assert until(lambda: b"000000" in heard(leaving))
    leaving.reset()


def hold_half(daemon, origin):
    """Slow readers hold what is kept no more: half of the memory, and with it all that may be held so."""
    body = b"x" * ((4 << 20) - (8 << 10))
    slow = []
    for path in ("/a", "/b"):
        origin.answer(path, answer(body, FRESH))
        slow.append(Client(daemon.port, rcvbuf=4096))
        slow[-1].send(request(origin.url(path)))
        assert until(lambda path=path: is_hit(get(daemon, origin.url(path), method="HEAD")))
        origin.answer(path, answer("gone"))
        assert get(daemon, origin.url(path), method="POST").status == 200
    return slow


def test_no_room(proxyd, origin):
    """Slices pass then, and are kept again as soon as they can be."""
    daemon = proxyd(forward("cache main { memory 16m; range slice 64k; }"))
    slow = hold_half(daemon, origin)
    file = File(origin, "/file", 20 * SLICE, FRESH)
    assert_whole(get(daemon, file.url()), file)
    assert_part(part(daemon, file, 100000, 200000), file, 100000, 200000)
    assert not is_hit(get(daemon, file.url()))
    for client in slow:
        client.close()
    again = File(origin, "/again", 20 * SLICE, FRESH)
    assert until(lambda: is_hit(get(daemon, again.url())))
    assert_whole(get(daemon, again.url()), again)


def test_no_room_for_the_whole(proxyd, origin):
    """With `range whole` what comes is not what the client has asked for: it is given none of it as if it were."""
    daemon = proxyd(forward("cache main { memory 16m; range whole; }"))
    slow = hold_half(daemon, origin)
    file = File(origin, "/file", 3 << 20, FRESH, ranges=False)
    got = part(daemon, file, 100000, 100010)
    assert got.truncated and got.body == b""
    for client in slow:
        client.close()


# -- for how long ---------------------------------------------------------------------------------

def test_one_validation_for_all_slices(rig):
    """A 304 makes all of them fresh; a new file is asked for in slices as well."""
    file = File(rig.origin, "/stale", 10 * SLICE, "Cache-Control: max-age=0")
    assert_part(part(rig, file, 0, 10), file, 0, 10)
    assert_part(part(rig, file, 5 * SLICE, 5 * SLICE + 10), file, 5 * SLICE, 5 * SLICE + 10)
    file.pieces.clear()
    got = part(rig, file, 20, 30)
    assert_part(got, file, 20, 30)
    assert status(got)["fwd-status"] == "304" and file.pieces == []
    assert_whole(get(rig, file.url()), file)
    file.change('"two"')
    file.pieces.clear()
    got = part(rig, file, 7 * SLICE, 7 * SLICE + 10)
    assert_part(got, file, 7 * SLICE, 7 * SLICE + 10)
    assert file.pieces == [(7 * SLICE, 8 * SLICE)]


def test_validated_behind_its_back(rig):
    """stale-while-revalidate: no more than a slice is asked for."""
    file = File(rig.origin, "/behind", 10 * SLICE, "Cache-Control: max-age=0, stale-while-revalidate=60")
    assert_part(part(rig, file, 0, 10), file, 0, 10)
    old = file.bytes(5, 15)
    file.change('"two"')
    file.pieces.clear()
    assert part(rig, file, 5, 15).body == old
    assert until(lambda: file.pieces == [(0, SLICE)])
    assert until(lambda: part(rig, file, 5, 15).body == file.bytes(5, 15))


@pytest.mark.parametrize("how", ["purge", "post"])
def test_what_is_taken_out(rig, how):
    """A purge, and a request that changes something, reach all slices: none of them is used again."""
    file = File(rig.origin, f"/out/{how}", 5 * SLICE, FRESH)
    assert_whole(get(rig, file.url()), file)
    file.pieces.clear()
    if how == "purge":
        said = run_command("cache", "--socket", str(rig.proxyd.folder / "control.sock"), "show", file.url()).stdout
        assert f"in slices of {SLICE} bytes: 5 of 5 in memory" in said and said.count("\n") == 3
        said = run_command("cache", "--socket", str(rig.proxyd.folder / "control.sock"), "purge", file.url()).stdout
        assert "6 taken out" in said
    else:
        rig.origin.answer(file.path, answer("done"))
        assert get(rig, file.url(), method="POST").status == 200
        file = File(rig.origin, file.path, 5 * SLICE, FRESH)
    assert_part(part(rig, file, 70000, 70010), file, 70000, 70010)
    assert_part(part(rig, file, 0, 10), file, 0, 10)
    assert file.pieces == [(SLICE, 2 * SLICE), (0, SLICE)]


# -- requests of our own --------------------------------------------------------------------------

def test_they_are_decided_as_the_clients(proxyd, origin):
    """By its address and its user; in the log they have no client, and its limit does not count them."""
    hashed = subprocess.run(["openssl", "passwd", "-5", "sesam"], capture_output=True, text=True, check=True).stdout
    text = forward(CACHE, rules=f"allow here {{ to *; reach {conf.CLASSES}; from 127.0.1.0/24; user ann; }}", extra=metrics.ADMIN).replace(
        "policy open {", 'policy open { auth basic { file users; realm "x"; }', 1)
    daemon = proxyd(text + "limits { requests-per-user 2/min; }", files={"users": f"ann:{hashed}"})
    file = File(origin, "/own", 20 * SLICE, FRESH)
    with Client(daemon.port, source="127.0.1.5") as client:
        assert_whole(client.get(file.url(), "Proxy-Authorization: Basic " + base64.b64encode(b"ann:sesam").decode()), file)
    assert until(lambda: len(daemon.log("/own")) == 20)
    assert sorted(line.split()[1] for line in daemon.log("/own")) == ["-"] * 19 + ["127.0.1.5"]
    assert get(daemon, file.url()).status == 407
    assert len(file.pieces) == 20


def test_a_drain_lets_an_answer_end(proxyd, origin):
    daemon = proxyd(forward(CACHE, extra="timeouts { drain 20s; }"))
    file = File(origin, "/drain", 40 * SLICE, FRESH)
    slow = slow_client(daemon, file)
    assert until(lambda: file.pieces)
    ended = threading.Thread(target=daemon.stop, args=(signal.SIGTERM,))
    ended.start()
    assert_whole(slow.response(), file)
    slow.close()
    ended.join()


def test_a_reload_lets_an_answer_end(proxyd, origin):
    """Even one without the cache, or without the listener's policy: it goes on as it has begun."""
    daemon = proxyd(forward(CACHE, extra=metrics.ADMIN))
    file = File(origin, "/reload", 40 * SLICE, FRESH)
    slow = slow_client(daemon, file)
    assert until(lambda: file.pieces)
    daemon.reload(conf.forward(extra=metrics.ADMIN, rules="deny all { }"))
    got = slow.response()
    slow.close()
    assert_whole(got, file)
    assert until(lambda: "cache_objects main" not in metrics.read(daemon))


# -- on disk --------------------------------------------------------------------------------------

DISK = "cache main { path store; size 64m; memory %s; range slice 64k; }"


def in_service(daemon, *, empty_queue=False):
    assert until(lambda: metrics.read(daemon).get("cache_disk_in_service main") == 1), daemon.stderr()
    if empty_queue:
        assert until(lambda: metrics.read(daemon)["cache_disk_queued_bytes main"] == 0)


def drop_pages(daemon):
    """What lies in the files is to be read from the disk, as far as the file system has one."""
    for path in (daemon.folder / "store").glob("seg-*"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.mark.parametrize("size,cold", [(64, False), (64, True), (1200, True)])
def test_slices_are_found_again(proxyd, origin, size, cold):
    """After a restart, by one who wants a part and one who wants all of it; and what has been purged is not."""
    text = forward(DISK.replace("64k", f"{size}k") % "8m", extra=metrics.ADMIN)
    daemon = proxyd(text)
    in_service(daemon)
    size <<= 10
    file, other = File(origin, "/kept", 3 * size + 5, FRESH), File(origin, "/purged", 2 * size, FRESH)
    for one in (file, other):
        assert_whole(get(daemon, one.url()), one)
        in_service(daemon, empty_queue=True)
    assert run_command("cache", "--socket", str(daemon.folder / "control.sock"), "purge", other.url()).returncode == 0
    in_service(daemon, empty_queue=True)
    daemon.stop(signal.SIGTERM)
    daemon.start(text)
    in_service(daemon)
    if cold:
        drop_pages(daemon)
    got = part(daemon, file, 2 * size - 10, 2 * size + 10)
    assert_part(got, file, 2 * size - 10, 2 * size + 10)
    assert is_hit(got)
    again = get(daemon, file.url())
    assert_whole(again, file)
    assert is_hit(again) and len(file.pieces) == 4
    assert_part(part(daemon, other, size, size + 10), other, size, size + 10)
    assert len(other.pieces) == 3


@pytest.mark.parametrize("size", [64, 1200])
def test_slices_that_have_rotted_on_disk(proxyd, origin, size):
    """They are asked for again, and nobody sees it."""
    text = forward(DISK.replace("64k", f"{size}k") % "8m", extra=metrics.ADMIN)
    daemon = proxyd(text)
    in_service(daemon)
    file = File(origin, "/rot", 5000 << 10, FRESH)
    for begin in range(0, file.length, 1000 << 10):
        part(daemon, file, begin, begin + (1000 << 10))
        in_service(daemon, empty_queue=True)
    daemon.stop(signal.SIGTERM)
    for path in sorted((daemon.folder / "store").glob("seg-*")):
        data = bytearray(path.read_bytes())
        for at in range(100_000, len(data), 500_000):
            data[at] ^= 1
        path.write_bytes(data)
    daemon.start(text)
    in_service(daemon)
    asked = len(file.pieces)
    assert_whole(get(daemon, file.url()), file)
    assert len(file.pieces) > asked


def test_a_file_larger_than_the_memory(proxyd, origin):
    """What has left memory comes from the disk, in the middle of an answer as well."""
    daemon = proxyd(forward(DISK % "4m", extra=metrics.ADMIN))
    in_service(daemon)
    file = File(origin, "/large", 90 * SLICE, FRESH)
    for begin in range(0, file.length, 10 * SLICE):
        assert_part(part(daemon, file, begin, begin + 10 * SLICE), file, begin, begin + 10 * SLICE)
        in_service(daemon, empty_queue=True)   # what finds it full is not kept there
    drop_pages(daemon)
    asked = len(file.pieces)
    assert_whole(get(daemon, file.url()), file)
    assert len(file.pieces) == asked
    assert until(lambda: [line.get("cache") for line in daemon.log("/large") if line.get("cache")][9:] == ["hit"])
    assert metrics.read(daemon)["cache_bytes main"] <= 4 << 20
