"""Every refusal of a malformed request: what the client is told, and that the origin never learns.

Each case is a message that two parsers might read differently. It is tried as the first or as the
second message on a connection, in one piece, byte by byte or in random splits (lib/ways.py), always
with a tidy request right behind it, which is what a smuggler would want to be served. The answer must be the
one refusal, then the end of the connection; the origin must have seen nothing (a bad head) or at
most an unfinished message that it cannot take for a whole one (a bad body).
"""
import json
from collections import namedtuple

import pytest

from lib.client import Client
from lib.faults import assert_refused
from lib.ways import FIRST, SMUGGLED, fill, send, tried
from lib.wire import split_head

pytestmark = pytest.mark.smoke

Case = namedtuple("Case", "name raw cause body")

CASES = []


def head(name, raw, cause):
    """A refusal in the head. @ in the bytes stands for the origin's authority."""
    CASES.append(Case(name, raw, cause, False))


def field(name, lines, cause, method=b"POST"):
    """A refusal for these field lines behind a good request line and Host."""
    head(name, method + b" http://@/evil HTTP/1.1\r\nHost: @\r\n" + lines + b"\r\n\r\n", cause)


def body(name, data, cause="bad_chunk", fields=b""):
    """A refusal in a chunked body."""
    CASES.append(Case(name, b"POST http://@/evil HTTP/1.1\r\nHost: @\r\n" + fields +
                      b"Transfer-Encoding: chunked\r\n\r\n" + data, cause, True))


REST = b"\r\nHost: @\r\n\r\n"

# -- the request line -----------------------------------------------------------------------------

LINE = "bad_request_line|bad_target|bad_method|bad_version"
METHOD = "bad_method|bad_request_line|not_http"
head("line-two-blanks-before-target", b"GET  http://@/evil HTTP/1.1" + REST, LINE)
head("line-two-blanks-before-version", b"GET http://@/evil  HTTP/1.1" + REST, LINE)
head("line-tab-before-target", b"GET\thttp://@/evil HTTP/1.1" + REST, LINE)
head("line-tab-before-version", b"GET http://@/evil\tHTTP/1.1" + REST, LINE)
head("line-blank-before-method", b" GET http://@/evil HTTP/1.1" + REST, LINE + "|bad_folding|not_http")
head("line-blank-after-version", b"GET http://@/evil HTTP/1.1 " + REST, LINE)
head("line-blank-in-target", b"GET http://@/ev il HTTP/1.1" + REST, LINE)
head("line-tab-in-target", b"GET http://@/ev\til HTTP/1.1" + REST, LINE)
head("line-vertical-tab-as-blank", b"GET\x0bhttp://@/evil HTTP/1.1" + REST, LINE)
head("line-form-feed-as-blank", b"GET http://@/evil\x0cHTTP/1.1" + REST, LINE)
head("line-no-version", b"GET http://@/evil" + REST, LINE)
head("line-only-method", b"GET" + REST, "bad_request_line")
head("line-only-word", b"hello\r\n\r\n", "bad_request_line")
head("line-empty-target", b"GET  HTTP/1.1" + REST, LINE)
head("line-nul-in-target", b"GET http://@/ev\x00il HTTP/1.1" + REST, LINE)
head("line-control-in-target", b"GET http://@/ev\x01il HTTP/1.1" + REST, LINE)
head("line-delete-in-target", b"GET http://@/ev\x7fil HTTP/1.1" + REST, LINE)
head("line-bare-cr-in-target", b"GET http://@/ev\ril HTTP/1.1" + REST, LINE + "|bad_line_end")
head("line-bare-lf-at-end", b"GET http://@/evil HTTP/1.1\nHost: @\r\n\r\n", "bad_line_end")
head("line-cr-cr-lf", b"GET http://@/evil HTTP/1.1\r\r\nHost: @\r\n\r\n", LINE + "|bad_line_end")
head("line-bare-cr-at-end", b"GET http://@/evil HTTP/1.1\rHost: @\r\n\r\n", LINE + "|bad_line_end")
head("line-only-lf-everywhere", b"GET http://@/evil HTTP/1.1\nHost: @\n\n", "bad_line_end")
head("line-lf-before", b"\nGET http://@/evil HTTP/1.1" + REST, LINE + "|bad_line_end|not_http")
head("line-second-target", b"GET http://@/evil http://@/evil2 HTTP/1.1" + REST, LINE)
head("method-parenthesis", b"G(T http://@/evil HTTP/1.1" + REST, METHOD)
head("method-quote", b"\"GET\" http://@/evil HTTP/1.1" + REST, METHOD)
head("method-nul", b"GE\x00T http://@/evil HTTP/1.1" + REST, METHOD)
head("method-not-ascii", b"G\xc9T http://@/evil HTTP/1.1" + REST, METHOD)
head("method-colon", b"GET: http://@/evil HTTP/1.1" + REST, METHOD)
head("version-two", b"GET http://@/evil HTTP/2.0" + REST, "bad_version")
head("version-zero-nine", b"GET http://@/evil HTTP/0.9" + REST, "bad_version")
head("version-three", b"GET http://@/evil HTTP/3.0" + REST, "bad_version")
head("version-small", b"GET http://@/evil http/1.1" + REST, "bad_version|bad_request_line")
head("version-long-minor", b"GET http://@/evil HTTP/1.10" + REST, "bad_version|bad_request_line")
head("version-long-major", b"GET http://@/evil HTTP/01.1" + REST, "bad_version|bad_request_line")
head("version-no-minor", b"GET http://@/evil HTTP/1" + REST, "bad_version|bad_request_line")
head("version-comma", b"GET http://@/evil HTTP/1,1" + REST, "bad_version|bad_request_line")
head("version-letter", b"GET http://@/evil HTTP/1.x" + REST, "bad_version|bad_request_line")
head("version-other-protocol", b"GET http://@/evil ICY/1.1" + REST, "bad_version|bad_request_line")
head("protocol-tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 100 + b"\r\n\r\n",
     "tls_to_plain_port")
head("protocol-h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad_version|not_http")
head("protocol-ssh", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n", LINE + "|not_http")
head("protocol-binary", b"\x00\x01\x02\x03\xff\xfe\r\n\r\n", LINE + "|not_http|bad_line_end")

# -- the target -----------------------------------------------------------------------------------

TARGET = "bad_target|bad_host"
head("target-userinfo-backslash", b"GET http://evil.test\\@AT@@/evil HTTP/1.1" + REST, TARGET)
head("target-userinfo-no-host", b"GET http://user:pw@AT@/evil HTTP/1.1" + REST, TARGET)
head("target-userinfo-behind", b"GET http://@@AT@/evil HTTP/1.1" + REST, TARGET)
head("target-backslash-host", b"GET http://@\\evil.test/evil HTTP/1.1" + REST, TARGET)
head("target-no-host", b"GET http:///evil HTTP/1.1" + REST, TARGET)
head("target-only-port", b"GET http://:80/evil HTTP/1.1" + REST, TARGET)
head("target-one-slash", b"GET http:/evil HTTP/1.1" + REST, TARGET)
head("target-no-slash", b"GET http:evil HTTP/1.1" + REST, TARGET)
head("target-port-too-large", b"GET http://origin.test:65536/evil HTTP/1.1" + REST, TARGET)
head("target-port-zero", b"GET http://origin.test:0/evil HTTP/1.1" + REST, TARGET)
head("target-port-huge", b"GET http://origin.test:4294967376/evil HTTP/1.1" + REST, TARGET)
head("target-port-sign", b"GET http://origin.test:+80/evil HTTP/1.1" + REST, TARGET)
head("target-port-minus", b"GET http://origin.test:-80/evil HTTP/1.1" + REST, TARGET)
head("target-port-letters", b"GET http://origin.test:80a/evil HTTP/1.1" + REST, TARGET)
head("target-port-hex", b"GET http://origin.test:0x50/evil HTTP/1.1" + REST, TARGET)
head("target-two-ports", b"GET http://origin.test:80:80/evil HTTP/1.1" + REST, TARGET)
head("target-bracket-open", b"GET http://[::1/evil HTTP/1.1" + REST, TARGET)
head("target-bracket-junk", b"GET http://[zz]/evil HTTP/1.1" + REST, TARGET)
head("target-bracket-behind", b"GET http://[::1]x/evil HTTP/1.1" + REST, TARGET)
head("target-bracket-zone", b"GET http://[fe80::1%25lo]/evil HTTP/1.1" + REST, TARGET)
head("target-host-encoded-nul", b"GET http://origin.test%00.evil.test/ HTTP/1.1" + REST, TARGET)
head("target-host-encoded-crlf", b"GET http://origin.test%0d%0aX:/ HTTP/1.1" + REST, TARGET)
head("target-host-angle", b"GET http://origin<.test/evil HTTP/1.1" + REST, TARGET)
head("target-host-comma", b"GET http://origin.test,other.test/evil HTTP/1.1" + REST, TARGET)
head("target-host-not-ascii", b"GET http://or\xefgin.test/evil HTTP/1.1" + REST, TARGET)
head("target-fragment-blank", b"GET http://@/evil#a part HTTP/1.1" + REST, TARGET)
head("target-only-fragment", b"GET #evil HTTP/1.1" + REST, TARGET)
head("target-https", b"GET https://@/evil HTTP/1.1" + REST, "bad_scheme")
head("target-ftp", b"GET ftp://@/evil HTTP/1.1" + REST, "bad_scheme")
head("target-ws", b"GET ws://@/evil HTTP/1.1" + REST, "bad_scheme")
head("target-gopher", b"GET gopher://@/evil HTTP/1.1" + REST, "bad_scheme")
head("target-file", b"GET file:///etc/passwd HTTP/1.1" + REST, "bad_scheme|bad_target")
head("target-javascript", b"GET javascript:alert(1) HTTP/1.1" + REST, "bad_scheme|bad_target")
head("target-asterisk-with-get", b"GET * HTTP/1.1" + REST, "bad_target")
head("target-authority-with-get", b"GET @ HTTP/1.1" + REST, "bad_target|bad_scheme")
head("target-relative", b"GET evil HTTP/1.1" + REST, "bad_target|bad_scheme")

# -- Host -----------------------------------------------------------------------------------------

head("host-missing", b"GET http://@/evil HTTP/1.1\r\nX: y\r\n\r\n", "bad_host")
head("host-missing-no-fields", b"GET http://@/evil HTTP/1.1\r\n\r\n", "bad_host")
head("host-twice-same", b"GET http://@/evil HTTP/1.1\r\nHost: @\r\nHost: @\r\n\r\n", "bad_host")
head("host-twice-other", b"GET http://@/evil HTTP/1.1\r\nHost: @\r\nX: y\r\nhost: evil.test\r\n\r\n",
     "bad_host")
head("host-twice-in-1.0", b"GET http://@/evil HTTP/1.0\r\nHost: @\r\nHost: @\r\n\r\n", "bad_host")
for name, value in {
    "list": b"@, evil.test", "userinfo": b"user@AT@@", "path": b"@/evil", "query": b"@?x",
    "fragment": b"@#x", "scheme": b"http://@", "blank": b"origin.test evil.test",
    "tab": b"origin.test\tevil.test", "empty": b"", "only-port": b":80", "port-letters": b"origin.test:abc",
    "port-minus": b"origin.test:-1", "port-plus": b"origin.test:+80", "port-large": b"origin.test:65536",
    "two-ports": b"origin.test:80:80", "bracket-open": b"[::1", "bracket-junk": b"[zz]",
    "bracket-behind": b"[::1]x", "quoted": b'"origin.test"', "angle": b"<origin.test>",
    "backslash": b"origin.test\\evil", "not-ascii": b"or\xefgin.test", "encoded-nul": b"origin.test%00",
}.items():
    head(f"host-{name}", b"GET http://@/evil HTTP/1.1\r\nHost: " + value + b"\r\n\r\n", "bad_host")

# -- field lines ----------------------------------------------------------------------------------

NAME, VALUE = "bad_field_name", "bad_field_value"
EITHER = NAME + "|" + VALUE   # a control character is looked for before the line is split
field("field-blank-before-colon", b"X-Evil : y", NAME)
field("field-tab-before-colon", b"X-Evil\t: y", NAME)
field("field-length-blank-before-colon", b"Content-Length : 5", NAME)
field("field-coding-blank-before-colon", b"Transfer-Encoding : chunked", NAME)
field("field-coding-tab-before-colon", b"Transfer-Encoding\t: chunked", NAME)
head("field-host-blank-before-colon", b"GET http://@/evil HTTP/1.1\r\nHost : @\r\n\r\n", NAME)
field("field-no-colon", b"X-Evil", NAME)
field("field-no-name", b": y", NAME)
field("field-blank-in-name", b"X Evil: y", NAME)
field("field-parenthesis-in-name", b"X(Evil): y", NAME)
field("field-at-in-name", b"X@AT@Evil: y", NAME)
field("field-slash-in-name", b"X/Evil: y", NAME)
field("field-quote-in-name", b"\"X\": y", NAME)
field("field-nul-in-name", b"X\x00Evil: y", EITHER)
field("field-nul-in-length-name", b"Content-Length\x00: 5", EITHER)
field("field-control-in-name", b"X\x01Evil: y", EITHER)
field("field-vertical-tab-before-colon", b"Content-Length\x0b: 5", EITHER)
field("field-delete-in-name", b"X\x7fEvil: y", EITHER)
field("field-not-ascii-in-name", b"X\xa0Evil: y", NAME)
field("field-bare-cr-in-name", b"X\rEvil: y", NAME + "|bad_line_end")
field("field-nul-in-value", b"X-Evil: a\x00b", VALUE)
field("field-control-in-value", b"X-Evil: a\x01b", VALUE)
field("field-backspace-in-value", b"X-Evil: a\x08b", VALUE)
field("field-vertical-tab-in-value", b"X-Evil: a\x0bb", VALUE)
field("field-form-feed-in-value", b"X-Evil: a\x0cb", VALUE)
field("field-escape-in-value", b"X-Evil: a\x1bb", VALUE)
field("field-delete-in-value", b"X-Evil: a\x7fb", VALUE)
field("field-bare-cr-in-value", b"X-Evil: a\rb", VALUE + "|bad_line_end")
field("field-bare-cr-then-field", b"X-Evil: a\rContent-Length: 5", VALUE + "|bad_line_end")
field("field-cr-cr-lf", b"X-Evil: a\r", VALUE + "|bad_line_end")
field("field-bare-lf", b"X-Evil: a\nX-More: b", "bad_line_end")
field("field-bare-lf-then-length", b"X-Evil: a\nContent-Length: 5", "bad_line_end")
head("field-bare-lf-ends-head", b"GET http://@/evil HTTP/1.1\r\nHost: @\r\n\n", "bad_line_end")
head("field-lf-cr", b"GET http://@/evil HTTP/1.1\r\nHost: @\n\r\n\r\n", "bad_line_end|" + NAME)
field("folding-blank", b"X-Evil: a\r\n b", "bad_folding")
field("folding-tab", b"X-Evil: a\r\n\tb", "bad_folding")
field("folding-empty", b"X-Evil: a\r\n ", "bad_folding")
field("folding-before-colon", b"X-Evil\r\n : a", "bad_folding|" + NAME)
field("folding-coding", b"Transfer-Encoding:\r\n chunked", "bad_folding")
field("folding-length", b"Content-Length:\r\n 5", "bad_folding")
head("folding-first-line", b"GET http://@/evil HTTP/1.1\r\n Host: @\r\n\r\n", "bad_folding|" + NAME)
head("folding-host", b"GET http://@/evil HTTP/1.1\r\nHost:\r\n @\r\n\r\n", "bad_folding")

# -- Content-Length -------------------------------------------------------------------------------

LENGTH = "bad_content_length"
for name, value in {
    "plus": b"+5", "minus": b"-5", "minus-zero": b"-0", "hex": b"0x5", "hex-letters": b"a", "octal": b"0o5",
    "empty": b"", "list-same": b"5, 5", "list-other": b"5, 6", "list-empty-end": b"5,",
    "list-empty-begin": b",5", "two-numbers": b"5 5", "parameter": b"5;x=1", "fraction": b"5.0",
    "exponent": b"1e1", "quoted": b'"5"', "underscore": b"1_0", "nbsp": b"\xa05", "word": b"five",
    "overflow-64": b"18446744073709551616", "overflow-64-and-5": b"18446744073709551621",
    "overflow-20-digits": b"99999999999999999999", "overflow-long": b"9" * 200,
    "wraps-32-in-64": b"1844674407370955161600000000005",
}.items():
    field(f"length-{name}", b"Content-Length: " + value, LENGTH)
field("length-twice-same", b"Content-Length: 5\r\nContent-Length: 5", LENGTH)
field("length-twice-other", b"Content-Length: 5\r\nContent-Length: 6", LENGTH)
field("length-twice-zero", b"Content-Length: 0\r\nX: y\r\ncontent-length: 5", LENGTH)
field("length-twice-second-bad", b"Content-Length: 5\r\nContent-Length: x", LENGTH)
field("length-bad-on-get", b"Content-Length: 5, 5", LENGTH, method=b"GET")
field("length-nul", b"Content-Length: 5\x00", LENGTH + "|" + VALUE)
field("length-vertical-tab", b"Content-Length: \x0b5", LENGTH + "|" + VALUE)

# -- Transfer-Encoding ----------------------------------------------------------------------------

CODING = "bad_transfer_encoding|unknown_transfer_encoding"
for name, value in {
    "identity": b"identity", "gzip": b"gzip", "gzip-then-chunked": b"gzip, chunked", "unknown": b"cow",
    "unknown-then-chunked": b"cow, chunked", "chunked-then-identity": b"chunked, identity",
    "chunked-then-gzip": b"chunked, gzip", "chunked-twice": b"chunked, chunked", "empty": b"",
    "comma-before": b",chunked", "comma-behind": b"chunked,", "prefix": b"xchunked", "suffix": b"chunkedx",
    "blank-inside": b"chun ked", "two-words": b"chunked chunked", "quoted": b'"chunked"',
    "single-quoted": b"'chunked'", "parameter": b"chunked;q=1", "parameter-empty": b"chunked;",
    "bracket": b"[chunked]", "nbsp": b"\xa0chunked", "not-ascii": b"chunked\xff", "dotless": b"chun\xc4\xb1ked",
    "colon": b": chunked",
}.items():
    field(f"coding-{name}", b"Transfer-Encoding: " + value, CODING)
field("coding-vertical-tab", b"Transfer-Encoding: \x0bchunked", CODING + "|" + VALUE)
field("coding-nul", b"Transfer-Encoding: chunked\x00", CODING + "|" + VALUE)
field("coding-bare-cr", b"Transfer-Encoding: chunked\r\r", CODING + "|" + VALUE + "|bad_line_end")
field("coding-two-fields", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CODING)
field("coding-two-fields-identity-first", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
      CODING)
field("coding-two-fields-identity-last", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
      CODING)
field("coding-two-fields-one-empty", b"Transfer-Encoding: chunked\r\nTransfer-Encoding:", CODING)
field("coding-on-get", b"Transfer-Encoding: identity", CODING, method=b"GET")
BOTH = "both_lengths"
field("both-length-first", b"Content-Length: 5\r\nTransfer-Encoding: chunked", BOTH)
field("both-coding-first", b"Transfer-Encoding: chunked\r\nContent-Length: 5", BOTH)
field("both-length-zero", b"Content-Length: 0\r\nTransfer-Encoding: chunked", BOTH)
field("both-small-letters", b"content-length: 5\r\nX: y\r\ntransfer-encoding: chunked", BOTH)
field("both-on-get", b"Content-Length: 5\r\nTransfer-Encoding: chunked", BOTH, method=b"GET")
field("both-coding-bad", b"Content-Length: 5\r\nTransfer-Encoding: identity", BOTH + "|" + CODING)
field("both-coding-hidden", b"Content-Length: 5\r\nTransfer-Encoding: xchunked", BOTH + "|" + CODING)
field("both-coding-empty", b"Content-Length: 5\r\nTransfer-Encoding:", BOTH + "|" + CODING)
head("coding-in-1.0", b"POST http://@/evil HTTP/1.0\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n",
     CODING)
head("both-in-1.0", b"POST http://@/evil HTTP/1.0\r\nHost: @\r\nTransfer-Encoding: chunked\r\n"
     b"Content-Length: 5\r\n\r\n", BOTH + "|" + CODING)

# -- chunked bodies -------------------------------------------------------------------------------

LAST = b"0\r\n\r\n"
for name, line in {
    "size-empty": b"", "size-not-hex": b"g", "size-prefix": b"0x5", "size-plus": b"+5", "size-minus": b"-5",
    "size-blank-before": b" 5", "size-tab-before": b"\t5", "size-quoted": b'"5"', "size-comma": b"5,5",
    "size-underscore": b"0_5", "size-h": b"5h", "size-not-ascii": b"\xb2", "size-two": b"5 5",
    "size-overflow": b"10000000000000000", "size-overflow-wraps-to-5": b"10000000000000005",
    "size-overflow-long": b"f" * 40, "size-many-zeros": b"0" * 40 + b"5", "size-nul": b"5\x00",
    "size-bare-cr": b"5\r", "size-bare-cr-inside": b"5\r5",
    "extension-bare-cr": b"5;a\rb", "extension-bare-lf": b"5;a\nb", "extension-nul": b"5;a=\x00",
    "extension-cr-in-quotes": b'5;a="\r"', "extension-lf-in-quotes": b'5;a="\n"',
    "extension-control": b"5;a=\x01", "extension-without-semicolon": b"5 a=b",
}.items():
    body(f"chunk-{name}", line + b"\r\nhello\r\n" + LAST)
body("chunk-size-bare-lf", b"5\nhello\r\n" + LAST)
body("chunk-data-without-end", b"5\r\nhello" + LAST)
body("chunk-data-wrong-end", b"5\r\nhelloXX" + LAST)
body("chunk-data-bare-lf", b"5\r\nhello\n" + LAST)
body("chunk-data-bare-cr", b"5\r\nhello\r" + LAST)
body("chunk-data-lf-cr", b"5\r\nhello\n\r" + LAST)
body("chunk-data-too-long", b"5\r\nhello!\r\n" + LAST)
body("chunk-data-too-short", b"6\r\nhello\r\n" + LAST)
body("chunk-second-size-bad", b"5\r\nhello\r\nx\r\n" + LAST)
body("chunk-blank-line-between", b"5\r\nhello\r\n\r\n" + LAST)
body("chunk-last-bare-lf", b"5\r\nhello\r\n0\n\r\n", "bad_chunk")
body("chunk-last-minus-zero", b"5\r\nhello\r\n-0\r\n\r\n")
body("chunk-last-prefix", b"5\r\nhello\r\n0x0\r\n\r\n")
body("chunk-end-bare-lf", b"5\r\nhello\r\n0\r\n\n", "bad_trailer|bad_chunk")
body("chunk-end-bare-cr", b"5\r\nhello\r\n0\r\n\rX", "bad_trailer|bad_chunk")
body("chunk-extension-endless", b"5;" + b"a" * 70000 + b"\r\nhello\r\n" + LAST, "bad_chunk")
body("chunk-overflow-second", b"5\r\nhello\r\nfffffffffffffffff\r\nx\r\n" + LAST)

TRAILER = "bad_trailer"
for name, line in {
    "length": b"Content-Length: 5", "coding": b"Transfer-Encoding: chunked", "host": b"Host: evil.test",
    "authorization": b"Authorization: Basic eDp5", "proxy-authorization": b"Proxy-Authorization: Basic eDp5",
    "cookie": b"Cookie: a=b", "connection": b"Connection: close", "max-forwards": b"Max-Forwards: 1",
    "trailer": b"Trailer: X", "te": b"TE: trailers", "upgrade": b"Upgrade: x", "expect": b"Expect: 100-continue",
    "content-encoding": b"Content-Encoding: gzip", "length-small": b"content-length: 5",
    "blank-before-colon": b"X : y", "no-colon": b"X", "no-name": b": y", "nul": b"X: \x00",
    "control": b"X: \x01", "bare-cr": b"X: a\rb", "bare-lf": b"X: a\nY: b", "folding": b"X: a\r\n b",
    "folding-first": b" X: a", "request-line": b"GET http://@/smuggled HTTP/1.1",
}.items():
    body(f"trailer-{name}", b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n", TRAILER)
body("trailer-second-forbidden", b"0\r\nX-Fine: 1\r\nContent-Length: 5\r\n\r\n", TRAILER)

# -- how each is tried ----------------------------------------------------------------------------

#: Where a piece may end in the middle of what is wrong: these are tried in every way.
EDGES = {"line-bare-lf-at-end", "line-cr-cr-lf", "line-lf-before", "protocol-tls", "protocol-h2-preface",
         "host-twice-other", "field-coding-blank-before-colon", "field-bare-cr-then-field", "field-bare-lf-ends-head",
         "folding-coding", "length-twice-other", "length-overflow-64-and-5", "coding-two-fields", "both-length-first",
         "chunk-size-overflow-wraps-to-5", "chunk-size-bare-cr", "chunk-data-without-end", "chunk-data-bare-cr",
         "chunk-end-bare-cr", "chunk-extension-endless", "trailer-length", "trailer-folding"}

_verdicts = {}   # case → the cause it got first: pieces and position must not change it


def test_names_are_unique():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case,way", tried({case.name: case for case in CASES}, EDGES))
def test_refused(rig, case, way):
    with Client(rig.port) as client:
        send(client, case.raw, rig.a, way)
        answer = client.response("GET")
        cause = assert_refused(answer, case.cause)
        assert cause == _verdicts.setdefault(case.name, cause), "another verdict in other pieces"
        assert not answer.truncated
        assert (answer.get("Connection") or "").lower() == "close", answer
        assert client.expect_closed() == "eof"
    check_origin(rig, case, expected_first=way[0] != "first")


def check_origin(rig, case, expected_first):
    """Byte for byte: nothing but the good first request, and of a bad body no complete message."""
    seen = b"".join(rig.origin.received())
    assert b"smuggled" not in seen
    assert not rig.origin.errors(), (rig.origin.errors(), seen)
    whole = [r for r in rig.origin.requests if r.complete]
    assert [r.target for r in whole] == (["/first"] if expected_first else [])
    begun = [r for r in rig.origin.requests if not r.complete]
    if not case.body:
        assert b"evil" not in seen
        assert not begun
        assert len(seen) == sum(len(r.raw) for r in whole)
    for request in begun:
        # The head may be out before the body turns bad; then the connection dies unfinished.
        assert request.target == "/evil"
        rig.origin.until(lambda o, c=request.conn: c.closed.is_set())
        assert unfinished(bytes(request.conn.received).split(request.raw_head, 1)[1])


def unfinished(chunks):
    """These bytes are good chunks with the beginning of what was sent, none of them the last."""
    data = b""
    while chunks:
        line, _, chunks = chunks.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return False
        data += chunks[:size]
        chunks = chunks[size + 2:]
    return b"hello\r".startswith(data)


def test_what_a_refusal_looks_like(rig):
    """The page: a body that fits its type, an id, nothing of the input unescaped, no caching."""
    evil = b"GET http://" + rig.a + b"/<script>alert(1)</script> HTTP/1.1\r\nHost: <script>\r\n%s\r\n\r\n"
    kinds = {b"text/html": "text/html", b"application/json": "application/json",
             b"text/plain": "text/plain"}
    for accept, kind in kinds.items():
        with Client(rig.port) as client:
            answer = client.ask(evil % (b"Accept: " + accept))
        assert_refused(answer, "bad_host")
        assert answer.get("Content-Type").split(";")[0] == kind
        if kind == "text/html":
            assert b"<script>" not in answer.body
        if kind == "application/json":
            assert json.loads(answer.body)["cause"] == "bad_host"
        assert answer.get("Cache-Control", "no-store") == "no-store"


def test_every_refusal_is_in_the_log(rig):
    with Client(rig.port) as client:
        client.ask(b"GET http://" + rig.a + b"/logged HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
    rig.proxyd.wait_log("bad_field_name")


def test_reader_knows_the_tidy_form():
    """The good messages used above are good: the strict reader takes them."""
    for raw in (FIRST, SMUGGLED):
        split_head(fill(raw, b"origin.test:80"))
