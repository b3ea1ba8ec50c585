"""Every list format, held against another reading of the same lines: thousands made by chance of what the formats
have and of what is nearly that, and a few real ones. `LISTS=FOLDER` reads a folder of real lists as well: its files
by their names (domains, urls, expressions of squidGuard) or else the folder's (adblock, hosts, domains)."""
import os
import pathlib
import random
import re
import subprocess

import pytest

from lib import conf, daemon
from lib.faults import ROOT
from lib.list_formats import host_of, read
from lib.times import until, within

NAMES = ["a.example", "B.Example.", "www.b.example", "x_y.example", "co.uk", "com", "10.1.2.3", "0x7f.1", "2001:db8::1",
         "bücher.example", "-a.example", "a..example", "a b", "1.2.3.4.5", "a*.example", "", ".", "xn--bcher-kva.example",
         "a" * 64 + ".example", "ads.a.example", "0.0.0.0", "localhost", "[::1]", "a.example:80", "256.1.1.1"]
SINKS = ["0.0.0.0", "127.0.0.1", "::", "::1", "10.0.0.1", "127.9.9.9", "fe80::1%lo0", "a.example"]
PATHS = ["", "/", "/a", "/a/b/", "/~x", "?q", "/x?y=1", "/#f", "/ä", "/a#", "/[x]|"]
TAILS = ["", "", "", " # why", "\t; why", " more", " "]
OPTIONS = ["", "", "", "$important", "$third-party", "$~third-party", "$doc,all", "$domain=a.example", "$script",
           "$badfilter", "$match-case", "$denyallow=a.example|b.example", "$"]
BODIES = ["/ads/", "-banner-", "ads*/x", "/AdTop^", "|https://a.example/x", "/ad[0-9]+x/", "x|", "*", "^", "ads.js|",
          "||ads", "||google.", "||a.example/p^", "a.example##.ad", "/x^y", "*/track*"]
REGEXES = [r"^http://[^/]+/(banner|sponsor)s?/", r"/ads/", r"(?i)/ADS", r"^https?://([^/]*\.)?a\.example[:/]", r"ads?\.js$",
           r"track[0-9]{2,}", r".*/x\.gif", r"[?&]ad=", r"\.(gif|png)\?", r"^https?://ads\.a\.example(:[0-9]+)?/"]
TARGETS = [".", "*.", "rpz-passthru.", "rpz-drop.", "rpz-tcp-only.", "garden.test.", "*.garden.test."]
URLS = [f"{scheme}://{host}{path}" for scheme in ("http", "https")
        for host in ("a.example", "www.a.example", "ads.a.example", "ads.example:8080", "google.com", "b.example", "xa.example")
        for path in ("/", "/ads/x", "/x/ads.js", "/AdTop", "/ad7x", "/p", "/p/q?x", "/x-banner-y", "/track42", "/x.gif?ad=1",
                     "/banners/", "/x/y", "/ADS")]


def pick(rng, *of):
    return "".join(rng.choice(x) for x in of)


def made(form, rng):
    name = lambda: rng.choice(NAMES)  # noqa: E731
    if form in ("domains", "squidguard"):
        return pick(rng, ["", "", "", ".", "*.", "#", " "], NAMES, TAILS)
    if form == "hosts":
        return pick(rng, ["", " "], SINKS, [" ", "\t "]) + name() + rng.choice(["", " " + name()]) + rng.choice(TAILS)
    if form in ("urls", "squidguard-urls"):
        return pick(rng, ["", "", "http://", "HTTPS://", "gopher://", "u@"], NAMES, ["", ":80", ":x"], PATHS, TAILS[:4])
    if form == "dnsmasq":
        return pick(rng, ["address", "server", "local", "conf-file"], ["=/", "="], ["", "", ".", "*."], NAMES[:9] + ["#"],
                    ["/", "//", "", "/b.example/"], SINKS[:5] + ["", "#"], ["", " # x"])
    if form == "cidr":
        return pick(rng, ["10.0.0.0", "10.1.0.0", "192.0.2.1", "2001:db8::", "::1", "x"], ["", "", "/8", "/24", "/32", "/64",
                                                                                          "/129", "/08x"], TAILS)
    if form in ("regex", "squidguard-expressions"):
        return pick(rng, ["", "", "", "# "], REGEXES)
    if form == "adblock":
        host = pick(rng, ["||", "@@||", "||*."], NAMES[:12], ["^", "^", ""])
        return pick(rng, [host, pick(rng, ["", "@@"], BODIES)], OPTIONS)
    host = name().rstrip(".") or "z.example"
    if not re.fullmatch(r"[\w.*:-]+", host) or not host.isascii():
        host = "y.example"
    owner = rng.choice([host, "*." + host, "24.0.2.0.192.rpz-ip", "128.1.zz.db8.2001.rpz-ip", "8.0.0.0.10.rpz-client-ip",
                        "out.example.", "ns.x.rpz-nsdname", "*", " "])
    data = pick(rng, ["CNAME "], TARGETS) if rng.random() < 0.8 else rng.choice(["A 0.0.0.0", "A 10.0.0.1", "AAAA ::"])
    return f"{owner} {rng.choice(['', '60 ', 'IN ', 'IN 60 '])}{data}{rng.choice(['', ' ; x'])}"


def as_proxyd(form, data):
    plain = daemon.BINARY
    here = plain.parent if plain.parent.name == "bin" else plain.parent / "release/bin"
    done = subprocess.run([here / "list_read", form], input=data, capture_output=True, check=True)
    rows, report = [], {}
    for row in done.stdout.decode("utf-8", "surrogateescape").split("\n"):
        if re.match(r"\d+\t", row):
            rows.append(tuple(row.split("\t")))
        elif " " in row:
            report.setdefault(*row.split(" ", 1))
    return rows, report


def shown(row):
    """What a row of ours that is a pattern matches."""
    _, kind, _, _, what, flag, _ = row
    if kind.endswith("host"):
        return lambda url: (host_of(url) == what and flag != "below") or \
            (host_of(url).endswith("." + what) and flag != "exact")
    flags = re.I if flag == "nocase" else 0
    what = re.escape(what) if kind.endswith("text") else what
    return lambda url: bool(re.search(what, url, flags))


def compare(form, data):
    ours, report = as_proxyd(form, data)
    theirs = [(str(row[0]), *row[1:]) for row in read(form, data)]
    got = {row[:6] + row[6:] for row in ours}
    # What nearly every URL has is no pattern of a list: the other reading does not judge that.
    lines = data.split(b"\n")
    by_line = {}
    for row in ours:
        by_line.setdefault(row[0], row)
    patterns = [row for row in theirs if row[1].endswith("pattern")]
    exact = {row for row in theirs if not row[1].endswith("pattern")}
    about = {row[0] for row in patterns}
    assert {row for row in got if row[0] not in about} == exact, form
    for line, kind, effect, party, test, _, _ in patterns:
        text = lines[int(line) - 1]
        if line not in by_line:
            assert sum(map(test, URLS)) > len(URLS) / 3 or len(text.strip(b"@*|^$ ")) < 4, (form, text)
            continue
        row = by_line[line]
        assert row[2:4] == (effect, party) and row[1].startswith("-") == kind.startswith("-"), (form, text, row)
        same = shown(row)
        differ = [url for url in URLS if same(url) != test(url)]
        assert not differ, (form, text, row, differ[:3])
    return ours, report


FORMATS = ["domains", "squidguard", "hosts", "urls", "squidguard-urls", "dnsmasq", "cidr", "regex",
           "squidguard-expressions", "adblock", "rpz"]


@pytest.mark.parametrize("form", FORMATS)
def test_made_lines(form):
    rng = random.Random(form)
    lines = [made(form, rng) for _ in range(3000)]
    if form == "rpz":
        lines = ["$ORIGIN rpz.test.", "@ 60 IN SOA ns. root. (", "1 2 3 ; x", "4 5 )", " NS ns."] + lines
    end = "\r\n" if form == "hosts" else "\n"
    ours, report = compare(form, end.join(lines).encode())
    assert report["format"] == form
    assert len(ours) > 300, "hardly anything was taken: the test shows nothing"


@pytest.mark.parametrize("form", ["domains", "hosts", "adblock"])
def test_real_lines(form):
    data = (ROOT / "tests/data/lists" / f"{form}.txt").read_bytes()
    compare(form, data)
    ours, report = as_proxyd("auto", data)
    assert report["format"] == form and report["rejected"] == "0"
    assert len(ours) == int(re.search(rb"Entries here: (\d+)", data)[1])


def real_files():
    for path in sorted(pathlib.Path(os.environ.get("LISTS", "/nowhere")).rglob("*")):
        form = {"domains": "squidguard", "urls": "squidguard-urls", "expressions": "squidguard-expressions"}.get(
            path.name, path.parent.name)
        if path.is_file() and form in FORMATS:
            yield form, path


if os.environ.get("LISTS"):
    @pytest.mark.parametrize("form, path", real_files(), ids=str)
    def test_whole_lists(form, path):
        compare(form, path.read_bytes())

    @pytest.mark.no_sanitizer
    @pytest.mark.slow("a million lines are read twice")
    def test_whole_lists_together(proxyd):
        """What all of them add to the memory of a proxy, at the start and after they were exchanged."""
        top = sorted(p for p in pathlib.Path(os.environ["LISTS"]).iterdir() if p.is_dir())
        sources = [file for p in top for file in ([p] if next(p.iterdir()).is_dir() else sorted(p.iterdir()))]
        text = "".join(f"list l{i} {{ source {path}; }} " for i, path in enumerate(sources))
        rules = f"deny x {{ to {' '.join(f'list l{i}' for i in range(len(sources)))}; }} {conf.OPEN_RULES}"
        before = proxyd(conf.forward()).memory()
        after = proxyd(conf.forward(rules=rules, extra=text))
        grown = [after.memory() - before]
        for i in range(len(sources)):
            done = daemon.run_command("ctl", "-s", after.folder / "control.sock", "refresh", f"l{i}")
            assert done.returncode == 0, done.stderr
        assert until(lambda: after.memory() - before < 60 << 20, within(5)), (grown, after.memory() - before)
        grown.append(after.memory() - before)
        print(f"{len(sources)} lists: {', '.join(f'{n / 1e6:.1f} MB' for n in grown)}")
        assert max(grown) <= 60 << 20
