"""The end: TERM stops accepting, lets what runs finish within `timeouts drain`, and exits with 0; a
second signal, or INT, does not wait. Whatever was answered is in the log.
"""
import os
import signal
import socket
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.dead_disk import DeadDisk
from lib.origin import Origin, call, close, ok, pause, read_body, send, wait
from lib.times import Stopwatch, until, within
from lib.wire import Ended

pytestmark = pytest.mark.threads

TERM, INT, QUIT = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT

LONG = conf.forward(extra="timeouts { drain 60s; } " + metrics.ADMIN)


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:    # in the queue of the socket that was closed
        return False


def held(origin, path="/held"):
    """An answer that comes when the event is set: the head at once, the body then."""
    go = threading.Event()
    origin.at(path, read_body(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), wait(go), send(b"cd"))
    return go


# -- idle -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [TERM, INT, QUIT])
def test_nothing_to_wait_for(proxyd, number):
    daemon = proxyd(LONG)
    fetch(daemon.port, "http://127.0.0.1:1/")
    daemon.send_signal(number)
    assert daemon.wait(within(2)) == 0
    assert refused(daemon.port)


def test_idle_connections_are_closed(proxyd, origin):
    """Kept clients, silent new ones, and the idle connections to origins."""
    daemon = proxyd(LONG)
    kept, silent = Client(daemon.port), Client(daemon.port)
    assert kept.get(origin.url()).status == 200
    metrics.wait(daemon, "connections_open", 2)
    daemon.send_signal(TERM)
    assert kept.expect_closed(within(2)) == "eof"
    assert silent.expect_closed(within(2)) == "eof"
    assert daemon.wait(within(2)) == 0
    origin.all_closed()


def test_other_signals_are_not_the_end(proxyd, origin):
    """HUP and USR1 belong to reload and rotation, which a supervisor may send any time."""
    daemon = proxyd(LONG)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
        daemon.send_signal(number)
    time.sleep(0.1)
    assert fetch(daemon.port, origin.url()).status == 200


# -- what runs ------------------------------------------------------------------------------------

def test_a_running_answer_is_finished(proxyd, origin):
    daemon = proxyd(LONG)
    go = held(origin)
    with Client(daemon.port) as client:
        client.send(request(origin.url("/held")))
        assert client.reader.until(b"\r\n\r\nab").endswith(b"\r\n\r\nab")
        daemon.send_signal(TERM)
        assert until(lambda: refused(daemon.port)), "it accepts no more"
        time.sleep(0.2)
        assert daemon.alive()
        go.set()
        assert client.exactly(2) == b"cd"
        assert client.expect_closed(within(2)) == "eof", "the connection does not wait for another request"
    assert daemon.wait(within(2)) == 0
    assert daemon.wait_log("/held").get("cause") is None


def test_a_request_under_way_is_finished(proxyd, origin):
    """Its head not yet there: it is answered, with Connection: close."""
    daemon = proxyd(LONG)
    raw = request(origin.url("/late"), method="PUT", body=b"x" * 1000)
    with Client(daemon.port) as client:
        client.send(raw[:30])
        metrics.wait(daemon, "connections_open", 1)
        time.sleep(0.1)
        daemon.send_signal(TERM)
        assert until(lambda: refused(daemon.port))
        client.send(raw[30:500])
        time.sleep(0.1)
        client.send(raw[500:])
        answer = client.response("PUT")
        assert answer.status == 200 and answer.get("Connection") == "close"
        client.expect_closed(within(2))
    assert daemon.wait(within(2)) == 0


def test_an_upload_is_finished(proxyd, origin):
    daemon = proxyd(LONG)
    with Client(daemon.port) as client:
        client.send(request(origin.url("/up"), "Content-Length: 6", method="PUT") + b"abc")
        origin.head("/up")
        daemon.send_signal(TERM)
        assert until(lambda: refused(daemon.port))
        client.send(b"def")
        assert client.response("PUT").status == 200
    assert origin.request("/up").body == b"abcdef"
    assert daemon.wait(within(2)) == 0


def test_a_tunnel_is_waited_for(proxyd):
    daemon = proxyd(LONG)
    with Origin(name="origin.test") as origin, Client(daemon.port) as client:
        assert client.ask(request(origin.authority, method="CONNECT", host=origin.authority)).status == 200
        daemon.send_signal(TERM)
        assert until(lambda: refused(daemon.port))
        time.sleep(0.2)
        client.send(b"GET /inside HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.response().status == 200
        client.close()
        assert daemon.wait(within(2)) == 0
    assert daemon.wait_log("CONNECT").get("cause") is None


def test_pipelined_requests_end_with_the_running_one(proxyd, origin):
    """The answer that begins after the signal says that it is the last one."""
    daemon = proxyd(LONG)
    go = threading.Event()
    origin.at("/1", read_body(), wait(go), send(ok("one")))
    with Client(daemon.port) as client:
        client.send(request(origin.url("/1")) + request(origin.url("/2")))
        origin.head("/1")
        daemon.send_signal(TERM)
        assert until(lambda: refused(daemon.port))
        go.set()
        answer = client.response()
        assert answer.body == b"one" and answer.get("Connection") == "close"
        client.expect_closed(within(2))
    assert daemon.wait(within(2)) == 0
    assert origin.paths() == ["/1"]


def test_what_has_arrived_is_served(proxyd, origin):
    """A request that was in the socket when the signal came is no idle connection."""
    for _ in range(5):
        daemon = proxyd(LONG)
        clients = [Client(daemon.port) for _ in range(300)]
        for client in clients[:100]:
            assert client.get(origin.url("/first")).status == 200
        daemon.send_signal(signal.SIGSTOP)
        clients += [Client(daemon.port) for _ in range(100)]
        for client in clients:
            client.send(request(origin.url("/now")))
        daemon.send_signal(TERM)
        daemon.send_signal(signal.SIGCONT)
        for client in clients:
            assert client.response().status == 200
            client.close()
        assert daemon.wait(within(5)) == 0


def test_under_load_nothing_is_lost(proxyd, origin):
    """Clients that ask again and again: each answer they get is whole, and what gets no answer is an
    orderly close of a connection on which nothing was answered yet."""
    daemon = proxyd(LONG)
    problems, answered, stop = [], [0], threading.Event()

    def ask():
        while not stop.is_set():
            try:
                client = Client(daemon.port)
            except OSError:
                return
            try:
                while True:
                    answer = client.get(origin.url("/load"))
                    if answer.status != 200 or answer.body != b"ok":
                        problems.append(answer)
                    answered[0] += 1
                    if answer.get("Connection") == "close":
                        break
            except Ended as end:
                if end.got:
                    problems.append(end)
            except AssertionError as failure:
                problems.append(failure)
            client.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: answered[0] > 200)
    daemon.send_signal(TERM)
    assert daemon.wait(within(5)) == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(daemon.log("/load")) == answered[0], "one line for each answer"


# -- time is up -----------------------------------------------------------------------------------

def test_the_deadline_cuts(proxyd, origin):
    # covers: timeouts drain
    daemon = proxyd(conf.forward(extra="timeouts { drain 500ms; }"))
    held(origin)
    with Client(daemon.port) as client, Client(daemon.port) as tunnel:
        client.send(request(origin.url("/held")))
        client.reader.until(b"\r\n\r\nab")
        tunnel.ask(request(origin.authority, method="CONNECT", host=origin.authority))
        with Stopwatch() as watch:
            daemon.send_signal(TERM)
            assert daemon.wait(within(5)) == 0
        assert 0.4 < watch.seconds < 0.5 + within(2)
        client.expect_closed()
        tunnel.expect_closed()
    assert "2 requests and tunnels were cut off" in daemon.stderr()
    assert daemon.wait_log("/held").get("cause") == "draining"
    assert daemon.wait_log("CONNECT").get("cause") == "draining"


def test_a_cut_answer_does_not_look_whole(proxyd, origin):
    """Where only the close tells the end of the body, the client sees a reset."""
    daemon = proxyd(conf.forward(extra="timeouts { drain 100ms; }"))
    go = threading.Event()
    origin.at("/open", read_body(), send(b"HTTP/1.1 200 OK\r\n\r\nhalf of it"), wait(go), close())
    with Client(daemon.port) as old, Client(daemon.port) as new:
        old.send(request(origin.url("/open"), version="1.0"))
        new.send(request(origin.url("/open")))
        old.reader.until(b"half of it")
        new.reader.until(b"half of it")
        daemon.send_signal(TERM)
        assert daemon.wait(within(5)) == 0
        assert old.expect_closed() == "reset"
        rest = new.reader.rest()
        assert b"0\r\n\r\n" not in rest, "no last chunk"
    go.set()


@pytest.mark.parametrize("first,second", [(TERM, TERM), (TERM, INT), (INT, None), (QUIT, QUIT)])
def test_at_once(proxyd, origin, first, second):
    daemon = proxyd(LONG)
    go = held(origin)
    with Client(daemon.port) as client:
        client.send(request(origin.url("/held")))
        client.reader.until(b"\r\n\r\nab")
        daemon.send_signal(first)
        if second:
            assert until(lambda: refused(daemon.port))
            time.sleep(0.1)
            assert daemon.alive()
            daemon.send_signal(second)
        with Stopwatch() as watch:
            assert daemon.wait(within(5)) == 0
        assert watch.seconds < within(2)
        client.expect_closed()
    go.set()
    assert daemon.wait_log("/held").get("cause") == "draining"


def test_during_every_step(proxyd, parts):
    """INT while exchanges stand in each of their steps: looking up, connecting, sending, waiting."""
    dns = parts.dns()
    dns.silent = True
    daemon = proxyd(conf.forward(dns=f"server {dns.server}; hosts hosts; timeout 30s;",
                                 extra="timeouts { drain 60s; connect 30s; }"))
    with Origin(name="origin.test") as origin, socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fill = [Client(full.getsockname()[1]) for _ in range(1)]
        origin.at("/wait", read_body(), pause(20))
        origin.at("/sink", call(lambda conn: time.sleep(20)))
        clients = [Client(daemon.port) for _ in range(6)]
        clients[0].send(request("http://slow.test/"))
        clients[1].send(request(f"http://127.0.0.1:{full.getsockname()[1]}/"))
        clients[2].send(request(origin.url("/wait")))
        clients[3].send(request(origin.url("/sink"), "Content-Length: 10", method="PUT") + b"abc")
        clients[4].send(b"GET http://half")
        clients[5].send(b"BROKEN\r\n\r\n")
        origin.head("/wait")
        origin.head("/sink")
        time.sleep(0.2)
        daemon.send_signal(INT)
        assert daemon.wait(within(5)) == 0
        for client in clients + fill:
            client.close()


# -- a disk that has gone away ----------------------------------------------------------------------

HANGS = "proxyd: warning: a thread hangs on a file, as on a disk that has gone away: left behind\n"


@pytest.mark.slow("the offload threads are waited for two seconds after TERM")
@pytest.mark.parametrize("signals,seconds", [([TERM], 3), ([INT], 1), ([TERM, TERM], 1), ([TERM, INT], 1)])
def test_a_hosts_file_that_hangs_does_not_keep_it_alive(proxyd, tmp_path, signals, seconds):
    """Waited for a while after TERM, not after INT or a second signal; and told."""
    disk = DeadDisk(tmp_path)
    daemon = proxyd(LONG, env=disk.env)
    disk.goes_away(daemon)
    fetch(daemon.port, "http://127.0.0.1:1/")
    with Stopwatch() as watch:
        for number in signals:
            daemon.send_signal(number)
            assert until(lambda: refused(daemon.port))
            time.sleep(0.1)
        assert daemon.wait(within(5)) == 0
    assert watch.seconds < within(seconds)
    assert HANGS in daemon.stderr()
    assert daemon.log("http://127.0.0.1:1/")


# -- the log --------------------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["to stdout", "to {folder}/access.log"])
def test_log_lines_are_flushed(proxyd, origin, where):
    """Everything answered up to the end is written before the process is gone."""
    daemon = proxyd(conf.forward(log=where.replace("{folder}", "logs"), workers=2), files={"logs/x": ""})
    with Client(daemon.port) as one, Client(daemon.port) as two:
        for i in range(200):
            one.send(request(origin.url(f"/n{i}")))
            two.send(request(origin.url(f"/m{i}")))
            assert one.response().status == two.response().status == 200
        daemon.send_signal(TERM)
        assert daemon.wait(within(5)) == 0
    text = daemon.stdout() if where == "to stdout" else (daemon.folder / "logs/access.log").read_text()
    for i in range(200):
        assert f"/n{i}\"" in text and f"/m{i}\"" in text


@pytest.mark.slow("the log is waited for two seconds")
@pytest.mark.parametrize("number", [TERM, INT])
@pytest.mark.parametrize("pipe", ["stdout", "stdout and stderr"])
def test_a_log_that_nobody_reads_does_not_keep_it_alive(proxyd, origin, tmp_path, number, pipe):
    """A pipe that is full: the end comes all the same, though not with all lines."""
    read, write = os.pipe()

    def redirect():
        os.dup2(write, 1)
        if "stderr" in pipe:
            os.dup2(write, 2)
    daemon = proxyd(LONG, limits=redirect)
    go = held(origin)
    with Client(daemon.port) as client, Client(daemon.port) as running:
        running.send(request(origin.url("/held")))
        running.reader.until(b"\r\n\r\nab")
        for i in range(2000):
            assert client.get(origin.url(f"/line{i}")).status == 200
        daemon.send_signal(number)
        if number == TERM:
            assert until(lambda: refused(daemon.port))
            daemon.send_signal(number)
        assert daemon.wait(within(10)) == 0
    go.set()
    os.close(write)
    with os.fdopen(read, "rb") as rest:
        assert rest.read().count(b"/line") > 100
