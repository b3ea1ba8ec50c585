"""What a policy is tried with before it is in force: its `test` blocks, and `proxyd diff` with a log."""
import json
import os
import re

import pytest

from lib import conf
from lib.client import fetch
from lib.daemon import run_command

POLICY = """\
listener main { bind 127.0.0.1:3128; mode forward; policy staff; }
dns { server 127.0.0.1:9; }
list ads { source ads.txt; format domains; }
policy staff {
  clients 127.0.0.0/8 10.0.0.0/8;
  time-zone Europe/Berlin;
  default deny;
  rules {
    deny     tracking { to list ads; mode shadow; }
    deny     uploads  { method PUT; to *.files.test; }
    redirect moved    { to moved.test; location https://new.test/; }
    deny     agents   { header User-Agent ~"^curl/"; to agents.test; }
    deny     videos   { type video/*; }
    allow    intranet { to 10.0.0.0/8; reach private; }
    allow    office   { time mon-fri 07:00-19:00; not to class private; }
  }
}
"""
DAY = 'at "2026-11-23 10:00"; '
PASSING = [
    f'from 10.20.1.1; {DAY} request CONNECT ads.test:443; expect allow office; shadow tracking;',
    f'{DAY} request CONNECT a.test:443; expect allow; shadow none;',
    'at "2026-11-22 10:00"; request CONNECT a.test:443; expect deny default; cause default_denied;',
    'at "2026-11-23T17:59:00Z"; request GET http://a.test/; expect allow;',
    'at "2026-11-23T18:00:00Z"; request GET http://a.test/; expect deny;',
    f'{DAY} request PUT http://a.files.test/x; expect deny uploads;',
    f'{DAY} request GET http://moved.test/; expect redirect moved;',
    f'{DAY} request GET http://agents.test/; header "User-Agent: curl/8"; header "X-Team: red"; expect deny agents;',
    f'{DAY} request GET http://agents.test/; expect allow;',
    f'{DAY} request GET http://in.test/; address 10.0.0.9; expect allow intranet;',
    f'{DAY} request GET http://in.test/; address 127.0.0.1; expect deny office; cause destination_loopback;',
    f'{DAY} request GET http://in.test/; address 127.0.0.1 192.0.1.7; expect allow office;',
    f'{DAY} request CONNECT 169.254.169.254:443; expect deny;',
    f'{DAY} request CONNECT a.test:22; expect deny connect-ports;',
    f'{DAY} request CONNECT a.test:443; sni moved.test; expect deny moved; cause sni_denied;',
    f'{DAY} request CONNECT a.test:443; sni b.test; expect allow office;',
    f'{DAY} request CONNECT moved.test:443; sni a.test; expect deny moved; cause rule_denied;',
    f'{DAY} request GET http://a.test/; response 200 "Content-Type: video/mp4"; expect deny videos; cause rule_denied;',
    f'{DAY} request GET http://a.test/; response 200 "Content-Type: text/html" "Content-Length: 9"; expect allow office;',
    'from 192.0.2.1; request GET http://a.test/; expect deny; cause client_not_allowed;',
    'listener main; request GET http://[/; expect deny; cause bad_target;',
]


USERS = "ann:{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE=\nbob:{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE=\n"
OF_USERS = """\
listener main { bind 127.0.0.1:3128; mode forward; policy staff; }
policy staff {
  auth basic { file users; groups groups; except-to free.test; }
  default deny;
  rules {
    deny  games { to games.test; from group students; mode shadow; }
    allow ann   { user ann; }
    allow free  { to free.test; not to bob.test; }
  }
}
"""
OF_USERS_PASSING = [
    "user ann; request CONNECT games.test:443; expect allow ann; shadow games;",
    "user ann; request GET http://a.test/; expect allow ann; shadow none;",
    "user bob; request GET http://games.test/; expect deny default; cause default_denied; shadow none;",
    "request GET http://a.test/; expect deny; cause auth_required;",
    "request CONNECT a.test:443; expect deny; cause auth_required;",
    "user eve; request GET http://a.test/; expect deny; cause auth_failed;",
    "request GET http://free.test/; expect allow free;",
    "user ann; request GET http://free.test/; expect allow free;",  # where nobody is asked, nobody is anybody
]


def with_users(folder):
    (folder / "users").write_text(USERS)
    (folder / "groups").write_text("students: ann\n")


def test_users(tmp_path):
    # covers: test user
    with_users(tmp_path)
    write(tmp_path, OF_USERS_PASSING, OF_USERS)
    done = run(tmp_path, "test", "--strict")
    assert (done.returncode, done.stdout) == (0, f"{len(OF_USERS_PASSING)} tests, 0 failed\n"), done.stdout + done.stderr
    write(tmp_path, ["user bob; request GET http://a.test/; expect allow;"], OF_USERS)
    done = run(tmp_path, "test")
    assert done.returncode == 1 and "it is denied by default" in done.stderr


def test_users_of_a_policy_that_asks_nobody(tmp_path):
    write(tmp_path, ["user ann; request GET http://a.test/; expect allow;"],
          "listener main { bind 127.0.0.1:3128; mode forward; policy p; } policy p { default allow; }\n")
    assert "asks nobody who he is" in run(tmp_path, "test").stderr


def test_the_user_of_a_log(tmp_path):
    """The name is the log's, the groups are those of each configuration's files."""
    with_users(tmp_path)
    line = {"time": "2026-11-23T10:00:00.000Z", "listener": "main", "client": "127.0.0.1", "method": "GET",
            "url": "http://games.test/", "status": 200}
    (tmp_path / "log").write_text("".join(json.dumps(line | more) + "\n" for more in ({"user": "ann"}, {"user": "bob"}, {})))
    write(tmp_path, [], OF_USERS)
    write(tmp_path, [], OF_USERS.replace("mode shadow;", ""), name="new.conf")
    done = run_command("diff", "-c", "proxyd.conf", "-c", "new.conf", "--log", "log", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == "allow by ann -> deny by games: 1 request", done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "3 requests compared, 1 is decided otherwise"


def write(folder, cases, policy=POLICY, name="proxyd.conf"):
    (folder / "ads.txt").write_text("ads.test\n")
    (folder / name).write_text(policy + "".join(f'test "case {i}" {{ {case} }}\n' for i, case in enumerate(cases)))


def run(folder, *words, **more):
    return run_command(*words, "-c", "proxyd.conf", cwd=folder, **more)


def test_those_that_hold(tmp_path):
    # covers: test, test listener, test from, test at, test address, test request, test header, test sni, test response, test expect, test cause, test shadow
    write(tmp_path, PASSING)
    done = run(tmp_path, "test")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout == f"{len(PASSING)} tests, 0 failed\n"
    assert run(tmp_path, "test", "--strict").returncode == 0
    done = run(tmp_path, "check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case,caret,said", [
    (f"{DAY} request PUT http://a.files.test/x; expect allow;", "allow", "it is denied by uploads, at proxyd.conf:10:5: rule_denied"),
    (f"{DAY} request GET http://a.test/; expect deny;", "deny", "it is allowed by office, at proxyd.conf:15:5"),
    (f"{DAY} request GET http://a.test/; expect allow intranet;", "intranet", "it is allowed by office, at proxyd.conf:15:5"),
    (f"{DAY} request GET http://moved.test/; expect deny;", "deny", "it is sent elsewhere by moved, at proxyd.conf:11:5"),
    (f"{DAY} request GET http://127.0.0.1/; expect deny; cause destination_private;", "destination_private", "destination_loopback"),
    (f"{DAY} request GET http://ads.test/; expect allow; shadow none;", "none", "the rule in shadow is tracking"),
    (f"{DAY} request GET http://b.test/; expect allow; shadow tracking;", "tracking", "the rule in shadow is none"),
    ('at "2026-11-22 10:00"; request GET http://a.test/; expect allow;', "allow", "it is denied by default, at proxyd.conf:7:3: default_denied")])
def test_one_that_fails(tmp_path, case, caret, said):
    """Its place with a caret, what came instead and by which rule; `check` says the same, and fails."""
    write(tmp_path, [case])
    for command in ("test", "check"):
        done = run(tmp_path, command)
        lines = done.stderr.splitlines()
        at = next(i for i, line in enumerate(lines) if 'the test "case 0" fails' in line)
        assert done.returncode == 1 and re.match(r"proxyd\.conf:18:\d+: error: ", lines[at])
        begin = lines[at + 2].index("^")
        assert lines[at + 1][begin:begin + len(caret)] == caret and said in lines[at + 3], done.stderr
    assert "1 test, 1 failed" in run(tmp_path, "test").stdout


def test_rules_that_no_test_reaches(tmp_path):
    """Those about answers too."""
    write(tmp_path, [PASSING[0], PASSING[5]])
    done = run(tmp_path, "test")
    told = re.findall(r"^proxyd.conf:(\d+):\d+: no test reaches the rule (\w+) of the policy staff$", done.stdout, re.M)
    assert told == [("11", "moved"), ("12", "agents"), ("13", "videos"), ("14", "intranet")] and done.returncode == 0
    assert "2 tests, 0 failed; 4 rules that no test reaches" in done.stdout
    assert run(tmp_path, "test", "--strict").returncode == 1
    write(tmp_path, [])
    assert run(tmp_path, "test").stdout == "0 tests, 0 failed\n"


@pytest.mark.parametrize("case,said", [
    ("request GET http://a.test/;", '"expect"'), ("expect allow;", '"request"'), ("request http://a.test/; expect allow;", "one more word"),
    ("request GET http://a.test/; expect maybe;", '"maybe" is not known'), ("request GET http://a.test/; expect deny; cause rule_denid;", 'did you mean "rule_denied"?'),
    ("request GET http://a.test/; expect deny; at noon;", '"noon" is not a time'), ("request GET http://a.test/; expect deny; from here;", '"here" is not an address'),
    ('request GET http://a.test/; expect deny; header "Host: b.test";', "is not a field"), ('request GET "http://a test/"; expect deny;', "is not a target"),
    ("request GET http://a.test/; expect deny; response 99;", "200"), ("request GET http://a.test/; expect deny; response 200 video;", "is not a field"),
    ("listener nowhere; request GET http://a.test/; expect deny;", 'listener nowhere'), ("request GET http://a.test/; expect deny; adress 10.0.0.1;", 'did you mean "address"?')])
def test_wrong_ones(tmp_path, case, said):
    write(tmp_path, [case])
    done = run(tmp_path, "check")
    assert done.returncode == 1 and said in done.stderr, done.stderr


def test_several_listeners(tmp_path):
    more = POLICY + "listener other { bind 127.0.0.1:3129; mode forward; policy strict; } policy strict { default deny; }\n"
    write(tmp_path, ["request GET http://a.test/; expect deny;"], more)
    assert "which listener does this test ask? There are 2" in run(tmp_path, "check").stderr
    write(tmp_path, ["listener other; request GET http://a.test/; expect deny default;"], more)
    assert run(tmp_path, "check").returncode == 0


def test_the_proxy_starts_whatever_its_tests_say(proxyd, origin):
    daemon = proxyd(conf.forward(extra='test "no" { request GET http://origin.test/; expect deny; }'))
    assert fetch(daemon.port, origin.url()).status == 200


# ---- diff ----

def record(**more):
    line = {"time": "2026-11-23T09:00:00.123Z", "id": "1", "listener": "main", "client": "10.20.1.1", "method": "GET", "url": "http://a.test/",
            "query": None, "version": "1.1", "status": 200, "server": "192.0.1.1:80"}
    return json.dumps({**line, **more}) + "\n"


def diff(folder, log, after, *words, code=0):
    write(folder, [])
    write(folder, [], after, "new.conf")
    (folder / "log").write_bytes(log if isinstance(log, bytes) else log.encode())
    done = run_command("diff", "-c", "proxyd.conf", "-c", "new.conf", "--log", "log", *words, cwd=folder)
    assert done.returncode == code and done.stderr == "", done.stderr
    return done.stdout


def test_what_a_change_would_do(tmp_path):
    log = "".join(record(url=f"http://ads.test/{i}") for i in range(5)) + record(method="PUT", url="http://a.files.test/x") + \
        record(method="CONNECT", url="in.test:443", server="10.0.0.9:443") + record() + record(url="http://a.test/?q", query="x=1")
    after = POLICY.replace("mode shadow; ", "").replace("method PUT;", "method POST;").replace("reach private; ", "")
    told = diff(tmp_path, log, after, "--examples", "2")
    assert told.startswith("allow by office -> deny by tracking: 5 requests\n  10.20.1.1 GET http://ads.test/0\n  10.20.1.1 GET http://ads.test/1\n"), told
    assert "deny by uploads -> allow by office: 1 request\n  10.20.1.1 PUT http://a.files.test/x\n" in told
    assert "allow by intranet -> deny by intranet: 1 request\n  10.20.1.1 CONNECT in.test:443\n" in told
    assert "new.conf: the rule agents looks at what a log does not have" in told
    assert told.endswith("9 requests compared, 7 are decided otherwise\n")
    assert "0 are decided otherwise" in diff(tmp_path, log, POLICY)
    diff(tmp_path, log, POLICY, "--strict")
    diff(tmp_path, log, after, "--strict", code=1)


def test_hostile_lines(tmp_path):
    """Counted, and bounded: what is between them is compared all the same."""
    log = (b"not json\n" + b"x" * 200000 + b"\n" + b"[" * 60000 + b"\n" + b"a\0b\n" + b"\n" + b'{"a":1}\n' + record().encode() +
           record(client="x").encode() + record(url="http://a b/").encode() + record(method="G T").encode() + record(url=None).encode() +
           record(listener="gone").encode() + b'{"time":"' + b"\xff" * 100 + b'"}\n' + record().encode().rstrip(b"\n") + b"\n" + record().encode()[:40])
    told = diff(tmp_path, log, POLICY + "listener more { bind 127.0.0.1:3129; mode forward; policy staff; }\n")
    for line in ("not of an access log in the format json: 7 lines", "too long: 1 line", "no request that could be asked again: 4 lines",
                 "of a listener that is not in both with mode forward: 1 line", "2 requests compared, 0 are decided otherwise"):
        assert line + "\n" in told, told


def test_a_log_of_the_proxy_itself(proxyd, origin, tmp_path):
    """What the daemon has written is what is read."""
    log = tmp_path / "access.jsonl"
    daemon = proxyd(conf.forward(log=f"to {log}; format json"))
    for path in ("/a", "/b"):
        assert fetch(daemon.port, origin.url(path)).status == 200
    daemon.stop()
    (tmp_path / "old.conf").write_text(daemon.config.read_text())
    (tmp_path / "new.conf").write_text(daemon.config.read_text().replace("rules {", "rules { deny b { path /b; }", 1))
    os.rename(tmp_path / "old.conf", daemon.folder / "old.conf")
    os.rename(tmp_path / "new.conf", daemon.folder / "new.conf")
    done = run_command("diff", "-c", "old.conf", "-c", "new.conf", "--log", log, cwd=daemon.folder)
    assert done.returncode == 0 and "2 requests compared, 1 is decided otherwise" in done.stdout, done.stdout + done.stderr
    assert re.search(r"^  127\.\S+ GET http://origin.test:\d+/b$", done.stdout, re.M)


@pytest.mark.parametrize("words", [[], ["-c", "a"], ["-c", "a", "-c", "b"], ["-c", "a", "-c", "b", "-c", "c", "--log", "d"],
                                   ["-c", "a", "-c", "b", "--log", "c", "--examples", "x"]])
def test_wrong_usage_of_diff(words):
    assert run_command("diff", *words).returncode == 2
