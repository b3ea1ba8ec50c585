"""The script by which browsers find the proxy: what is served, what it says, and whether the policy agrees."""
import json
import os
import random
import signal
import subprocess

import pytest

from lib import conf
from lib.client import Client, fetch
from lib.daemon import run_command
from lib.skip import need
from lib.times import until

#: Asks a script about "URL HOST" lines, as a browser does, and prints one answer a line.
NODE = """
const vm = require("vm"), fs = require("fs");
const script = fs.readFileSync(process.argv[1], "utf8");
const world = { dnsResolve: (h) => ({ "ten.test": "10.1.2.3" })[h] || null };
vm.createContext(world);
vm.runInContext(script, world, { timeout: 5000 });
for (const host of fs.readFileSync(0, "utf8").split("\\n").filter((l) => l))
    console.log(vm.runInContext("FindProxyForURL(" + JSON.stringify("http://" + host + "/") + "," + JSON.stringify(host) + ")", world));
"""


def write(folder, block, policy="policy open { default allow; }", listener="", name="proxyd.conf"):
    (folder / name).write_text(f"listener main {{ bind 127.0.0.1:3128; mode forward; policy open; {listener} }}\n"
                               f"{policy}\n{block}\n")


def pac(folder, *words, client=None):
    more = ["--client", client] if client else []
    return run_command("pac", *words, "-c", "proxyd.conf", *more, cwd=folder)


def answer(folder, url, client=None):
    ran = pac(folder, "eval", url, client=client)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def ask(daemon, path="/proxy.pac", method="GET", fields="", host="127.0.0.1", local="127.0.0.1"):
    with Client(daemon.port, local) as client:
        return client.ask(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")


# -- as it is served ------------------------------------------------------------------------------

def test_served(proxyd):
    """The right type, a tag, 304 for who has it, HEAD; and the two paths are one script."""
    # covers: listener pac, pac max-age
    daemon = proxyd(conf.forward(listener="pac office;", extra="pac office { direct d.test; max-age 90s; }"))
    first = ask(daemon)
    assert first.status == 200 and b'"=d.test": 1' in first.body
    assert first.get("Content-Type") == "application/x-ns-proxy-autoconfig"
    assert first.get("Cache-Control") == "max-age=90"
    tag = first.get("ETag")
    assert ask(daemon, "/wpad.dat").body == first.body
    for fields in (f"If-None-Match: {tag}\r\n", f'If-None-Match: "x", W/{tag}\r\n', "If-None-Match: *\r\n"):
        second = ask(daemon, fields=fields)
        assert (second.status, second.body, second.get("ETag")) == (304, b"", tag)
        assert second.get("Content-Length") is None
    assert ask(daemon, fields='If-None-Match: "x"\r\n').status == 200
    head = ask(daemon, method="HEAD")
    assert (head.status, head.body, head.get("Content-Length")) == (200, b"", str(len(first.body)))


def test_names_the_address_that_was_reached(proxyd):
    daemon = proxyd(conf.forward(listener="pac office;", extra="pac office { }")
                    .replace("127.0.0.1:{port}", "*:{port}"))
    assert f'"proxy.test:{daemon.port}"'.encode() in ask(daemon, host="proxy.test").body
    evil = ask(daemon, host="a_b-c.test:1").body
    assert f'proxyd_own = "a_b-c.test:{daemon.port}"'.encode() in evil


def test_by_client(proxyd):
    """Two networks, two scripts, two tags; a client that may not ask gets none."""
    # covers: pac from
    daemon = proxyd(conf.forward(listener="pac office;", clients="127.0.0.0/16",
                                 extra="pac office { direct d.test; from 127.0.9.0/24 { direct e.test; } }"))
    answers = []
    for source in ("127.0.0.1", "127.0.9.1", "127.1.0.1"):
        with Client(daemon.port, source=source) as client:
            answers.append(client.ask("GET /proxy.pac HTTP/1.1\r\nHost: x\r\n\r\n"))
    here, there, nobody = answers
    assert b"=d.test" in here.body and b"=e.test" not in here.body
    assert b"=e.test" in there.body and b"=d.test" not in there.body
    assert here.get("ETag") != there.get("ETag")
    assert nobody.status == 403


def test_another_configuration_is_another_tag(proxyd):
    text = conf.forward(listener="pac office;", extra="pac office { direct d.test; }")
    daemon = proxyd(text)
    tag = ask(daemon).get("ETag")
    daemon.write(text.replace("d.test", "e.test"))
    daemon.process.send_signal(signal.SIGHUP)
    assert until(lambda: b"=e.test" in ask(daemon, fields=f"If-None-Match: {tag}\r\n").body)


# -- keys -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("block,url,said", [
    # covers: pac proxy, pac https-proxy, pac fallback, pac shard, pac direct, pac plain-names
    ("", "http://a.test/", "PROXY 127.0.0.1:3128"),
    ("proxy p.test:1 q.test:2;", "http://a.test/", "PROXY p.test:1; PROXY q.test:2"),
    ("https-proxy p.test:1;", "http://a.test/", "HTTPS p.test:1"),
    ("fallback direct;", "http://a.test/", "PROXY 127.0.0.1:3128; DIRECT"),
    ("fallback none;", "http://a.test/", "PROXY 127.0.0.1:3128"),
    ("direct *.test;", "http://a.test/", "DIRECT"),
    ("direct *.test;", "https://A.B.TEST./x", "DIRECT"),
    ("direct *.test;", "http://test/x", "DIRECT"),
    ("direct *.test; plain-names proxy;", "http://test/x", "PROXY 127.0.0.1:3128"),
    ("direct 192.0.1.0/24;", "http://0300.0.0x1.7/", "DIRECT"),
    # covers: pac from proxy, pac from https-proxy, pac from fallback, pac from direct, pac from plain-names
    ("from 127.0.0.0/8 { proxy p.test:1; }", "http://a.test/", "PROXY p.test:1"),
    ("from 127.0.0.0/8 { https-proxy p.test:1; }", "http://a.test/", "HTTPS p.test:1"),
    ("from 127.0.0.0/8 { fallback direct; }", "http://a.test/", "PROXY 127.0.0.1:3128; DIRECT"),
    ("from 127.0.0.0/8 { direct a.test; }", "http://a.test/", "DIRECT"),
    ("from 127.0.0.0/8 { plain-names proxy; }", "http://a/", "PROXY 127.0.0.1:3128"),
    ("direct a.test; from 127.0.0.1 { proxy p.test:1; } from 127.0.0.0/8 { direct b.test; }", "http://a.test/", "DIRECT"),
])
def test_block(tmp_path, block, url, said):
    write(tmp_path, f"pac office {{ {block} }}", listener="pac office;")
    assert answer(tmp_path, url) == said


@pytest.mark.parametrize("inside", ["{}", "from 127.0.0.0/8 {{ {} }}"])
def test_shard(tmp_path, inside):
    """Each host has an order of its own, with all proxies in it."""
    # covers: pac shard, pac from shard
    row = "proxy a.test:1 b.test:2 c.test:3;"
    write(tmp_path, f"pac office {{ {row} {inside.format('shard on;')} }}", listener="pac office;")
    rows = {answer(tmp_path, f"http://h{i}.test/") for i in range(12)}
    assert len(rows) > 2 and {frozenset(r.split("; ")) for r in rows} == {
        frozenset({"PROXY a.test:1", "PROXY b.test:2", "PROXY c.test:3"})}


@pytest.mark.parametrize("inside", ["{}", "from 127.0.0.0/8 {{ {} }}"])
def test_dns_only_on_request(tmp_path, inside):
    # covers: pac dns, pac from dns
    for dns, said in (("on", "DIRECT"), ("off", "PROXY 127.0.0.1:3128")):
        write(tmp_path, f"pac office {{ direct 192.0.1.0/24; {inside.format(f'dns {dns};')} }}", listener="pac office;")
        ran = pac(tmp_path, "eval", "http://in.test/", "--resolve", "in.test=192.0.1.7")
        assert ran.stdout.strip() == said
        assert ("dnsResolve" in pac(tmp_path, "print").stdout) == (dns == "on")
    assert answer(tmp_path, "http://out.test/") == "PROXY 127.0.0.1:3128"


def test_file(proxyd):
    """Served as it is; another one is taken up by itself, and a broken one changes nothing."""
    # covers: pac file
    daemon = proxyd(conf.forward(listener="pac own;", extra="pac own { file own.pac; }"),
                    files={"hosts": conf.HOSTS, "own.pac": 'function FindProxyForURL(u, h) { return "DIRECT"; }\n'})
    assert ask(daemon).body == (daemon.folder / "own.pac").read_bytes()
    (daemon.folder / "own.pac").write_text("function FindProxyForURL(u, h) {\n  retrun 1;\n}\n")
    assert until(lambda: "own.pac:2:1: error: SyntaxError" in daemon.stderr())
    assert b"DIRECT" in ask(daemon).body
    (daemon.folder / "own.pac").write_text('function FindProxyForURL(u, h) { return "PROXY p.test:1"; }\n')
    assert until(lambda: b"p.test" in ask(daemon).body)


def test_cases(tmp_path):
    # covers: test pac
    block = ('pac office { proxy p.test:1; fallback direct; direct d.test; }\n'
             'test "one" { request GET http://a.test/; expect allow; pac "PROXY p.test:1;DIRECT"; }\n'
             'test "two" { request CONNECT d.test:443; expect allow; pac "DIRECT"; }\n')
    write(tmp_path, block, listener="pac office;")
    assert run_command("test", "-c", "proxyd.conf", cwd=tmp_path).returncode == 0
    write(tmp_path, block + 'test "three" { request GET http://d.test/; expect allow; pac "PROXY p.test:1"; }\n',
          listener="pac office;")
    ran = run_command("test", "-c", "proxyd.conf", cwd=tmp_path)
    assert ran.returncode == 1 and 'the script says "DIRECT"' in ran.stderr and 'the test "three" fails' in ran.stderr


# -- what check says ------------------------------------------------------------------------------

@pytest.mark.parametrize("block,said", [
    ("direct list ads;", '"list" cannot be direct: a browser has to know it by the name alone'),
    ("direct class private;", "is known when it has been looked up"),
    ('direct ~"^a";', "cannot be direct"),
    ("direct group a;", "a browser does not know who uses it"),
    ("file f.pac; direct a.test;", 'direct does not go with "file"'),
    ("file none.pac;", "there is no such file"),
    ("proxy p.test;", "HOST:PORT"),
    ("max-age 0s;", "1s"),
    ("direct 10.0.0.1/8;", "10.0.0.0/8"),
])
def test_errors(tmp_path, block, said):
    (tmp_path / "f.pac").write_text("function FindProxyForURL() { return ''; }")
    write(tmp_path, f"list ads {{ source ads.txt; }} pac office {{ {block} }}", listener="pac office;")
    ran = run_command("check", "-c", "proxyd.conf", cwd=tmp_path)
    assert ran.returncode == 1 and said in ran.stderr and "proxyd.conf:3:" in ran.stderr


@pytest.mark.parametrize("script,said", [
    ("var a;\n\nfunction (", "f.pac:3:1: error: SyntaxError"),
    ("var a = 1;", "it has no function FindProxyForURL"),
    ("while (true) ;", "it takes longer than a second"),
    ("var s = 'x'; while (true) s += s;", "memory"),
    ("function FindProxyForURL() { return nothing.at_all; }", "warning: \"f.pac\" fails for http://www.example/"),
])
def test_broken_files(tmp_path, script, said):
    (tmp_path / "f.pac").write_text(script)
    write(tmp_path, "pac office { file f.pac; }", listener="pac office;")
    assert said in run_command("check", "-c", "proxyd.conf", cwd=tmp_path).stderr


def test_both_lines_of_a_way_around(tmp_path):
    """What the policy denies is not direct, and `check` names the value and the rule."""
    write(tmp_path, "pac office {\n  direct .corp.test;\n}", listener="pac office;",
          policy="policy open {\n  default allow;\n  rules {\n    deny all-corp { to .corp.test; }\n  }\n}")
    ran = run_command("check", "-c", "proxyd.conf", cwd=tmp_path)
    assert ran.returncode == 0
    assert 'proxyd.conf:9:10: warning: ".corp.test" is not direct in the script: the policy denies it' in ran.stderr
    assert "by all-corp, at proxyd.conf:5:5" in ran.stderr


@pytest.mark.slow("thousands of names are asked of the policy, for each network")
def test_too_much_is_left_to_the_proxy(tmp_path):
    hosts = " ".join(f"a-long-name-number-{i}.corp.test" for i in range(1200))
    write(tmp_path, f"pac office {{\n direct {hosts}; }}", listener="pac office;")
    said = run_command("check", "-c", "proxyd.conf", cwd=tmp_path).stderr
    script = pac(tmp_path, "print").stdout
    assert "longer than 32 kB" in said and len(script) <= 32 << 10
    assert "Left to the proxy, for want of room" in script
    assert pac(tmp_path, "prove").returncode == 1   # `direct`, and yet it is not


# -- prove ----------------------------------------------------------------------------------------

def test_prove(tmp_path):
    """A list is what a script cannot know; what follows from that is told, and is an exit code."""
    policy = ("list bad { source bad.txt; format domains; }\n"
              "policy open { clients 127.0.0.0/8 10.0.0.0/8; default allow; rules { deny bad { to list bad; } } }")
    (tmp_path / "bad.txt").write_text("x.corp.test\nother.test\n")
    write(tmp_path, "pac office { direct .corp.test; }", listener="pac office;", policy=policy)
    ran = pac(tmp_path, "prove")
    assert ran.returncode == 1 and "x.corp.test, for 127.0.0.1: direct, and the policy denies it" in ran.stdout
    assert "by the list bad" in ran.stdout and "other.test, for" not in ran.stdout
    write(tmp_path, "pac office { direct .inside.test; }", listener="pac office;", policy=policy)
    ran = pac(tmp_path, "prove")
    assert ran.returncode == 0 and ran.stdout.endswith(" for 3 clients: 0 differences\n")
    (tmp_path / "own.pac").write_text('function FindProxyForURL() { return "DIRECT"; }')
    write(tmp_path, "pac office { file own.pac; }", listener="pac office;", policy=policy)
    ran = pac(tmp_path, "prove", client="10.0.0.7")
    assert ran.returncode == 1 and "other.test, for 10.0.0.7: direct" in ran.stdout


# -- two engines, and an oracle -------------------------------------------------------------------

LABELS = ["a", "b", "corp", "x-1", "constructor"]


def some_host(rng):
    if rng.random() < 0.3:
        return ".".join(str(rng.choice([0, 1, 10, 127, 192, 255])) for _ in range(4))
    return ".".join(rng.choice(LABELS) for _ in range(rng.randint(0, 3))) + rng.choice(["", "."]) + "test"


def some_value(rng):
    if rng.random() < 0.3:
        bits = rng.choice([0, 1, 8, 9, 24, 31, 32])
        number = int.from_bytes(bytes(rng.choice([0, 1, 10, 127, 192, 255]) for _ in range(4)), "big")
        number &= (0xffffffff << (32 - bits)) & 0xffffffff
        return ".".join(str(b) for b in number.to_bytes(4, "big")) + f"/{bits}"
    name = ".".join([rng.choice(LABELS) for _ in range(rng.randint(0, 2))] + ["test"])
    return rng.choice(["", ".", "*."]) + name


def covers(value, host):
    literal = host.replace(".", "").isdigit()
    if "/" in value:
        base, bits = value.split("/")
        if not literal:
            return False
        number = lambda t: int.from_bytes(bytes(int(p) for p in t.split(".")), "big")
        return (number(base) ^ number(host)) >> (32 - int(bits)) == 0
    if literal:
        return False
    name = value.lstrip("*").lstrip(".")
    return (host == name and not value.startswith("*")) or (host.endswith("." + name) and value[0] in "*.")


@pytest.mark.parametrize("seed", range(12))
def test_random_blocks(tmp_path, seed):
    """Node and Duktape say what a reading of block and policy by other code says."""
    rng = random.Random(seed)
    direct = [some_value(rng) for _ in range(rng.randint(1, 5))]
    rules = [(rng.choice(["deny", "allow"]), some_value(rng)) for _ in range(rng.randint(0, 5))]
    default = rng.choice(["deny", "allow"])
    reach = f"reach {conf.CLASSES};"
    text = "".join(f"{verb} r{i} {{ to {value}; {reach if verb == 'allow' else ''} }} "
                   for i, (verb, value) in enumerate(rules))
    text += f"allow rest {{ {reach} }} " if default == "allow" else ""
    write(tmp_path, f"pac office {{ direct {' '.join(direct)}; plain-names proxy; }}", listener="pac office;",
          policy=f"policy open {{ default deny; rules {{ {text} }} }}")
    hosts = sorted({h for h in (some_host(rng).lstrip(".").replace("..", ".") for _ in range(150)) if h})
    (tmp_path / "made.pac").write_text(pac(tmp_path, "print").stdout)
    ran = subprocess.run([need("node"), "-e", NODE, str(tmp_path / "made.pac")], input="\n".join(hosts), text=True,
                         capture_output=True, check=True)
    said = dict(zip(hosts, ran.stdout.splitlines()))
    assert len(said) == len(hosts)
    checked = []
    for host in hosts:
        verdict = next((verb for verb, value in rules if covers(value, host)), default)
        local = host.startswith("127.") and host.replace(".", "").isdigit()
        expected = local or (verdict == "allow" and any(covers(v, host) for v in direct))
        if len(checked) < 8:
            checked.append(host)
            assert answer(tmp_path, f"http://{host}/") == said[host]
        assert said[host] == ("DIRECT" if expected else "PROXY 127.0.0.1:3128"), (host, verdict, direct, rules)
    proved = pac(tmp_path, "prove")
    bypass = [line for line in proved.stdout.splitlines() if "policy denies it" in line]
    assert not bypass
