"""Every way an exchange can fail: one cause token, told the same everywhere.

Status, Proxy-Status, page in three forms, log field and counter all come from one row of fault.tbl.
SCENES has the ways of the origin and of the way to it, CLIENT and the tests behind it the client's, the
policy's and our own; a test holds all of them against the table.
"""
import contextlib
import html.parser
import json
import pathlib
import re
import socket
import struct
import threading
from urllib.parse import quote

import pytest

from lib import conf, metrics
from lib.blackhole import BlackHole
from lib.client import Client, fetch, request
from lib.dns import SERVFAIL
from lib.faults import FAULTS, ROOT, assert_refused, cause_of
from lib.netns import ip, network
from lib.origin import Origin, close, drip, half_close, ok, pause, read_body, reset, send, wait
from lib.times import Stopwatch, until, within
from lib.wire import Ended

#: What CLIENT below is refused by.
RIG = conf.forward(
    rules="deny no { path /denied; method GET; } allow near { to 127.0.0.1; reach loopback; } "
          "allow far { to 127.0.0.2 169.254.0.0/16 10.0.0.0/8 224.0.0.0/4 240.0.0.0/4; }",
    ports="connect-ports 443; http-ports 80 1024-65535;",
    extra="limits { head 4k; line 2k; fields 32; body 10; } timeouts { head 400ms; body 400ms; } " + metrics.ADMIN)

TIMES = ("timeouts { connect 400ms; response 400ms; body 400ms; head 5s; idle 60s; } ")


class Scene:
    """What goes wrong: stage(world) gives the URL to ask for; `late` when the head is out already."""

    def __init__(self, cause, stage, late=False, method="GET", body=b"", fields=()):
        self.cause, self.stage, self.late = cause, stage, late
        self.method, self.body, self.fields = method, body, fields


class World:
    """What a scene may use."""

    def __init__(self, daemon, origin, dns):
        self.daemon, self.origin, self.dns = daemon, origin, dns
        self.closing = []

    def script(self, *steps, path="/scene"):
        self.origin.at(path, *steps)
        return self.origin.url(path)


def dead(world):
    return f"http://127.0.0.1:{world.daemon.ports['dead_port']}/"


def black_hole(world):
    hole = BlackHole("127.0.0.9", world.daemon.ports["dead_port"])
    world.closing.append(hole)
    return f"http://127.0.0.9:{world.daemon.ports['dead_port']}/"


def script(*steps):
    return lambda world: world.script(*steps)


def resolves(function):
    def stage(world):
        world.dns.script("name.test", function)
        return "http://name.test/"
    return stage


def silent_dns(world):
    world.dns.silent = True
    return "http://name.test/"


HEAD_ONLY = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000 + b"\r\n"

SCENES = {
    "dns_nxdomain": [Scene("dns_nxdomain", lambda w: "http://nowhere.test/")],
    "dns_no_address": [Scene("dns_no_address", resolves(lambda n, k: []))],
    "dns_failure": [Scene("dns_failure", resolves(lambda n, k: SERVFAIL))],
    "dns_timeout": [Scene("dns_timeout", silent_dns)],
    "connect_refused": [Scene("connect_refused", dead)],
    "connect_timeout": [Scene("connect_timeout", black_hole)],
    "upstream_closed": [
        Scene("upstream_closed", script(read_body(), close())),
        Scene("upstream_closed", script(read_body(), send(b"HTTP/1.1 200 OK\r\nX: y"), close())),
        Scene("upstream_closed", script(read_body(), half_close(), pause(0.1))),
        Scene("upstream_closed", script(read_body(), send(b"HTTP/1.1 100 Continue\r\n\r\n"), close())),
        Scene("upstream_closed", script(read_body(), close()), method="POST", body=b"once")],
    "upstream_reset": [
        Scene("upstream_reset", script(read_body(), reset())),
        Scene("upstream_reset", script(read_body(), send(b"HTTP/1.1 200 OK\r\nX: y"), pause(0.05), reset())),
        Scene("upstream_reset", script(read_body(), reset()), method="POST", body=b"once")],
    "upstream_write_timeout": [
        Scene("upstream_write_timeout", script(pause(3)), method="POST", body=b"z" * (40 << 20))],
    "response_head_timeout": [
        Scene("response_head_timeout", script(read_body(), pause(3))),
        Scene("response_head_timeout", script(read_body(), drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300, every=0.01))),
        Scene("response_head_timeout", script(read_body(), send(b"HTTP/1.1 103 Early\r\n\r\n"), pause(3))),
        Scene("response_head_timeout", script(read_body(), pause(3)), method="POST", body=b"once")],
    "response_body_timeout": [
        Scene("response_body_timeout", script(read_body(), send(HEAD_ONLY + b"some"), pause(3)), late=True),
        Scene("response_body_timeout", script(read_body(), send(CHUNKED + b"4\r\nsome\r\n"), pause(3)), late=True),
        Scene("response_body_timeout", script(read_body(), send(b"HTTP/1.1 200 OK\r\n\r\nsome"), pause(3)), late=True)],
    "response_malformed": [
        Scene("response_malformed", script(read_body(), send(b"nonsense\r\n\r\n"), close())),
        Scene("response_malformed", script(read_body(), send(b"HTTP/1.1 200 OK\r\nX y: z\r\n\r\n"), close())),
        Scene("response_malformed", script(read_body(), send(b"HTTP/1.1 103 E\r\n\r\n" * 100), close()))],
    "response_bad_framing": [
        Scene("response_bad_framing", script(read_body(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n")))],
    "response_head_too_large": [Scene("response_head_too_large", script(read_body(), send(LARGE), close()))],
    "response_bad_chunk": [
        Scene("response_bad_chunk", script(read_body(), send(CHUNKED + b"4\r\nsome\r\nzz\r\n"), close()), late=True)],
    "response_bad_upgrade": [
        Scene("response_bad_upgrade", script(read_body(), send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), close()))],
    "response_truncated": [
        Scene("response_truncated", script(read_body(), send(HEAD_ONLY + b"some"), close()), late=True),
        Scene("response_truncated", script(read_body(), send(HEAD_ONLY + b"some"), pause(0.05), reset()), late=True),
        Scene("response_truncated", script(read_body(), send(CHUNKED + b"4\r\nso"), close()), late=True)],
}

ALL = [(cause, i) for cause, scenes in SCENES.items() for i in range(len(scenes))]
EARLY = [(cause, i) for cause, i in ALL if not SCENES[cause][i].late]
LATE = [(cause, i) for cause, i in ALL if SCENES[cause][i].late]


def test_the_table_keeps_its_promises():
    """403 for policy only, 502 to 504 for the way upstream, the client's own doing 4xx (and 501, 505)."""
    for token, fault in FAULTS.items():
        if fault.status == 0:
            continue
        if fault.whose == "POLICY":
            of_users = token.startswith("auth_") or token == "user_rate"
            assert fault.status in ((407, 429) if of_users else (403,)), token
        elif fault.whose == "UPSTREAM":
            assert fault.status in (502, 503, 504), token
        elif token == "not_cached":
            assert fault.status == 504     # RFC 9111 section 5.2.1.7
        elif fault.whose == "CLIENT":
            assert 400 <= fault.status < 500 and fault.status != 403 or fault.status in (501, 505), token
        else:
            assert fault.status in (500, 503, 508), token
        assert fault.error, f"{token} has a status and no Proxy-Status"


@contextlib.contextmanager
def a_world(proxyd, parts, times, dns_timeout):
    dns = parts.dns()
    daemon = proxyd(conf.forward(extra=metrics.ADMIN + times + "# {dead_port}",
                                 dns=f"server {dns.server}; hosts hosts; timeout {dns_timeout};"))
    with Origin(name="origin.test") as origin:
        made = World(daemon, origin, dns)
        yield made
        for thing in made.closing:
            thing.close()


@pytest.fixture
def world(proxyd, parts):
    with a_world(proxyd, parts, TIMES, "300ms") as made:
        yield made


@pytest.fixture
def patient_world(proxyd, parts):
    """Nothing times out here because the machine is busy."""
    with a_world(proxyd, parts, "", "30s") as made:
        yield made


def pour(sock, data):
    """Send as much as the proxy takes."""
    with sock:
        try:
            sock.sendall(data)
        except OSError:
            pass


def perform(world, scene, url, accept=None, client=None):
    """The answer to the scene's request."""
    fields = [*scene.fields, *([f"Accept: {accept}"] if accept else [])]
    head = [f"{scene.method} {url} HTTP/1.1", "Host: x", *fields]
    if scene.body:
        head.append(f"Content-Length: {len(scene.body)}")
    raw = ("\r\n".join(head) + "\r\n\r\n").encode()
    if client is None:
        client = Client(world.daemon.port)
        world.closing.append(client)
    if len(scene.body) > 1 << 20:
        threading.Thread(target=pour, args=(client.sock.dup(), raw + scene.body), daemon=True).start()
    else:
        client.send(raw + scene.body)
    return client.response(scene.method)


class Words(html.parser.HTMLParser):
    """The text of a page; malformed nesting fails."""

    def __init__(self):
        super().__init__()
        self.open, self.words, self.tags = [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data.strip())


def page_facts(answer):
    """(cause, id, request) as the page tells them, whatever its form."""
    kind = answer.get("Content-Type").split(";")[0]
    text = answer.body.decode()
    if kind == "text/html":
        words = Words()
        words.feed(text)
        words.close()
        assert text.startswith("<!DOCTYPE html>") and words.open == [], words.open
        said = [word for word in words.words if word]
        facts = dict(zip(said, said[1:]))
        return facts["Cause"], facts["Request id"], facts.get("Request")
    if kind == "application/json":
        facts = json.loads(text)
        assert facts["status"] == answer.status
        return facts["cause"], facts["id"], facts.get("request")
    assert kind == "text/plain"
    first, *rest = text.splitlines()
    facts = dict(line.split(": ", 1) for line in rest)
    return first.split(":")[0], facts["id"], facts.get("request")


FORMS = {"text/html": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json": "application/json",
         "text/plain": "text/plain"}


@pytest.mark.slow("some are time-outs, and waited for")
@pytest.mark.parametrize("cause,number", EARLY)
def test_told_everywhere_alike(world, cause, number):
    """In each form for the first scene of a cause, in one of them for its others."""
    scene = SCENES[cause][number]
    forms = list(FORMS.items())
    url = scene.stage(world)
    for count, (kind, accept) in enumerate([forms[number % 3]] if number else forms, 1):
        before = metrics.calm(world.daemon)
        answer = perform(world, scene, url, accept)
        assert_refused(answer, cause)
        assert answer.status == FAULTS[cause].status
        assert f'details="{cause}"' in answer.get("Proxy-Status")
        assert answer.get("Cache-Control") == "no-store" and answer.has("Date")
        assert answer.get("Content-Type").split(";")[0] == kind
        assert page_facts(answer)[0] == cause and FAULTS[cause].text in answer.body.decode()
        identity = page_facts(answer)[1]
        assert re.fullmatch(r"[0-9a-f]{32}" if FAULTS[cause].whose == "POLICY" and cause != "client_not_allowed" or cause == "list_missing"
                            else r"[0-9a-f]{16}", identity)
        line = world.daemon.wait_log(f"id={identity}")
        assert line.get("cause") == cause and f" {answer.status} " in line and f'"{scene.method} ' in line
        grown = metrics.grown(world.daemon, before)
        assert grown[f"fault {cause}"] == 1 and grown["requests_total"] == 1 and grown["responses_total 5xx"] == 1
        assert [name for name in grown if name.startswith("fault ")] == [f"fault {cause}"]
        assert until(lambda: len(world.daemon.log(f"cause={cause}")) == count)


@pytest.mark.parametrize("cause,number", EARLY)
def test_the_client_may_go_on(world, cause, number):
    """A failure upstream is no reason to end the client's connection, unless its body is in the way."""
    scene = SCENES[cause][number]
    url = scene.stage(world)
    with Client(world.daemon.port) as client:
        answer = perform(world, scene, url, client=client)
        assert_refused(answer, cause)
        if (answer.get("Connection") or "").lower() == "close":
            assert len(scene.body) > 1 << 20, "why close?"
        else:
            assert client.get(world.origin.url("/fine")).status == 200


@pytest.mark.parametrize("cause,number", LATE)
def test_too_late_for_a_page(world, cause, number):
    """The head is out: the answer is cut, visibly, and the cause stands in log and counter."""
    scene = SCENES[cause][number]
    before = metrics.calm(world.daemon)
    answer = perform(world, scene, scene.stage(world))
    assert answer.status == 200 and answer.truncated and not answer.has("Proxy-Status")
    assert answer.body in (b"some", b"so")
    line = world.daemon.wait_log("/scene")
    assert line.get("cause") == cause and " 200 " in line
    assert metrics.grown(world.daemon, before)[f"fault {cause}"] == 1
    assert until(lambda: metrics.read(world.daemon)["requests_in_flight"] == 0)


# The answer to HEAD has no body, so no framing of one can be bad: that is repaired (test_115).
@pytest.mark.parametrize("cause,number,version", [
    (c, n, v) for c, n in EARLY if not SCENES[c][n].body for v in ("HEAD", "1.0")
    if not (v == "HEAD" and c == "response_bad_framing")])
def test_head_and_1_0(world, cause, number, version):
    scene = SCENES[cause][number]
    url = scene.stage(world)
    with Client(world.daemon.port) as client:
        if version == "HEAD":
            answer = client.ask(f"HEAD {url} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.body == b"" and int(answer.get("Content-Length")) > 0
            assert client.get(world.origin.url("/fine")).status == 200
        else:
            answer = client.ask(f"GET {url} HTTP/1.0\r\n\r\n")
            client.expect_closed()
        assert_refused(answer, cause)


@pytest.mark.parametrize("cause,number", [(c, n) for c, n in ALL if "timeout" in c])
def test_times_are_kept(world, cause, number):
    scene = SCENES[cause][number]
    url = scene.stage(world)
    with Stopwatch() as watch:
        perform(world, scene, url)
    assert 0.25 < watch.seconds < within(2.5)


@network("93.184.216.0/24")
def test_unreachable_and_failed(proxyd):
    """What routing says: no route, prohibited, unreachable; and an error nobody has a name for."""
    ip("route", "add", "unreachable", "198.51.100.0/25")
    ip("route", "add", "prohibit", "198.51.100.128/25")
    ip("route", "add", "blackhole", "203.0.113.0/24")
    daemon = proxyd(conf.forward(extra=metrics.ADMIN))
    for address, cause in (("8.8.8.8", "connect_unreachable"), ("[2a00::1]", "connect_unreachable"),
                           ("198.51.100.1", "connect_unreachable"), ("198.51.100.129", "connect_unreachable"),
                           ("203.0.113.1", "connect_failed"), ("255.255.255.255", "connect_unreachable")):
        before = metrics.calm(daemon)
        answer = fetch(daemon.port, f"http://{address}/x")
        assert_refused(answer, cause)
        assert daemon.wait_log(f"http://{address}/x").get("cause") == cause
        assert metrics.grown(daemon, before)[f"fault {cause}"] == 1


# -- the page -------------------------------------------------------------------------------------

ACCEPTS = [
    (None, "text/plain"), ("*/*", "text/plain"), ("", "text/plain"), ("text/html", "text/html"), ("TEXT/HTML", "text/html"),
    ("text/html;q=0.9", "text/html"), ("application/xhtml+xml", "text/html"), ("application/json", "application/json"),
    ("application/json; charset=utf-8", "application/json"), ("application/json, text/plain, */*", "application/json"),
    ("image/avif,image/webp,*/*;q=0.8", "text/plain"), ("text/plain", "text/plain"), ("text/*", "text/plain"),
    ("application/problem+json", "application/json"), (", ,text/html", "text/html"), ("nonsense", "text/plain"),
    ("text/html" + ",text/html" * 500, "text/html")]


@pytest.mark.parametrize("accept,kind", ACCEPTS, ids=range(len(ACCEPTS)))
def test_the_form_is_by_accept(world, accept, kind):
    answer = fetch(world.daemon.port, dead(world), *([f"Accept: {accept}"] if accept is not None else []))
    assert_refused(answer, "connect_refused")
    assert answer.get("Content-Type").split(";")[0] == kind
    page_facts(answer)


NASTY = ["/'onload='x", "/&lt;b&gt;&amp;", "/%3Cscript%3Ealert(1)%3C/script%3E", "/;!$&'()*+,=:@", "/{{7*7}}", "/\"x\"",
         "/<script>alert(1)</script>", "/\\x", "/|^`{}", "/" + "a" * 3000, "/" + "'" * 3000, "/\xe4\xf6", "/%00%0d%0aX: y"]


@pytest.mark.parametrize("path", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_nothing_of_the_request_is_markup(world, path, accept):
    """Whatever the target holds, the page stays a page and JSON stays JSON."""
    raw = f"GET {dead(world)}{path[1:]} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode("latin-1")
    with Client(world.daemon.port) as client:
        answer = client.ask(raw)
    assert answer.status in (400, 502)
    text = answer.body.decode()
    cause, _, shown = page_facts(answer)
    assert cause in FAULTS and "\r\nX: y" not in text
    assert len(text) < 8192
    if answer.get("Content-Type").startswith("text/html"):   # a head that is none shows no Accept
        harmless, words = Words(), Words()
        harmless.feed(fetch(world.daemon.port, dead(world), "Accept: text/html").body.decode())
        words.feed(text)
        assert words.tags == harmless.tags and "<script" not in text
    if answer.status == 502 and len(path) < 100 and path.isascii() and accept == "application/json":
        assert shown == dead(world) + quote(path[1:], safe="%!$&'()*+,;=:@/")   # as it goes to the origin


def test_the_query_is_not_repeated(world):
    """It may hold secrets; the page may be in a screenshot, and the log is kept."""
    for accept in FORMS:
        answer = fetch(world.daemon.port, dead(world) + "login?password=secret", f"Accept: {accept}")
        assert b"secret" not in answer.body and b"login" in answer.body
    assert "secret" not in world.daemon.stdout()


def test_ids_are_unique(world):
    seen = set()
    for _ in range(20):
        with Client(world.daemon.port) as client:
            for _ in range(5):
                seen.add(page_facts(client.get(dead(world)))[1])
    assert len(seen) == 100


def test_a_long_reason_and_other_scripts(proxyd):
    """The administrator's own words, in any language, on a page that stays whole."""
    reason = "Nicht erlaubt: „Ärger“ <b>&'\\\" 禁止 " + "ü" * 2000
    quoted = reason.replace("\\", "\\\\").replace('"', '\\"')
    daemon = proxyd(conf.forward(rules="", default=f'deny "{quoted}"'))
    for kind, accept in FORMS.items():
        answer = fetch(daemon.port, "http://a.test/", f"Accept: {accept}")
        assert_refused(answer, "default_denied")
        page_facts(answer)
        text = answer.body.decode()   # strict UTF-8
        if kind == "application/json":
            assert json.loads(text)["reason"].startswith(reason[:100])
        else:
            assert "Ärger" in text and "禁止" in text
        if kind == "text/html":
            assert "<b>" not in text
    assert "cause=default_denied" in daemon.wait_log("GET")


# -- odd ways to fail -----------------------------------------------------------------------------

def test_a_reset_in_the_very_handshake(world):
    """A listener that resets as soon as it has accepted."""
    listener = socket.socket()
    world.closing.append(listener)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.9", world.daemon.ports["dead_port"]))
    listener.listen(16)
    stop = threading.Event()

    def run():
        while not stop.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
    threading.Thread(target=run, daemon=True).start()
    for method in ("GET", "POST"):
        for _ in range(20):
            answer = fetch(world.daemon.port, f"http://127.0.0.9:{world.daemon.ports['dead_port']}/", method=method)
            assert_refused(answer, "upstream_reset|upstream_closed|connect_refused|connect_failed")
    stop.set()


def test_an_answer_then_a_reset_is_an_answer(world):
    """A server that answers, closes with our request unread and so resets: the answer came first."""
    world.origin.at("/early", send(ok("told you", "Connection: close", status="413 Too Large")), close())
    good = 0
    for _ in range(20):
        answer = fetch(world.daemon.port, world.origin.url("/early"), method="POST", body=b"x" * 100)
        good += answer.status == 413 and answer.body == b"told you"
    assert good == 20


def test_many_faults_at_once_leave_nothing(patient_world):
    """All early scenes together, many times; then nothing is in flight and no descriptor is lost."""
    world = patient_world
    fetch(world.daemon.port, world.origin.url("/warm"))
    before = world.daemon.descriptors()
    urls = []
    for number, (cause, index) in enumerate(EARLY):
        scene = SCENES[cause][index]
        if scene.body or "timeout" in cause:
            continue
        if scene.stage.__qualname__.startswith("script"):
            path = f"/scene{number}"
            scene.stage(world)
            world.origin.at(path, *world.origin._paths["/scene"])
            urls.append((world.origin.url(path), cause))
        elif cause != "dns_no_address":
            urls.append((scene.stage(world), cause))

    def one(i):
        for url, cause in urls[i % len(urls):] + urls[:i % len(urls)]:
            with Client(world.daemon.port, source=f"127.0.0.{10 + i}") as client:
                answer = client.get(url)
            if answer.status < 500 or cause_of(answer) != cause:
                wrong.append((url, cause, answer))
    wrong = []
    threads = [threading.Thread(target=one, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []
    metrics.wait(world.daemon, "requests_in_flight", 0)
    assert until(lambda: world.daemon.descriptors() <= before + 3, within(5)), world.daemon.descriptors() - before


# -- the client's, the policy's and our own ------------------------------------------------------

#: What a client may send that is refused, by the cause: @ is the origin's authority, {port} the listener's.
CLIENT = {
    "bad_request_line": "GET\r\nHost: @\r\n\r\n",
    "bad_method": "G(T http://@/ HTTP/1.1\r\nHost: @\r\n\r\n",
    "bad_target": "GET * HTTP/1.1\r\nHost: @\r\n\r\n",
    "bad_scheme": "GET https://@/ HTTP/1.1\r\nHost: @\r\n\r\n",
    "bad_version": "GET http://@/ HTTP/2.0\r\nHost: @\r\n\r\n",
    "bad_field_name": "GET http://@/ HTTP/1.1\r\nHost: @\r\nX : y\r\n\r\n",
    "bad_field_value": "GET http://@/ HTTP/1.1\r\nHost: @\r\nX: \x01\r\n\r\n",
    "bad_line_end": "GET http://@/ HTTP/1.1\nHost: @\r\n\r\n",
    "bad_folding": "GET http://@/ HTTP/1.1\r\nHost: @\r\nX: a\r\n b\r\n\r\n",
    "bad_host": "GET http://@/ HTTP/1.1\r\n\r\n",
    "bad_content_length": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 5, 5\r\n\r\n",
    "bad_transfer_encoding": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
    "unknown_transfer_encoding": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "both_lengths": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "bad_chunk": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "bad_trailer": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\n\r\n",
    "bad_connect_target": "CONNECT origin.test HTTP/1.1\r\nHost: origin.test\r\n\r\n",
    "bad_max_forwards": "OPTIONS http://@/ HTTP/1.1\r\nHost: @\r\nMax-Forwards: x\r\n\r\n",
    "bad_expectation": "GET http://@/ HTTP/1.1\r\nHost: @\r\nExpect: the-unexpected\r\n\r\n",
    "tls_to_plain_port": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x11" * 50,
    "not_http": "\x00\x01\x02\x03\r\n\r\n",
    "method_not_allowed": "POST /proxy.pac HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "not_found": "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "head_too_large": "GET http://@/ HTTP/1.1\r\nHost: @\r\nX: " + "x" * 5000 + "\r\n\r\n",
    "too_many_fields": "GET http://@/ HTTP/1.1\r\nHost: @\r\n" + "X: y\r\n" * 40 + "\r\n",
    "target_too_long": "GET http://@/" + "x" * 3000 + " HTTP/1.1\r\nHost: @\r\n\r\n",
    "body_too_large": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 11\r\n\r\n",
    "request_head_timeout": "GET http://@/",
    "request_body_timeout": "PUT http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 5\r\n\r\n",
    "own_listener": "GET http://127.0.0.1:{port}/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "rule_denied": "GET http://@/denied HTTP/1.1\r\nHost: @\r\n\r\n",
    "default_denied": "GET http://127.0.0.3:8080/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect_port_denied": "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
    "http_port_denied": "GET http://127.0.0.1:25/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "destination_metadata": "GET http://169.254.169.254/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "destination_loopback": "GET http://127.0.0.2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "destination_link_local": "GET http://169.254.1.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "destination_private": "GET http://10.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "destination_multicast": "GET http://224.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "destination_reserved": "GET http://240.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
}

#: Brought about by a test of its own: here, or where its subject is.
ELSEWHERE = {
    "auth_required": "test_550_users.py::test_who_does_not_say",
    "auth_malformed": "test_550_users.py::test_who_is_not",
    "auth_failed": "test_550_users.py::test_who_is_not",
    "auth_too_often": "test_550_users.py::test_too_often",
    "user_rate": "test_550_users.py::test_requests_per_user",
    "proxy_header_missing": "test_570_proxy_protocol.py::test_a_front_has_to_say_it",
    "proxy_header_malformed": "test_570_proxy_protocol.py::test_a_front_has_to_say_it",
    "proxy_header_unexpected": "test_570_proxy_protocol.py::test_nobody_else_may",
    "connect_intercepted": "test_570_transparent.py::test_without_host",
    "other_denied": "test_570_transparent.py::test_server_speaks_first",
    "began_late": "test_570_transparent.py::test_silence_is_no_way_around_rules",
    "not_cached": "test_600_cache.py::test_only_if_cached",
    "connect_unreachable": "test_510_faults.py::test_unreachable_and_failed",
    "connect_failed": "test_510_faults.py::test_unreachable_and_failed",
    "client_not_allowed": "test_510_faults.py::test_a_client_that_may_not",
    "too_many_from_address": "test_510_faults.py::test_too_many_from_one_address",
    "loop_detected": "test_510_faults.py::test_a_loop",
    "client_closed": "test_510_faults.py::test_a_client_that_goes",
    "client_reset": "test_510_faults.py::test_a_client_that_goes",
    "out_of_memory": "test_510_faults.py::test_no_memory_for_a_head",
    "client_write_timeout": "test_701_clock.py::test_a_client_that_does_not_read_is_ended",
    "parent_unavailable": "test_550_parents.py::test_never_silently_direct",
    "parent_refused": "test_550_parents.py::test_a_parent_that_refuses_a_tunnel",
    "out_of_descriptors": "test_700_limits.py::test_no_descriptor_for_the_origin",
    "draining": "test_710_drain.py::test_the_deadline_cuts",
    "client_hello_malformed": "test_540_sni.py::test_broken",
    "client_hello_timeout": "test_540_sni.py::test_one_that_does_not_come",
    "sni_missing": "test_540_sni.py::test_require",
    "sni_denied": "test_540_sni.py::test_another_name_is_judged",
    "tunnel_idle_timeout": "test_201_tunnel_ends.py::test_idle_limit",
    "tunnel_lifetime": "test_201_tunnel_ends.py::test_lifetime_limit",
    "pattern_exhausted": "test_520_rules.py::test_a_pattern_that_comes_to_its_limits",
    "fetch_too_long": "test_045_control.py::test_fetch_of_a_long_answer",
    "list_missing": "test_530_lists.py::test_missing",
}

#: No exchange brings it about, and why.
EXEMPT = {
    "auth_unavailable": "the users' file would have to go between the check of a configuration and its use",
    "internal_error": "a time-out of a wait that has none: it would be an error of the program's own",
}


def test_every_fault_is_brought_about():
    """The whole table, nothing else; what is shown elsewhere is named there."""
    known = [*SCENES, *CLIENT, *ELSEWHERE, *EXEMPT]
    assert sorted(known) == sorted(FAULTS)
    for token, where in ELSEWHERE.items():
        file, name = where.split("::")
        text = (pathlib.Path(__file__).parent / file).read_text(encoding="utf-8")
        test = re.search(rf"^(?:@.*\n(?: .*\n)*)*def {name}\(.*\n(?:(?: .*)?\n)*", text, re.M)
        assert test and f'"{token}"' in test[0], f"{token}: not in {where}"


def test_no_row_is_without_use():
    used = {token for folder in ("proxyd", "policy", "pac", "admin", "filters") for path in (ROOT / folder).rglob("*.[ch]")
            for token in re.findall(r"\bFAULT_(\w+)", path.read_text(encoding="utf-8"))}
    assert [token for token in FAULTS if token not in used] == []


def one_fault(daemon, before, cause, logged):
    """Counted once, alone, and told by the line of the log."""
    assert until(lambda: metrics.grown(daemon, before).get(f"fault {cause}"))
    grown = {name: value for name, value in metrics.grown(daemon, before).items() if name.startswith("fault ")}
    assert grown == {f"fault {cause}": 1}
    assert daemon.wait_log(logged).get("cause") == cause


@pytest.mark.parametrize("cause", CLIENT)
def test_what_a_client_can_do(rig, cause):
    raw = CLIENT[cause].replace("@", rig.origin.authority).replace("{port}", str(rig.port))
    before, lines = metrics.read(rig.proxyd), len(rig.proxyd.log(f"cause={cause}"))
    with Client(rig.port) as client:
        answer = client.ask(raw)
        assert_refused(answer, cause)
    assert FAULTS[cause].text in answer.body.decode()
    one_fault(rig.proxyd, before, cause, f"cause={cause}")
    assert len(rig.proxyd.log(f"cause={cause}")) == lines + 1
    assert [r for r in rig.origin.requests if r.complete] == []


def test_a_client_that_may_not(proxyd):
    daemon = proxyd(conf.forward(clients="127.0.0.1", extra=metrics.ADMIN))
    before = metrics.calm(daemon)
    with Client(daemon.port, source="127.0.0.2") as client:
        assert_refused(client.get("http://origin.test/"), "client_not_allowed")
    one_fault(daemon, before, "client_not_allowed", "cause=")


def test_too_many_from_one_address(proxyd):
    """The refusal comes before any request: it is counted, and no line of the log tells of it."""
    daemon = proxyd(conf.forward(extra="limits { clients-per-address 1; } " + metrics.ADMIN))
    metrics.settle(daemon)
    before = metrics.calm(daemon)
    with Client(daemon.port) as first:
        assert until(lambda: metrics.read(daemon)["connections_open"] == 1)
        with Client(daemon.port) as second:
            assert_refused(second.response(), "too_many_from_address")
        metrics.wait(daemon, "fault too_many_from_address", 1, since=before)
        first.expect_open()


def test_a_loop(world):
    """Our own mark comes back to us."""
    fetch(world.daemon.port, world.origin.url("/mark"))
    mark = world.origin.request("/mark").get("Via")
    before = metrics.calm(world.daemon)
    assert_refused(fetch(world.daemon.port, world.origin.url("/again"), f"Via: {mark}"), "loop_detected")
    one_fault(world.daemon, before, "loop_detected", "/again")
    assert world.origin.paths() == ["/mark"]


@pytest.mark.parametrize("way,cause", [("half a head", "client_closed"), ("half a body", "client_closed"),
                                       ("reset in a body", "client_reset"), ("reset before the answer", "client_reset")])
def test_a_client_that_goes(world, way, cause):
    """Nobody is left to be told: log and counter are."""
    go = threading.Event()
    world.origin.at("/gone", read_body(), wait(go), send(ok()))
    before = metrics.calm(world.daemon)
    client = Client(world.daemon.port)
    if way == "half a head":
        client.send(f"GET {world.origin.url('/gone')} HTTP/1.1\r\nHo")
    elif way == "reset before the answer":
        client.send(request(world.origin.url("/gone")))
        world.origin.head("/gone")
    else:
        client.send(request(world.origin.url("/gone"), "Content-Length: 10", method="PUT") + b"12345")
        world.origin.head("/gone")
    if "reset" in way:
        client.reset()
    else:
        client.close()
    one_fault(world.daemon, before, cause, f"cause={cause}")
    go.set()


@pytest.mark.slow("time-outs have to be waited for")
def test_no_memory_for_a_head(proxyd, origin):
    """A crowd with half heads has all there is: who still waits for room when head time is over is told why."""
    daemon = proxyd(conf.forward(workers=1, extra="limits { memory 4m; clients-per-address 3000; } "
                                 "timeouts { head 2s; } " + metrics.ADMIN))
    raw = request(origin.url("/crowd"), "X-Pad: " + "x" * 3000)[:-20]
    crowd = [Client(daemon.port) for _ in range(1500)]
    for client in crowd:
        client.send(raw)
    causes = set()
    for client in crowd:
        with client, contextlib.suppress(Ended):   # who was turned away while it still sent sees a reset
            causes.add(assert_refused(client.response(), "out_of_memory|request_head_timeout"))
    assert causes == {"out_of_memory", "request_head_timeout"}
    assert metrics.read(daemon)["fault out_of_memory"] > 0
    assert daemon.wait_log("cause=out_of_memory")
    assert origin.requests == []
