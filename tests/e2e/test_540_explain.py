"""`proxyd explain`: says of a request what the proxy does with it, and why."""
import http.client
import json
import re
import socket
import urllib.parse

import pytest

import test_530_evasions as evasions
from lib import conf, metrics
from lib.client import Client
from lib.daemon import Proxyd, run_command
from lib.faults import cause_of
from lib.origin import Origin
from lib.times import until, within
from lib.wire import Ended

USERS = {"users": "ann:{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE=\n", "groups": "staff: ann\nbuilders: ann\n"}

REACH = f"reach {conf.CLASSES};"


def explain(daemon, method, url, fields=(), **more):
    """What the running daemon says, by its control socket."""
    question = {"method": method, "url": url, "headers": list(fields), "from": "127.0.0.5", **more}
    link = http.client.HTTPConnection("localhost")
    link.sock = socket.socket(socket.AF_UNIX)
    link.sock.connect(str(daemon.folder / "control.sock"))
    link.request("POST", "/explain?arg=" + urllib.parse.quote(json.dumps(question)))
    answer = link.getresponse()
    body = answer.read().decode()
    link.close()
    return json.loads(body) if answer.status == 200 else body


def expressed(data):
    """Method, target and fields of a request that explain can be asked about; None: it is about another layer."""
    head, _, rest = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    words = line.split(" ")
    others = [f for f in fields if not f.lower().startswith("host:")]
    if rest or len(words) != 3 or words[2] != "HTTP/1.1" or len(fields) - len(others) != 1 or not words[0].isalpha():
        return None
    if re.search(r"[\x00-\x20\x7f]", words[1]) or any(not re.match(r"[\w-]+:[^\t]*[^\t ]$", f) for f in others):
        return None
    return words[0], words[1], others


def live(daemon, data, source="127.0.0.5"):
    """Status, cause and rule of what comes back. Where nobody listens it has been let through as well."""
    with Client(daemon.port, source=source) as c:
        c.send(data)
        try:
            answer = c.response("GET" if not data.startswith(b"CONNECT") else "CONNECT")
        except Ended:
            return None
    rule = re.search(rb"^rule: (.*)$", answer.body or b"", re.M)
    if answer.status == 502 and cause_of(answer) == "connect_refused":
        return 200, None, None
    return answer.status, cause_of(answer) if answer.status >= 300 else None, rule[1].decode() if rule else None


def foretold(told):
    answer = told["answer"]
    if answer["verdict"] in ("allow", "own"):
        return 200, None, None
    rule = re.search(r"^rule: (.*)$", answer["page"], re.M)
    return answer["status"], answer["cause"], rule[1] if rule else None


@pytest.fixture(scope="module")
def origins():
    with Origin("0.0.0.0", name="origin.test") as first, Origin("0.0.0.0") as other:
        yield evasions.Pair(first, other)


@pytest.mark.parametrize("rules,table", [("DENY", "PASSES_NO_DENY"), ("ALLOW", "OPENED_BY_NO_ALLOW")])
def test_it_says_what_happens(tmp_path, origins, rules, table):
    """The evasions, each sent and explained: the same status, cause and rule."""
    text = getattr(evasions, rules).replace("{port}", str(origins.port)).replace("{second}", str(origins.second)).replace("REACH", REACH)
    daemon = Proxyd(tmp_path).start(conf.forward(rules=text), files={"hosts": evasions.HOSTS})
    wrong, tried = [], 0
    more = {"allowed": evasions.fetch("origin.test:PORT/fine"), "allowed by all": evasions.around("http://ok.test:PORT/public?k=1", "X-Team: red"),
            "allowed by a URL": evasions.fetch("ok.test:PORT/pub/x"), "a name that is not known": evasions.fetch("nobody.test:PORT/")}
    for name, make in {**getattr(evasions, table), **more}.items():
        data = make(origins)
        asked = expressed(data)
        if asked is None:
            continue
        tried += 1
        told = explain(daemon, *asked)
        happened = live(daemon, data)
        if not isinstance(told, dict) or foretold(told) != happened:
            wrong.append((name, happened, foretold(told) if isinstance(told, dict) else told))
    daemon.stop()
    origins.first.requests.clear()
    assert wrong == []
    assert tried >= (60 if table == "PASSES_NO_DENY" else 25), tried


#: What is asked for → how the client sends it. Public addresses are only refused here: none of these is dialled.
DESTINATIONS = ["http://169.254.169.254/", "http://10.1.2.3/", "http://[::1]/", "http://[fe80::1]/", "http://224.0.0.1/", "http://[::ffff:10.0.0.1]/",
                "http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/x", "http://127.0.0.1:{port}/why", "/why", "http://localhost:{port}/x", "http://private.test/", "http://mixed.test:{origin}/", "http://origin.test:25/",
                "CONNECT 127.0.0.1:22", "CONNECT origin.test:443", "CONNECT nobody.test:443", "/", "/proxy.pac", "OPTIONS *", "POST /proxy.pac",
                "http://moved.test/", "CONNECT moved.test:443", "http://gone.test/", "ftp://origin.test/", "CONNECT origin.test", "https://origin.test/"]
MORE_HOSTS = conf.HOSTS + """\
10.9.9.9 private.test
10.9.9.8 mixed.test
127.0.0.1 mixed.test moved.test gone.test
"""
MORE_RULES = """
  redirect moved { to moved.test; respond 307; location https://new.test/; }
  deny gone { to gone.test; respond 410; text "no more"; }
  allow own { reach loopback; }
"""


def test_destinations(proxyd, origin):
    """Ports, classes of addresses, the proxy's own listener, requests for the proxy itself, clients that may not ask."""
    daemon = proxyd(conf.forward(rules=MORE_RULES, clients="127.0.0.5", ports="http-ports 80 1024-65535;"), files={"hosts": MORE_HOSTS})
    for row in DESTINATIONS:
        row = row.replace("{port}", str(daemon.port)).replace("{origin}", str(origin.port))
        method, _, target = row.rpartition(" ")
        method = method or "GET"
        sent = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\n\r\n".encode()
        told = explain(daemon, method, target)
        if target.startswith("https:"):    # what a client makes of it
            assert told["request"]["method"] == "CONNECT" and told["request"]["target"] == "origin.test:443"
            continue
        assert foretold(told) == live(daemon, sent), row
    sent = f"GET http://origin.test:{origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    told = explain(daemon, "GET", f"http://origin.test:{origin.port}/", **{"from": "127.0.0.6"})
    assert foretold(told) == live(daemon, sent, source="127.0.0.6") and told["decided_by"] == "clients"


FILE = """\
listener main { bind 127.0.0.1:3128; mode forward; policy staff; }
dns { server 127.0.0.1:9; hosts hosts; }
list ads { source ads.txt; format domains; }
policy staff {
  clients 127.0.0.0/8 10.0.0.0/8;
  time-zone Europe/Berlin;
  default deny "not on the list";
  rules {
    deny  tracking { to list ads; mode shadow; }
    deny  uploads  { method PUT POST; to *.files.test; }
    deny  admin    { to wiki.test; path /admin; respond 451; }
    deny  agents   { header User-Agent ~"^curl/"; to agents.test; }
    allow intranet { to *.corp.test 10.0.0.0/8; reach private; }
    allow office   { time mon-fri 07:00-19:00; not to class private; }
  }
}
"""


@pytest.fixture
def office(tmp_path):
    (tmp_path / "proxyd.conf").write_text(FILE)
    (tmp_path / "hosts").write_text("10.0.0.9 wiki.test\n192.0.1.1 shop.test ads.test\n")
    (tmp_path / "ads.txt").write_text("# a comment\nads.test\n")

    def ask(*words, code=0, **more):
        done = run_command("explain", "-c", "proxyd.conf", *words, cwd=tmp_path, **more)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr
    return ask


def test_a_file_is_explained(office):
    """Each rule with its place, each condition with what it looked at, the line of the list, the addresses, the answer."""
    text = office("--from", "10.9.1.1", "--at", "2026-11-23 10:00", "http://ads.test/x")
    lines = [re.sub("  +", "  ", line) for line in text.splitlines()]
    for wanted in ("request  GET http://ads.test/x", "client  10.9.1.1", "time  2026-11-23 10:00:00 Mon", "listener  main, policy staff",
                   "deny tracking  matches  in shadow: it does not decide  proxyd.conf:9:5", " to list ads  yes  ads.test in ads.txt:2  proxyd.conf:9:22",
                   "deny uploads  passed over  it is about other methods  proxyd.conf:10:5",
                   "deny admin  no  proxyd.conf:11:5", " path /admin  not asked  proxyd.conf:11:36",
                   "allow intranet  waits  its address decides  proxyd.conf:13:5",
                   "decision  the address decides, first at intranet, proxyd.conf:13:5; in shadow tracking would have",
                   "address  192.0.1.1, public: allowed by office; the first to be connected to",
                   " time mon-fri 07:00-19:00  yes  mon 10:00  proxyd.conf:14:22",
                   "answer  what the server says: it is passed on"):
        assert any(line.strip() == wanted.strip() for line in lines), (wanted, text)
    assert "\033" not in text
    text = office("--at", "2026-11-22 10:00", "http://ads.test/x")
    assert "403 default_denied" in text and "  | reason: not on the list" in text


def test_what_a_condition_looked_at(office):
    told = json.loads(office("--json", "--resolve", "wiki.test=192.0.1.7,10.0.0.1", "http://wiki.test/x/..%2fadmin"))
    admin = told["rules"][2]
    assert (admin["matches"], admin["form"]) == ("yes", "decoded") and admin["conditions"][1]["value"] == "/admin"
    assert told["answer"]["status"] == 451 and told["decision"]["rule"] == "admin" and told["decision"]["line"] == 11
    told = json.loads(office("--json", "--header", "User-Agent: curl/8", "http://agents.test/"))
    said = {c["text"]: (c["says"], c["value"]) for c in told["rules"][3]["conditions"]}
    assert said == {"to agents.test": ("yes", "agents.test"), 'header User-Agent ~"^curl/"': ("yes", "curl/8")}
    told = json.loads(office("--json", "CONNECT", "agents.test:443"))
    assert told["rules"][3]["why"] == "a tunnel shows none of what it asks about"
    told = json.loads(office("--json", "--resolve", "a.corp.test=192.0.1.7,10.0.0.1", "http://a.corp.test/"))
    assert [(a["address"], a["class"], a["allowed"], a["dialled"]) for a in told["addresses"]] == \
        [("192.0.1.7", "public", True, True), ("10.0.0.1", "private", True, False)]


def test_utc_and_local_time(office):
    for at, when in (("2026-07-01 10:00", "2026-07-01T08:00:00Z"), ("2026-11-23T10:00:30Z", "2026-11-23T10:00:30Z"),
                     ("2026-11-23 10:00", "2026-11-23T09:00:00Z")):
        assert json.loads(office("--json", "--at", at, "http://shop.test/"))["request"]["time"] == when


@pytest.mark.parametrize("words,said", [
    (["--at", "tomorrow", "http://a.test/"], "a time is written"), (["--at", "2026-02-30 10:00", "http://a.test/"], "a time is written"),
    (["--from", "here", "http://a.test/"], "is an address"), (["--header", "no colon", "http://a.test/"], "NAME: VALUE"),
    (["--header", "Host: b.test", "http://a.test/"], "made from the URL"), (["--resolve", "a.test", "http://a.test/"], "HOST=ADDRESS"),
    (["--listener", "x", "http://a.test/"], "no listener"), (["http://a test/"], "no URL"), ([], "A URL is wanted"), (["G(T", "http://a.test/"], "no method")])
def test_wrong_usage(office, words, said):
    assert said in office(*words, code=2)


def test_a_wrong_file(office, tmp_path):
    (tmp_path / "proxyd.conf").write_text(FILE.replace("mode forward", "mode forwards"))
    assert 'did you mean "forward"?' in office("http://a.test/", code=1)


def test_the_running_proxy_is_asked(proxyd):
    """Its rules and its lists as they are loaded now, which are exchanged without a reload."""
    rules = f"deny listed {{ to list ads; }} allow rest {{ {REACH} }}"
    daemon = proxyd(conf.forward(rules=rules, extra=metrics.ADMIN + "list ads { source ads.txt; }"), files={"ads.txt": "a.test\nb.test\n"})
    socket_path = daemon.folder / "control.sock"
    done = run_command("explain", "-s", socket_path, "http://a.test/")
    assert done.returncode == 0 and "ads.txt:1" in done.stdout and "403 rule_denied" in done.stdout, done.stderr
    (daemon.folder / "new").write_text("c.test\norigin.test\n")
    (daemon.folder / "new").rename(daemon.folder / "ads.txt")
    assert until(lambda: explain(daemon, "GET", "http://origin.test/")["answer"]["rule"] == "listed", within(5))
    assert explain(daemon, "GET", "http://a.test/")["decision"]["rule"] == "rest"
    daemon.write(daemon.config.read_text().replace("deny listed", "deny renamed"))
    daemon.reload(daemon.config.read_text())
    assert explain(daemon, "GET", "http://origin.test/")["answer"]["rule"] == "renamed"


def test_nobody_runs(tmp_path):
    done = run_command("explain", "-s", tmp_path / "none.sock", "http://a.test/")
    assert done.returncode == 1 and "no proxyd listens there" in done.stderr


def test_what_goes_through_a_parent(tmp_path):
    """The parent looks the name up: no address is known here, and none is asked for."""
    rules = "deny net { to 10.0.0.0/8; } allow up { to *.corp.test 192.0.1.9; via up; } allow rest { }"
    (tmp_path / "proxyd.conf").write_text("listener main { bind 127.0.0.1:3128; mode forward; policy p; } dns { server 127.0.0.1:9; }\n"
                                          f"parent up {{ proxy 127.0.0.1:8080; }} policy p {{ default deny; rules {{ {rules} }} }}\n")

    def ask(*words):
        done = run_command("explain", "-c", "proxyd.conf", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout
    told = json.loads(ask("--json", "http://a.corp.test/"))
    assert (told["answer"]["verdict"], told["answer"]["via"], told["addresses"], told["looked_up"]) == ("allow", "up", [], False)
    assert [(r["rule"], r["matches"], r["conditions"][0]["says"]) for r in told["rules"]] == [("net", "no", "unknown"), ("up", "yes", "yes")]
    assert "it is passed on through the parent up" in ask("http://a.corp.test/")
    told = json.loads(ask("--json", "--resolve", "a.test=192.0.1.7", "http://a.test/"))
    assert (told["answer"]["via"], told["addresses"][0]["decision"]["rule"]) == (None, "rest")


def test_who_asks(proxyd):
    """With a name the groups of the files; without one, what the client gets; where nobody is asked, a complaint."""
    text = conf.forward(extra=metrics.ADMIN, rules="deny builders { from group builders; to origin.test; } allow all { user ann; }")
    daemon = proxyd(text.replace("rules {", "auth basic { file users; groups groups; except-to free.test; } rules {", 1), files=USERS)
    told = explain(daemon, "GET", "http://origin.test/", user="ann")
    assert told["request"]["user"] == "ann" and told["request"]["groups"] == ["staff", "builders"]
    assert told["decision"]["rule"] == "builders"
    for more, cause in (({}, "auth_required"), ({"user": "eve"}, "auth_failed")):
        told = explain(daemon, "CONNECT", "origin.test:443", **more)
        assert (told["decided_by"], told["answer"]["cause"], told["answer"]["status"]) == ("auth", cause, 407)
    assert explain(daemon, "GET", "http://free.test/", user="ann")["decision"]["rule"] == "default"
    shown = run_command("explain", "-c", daemon.config, "--user", "ann", "--resolve", "a.test=192.0.1.1", "http://a.test/").stdout
    assert re.search(r"^user +ann of staff builders$", shown, re.M) and "allow by all" in shown
    daemon.reload(conf.forward(extra=metrics.ADMIN))
    assert "asks nobody who he is" in explain(daemon, "GET", "http://origin.test/", user="ann")


def test_what_comes_later(tmp_path):
    """The name in a ClientHello, and the answer: asked when they are given, as in a `test`."""
    (tmp_path / "proxyd.conf").write_text(
        "listener main { bind 127.0.0.1:3128; mode forward; policy p; } dns { server 127.0.0.1:9; }\n"
        "policy p { default deny; rules { deny bad { to bad.test; } deny video { type video/*; } allow rest { } } }\n")

    def ask(*words, code=0):
        done = run_command("explain", "-c", tmp_path / "proxyd.conf", "--resolve", "a.test=192.0.1.1", *words)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr
    assert re.search(r"^sni +deny by bad, .*conf:2:", ask("--sni", "bad.test", "CONNECT", "a.test:443"), re.M)
    assert "sni_denied" in ask("--sni", "bad.test", "CONNECT", "a.test:443")
    assert "it is passed on" in ask("--sni", "other.test", "CONNECT", "a.test:443")
    told = json.loads(ask("--json", "--response", "200", "--response", "Content-Type: video/mp4", "http://a.test/"))
    assert told["decided_by"] == "response" and told["further"]["rule"] == "video" and told["answer"]["cause"] == "rule_denied"
    assert "it is passed on" in ask("--response", "404", "--response", "Content-Type: text/html", "http://a.test/")
    assert "begins with its status" in ask("--response", "Content-Type: x", "http://a.test/", code=2)
