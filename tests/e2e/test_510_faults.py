"""Every way an origin, or the way to it, can fail: one cause token, told the same everywhere.

Status, Proxy-Status, page in three forms, log field and counter all come from one row of fault.tbl.
The table below has a scene for every row of the upstream family, and a test that says so.
"""
import contextlib
import html.parser
import json
import re
import socket
import struct
import threading

import pytest

from lib import conf, metrics
from lib.blackhole import BlackHole
from lib.client import Client, fetch
from lib.dns import SERVFAIL
from lib.faults import FAULTS, assert_refused, cause_of
from lib.netns import ip, network
from lib.origin import Origin, close, drip, half_close, ok, pause, read_body, reset, send
from lib.times import Stopwatch, until, within

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
        Scene("response_malformed", script(read_body(), send(b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n"), close())),
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

#: Shown elsewhere: they need a network of their own, or a direction that can have them.
ELSEWHERE = {"connect_unreachable", "connect_failed", "no_server"}

ALL = [(cause, i) for cause, scenes in SCENES.items() for i in range(len(scenes))]
EARLY = [(cause, i) for cause, i in ALL if not SCENES[cause][i].late]
LATE = [(cause, i) for cause, i in ALL if SCENES[cause][i].late]


def test_every_upstream_fault_has_a_scene():
    far = {token for token, fault in FAULTS.items() if fault.whose == "FAR"}
    assert far == set(SCENES) | ELSEWHERE


def test_the_table_keeps_its_promises():
    """403 for policy only, 502 to 504 for the way upstream, the client's own doing 4xx (and 501, 505)."""
    for token, fault in FAULTS.items():
        if fault.status == 0:
            continue
        if fault.whose == "POLICY":
            assert fault.status == 403, token
        elif fault.whose == "FAR":
            assert fault.status in (502, 503, 504), token
        elif fault.whose == "NEAR":
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


@pytest.mark.parametrize("cause,number", EARLY)
def test_told_everywhere_alike(world, cause, number):
    scene = SCENES[cause][number]
    url = scene.stage(world)
    for count, (kind, accept) in enumerate(FORMS.items(), 1):
        before = metrics.read(world.daemon)
        answer = perform(world, scene, url, accept)
        assert_refused(answer, cause)
        assert answer.status == FAULTS[cause].status
        assert f'details="{cause}"' in answer.get("Proxy-Status")
        assert answer.get("Cache-Control") == "no-store" and answer.has("Date")
        assert answer.get("Content-Type").split(";")[0] == kind
        assert page_facts(answer)[0] == cause and FAULTS[cause].text in answer.body.decode()
        identity = page_facts(answer)[1]
        assert re.fullmatch(r"[0-9a-f]{16}", identity)
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
    before = metrics.read(world.daemon)
    answer = perform(world, scene, scene.stage(world))
    assert answer.status == 200 and answer.truncated and not answer.has("Proxy-Status")
    assert answer.body in (b"some", b"so")
    line = world.daemon.wait_log("/scene")
    assert line.get("cause") == cause and " 200 " in line
    assert metrics.grown(world.daemon, before)[f"fault {cause}"] == 1
    assert until(lambda: metrics.read(world.daemon)["requests_in_flight"] == 0)


@pytest.mark.parametrize("cause,number", [(c, n) for c, n in EARLY if not SCENES[c][n].body])
@pytest.mark.parametrize("version", ["HEAD", "1.0"])
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
        before = metrics.read(daemon)
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
        assert shown == dead(world) + path[1:]


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
