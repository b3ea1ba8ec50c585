"""`http://PROXY/`: how a person sets up what is to use this proxy, and what that person was refused lately."""
import html.parser
import json
import os
import re
import subprocess

import pytest

from lib import conf
from lib.client import Client
from lib.daemon import environment
from lib.faults import assert_refused
from lib.times import until

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Edg/131.0"
RULES = 'deny shop { to shop.test; text "shut <b>until</b> Monday"; } ' + conf.OPEN_RULES
AUTH = "auth basic { file users; except-from 127.0.0.9; }"
USERS = "ann:$apr1$5BC6fVqH$n7Nz4Z043l31iQb5lvEgR1\n"


def get(daemon, accept="text/html", host="127.0.0.1", agent=FIREFOX, name=None, method="GET", target="/", source=None,
        port=None):
    name = name or (f"[{host}]" if ":" in host else host)
    with Client(port or daemon.port, host, source=source) as client:
        return client.ask(f"{method} {target} HTTP/1.1\r\nHost: {name}\r\nAccept: {accept}\r\nUser-Agent: {agent}\r\n"
                          "Content-Length: 0\r\n\r\n")


class Devices(html.parser.HTMLParser):
    """The sections in their order, and which are open; every tag that is opened is closed."""

    def __init__(self, page):
        super().__init__()
        self.all, self.open, self.stack = [], [], []
        self.feed(page)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "link"):
            self.stack.append(tag)
        if tag == "details":
            self.all.append(dict(attrs)["id"])
            if "open" in dict(attrs):
                self.open.append(dict(attrs)["id"])

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


@pytest.fixture
def daemon(proxyd):
    return proxyd(conf.forward(rules=RULES))


def test_for_a_browser(daemon):
    """All devices, one's own first; all that is to be copied has the address; nothing is loaded from anywhere."""
    answer = get(daemon)
    page = answer.body.decode()
    assert answer.status == 200 and answer.get("content-type") == "text/html; charset=utf-8"
    told = Devices(page)
    assert told.all[0] == "firefox" and told.open == ["firefox"]
    assert sorted(told.all) == sorted("firefox chromium safari windows macos ios android linux".split())
    assert Devices(get(daemon, agent=EDGE).body.decode()).open == ["chromium", "windows"]
    assert Devices(get(daemon, agent="x").body.decode()).open == []
    own = f"http://127.0.0.1:{daemon.port}"
    for line in (f"{own}/proxy.pac", f'export https_proxy="{own}"', f'git config --global http.proxy "{own}"',
                 f'Acquire::http::Proxy "{own}";', f'npm config set proxy "{own}"', f'pip config set global.proxy "{own}"',
                 f'"https-proxy": "{own}"', f"<code>{daemon.port}</code>"):
        assert line in page, line
    assert "PASSWORD" not in page and "{{" not in page
    assert not re.findall(r"<script|<link|<img|url\(|@import|src=", page)
    assert set(re.findall(r'href="([^"]*)"', page)) <= {f"#{part}" for part in (*told.all, "devices", "tools", "refused")}
    assert answer.get("content-security-policy").startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert answer.get("cache-control") == "no-store" and answer.get("x-frame-options") == "DENY"


def test_for_a_terminal_and_a_program(daemon):
    answer = get(daemon, "*/*", agent="curl/8")
    assert answer.get("content-type").startswith("text/plain") and "<" not in answer.body.decode()
    assert f'    export http_proxy="http://127.0.0.1:{daemon.port}"\n' in answer.body.decode()
    told = json.loads(get(daemon, "application/json").body)
    own = f"http://127.0.0.1:{daemon.port}"
    assert told == {"proxy": own, "pac": own + "/proxy.pac", "why": own + "/why", "auth": False, "refusals": []}


def test_methods(daemon):
    head, whole = get(daemon, method="HEAD"), get(daemon)
    assert head.status == 200 and head.body == b"" and head.get("content-length") == str(len(whole.body))
    refused = get(daemon, method="POST")
    assert refused.status == 405 and refused.get("allow") == "GET, HEAD"
    assert_refused(get(daemon, "text/plain", target="/other"), "not_found")
    assert f"http://127.0.0.1:{daemon.port}/" in get(daemon, "text/plain", target="/other").body.decode()
    through = get(daemon, target=f"http://127.0.0.1:{daemon.port}", name="x")
    assert through.status == 200 and "Use this proxy" in through.body.decode()


@pytest.mark.parametrize("bind", ["*", "[::]"])
def test_the_address_is_the_one_that_was_reached(proxyd, bind):
    daemon = proxyd(conf.forward().replace("127.0.0.1:{port};", bind + ":{port} [::1]:{six_port} 127.0.0.9:{own_port};"),
                    expect_ready=False)
    assert until(lambda: "try:" in daemon.stderr())
    for host, port, name, shown in (("::1", "port", None, "[::1]"), ("::1", "six_port", None, "[::1]"),
                                    ("127.0.0.1", "port", "127.0.0.1:99", "127.0.0.1"),
                                    ("127.0.0.7", "port", "proxy.test", "proxy.test"),
                                    ("127.0.0.9", "own_port", "proxy.test", "127.0.0.9")):
        port = daemon.ports[port]
        told = json.loads(get(daemon, "application/json", host, name=name, port=port).body)
        assert told["proxy"] == f"http://{shown}:{port}" and told["pac"] == told["proxy"] + "/proxy.pac"
        page = get(daemon, host=host, name=name, port=port).body.decode()
        assert f'proxy "http://{shown}:{port}"' in page and f"<code>{shown.strip('[]')}</code>" in page
    with Client(daemon.port, "127.0.0.7") as client:
        assert f"http://127.0.0.7:{daemon.port}".encode() in client.ask(b"GET / HTTP/1.0\r\n\r\n").body
    assert get(daemon, name='"><b>$(reboot)').status == 400


def test_one_s_own_refusals(daemon):
    """The last five, as under /why: to their own client, and only when asked for by address."""
    for i in range(7):
        get(daemon, target=f"http://shop.test/{i}?secret", name="shop.test")
    page = get(daemon).body.decode()
    assert re.findall(r"</strong> http://shop.test/(\d)<", page) == list("65432")
    assert "shut &lt;b&gt;until" in page and "secret" not in page and 'href="/why"' in page
    assert len(re.findall(r'href="/why\?id=\w{32}"', page)) == 5
    assert len(json.loads(get(daemon, "application/json").body)["refusals"]) == 5
    assert get(daemon, "*/*").body.decode().count("request=http://shop.test/") == 5
    assert "localhost" in get(daemon, name="localhost").body.decode()
    assert "shop.test" in get(daemon, name="localhost").body.decode()
    for accept in ("text/html", "*/*", "application/json"):
        other = get(daemon, accept, name="rebound.test").body.decode()
        assert "shop.test" not in other and f"http://127.0.0.1:{daemon.port}/why" in other
        assert "shop.test" not in get(daemon, accept, source="127.0.0.2").body.decode()


def test_with_names_and_passwords(proxyd, origin):
    """It says so to whom it asks, and where each tool takes them."""
    daemon = proxyd(conf.forward(policy_text=conf.policy(extra=AUTH)), files={"hosts": conf.HOSTS, "users": USERS})
    page, text = get(daemon).body.decode(), get(daemon, "*/*").body.decode()
    assert "It asks for a name and a password" in page and "It asks for a name and a password" in text
    assert f'https_proxy="http://NAME:PASSWORD@127.0.0.1:{daemon.port}"' in page
    assert f'http.proxy "http://NAME@127.0.0.1:{daemon.port}"' in page and "-U NAME" in page
    assert json.loads(get(daemon, "application/json").body)["auth"] is True
    assert "PASSWORD" not in get(daemon, source="127.0.0.9").body.decode()
    line = re.search(r"export http_proxy=.*", text)[0].replace("NAME:PASSWORD", "ann:pass%40word")
    assert shell(f'{line}\ncurl -s -o /dev/null -w "%{{http_code}}" {origin.url("/")}') == "200"
    assert origin.requests


def shell(script, **how):
    done = subprocess.run(["sh", "-e", "-c", script], capture_output=True, text=True, timeout=30, check=False,
                          env=environment(how.pop("env", {})), **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


def block(text, heading):
    """The lines to copy under a heading of the text form."""
    return re.search(rf"^{heading}:\n\n((?:    .*\n)+)", text, re.M)[1]


@pytest.mark.slow("git clones from a server of its own")
def test_its_lines_work(daemon, origin, parts, tmp_path):
    """The lines for a shell and for git, as they are copied."""
    text = get(daemon, "*/*", agent="curl/8").body.decode()
    assert shell(block(text, "Shell") + f"curl -s {origin.url('/shell')}") == "ok"
    assert origin.paths() == ["/shell"] and daemon.wait_log("/shell")
    server = parts.git()
    shell(block(text, "git") + f"git clone -q http://origin.test:{server.port}/demo.git copy", cwd=tmp_path,
          env={"HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"})
    assert os.path.exists(tmp_path / "copy/.git") and daemon.wait_log("/demo.git/info/refs")
