"""The daemon's table of faults, read from its source, so that tests name causes and not numbers."""
import pathlib
import re
from collections import namedtuple

ROOT = pathlib.Path(__file__).resolve().parents[3]

Fault = namedtuple("Fault", "token whose status error text")

_ROW = re.compile(r'^FAULT\((\w+),\s*(\w+),\s*(\d+),\s*(?:"([^"]*)"|NULL),\s*"([^"]*)"\)', re.M)


def _read():
    text = (ROOT / "proxyd/base/fault.tbl").read_text(encoding="ascii")
    rows = [Fault(t, w, int(s), e or None, x) for t, w, s, e, x in _ROW.findall(text)]
    return {row.token: row for row in rows}


FAULTS = _read()


def cause_of(response):
    """The cause token an answer made by the proxy names, or None: Proxy-Status first, then the page."""
    told = "; ".join(response.all("Proxy-Status")) or response.body.decode("latin-1")
    words = re.findall(r"\w+", told)
    named = [w for w in words if w in FAULTS]
    return named[0] if named else None


def assert_refused(response, causes):
    """The answer is the proxy's own and names one of `causes` ("a|b"), with that cause's status.

    Both the field and the body must name it, and the field must be RFC 9209: a proxy name, then
    parameters, with the error type of the table.
    """
    allowed = causes.split("|")
    for token in allowed:
        assert token in FAULTS, f"{token} is not in fault.tbl"
    told = response.all("Proxy-Status")
    assert len(told) == 1, f"{response.status} with Proxy-Status {told}, body {response.body[:300]!r}"
    cause = cause_of(response)
    assert cause in allowed, f"cause {cause} ({response.status}, {told}), expected {causes}"
    fault = FAULTS[cause]
    assert response.status == fault.status, f"{cause}: status {response.status}, table {fault.status}"
    first, *parameters = [p.strip() for p in told[0].split(";")]
    assert re.fullmatch(r'[A-Za-z*][\w.:/%*!#$&\'^`|~+-]*|"[\x20-\x7e]*"', first), told
    if fault.error:
        assert f"error={fault.error}" in parameters, told
    if response.body:
        assert cause.encode() in response.body, f"the page does not name {cause}: {response.body!r}"
    return cause
