"""What `make` puts into place and takes away again, in folders of the test."""
import os
import re
import subprocess

import pytest

from lib.daemon import BINARY
from lib.faults import ROOT
from lib.times import SLOW

pytestmark = pytest.mark.inputs("Makefile", "README.md", "docs/*.md")


INSTALLED = {ROOT / "README.md", *(ROOT / "docs").glob("*.md")}


def make(*words, code=0):
    """`make WORDS…` on this tree, with nothing of a make around it; what it wrote."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "--no-print-directory", *words], cwd=ROOT, env=env, text=True,
                          capture_output=True, timeout=120 * SLOW, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_install_and_uninstall(tmp_path):
    """What is installed is found by the links of what is installed."""
    place = [f"DESTDIR={tmp_path}", "PREFIX=/opt", f"BUILD={BINARY.parent}"]
    make("install", *place)
    documents = tmp_path / "opt/share/doc/proxyd"
    assert files(tmp_path / "opt") == ["bin/proxyd", *sorted(
        f"share/doc/proxyd/{page.relative_to(ROOT)}" for page in INSTALLED)]
    for source in INSTALLED:
        page = documents / source.relative_to(ROOT)
        for target in re.findall(r"\]\(([^)#:]+)", page.read_text(encoding="utf-8")):
            to_source = (source.parent / target).resolve() not in INSTALLED
            assert to_source or (page.parent / target).exists(), f"{page.name}: {target}"
    make("uninstall", *place)
    assert files(tmp_path) == []


def test_clean_removes_what_the_build_made(tmp_path):
    folder = tmp_path / "made"
    make(f"{folder}/.proxyd-build", f"BUILD={folder}")
    make("clean", f"BUILD={folder}", "MAKE=true")
    assert not folder.exists()


def test_clean_removes_nothing_else(tmp_path):
    """A folder that was there before is somebody's, even when a build has been sent into it."""
    (tmp_path / "letter").write_text("dear")
    make(f"{tmp_path}/.proxyd-build", f"BUILD={tmp_path}")
    assert "was not made by this build" in make("clean", f"BUILD={tmp_path}", "MAKE=true", code=2)
    assert (tmp_path / "letter").read_text() == "dear"
    make("clean", f"BUILD={tmp_path}/nothing", "MAKE=true")
