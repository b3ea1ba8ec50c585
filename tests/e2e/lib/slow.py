"""How long tests take: each is noted, and one that takes more than two seconds says why.

`@pytest.mark.slow("why")` says it. Two seconds are those of the release build; SLOW stretches them
for others (2 is what `make e2e` gives the release build). What counts is what a test takes on a quiet
machine, and beside other tests nobody can tell: there it is only noted, to be measured by itself when
its stage is over (lib/unsteady.py). The time in which a task waited for a core is not the test's.
"""
import os
import re
import time

from lib import unsteady
from lib.times import SLOW

BOUND = 2.0 * max(1.0, SLOW / 2)


def stalled():
    """Seconds for which any task of this machine has waited for a core; None: the kernel does not tell."""
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as file:
            return int(re.search(r"^some .*total=(\d+)", file.read(), re.M)[1]) / 1e6
    except (OSError, TypeError):
        return None


class Clock:
    """What a test takes, from now on; .quiet() is what it would take on a quiet machine."""

    def __init__(self):
        self.begin, self.stalled = time.monotonic(), stalled()

    def quiet(self):
        seconds = time.monotonic() - self.begin
        if self.stalled is not None:
            return seconds - (stalled() - self.stalled)
        return 0.0 if os.getloadavg()[0] > 2 * (os.cpu_count() or 1) else seconds


def complaint(item, seconds, quiet):
    """None, or what is wrong with a test that passed in that time; quiet: see Clock."""
    mark = item.get_closest_marker("slow")
    if mark and not mark.args:
        return "@pytest.mark.slow says why: slow(\"…\")"
    beside_others = unsteady.FILE is not None
    if mark or seconds <= BOUND or quiet <= (BOUND / 2 if beside_others else BOUND):
        return None
    why = (f"{item.name} took {seconds:.1f} s, {BOUND:.1f} s are allowed: make it faster, or say why not, "
           "@pytest.mark.slow(\"…\")")
    if beside_others:
        unsteady.took_too_long(item, why)
    return why


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
