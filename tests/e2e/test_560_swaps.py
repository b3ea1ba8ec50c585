"""A list is exchanged many times while requests go through: nobody notices, and nothing is left behind.
`bench/swaps` does it with a million lines and a hundred times."""
import os
import threading

import pytest

from lib import conf
from lib.client import Client
from lib.times import until

pytestmark = [pytest.mark.threads, pytest.mark.slow("exchanges a list of 50,000 lines 20 times")]

LINES = "".join(f"host{i}.zone{i % 977}.example\n" for i in range(50000)) + "always.test\n"


class Asking(threading.Thread):
    """One request after the other on a connection that stays; the first wrong answer is kept."""

    def __init__(self, port, url, status):
        super().__init__(daemon=True)
        self.port, self.url, self.status = port, url, status
        self.asked, self.wrong, self.ended = 0, None, False

    def run(self):
        try:
            with Client(self.port) as client:
                while not self.ended:
                    answer = client.get(self.url)
                    self.asked += 1
                    assert answer.status == self.status and not answer.truncated, answer
        except Exception as error:   # whatever it is, it is what failed
            self.wrong = error


def put(daemon, text):
    path = os.path.join(daemon.folder, "bad.txt")
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(text)
    os.rename(path + ".new", path)


def is_denied(daemon, host):
    with Client(daemon.port) as client:
        return client.get(f"http://{host}/").status == 403


def test_exchanged_under_load(proxyd, parts, request):
    echo = parts.echo()
    daemon = proxyd(conf.forward(rules="deny bad { to list bad; } " + conf.OPEN_RULES,
                                 extra="list bad { source bad.txt; }", log=None, workers=2), files={"bad.txt": LINES})
    assert until(lambda: is_denied(daemon, "always.test"))
    asking = [Asking(daemon.port, url, status) for url, status in
              ((echo.url("/bytes/1000"), 200), (f"http://origin.test:{echo.port}/", 200), ("http://always.test/", 403))]
    for one in asking:
        one.start()
    memory = []
    for i in range(20):
        put(daemon, LINES + f"only{i}.test\n")
        assert until(lambda: is_denied(daemon, f"only{i}.test")), daemon.stderr()[-2000:]
        assert until(lambda: not is_denied(daemon, f"only{i - 1}.test"))   # by the other worker, too
        memory.append(daemon.memory())
    for one in asking:
        one.ended = True
    for one in asking:
        one.join(30)
        assert one.wrong is None and one.asked > 20, (one.url, one.wrong, one.asked)
    if not os.environ.get("SANITIZER"):
        assert until(lambda: daemon.memory() < memory[8] * 1.1), memory   # once the last old content is given back
