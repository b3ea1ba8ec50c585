"""Another reading of the list formats, written from their descriptions and not from proxyd's code: what the tests
hold its readers against. Each reader yields (line, kind, effect, party, what, flag) as tests/list_read.c prints them;
a pattern is yielded as a function of a URL."""
import functools
import ipaddress
import re

EXACT, BELOW, BOTH = "exact", "below", "both"
LABEL = re.compile(r"[a-z0-9_-]{1,63}")
BOILERPLATE = {"localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0"} | {
    "ip6-" + x for x in "localhost loopback localnet mcastprefix allnodes allrouters allhosts".split()}


def number(text):
    """As inet_aton reads a part, or None."""
    for pattern, base in ((r"0x[0-9a-f]*", 16), (r"0[0-7]*", 8), (r"[1-9][0-9]*", 10)):
        if re.fullmatch(pattern, text):
            return int(text, base) if text not in ("0x",) else 0
    return None


def address(text):
    """The address that a host names in any spelling; False: it is like a number, but none; None: a name."""
    try:
        a = ipaddress.ip_address(text.strip("[]") if text.startswith("[") else text)
        return a.ipv4_mapped or a if a.version == 6 else a
    except ValueError:
        pass
    parts = text.split(".")
    if not (parts[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", parts[-1])):
        return None
    values = [number(p) for p in parts]
    if len(parts) > 4 or None in values or any(v > 255 for v in values[:-1]) or \
            values[-1] >= 256 ** (5 - len(parts)):
        return False
    value = values[-1]
    for i, v in enumerate(values[:-1]):
        value += v << (24 - 8 * i)
    return ipaddress.IPv4Address(value)


def name(text):
    """Canonical host or address, None when it is neither."""
    text = text.removesuffix(".")
    if not text:
        return None
    if not text.isascii():
        try:
            text = text.encode("idna").decode()
        except UnicodeError:
            return None
    text = text.lower()
    a = address(text)
    if a is False or len(text) > 253:
        return None
    if a is not None:
        return a
    return text if all(LABEL.fullmatch(x) for x in text.split(".")) else None


def entry(line, text, kind, effect="listed", party="any", page=""):
    got = name(text)
    if got is None or (not isinstance(got, str) and kind == BELOW):
        return
    if isinstance(got, str):
        yield line, "host", effect, party, got, kind, page
    else:
        yield line, "net", effect, party, f"{got}/{got.max_prefixlen}", "", page


def is_sink(text):
    try:
        a = ipaddress.ip_address(text)
    except ValueError:
        return False
    return a.is_unspecified or a == ipaddress.ip_address("::1") or (a.version == 4 and a.packed[0] == 127)


def word_of(line):
    """The line's only word, or None."""
    words = line.split(None, 1)
    if not words or words[0][0] in "#!;":
        return None
    rest = words[1] if len(words) > 1 else ""
    return words[0] if not rest or rest[0] in "#!;" or rest.startswith("//") else None


def domains(line, text, squidguard=False):
    word = word_of(text)
    if not word:
        return
    kind = BOTH if squidguard else EXACT
    if word.startswith(".") and len(word) > 1:
        kind, word = BOTH, word[1:]
    elif word.startswith("*.") and not squidguard:
        kind, word = BELOW, word[2:]
    yield from entry(line, word, kind)


def squidguard(line, text):
    return domains(line, text, True)


def hosts(line, text):
    words = text.split("#")[0].split()
    if words and "%" not in words[0] and is_sink(words[0]):
        for word in words[1:]:
            if word.lower() not in BOILERPLATE:
                yield from entry(line, word, EXACT)


def urls(line, text):
    url = word_of(text)
    if not url:
        return
    found = re.match(r"([A-Za-z0-9]*)://", url)
    if found:
        if found[1].lower() not in ("http", "https", "ftp"):
            return
        url = url[found.end():]
    host, path = re.fullmatch(r"([^/?#]*)(.*)", url, re.S).groups()
    path = path.removesuffix("#")
    port = re.fullmatch(r"(\[.*\]|[^:]*):(\d+)", host)
    if "#" in path or "@" in host or (port and int(port[2]) > 65535):
        return
    got = name(port[1] if port else host)
    if got is None:
        return
    raw = path.encode("utf-8", "surrogateescape")
    path = "".join(chr(b) if re.match(rb"[A-Za-z0-9._~:/?@!$&'()*+,;=%-]", bytes([b])) else f"%{b:02X}" for b in raw)
    path = "/" + path if path.startswith("?") else "" if path == "/" else path
    yield line, "url", "listed", "any", f"{got}{path}", "", ""


def dnsmasq(line, text):
    word = word_of(text)
    found = re.fullmatch(r"(address|server|local)=/(.*)/([^/]*)", word or "")
    if not found:
        return
    key, names, target = found.groups()
    if target and not (key == "address" and (target == "#" or is_sink(target))):
        return
    for one in names.split("/"):
        if one and one != "#":
            yield from entry(line, one[2:] if one.startswith("*.") else one.removeprefix("."),
                             BELOW if one.startswith("*.") else BOTH)


def cidr(line, text):
    try:
        net = ipaddress.ip_network(word_of(text) or "-", strict=True)
    except ValueError:
        return
    if not re.search(r"/\D", str(word_of(text))):
        yield line, "net", "listed", "any", str(net), "", ""


# -- patterns: functions of a URL ------------------------------------------------------------------

def pattern(line, effect, party, test):
    yield line, "pattern", effect, party, test, "", ""


def regex(line, text, flags=0):
    if not text.startswith("#"):
        yield from pattern(line, "listed", "any", lambda url: bool(re.search(text, url, flags)))


def expressions(line, text):
    return regex(line, text, re.I)


def host_of(url):
    return re.match(r"[a-z]+://([^/:]*)", url)[1]


@functools.cache   # rules differ more in their options than in this
def adblock_match(rule, url, caseless):
    """Adblock's matching done step by step, without a regular expression."""
    border, start = rule.startswith("||"), rule.startswith("|")
    rule = rule[2 if border else 1 if start else 0:]
    end = rule.endswith("|")
    rule = rule[:-1] if end else rule
    if caseless:
        rule, url = rule.lower(), url.lower()

    def at(r, u):
        while r < len(rule):
            if rule[r] == "*":
                return any(at(r + 1, k) for k in range(u, len(url) + 1))
            if rule[r] == "^":
                if u == len(url):
                    return all(c in "^*" for c in rule[r:])
                if url[u].isalnum() or url[u] in "_-.%":
                    return False
            elif u == len(url) or rule[r] != url[u]:
                return False
            r, u = r + 1, u + 1
        return u == len(url) or not end

    if border:
        first = url.index("://") + 3
        host_end = next((k for k in range(first, len(url)) if url[k] in "/?#"), len(url))
        begins = [first] + [k + 1 for k in range(first, host_end) if url[k] == "."]
    else:
        begins = [0] if start else range(len(url) + 1)
    return any(at(0, k) for k in begins)


KNOWN = {"all", "document", "doc"}
PAGE = ("##", "#@#", "#?#", "#$#", "#%#", "#@?#", "#@$#", "#@%#", "#$?#", "$$", "$@$")


def adblock(line, text):
    if text[0] == "!" or any(mark in text for mark in PAGE) or text[0] == "#" or \
            (text[0] == "[" and text[-1] == "]" and "$" not in text):
        return
    effect, party, remove, caseless, denyallow = "listed", "any", "", True, []
    if text.startswith("@@"):
        effect, text = "excepted", text[2:]
    rule, options = text, ""
    if re.fullmatch(r"/.*/", text) and "/$" not in text:
        pass
    elif "$" in text:
        rule, options = text.rsplit("$", 1)
        if not options:
            return
    for option in options.split(",") if options else ():
        if option == "important":
            effect = "important" if effect == "listed" else effect
        elif option == "badfilter":
            remove = "-"
        elif option == "match-case":
            caseless = False
        elif option in ("third-party", "3p"):
            party = "third"
        elif option in ("~third-party", "first-party", "1p"):
            party = "first"
        elif option.startswith("denyallow="):
            denyallow = option[10:].split("|")
        elif option not in KNOWN:
            return
    if not rule.strip("*|^") or re.search(r"[\x00-\x20\x7f]", rule):
        return
    found = re.fullmatch(r"\|\|(\*\.)?([\w.-]*[\w-])(\^?)", rule)
    if found and not denyallow and (found[3] or "." in found[2]):
        got = name(found[2])
        if isinstance(got, str) or str(got) == found[2]:
            for one in entry(line, found[2], BELOW if found[1] else BOTH, effect, party):
                yield (one[0], remove + one[1], *one[2:])
        return
    if len(rule) > 2 and rule[0] == rule[-1] == "/":
        flags = re.I if caseless else 0
        found = lambda url: bool(re.search(rule[1:-1], url, flags))  # noqa: E731
    else:
        found = lambda url: adblock_match(rule, url, caseless)  # noqa: E731
    for one in pattern(line, effect, party, lambda url: found(url) and not any(
            host_of(url) == d or host_of(url).endswith("." + d) for d in denyallow)):
        yield (one[0], remove + one[1], *one[2:])


# -- a zone ----------------------------------------------------------------------------------------

def rpz_net(labels):
    bits, *rest = labels
    rest.reverse()
    if len(rest) == 4 and "zz" not in rest:
        text = ".".join(rest)
    else:
        text = ":".join("" if x == "zz" else x for x in rest)
        text = (":" if rest[0] == "zz" else "") + text + (":" if rest[-1] == "zz" else "")
    try:
        return str(ipaddress.ip_network(f"{text}/{int(bits)}"))
    except ValueError:
        return None


def rpz(text):
    """The whole file; records on one line each but for those in parentheses, no escapes."""
    origin = zone = owner = ""
    said, depth, words, own = None, 0, [], True
    for line, raw in enumerate(text.split("\n"), 1):
        raw = re.sub(r';.*', "", raw)
        if depth == 0:
            words, own = [], not raw[:1].isspace()
        depth += raw.count("(") - raw.count(")")
        words += raw.replace("(", " ").replace(")", " ").split()
        if depth or not words:
            continue
        if words[0] == "$ORIGIN":
            origin = words[1].removesuffix(".")
        if words[0].startswith("$"):
            continue
        if own:
            first = words.pop(0).lower()
            owner = origin if first == "@" else first[:-1] if first.endswith(".") else f"{first}.{origin}"
        while words and (words[0].isdigit() or words[0].upper() == "IN"):
            words.pop(0)
        if len(words) < 2:
            continue
        kind, data = words[0].upper(), words[1]
        if kind == "SOA":
            zone = owner
        if not owner.endswith("." + zone):
            continue
        trigger, effect, page = owner.removesuffix("." + zone), "listed", ""
        if kind == "CNAME":
            effect = {"rpz-passthru.": "pass", "rpz-drop.": "drop", "rpz-tcp-only.": None}.get(data, "listed")
            if effect == "listed" and data not in (".", "*."):
                effect, page = "page", data.removesuffix(".").removeprefix("*.")
        elif kind not in ("A", "AAAA") or not is_sink(data) or said == owner:
            continue
        else:
            said = owner
        labels = trigger.split(".")
        if effect is None or labels[-1] in ("rpz-nsdname", "rpz-nsip"):
            continue
        if labels[-1] in ("rpz-ip", "rpz-client-ip"):
            net = rpz_net(labels[:-1])
            if net:
                yield line, "net" if labels[-1] == "rpz-ip" else "client", effect, "any", net, "", page
        elif trigger != "*":
            yield from entry(line, trigger.removeprefix("*."), BELOW if labels[0] == "*" else EXACT, effect, "any",
                             page)


LINES = {"domains": domains, "squidguard": squidguard, "hosts": hosts, "squidguard-urls": urls, "urls": urls,
         "dnsmasq": dnsmasq, "cidr": cidr, "regex": regex, "squidguard-expressions": expressions, "adblock": adblock}


def read(form, data):
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if form == "rpz":
        yield from rpz(text)
        return
    for line, one in enumerate(text.split("\n"), 1):
        one = one.removesuffix("\r").strip(" \t")
        if one and len(one.encode("utf-8", "surrogateescape")) <= 4096 and "\0" not in one:
            yield from LINES[form](line, one)
