#!/usr/bin/env python3
"""Writes tests/e2e/durations.txt anew: what the files took in the last run of each build, by the
times that tests/run.sh has left in the folder given. A build that has not run keeps its column."""
import collections
import pathlib
import sys

FILE = pathlib.Path(__file__).parent / "e2e/durations.txt"
BUILDS = ("release", "asan", "tsan")
HEAD = """# Seconds that the tests of a file take in a run of the whole suite, by build. `make durations` writes
# this from the last runs; the longest file is begun first (lib/selection.py).
"""


def old():
    rows = [line.split() for line in FILE.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]
    return {build: {row[0]: row[rows[0].index(build)] for row in rows[1:]} for build in BUILDS if rows}


def main(results):
    table = old()
    for build in BUILDS:
        path = results / f"times-e2e-{build}"
        if not path.exists():
            continue
        taken = collections.Counter()
        for line in path.read_text(encoding="utf-8").splitlines():
            seconds, _, test = line.partition(" ")
            taken[test.partition("::")[0]] += float(seconds)
        table[build] = {name: f"{seconds:.1f}" for name, seconds in taken.items()}
    names = sorted(name for name in set().union(*table.values()) if (FILE.parent / name).exists())
    rows = [("file", *BUILDS)] + [(name, *(table.get(b, {}).get(name, "-") for b in BUILDS)) for name in names]
    FILE.write_text(HEAD + "".join(f"{r[0]:34}{r[1]:>9}{r[2]:>9}{r[3]:>9}\n" for r in rows), encoding="utf-8")


main(pathlib.Path(sys.argv[1]))
