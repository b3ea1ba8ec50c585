"""Time bounds, stretched for slow builds.

SLOW=5 in the environment multiplies every bound; a busy machine or a sanitizer build is not a bug.
"""
import os
import time

SLOW = float(os.environ.get("SLOW", "1"))

#: How long a test waits for something that should happen at once.
SOON = 5.0 * SLOW


#: When a wait last came to its bound (time.monotonic), for lib/unsteady.py.
overdue = 0.0


def ran_out():
    """Note that a wait has come to its bound."""
    global overdue
    overdue = time.monotonic()


def within(seconds):
    """The bound `seconds` as this build has to keep it."""
    return seconds * SLOW


def until(condition, timeout=None, every=0.005):
    """Wait until condition() is true and give its value; its last value when the time is over."""
    end = time.monotonic() + (SOON if timeout is None else timeout)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            ran_out()
            return value
        time.sleep(every)


class Stopwatch:
    """`with Stopwatch() as watch: …` then watch.seconds."""

    def __enter__(self):
        self.begin = time.monotonic()
        self.seconds = 0.0
        return self

    def __exit__(self, *exc):
        self.seconds = time.monotonic() - self.begin
