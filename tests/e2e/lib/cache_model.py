"""What a shared cache may answer: a small model of RFC 9111, written from its text alone.

The model is told everything that happened (what clients asked, what the cache asked of the origin,
what that answered, what clients got, and when) and says for each exchange whether it was allowed. It
knows no store: asking the origin is nearly always allowed, so a cache that forgets everything passes,
and the model only bounds what may be answered *without* asking. Where the RFC leaves a choice the
largest allowed one counts.

    model = Model()
    for violation in model.exchange(request, answer, asked=[(sent, response, t0, t1)], now=t): ...

Times are seconds since 1970 on the cache's clock, as they are seen from outside: what the cache does, it does
between two of them, which on a busy machine are far apart. Where that makes a difference the answer counts as the
younger. `slack` is by how many seconds its clock may be off from this one, and it counts in whole ones.
"""
import dataclasses
import datetime
import email.utils
import re
from urllib.parse import urljoin, urlsplit

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
CACHEABLE = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}  # RFC 9110 section 15.1
HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
       "proxy-connection", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info"}
# What the cache makes itself, or adds on the way.
OWN = HOP | {"age", "cache-status", "proxy-status", "via", "date", "content-length",
             "content-range", "content-type", "set-cookie", "accept-ranges"}
NOT_UPDATED = {"content-length", "content-encoding", "content-range", "set-cookie"} | HOP
ERRORS = {500, 502, 503, 504}
A_DAY = 86400


@dataclasses.dataclass
class Request:
    method: str
    url: str
    fields: list = dataclasses.field(default_factory=list)  # (name, value)


@dataclasses.dataclass
class Response:
    status: int
    fields: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    whole: bool = True  # not cut short


@dataclasses.dataclass
class Kept:
    """A response that the cache has seen and might have kept."""
    request: Request
    response: Response
    sent: float  # not before then the cache has asked
    received: float  # not before then it has had it, and it has asked by then
    gone: str = ""  # why it is not to be used any more
    lacking: frozenset = frozenset()  # fields that need not have been kept of it, before a 304


def values(message, name):
    return [v.strip(" \t") for n, v in message.fields if n.lower() == name]


def value(message, name):
    found = values(message, name)
    return ", ".join(found) if found else None


def date(text):
    """RFC 9110 section 5.6.7; None when it is none of the three."""
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"):
        try:
            at = datetime.datetime.strptime(text or "", form)
        except ValueError:
            continue
        return at.replace(tzinfo=datetime.timezone.utc).timestamp()
    return None


def directives(message):
    """{name: [argument or None, ...]} of Cache-Control, in the order they stand (section 5.2)."""
    found = {}
    pattern = rf'({TOKEN})(?:=(?:"((?:[^"\\]|\\.)*)"|({TOKEN})))?\s*(?:,|$)'
    for line in values(message, "cache-control"):
        for name, quoted, token in re.findall(pattern, line):
            argument = quoted or token or None
            found.setdefault(name.lower(), []).append(argument)
    return found


def seconds(found, name):
    """The first one counts, and one that is no number is as good as 0 (section 4.2.1); None: absent."""
    if name not in found:
        return None
    first = found[name][0]
    return min(int(first), 2**31) if first is not None and re.fullmatch(r"\d+", first) else 0


def unqualified(found, name):
    return name in found and None in found[name]


def hidden_fields(found):
    """What no-cache="..." and private="..." name (sections 5.2.2.4 and 5.2.2.7)."""
    return {field.strip().lower() for name in ("no-cache", "private")
            for argument in found.get(name, []) if argument for field in argument.split(",")}


# -- section 3: storing ----------------------------------------------------------------------------

def may_store(request, response):
    """None, or why a shared cache must not keep it."""
    found = directives(response)
    if request.method != "GET":
        return "method"
    if response.status < 200 or response.status in (206, 304):
        return "status"
    if not response.whole:
        return "cut short"
    if "no-store" in found and "must-understand" not in found:
        return "no-store"
    if "no-store" in directives(request):
        return "no-store of the request"
    if unqualified(found, "private"):
        return "private"
    shared = {"public", "s-maxage", "must-revalidate"} & found.keys()
    if values(request, "authorization") and not shared:
        return "authorization"
    if values(response, "set-cookie"):  # stricter than the RFC
        return "set-cookie"
    if "*" in (value(response, "vary") or ""):
        return "vary: *"
    explicit = {"public", "s-maxage", "max-age"} & found.keys() or values(response, "expires")
    if response.status not in CACHEABLE and not explicit:
        return "status without a lifetime"
    return None


# -- section 4.2: freshness ------------------------------------------------------------------------

def lifetime(kept):
    """The longest that the response may be called fresh."""
    response, found = kept.response, directives(kept.response)
    if unqualified(found, "no-cache"):
        return 0
    made = date(value(response, "date"))
    made = int(kept.received) if made is None else made  # a date is of a whole second
    for name in ("s-maxage", "max-age"):
        if name in found:
            return seconds(found, name)
    if values(response, "expires"):
        until = date(values(response, "expires")[0])
        return 0 if until is None else max(0, until - made)
    modified = date(value(response, "last-modified"))
    if modified is None or (response.status not in CACHEABLE and "public" not in found):
        return 0
    return min(max(0, made - modified) / 10, A_DAY)


def age(kept, now):
    """current_age (section 4.2.3)."""
    made = date(value(kept.response, "date"))
    apparent = max(0, kept.received - made) if made is not None else 0
    told = (value(kept.response, "age") or "").split(",")[0].strip()
    corrected = (int(told) if told.isdigit() else 0) + max(0, kept.received - kept.sent)
    return max(apparent, corrected) + max(0, now - kept.received)


def least_age(kept, now):
    """It may have been asked for only when it came."""
    return age(dataclasses.replace(kept, sent=kept.received), now)


def never_stale(found):
    return bool({"must-revalidate", "proxy-revalidate", "s-maxage"} & found.keys()
                or unqualified(found, "no-cache"))


def may_use(kept, request, now, slack=0, failed=False):
    """None, or why it must not be used for that request without asking; `failed`: the origin was asked
    and could not answer (RFC 5861)."""
    found, asked = directives(kept.response), directives(request)
    old = max(0, least_age(kept, now) - 2 * slack)
    left = lifetime(kept) - old
    if "no-cache" in asked or ("no-cache" in (value(request, "pragma") or "") and not asked):
        return "no-cache of the request"
    if "max-age" in asked and not failed and old > seconds(asked, "max-age"):
        if not ("immutable" in found and left > 0):
            return "older than the request's max-age"
    if "min-fresh" in asked and not failed and left < seconds(asked, "min-fresh"):
        return "not as fresh as the request wants"
    if left > 0:
        return None
    if never_stale(found):
        return "stale, and must be validated"
    allowed = [seconds(found, "stale-while-revalidate") or 0]
    if "max-stale" in asked:
        allowed.append(2**31 if asked["max-stale"][0] is None else seconds(asked, "max-stale"))
    if failed:
        allowed += [seconds(x, "stale-if-error") or 0 for x in (found, asked)]
    return None if -left <= max(allowed) and max(allowed) else "stale"


# -- section 4.1: variants -------------------------------------------------------------------------

def normal(name, message):
    text = value(message, name)
    if text is None:
        return None
    if name == "accept-encoding":
        return tuple(sorted({re.sub(r"\s+", "", x).lower() for x in text.split(",") if x.strip()}))
    if name in ("accept", "accept-language", "accept-charset"):
        return re.sub(r"\s*([,;=])\s*", r"\1", text).lower()
    return text


def same_variant(kept, request):
    names = [n.strip().lower() for n in (value(kept.response, "vary") or "").split(",") if n.strip()]
    return all(normal(n, kept.request) == normal(n, request) for n in names)


# -- sections 3.2 and 4.3: validation ----------------------------------------------------------------

def weak(tag):
    return tag[2:] if tag and tag.startswith("W/") else tag


def updated(kept, request, not_modified, sent, received):
    """The stored response as the 304 makes it, or None when it is about another one (section 4.3.4).
    From now on it is one to that request, whose fields a Vary that is new means: nothing was said of those
    of the first one. And it is without credentials, if the origin was asked without."""
    ours, theirs = value(kept.response, "etag"), value(not_modified, "etag")
    if theirs and not theirs.startswith("W/") and theirs != ours:
        return None
    if theirs and weak(theirs) != weak(ours):
        return None
    dated = value(not_modified, "last-modified"), value(kept.response, "last-modified")
    if not theirs and all(dated) and dated[0] != dated[1]:
        return None
    fresh = [(n, v) for n, v in not_modified.fields if n.lower() not in NOT_UPDATED]
    gone = {n.lower() for n, _ in fresh} | {"age", "date"}
    fields = [(n, v) for n, v in kept.response.fields if n.lower() not in gone] + fresh
    lacking = {*kept.lacking, *hidden_fields(directives(kept.response))} - {n.lower() for n, _ in fresh}
    return Kept(request, dataclasses.replace(kept.response, fields=fields), sent, received, lacking=frozenset(lacking))


def condition_holds(request, response):
    """Would 304 be right for that stored response (section 4.3.2)?"""
    tags = value(request, "if-none-match")
    if tags is not None:
        if tags == "*":
            return True
        ours = weak(value(response, "etag"))
        return ours is not None and ours in [weak(t) for t in re.findall(r'(?:W/)?"[^"]*"', tags)]
    since = date(value(request, "if-modified-since"))
    when = date(value(response, "last-modified") or value(response, "date"))
    return since is not None and when is not None and when <= since


def asks_about(request, response):
    """Are its conditions the validators of that stored response?"""
    ours = value(response, "etag"), value(response, "last-modified")
    return ours == (value(request, "if-none-match"), value(request, "if-modified-since")) and any(ours)


# -- what a client got -------------------------------------------------------------------------------

def ranges(request, length):
    """[(first, last)] of a well-formed Range, without those outside; None when there is none."""
    match = re.fullmatch(r"bytes=(.*)", value(request, "range") or "", re.I)
    if not match:
        return None
    wanted = []
    for item in filter(None, (x.strip() for x in match[1].split(","))):
        match = re.fullmatch(r"(\d*)-(\d*)", item)
        if not match or not (match[1] or match[2]):
            return None
        first, last = match[1], match[2]
        low = int(first) if first else max(0, length - int(last))
        high = min(int(last), length - 1) if first and last else length - 1
        if low < length and (first or int(last)):
            wanted.append((low, high))
    return wanted


def same_head(answer, kept):
    """The end-to-end fields of the stored response and no others."""
    response = kept.response
    hidden = {*hidden_fields(directives(response)), *kept.lacking}

    def listed(message):
        return sorted((n.lower(), v.strip()) for n, v in message.fields
                      if n.lower() not in OWN and n.lower() not in hidden)
    return listed(answer) == listed(response)


def _dated(kept):
    """Without a date it has that of its coming (section 4.3.2), which two clocks tell two seconds apart."""
    if value(kept.response, "date"):
        return kept.response
    came = ("Date", email.utils.formatdate(kept.received - 2, usegmt=True))
    return dataclasses.replace(kept.response, fields=[*kept.response.fields, came])


def is_made_of(answer, kept, request):
    """None, or why the answer is not what that stored response gives for the request."""
    response = kept.response
    if answer.status == 304 and response.status != 304:
        held = 200 <= response.status < 300 and condition_holds(request, _dated(kept))
        return None if held else "304 though the client's condition does not hold"
    if answer.status in (206, 416) and response.status == 200:
        wanted = ranges(request, len(response.body))
        if wanted is None:
            return "a part, and none was asked for"
        if answer.status == 416:
            return "416 though a range lies within" if wanted else None
        part = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", value(answer, "content-range") or "")
        if not part:  # multipart: each part has to be there
            lacking = [r for r in wanted if response.body[r[0]:r[1] + 1] not in answer.body]
            return "a range is missing" if lacking else None
        low, high, length = map(int, part.groups())
        right = length == len(response.body) and answer.body == response.body[low:high + 1]
        inside = wanted and low == min(r[0] for r in wanted) and high == max(r[1] for r in wanted)
        return None if right and inside else "the wrong part"
    if answer.status != response.status:
        return "another status"
    if request.method != "HEAD" and answer.body != response.body:
        return "another body"
    return None if same_head(answer, kept) else "another head"


class Model:
    """Everything that has happened, and what may come of it."""

    def __init__(self, slack=1):
        self.slack = slack
        self.kept = {}  # url: [Kept, ...]

    def there(self, url):
        return [kept for kept in self.kept.get(url, []) if not kept.gone]

    def why_not(self, kept, request, now, failed=False):
        """None: that response may be used for the request without asking the origin."""
        if request.method not in ("GET", "HEAD"):
            return "an unsafe request"
        if not same_variant(kept, request):
            return "another variant"
        return may_store(kept.request, kept.response) or \
            may_use(kept, request, now, self.slack, failed)

    def allowed(self, request, now, failed=False):
        """The responses that may be used for the request without asking the origin, the newest first."""
        return [kept for kept in reversed(self.there(request.url))
                if self.why_not(kept, request, now, failed) is None]

    def _wrong_age(self, answer, kept, now, heard):
        told = value(answer, "age")
        if told is None:
            return "no Age"
        off = 2 * self.slack + 1
        return None if int(least_age(kept, now)) - off <= int(told) <= age(kept, heard) + off else f"Age: {told}"

    def _from_store(self, request, answer, now, heard, failed, there):
        reasons = []
        for kept in reversed(there):
            why = is_made_of(answer, kept, request) or self.why_not(kept, request, now, failed) or \
                (answer.status != 304 and self._wrong_age(answer, kept, now, heard))
            if not why:
                return None
            reasons.append(why)
        return f"answered without the origin: {', '.join(dict.fromkeys(reasons)) or 'never seen'}"

    def learn(self, sent, response, t0, t1):
        """What the cache has seen of the origin: kept, updated, made untrue."""
        if sent.method not in SAFE and 200 <= response.status < 400:
            self._forget(sent, response)
        elif sent.method == "GET" and response.status == 304:
            self._update(sent, response, t0, t1)
        elif sent.method == "GET":
            self.kept.setdefault(sent.url, []).append(Kept(sent, response, t0, t1))

    def _update(self, sent, not_modified, t0, t1):
        """Section 4.3.4: what the 304 is about is from now on as that says. Of several (whose Vary differ) this is
        the newest, as for a weak tag; which of them a cache has is not known here, so each may be the one that it
        made new. It may stand as it was where the request is one that is not kept, and where a client's own condition
        was asked, of which a cache that has no validator makes nothing."""
        fresh = []
        for kept in reversed(self.there(sent.url)):
            new = same_variant(kept, sent) and condition_holds(sent, kept.response) and \
                updated(kept, sent, not_modified, t0, t1)
            if not new:
                continue
            own = values(sent, "authorization") or "no-store" in directives(sent)
            if not fresh and not own and asks_about(sent, kept.response):
                kept.gone = "updated by a 304"
            fresh.insert(0, new)
        self.kept.setdefault(sent.url, []).extend(fresh)

    def _forget(self, sent, response):
        """Section 4.4."""
        urls = [sent.url]
        for name in ("location", "content-location"):
            named = urljoin(sent.url, value(response, name) or "")
            if urlsplit(named)[:2] == urlsplit(sent.url)[:2]:
                urls.append(named)
        for url in urls:
            for kept in self.there(url):
                kept.gone = "made untrue by an unsafe request"

    def exchange(self, request, answer, asked=(), now=0, failed=False, heard=None):
        """One exchange is over, begun by the client at `now`, and at `heard` it had its answer: a list of what was
        wrong. `asked`: (sent, response, t0, t1) for what the cache asked of the origin meanwhile, not before t0, and
        was answered at t1, with None where no answer came; `failed`: the origin could not be reached."""
        only = "only-if-cached" in directives(request)
        refusable = only and request.method in SAFE  # others are written through (section 4)
        wrong, known = [], self.kept.setdefault(request.url, [])
        before, length = self.there(request.url), len(known)
        passed = [x for x in asked if x[1] is not None]
        failed = failed or any(r is None or r.status in ERRORS for _, r, _, _ in asked)
        for sent, response, t0, t1 in passed:
            self.learn(sent, response, t0, t1)
        if refusable and asked and not any("stale-while-revalidate" in directives(k.response)
                                           for k in self.kept.get(request.url, [])):
            wrong.append("asked the origin though only-if-cached")
        if answer.status == 504 and (only or failed):
            return wrong
        if answer.status == 502 and failed:
            return wrong
        for sent, response, t0, t1 in passed:
            own = response.status != 304 or values(request, "if-none-match") or \
                values(request, "if-modified-since")
            if own and is_made_of(answer, Kept(sent, response, t0, t1), request) is None:
                return wrong
            if response.status == 304 and any(
                    k.received == t1 and is_made_of(answer, k, request) is None
                    for k in self.kept.get(request.url, [])):
                return wrong
        # What it may have been answered from may have been updated behind its back only now.
        why = self._from_store(request, answer, now, heard or now, failed, [*before, *known[length:]])
        return wrong + [why] if why else wrong

