"""Which tests a run takes. Named by hand (`make e2e E2E=…`), all; in a run of the whole suite only
what this build can tell:

    release      all but `once`
    asan         all but `no_sanitizer`: the permutations run here, once
    tsan         `threads`
    any          of `inputs` those of whose inputs one has changed since they last passed

and of these the shard's part. The hard thing is to cut the shards alike in processes that know
nothing of each other: by the durations in tests/e2e/durations.txt, the longest file first, each to
the shard that has least to do.
"""
import hashlib
import os
import pathlib
import statistics

from lib.faults import ROOT

BUILD = os.environ.get("SANITIZER") or "release"
WHOLE = os.environ.get("E2E_WHOLE") == "1"
DURATIONS = ROOT / "tests/e2e/durations.txt"


def module(item):
    return item.path.name


def is_for_this_build(item):
    mark = item.get_closest_marker
    if BUILD != "release" and (mark("no_sanitizer") or mark("inputs")):
        return False
    if not WHOLE:
        return True
    if BUILD == "tsan":
        return mark("threads") is not None
    return BUILD != "release" or not mark("once")


# -- shards ---------------------------------------------------------------------------------------

def durations():
    """{file: seconds} of this build."""
    rows = [line.split() for line in DURATIONS.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]
    column = rows[0].index(BUILD)
    return {row[0]: float(row[column]) for row in rows[1:] if row[column] != "-"}


def shard_of(files, shards):
    """{file: shard, counted from 1}"""
    known = durations()
    usual = statistics.median(known.values()) if known else 1   # for a file that is new
    load, place = [0.0] * shards, {}
    for name in sorted(files, key=lambda f: (-known.get(f, usual), f)):
        least = load.index(min(load))
        load[least] += known.get(name, usual)
        place[name] = least + 1
    return place


# -- tests of what is not the daemon --------------------------------------------------------------

def _green(item):
    folder = os.environ.get("E2E_GREEN")
    return pathlib.Path(folder) / item.path.stem if folder else None


def _hash(item):
    """Of the test, of what it uses of lib/, and of what it says it tests."""
    own = [f"tests/e2e/{module(item)}", "tests/e2e/conftest.py", "tests/e2e/lib/*.py"]
    files = {f for pattern in (*own, *item.get_closest_marker("inputs").args) for f in ROOT.glob(pattern)}
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file():
            digest.update(f"{file.relative_to(ROOT)} {file.stat().st_size}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def is_unchanged(item):
    """Has it passed with just these inputs? The folder of what has passed is kept with the build, so
    in a new clone everything runs."""
    if not WHOLE or not item.get_closest_marker("inputs"):
        return False
    green = _green(item)
    return bool(green and green.exists() and green.read_text() == _hash(item))


def note_green(items, failed):
    """After a run: the files of `items` in which nothing failed need not run again."""
    for item in {module(i): i for i in items if i.get_closest_marker("inputs")}.values():
        green = _green(item)
        if green and WHOLE:
            green.parent.mkdir(parents=True, exist_ok=True)
            if module(item) in failed:
                green.unlink(missing_ok=True)
            else:
                green.write_text(_hash(item))


# -- all together ---------------------------------------------------------------------------------

def choose(items):
    """Those that run."""
    same = {}   # file of tests: is it unchanged?
    for item in items:
        if module(item) not in same:
            same[module(item)] = is_unchanged(item)
    fit = [item for item in items if is_for_this_build(item) and not same[module(item)]]
    shard, _, shards = os.environ.get("E2E_SHARD", "").partition("/")
    if shards:
        place = shard_of({module(item) for item in fit}, int(shards))
        fit = [item for item in fit if place[module(item)] == int(shard)]
    return fit
