"""Lists: what a rule says by `to list`, how lists are loaded, and how their content is exchanged while the proxy works."""
import gzip
import io
import json
import os
import re
import tarfile
import threading
import urllib.error
import urllib.request

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.daemon import run_command
from lib.faults import assert_refused
from lib.times import until, within

DENY = f"deny listed {{ to list ads; }} allow rest {{ reach {conf.CLASSES}; }}"


def lists(text="list ads { source ads.txt; }", rules=DENY, **more):
    return conf.forward(rules=rules, extra=metrics.ADMIN + text, **more)


def put(daemon, text, name="ads.txt"):
    """As writers of lists should: a new file, renamed over the old one."""
    path = os.path.join(daemon.folder, name)
    with open(path + ".new", "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.rename(path + ".new", path)


def ask(daemon, host, path="/", port=80, method="GET", fields=""):
    with Client(daemon.port) as client:
        target = f"{host}:{port}" if method == "CONNECT" else f"http://{host}:{port}{path}"
        return client.ask(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")


def listed(daemon, host, *more, **how):
    answer = ask(daemon, host, *more, **how)
    return answer.status == 403 and b"rule_denied" in answer.body


def readyz(daemon):
    url = f"http://127.0.0.1:{daemon.ports['admin_port']}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=within(5)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_source_and_format(proxyd):
    """Each list is read as its format says; `auto` finds that out; both are told."""
    # covers: list, list source, list format, policy rules deny to, policy rules allow to
    text = "".join(f"list {n} {{ source {n}; format {f}; }} " for n, f in
                   (("plain", "domains"), ("hosts", "auto"), ("adblock", "adblock"), ("cidr", "cidr"),
                    ("urls", "urls"), ("regex", "regex")))
    files = {"plain": "a.test\n.b.test\n", "hosts": "0.0.0.0 c.test\n0.0.0.0 d.test\n",
             "adblock": "||e.test^\n@@||good.e.test^\n||f.test/ad/\n", "cidr": "127.9.0.0/16\n",
             "urls": "g.test/bad\n", "regex": "^https?://h[0-9]+[.]test/\n"}
    rules = "deny listed { to list plain list hosts list adblock list cidr list urls list regex; } allow rest { }"
    daemon = proxyd(lists(text, rules), files=files)
    for host, path in (("a.test", "/"), ("b.test", "/"), ("x.b.test", "/"), ("c.test", "/"), ("e.test", "/"), ("x.e.test", "/"),
                       ("f.test", "/ad/x"), ("127.9.0.9", "/"), ("g.test", "/bad/x"), ("g.test", "/%62ad/x"), ("h1.test", "/")):
        assert listed(daemon, host, path), (host, path)
    for host, path in (("x.a.test", "/"), ("x.c.test", "/"), ("good.e.test", "/"), ("f.test", "/add"), ("127.8.0.9", "/"),
                       ("g.test", "/badly"), ("h.test", "/")):
        assert not listed(daemon, host, path), (host, path)
    assert listed(daemon, "h2.test", port=443, method="CONNECT") and not listed(daemon, "g.test", port=443, method="CONNECT")
    assert "list hosts: hosts, exact names; 2 entries from 1 file" in daemon.stderr()
    assert "list plain: domains, exact names; 2 entries" in daemon.stderr()


def test_match_subdomains(proxyd):
    # covers: list match
    text = "list ads { source ads.txt; format hosts; match subdomains; }"
    daemon = proxyd(lists(text), files={"ads.txt": "0.0.0.0 a.test\n"})
    assert listed(daemon, "a.test") and listed(daemon, "x.a.test") and not listed(daemon, "xa.test")


def test_categories(proxyd):
    """A folder as squidGuard's; `category` binds to the list before it."""
    # covers: policy rules deny to
    rules = "deny listed { to list ut1 category games list ut1 category de/bank b.test; } allow rest { }"
    files = {"ut1/games/domains": "g.test\n", "ut1/games/urls": "u.test/play\n", "ut1/de/bank/domains": "k.test\n",
             "ut1/news/domains": "n.test\n"}
    daemon = proxyd(lists("list ut1 { source ut1; }", rules), files=files)
    for host, path in (("g.test", "/"), ("x.g.test", "/"), ("u.test", "/play/1"), ("k.test", "/"), ("b.test", "/")):
        assert listed(daemon, host, path), host
    assert not listed(daemon, "n.test") and not listed(daemon, "u.test")
    assert "list ut1: categories of squidGuard" in daemon.stderr()


def test_exchange(proxyd):
    """A file that is renamed over the old one is taken up, and only that list is read again."""
    text = "list ads { source ads.txt; } list other { source other.txt; }"
    rules = "deny listed { to list ads list other; } allow rest { }"
    daemon = proxyd(lists(text, rules), files={"ads.txt": "a.test\nc.test\n", "other.txt": "o.test\n"})
    assert listed(daemon, "a.test") and not listed(daemon, "b.test")
    put(daemon, "b.test\nc.test\n")
    assert until(lambda: listed(daemon, "b.test"), within(5)) and not listed(daemon, "a.test")
    assert daemon.stderr().count("list other:") == 1


@pytest.mark.parametrize("broken", ["shrunken", "wrong", "gone", "few"])
def test_worse_content(proxyd, broken):
    """Less than half of what there was, lines of another kind, no file, fewer than wanted: the old content stays, and that is
    said and counted."""
    # covers: list min-entries
    daemon = proxyd(lists("list ads { source ads.txt; format domains; min-entries 5; }"),
                    files={"ads.txt": "".join(f"a{i}.test\n" for i in range(20))})
    before = metrics.text(daemon)
    if broken == "gone":
        os.unlink(os.path.join(daemon.folder, "ads.txt"))
    else:
        put(daemon, {"shrunken": "".join(f"b{i}.test\n" for i in range(9)), "wrong": "x.test\n" + "<html> no list\n" * 30,
                     "few": "b.test\n" * 4}[broken])
    assert until(lambda: "list ads: not taken, the content before it stays" in daemon.stderr(), within(5))
    assert listed(daemon, "a7.test") and not listed(daemon, "b1.test")
    after = metrics.text(daemon)
    assert 'proxyd_list_entries{list="ads"} 20' in after
    assert 'proxyd_list_refused_total{list="ads"} 0' in before and 'proxyd_list_refused_total{list="ads"} 1' in after
    put(daemon, "".join(f"c{i}.test\n" for i in range(30)))
    assert until(lambda: listed(daemon, "c7.test"), within(5))


def test_missing(proxyd):
    """Until a list was loaded once nobody gets past it; an optional one has no entries until then."""
    # covers: list optional
    daemon = proxyd(lists(), expect_ready=False)
    assert until(lambda: "try:" in daemon.stderr())
    assert_refused(ask(daemon, "a.test"), "list_missing")
    assert readyz(daemon) == (503, b"a list has not been loaded yet\n")
    put(daemon, "a.test\n")
    assert until(lambda: listed(daemon, "a.test"), within(5))
    assert readyz(daemon)[0] == 200 and not listed(daemon, "b.test")
    optional = proxyd(lists("list ads { source none.txt; optional; }"))
    assert not listed(optional, "a.test")
    assert readyz(optional)[0] == 200


def test_reload_without_its_list(proxyd):
    """A configuration that brings a list which cannot be loaded does not come into force."""
    daemon = proxyd(conf.forward(extra=metrics.ADMIN))
    daemon.reload(lists(), refused=True)
    assert until(lambda: "the list ads could not be loaded" in daemon.stderr())
    put(daemon, "a.test\n")
    daemon.reload(lists())
    assert listed(daemon, "a.test")


# -- archives and hostile files -------------------------------------------------------------------

def tar(*members):
    """name → text, or a tarfile.TarInfo that stands as it is."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def link(name, to, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_packed(proxyd):
    """gzip by its content, whatever the name; a tar of categories below the folder that it is packed in."""
    # covers: list source
    files = {"one.txt": gzip.compress(b"a.test\n"),
             "ut1.tar.gz": tar(("blacklists/games/domains", "g.test\n"), ("blacklists/news/urls", "n.test/x\n"),
                               (link("blacklists/alias", "games"), ""), ("blacklists/README", "no list"))}
    rules = "deny listed { to list one list ut1 category games list ut1 category news; } allow rest { }"
    daemon = proxyd(lists("list one { source one.txt; } list ut1 { source ut1.tar.gz; }", rules), files=files)
    for host, path in (("a.test", "/"), ("w.g.test", "/"), ("n.test", "/x/y")):
        assert listed(daemon, host, path), host
    assert not listed(daemon, "b.test")


def declared(name, size):
    """The head of a file in a tar, and nothing of the file."""
    info = tarfile.TarInfo(name)
    info.size = size
    return gzip.compress(info.tobuf())


HOSTILE = {
    "cut gzip": ("a.txt", gzip.compress(os.urandom(50000).hex().encode())[:-20000], "cut off in the middle"),
    "damaged gzip": ("a.txt", gzip.compress(b"a.test\n" * 9000)[:-8] + b"\0" * 8, "crc|incorrect|data"),
    "cut tar": ("a.tgz", tar(("c/domains", "\n".join(os.urandom(20).hex() + ".test" for _ in range(3000))))[:-30000], ""),
    "up": ("a.tgz", tar(("c/domains", "a.test\n"), ("c/../../x/domains", "b.test\n")), "leads out of its folder: c/../../x"),
    "absolute": ("a.tgz", tar(("/c/domains", "a.test\n")), "leads out of its folder: /c"),
    "a control byte": ("a.tgz", tar(("c\nproxyd: error: x\33[31m/domains", "a.test\n")), "a control byte in a name"),
    "a large file that is no list": ("a.tgz", declared("c/readme", 3 << 30), "too large, unpacked"),
    "packed twice": ("a.tgz", gzip.compress(tar(("c/domains", "a.test\n"))), "(?i)archive|damaged"),
    "only links": ("a.tgz", tar((link("c/domains", "/etc/hosts"), ""), (link("d/domains", "/etc/hosts", tarfile.LNKTYPE), "")),
                   "no CATEGORY/domains"),
    "no list": ("a.txt", b"\0\1\2<html>\n" * 100, "lines are wrong"),
    "a long line": ("a.txt", gzip.compress(b"x" * (64 << 20)), "lines are wrong"),
    "a line of NULs": ("a.txt", gzip.compress(b"a.test\n" + bytes(8 << 20) + b"\nx\0.test\n"), "2 lines are wrong"),
    "a FIFO": ("a.txt", None, "it is no regular file"),
    "a folder with a control byte": ("c\nx/domains", b"a.test\n", "a control byte in a name"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, name):
    file, content, why = HOSTILE[name]
    if content is None:
        os.mkfifo(tmp_path / file)
    else:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(content)
    config = tmp_path / "proxyd.conf"
    source = "." if "/" in file else file
    config.write_text(f"listener a {{ bind 127.0.0.1:1; mode forward; policy p; }} list l {{ source {source}; }} "
                      "policy p { default allow; rules { deny x { to list l; } } }")
    found = run_command("check", "-c", str(config))
    assert found.returncode == 1 and 'the list "l" cannot be loaded' in found.stderr, found
    assert re.search(why, found.stderr), found.stderr


def loads(tmp_path, source, format="domains"):
    config = tmp_path / "proxyd.conf"
    config.write_text(f"listener a {{ bind 127.0.0.1:1; mode forward; policy p; }} list l {{ source {source}; format {format}; }} "
                      "policy p { default allow; rules { deny x { to list l; } } }")
    return run_command("check", "-c", str(config))


@pytest.mark.no_sanitizer
@pytest.mark.slow("a gigabyte is unpacked")
def test_a_line_of_a_gigabyte(tmp_path):
    """It is one line that is wrong, and takes no memory; what stands around it counts."""
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"a.test\nb.test\n") + 64 * gzip.compress(b"x" * (16 << 20)) +
                                     gzip.compress(b"\nc.test\n"))
    found = loads(tmp_path, "a.txt")
    assert found.returncode == 0 and "3 entries from 1 file, 1 line rejected" in found.stdout, found
    assert f"{tmp_path}/a.txt:3: longer than" in found.stdout


@pytest.mark.no_sanitizer
@pytest.mark.slow("two gigabytes are unpacked")
def test_a_gzip_bomb(tmp_path):
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"a.test\n") + 129 * gzip.compress(b"#" * (16 << 20)))
    found = loads(tmp_path, "a.txt")
    assert found.returncode == 1 and "it is too large, unpacked" in found.stderr, found


@pytest.mark.no_sanitizer
@pytest.mark.slow("ten million lines are read")
def test_ten_million_entries(tmp_path):
    with open(tmp_path / "a.txt", "wb") as file:
        for i in range(0, 10_000_000, 100_000):
            file.write(b"%d.test\n" * 100_000 % tuple(range(i, i + 100_000)))
    found = loads(tmp_path, "a.txt")
    assert found.returncode == 0 and "10000000 entries from 1 file\n" in found.stdout, found


def test_a_link_out_of_the_folder(proxyd, tmp_path):
    """Links within the folder are aliases; one that leads out brings nothing, and the list is refused."""
    daemon = proxyd(lists("list ads { source ut1; }"), files={"ut1/a/domains": "a.test\n", "secret/domains": "b.test\n"})
    folder = daemon.folder / "ut1"
    os.symlink("a", folder / "alias")
    put(daemon, "a.test\nc.test\n", "ut1/a/domains")
    assert until(lambda: listed(daemon, "c.test"), within(5))
    os.symlink("../secret", folder / "out")
    put(daemon, "a.test\nd.test\n", "ut1/a/domains")
    assert until(lambda: "it leads out of the folder of the list" in daemon.stderr(), within(5))
    assert listed(daemon, "c.test") and not listed(daemon, "b.test")


def test_a_new_category(proxyd):
    daemon = proxyd(lists("list ads { source ut1; }"), files={"ut1/a/domains": "a.test\n"})
    new = daemon.folder / "ut1" / "b"
    new.mkdir()
    (new / "domains").write_text("b.test\n")
    assert until(lambda: listed(daemon, "b.test"), within(6))


def checked_pair(tmp_path, one, other, to="list one list other", format="auto"):
    (tmp_path / "one").write_text(one)
    (tmp_path / "other").write_text(other)
    config = tmp_path / "proxyd.conf"
    config.write_text("listener a { bind 127.0.0.1:1; mode forward; policy p; } "
                      f"list one {{ source one; format {format}; }} list other {{ source other; }} "
                      f"policy p {{ default allow; rules {{ deny x {{ to {to}; }} }} }}")
    found = run_command("check", "-c", str(config))
    assert found.returncode == 0, found.stderr
    return re.findall(r'the list "(\w+)" is inside the list "(\w+)"', found.stderr)


@pytest.mark.parametrize("one,other,to,inside", [
    ("a.test\n.b.test\n", "*.x.test\nb.test\n.b.test\na.test\n", "list one list other", True),
    ("a.b.test\n.c.b.test\n", ".b.test\n", "list one list other", True),
    (".b.test\n", "b.test\n*.b.test\nc.test\n", "list one list other", True),
    ("10.1.2.3\n10.2.0.0/16\n", "10.0.0.0/8\n", "list one list other", True),
    (".b.test\n", "b.test\nc.test\n", "list one list other", False),
    ("a.test\nz.test\n", "a.test\nb.test\n", "list one list other", False),
    ("10.0.0.0/8\n", "10.1.0.0/16\n11.0.0.1\n", "list one list other", False),
    ("good.a.test\n", "||a.test^\n@@||good.a.test^\n", "list one list other", False),
    ("http://a.test/x\n", "a.test\n", "list one list other", False),
    ("a.test\n", "a.test\n", "list one; to list other", False)])
def test_a_list_inside_another(tmp_path, one, other, to, inside):
    """Where one rule asks both, the inner one says nothing; a guess would be worse than no word."""
    assert checked_pair(tmp_path, one, other, to) == ([("one", "other")] if inside else [])


def test_two_lists_that_say_the_same(tmp_path):
    assert checked_pair(tmp_path, "a.test\n", "a.test\n") == [("other", "one")]


# -- exchanged under load -------------------------------------------------------------------------

@pytest.mark.threads
@pytest.mark.slow("many exchanges of a large list")
def test_exchange_under_load(proxyd, origin):
    """No request fails, what stands in both contents is always refused, what is in neither always passes."""
    stay = "".join(f"n{i}.test\n" for i in range(20000)) + "both.test\n"
    daemon = proxyd(lists(workers=2), files={"ads.txt": stay + "old.test\n"})
    stop, wrong, asked = threading.Event(), [], [0]

    def load():
        with Client(daemon.port) as client:
            while not stop.is_set():
                answer = client.get(origin.url("/"))
                refusal = client.ask("GET http://both.test/ HTTP/1.1\r\nHost: x\r\n\r\n")
                if answer.status != 200 or refusal.status != 403:
                    wrong.append((answer.status, refusal.status))
                asked[0] += 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for i in range(6):
            put(daemon, stay + f"new{i}.test\n")
            assert until(lambda: listed(daemon, f"new{i}.test"), within(10)), i
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == [] and asked[0] > 20
    assert not listed(daemon, "old.test") and not listed(daemon, "new4.test")
    assert until(lambda: metrics.read(daemon).get("offload_done_total list_free", 0) >= 6, within(5))


# -- why ------------------------------------------------------------------------------------------

def test_log_and_page(proxyd):
    """The list, the category and the line stand beside the rule in the log, and on the page; that names no folder of
    the machine."""
    rules = "deny games { to list ut1 category games; } allow rest { }"
    log = "to access.log; format json"
    files = {"ut1/games/domains": "x.test\ng.test\n"}
    daemon = proxyd(conf.forward(rules=rules, extra="list ut1 { source ut1; } log access { to stdout; }", log=log), files=files)
    answer = ask(daemon, "g.test", fields="Accept: application/json\r\n")
    page = json.loads(answer.body)
    assert (page["rule"], page["list"], page["category"]) == ("games", "ut1", "games")
    assert (page["entry"], page["matched"]) == ("games/domains:2", "to g.test") and re.fullmatch(r"[\w.]+:\d+", page["configured"])
    assert str(daemon.folder).encode() not in answer.body
    assert b"<dt>List</dt><dd>ut1</dd>" in ask(daemon, "g.test", fields="Accept: text/html\r\n").body
    assert b"<dt>List" not in ask(daemon, "127.0.0.1", fields="Accept: text/html\r\n").body
    line = daemon.wait_log("g.test")
    assert " rule=games list=ut1 category=games entry=" in line and line.split("entry=")[1].split()[0].endswith("ut1/games/domains:2")
    record = next(r for r in map(json.loads, (daemon.folder / "access.log").read_text().splitlines()) if "g.test" in r["url"])
    assert (record["rule"], record["list"], record["category"]) == ("games", "ut1", "games")
    assert record["entry"].endswith("ut1/games/domains:2")
    assert record["match"].startswith("to ") and re.fullmatch(r".*:\d+", record["at"])


def test_commands(tmp_path):
    (tmp_path / "ut1" / "games").mkdir(parents=True)
    (tmp_path / "ut1" / "games" / "domains").write_text("g.test\nnot a name\n")
    (tmp_path / "hosts.txt").write_text("0.0.0.0 h.test\n0.0.0.0 bad..name\n")
    config = tmp_path / "proxyd.conf"
    config.write_text("listener a { bind 127.0.0.1:1; mode forward; policy p; } "
                      "list ut1 { source ut1; } list hosts { source hosts.txt; } "
                      "policy p { default allow; rules { deny g { to list ut1 category games; } "
                      "deny h { to list hosts list ut1 category game; } } }")
    checked = run_command("check", "-c", str(config))
    assert "list hosts: hosts, exact names; 1 entries from 1 file, 1 line rejected\n" in checked.stdout
    assert f"{tmp_path}/hosts.txt:2: an empty label" in checked.stdout
    assert 'warning: the list "ut1" has no category "game"' in checked.stderr and checked.returncode == 0
    shown = run_command("lists", "show", "-c", str(config)).stdout
    assert re.search(r"list ut1\n  source +ut1\n  format +categories of squidGuard\n  bare +names and their subdomains\n", shown)
    assert f"{tmp_path}/ut1/games/domains:2: more than one word: not a name\n" in shown and "categories games\n" in shown
    found = run_command("lists", "find", "w.g.test", "-c", str(config))
    assert found.returncode == 0 and found.stdout == (
        f"list ut1: {tmp_path}/ut1/games/domains:1, category games, matches g.test\npolicy p: denied by g, by the list ut1\n")
    assert "policy p: denied by h, by the list hosts" in run_command("lists", "find", "http://h.test/x?y", "-c", str(config)).stdout
    none = run_command("lists", "find", "https://none.test/x", "-c", str(config))
    assert none.returncode == 1 and none.stdout == "in no list\npolicy p: allowed by default\n"
    assert run_command("lists", "find", "-c", str(config)).returncode == 2
