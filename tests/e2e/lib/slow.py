"""How long tests take: each is noted, and one that takes more than two seconds says why.

`@pytest.mark.slow("why")` says it. Two seconds are those of the release build; SLOW stretches them
for others (2 is what `make e2e` gives the release build). On a machine that others keep busy nothing
can be told from a time, so there it is only printed.
"""
import contextlib
import os
import re
import sys

from lib.times import SLOW

BOUND = 2.0 * max(1.0, SLOW / 2)


def is_busy():
    """By how long tasks have waited for a core lately, where the kernel tells."""
    with contextlib.suppress(OSError, TypeError):
        with open("/proc/pressure/cpu", encoding="ascii") as file:
            if float(re.search(r"^some avg10=([\d.]+)", file.read(), re.M)[1]) > 60:
                return True
    return os.getloadavg()[0] > 2 * (os.cpu_count() or 1)


def complaint(item, seconds):
    """None, or what is wrong with a test that passed in that time."""
    mark = item.get_closest_marker("slow")
    if mark and not mark.args:
        return "@pytest.mark.slow says why: slow(\"…\")"
    if mark or seconds <= BOUND:
        return None
    why = (f"{item.name} took {seconds:.1f} s, {BOUND:.1f} s are allowed: make it faster, or say why not, "
           "@pytest.mark.slow(\"…\")")
    if not is_busy():
        return why
    print(f"{why} (on a busy machine)", file=sys.stderr)
    return None


class Times:
    """What each test took with its fixtures, for run.sh: "SECONDS FILE::TEST" a line in $E2E_TIMES."""

    def __init__(self):
        self.seconds = {}

    def add(self, report):
        file, _, test = report.nodeid.partition("::")
        name = f"{os.path.basename(file)}::{test}"
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration

    def write(self):
        path = os.environ.get("E2E_TIMES")
        if path:
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(f"{seconds:.3f} {name}\n" for name, seconds in self.seconds.items())
