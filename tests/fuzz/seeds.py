#!/usr/bin/env python3
"""Writes seeds for fuzz_splits into the folder given: every message of the tables of the end-to-end
tests, behind a good request and before one, so that each of them is tried in every kind of pieces.
"""
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

import test_100_smuggling as smuggling  # noqa: E402
import test_105_refused_anywhere as refused  # noqa: E402
import test_110_responses as responses  # noqa: E402
from lib.ways import FIRST, SMUGGLED, fill  # noqa: E402

GET, POST = FIRST, b"POST http://@/b HTTP/1.1\r\nHost: @\r\nContent-Length: 1\r\n\r\nx"


def seed(*client, origin=b""):
    """The host 'a' leads to the fuzzer's origin."""
    return b"s" + fill(b"".join(client), b"a") + b"\xff" + origin


def seeds():
    for case in smuggling.CASES:
        yield f"smuggling-{case.name}", seed(GET, case.raw, SMUGGLED)
    for name, case in refused.CASES.items():
        raw = case.raw.replace("{port}", "3128").replace("{mark}", "proxyd-fuzz").encode()
        yield f"refused-{name}", seed(GET, raw, SMUGGLED)
    for name, (raw, _) in responses.BAD.items():
        yield f"bad-{name}", seed(POST, SMUGGLED, origin=raw)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    for name, raw in responses.BAD_CHUNKS.items():
        yield f"chunks-{name}", seed(GET, SMUGGLED, origin=head + raw + b"\r\n0\r\n\r\n")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, (_, data) in enumerate(seeds()):
        (folder / f"{number:04}").write_bytes(data)


main(pathlib.Path(sys.argv[1]))
