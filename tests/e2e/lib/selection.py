"""Which tests a run takes. Named by hand (`make e2e E2E=…`), all; in a run of the whole suite only
what this build can tell:

    release      all but `once`
    asan         all but `no_sanitizer`: the permutations run here, once
    tsan         `threads`
    any          of `inputs` those of whose inputs one has changed since they last passed

Several processes share these out with $E2E_CLAIMS, a folder: each takes the longest file (by
tests/e2e/durations.txt) that none has taken. The hard thing is that they know nothing of each other:
who creates a file of that name in the folder has taken it.
"""
import hashlib
import os
import pathlib
import statistics

from lib.faults import ROOT

BUILD = os.environ.get("SANITIZER") or "release"
WHOLE = os.environ.get("E2E_WHOLE") == "1"
CLAIMS = os.environ.get("E2E_CLAIMS")
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


# -- who runs what --------------------------------------------------------------------------------

def durations():
    """{file: seconds} of this build."""
    rows = [line.split() for line in DURATIONS.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]
    column = rows[0].index(BUILD)
    return {row[0]: float(row[column]) for row in rows[1:] if row[column] != "-"}


def longest_first(files):
    """A new file takes as long as most, as far as anybody knows."""
    known = durations()
    usual = statistics.median(known.values()) if known else 1
    return sorted(files, key=lambda f: (-known.get(f, usual), f))


def claimed(items):
    """The items of one file after another, each when this process has taken it."""
    of_file = {}
    for item in items:
        of_file.setdefault(module(item), []).append(item)
    for name in longest_first(of_file):
        try:
            (pathlib.Path(CLAIMS) / name).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield of_file[name]


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
    return [item for item in items if is_for_this_build(item) and not same[module(item)]]
