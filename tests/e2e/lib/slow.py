"""How long tests take: each is noted, and one that takes more than two seconds says why.

`@pytest.mark.slow("why")` says it. Two seconds are those of a quiet machine and the release build;
SLOW stretches them for others (2 is what `make e2e` gives the release build), and so does what else
runs on this machine.
"""
import os

from lib.times import SLOW

BOUND = 2.0


def bound():
    busy = os.getloadavg()[0] / (2 * (os.cpu_count() or 1))
    return BOUND * max(1.0, SLOW / 2) * max(1.0, busy)


def complaint(item, seconds):
    """None, or what is wrong with a test that passed in that time."""
    mark = item.get_closest_marker("slow")
    if mark and not mark.args:
        return "@pytest.mark.slow says why: slow(\"…\")"
    limit = bound()
    if mark or seconds <= limit:
        return None
    return f"took {seconds:.1f} s, {limit:.1f} s are allowed: make it faster, or say why not, @pytest.mark.slow(\"…\")"


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
