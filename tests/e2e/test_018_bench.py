"""bench/targets judges what was measured, and its exit code is the judgement."""
import json
import subprocess
import sys

import pytest

from lib.faults import ROOT

pytestmark = pytest.mark.inputs("bench/targets")

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
