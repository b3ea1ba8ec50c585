"""The daemon's counters, read from its admin listener as Prometheus would.

    daemon = proxyd(conf.forward(extra=metrics.ADMIN))
    before = metrics.read(daemon)
    …
    assert metrics.grown(daemon, before)["tunnels_total"] == 1

Names are without the prefix `proxyd_`; proxyd_faults_total{cause="x"} is "fault x", and any other
proxyd_name{label="x",other="y"} is "name x y".
"""
import re
import urllib.request

from .times import until, within

ADMIN = "admin { bind 127.0.0.1:{admin_port}; }"

_SAMPLE = re.compile(r'^proxyd_(\w+)(?:\{\w+="([^"]+)"(?:,\w+="([^"]+)")?\})? (\S+)$', re.M)


def text(daemon):
    url = f"http://127.0.0.1:{daemon.ports['admin_port']}/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read().decode()


def read(daemon):
    return {_named(name, *labels): int(float(value)) for name, *labels, value in _SAMPLE.findall(text(daemon))}


def _named(name, *labels):
    if name == "faults_total":
        return f"fault {labels[0]}"
    return " ".join([name, *filter(None, labels)])


def calm(daemon, in_flight=0):
    """The counters when no more exchanges than that are in flight: a client has its answer before its exchange is
    counted, and a worker may be kept from a core in between. Where one stays in flight, those of a second later."""
    until(lambda: read(daemon)["requests_in_flight"] <= in_flight, within(1))
    return read(daemon)


def grown(daemon, before):
    """What changed since; counters that did not are left out."""
    now = calm(daemon, before["requests_in_flight"])
    return {name: value - before.get(name, 0) for name, value in now.items()
            if value != before.get(name, 0)}


def wait(daemon, name, value, since=None):
    """Until a counter (less what it was in `since`) has this value, or a failure."""
    base = since.get(name, 0) if since else 0
    got = until(lambda: read(daemon)[name] - base == value)
    assert got, f"{name} is {read(daemon)[name] - base}, expected {value}"


def settle(daemon):
    """Until the connection with which the start was watched has come and gone."""
    def settled():
        now = read(daemon)
        return now["connections_total"] > 0 and now["connections_open"] == 0
    assert until(settled), read(daemon)
