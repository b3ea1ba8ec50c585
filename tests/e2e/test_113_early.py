"""What comes before it is waited for: early answers, Expect, and streams that are passed on as they come."""
import threading
import time

import pytest

from lib.client import Client, fetch, request
from lib.faults import assert_refused
from lib.origin import close, ok, pause, read_body, read_eof, send, wait
from lib.times import Stopwatch, within
from lib.wire import Ended


# -- early answers --------------------------------------------------------------------------------

@pytest.mark.parametrize("status", ["413 Too Large", "200 OK", "401 Who"])
def test_early_answer_while_the_body_still_comes(rig, path, status):
    rig.origin.at(path, send(ok("early", status=status)), read_eof())
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Content-Length: 100000", method="POST") + b"x" * 1000)
        answer = client.response("POST")
        assert answer.status == int(status[:3]) and answer.body == b"early"


def test_early_answer_and_close(rig, path):
    """The origin answers and closes; the client's rest hits a closed door, the answer survives."""
    rig.origin.at(path, send(ok("early", "Connection: close", status="413 Too Large")), pause(0.02), close())
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Content-Length: 50000000", method="POST"))
        client.send(b"x" * 2000000)
        answer = client.response("POST")
        assert answer.status == 413 and answer.body == b"early"


def test_early_answer_never_desynchronises(rig, path):
    """The rest of the body is not the next request."""
    rig.origin.at(path, send(ok("early")), read_body())
    inner = request(rig.url("/smuggled"))
    with Client(rig.port) as client:
        client.send(request(rig.url(path), f"Content-Length: {len(inner)}", method="POST"))
        assert client.response("POST").body == b"early"
        client.send(inner)
        try:
            client.send(request(rig.url("/next")))
            answer = client.response()
            assert answer.status == 200
        except Ended:
            pass
    assert "/smuggled" not in rig.origin.paths()


# -- Expect ---------------------------------------------------------------------------------------

def test_expect_continue(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 100 Continue\r\n\r\n"), read_body(), send(ok("done")))
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert client.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        client.send(b"hello")
        assert client.response("POST").body == b"done"
        assert client.get(rig.url("/next")).status == 200
    assert rig.origin.request(path).body == b"hello"


def test_expect_continue_refused_by_the_origin(rig, path):
    rig.origin.at(path, send(ok("no", "Connection: close", status="403 No")), read_eof())
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST"))
        answer = client.response("POST")
        assert answer.status == 403 and not [i for i in answer.interim if i.status == 100]


def test_expect_continue_client_does_not_wait(rig, path):
    rig.origin.at(path, send(b"HTTP/1.1 100 Continue\r\n\r\n"), read_body(), send(ok("done")))
    with Client(rig.port) as client:
        answer = client.ask(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST")
                            + b"hello")
        assert answer.body == b"done" and all(i.status == 100 for i in answer.interim)


def test_expect_continue_silent_origin(rig, path):
    """An origin that knows no 100: the client sends after a while, and all is well."""
    rig.origin.at(path, read_body(), send(ok("done")))
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Expect: 100-continue", "Content-Length: 5", method="POST"))
        time.sleep(0.1)
        client.send(b"hello")
        assert client.response("POST").body == b"done"


def test_expect_from_http_1_0_is_ignored(rig, path):
    answer = fetch(rig.port, rig.url(path), "Expect: 100-continue", version="1.0", method="POST", body=b"x")
    assert answer.status == 200 and not answer.interim


def test_other_expectations_are_refused(rig, path):
    with Client(rig.port) as client:
        assert_refused(client.get(rig.url(path), "Expect: 200-ok"), "bad_expectation")
    assert path not in rig.origin.paths()


# -- streams --------------------------------------------------------------------------------------

def test_event_stream_is_flushed_at_once(rig, path):
    """Each event is out before the next exists."""
    steps = [threading.Event() for _ in range(5)]
    script = [send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")]
    for i, event in enumerate(steps):
        script += [wait(event), send(b"9\r\ndata: %d\n\n\r\n" % i)]
    rig.origin.at(path, *script, send(b"0\r\n\r\n"))
    with Client(rig.port) as client:
        client.send(request(rig.url(path)))
        assert client.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        for i, event in enumerate(steps):
            with Stopwatch() as watch:
                event.set()
                client.reader.until(b"data: %d\n\n\r\n" % i)
            assert watch.seconds < within(0.5)
        assert client.exactly(5) == b"0\r\n\r\n"


def test_head_is_out_before_the_body_begins(rig, path):
    go = threading.Event()
    rig.origin.at(path, send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), wait(go), send(b"hello"))
    with Client(rig.port) as client:
        client.send(request(rig.url(path)))
        assert b"200" in client.reader.until(b"\r\n\r\n")
        client.expect_open()
        go.set()
        assert client.exactly(5) == b"hello"


def test_request_body_is_passed_as_it_comes(rig, path):
    with Client(rig.port) as client:
        client.send(request(rig.url(path), "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
        conn = rig.origin.head(path).conn
        assert rig.origin.until(lambda o: b"5\r\nhello\r\n" in conn.received)
        client.send(b"0\r\n\r\n")
        assert client.response("POST").status == 200
