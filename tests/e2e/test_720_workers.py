"""Several workers as one proxy: clients are spread, connections to origins are shared, counters add up,
and every line of the log is written once and whole, or counted as lost.
"""
import contextlib
import os
import pathlib
import re
import resource
import threading

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.daemon import run_command
from lib.echo_server import pattern
from lib.origin import Origin, ok, read_body, send
from lib.times import until, within

pytestmark = pytest.mark.threads

#: A line of the readable log, as docs and users know it.
LINE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S+) "([A-Z]+|-)(?: (\S+))?" (\d{3}|-) in=\d+ out=\d+ '
                  r'\d+\.\dms(?: to=\S+)?(?: rule=\S+)?(?: at=\S+)?(?: upgrade=\S+)?(?: cause=\w+)?(?: reason="[^"]*")? '
                  r'id=([0-9a-f]{16}|[0-9a-f]{32})')


#: As many as the schema lets one ask for.
MOST = 128


def worker_of(client):
    """Which worker serves this connection: the first byte of the request id on a page of our own."""
    answer = client.ask(b"GET /no-such-page HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    return int(re.search(rb"^id: ([0-9a-f]{2})", answer.body, re.M)[1], 16)


def client_on(daemon, worker, **how):
    """A connection that this worker serves, and the others that came before it."""
    for _ in range(200):
        client = Client(daemon.port, **how)
        if worker_of(client) == worker:
            return client
        client.close()
    raise AssertionError(f"no connection came to worker {worker}")


def threads_of(daemon):
    return sorted(pathlib.Path(f"/proc/{daemon.pid}/task/{t}/comm").read_text().strip()
                  for t in os.listdir(f"/proc/{daemon.pid}/task"))


# -- how many -------------------------------------------------------------------------------------

@pytest.mark.parametrize("n", [1, 3, MOST])
def test_number_of_workers(proxyd, n):
    # covers: workers
    daemon = proxyd(conf.forward(workers=n))
    assert until(lambda: sum(t.startswith("worker-") for t in threads_of(daemon)) == n)
    assert until(lambda: f"proxyd: {n} worker{'' if n == 1 else 's'}; try: " in daemon.stderr())


@pytest.mark.parametrize("n", [None, 2, 7])
def test_threads_for_what_may_block(proxyd, n):
    # covers: offload-threads
    daemon = proxyd(conf.forward(extra=(f"offload-threads {n}; " if n else "") + metrics.ADMIN))
    assert until(lambda: threads_of(daemon).count("offload") == (n or 4))
    assert until(lambda: metrics.read(daemon)["offload_done_total hosts_file"] == 1), "looked at once when it is watched"
    assert "\nproxyd_offload_seconds_total{kind=\"hosts_file\"} 0." in metrics.text(daemon)


def test_more_than_there_may_be(tmp_path):
    """A mistake in the configuration, not an assertion at the start."""
    (tmp_path / "conf").write_text(conf.forward(workers=MOST + 1).replace("{port}", "3128"))
    done = run_command("check", "-c", tmp_path / "conf")
    assert done.returncode == 1 and f"expected at most {MOST}" in done.stderr, done.stderr


@pytest.mark.parametrize("cpus", [{0}, None])
def test_auto_is_one_for_each_cpu(proxyd, cpus):
    allowed = os.sched_getaffinity(0)
    cpus = {min(allowed)} if cpus else allowed
    daemon = proxyd(conf.forward(workers="auto"), limits=lambda: os.sched_setaffinity(0, cpus))
    assert until(lambda: sum(t.startswith("worker-") for t in threads_of(daemon)) == len(cpus))


# -- spreading ------------------------------------------------------------------------------------

def test_every_worker_gets_clients(proxyd):
    daemon = proxyd(conf.forward(workers=4))
    clients = [Client(daemon.port) for _ in range(64)]
    assert {worker_of(client) for client in clients} == {0, 1, 2, 3}
    for client in clients:
        client.close()


def test_a_busy_worker_hands_over(proxyd):
    """All clients of one worker leave; new ones that the kernel gives to the others are handed over,
    with nothing lost on the way."""
    daemon = proxyd(conf.forward(workers=2, extra=metrics.ADMIN))
    clients = [Client(daemon.port) for _ in range(200)]
    by_worker = {0: [], 1: []}
    for client in clients:
        by_worker[worker_of(client)].append(client)
    assert min(map(len, by_worker.values())) > 30
    for client in by_worker[1]:
        client.close()
    metrics.wait(daemon, "connections_open", len(by_worker[0]))
    before = metrics.calm(daemon)
    new = [Client(daemon.port) for _ in range(60)]
    served = [worker_of(client) for client in new]
    assert metrics.grown(daemon, before)["connections_handed_over_total"] >= 5
    assert served.count(1) >= 55, "they belong to the one that has room"
    assert metrics.read(daemon)["connections_open"] == len(by_worker[0]) + 60
    for client in new + by_worker[0]:
        client.close()
    metrics.wait(daemon, "connections_open", 0)


def test_limits_hold_across_workers(proxyd, origin):
    """One count for all: per address and in total."""
    daemon = proxyd(conf.forward(workers=4, extra="limits { clients-per-address 10; }"))
    until(lambda: "try:" in daemon.stderr())
    statuses = []
    clients = [Client(daemon.port, source="127.0.0.7") for _ in range(30)]
    for client in clients:
        statuses.append(client.get(origin.url()).status)
    assert statuses.count(200) == 10 and statuses.count(503) == 20
    for client in clients:
        client.close()


@pytest.mark.parametrize("worker", [0, 1])
def test_the_id_of_a_page_is_the_id_in_the_log(proxyd, worker):
    """What a user quotes is what the administrator finds."""
    daemon = proxyd(conf.forward(workers=2))
    with client_on(daemon, worker) as client:
        answer = client.get("http://127.0.0.1:1/quoted")
    number = re.search(rb"^id: ([0-9a-f]{16})$", answer.body, re.M)[1].decode()
    assert "/quoted" in daemon.wait_log(f"id={number}")


# -- sharing --------------------------------------------------------------------------------------

class SharedIdle:
    """Two workers and a name with two addresses: clients of 127.0.0.4 are led to the origin `four`, those
    of 127.0.0.6 to `six`. `first` and `second`, one of each, are served by worker 0. When they have asked,
    first's connection rests in the idle list of worker 0, second's, one more than it needs, on the shared list."""

    RULES = ("allow four { from 127.0.0.4; to 127.0.0.1; reach loopback; } "
             "allow six { from 127.0.0.6; to ::1; reach loopback; }")

    def __init__(self, proxyd, stack):
        self.stack = stack
        self.daemon = proxyd(conf.forward(workers=2, rules=self.RULES, extra=metrics.ADMIN))
        self.four = stack.enter_context(Origin("127.0.0.1", name="dual.test"))
        self.six = stack.enter_context(Origin("::1", port=self.four.port, name="dual.test"))
        self.first, self.second = self.client(0, "127.0.0.4"), self.client(0, "127.0.0.6")

    def client(self, worker, source):
        return self.stack.enter_context(client_on(self.daemon, worker, source=source))

    def fill(self):
        assert self.first.get(self.four.url("/first")).status == 200
        assert self.second.get(self.six.url("/second")).status == 200
        assert worker_of(self.second) == 0   # and so it is there when the next is served


@pytest.fixture
def shared_list(proxyd):
    with contextlib.ExitStack() as stack:
        yield SharedIdle(proxyd, stack)


def test_a_connection_is_reused_across_workers(shared_list):
    """What one worker has in excess another one takes from the shared list: no second connect."""
    third = shared_list.client(1, "127.0.0.6")
    before = metrics.calm(shared_list.daemon)
    shared_list.fill()
    assert third.get(shared_list.six.url("/third")).status == 200
    assert shared_list.four.paths() == ["/first"] and shared_list.six.paths() == ["/second", "/third"]
    grown = metrics.grown(shared_list.daemon, before)
    assert grown["upstream_shared_reused_total"] == 1 and grown["upstream_connects_total"] == 2
    assert shared_list.six.requests[0].conn is shared_list.six.requests[1].conn


def test_the_shared_list_gives_way_when_descriptors_are_short(shared_list, origin):
    """It is nobody's own, so whoever needs the descriptor closes what rests on it; until then it counts."""
    third = shared_list.client(1, "127.0.0.4")
    shared_list.fill()
    metrics.wait(shared_list.daemon, "upstream_idle", 2)
    shared_list.daemon.lower_descriptors(0)
    assert third.get(origin.url("/elsewhere")).status == 200, "the connection on the shared list made room"
    shared_list.daemon.restore_descriptors()
    metrics.wait(shared_list.daemon, "upstream_idle", 2)
    assert shared_list.first.get(shared_list.four.url("/again")).status == 200
    assert shared_list.four.requests[0].conn is shared_list.four.requests[1].conn, "the own idle list of the other worker is its own"


def test_a_stale_connection_on_the_shared_list_is_not_used(shared_list):
    third = shared_list.client(1, "127.0.0.6")
    shared_list.fill()
    shared_list.six.requests[0].conn.sock.shutdown(2)
    before = metrics.calm(shared_list.daemon)
    assert third.get(shared_list.six.url("/third"), method="POST").status == 200, "even a POST: nothing was sent twice"
    assert shared_list.six.paths() == ["/second", "/third"]
    assert "upstream_shared_reused_total" not in metrics.grown(shared_list.daemon, before)


def test_the_idle_list_of_one_worker_serves_its_clients(proxyd, origin):
    daemon = proxyd(conf.forward(workers=2, extra=metrics.ADMIN))
    with client_on(daemon, 1) as client:
        before = metrics.calm(daemon)
        for _ in range(10):
            assert client.get(origin.url()).status == 200
        grown = metrics.grown(daemon, before)
        assert grown["upstream_connects_total"] == 1 and grown["upstream_reused_total"] == 9


# -- the log --------------------------------------------------------------------------------------

def load(daemon, url, threads=4, each=500, pipelined=10):
    """Many requests over many connections; url gets {thread} and {number}."""
    failures = []

    def run(t):
        try:
            with Client(daemon.port) as client:
                for i in range(0, each, pipelined):
                    client.send(b"".join(request(url.format(thread=t, number=n)) for n in range(i, i + pipelined)))
                    for _ in range(pipelined):
                        assert client.response().status == 200
        except Exception as error:   # noqa: BLE001  any end of this thread is a failure
            failures.append(error)
    running = [threading.Thread(target=run, args=(t,)) for t in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert failures == []


def test_every_line_once_and_whole(proxyd, parts):
    """Rings of two workers, one writer: no line is lost, doubled or mixed with another."""
    daemon = proxyd(conf.forward(workers=2, extra=metrics.ADMIN))
    echo = parts.echo()
    before = metrics.calm(daemon)
    load(daemon, echo.url("/t{thread}/n{number}"), threads=16, each=250)
    wanted = {f"/t{t}/n{n}" for t in range(16) for n in range(250)}
    assert until(lambda: len(daemon.log("/t")) == len(wanted), within(10))
    seen, ids, workers = set(), set(), set()
    for line in daemon.log():
        found = LINE.fullmatch(line)
        assert found, line
        if "/t" in line:
            assert found[1] == "127.0.0.1" and found[4] == "200"
            seen.add(found[3].split(str(echo.port), 1)[1])
            ids.add(found[5])
            workers.add(found[5][:2])
    assert seen == wanted and len(ids) == len(wanted) and len(workers) == 2
    assert metrics.grown(daemon, before)["requests_total"] == len(wanted)
    assert metrics.read(daemon)["log_lines_lost_total"] == 0


def test_a_line_in_a_file(proxyd, origin):
    # covers: log access to
    """Appended to, for a restart continues the file; the parts of a line are what happened."""
    daemon = proxyd(conf.forward(log="to logs/access.log", workers=2), files={"logs/access.log": "before\n"})
    with Client(daemon.port) as client:
        assert client.get(origin.url("/filed?secret=1"), method="POST", body=b"12345").status == 200
    path = daemon.folder / "logs/access.log"
    assert until(lambda: "filed" in path.read_text())
    first, line = path.read_text().splitlines()
    assert first == "before" and daemon.stdout() == ""
    found = LINE.fullmatch(line)
    assert found[2] == "POST" and found[3] == origin.url("/filed?...") and found[4] == "200"
    assert "secret" not in line, "a query may hold secrets"
    assert f" to=127.0.0.1:{origin.port} rule=all id=" in line


@pytest.mark.parametrize("where,stdout,stderr", [("stdout", True, False), ("stderr", False, True),
                                                 ("none", False, False)])
def test_where_the_log_goes(proxyd, origin, where, stdout, stderr):
    daemon = proxyd(conf.forward(log=f"to {where}", extra=metrics.ADMIN))
    assert fetch(daemon.port, origin.url("/logged")).status == 200
    daemon.stop()
    assert ("/logged" in daemon.stdout()) is stdout and ("/logged" in daemon.stderr()) is stderr


def test_a_log_that_nobody_reads(proxyd, parts):
    """A full pipe: traffic goes on, what does not fit is dropped and counted, and when somebody reads
    again, it is told how many lines are missing."""
    read, write = os.pipe()
    daemon = proxyd(conf.forward(workers=2, extra=metrics.ADMIN), limits=lambda: os.dup2(write, 1))
    os.close(write)
    echo = parts.echo()
    before = metrics.calm(daemon)
    long = "x" * 1900
    load(daemon, echo.url("/t{thread}/n{number}/" + long), threads=4, each=1000, pipelined=5)
    assert metrics.grown(daemon, before)["requests_total"] == 4000
    lost = metrics.read(daemon)["log_lines_lost_total"]
    assert 1000 < lost < 4000
    assert fetch(daemon.port, echo.url("/bytes/100000")).body == pattern(100000), "it goes on all the same"
    got = bytearray()
    reader = threading.Thread(target=_drain, args=(read, got))
    reader.start()
    assert until(lambda: got.count(b"/bytes/100000") or metrics.read(daemon)["log_lines_lost_total"] > lost,
                 within(10))
    assert until(lambda: f"{metrics.read(daemon)['log_lines_lost_total']} lines lost" in daemon.stderr()
                 or sum(map(int, re.findall(r"(\d+) lines lost", daemon.stderr())))
                 == metrics.read(daemon)["log_lines_lost_total"], within(10))
    daemon.stop()
    reader.join()
    lines = bytes(got).decode().splitlines()
    assert all(LINE.fullmatch(line) for line in lines), [x for x in lines if not LINE.fullmatch(x)][:1]
    total_lost = sum(map(int, re.findall(r"(\d+) lines lost", daemon.stderr())))
    written = sum(1 for line in lines if "/t" in line or "/bytes/" in line)
    assert written + total_lost == 4001, "each line is either there or counted"


def _drain(fd, into):
    with os.fdopen(fd, "rb", buffering=0) as f:
        while piece := f.read(65536):
            into += piece


def test_a_full_disk(proxyd, origin):
    """/dev/full refuses every write: no line, no harm, but counted and told."""
    daemon = proxyd(conf.forward(log="to /dev/full", extra=metrics.ADMIN))
    for _ in range(3):
        assert fetch(daemon.port, origin.url()).status == 200
    metrics.wait(daemon, "log_lines_lost_total", 3)
    daemon.stop()
    told = re.findall(r"proxyd: the access log cannot be written: No space left on device: (\d+) lines lost\n",
                      daemon.stderr())
    assert len(told) <= 2 and sum(map(int, told)) == 3


def test_a_log_that_takes_half_a_line(proxyd, origin):
    """The end of the room in the middle of a line (a limit on file sizes stands for the full disk), in both
    logs: the line is finished once there is room, nothing is glued to it, the others are counted."""
    daemon = proxyd(conf.forward(log="to access.log", extra=metrics.ADMIN + " log error { to error.log; level debug; }"))
    logs = [daemon.folder / "access.log", daemon.folder / "error.log"]

    def room(size):
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def ask(n):
        for i in range(n):
            assert fetch(daemon.port, origin.url(f"/path/{i}")).status == 200
            assert fetch(daemon.port, "http://127.0.0.1:1/").status == 502   # told in the error log
    ask(3)
    assert until(lambda: all(log.read_bytes().count(b"\n") >= 3 for log in logs))
    room(min(log.stat().st_size for log in logs) + 20)
    ask(20)
    assert until(lambda: metrics.read(daemon)["log_lines_lost_total"] > 10)
    torn = [log.read_bytes() for log in logs]
    assert any(not text.endswith(b"\n") for text in torn)
    room(resource.RLIM_INFINITY)
    assert until(lambda: all(log.read_bytes().endswith(b"\n") for log in logs), within(5)), "without more traffic"
    ask(3)
    assert metrics.read(daemon)["log_lines_torn_total"] == 0
    daemon.stop()
    for log, before in zip(logs, torn):
        text = log.read_bytes()
        assert text.startswith(before)
        for line in text.decode().splitlines():
            assert re.match(r"\d{4}-\d\d-\d\dT\S+ |proxyd: ", line), line
            assert len(re.findall(r"\d{4}-\d\d-\d\dT", line)) <= 1, line


def test_counters_are_sums(proxyd, parts):
    daemon = proxyd(conf.forward(workers=3, extra=metrics.ADMIN))
    echo = parts.echo()
    before = metrics.calm(daemon)
    load(daemon, echo.url("/t{thread}/n{number}"), threads=9, each=100)
    metrics.wait(daemon, "connections_open", before["connections_open"])
    grown = metrics.grown(daemon, before)
    assert grown["requests_total"] == grown["responses_total 2xx"] == 900
    assert grown["connections_total"] == 9


def test_many_clients_at_once_get_their_own_answers(proxyd):
    """No answer ever goes to another client, whichever worker, whichever idle connection."""
    daemon = proxyd(conf.forward(workers=4))
    with Origin(name="origin.test") as origin:
        for i in range(40):
            origin.at(f"/mine/{i}", read_body(), send(ok(f"answer {i} " + "y" * i * 37)))
        problems = []

        def run(i):
            try:
                with Client(daemon.port) as client:
                    for _ in range(30):
                        answer = client.get(origin.url(f"/mine/{i}"))
                        if answer.body != f"answer {i} {'y' * i * 37}".encode():
                            problems.append(answer)
            except Exception as error:   # noqa: BLE001
                problems.append(error)
        threads = [threading.Thread(target=run, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
