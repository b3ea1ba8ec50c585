"""Time bounds, stretched for slow builds.

SLOW=5 in the environment multiplies every bound; a busy machine or a sanitizer build is not a bug.
"""
import os
import time

SLOW = float(os.environ.get("SLOW", "1"))

#: How long a test waits for something that should happen at once.
SOON = 5.0 * SLOW


def within(seconds):
    """The bound `seconds` as this build has to keep it."""
    return seconds * SLOW


def until(condition, timeout=None, every=0.005):
    """Wait until condition() is true and give its value; its last value when the time is over."""
    end = time.monotonic() + (SOON if timeout is None else timeout)
    while True:
        value = condition()
        if value or time.monotonic() >= end:
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
