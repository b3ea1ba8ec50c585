"""Lists by URL: how they are fetched, what a server may do to them, the copy that outlives the process."""
import gzip
import hashlib
import json
import os
import re
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.daemon import run_command
from lib.faults import assert_refused
from lib.origin import Origin, chunks, close, drip, ok, read_body, send, wait
from lib.times import until, within
from test_530_lists import ask, listed, readyz, tar

RULES = f"deny listed {{ to list ads; }} allow rest {{ reach {conf.CLASSES}; }}"
TWENTY = "".join(f"a{i}.test\n" for i in range(20))


def config(origin, more="", path="/ads.txt", reach="reach loopback;", top="", rules=RULES):
    return conf.forward(rules=rules, extra=f"{metrics.ADMIN} state state; {top} "
                                           f"list ads {{ source {origin.url(path)}; {reach} {more} }}")


def serve(origin, body, *fields, path="/ads.txt", **more):
    origin.at(path, read_body(), send(ok(body, *fields, **more)))


def started(proxyd, origin, *more, **how):
    """One whose list has not been fetched yet when it starts."""
    daemon = proxyd(config(origin, *more, **how), expect_ready=False)
    assert until(lambda: "try:" in daemon.stderr())
    return daemon


def loaded(daemon):
    return until(lambda: readyz(daemon)[0] == 200, within(5))


def refresh(daemon, *words):
    done = run_command("ctl", "-s", daemon.folder / "control.sock", "refresh", "ads", *words)
    return done.returncode, done.stdout + done.stderr


def refused(daemon, says):
    code, said = refresh(daemon)
    assert code == 1 and says in said, said
    assert listed(daemon, "a7.test")
    assert until(lambda: says in daemon.stderr()), daemon.stderr()


def field(request, name):
    return request.fields.get(name)


@pytest.mark.threads
def test_fetched(proxyd, origin):
    """Until it is here nobody gets past it; it is asked for by the proxy itself, and by its own right of way."""
    # covers: list source, list reach, state
    go = threading.Event()
    origin.at("/ads.txt", read_body(), wait(go), send(ok(TWENTY)))
    daemon = started(proxyd, origin)
    assert_refused(ask(daemon, "b.test"), "list_missing")
    assert readyz(daemon)[0] == 503
    go.set()
    assert loaded(daemon) and listed(daemon, "a7.test") and not listed(daemon, "b.test")
    request = origin.request("/ads.txt")
    assert field(request, "accept-encoding") == "identity" and field(request, "via") is None
    assert until(lambda: "list ads: domains, exact names; 20 entries from 1 file" in daemon.stderr())
    assert sorted(os.listdir(daemon.folder / "state/lists"))[0] == "ads." + hashlib.sha256(TWENTY.encode()).hexdigest()[:16]
    line = daemon.wait_log("/ads.txt")
    assert " - \"GET http://origin.test" in line and " 200 " in line


def test_the_guard(proxyd, origin):
    """Without `reach` only public addresses are dialled: what is refused is named, and nothing arrives."""
    daemon = started(proxyd, origin, reach="")
    assert until(lambda: "destination_loopback" in daemon.stderr(), within(5)), daemon.stderr()
    assert until(lambda: "tried again in" in daemon.stderr()) and origin.requests == []
    assert_refused(ask(daemon, "b.test"), "list_missing")


def test_conditional(proxyd, origin):
    """A content that has not changed is not sent again; the words are those of the URL that it came from."""
    serve(origin, TWENTY, 'ETag: "one"', "Last-Modified: Mon, 23 Nov 2026 07:00:00 GMT", path="/real")
    origin.at("/ads.txt", read_body(), send(ok("", "Location: real", status="302 Found")))
    daemon = started(proxyd, origin)
    assert loaded(daemon)
    origin.at("/real", read_body(), send(b'HTTP/1.1 304 Not Modified\r\nETag: "one"\r\n\r\n'))
    assert refresh(daemon) == (0, "list ads: unchanged\n")
    assert origin.paths() == ["/ads.txt", "/real"] * 2
    first, again = origin.requests[2:]
    assert field(first, "if-none-match") is None and field(again, "if-none-match") == '"one"'
    assert field(again, "if-modified-since") == "Mon, 23 Nov 2026 07:00:00 GMT"
    assert listed(daemon, "a7.test")


@pytest.mark.threads
def test_every(proxyd, origin):
    # covers: list every
    serve(origin, TWENTY)
    daemon = started(proxyd, origin, "every 1s;")
    assert loaded(daemon)
    serve(origin, TWENTY + "new.test\n")
    assert until(lambda: listed(daemon, "new.test"), within(5))


def test_restart_without_network(proxyd, origin):
    """The last good copy is there from the beginning; a young one is not even asked about."""
    serve(origin, TWENTY, 'ETag: "one"')
    text = config(origin)
    first = started(proxyd, origin)
    assert loaded(first)
    state = first.folder / "state"
    assert until(lambda: (state / "lists/ads.copy").exists())
    first.stop()
    origin.requests.clear()
    second = proxyd(text.replace("state state;", f"state {state};"))
    assert listed(second, "a7.test") and origin.requests == []
    serve(origin, "", status="503 Service Unavailable")
    refused(second, "it answered 503")
    assert field(origin.requests[0], "if-none-match") == '"one"'


@pytest.mark.parametrize("harm", ["damaged", "cut", "other URL", "no description"])
def test_a_copy_that_is_not_whole(proxyd, origin, harm):
    """It does not count: the list is fetched anew."""
    serve(origin, TWENTY)
    first = started(proxyd, origin)
    state = first.folder / "state"
    assert until(lambda: (state / "lists/ads.copy").exists(), within(5))
    first.stop()
    content = next((state / "lists").glob("ads.????????????????"))
    if harm == "damaged":
        content.write_text(TWENTY.replace("a7", "b7"))
    elif harm == "cut":
        content.write_text(TWENTY[:-5])
    elif harm == "no description":
        (state / "lists/ads.copy").write_text("url x\nsha256 12\n\0\n")
    path = "/other.txt" if harm == "other URL" else "/ads.txt"
    serve(origin, "c1.test\n", path=path)
    second = proxyd(config(origin, path=path).replace("state state;", f"state {state};"), expect_ready=False)
    assert until(lambda: "try:" in second.stderr()) and loaded(second)
    assert listed(second, "c1.test") and not listed(second, "a7.test") and not listed(second, "b7.test")


def test_no_state(proxyd, origin):
    """Without a folder it works all the same, and says what that costs."""
    serve(origin, TWENTY)
    daemon = proxyd(config(origin).replace("state state;", "state none;"), expect_ready=False)
    assert until(lambda: "try:" in daemon.stderr()) and loaded(daemon) and listed(daemon, "a7.test")
    assert until(lambda: "no copy of it is kept" in daemon.stderr())


def test_the_folder_of_the_system(proxyd, origin, tmp_path):
    """Without the key it is the one that systemd names, the first if there are several."""
    # covers: state
    serve(origin, TWENTY)
    daemon = proxyd(config(origin).replace("state state;", ""), expect_ready=False,
                    env={"STATE_DIRECTORY": f"{tmp_path}/var:/nowhere"})
    assert until(lambda: (tmp_path / "var/lists/ads.copy").exists(), within(5)) and loaded(daemon)


def endless(piece=b"x.test\n" * 4096):
    def step(conn):
        while True:
            conn.sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    return step


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HTML = "<!DOCTYPE html>\n<title>404</title>\n" + TWENTY.replace("a", "b")
HOSTILE = {
    "never ends": ([send(CHUNKED), endless()], "it is larger than 100000 bytes (max-size)"),
    "too long, and says so": ([send(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n")], "it is larger than 100000 bytes"),
    "slow": ([send(CHUNKED), drip(b"1\r\na\r\n" * 1000, every=0.1, piece=6)], "it was not here in time (timeout)"),
    "silent": ([lambda conn: conn.sock.recv(1)], "it was not here in time"),
    "cut by length": ([send(ok(TWENTY)[:-30]), close()], "its answer was cut off behind"),
    "cut in a chunk": ([send(CHUNKED + b"100\r\na1.test\n"), close()], "its answer was cut off behind"),
    "cut gzip": ([send(ok(gzip.compress(os.urandom(9000).hex().encode())[:-900]))], "cut off in the middle of its packed data"),
    "gzip bomb": ([send(ok(gzip.compress(bytes(90 << 20))))], "wrong"),
    "loop": ([send(ok("", "Location: /ads.txt", status="302 Found"))], "more than 5 redirects"),
    "to a private address": ([send(ok("", "Location: http://10.0.0.1/x", status="301 Moved"))], "destination_private"),
    "to metadata": ([send(ok("", "Location: //169.254.169.254/x", status="307 x"))], "destination_metadata"),
    "to https": ([send(ok("", "Location: https://origin.test/x", status="302 Found"))], "arrive with TLS"),
    "to a file": ([send(ok("", "Location: file:///etc/passwd", status="302 Found"))], "only http:// can be fetched"),
    "to nowhere": ([send(ok("", status="302 Found"))], "does not say where it leads"),
    "304 without a question": ([send(b"HTTP/1.1 304 Not Modified\r\n\r\n")], "nothing was asked about a copy"),
    "a page": ([send(ok(HTML, "Content-Type: text/html"))], "it is a web page, no list"),
    "an error": ([send(ok("b.test\n" * 30, status="404 Not Found"))], "it answered 404 Not Found"),
    "half": ([send(ok(TWENTY[:TWENTY.index("a9")]))], "it has shrunk from 20 entries to 9, by more than 50% (max-loss)"),
    "another kind": ([send(ok("x.test\n" + "{ no list }\n" * 30))], "lines are wrong"),
    "nothing": ([send(ok(""))], "it has shrunk from 20 entries to 0"),
    "no HTTP": ([send(b"220 ftp ready\r\n"), close()], "upstream_"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_servers(proxyd, origin, name):
    """Whatever a server does, the content before it stays, and log, metrics and command say why."""
    # covers: list timeout, list max-size, list max-loss
    steps, says = HOSTILE[name]
    serve(origin, TWENTY)
    daemon = started(proxyd, origin, "timeout 500ms; max-size 100000;")
    assert loaded(daemon)
    origin.at("/ads.txt", read_body(), *steps)
    refused(daemon, says)
    text = metrics.text(daemon)
    assert 'proxyd_list_entries{list="ads"} 20' in text and 'proxyd_list_failures_total{list="ads"} 1' in text
    serve(origin, TWENTY.replace("a", "c"))
    assert refresh(daemon)[0] == 0 and listed(daemon, "c7.test") and not listed(daemon, "a7.test")


def test_anyway(proxyd, origin):
    """Who knows that a list has shrunk says so, once."""
    # covers: list max-loss
    serve(origin, TWENTY)
    daemon = started(proxyd, origin, "max-loss 10%;")
    assert loaded(daemon)
    serve(origin, "a1.test\n" * 17)
    refused(daemon, "it has shrunk from 20 entries to")
    assert refresh(daemon, "anyway")[0] == 0 and not listed(daemon, "a7.test") and listed(daemon, "a1.test")


def test_packed(proxyd, origin):
    """gzip and tar by their content, whatever the URL is called."""
    serve(origin, tar(("ut1/games/domains", "g.test\n")), path="/download?id=1")
    rules = "deny listed { to list ads category ut1/games; } allow rest { }"
    daemon = started(proxyd, origin, path="/download?id=1", rules=rules)
    assert loaded(daemon) and listed(daemon, "w.g.test")
    serve(origin, gzip.compress(b"g.test\n"), path="/download?id=1")
    assert refresh(daemon)[0] == 0 and not listed(daemon, "g.test")      # no category any more


SUM = hashlib.sha256(TWENTY.encode()).hexdigest()


@pytest.mark.parametrize("how", ["digits", "file", "line"])
def test_checksum(proxyd, origin, how):
    """Another content than the one whose checksum is known is not taken."""
    # covers: list checksum
    serve(origin, TWENTY)
    sums = SUM if how == "file" else f"{'0' * 64}  other.txt\r\n{SUM.upper()} *ads.txt\r\n"
    serve(origin, sums, path="/sums")
    daemon = started(proxyd, origin, f"checksum {SUM if how == 'digits' else origin.url('/sums')};")
    assert loaded(daemon)
    serve(origin, TWENTY + "b.test\n")
    refused(daemon, "its SHA-256 is ")


@pytest.mark.threads
def test_reload(proxyd, origin):
    """An unchanged block keeps its content and its time; a new one is fetched before the configuration is taken."""
    serve(origin, TWENTY)
    daemon = started(proxyd, origin)
    assert loaded(daemon)
    daemon.reload(config(origin, rules="deny first { to x.test; } " + RULES))
    assert listed(daemon, "a7.test") and origin.paths() == ["/ads.txt"]
    serve(origin, "c.test\n", path="/other.txt")
    both = config(origin, rules="deny listed { to list ads list other; } allow rest { }",
                  top=f"list other {{ source {origin.url('/other.txt')}; reach loopback; }}")
    daemon.reload(both)
    assert listed(daemon, "c.test") and listed(daemon, "a7.test")
    serve(origin, "", path="/gone.txt", status="404 Not Found")
    daemon.reload(both.replace("/other.txt", "/gone.txt"), refused=True)
    assert until(lambda: "the list other could not be loaded" in daemon.stderr()) and "gone.txt: it answered 404" in daemon.stderr()
    assert listed(daemon, "c.test")


def test_optional(proxyd, origin):
    """Nobody waits for it, neither clients nor a reload; it has no entries until it is here."""
    # covers: list optional
    origin.at("/ads.txt", read_body(), send(ok("", status="404 Not Found")))
    daemon = proxyd(config(origin, "optional;"))
    assert not listed(daemon, "a7.test") and readyz(daemon)[0] == 200
    serve(origin, TWENTY)
    assert refresh(daemon)[0] == 0 and listed(daemon, "a7.test")


@pytest.mark.threads
def test_the_end_waits_for_no_list(proxyd, origin):
    go = threading.Event()
    origin.at("/ads.txt", read_body(), send(CHUNKED), wait(go))
    daemon = started(proxyd, origin)
    assert until(lambda: origin.requests)
    daemon.stop()
    go.set()


def test_files_are_refreshed_too(proxyd, origin):
    daemon = proxyd(conf.forward(rules=RULES, extra="list ads { source ads.txt; }"), files={"ads.txt": TWENTY})
    code, said = refresh(daemon)
    assert code == 0 and said.startswith("list ads: domains, exact names; 20 entries")
    assert refresh(daemon, "please")[0] == 1
    done = run_command("ctl", "-s", daemon.folder / "control.sock", "refresh", "other")
    assert done.returncode == 1 and "there is no list other" in done.stderr


def status(daemon, accept="*/*"):
    with Client(daemon.ports["admin_port"]) as client:
        answer = client.ask(f"GET /status HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n")
    return answer.body.decode()


@pytest.mark.threads
def test_status(proxyd, origin):
    """What people want to know of a list: how it is read, what is in it, since when, and what went wrong last."""
    serve(origin, TWENTY + "no name\n")
    daemon = started(proxyd, origin)
    assert loaded(daemon)
    told = json.loads(status(daemon))
    assert told["ready"] is True
    one = told["lists"][0]
    assert (one["name"], one["source"], one["loaded"]) == ("ads", origin.url("/ads.txt"), True)
    assert (one["format"], one["bare"], one["entries"], one["rejected"], one["error"]) == ("domains", "exact names", 20, 1, None)
    assert one["loaded_at"][:4] == one["checked_at"][:4] and one["next_at"] > one["checked_at"]
    origin.at("/ads.txt", read_body(), send(ok("", "Location: http://x y<b>\xe9/", status="302 Found")))
    assert refresh(daemon)[0] == 1
    one = json.loads(status(daemon))["lists"][0]
    assert "http://x y<b>" in one["error"] and one["error_at"] and one["loaded"] and one["entries"] == 20
    page = status(daemon, "text/html,*/*;q=0.8")
    assert page.startswith("<!DOCTYPE html>") and "<td>ads</td>" in page and "http://x y&lt;b&gt;" in page


WRONG = [
    ("source https://a.test/x;", "arrive with TLS"), ("source ftp://a.test/x;", "only http://"),
    ("source http://u:p@a.test/x;", "would stand in logs"), ("source http:///x;", "its host or its port is wrong"),
    ("source http://10.1.2.3/x;", 'add "reach private;"'), ("source http://a.test/x; max-loss 120%;", "is not a share"),
    ("source http://a.test/x; checksum 12ab;", "64 hexadecimal digits"),
    ("source http://a.test/x; checksum https://a.test/y;", "arrive with TLS"),
    ("source ads.txt; every 1h; reach private;", '"every" says nothing about a file')]


@pytest.mark.parametrize("words,says", WRONG)
def test_what_check_says(tmp_path, words, says):
    (tmp_path / "ads.txt").write_text("a.test\n")
    config_file = tmp_path / "proxyd.conf"
    config_file.write_text("listener a { bind 127.0.0.1:1; mode forward; policy p; } "
                           f"list l {{ {words} }} policy p {{ default allow; rules {{ deny x {{ to list l; }} }} }}")
    found = run_command("check", "--strict", "-c", str(config_file))
    assert found.returncode == 1 and says in found.stderr, found.stderr


def test_check_needs_no_network(proxyd, origin):
    """It looks at the last good copy, and says when there is none."""
    serve(origin, TWENTY)
    daemon = started(proxyd, origin)
    file = str(daemon.config)
    assert until(lambda: (daemon.folder / "state/lists/ads.copy").exists(), within(5))
    daemon.stop()
    origin.requests.clear()
    found = run_command("check", "-c", file)
    assert found.returncode == 0 and "list ads: domains, exact names; 20 entries" in found.stdout
    assert "bare     exact names" in run_command("lists", "show", "-c", file).stdout
    assert "/ads.txt:8, matches a7.test" in run_command("lists", "find", "a7.test", "-c", file).stdout
    (daemon.folder / "state/lists/ads.copy").unlink()
    found = run_command("check", "-c", file)
    assert found.returncode == 0 and "list ads: it has not been fetched yet" in found.stdout
    assert origin.requests == []


# -- through a parent, and later ------------------------------------------------------------------

def test_via(proxyd, origin):
    """The parent is asked for a name that only it knows; an address in a URL is judged as ever, also behind a redirect."""
    # covers: list via
    far, lost = "http://lists.far.example/ads.txt", "http://169.254.1.1/ads.txt"
    top = f"parent up {{ proxy 127.0.0.1:{{dead_up_port}} 127.0.0.1:{origin.port}; }}"
    text = config(origin, more="via up;", reach="", top=top).replace(origin.url("/ads.txt"), far)
    serve(origin, TWENTY, path=far)
    daemon = proxyd(text, expect_ready=False)
    assert until(lambda: "try:" in daemon.stderr()) and loaded(daemon) and listed(daemon, "a7.test")
    assert origin.request(far).line == f"GET {far} HTTP/1.1"
    assert metrics.read(daemon)[f"parent_uses_total up 127.0.0.1:{origin.port}"] == 1
    origin.at(far, read_body(), send(ok("", f"Location: {lost}", status="302 Found")))
    refused(daemon, "destination_link_local")
    assert [r.target for r in origin.requests] == [far, far]
    with Origin() as other:
        other.answer(far, ok(TWENTY.replace("a", "b")))
        daemon.reload(text.replace(f"127.0.0.1:{origin.port}", f"127.0.0.1:{other.port}"))
        assert refresh(daemon)[0] == 0 and other.requests and listed(daemon, "b7.test")


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("says", ["7000", "date"])
def test_retry_after(proxyd, origin, status, says):
    """Not before the server wants it, and not a year later."""
    if says == "date":
        says = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 7005))
    serve(origin, "", f"Retry-After: {says}", status=status)
    daemon = started(proxyd, origin)
    assert until(lambda: "tried again in" in daemon.stderr())
    assert 6990 <= int(re.search(r"tried again in (\d+) s", daemon.stderr())[1]) <= 8500
    serve(origin, "", "Retry-After: 99999999", status=status)
    refresh(daemon)
    assert until(lambda: daemon.stderr().count("tried again in") == 2)
    assert 86400 <= int(re.findall(r"tried again in (\d+) s", daemon.stderr())[1]) <= 86400 * 1.2 + 1
