"""The admin listener as machines use it: probes by a supervisor, scrapes by Prometheus, and what a web
page in the administrator's browser must not get at.
"""
import re
import signal
import threading
import time

import pytest

from lib import conf, metrics
from lib.client import Client, fetch, request
from lib.faults import FAULTS, ROOT
from lib.origin import ok, read_body, send, wait
from lib.times import SOON, until
from lib.wire import Silent

pytestmark = [pytest.mark.threads, pytest.mark.smoke]

RIG = conf.forward(extra=metrics.ADMIN)


def ask(daemon, target, *fields, method="GET", host="127.0.0.1", version="1.1", body=b""):
    """One request to the admin listener on a connection of its own."""
    with Client(daemon.ports["admin_port"]) as client:
        return client.ask(request(target, *fields, method=method, host=host, version=version, body=body))


# -- a small reader of the text format, as strict as Prometheus ------------------------------------

_HELP = re.compile(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)")
_TYPE = re.compile(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)")
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (-?[0-9]+(?:\.[0-9]+)?)")


def parse(text):
    """{name: (type, help, {labels: value})}; each family once, HELP and TYPE before its samples."""
    families = {}
    current = None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if found := _HELP.fullmatch(line):
            assert found[1] not in families, f"{found[1]} stands there twice"
            current = found[1]
            families[current] = [None, found[2], {}]
        elif found := _TYPE.fullmatch(line):
            assert found[1] == current and families[current][0] is None, line
            families[current][0] = found[2]
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, f"not a sample: {line!r}"
            assert found[1] == current and families[current][0], f"{line!r} outside of its family"
            assert found[2] not in families[current][2], f"{line!r} twice"
            families[current][2][found[2]] = float(found[3])
    return families


def scrape(daemon):
    answer = ask(daemon, "/metrics", "Accept: text/plain;version=0.0.4")
    assert answer.status == 200, answer
    return parse(answer.body.decode("utf-8"))


# -- health ---------------------------------------------------------------------------------------

def test_healthz(rig):
    # covers: admin bind
    answer = ask(rig.proxyd, "/healthz")
    assert answer.status == 200 and answer.body == b"ok\n"
    assert answer.get("Content-Type") == "text/plain; charset=utf-8"
    assert answer.get("Cache-Control") == "no-store", "a cache must not say that we live"


def test_readyz(rig):
    answer = ask(rig.proxyd, "/readyz")
    assert answer.status == 200 and answer.body == b"ready\n"


def test_readyz_while_draining(proxyd, origin):
    """503 from the signal on, so that a balancer looks elsewhere while what runs still finishes."""
    go = threading.Event()
    origin.at("/slow", read_body(), wait(go), send(ok("done")))
    daemon = proxyd(conf.forward(extra=metrics.ADMIN + " timeouts { drain 30s; }"))
    with Client(daemon.port) as client:
        client.send(request(origin.url("/slow")))
        origin.head("/slow")
        assert ask(daemon, "/readyz").status == 200
        daemon.send_signal(signal.SIGTERM)
        assert until(lambda: ask(daemon, "/readyz").status == 503)
        answer = ask(daemon, "/readyz")
        assert answer.body == b"draining\n"
        assert ask(daemon, "/healthz").status == 200, "it lives as long as it works"
        assert scrape(daemon)["proxyd_ready"][2][None] == 0
        go.set()
        assert client.response().body == b"done"
    assert daemon.wait() == 0


# -- metrics --------------------------------------------------------------------------------------

def test_every_counter_of_the_table(rig):
    families = scrape(rig.proxyd)
    rows = (ROOT / "proxyd/base/stat.tbl").read_text(encoding="ascii")
    table = re.findall(r'^STAT\((\w+), (COUNTER|GAUGE), "([^"]+)"\)', rows, re.M)
    assert len(table) > 20
    parts = re.findall(r'^STAT_OF\(\w+, (\w+), "(\w+)", "(\w+)", (COUNTER|GAUGE), ', rows, re.M)
    assert len(table) + len(parts) == len(re.findall(r"^STAT", rows, re.M))
    for name, label, value, kind in parts:
        got = families[f"proxyd_{name}"]
        assert got[0] == kind.lower() and f'{label}="{value}"' in got[2]
    for name, kind, text in table:
        got = families[f"proxyd_{name}"]
        assert got[0] == kind.lower() and got[1] == text and list(got[2]) == [None]
        assert name.endswith("_total") == (kind == "COUNTER")
    causes = families["proxyd_faults_total"]
    assert causes[0] == "counter"
    assert set(causes[2]) == {f'cause="{token}"' for token in FAULTS}


def test_format_and_names(rig):
    answer = ask(rig.proxyd, "/metrics")
    assert answer.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    families = parse(answer.body.decode("utf-8"))
    for name, (kind, text, samples) in families.items():
        assert kind and text and samples, name
        assert name.startswith(("proxyd_", "process_"))
        assert name.endswith("_total") == (kind == "counter"), name
        assert all(value >= 0 for value in samples.values()), (name, samples)
    version = (ROOT / "VERSION").read_text(encoding="ascii").strip()
    assert families["proxyd_build_info"][2] == {f'version="{version}"': 1}
    assert families["proxyd_ready"][2] == {None: 1}


def test_process_figures(rig):
    got = {name: family[2].get(None) for name, family in scrape(rig.proxyd).items()}
    assert abs(got["process_resident_memory_bytes"] - rig.proxyd.memory()) < 64 << 20
    assert abs(got["process_open_fds"] - rig.proxyd.descriptors()) <= 2
    assert got["process_max_fds"] >= got["process_open_fds"]
    assert abs(got["process_start_time_seconds"] - time.time()) < 3600
    assert 0 < got["process_cpu_seconds_total"] <= rig.proxyd.cpu() + 1
    assert got["process_virtual_memory_bytes"] > got["process_resident_memory_bytes"]


def test_counters_count(rig):
    """One exchange of each kind; what moves is what it says."""
    metrics.settle(rig.proxyd)
    before = metrics.calm(rig.proxyd)
    rig.origin.at("/b", read_body(), send(ok("x" * 1000)))
    body = b"y" * 500
    with Client(rig.port) as client:
        assert client.get(rig.url("/b"), method="POST", body=body).status == 200
        assert client.get(rig.url("/b"), method="POST", body=body).status == 200
        assert metrics.read(rig.proxyd)["connections_open"] - before["connections_open"] == 1
        metrics.wait(rig.proxyd, "requests_in_flight", before["requests_in_flight"])
        assert metrics.read(rig.proxyd)["listener_connections_open main"] >= 1
        assert until(lambda: metrics.read(rig.proxyd)["bytes_to_clients_total"] > before["bytes_to_clients_total"] + 2000), \
            "a connection that stays has been counted up to its last answer"
    assert fetch(rig.port, "http://nowhere.test/").status >= 502
    metrics.wait(rig.proxyd, "connections_open", before["connections_open"])
    grown = metrics.grown(rig.proxyd, before)
    assert grown["connections_total"] == 2
    assert grown["requests_total"] == 3
    assert grown["responses_total 2xx"] == 2 and grown["responses_total 5xx"] == 1
    assert grown["upstream_connects_total"] == 1
    assert grown["upstream_reused_total"] + grown.get("upstream_shared_reused_total", 0) == 1
    assert grown["bytes_from_clients_total"] > 1000 and grown["bytes_to_clients_total"] > 2000
    assert sum(v for k, v in grown.items() if k.startswith("fault ")) == 1


def test_requests_in_flight(rig):
    go = threading.Event()
    rig.origin.at("/hold", read_body(), wait(go), send(ok()))
    metrics.settle(rig.proxyd)
    before = metrics.read(rig.proxyd)["requests_in_flight"]
    with Client(rig.port) as client:
        client.send(request(rig.url("/hold")))
        rig.origin.head("/hold")
        metrics.wait(rig.proxyd, "requests_in_flight", before + 1)
        go.set()
        assert client.response().status == 200
    metrics.wait(rig.proxyd, "requests_in_flight", before)


# -- what is not served ---------------------------------------------------------------------------

@pytest.mark.parametrize("target", ["/nothing", "/metrics/", "/healthz/../metrics", "/METRICS", "//metrics",
                                    "/metrics%2f", "/proxy.pac"])
def test_other_paths(rig, target):
    answer = ask(rig.proxyd, target)
    assert answer.status == 404 and b"/metrics" in answer.body, "it says what there is"


def test_a_query_is_no_other_path(rig):
    assert ask(rig.proxyd, "/healthz?verbose=1").status == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/status", "/version"])
def test_head(rig, path):
    got, head = ask(rig.proxyd, path), ask(rig.proxyd, path, method="HEAD")
    assert head.status == got.status == 200 and head.body == b""
    assert head.get("Content-Type") == got.get("Content-Type")
    if path not in ("/", "/metrics", "/status"):    # which change
        assert head.get("Content-Length") == got.get("Content-Length") == str(len(got.body))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "BREW"])
@pytest.mark.parametrize("body", [b"", b"x" * 3000])
def test_other_methods(rig, method, body):
    answer = ask(rig.proxyd, "/healthz", method=method, body=body)
    assert answer.status == 405, answer
    assert answer.get("Allow") == "GET, HEAD"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:3180",
                                  "evil.example:3180", "localhost:99999", "x"])
def test_a_foreign_host_is_refused(rig, host):
    """A page that has its own name point to 127.0.0.1 (DNS rebinding) reads nothing here."""
    for path in ("/metrics", "/healthz", "/nothing"):
        answer = ask(rig.proxyd, path, host=host)
        assert answer.status == 403 and b"proxyd_" not in answer.body
        assert b"put the address into the URL" in answer.body, "what to do about it"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:{}", "localhost", "LOCALHOST:{}", "[::1]:{}", "10.0.0.1"])
def test_an_address_or_localhost(rig, host):
    assert ask(rig.proxyd, "/healthz", host=host.format(rig.proxyd.ports["admin_port"])).status == 200


def test_two_hosts_and_none(rig):
    assert ask(rig.proxyd, "/metrics", "Host: evil.example").status == 400
    with Client(rig.proxyd.ports["admin_port"]) as client:
        assert client.ask(b"GET /metrics HTTP/1.1\r\n\r\n").status == 400
    with Client(rig.proxyd.ports["admin_port"]) as client:
        assert client.ask(b"GET /healthz HTTP/1.0\r\n\r\n").status == 200, "a simple probe sends none"


def test_it_is_no_proxy_and_the_proxy_no_admin(rig):
    """Neither by the admin listener outwards, nor through the proxy to the admin listener."""
    assert ask(rig.proxyd, rig.url("/x")).status in (400, 403, 404)
    assert rig.origin.requests == []
    admin = f"http://127.0.0.1:{rig.proxyd.ports['admin_port']}/metrics"
    answer = fetch(rig.port, admin)
    assert answer.status == 403 and b"own_listener" in answer.body


# -- under stress ---------------------------------------------------------------------------------

def test_keep_alive(rig):
    with Client(rig.proxyd.ports["admin_port"]) as client:
        for _ in range(3):
            assert client.ask(request("/healthz", host="127.0.0.1")).status == 200


GARBAGE = {
    "words": b"GARBAGE\r\n\r\n", "NULs": b"\0" * 1000, "cut": b"GET",
    "many fields": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 5000,
    "a long target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(rig, name):
    with Client(rig.proxyd.ports["admin_port"]) as client:
        client.send(GARBAGE[name])
        try:
            client.half_close()
        except OSError:
            pass    # it has closed already
        try:
            client.rest(0.2)
        except Silent:
            pass    # it waits for more until its own time-out
    assert ask(rig.proxyd, "/healthz").status == 200


def test_a_crowd_of_idle_connections_ends(proxyd):
    """Whoever holds all of its places open loses them after a while; the proxy itself never notices."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN))
    held = [Client(daemon.ports["admin_port"]) for _ in range(80)]
    fetch(daemon.port, "http://127.0.0.1:1/")
    for client in held[:40]:
        client.close()
    assert until(lambda: _healthy(daemon), SOON)
    for client in held:
        client.close()


def _healthy(daemon):
    try:
        return ask(daemon, "/healthz").status == 200
    except Exception:   # noqa: BLE001  closed, reset or silent: not now
        return False


def test_scrapes_while_the_workers_are_busy(rig):
    """Counters are read without a lock while they change: no scrape is malformed or goes backwards."""
    stop = threading.Event()

    def load():
        with Client(rig.port) as client:
            while not stop.is_set():
                client.get(rig.url("/l"))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    last = 0
    for _ in range(20):
        total = scrape(rig.proxyd)["proxyd_requests_total"][2][None]
        assert total >= last
        last = total
    stop.set()
    for thread in threads:
        thread.join()
    assert last > 0
