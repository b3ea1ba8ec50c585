"""docs/operation.md leaves nothing out that a running proxy tells or obeys."""
import re

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.faults import ROOT

pytestmark = pytest.mark.smoke

TEXT = (ROOT / "docs/operation.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
RIG = conf.forward(rules="deny x { to list ads; } allow up { to up.test; via up; } " + conf.OPEN_RULES,
                   extra=metrics.ADMIN + "cache kept { memory 16m; path store; } list ads { source none.txt; optional; } parent up { proxy 127.0.0.1:{dead_port}; }")


def source(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_fields_of_the_access_log():
    fields = set(re.findall(r'" (\w+)=', source("proxyd/core/report/log_readable.c")))
    assert len(fields) > 6
    assert fields == set(re.findall(r"^\| `(\w+)=` \|", TEXT, re.M))


def test_keys_of_the_json_log():
    keys = re.findall(r'(?:put_\w+|key)\(t, "(\w+)"', source("proxyd/core/report/log_json.c"))
    section = TEXT.split("\n### json\n")[1].split("\n### ")[0]
    told = [key for row in re.findall(r"^\| (`.*?`) \|", section, re.M) for key in re.findall(r"`(\w+)`", row)]
    assert len(keys) > 20 and sorted(keys + ["time", "id"]) == sorted(told)


def test_paths_of_the_admin_listener():
    paths = re.findall(r'\{ "(/\w*)", get_', source("admin/admin.c"))
    assert len(paths) > 3
    assert paths == re.findall(r"^\| `(/\w*)` \|", TEXT, re.M)


def test_exit_codes():
    codes = re.findall(r"EXIT_\w+ = (\d+)", source("proxyd/command.h"))
    assert codes == re.findall(r"^\| (\d+) \|", TEXT, re.M)


@pytest.mark.parametrize("handled,rows", [("case SIG(\\w+):", "drain|closed at once|read again|opened again"),
                                          ("signal\\(SIG(\\w+), SIG_IGN\\)", "ignored")])
def test_signals(handled, rows):
    names = set(re.findall(handled, source("proxyd/signals.c")))
    section = TEXT.split("\n## Signals\n")[1].split("\n## ")[0]
    told = [line.split(" | ")[0] for line in section.splitlines() if re.search(rows, line)]
    assert names and names == set(re.findall(r"`(\w+)`", " ".join(told)))


def test_every_metric(rig):
    with Client(rig.proxyd.ports["admin_port"]) as client:
        shown = client.ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").body.decode()
    names = set(re.findall(r"^# TYPE (\w+) ", shown, re.M))
    assert len(names) > 30
    assert names == set(re.findall(r"`((?:proxyd|process)_\w+)`(?=,| \|)", TEXT + REFERENCE))


def test_paths_of_the_proxy_itself(rig):
    for path in ("/proxy.pac", "/wpad.dat"):
        assert f"GET {path}`" in TEXT
        with Client(rig.port) as client:
            assert client.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
