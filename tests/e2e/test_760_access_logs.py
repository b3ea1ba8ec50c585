"""Access logs in the formats that others read: each is read back here by a reader of its own, in Python, and
by programs that people use; what clients send cannot forge, split or widen a line. Files are rotated by USR1
and changed by a reload without losing or tearing a line.
"""
import codecs
import json
import pathlib
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.daemon import StartFailed
from lib.times import until, within

RULES = "deny ads { to ads.test; } " + conf.OPEN_RULES
KEYS = ["time", "id", "listener", "client", "method", "url", "query", "version", "status", "bytes_in", "bytes_out",
        "content", "duration_ms", "first_byte_ms", "server", "reused", "tunnel", "upgrade", "rule", "cause", "reason",
        "referer", "user_agent", "type", "shadow", "list", "category", "entry", "sni", "user", "at",
        "match", "name", "cache"]
AGENTS = [b"curl/7.88.1", b'a "quoted" \\ one', b"tab\there", bytes(range(0x80, 0x100)), "é € \u202e \U0001f600".encode(),
          b"%41%0a - [x] \"\" ''", b"x" * 4000]
TARGETS = [b"/plain", b"/q?secret=1&b=%20", b"/" + b"l" * 15000, b"/%22%5c%0a<b>", b"/\xc3\xa9\xff", b"/a|b^c{d}"]


def log(name, form, more=""):
    return f"log access {{ to {name}.log; format {form}; {more} }}"


def start(proxyd, *formats, to="to stdout", extra="", **how):
    """One worker, so that lines stand in the order of the exchanges; a log FORMAT.log for each format, beside `to`."""
    every = " ".join(log(name, name) for name in formats)
    return proxyd(conf.forward(rules=RULES, log=to, workers=1, extra=" ".join((metrics.ADMIN, every, extra))), **how)


def lines(daemon, name, count=None):
    """The lines of NAME.log, as bytes, when there are `count` of them."""
    path = daemon.folder / f"{name}.log"
    if count is not None:
        assert until(lambda: path.exists() and len(_lines(path)) >= count), path.read_bytes()
    found = _lines(path)
    assert count is None or len(found) == count, found
    return found


def _lines(path):
    text = path.read_bytes()
    return [line for line in text.split(b"\n") if line and not line.startswith(b"#")]


def ask(daemon, origin, target, agent=b"x", referer=b"", method=b"GET"):
    head = b"%s http://%s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n" % (
        method, origin.authority.encode(), target, origin.authority.encode(), agent)
    if referer:
        head += b"Referer: " + referer + b"\r\n"
    with Client(daemon.port) as client:
        return client.ask(head + b"\r\n", method=method.decode())


def hostile(daemon, origin):
    """One exchange for each agent and each target; gives what was sent, in order."""
    sent = [(b"/agent/%d" % i, agent) for i, agent in enumerate(AGENTS)]
    sent += [(target, b"agent") for target in TARGETS]
    for target, agent in sent:
        assert ask(daemon, origin, target, agent).status == 200
    return sent


def unescape(text):
    assert not re.search(rb'[^\x20-\x7e]|"', text), text
    assert not re.search(rb"\\(?!x[0-9A-F]{2})", text), text
    return re.sub(rb"\\x([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), text)


CLF = re.compile(rb'(\S+) - - \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "([^"]*)" (\d{3}) (\d+|-)'
                 rb'(?: "([^"]*)" "([^"]*)")?')
SQUID = re.compile(rb"\d{10}\.\d{3} [ \d]{5}\d \S+ [A-Z_]+/\d{3} \d+ \S+ \S+ - [A-Z_]+/\S+ \S+")


def w3c(daemon, name):
    """The records of a W3C log as dicts by the names that its own #Fields line gives."""
    fields, found = None, []
    for line in (daemon.folder / f"{name}.log").read_bytes().split(b"\n")[:-1]:
        if line.startswith(b"#"):
            fields = line.split()[1:] if line.startswith(b"#Fields: ") else fields
            continue
        values = re.findall(rb'(?:"(?:[^"]|"")*"|[^" ]\S*)(?= |$)', line)
        assert b" ".join(values) == line and len(values) == len(fields), line
        found.append({f.decode(): v[1:-1].replace(b'""', b'"') if v[:1] == b'"' else v for f, v in zip(fields, values)})
    return found


# -- what stands in them --------------------------------------------------------------------------

codecs.register_error("each", lambda e: ("\ufffd" * (e.end - e.start), e.end))


@pytest.fixture
def written(proxyd, origin):
    # covers: log access format
    """All formats of the same hostile traffic; the daemon has ended, so all of it is written."""
    daemon = start(proxyd, "squid", "common", "combined", "json", "w3c", "w3c-iis")
    daemon.sent = hostile(daemon, origin)
    daemon.stop()
    return daemon


def test_combined_is_read_back(written):
    for name in ("common", "combined"):
        found = [CLF.fullmatch(line) for line in lines(written, name, len(written.sent))]
        assert all(found), lines(written, name)
        for match, (target, agent) in zip(found, written.sent):
            time.strptime(match[2].decode(), "%d/%b/%Y:%H:%M:%S %z")
            assert match[1] == b"127.0.0.1" and match[4] == b"200" and match[5] == b"2"
            method, url, version = unescape(match[3]).split(b" ")
            assert (method, version) == (b"GET", b"HTTP/1.1") or len(target) > 2048
            assert b"secret" not in url
            if name == "combined":
                assert unescape(match[7]) == agent[:512]


def test_squid_is_read_back(written, origin):
    for line, (target, _) in zip(lines(written, "squid", len(written.sent)), written.sent):
        assert SQUID.fullmatch(line), line
        fields = line.split()
        assert fields[3] == b"TCP_MISS/200" and fields[8] == b"HIER_DIRECT/127.0.0.1"
        assert fields[6].startswith(b"http://" + origin.authority.encode() + b"/") and b"secret" not in line
        assert (fields[6].endswith(b"?")) == (b"?" in target)


def test_json_is_read_back(written, origin):
    for line, (target, agent) in zip(lines(written, "json", len(written.sent)), written.sent):
        record = json.loads(line.decode("utf-8"))
        assert list(record) == KEYS
        assert record["user_agent"] == agent[:512].decode("utf-8", "each")
        assert record["status"] == 200 and record["content"] == 2 and record["query"] is None
        assert record["bytes_out"] > 40 and isinstance(record["duration_ms"], float)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
        if target.startswith(b"/agent"):
            assert record["url"] == f"http://{origin.authority}{target.decode()}"


def test_w3c_is_read_back(written):
    for name in ("w3c", "w3c-iis"):
        head = (written.folder / f"{name}.log").read_text("latin1").split("\n")
        assert head[0] == "#Version: 1.0" and re.fullmatch(r"#Software: proxyd \S+", head[1])
        assert re.fullmatch(r"#Date: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", head[2])
        assert head[3].startswith("#Fields: date time c-ip cs-method cs-uri sc-status ")
        records = w3c(written, name)
        assert len(records) == len(written.sent)
        for record, (_, agent) in zip(records, written.sent):
            assert record["sc-status"] == b"200" and record["cs-method"] == b"GET"
            if name == "w3c":
                decoded = re.sub(rb"\\x([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), record["cs(User-Agent)"])
                assert decoded == agent[:512]
            else:
                assert b'"' not in record["cs(User-Agent)"] and re.fullmatch(rb"\d+", record["time-taken"])


def test_what_failed(proxyd, origin):
    """Refused, unreachable, tunnelled and malformed ones are told apart in each format."""
    daemon = start(proxyd, "squid", "combined", "json")
    assert fetch(daemon.port, "http://ads.test/x?y").status == 403
    assert fetch(daemon.port, "http://127.0.0.1:1/").status == 502
    with Client(daemon.port) as client:
        assert client.ask(request("ads.test:443", method="CONNECT", host="ads.test:443"), method="CONNECT").status == 403
    with Client(daemon.port) as client:
        client.ask(request(origin.authority, method="CONNECT", host=origin.authority), method="CONNECT")
        client.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert until(lambda: len(daemon.log()) == 4)
    with Client(daemon.port) as client:
        assert client.ask(b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n").status == 400
    with Client(daemon.port) as client:
        client.send(b"GET /half")
    assert until(lambda: len(daemon.log()) == 6)
    daemon.stop()
    squid = [line.split()[3:9:1] for line in lines(daemon, "squid", 6)]
    assert [(s[0], s[2], s[5]) for s in squid] == [
        (b"TCP_DENIED/403", b"GET", b"HIER_NONE/-"), (b"TCP_MISS/502", b"GET", b"HIER_DIRECT/127.0.0.1"),
        (b"TCP_DENIED/403", b"CONNECT", b"HIER_NONE/-"), (b"TCP_TUNNEL/200", b"CONNECT", b"HIER_DIRECT/127.0.0.1"),
        (b"NONE_NONE/400", b"GET", b"HIER_NONE/-"), (b"NONE_NONE/000", b"-", b"HIER_NONE/-")]
    assert [CLF.fullmatch(line)[4] for line in lines(daemon, "combined", 6)] == [
        b"403", b"502", b"403", b"200", b"400", b"499"]
    records = [json.loads(line) for line in lines(daemon, "json", 6)]
    assert [r["cause"] for r in records] == ["rule_denied", "connect_refused", "rule_denied", None,
                                             "bad_target", "client_closed"]
    assert records[0]["rule"] == "ads" and records[3]["tunnel"] is True and records[5]["status"] is None


@pytest.mark.parametrize("formats", [("squid", "combined", "json"), ("common", "w3c", "w3c-iis")])
def test_query_and_credentials(proxyd, origin, formats):
    # covers: log access query
    """Query strings are in the logs that ask for them; passwords in none."""
    every = " ".join(log(f"{form}-{query}", form, f"query {query};") for form in formats for query in ("on", "off"))
    daemon = proxyd(conf.forward(log="to readable.log; query on", extra=every + "log access { to stdout; }"))
    head = b"GET http://me:hunter2@%s/p?seen=1 HTTP/1.1\r\nHost: %s\r\nReferer: http://me:hunter3@a.test/r?from=2#frag\r\n\r\n"
    with Client(daemon.port) as client:
        assert client.ask(head % (origin.authority.encode(), origin.authority.encode())).status == 200
    daemon.stop()
    found = sorted(daemon.folder.glob("*.log"))
    assert len(found) == 7
    for path in [*found, daemon.folder / "stdout"]:
        text = path.read_text()
        shown = "-on." in path.name or path.name == "readable.log"
        assert "/p" in text and "hunter" not in text
        assert ("seen=1" in text) == shown, text
        if re.match("combined|json|w3c", path.name):
            assert "a.test/r" in text and ("from=2" in text) == shown, text


def test_only_the_network_of_a_client(proxyd, origin):
    # covers: log access mask-client
    daemon = proxyd(conf.forward(log="to stdout; mask-client on", extra="log access { to whole.log; }", workers=1)
                    .replace("bind 127.0.0.1:{port};", "bind 127.0.0.1:{port} [::1]:{six_port};"), expect_ready=False)
    assert until(lambda: "try:" in daemon.stderr())
    with Client(daemon.port, source="127.0.0.77") as client:
        assert client.get(origin.url()).status == 200
    with Client(daemon.ports["six_port"], "::1") as client:
        assert client.get(origin.url()).status == 200
    daemon.stop()
    assert [line.split()[1] for line in daemon.log("GET")] == ["127.0.0.0", "::"]
    assert [line.split()[1] for line in lines(daemon, "whole", 2)] == [b"127.0.0.77", b"::1"]


# -- where they go --------------------------------------------------------------------------------

def syslogd(folder):
    (folder / "log").unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(folder / "log"))
    sock.settimeout(within(5))
    return sock


def test_syslog(proxyd, origin):
    # covers: log access to
    """A datagram for each line; a syslogd that is started anew is found again."""
    with tempfile.TemporaryDirectory() as name:   # the path of a socket must be short
        folder = pathlib.Path(name)
        receiver = syslogd(folder)
        daemon = proxyd(conf.forward(log=f"to syslog {folder}/log; format json"))
        form = re.compile(rb"<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d proxyd\[%d\]: (\{.*\})" % daemon.pid)
        for anew in (False, True):
            if anew:
                receiver.close()
                receiver = syslogd(folder)
            for path in ("/one", "/two"):
                assert fetch(daemon.port, origin.url(path)).status == 200
                assert json.loads(form.fullmatch(receiver.recv(65536))[1])["url"] == origin.url(path)
        receiver.close()
        assert fetch(daemon.port, origin.url("/nobody")).status == 200
        daemon.stop()
    assert "the access log cannot be written: Connection refused: 1 lines lost" in daemon.stderr()


def test_a_syslogd_that_stands_still_holds_no_other_log(proxyd, origin):
    """What it does not take is lost and counted; the others go on."""
    with tempfile.TemporaryDirectory() as name:
        receiver = syslogd(pathlib.Path(name))
        daemon = proxyd(conf.forward(log="to stdout", extra=f"log access {{ to syslog {name}/log; }}"))
        queue = int(pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
        with Client(daemon.port) as client:
            for count in range(1, queue + 5):
                assert client.get(origin.url("/still")).status == 200
                assert until(lambda: len(daemon.log("/still")) == count, within(5)), count
            for _ in range(queue + 1):
                receiver.recv(65536)
            assert client.get(origin.url("/again")).status == 200
        assert b"/again" in receiver.recv(65536)
        daemon.stop()
        receiver.close()
    assert re.search("the access log syslog cannot be written: .*: [0-9]+ lines lost", daemon.stderr())


def test_a_syslog_that_is_not_there(proxyd):
    with pytest.raises(StartFailed) as failed:
        proxyd(conf.forward(log="to syslog /nonexistent/log"))
    assert "error: cannot open the log /nonexistent/log: No such file or directory" in failed.value.stderr


# -- rotation and reload --------------------------------------------------------------------------

class Load(threading.Thread):
    """Requests one after the other, numbered, until it is stopped."""

    def __init__(self, daemon, origin):
        super().__init__()
        self.daemon_, self.origin, self.count, self.stopped, self.failed = daemon, origin, 0, False, None

    def run(self):
        try:
            with Client(self.daemon_.port) as client:
                while not self.stopped:
                    assert client.get(self.origin.url(f"/n/{self.count}")).status == 200
                    self.count += 1
        except Exception as error:   # noqa: BLE001
            self.failed = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stopped = True
        self.join()
        assert self.failed is None, self.failed


def numbers(paths):
    """The numbers of the requests in these files, in order; each line must be a whole one."""
    found = []
    for path in paths:
        text = path.read_bytes()
        assert text == b"" or text.endswith(b"\n")
        for line in text.split(b"\n")[:-1]:
            if not line.startswith(b"#"):
                assert re.match(rb'\d{4}-\d\d-\d\d|\{"time"', line) and len(re.findall(rb"/n/\d+", line)) == 1, line
                found.append(int(re.search(rb"/n/(\d+)", line)[1]))
    return found


@pytest.mark.threads
def test_rotation_loses_nothing(proxyd, origin):
    """Renamed and reopened under load, again and again: each line stands once, whole, in order."""
    daemon = start(proxyd, "json", "w3c", to="to readable.log", extra="log error { to error.log; }")
    with Load(daemon, origin) as load:
        for i in range(8):
            assert until(lambda: load.count > 20 * (i + 1))
            for name in ("json", "w3c", "readable", "error"):
                (daemon.folder / f"{name}.log").rename(daemon.folder / f"{name}.{i}")
            daemon.send_signal(signal.SIGUSR1)
            assert until(lambda: (daemon.folder / "error.log").exists()
                         and "info: log files opened again: 4\n" in (daemon.folder / "error.log").read_text())
    daemon.stop()
    for name in ("json", "w3c", "readable"):
        files = [daemon.folder / f"{name}.{i}" for i in range(8)] + [daemon.folder / f"{name}.log"]
        assert numbers(files) == list(range(load.count))
        assert all(path.read_bytes().startswith(b"#Version") for path in files if name == "w3c")


def test_a_file_that_cannot_be_opened_again(proxyd, origin):
    """It goes on in the old one, and says so."""
    daemon = start(proxyd, to="to logs/access.log", files={"logs/access.log": ""})
    (daemon.folder / "logs").rename(daemon.folder / "moved")
    (daemon.folder / "logs").write_text("")
    daemon.send_signal(signal.SIGUSR1)
    assert until(lambda: "cannot open the log" in daemon.stderr())
    assert fetch(daemon.port, origin.url("/on")).status == 200
    daemon.stop()
    assert re.search(r"error: cannot open the log \S+/logs/access.log again: Not a directory; it goes on in the old file\n",
                     daemon.stderr())
    assert "/on" in (daemon.folder / "moved/access.log").read_text()


@pytest.mark.threads
def test_logs_change_by_a_reload(proxyd, origin):
    """Under load: a log that stays is not disturbed, others come and go, and a new format says its fields."""
    def config(*formats):
        return conf.forward(rules=RULES, log="to readable.log", extra=" ".join((metrics.ADMIN, *formats)))
    json_, w3c_ = "log access { to second.log; format json; }", "log access { to second.log; format w3c; }"
    daemon = proxyd(config())
    with Load(daemon, origin) as load:
        for formats in ((json_,), (w3c_,), (), (json_, "log error { to error.log; }")):
            count = load.count
            assert until(lambda: load.count > count + 20)
            daemon.reload(config(*formats))
            count = load.count
            assert until(lambda: load.count > count + 20)
    daemon.stop()
    assert numbers([daemon.folder / "readable.log"]) == list(range(load.count))
    second = (daemon.folder / "second.log").read_bytes().split(b"\n")[:-1]
    kinds = [line[:1] for line in second]
    assert b"".join(kinds).lstrip(b"{").lstrip(b"#")[:1] == b"2" and kinds[-1] == b"{"
    assert second[kinds.index(b"#") + 3].startswith(b"#Fields: ")
    assert "reloaded" in (daemon.folder / "error.log").read_text()


def test_a_log_that_cannot_be_opened_refuses_a_reload(proxyd, origin):
    daemon = start(proxyd)
    daemon.reload(conf.forward(rules=RULES, log="to /proc/nothing.log", extra=metrics.ADMIN), refused=True)
    assert until(lambda: "cannot open the log /proc/nothing.log" in daemon.stderr())
    assert fetch(daemon.port, origin.url("/still")).status == 200
    daemon.wait_log("/still")


def test_no_format_leaves_half_a_line(proxyd, origin):
    """The end of the room in the middle of a line (a limit on file sizes stands for the full disk): each log
    finishes its own once there is room, and says its fields again where they may be among what was lost."""
    formats = ("squid", "combined", "json", "w3c")
    daemon = start(proxyd, *formats)
    paths = [daemon.folder / f"{name}.log" for name in formats]

    def ask_some(n):
        for i in range(n):
            assert fetch(daemon.port, origin.url(f"/n/{i}"), "User-Agent: " + "a" * 50).status == 200

    ask_some(3)
    assert until(lambda: all(len(_lines(path)) == 3 for path in paths))
    for path in paths:
        room = path.stat().st_size + 30
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        before = metrics.calm(daemon)
        ask_some(2)
        assert until(lambda: path.stat().st_size == room or f"log_lost_total {path}" in metrics.grown(daemon, before))
    torn = [path.read_bytes() for path in paths]
    assert any(not text.endswith(b"\n") for text in torn)
    daemon.send_signal(signal.SIGUSR1)   # the same files: their lines are still to be finished
    assert until(lambda: "log files opened again: 4" in daemon.stderr())
    daemon.reload()
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert until(lambda: all(path.read_bytes().endswith(b"\n") for path in paths), within(5)), "without more traffic"
    ask_some(1)
    assert metrics.read(daemon)["log_lines_torn_total"] == 0
    daemon.stop()
    for path, before in zip(paths, torn):
        assert path.read_bytes().startswith(before)
    assert all(SQUID.fullmatch(line) for line in lines(daemon, "squid"))
    assert all(CLF.fullmatch(line) for line in lines(daemon, "combined"))
    assert all(json.loads(line) for line in lines(daemon, "json"))
    assert all(record["sc-status"] == b"200" for record in w3c(daemon, "w3c"))


def test_what_each_log_lost(proxyd, origin):
    """One that cannot be written is counted and told by its name, and the others are whole."""
    daemon = start(proxyd, "json", to="to /dev/full")
    for _ in range(3):
        assert fetch(daemon.port, origin.url()).status == 200
    metrics.wait(daemon, "log_lost_total /dev/full", 3)
    now = metrics.read(daemon)
    path = daemon.folder / "json.log"
    assert now[f"log_lost_total {path}"] == now[f"log_torn_total {path}"] == now["log_lost_total error"] == 0
    daemon.stop()
    assert "proxyd: the access log /dev/full cannot be written: No space left on device" in daemon.stderr()
    assert len(lines(daemon, "json", 3)) == 3


# -- real readers ---------------------------------------------------------------------------------

def run(*command, stdin=None):
    done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=within(20), check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


def goaccess(folder, name, *form):
    out = folder / f"{name}.out.json"
    run("goaccess", str(folder / f"{name}.log"), *form, "-o", str(out), "--no-progress", "--no-global-config")
    return json.loads(out.read_text(errors="replace"))   # it decodes %FF


@pytest.mark.parametrize("name,form", [
    ("combined", ["--log-format=COMBINED"]), ("common", ["--log-format=COMMON"]),
    ("w3c", ['--log-format=%d %t %h %m %U %s %b %^ %T %^ "%u" %^', "--date-format=%Y-%m-%d", "--time-format=%T"]),
    ("w3c-iis", ["--log-format=%d %t %h %m %U %s %b %^ %L %^ %u %R %^", "--date-format=%Y-%m-%d", "--time-format=%T"])])
def test_goaccess(written, name, form):
    """It takes every line, hostile ones included, and counts the same."""
    general = goaccess(written.folder, name, *form)["general"]
    assert general["valid_requests"] == len(written.sent) and general["failed_requests"] == 0


def test_calamaris(written):
    """A report tool for squid's log, of Debian."""
    with open(written.folder / "squid.log", "rb") as log:
        text = run("calamaris", "-a", stdin=log)
    assert re.search(rf"^lines parsed: +lines +{len(written.sent)} *$", text, re.M), text[:2000]
    assert re.search(r"^invalid lines: +lines +0 *$", text, re.M)
    assert re.search(rf"^GET +{len(written.sent)} ", text, re.M)


def test_jq(written):
    path = str(written.folder / "json.log")
    assert run("jq", "-s", "length", path).strip() == str(len(written.sent))
    assert run("jq", "-s", "map(.content) | add", path).strip() == str(2 * len(written.sent))
    agent = run("jq", "-r", 'select(.url | endswith("/agent/1")) | .user_agent', path)
    assert agent == AGENTS[1].decode() + "\n"
