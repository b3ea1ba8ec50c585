"""What the origin receives for valid requests: every message is written anew, with nothing of the
client's connection, nothing of the proxy's business and nothing of the client's identity in it.
"""
import re
import threading

import pytest

from lib import conf
from lib.client import Client, fetch, request
from lib.faults import assert_refused
from lib.origin import Origin, call, ok, read_eof, send, wait
from lib.times import until

pytestmark = [pytest.mark.threads, pytest.mark.smoke]

VIA = re.compile(r"1\.[01] ([A-Za-z0-9._:-]+)")


def forwarded(rig, raw, path, how="whole", seed=0):
    """Send these bytes (@ is the origin's authority), expect 200, give what the origin received."""
    rig.origin.clear()
    with Client(rig.port) as client:
        answer = client.ask(raw.replace(b"@", rig.a), how, seed)
    assert answer.status == 200, answer
    return rig.origin.request(path)


def lines(request_seen, *, without=("via",)):
    """The field lines as the origin saw them, the named ones left out."""
    return [f"{n.decode('latin-1')}: {v.decode('latin-1')}" for n, v in request_seen.fields
            if n.decode("latin-1").lower() not in without]


# -- the bytes ------------------------------------------------------------------------------------

def test_exact_bytes_of_a_get(rig):
    """Nothing but the target's form, Host and Via changes; order and spelling are the client's."""
    raw = (b"GET http://@/a/b?c=d HTTP/1.1\r\nHost: @\r\nUser-Agent: Test/1.0\r\nACCEPT: */*\r\n"
           b"x-odd-Case:   padded value \t\r\nCookie: a=b; c=d\r\n\r\n")
    for how, seed in (("whole", 0), ("bytes", 0), ("random", 1), ("random", 2), ("random", 3)):
        seen = forwarded(rig, raw, "/a/b?c=d", how, seed)
        name = VIA.fullmatch(seen.get("Via"))[1].encode()
        assert seen.raw == (
            b"GET /a/b?c=d HTTP/1.1\r\nHost: " + rig.a + b"\r\nUser-Agent: Test/1.0\r\nACCEPT: */*\r\n"
            b"x-odd-Case: padded value\r\nCookie: a=b; c=d\r\nVia: 1.1 " + name + b"\r\n\r\n")
        assert rig.origin.received() == [seen.raw]


def test_exact_bytes_of_a_post(rig):
    seen = forwarded(rig, b"POST http://@/p HTTP/1.1\r\nHost: @\r\nContent-Type: text/plain\r\n"
                          b"Content-Length: 0011\r\n\r\nhello\r\nagai", "/p")
    assert seen.line == "POST /p HTTP/1.1"
    assert seen.all("Content-Length") == ["11"], "the length is our own number"
    assert seen.body == b"hello\r\nagai"


def test_exact_bytes_of_chunks(rig):
    """Chunk lines are our own: no extension, no leading zero, no upper-case surprise."""
    seen = forwarded(rig, b"PUT http://@/c HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"0005;x=\"y z\"\r\nhello\r\n00\r\n\r\n", "/c")
    assert seen.all("Transfer-Encoding") == ["chunked"] and not seen.has("Content-Length")
    assert seen.raw.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH",
                                    "get", "X", "A!#$%&'*+-.^_`|~9"])
def test_methods_are_passed_as_they_are(rig, method):
    seen = forwarded(rig, method.encode() + b" http://@/m HTTP/1.1\r\nHost: @\r\n\r\n", "/m")
    assert seen.method == method


TARGETS = {
    "http://@/": "/", "http://@": "/", "http://@?x=1": "/?x=1", "HTTP://@/up": "/up",
    "http://@/a/../b/./c": "/a/../b/./c", "http://@//a//b": "//a//b", "http://@/%2e%2E/%41": "/%2e%2E/%41",
    "http://@/a?b=http://c/d": "/a?b=http://c/d", "http://@/a;p=1,2!$&'()*+=:@AT@": "/a;p=1,2!$&'()*+=:@AT@",
    "http://@/?": "/?", "http://@/%00%0d%0a": "/%00%0d%0a", "http://@/a%20b%2Fc": "/a%20b%2Fc",
}


@pytest.mark.parametrize("given", TARGETS)
def test_target_is_forwarded_raw(rig, given):
    expected = TARGETS[given].replace("@AT@", "@")
    raw = f"GET {given} HTTP/1.1\r\nHost: @\r\n\r\n".replace("@AT@", "\x00").replace(
        "@", rig.origin.authority).replace("\x00", "@").encode()
    rig.origin.clear()
    with Client(rig.port) as client:
        assert client.ask(raw).status == 200
    assert rig.origin.paths() == [expected]


def test_empty_lines_before_a_request_are_ignored(rig):
    """RFC 9112 2.2: some clients send one after a body."""
    seen = forwarded(rig, b"\r\nGET http://@/crlf HTTP/1.1\r\nHost: @\r\n\r\n", "/crlf")
    assert seen.line == "GET /crlf HTTP/1.1"


ODD = '"<>[\\]^`{|}'   # curl -g sends all of them as they are, browsers some
ENCODED = "%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D"
RAW = {
    b"http://@/caf\xc3\xa9?q=\xe6\xb5\x8b": "/caf%C3%A9?q=%E6%B5%8B", b"http://@/caf\xe9": "/caf%E9",
    f"http://@/{ODD}?{ODD}".encode(): f"/{ENCODED}?{ENCODED}", b"http://@?|": "/?%7C",
    b"http://@/a?b#c": "/a?b", b"http://@#/x\xff": "/", b"http://@/a#b?c#d": "/a",
}


@pytest.mark.parametrize("given", RAW)
def test_what_no_uri_may_hold_is_encoded(rig, given):
    """On its way out, in the log, and where rules look; a fragment is the client's own business."""
    rig.origin.clear()
    with Client(rig.port) as client:
        assert client.ask(b"GET " + given.replace(b"@", rig.a) + b" HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    assert rig.origin.paths() == [RAW[given]]
    path, query = RAW[given].partition("?")[::2]
    assert rig.proxyd.wait_log(f'"GET http://{rig.origin.authority}{path if given != b"http://@?|" else ""}{query and "?..."}"')


def test_a_rule_sees_the_encoded_path(proxyd, origin):
    daemon = proxyd(conf.forward(rules='allow some { path "/caf\u00e9"; reach loopback; }'))
    for path, status in ((b"/caf\xc3\xa9/x", 200), (b"/caf%c3%a9", 200), (b"/caf\xe9", 403)):
        with Client(daemon.port) as client:
            raw = b"GET http://" + origin.authority.encode() + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"
            assert client.ask(raw).status == status, path


def test_the_limit_is_for_the_encoded_target(proxyd, origin):
    """What is sent on keeps to the limits as well."""
    daemon = proxyd(conf.forward(extra="limits { line 1k; }"))
    target = f"GET http://{origin.authority}/".encode()
    for n, status in ((300, 200), (400, 414)):
        with Client(daemon.port) as client:
            assert client.ask(target + b"\xff" * n + b" HTTP/1.1\r\nHost: x\r\n\r\n").status == status


# -- user and password in the target --------------------------------------------------------------

@pytest.mark.parametrize("userinfo", ["user:pass-word%2F", "user%40corp:pass-word", "user:p@ss@pass-word", ":pass-word",
                                      "pass-word", ":", ""])
def test_userinfo_is_taken_off(proxyd, origin, userinfo):
    """As wget, apt, Java and Python send it, the last one in Host as well. It is for nobody but the client."""
    daemon = proxyd(conf.forward(extra="log error { to stderr; level debug; }"))
    url, host = f"http://{userinfo}@{origin.authority}", f"{userinfo}@{origin.authority}"
    with Client(daemon.port) as client:
        assert client.ask(f"GET {url}/wget HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n").status == 200
        assert client.ask(f"GET {url}/in?q HTTP/1.1\r\nHost: {host}\r\n\r\n").status == 200
        assert b"pass-word" not in client.ask(
            f"TRACE {url}/in HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 0\r\n\r\n").body
    seen = origin.request("/in?q")
    assert seen.raw.startswith(f"GET /in?q HTTP/1.1\r\nHost: {origin.authority}\r\n".encode())
    assert b"pass-word" not in seen.raw and not seen.has("Authorization")
    assert f'"GET http://{origin.authority}/in?..." 200' in daemon.wait_log("/in")
    assert "pass-word" not in daemon.stdout() + daemon.stderr()


UNSEEN = [  # each refused, for whatever reason
    "GET https://user:pass-word@a/ HTTP/1.1", "GET http://user:pass-word@a:0/ HTTP/1.1", "GET http://user:pass-word@/ HTTP/1.1",
    "GET http://user:x/pass-word@a/ HTTP/1.1", "GET http://user:x?pass-word@a/ HTTP/1.1",
    "GET http://user:pass-word HTTP/1.1", "GET http://user:pass-word%40a/ HTTP/1.1", "GET user:pass-word@a:80 HTTP/1.1",
    "GET http://user:pass-word x@a/ HTTP/1.1", "GET http://user:x pass-word@a/ HTTP/1.1", "GET http://user:pass-word@a/ HTTP/3.0",
    "GET http://user:pass-word@a/", "GET http://user:pass-word\\@a/ HTTP/1.1", "GET http:user:pass-word@a/ HTTP/1.1",
    "CONNECT user:pass-word@a HTTP/1.1", "CONNECT http://user:pass-word@a/ HTTP/1.1", "GET http://user:pass-word@a/\x01 HTTP/1.1",
    "G(T http://user:pass-word@a/ HTTP/1.1", "GET http://user:pass-word@a/denied HTTP/1.1", "CONNECT user:pass-word@a:25 HTTP/1.1",
    "GET http://user:pass-word@a/" + "x" * 20000 + " HTTP/1.1",
]


def test_userinfo_of_a_refused_target_is_seen_nowhere(proxyd):
    """Neither in the page, in any of its forms, nor in a log; the fault need not be the target's."""
    daemon = proxyd(conf.forward(rules="deny no { path /denied; } allow all { }", extra="log error { to stderr; level debug; }"))
    for line in UNSEEN:
        for kind in ("text/html", "application/json", "text/plain"):
            with Client(daemon.port) as client:
                answer = client.ask(f"{line}\r\nHost: a\r\nAccept: {kind}\r\n\r\n".encode())
            assert answer.status >= 400, line
            assert "pass-word" not in repr(answer.body) + repr(answer), line
    for fields in ("X : y", "Content-Length: x", "Host: user:pass-word@a"):
        with Client(daemon.port) as client:
            assert b"pass-word" not in client.ask(f"GET http://user:pass-word@a/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").body
    assert until(lambda: len(daemon.log(" cause=")) == 3 * len(UNSEEN) + 3)
    assert "pass-word" not in daemon.stdout() + daemon.stderr()


# -- Host -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("host", ["evil.test", "evil.test:99", "ORIGIN.TEST", "127.0.0.1", "[::1]:1"])
def test_the_uri_wins_over_host(rig, host):
    seen = forwarded(rig, f"GET http://@/w HTTP/1.1\r\nX: y\r\nHost: {host}\r\n\r\n".encode(), "/w")
    assert seen.all("Host") == [rig.origin.authority]


def test_host_of_a_1_0_request(rig):
    seen = forwarded(rig, b"GET http://@/old HTTP/1.0\r\n\r\n", "/old")
    assert seen.version == "1.1" and seen.all("Host") == [rig.origin.authority]
    assert VIA.fullmatch(seen.get("Via"))[0].startswith("1.0 ")


def test_ipv6_literal(rig):
    with Origin("::1") as six:
        assert fetch(rig.port, six.url("/six")).status == 200
        assert six.request("/six").get("Host") == f"[::1]:{six.port}"


# -- what must not get through --------------------------------------------------------------------

HOP = ["Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip",
       "Proxy-Authorization: Basic c2VjcmV0", "Proxy-Authenticate: x", "Proxy-Whatever: x",
       "proxy-status: x; error=y", "PROXY-X: y", "Upgrade: foo"]


@pytest.mark.parametrize("line", HOP)
def test_hop_by_hop_fields_stay_here(rig, line):
    name = line.split(":")[0]
    seen = forwarded(rig, b"GET http://@/h HTTP/1.1\r\nHost: @\r\n" + line.encode()
                     + b"\r\nX-Kept: 1\r\n\r\n", "/h")
    if name == "Connection":
        assert seen.all(name) in ([], ["keep-alive"])
    else:
        assert not seen.has(name)
    assert seen.get("X-Kept") == "1"


def test_nominated_fields_stay_here(rig):
    seen = forwarded(rig, b"GET http://@/n HTTP/1.1\r\nHost: @\r\nX-One: 1\r\nConnection: X-One, x-TWO,,"
                          b" keep-alive\r\nX-Two: 2\r\nConnection: X-Three\r\nX-Three: 3\r\nX-Four: 4\r\n\r\n",
                     "/n")
    assert lines(seen, without=("via", "host")) == ["X-Four: 4"]


@pytest.mark.parametrize("name,value", [
    ("Content-Type", "text/plain"), ("Cache-Control", "no-cache"), ("Authorization", "Basic eDp5"),
    ("Cookie", "a=b"), ("Content-Encoding", "gzip"), ("Range", "bytes=0-1")])
def test_protected_fields_cannot_be_nominated_away(rig, name, value):
    seen = forwarded(rig, f"POST http://@/pr HTTP/1.1\r\nHost: @\r\nConnection: {name}, close\r\n{name}: {value}"
                          "\r\nContent-Length: 2\r\n\r\nxy".encode(), "/pr")
    assert seen.get(name) == value and seen.body == b"xy"


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Via"])
def test_framing_and_routing_cannot_be_nominated_away(rig, name):
    if name == "Transfer-Encoding":
        raw = b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n\r\n2\r\nxy\r\n0\r\n\r\n"
    else:
        raw = f"Connection: {name}\r\nVia: 1.1 before\r\nContent-Length: 2\r\n\r\nxy".encode()
    seen = forwarded(rig, b"POST http://@/fr HTTP/1.1\r\nHost: @\r\n" + raw, "/fr")
    assert seen.body == b"xy" and seen.get("Host") == rig.origin.authority
    if name == "Via":
        assert "1.1 before" in ", ".join(seen.all("Via"))


def test_te_trailers_is_ours_to_say(rig):
    seen = forwarded(rig, b"GET http://@/te HTTP/1.1\r\nHost: @\r\nTE: trailers, deflate;q=0.5\r\n"
                          b"Connection: TE\r\n\r\n", "/te")
    assert seen.all("TE") in ([], ["trailers"])
    if seen.has("TE"):
        assert "te" in seen.get("Connection", "").lower()


def test_no_trace_of_the_client(rig):
    """The client's identity is what a forward proxy hides."""
    seen = forwarded(rig, b"GET http://@/id HTTP/1.1\r\nHost: @\r\n\r\n", "/id")
    assert seen.fields.names() == ["host", "via"]
    assert b"127.0.0.1" not in seen.raw.replace(rig.a, b"")


@pytest.mark.parametrize("upgrade", ["h2c", "foo", "TLS/1.0", "foo, bar/2", "HTTP/2.0"])
def test_unknown_upgrades_are_dropped(rig, upgrade):
    seen = forwarded(rig, f"GET http://@/u HTTP/1.1\r\nHost: @\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                          f"Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n".encode(),
                     "/u")
    assert seen.fields.names() == ["host", "via"]


# -- what must get through ------------------------------------------------------------------------

def test_fields_keep_order_number_and_bytes(rig):
    given = ["X-A: 1", "X-B:", "X-A: 2", "X-C: \xe9\xff\t\"q, r\"; s", "X-a: 3", "Referer: http://x.test/?a#b",
             "Range: bytes=0-1,5-", "If-None-Match: W/\"x\"", "Accept-Encoding: gzip, br", "X-Forwarded-For: 9.9.9.9",
             "Authorization: Bearer x.y.z", "Pragma: no-cache", "X!#$%&'*+-.^_`|~: token"]
    raw = "GET http://@/o HTTP/1.1\r\nHost: @\r\n" + "".join(g + "\r\n" for g in given) + "\r\n"
    seen = forwarded(rig, raw.encode("latin-1"), "/o")
    assert lines(seen, without=("via", "host")) == [g if not g.endswith(":") else g + " " for g in given]


def test_many_and_long_fields(rig):
    many = "".join(f"X-{i}: {i}\r\n" for i in range(110))
    seen = forwarded(rig, f"GET http://@/many HTTP/1.1\r\nHost: @\r\n{many}\r\n".encode(), "/many")
    assert len(seen.fields) == 112
    long = "v" * 15000
    for how, seed in (("whole", 0), ("random", 1)):
        seen = forwarded(rig, f"GET http://@/long HTTP/1.1\r\nHost: @\r\nX: {long}\r\nY: {long}\r\n\r\n".encode(),
                         "/long", how, seed)
        assert seen.get("X") == long and seen.get("Y") == long


def test_a_body_with_get(rig):
    seen = forwarded(rig, b"GET http://@/g HTTP/1.1\r\nHost: @\r\nContent-Length: 3\r\n\r\nabc", "/g")
    assert seen.body == b"abc"


def test_an_empty_body(rig):
    seen = forwarded(rig, b"POST http://@/e HTTP/1.1\r\nHost: @\r\nContent-Length: 0\r\n\r\n", "/e")
    assert seen.all("Content-Length") == ["0"]
    seen = forwarded(rig, b"POST http://@/e2 HTTP/1.1\r\nHost: @\r\n\r\n", "/e2")
    assert seen.all("Content-Length") in ([], ["0"]) and not seen.has("Transfer-Encoding")


# -- Via and loops --------------------------------------------------------------------------------

def test_via_is_appended(rig):
    seen = forwarded(rig, b"GET http://@/v HTTP/1.1\r\nHost: @\r\nVia: 1.0 fred, 1.1 p.example (x)\r\n\r\n", "/v")
    said = ", ".join(seen.all("Via"))
    assert said.startswith("1.0 fred, 1.1 p.example (x), ")
    assert VIA.fullmatch(said.rsplit(", ", 1)[1])


def test_loop_by_via(rig):
    """A request that carries our own mark has been here before."""
    mark = forwarded(rig, b"GET http://@/v HTTP/1.1\r\nHost: @\r\n\r\n", "/v").get("Via")
    rig.origin.clear()
    for via in (mark, f"1.0 a, {mark}, 1.1 b", f"1.0 {VIA.fullmatch(mark)[1]} (comment)"):
        assert_refused(fetch(rig.port, rig.url("/loop"), f"Via: {via}"), "loop_detected")
    assert rig.origin.requests == []


def test_two_proxyds_in_a_row_are_no_loop(rig, proxyd):
    """The mark is the process's own, not the program's."""
    mark = forwarded(rig, b"GET http://@/v HTTP/1.1\r\nHost: @\r\n\r\n", "/v").get("Via")
    other = proxyd()
    assert fetch(other.port, rig.url("/v2"), f"Via: {mark}").status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "origin.test", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_own_listener_is_never_dialled(rig, host):
    """But for its own pages, which a browser that has the proxy set asks for by way of it."""
    answer = fetch(rig.port, f"http://{host}:{rig.port}/x")
    assert_refused(answer, "own_listener")


def test_connect_to_own_listener(rig):
    with Client(rig.port) as client:
        answer = client.ask(f"CONNECT 127.0.0.1:{rig.port} HTTP/1.1\r\nHost: 127.0.0.1:{rig.port}\r\n\r\n")
        assert_refused(answer, "own_listener")


# -- OPTIONS, TRACE, the proxy itself -------------------------------------------------------------

def test_options_without_path_goes_out_as_asterisk(rig):
    seen = forwarded(rig, b"OPTIONS http://@ HTTP/1.1\r\nHost: @\r\n\r\n", "*")
    assert seen.line == "OPTIONS * HTTP/1.1" and seen.get("Host") == rig.origin.authority
    assert forwarded(rig, b"OPTIONS http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "/").target == "/"


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_max_forwards(rig, method):
    for given, expected in (("1", "0"), ("10", "9"), ("010", "9")):
        seen = forwarded(rig, f"{method} http://@/mf HTTP/1.1\r\nHost: @\r\nMax-Forwards: {given}\r\n\r\n".encode(),
                         "/mf")
        assert seen.all("Max-Forwards") == [expected]
    assert not forwarded(rig, f"{method} http://@/mf HTTP/1.1\r\nHost: @\r\n\r\n".encode(), "/mf").has("Max-Forwards")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
@pytest.mark.parametrize("value", ["x", "-1", "1, 2", "", "1.0", "0x1"])
def test_bad_max_forwards(rig, method, value):
    with Client(rig.port) as client:
        answer = client.ask(request(rig.url("/mf"), f"Max-Forwards: {value}", method=method))
    assert_refused(answer, "bad_max_forwards")
    assert rig.origin.requests == []


def test_max_forwards_of_other_methods_is_left_alone(rig):
    seen = forwarded(rig, b"GET http://@/mf HTTP/1.1\r\nHost: @\r\nMax-Forwards: 0\r\n\r\n", "/mf")
    assert seen.all("Max-Forwards") == ["0"]


def test_options_ends_here(rig):
    answer = fetch(rig.port, rig.url("/mf"), "Max-Forwards: 0", method="OPTIONS")
    assert answer.status in (200, 204) and rig.origin.requests == []


def test_options_asterisk_is_answered_here(rig):
    with Client(rig.port) as client:
        answer = client.ask(b"OPTIONS * HTTP/1.1\r\nHost: " + rig.a + b"\r\n\r\n")
    assert answer.status in (200, 204) and rig.origin.requests == []


def test_trace_ends_here_without_secrets(rig):
    """RFC 9110 9.3.8: the request comes back as message/http, without what others may not see."""
    with Client(rig.port) as client:
        answer = client.ask(request(rig.url("/trace"), "Max-Forwards: 0", "X-Seen: yes", "Cookie: secret=1",
                                    "Authorization: Basic c2VjcmV0", "Proxy-Authorization: Basic c2VjcmV0",
                                    method="TRACE"))
    assert answer.status == 200 and answer.get("Content-Type").split(";")[0] == "message/http"
    assert answer.body.startswith(b"TRACE ") and b"X-Seen: yes" in answer.body
    assert b"secret" not in answer.body.lower() and b"c2VjcmV0" not in answer.body
    assert rig.origin.requests == []


def test_origin_form_to_the_proxy_itself(rig):
    """A browser pointed at the proxy as if it were a site gets help, not the open network."""
    for raw in (b"GET /x HTTP/1.1\r\nHost: @\r\n\r\n", b"GET /x?y HTTP/1.1\r\nHost: proxy.test:3128\r\n\r\n"):
        with Client(rig.port) as client:
            answer = client.ask(raw.replace(b"@", rig.a))
            assert_refused(answer, "not_found")
            assert b"this is a proxy, not a web server" in answer.body
            assert f"curl -x http://127.0.0.1:{rig.port} ".encode() in answer.body
            assert answer.get("Cache-Control") == "no-store"
            assert client.get(rig.url("/still")).status == 200, "the connection goes on"
    assert rig.origin.paths() == ["/still"] * 2


@pytest.mark.parametrize("accept,kind", [("text/html", "text/html"), ("application/json", "application/json")])
def test_the_help_is_a_page_like_others(rig, accept, kind):
    with Client(rig.port) as client:
        answer = client.ask(f"GET /index.html HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n")
    assert_refused(answer, "not_found")
    assert answer.get("Content-Type").startswith(kind)
    page_id = re.search(r"\b[0-9a-f]{16}\b", answer.body.decode())[0]
    assert rig.proxyd.wait_log(page_id).get("cause") == "not_found"


# -- WebSocket ------------------------------------------------------------------------------------

UPGRADE = ("Connection: Upgrade, X-Mine", "X-Mine: 1", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: chat")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def test_websocket_passes(rig):
    """The handshake is rewritten, then bytes flow both ways, also those sent right behind it."""
    def echo(conn):
        while True:
            conn.sock.sendall(conn.reader.some())

    rig.origin.at("/ws", send(SWITCH + b"hello"), call(echo))
    with Client(rig.port) as client:
        client.send(request(rig.url("/ws"), *UPGRADE))
        answer = client.response()
        assert answer.status == 101 and answer.get("Upgrade") == "websocket"
        assert answer.get("Connection").lower() == "upgrade"
        assert answer.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert client.exactly(5) == b"hello"
        for size in (1, 100, 100000):
            data = b"\x82" * size
            client.send(data)
            assert client.exactly(size) == data
        client.half_close()
        assert client.expect_closed() in ("eof", "reset")
    seen = rig.origin.head("/ws")
    assert seen.get("Upgrade") == "websocket" and seen.get("Connection").lower() == "upgrade"
    assert seen.get("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ==" and seen.get("Sec-WebSocket-Version") == "13"
    assert seen.get("Sec-WebSocket-Protocol") == "chat" and not seen.has("X-Mine")


def test_websocket_refused_by_the_origin(rig):
    """An origin that does not want to: an ordinary answer, an ordinary connection."""
    rig.origin.answer("/ws-no", ok("no", status="403 No"))
    with Client(rig.port) as client:
        assert client.get(rig.url("/ws-no"), *UPGRADE).status == 403
        assert client.get(rig.url("/next")).status == 200


def test_websocket_answer_with_another_protocol(rig):
    rig.origin.at("/ws-bad", send(b"HTTP/1.1 101 X\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n"), read_eof())
    answer = fetch(rig.port, rig.url("/ws-bad"), *UPGRADE)
    assert_refused(answer, "response_bad_upgrade")


def test_websocket_before_the_answer_nothing_flows(rig):
    """What the client sends before 101 reaches the origin only after it (or as its own stream)."""
    go = threading.Event()
    rig.origin.at("/ws-early", wait(go), send(SWITCH), call(lambda conn: conn.reader.exactly(5)), send(b"got"))
    with Client(rig.port) as client:
        client.send(request(rig.url("/ws-early"), *UPGRADE) + b"early")
        conn = rig.origin.head("/ws-early").conn
        client.expect_open()
        assert b"early" not in conn.received.split(b"\r\n\r\n")[-1]
        go.set()
        assert client.response().status == 101
        assert client.exactly(3) == b"got"


@pytest.mark.parametrize("change", [
    {"version": "1.0"}, {"method": "POST"}])
def test_websocket_handshake_that_is_none(rig, change):
    """Only a GET in HTTP/1.1 may switch; else the wish is dropped like any unknown token."""
    assert fetch(rig.port, rig.url("/ws-none"), *UPGRADE, **change).status == 200
    assert not rig.origin.request("/ws-none").has("Upgrade")


def test_upgrade_without_connection_is_no_upgrade(rig):
    assert fetch(rig.port, rig.url("/ws-half"), "Upgrade: websocket").status == 200
    assert not rig.origin.request("/ws-half").has("Upgrade")


# -- the log --------------------------------------------------------------------------------------

def test_access_log_line(proxyd, origin):
    """One line per request: who, what, status; and never a secret."""
    daemon = proxyd(conf.forward())
    fetch(daemon.port, origin.url("/logged?q=1"), "Authorization: Basic c2VjcmV0", "Cookie: secret=1")
    line = daemon.wait_log("/logged")
    for word in ("127.0.0.1", "GET", "200", origin.authority):
        assert word in line
    assert "secret" not in line and "c2VjcmV0" not in daemon.stdout()
    assert len(daemon.log("/logged")) == 1
