"""Ways around a rule, by name: none passes a deny, and none is opened by an allow.

Each is one request as bytes. What it tries to reach stands behind a deny (or is not what the allow says);
it may be refused for whatever reason, but no origin may see it.
"""
import pytest

from lib import conf
from lib.client import Client
from lib.hello import counted, extension, message, record, records, server_name
from lib.origin import Origin, read, read_eof, send
from lib.wire import Ended

REACH = f"reach {conf.CLASSES};"
HOSTS = conf.HOSTS + """\
127.0.0.1 secret.test sub.secret.test ok.test evil.test xn--mnchen-3ya.test ok.test.evil.test xok.test hidden7.origin.test
127.0.0.3 leads-there.test
"""

DENY = """
  deny host   { to .secret.test münchen.test; }
  deny regex  { to ~"(^|[.])hidden[0-9]*[.]"; }
  deny net    { to 127.0.0.3; }
  deny port   { port {second}; }
  deny method { method PUT PURGE; }
  deny path   { path /admin /caf%C3%A9; }
  deny url    { url ~"/(banner|sponsor)s?/" ~"[?&]id=7(&|$)"; }
  deny query  { query cmd=run debug; }
  deny header { header X-Team red; }
  deny cookie { cookie stage=beta; }
  allow any   { REACH }
"""


def get(url, *fields, method="GET", host="x", version="1.1"):
    return "\r\n".join([f"{method} {url} HTTP/{version}", *([f"Host: {host}"] if host else []), *fields, "", ""]).encode()


def around(url, *fields, **how):
    return lambda o: get(url.replace("PORT", str(o.port)).replace("SECOND", str(o.second)), *fields, **how)


def raw(text):
    return lambda o: text.replace("PORT", str(o.port)).replace("SECOND", str(o.second)).encode()


def fetch(rest):
    """Of a host: its request, in the usual form."""
    return around(f"http://{rest}")


#: name → what is sent. o.port is the origin's, o.second the port that is denied.
PASSES_NO_DENY = {
    # the host
    "host in capitals": fetch("SECRET.TEST:PORT/"),
    "host with a final dot": fetch("secret.test.:PORT/"),
    "host with two final dots": fetch("secret.test..:PORT/"),
    "host with an empty label": fetch("secret..test:PORT/"),
    "subdomain in mixed case": fetch("SuB.sEcReT.tEsT:PORT/"),
    "host behind a user": fetch("user@secret.test:PORT/"),
    "host behind another host as user": fetch("origin.test:80@secret.test:PORT/"),
    "host behind two users": fetch("origin.test@origin.test@secret.test:PORT/"),
    "host behind an encoded at": fetch("origin.test%40secret.test:PORT/"),
    "host behind a backslash": fetch("origin.test\\@secret.test:PORT/"),
    "host before a backslash": fetch("secret.test:PORT\\.origin.test/"),
    "host before a fragment": fetch("secret.test:PORT#@origin.test/"),
    "host before a query": fetch("secret.test:PORT?@origin.test/"),
    "host with an encoded letter": fetch("%73ecret.test:PORT/"),
    "host with an encoded dot": fetch("secret%2etest:PORT/"),
    "host with an encoded NUL": fetch("secret.test%00.origin.test:PORT/"),
    "host with a tab": fetch("secret.test\t:PORT/"),
    "host behind three slashes": fetch("/secret.test:PORT/"),
    "host behind one slash": around("http:/secret.test:PORT/"),
    "host behind no slash": around("http:secret.test:PORT/"),
    "scheme in capitals": around("HTTP://secret.test:PORT/"),
    "another Host field": around("http://secret.test:PORT/", host="origin.test"),
    "the Host field alone": around("/x", host="secret.test"),
    "two Host fields": around("http://secret.test:PORT/", "Host: origin.test", host="secret.test"),
    "no Host field": around("http://secret.test:PORT/", host=None),
    "HTTP/1.0": around("http://secret.test:PORT/", host=None, version="1.0"),
    "U-labels": fetch("münchen.test:PORT/"),
    "U-labels in capitals": fetch("MÜNCHEN.test:PORT/"),
    "U-labels that are not composed": fetch("mu\u0308nchen.test:PORT/"),
    "A-labels in capitals": fetch("XN--MNCHEN-3YA.test:PORT/"),
    "U-labels in percents": fetch("m%C3%BCnchen.test:PORT/"),
    "letters of full width": fetch("\uff53\uff45\uff43\uff52\uff45\uff54.test:PORT/"),
    "an ideographic full stop": fetch("secret\u3002test:PORT/"),
    "a soft hyphen": fetch("sec\u00adret.test:PORT/"),
    "a joiner of no width": fetch("sec\u200bret.test:PORT/"),
    "letters in circles": fetch("\u24e2ecret.test:PORT/"),
    "a final dot before a regex": fetch("HIDDEN7.origin.test.:PORT/"),
    # the address
    "address as a number": fetch("2130706435:PORT/"),
    "address in hexadecimal": fetch("0x7f000003:PORT/"),
    "address in octal": fetch("0177.0.0.3:PORT/"),
    "address of two parts": fetch("127.3:PORT/"),
    "address with leading zeros": fetch("127.0.0.003:PORT/"),
    "address with a final dot": fetch("127.0.0.3.:PORT/"),
    "address in IPv6": fetch("[::ffff:127.0.0.3]:PORT/"),
    "address in IPv6 in hexadecimal": fetch("[::ffff:7f00:3]:PORT/"),
    "address in IPv6, compatible": fetch("[::127.0.0.3]:PORT/"),
    "address in IPv6 with a zone": fetch("[::ffff:127.0.0.3%25lo]:PORT/"),
    "address in digits of full width": fetch("\uff11\uff12\uff17.0.0.3:PORT/"),
    "a name that leads to the address": fetch("leads-there.test:PORT/"),
    # the port
    "port with a leading zero": fetch("origin.test:0SECOND/"),
    "port with a sign": fetch("origin.test:+SECOND/"),
    "port of six digits": fetch("origin.test:000SECOND/"),
    "port behind a user": fetch("origin.test:PORT@origin.test:SECOND/"),
    "port and one more": fetch("origin.test:PORT:SECOND/"),
    # the method
    "method behind an empty line": raw("\r\nPUT http://origin.test:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "method behind a blank": raw(" PUT http://origin.test:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "method before a tab": raw("PUT\thttp://origin.test:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "method that nobody knows": around("http://origin.test:PORT/", method="PURGE"),
    # the path
    "path with an encoded letter": fetch("origin.test:PORT/%61dmin"),
    "path with a dot segment": fetch("origin.test:PORT/./admin"),
    "path with two slashes": fetch("origin.test:PORT//admin"),
    "path with a segment taken back": fetch("origin.test:PORT/x/../admin"),
    "path with encoded dots": fetch("origin.test:PORT/x/%2e%2e/admin"),
    "path with half encoded dots": fetch("origin.test:PORT/x/.%2E/admin"),
    "path with encoded slashes": fetch("origin.test:PORT/x%2f..%2fadmin"),
    "path that ends in an encoded slash": fetch("origin.test:PORT/admin%2Fx"),
    "path above the root": fetch("origin.test:PORT/../../admin"),
    "path before a fragment": fetch("origin.test:PORT/admin#x"),
    "path before a query": fetch("origin.test:PORT/admin?x"),
    "path that is taken back behind it": fetch("origin.test:PORT/admin/..%2fx"),
    "path in UTF-8": fetch("origin.test:PORT/café"),
    "path in small percents": fetch("origin.test:PORT/caf%c3%a9"),
    "path of 20 kB": fetch("origin.test:PORT/" + "x/../" * 4000 + "admin"),
    # the URL
    "URL with an encoded letter": fetch("origin.test:PORT/%62anner/x"),
    "URL with encoded slashes": fetch("origin.test:PORT/x%2fbanner%2fx"),
    "URL with a segment taken back": fetch("origin.test:PORT/banner/x/../y/"),
    "URL with an encoded query": fetch("origin.test:PORT/?%69d=%37"),
    # the query
    "query with an encoded value": fetch("origin.test:PORT/?cmd=%72un"),
    "query with an encoded name": fetch("origin.test:PORT/?c%6Dd=run"),
    "query said twice": fetch("origin.test:PORT/?cmd=stay&cmd=run"),
    "query behind a semicolon": fetch("origin.test:PORT/?x=1;cmd=run"),
    "query without a value": fetch("origin.test:PORT/?debug"),
    "query without a path": fetch("origin.test:PORT?cmd=run"),
    # fields
    "field in capitals": around("http://origin.test:PORT/", "X-TEAM: red"),
    "field said twice": around("http://origin.test:PORT/", "X-Team: blue", "X-Team: red"),
    "field with tabs": around("http://origin.test:PORT/", "X-Team:\t\tred\t"),
    "field with a blank before the colon": around("http://origin.test:PORT/", "X-Team : red"),
    "field on two lines": around("http://origin.test:PORT/", "X-Team:", " red"),
    "field that Connection takes out": around("http://origin.test:PORT/", "X-Team: red", "Connection: X-Team"),
    "cookie in the second field": around("http://origin.test:PORT/", "Cookie: a=b", "Cookie: stage=beta"),
    "cookie in quotes": around("http://origin.test:PORT/", 'Cookie: stage="beta"'),
    # framing
    "a second request": around("http://origin.test:PORT/fine", host="x\r\n\r\nGET http://secret.test:PORT/ HTTP/1.1\r\nHost: x"),
    "a request in a body of two lengths": raw("POST http://origin.test:PORT/fine HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
                                              "chunked\r\n\r\n0\r\n\r\nGET http://secret.test:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    # tunnels
    "tunnel to capitals": raw("CONNECT SECRET.TEST.:PORT HTTP/1.1\r\nHost: origin.test\r\n\r\n"),
    "tunnel with a URL": raw("CONNECT http://secret.test:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "tunnel to a number": raw("CONNECT 2130706435:PORT HTTP/1.1\r\nHost: x\r\n\r\n"),
    "tunnel behind a user": raw("CONNECT origin.test:PORT@secret.test:PORT HTTP/1.1\r\nHost: x\r\n\r\n"),
    "tunnel to U-labels": raw("CONNECT münchen.test:PORT HTTP/1.1\r\nHost: x\r\n\r\n"),
}

ALLOW = """
  allow good  { to ok.test; port {port}; method GET; path /public; header X-Team red; query k=1; REACH }
  allow url   { url ~"^http://ok[.]test:{port}/pub/"; REACH }
"""
TUNNELS = "allow ok { to ok.test; port {port}; method CONNECT; REACH }"
RED = "X-Team: red"

#: name → what is sent. The allow wants GET http://ok.test:PORT/public?k=1 with X-Team: red.
OPENED_BY_NO_ALLOW = {
    "another host behind it": around("http://ok.test.evil.test:PORT/public?k=1", RED),
    "another host before it": around("http://xok.test:PORT/public?k=1", RED),
    "it as a user": around("http://ok.test@evil.test:PORT/public?k=1", RED),
    "it as a user with a port": around("http://ok.test:PORT@evil.test:PORT/public?k=1", RED),
    "it behind a fragment": around("http://evil.test:PORT#ok.test/public?k=1", RED),
    "it behind a backslash": around("http://evil.test:PORT\\.ok.test/public?k=1", RED),
    "it in the Host field": around("http://evil.test:PORT/public?k=1", RED, host="ok.test"),
    "it with an encoded NUL": around("http://ok.test%00.evil.test:PORT/public?k=1", RED),
    "it as a path": around("http://evil.test:PORT/http://ok.test/public?k=1", RED),
    "its path taken back": around("http://ok.test:PORT/public/../admin?k=1", RED),
    "its path taken back in percents": around("http://ok.test:PORT/public/..%2fadmin?k=1", RED),
    "its path in encoded slashes": around("http://ok.test:PORT/public%2f..%2fadmin?k=1", RED),
    "its path in one reading": around("http://ok.test:PORT/x%2f..%2fpublic?k=1", RED),
    "a longer path": around("http://ok.test:PORT/publicity?k=1", RED),
    "its path in capitals": around("http://ok.test:PORT/PUBLIC?k=1", RED),
    "its path in the query": around("http://ok.test:PORT/?/public&k=1", RED),
    "another port": around("http://ok.test:SECOND/public?k=1", RED),
    "another method": around("http://ok.test:PORT/public?k=1", RED, method="POST"),
    "its method in small letters": around("http://ok.test:PORT/public?k=1", RED, method="get"),
    "a tunnel": raw("CONNECT ok.test:PORT HTTP/1.1\r\nHost: ok.test\r\nX-Team: red\r\n\r\n"),
    "its field in another case": around("http://ok.test:PORT/public?k=1", "X-Team: RED"),
    "its field as a part": around("http://ok.test:PORT/public?k=1", "X-Team: red, blue"),
    "its field on two lines": around("http://ok.test:PORT/public?k=1", "X-Team:", " red"),
    "its query behind a semicolon": around("http://ok.test:PORT/public?x;k=1", RED),
    "its query in the fragment": around("http://ok.test:PORT/public#?k=1", RED),
    "its URL as a user": around("http://ok.test:PORT@evil.test:PORT/pub/"),
    "its URL as a path": around("http://evil.test:PORT/http://ok.test:PORT/pub/"),
    "its URL taken back": around("http://ok.test:PORT/pub/..%2fadmin"),
    "its URL in a query": around("http://evil.test:PORT/?http://ok.test:PORT/pub/"),
}


def named(*names, **how):
    return records(message(server_name(*names, **how)))


SECRET = server_name("secret.test")

#: name → (the target of a CONNECT, what is sent through the tunnel). The names of ClientHellos, against the same denies.
TUNNEL_PASSES_NO_DENY = {
    "another name": ("origin.test", named("secret.test")),
    "another name to an address": ("127.0.0.1", named("secret.test")),
    "a name in capitals": ("origin.test", named("SECRET.TEST")),
    "a name with a final dot": ("origin.test", named("secret.test.")),
    "a name with two final dots": ("origin.test", named("secret.test..")),
    "a subdomain": ("origin.test", named("a.b.secret.test")),
    "a name that a regex denies": ("origin.test", named("hidden7.origin.test")),
    "a name in U-labels": ("origin.test", named("münchen.test")),
    "a name in A-labels": ("origin.test", named("XN--MNCHEN-3YA.test")),
    "a name with a NUL": ("origin.test", named("secret.test\0.origin.test")),
    "a NUL before the name": ("origin.test", named("origin.test\0.secret.test")),
    "a name with a port": ("origin.test", named("secret.test:443")),
    "the denied address as a name": ("origin.test", named("127.0.0.3")),
    "the denied address as a number": ("origin.test", named("2130706435")),
    "the second of two names": ("origin.test", named("origin.test", "secret.test")),
    "the first of two names": ("origin.test", named("secret.test", "origin.test")),
    "the second of two extensions": ("origin.test", records(message(server_name("origin.test"), SECRET))),
    "a name of another type": ("origin.test", named("secret.test", kind=1)),
    "a name of another type before it": (
        "origin.test", records(message(extension(0, counted(b"\1\0\1x\0" + counted(b"secret.test")))))),
    "a name behind many extensions": (
        "origin.test", records(message(*(extension(1000 + i, b"") for i in range(120)), SECRET))),
    "a name behind too many extensions": (
        "origin.test", records(message(*(extension(1000 + i, b"") for i in range(200)), SECRET))),
    "a name behind 15 kB": ("origin.test", records(message(extension(21, bytes(15000)), SECRET))),
    "a name behind 30 kB": ("origin.test", records(message(extension(21, bytes(15000)), extension(22, bytes(15000)), SECRET), 16000)),
    "a name behind Encrypted Client Hello": ("origin.test", records(message(extension(0xfe0d, b"\0" * 8), SECRET))),
    "records of one byte": ("origin.test", records(message(SECRET), *[1] * 80)),
    "a record that ends in the name": ("origin.test", records(message(SECRET), message(SECRET).index(b"ret.test"))),
    "an empty record first": ("origin.test", b"\x16\3\1\0\0" + named("secret.test")),
    "an empty record in the middle": (
        "origin.test", record(message(SECRET)[:30]) + b"\x16\3\1\0\0" + record(message(SECRET)[30:])),
    "a warning first": ("origin.test", record(b"\1\x5a", 0x15) + named("secret.test")),
    "change_cipher_spec first": ("origin.test", record(b"\1", 0x14) + named("secret.test")),
    "application data first": ("origin.test", record(b"x", 0x17) + named("secret.test")),
    "HelloRequest first": ("origin.test", record(b"\0\0\0\0") + named("secret.test")),
    "a record of SSL 2": ("origin.test", record(message(SECRET), version=b"\2\0")),
    "a record of a version to come": ("origin.test", record(message(SECRET), version=b"\4\0")),
    "a message of a version to come": ("origin.test", record(message(SECRET, version=b"\4\0"))),
    "a second ClientHello behind it": ("origin.test", record(message(server_name("origin.test")) + message(SECRET))),
}

#: The same against the allow of ok.test.
TUNNEL_OPENED_BY_NO_ALLOW = {
    "another name": ("ok.test", named("evil.test")),
    "another host behind it": ("ok.test", named("ok.test.evil.test")),
    "another host before it": ("ok.test", named("xok.test")),
    "a name of one label": ("ok.test", named("ok")),
    "a name for an address": ("ok.test", named("127.0.0.1")),
    "an address for a name": ("127.0.0.1", named("ok.test")),
}


class Pair:
    """The origin and the one on the port that is denied."""

    def __init__(self, first, other):
        self.first, self.other, self.port, self.second = first, other, first.port, other.port

    def seen(self):
        return [request.target for origin in (self.first, self.other) for request in origin.requests if request.target != "/fine"]


@pytest.fixture(scope="module")
def origins():
    with Origin("0.0.0.0", name="origin.test") as first, Origin("0.0.0.0") as other:
        yield Pair(first, other)


@pytest.fixture(scope="module")
def daemon_of(tmp_path_factory, origins):
    """One daemon for each set of rules."""
    from lib.daemon import Proxyd
    running = {}

    def of(rules, pair):
        if rules not in running:
            text = rules.replace("{port}", str(pair.port)).replace("{second}", str(pair.second)).replace("REACH", REACH)
            folder = tmp_path_factory.mktemp("evasions")
            running[rules] = Proxyd(folder).start(conf.forward(rules=text), files={"hosts": HOSTS})
        return running[rules]

    yield of
    for daemon in running.values():
        daemon.stop()


def shot(daemon, data):
    """Everything that came back, until the end or silence."""
    with Client(daemon.port) as client:
        client.send(data)
        statuses = []
        try:
            for _ in range(1 + data.count(b"HTTP/1.1\r\nHost: x\r\n\r\nGET")):
                statuses.append(client.response("GET").status)
        except Ended:
            pass
        return statuses


@pytest.mark.parametrize("name", PASSES_NO_DENY)
def test_passes_no_deny(daemon_of, origins, name):
    daemon = daemon_of(DENY, origins)
    statuses = shot(daemon, PASSES_NO_DENY[name](origins))
    assert statuses == [] or 400 <= statuses[-1] < 500, f"{name}: {statuses}"   # 502 would be a decision to let it through
    assert origins.seen() == [], name


@pytest.mark.parametrize("name", OPENED_BY_NO_ALLOW)
def test_opened_by_no_allow(daemon_of, origins, name):
    daemon = daemon_of(ALLOW, origins)
    statuses = shot(daemon, OPENED_BY_NO_ALLOW[name](origins))
    assert statuses == [] or 400 <= statuses[-1] < 500, f"{name}: {statuses}"   # 502 would be a decision to let it through
    assert origins.seen() == [], name


def through(daemon, origins, target, data):
    """How the tunnel ends, if there is one."""
    with Client(daemon.port) as client:
        target = f"{target}:{origins.port}"
        if client.ask(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").status != 200:
            return "none"
        client.send(data)
        return client.expect_closed()


def reached(origins):
    return [data for data in origins.first.received() if b"\x16\3" in data or b"\3\1" in data]


@pytest.mark.parametrize("name", TUNNEL_PASSES_NO_DENY)
def test_tunnel_passes_no_deny(daemon_of, origins, name):
    assert through(daemon_of(DENY, origins), origins, *TUNNEL_PASSES_NO_DENY[name]) == "reset"
    assert reached(origins) == [], name


@pytest.mark.parametrize("name", TUNNEL_OPENED_BY_NO_ALLOW)
def test_tunnel_opened_by_no_allow(daemon_of, origins, name):
    daemon = daemon_of(TUNNELS, origins)
    assert through(daemon, origins, *TUNNEL_OPENED_BY_NO_ALLOW[name]) in ("reset", "none")
    assert reached(origins) == [], name


def test_what_is_meant_is_decided_so(daemon_of, origins):
    """The rules above are no walls around everything."""
    daemon = daemon_of(DENY, origins)
    assert shot(daemon, fetch("origin.test:PORT/administrator?id=77&command=run")(origins)) == [200]
    assert shot(daemon, fetch("nosecret.test:PORT/fine")(origins)) == [502], "the name is allowed, and unknown"
    daemon = daemon_of(ALLOW, origins)
    assert shot(daemon, around("http://OK.test.:PORT/%70ublic/x?a&k=1", "x-team: red")(origins)) == [200]
    assert shot(daemon, fetch("ok.test:PORT/pub/x")(origins)) == [200]
    origins.first.requests.clear()
    for rules, target, name in ((DENY, "origin.test", "ok.test"), (TUNNELS, "OK.test.", "ok.TEST")):
        origins.first.next(read(10), send(b"here"), read_eof())
        with Client(daemon_of(rules, origins).port) as client:
            assert client.ask(f"CONNECT {target}:{origins.port} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
            client.send(named(name))
            assert client.exactly(4) == b"here"
    origins.first.clear()


def test_there_are_enough_of_them():
    assert len(PASSES_NO_DENY) + len(OPENED_BY_NO_ALLOW) >= 60
