"""bench/targets judges what was measured, and its exit code is the judgement. And what the trace and the policies
by the book are, to which caches are held.
"""
import json
import subprocess
import sys

import pytest

from lib.faults import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import zipf   # noqa: E402

pytestmark = pytest.mark.inputs("bench/targets", "bench/zipf.py")

FLOORS = {"rev-small": "floor-epoll", "fwd-small": "floor-epoll", "tunnel-bulk": "floor-splice",
          "tunnel-rate": "floor-epoll"}
RIVALS = ("nginx", "haproxy", "apache2", "squid", "tinyproxy", "trafficserver")


def good():
    """Results in which every target is just reached."""
    files = {w: {"peers": {floor: {"adj": 100}, "proxyd": {"adj": 110 if w == "rev-small" else 115},
                           "proxyd-full": {"adj": 114}, **{n: {"adj": 300} for n in RIVALS}}}
             for w, floor in FLOORS.items()}
    files["idle-http"] = {"peers": {n: {"pss_per_conn": 575} for n in ("proxyd", "nginx", "haproxy")}}
    files["idle-tunnel"] = {"peers": {n: {"pss_per_conn": 1200} for n in ("proxyd", "nginx", "haproxy")}}
    both = ("rev-small", "fwd-small")
    for workload, adj in (("filter-none", 100), ("filter-domains", 105), ("filter-regex-1k", 110),
                          ("filter-regex-10k", 110)):
        files[workload] = {"peers": {"proxyd": {"adj": adj},
                                     **{n: {"adj": 100 if workload == "filter-none" else 200} for n in ("nginx", "squid")}}}
    scene = {"exchanges": 100, "failed": 0, "grown": 0.05, "slowest": 10, "p99_ratio": 2}
    peers = {n: {"adj": 200} for n in ("nginx", "varnish", "trafficserver", "squid", "haproxy")}
    for workload in ("cache-hot-1k", "cache-hot-64k"):
        files[workload] = {"peers": {"floor-memory": {"adj": 100}, "proxyd": {"adj": 120}, **peers}}
    for workload in ("cache-disk-1m", "cache-disk-100m"):
        files[workload] = {"peers": {"proxyd": {"adj": 0.2}, "nginx": {"adj": 0.2}}}
    for workload in ("cache-miss-1k", "cache-miss-16k"):
        files[workload] = {"peers": {"proxyd": {"adj": 115}, "proxyd-nocache": {"adj": 100}}}
    for workload in ("cache-zipf-1", "cache-zipf-10"):
        files[workload] = {"peers": {name: {"hits": hits, "byte_hits": hits} for name, hits in
                                     (("ideal s3-fifo", 0.559), ("proxyd", 0.55), ("ideal lru", 0.46), ("nginx", 0.45))}}
    files["start"] = {"objects": 1e6, "index_bytes": 40e6, "after_end_s": 1, "after_end_whole_s": 3, "after_crash_s": 1,
                      "after_crash_whole_s": 3}
    files["swaps"] = {name: dict(scene) for name in ("domains", "regex", "hard")}
    files["syscalls"] = {w: {"proxyd": {"total": 4.15, "calls": {"read": 4.15}}} for w in both}
    files["latency"] = {w: {"proxyd": {"paced": {"added": 99.9}}} for w in both}
    return files


def judged(folder, files):
    """(exit code, the rows that are not ok, how many rows there are)."""
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    done = subprocess.run([sys.executable, "-B", ROOT / "bench/targets", folder], text=True, capture_output=True)
    assert not done.stderr
    rows = done.stdout.splitlines()[2:]
    return done.returncode, [r for r in rows if not r.endswith("| ok |")], len(rows)


def test_all_reached(tmp_path):
    code, bad, rows = judged(tmp_path, good())
    assert (code, bad) == (0, []) and rows >= 22


@pytest.mark.parametrize("way", ["ratio", "full", "rival", "other-rival", "memory", "calls", "clock", "latency",
                                 "hit", "hit-rival", "disk", "stored-miss", "s3-fifo", "lru", "zipf-rival", "few", "index", "start",
                                 "list", "list-rival", "exchanges", "failed", "grown", "compiled", "slowed"])
def test_one_missed(tmp_path, way):
    """It is told, the others are told as well, and the exit code is 1."""
    files = good()
    if way == "ratio":
        files["rev-small"]["peers"]["proxyd"]["adj"] = 110.1
    elif way == "full":
        files["fwd-small"]["peers"]["proxyd-full"]["adj"] = 120.1
    elif way == "rival":
        files["rev-small"]["peers"]["haproxy"]["adj"] = 109
    elif way == "other-rival":   # one that no list names
        files["tunnel-rate"]["peers"]["privoxy"] = {"adj": 110}
    elif way == "memory":
        files["idle-http"]["peers"]["proxyd"]["pss_per_conn"] = 576
    elif way == "calls":
        files["syscalls"]["fwd-small"]["proxyd"]["total"] = 4.2
    elif way == "clock":
        files["syscalls"]["rev-small"]["proxyd"]["calls"]["clock_gettime"] = 0.01
    elif way == "hit":
        files["cache-hot-64k"]["peers"]["proxyd"]["adj"] = 121
    elif way == "hit-rival":
        files["cache-hot-1k"]["peers"]["varnish"]["adj"] = 119
    elif way == "disk":
        files["cache-disk-100m"]["peers"]["nginx"]["adj"] = 0.19
    elif way == "stored-miss":
        files["cache-miss-16k"]["peers"]["proxyd"]["adj"] = 116
    elif way == "s3-fifo":
        files["cache-zipf-10"]["peers"]["ideal s3-fifo"]["byte_hits"] = 0.57
    elif way == "lru":
        files["cache-zipf-1"]["peers"]["ideal lru"]["hits"] = 0.551
    elif way == "zipf-rival":   # one that no list names
        files["cache-zipf-1"]["peers"]["squid"] = {"hits": 0.54, "byte_hits": 0.551}
    elif way == "few":
        files["start"].update(objects=980000, index_bytes=98e4)
    elif way == "index":
        files["start"]["index_bytes"] = 41e6
    elif way == "start":
        files["start"]["after_crash_whole_s"] = 3.1
    elif way == "list":
        files["filter-domains"]["peers"]["proxyd"]["adj"] = 105.1
    elif way == "list-rival":
        files["filter-regex-1k"]["peers"]["nginx"]["adj"] = 109
    elif way == "exchanges":
        files["swaps"]["domains"]["exchanges"] = 99
    elif way == "failed":
        files["swaps"]["regex"]["failed"] = 1
    elif way == "grown":
        files["swaps"]["domains"]["grown"] = 0.06
    elif way == "compiled":
        files["swaps"]["hard"]["slowest"] = 10.1
    elif way == "slowed":
        files["swaps"]["regex"]["p99_ratio"] = 2.1
    else:
        files["latency"]["fwd-small"]["proxyd"]["paced"]["added"] = 101
    code, bad, rows = judged(tmp_path, files)
    assert code == 1 and len(bad) == 1 and bad[0].endswith("| MISSED |") and rows >= 22


@pytest.mark.parametrize("gone", [*good(), "proxyd", "proxyd-full", "nginx", "squid", "floor-splice"])
def test_not_measured(tmp_path, gone):
    """A file or a peer is missing: that figure is not reached, it is unknown."""
    files = good()
    files.pop(gone, None)
    for content in files.values():
        content.get("peers", {}).pop(gone, None)
        for workload in ("rev-small", "fwd-small"):
            content.get(workload, {}).pop(gone, None)
    code, bad, _ = judged(tmp_path, files)
    assert code == 1 and bad and all(row.endswith("| NOT MEASURED |") for row in bad)


def test_nothing_measured(tmp_path):
    code, bad, rows = judged(tmp_path, {})
    assert code == 1 and len(bad) == rows


class Few:
    """A trace of objects of one byte each."""

    def __init__(self, order):
        self.order = [ord(c) for c in order]
        self.size = [1] * 128
        self.bytes = len(order)


def hits(policy, order, room):
    return round(zipf.simulated(Few(order), policy, room)[0] * len(order))


def test_policies():
    """Counted by hand. S3-FIFO keeps what was used twice in the small queue, and what comes back soon."""
    assert hits("fifo", "abacab", 2) == 1           # a goes for c, though it has been used
    assert hits("lru", "abacab", 2) == 2            # b goes
    assert hits("s3-fifo", "aaab" + "cdefghijklmnopqrstuvwxyz" + "a", 4) == 3
    assert hits("lru", "aaab" + "cdefghijklmnopqrstuvwxyz" + "a", 4) == 2
    assert hits("s3-fifo", "abcde" + "a" + "fghijk" + "a", 4) == 1   # a has just left when it is asked for again
    assert hits("lru", "abcde" + "a" + "fghijk" + "a", 4) == 0


def test_trace():
    """The same each time, skewed as zipf says, within the bounds of sizes."""
    trace = zipf.Trace(1000, 20000)
    assert trace.order == zipf.Trace(1000, 20000).order
    share = 1 / sum(1 / rank for rank in range(1, 1001))
    assert trace.order.count(0) / 20000 == pytest.approx(share, rel=0.1)
    assert trace.order.count(9) / 20000 == pytest.approx(share / 10, rel=0.3)
    assert zipf.LEAST <= min(trace.size) and max(trace.size) <= zipf.MOST
    assert sorted(trace.size)[500] == pytest.approx(zipf.MEDIAN, rel=0.15)
