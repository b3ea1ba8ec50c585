#!/usr/bin/env python3
"""Do the documents lead somewhere? A link has to lead to a file that is there and to a heading in it, and
docs/architecture.md may name no source file that is gone (a * stands for anything). Says what does not; exits 1 then."""

import fnmatch
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
FOLDERS = ["README.md", "docs", "proxyd", "filters", "pac", "policy", "admin", "tests", "bench", "service", "tools"]
bad = []


def below(name):
    return [name] if os.path.isfile(name) else [os.path.join(at, file) for at, _, files in os.walk(name) for file in files]


FILES = [file for folder in FOLDERS for file in below(folder)]


def text_of(name):
    with open(name, encoding="utf-8") as file:
        return file.read()


def headings(name):
    """As GitHub makes them to anchors: letters, digits, - and _, in lower case, a - for each blank."""
    prose = re.sub(r"^```.*?^```", "", text_of(name), flags=re.S | re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", prose, re.M)}


for document in [name for name in FILES if name.endswith(".md")]:
    for link in re.findall(r"\]\(([^)\s:]+)\)", text_of(document)):
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
        if not os.path.exists(target):
            bad.append(f"{document}: no file for the link {link}")
        elif anchor and target.endswith(".md") and anchor not in headings(target):
            bad.append(f"{document}: no heading for the link {link}")

for name in sorted(set(re.findall(r"`([\w*./-]+\.(?:c|h|tbl|js))`", text_of("docs/architecture.md")))):
    pattern = re.sub("[A-Z]{2,}", "*", name)  # list_FORMAT.c
    if not any(fnmatch.fnmatch("/" + file, "*/" + pattern) for file in FILES):
        bad.append(f"docs/architecture.md: no file {name}")

print("\n".join(bad), end="\n" if bad else "")
sys.exit(bool(bad))
