"""Which failed tests are tried once more, by themselves, when their stage is over and the machine is quiet: those
that failed on time alone, and those that took too long beside others (lib/slow.py).

The hard thing is to let nothing else through. A test failed on time when a wait had just come to its bound, or when
the statement that failed compares a time; and then only if nothing but its body failed, every daemon was in good
order, and no sanitizer had spoken. What fails once more has failed.
"""
import os
import re
import time

from lib import times

#: Where they are written, "time|long TEST<tab>WHY" a line, for run.sh; without it none is tried again.
FILE = os.environ.get("E2E_AGAIN")

_COMPARES_TIME = re.compile(r"\bwithin\(|\bseconds\b|\bSLOW\b|\bmonotonic\b|\btook\b")
_RAN_OUT = {"Silent", "TimeoutError", "TimeoutExpired"}
_JUST = 0.3   # seconds between the end of a wait and the failure that comes of it

_again, _failed_otherwise = {}, set()


def is_of_time(excinfo):
    """Did it fail because a wait came to its bound, or because something took longer than it may?"""
    if time.monotonic() - times.overdue < _JUST * times.SLOW:
        return True
    if _RAN_OUT & {kind.__name__ for kind in excinfo.type.__mro__}:
        return True
    return excinfo.errisinstance(AssertionError) and bool(_COMPARES_TIME.search(str(excinfo.traceback[-1].statement)))


def failed(item, when, excinfo, daemons):
    """Note the failure of a phase of a test; `daemons` are those that it may have used."""
    if when == "call" and excinfo and all(d.is_fine() for d in daemons) and is_of_time(excinfo):
        what = excinfo.exconly().splitlines()[0][:200]
        _again[item.nodeid] = f"time {item.nodeid}\t{what} (line {excinfo.traceback[-1].lineno + 1})"
    else:
        _failed_otherwise.add(item.nodeid)


def took_too_long(item, why):
    _again[item.nodeid] = f"long {item.nodeid}\t{why}"


def write():
    if FILE:
        with open(FILE, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for test, line in _again.items() if test not in _failed_otherwise)
