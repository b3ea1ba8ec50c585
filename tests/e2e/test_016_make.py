"""What `make` puts into place and takes away again, in folders of the test."""
import os
import re
import subprocess

import pytest

from lib.daemon import BINARY
from lib.faults import ROOT
from lib.times import SLOW

pytestmark = pytest.mark.inputs("Makefile", "README.md", "docs/*.md", "service/*", "service/lists/*")


INSTALLED = {ROOT / "README.md", *(ROOT / "docs").glob("*.md")}

SERVICE = {   # what a server needs beside the binary, and which of it is the administrator's
    "opt/share/man/man8/proxyd.8", "opt/share/man/man5/proxyd.conf.5", "opt/share/bash-completion/completions/proxyd",
    "opt/share/zsh/site-functions/_proxyd", "opt/share/fish/vendor_completions.d/proxyd.fish",
    "opt/lib/systemd/system/proxyd.service", "opt/lib/systemd/system/proxyd-nft.service", "opt/lib/sysusers.d/proxyd.conf", "opt/lib/tmpfiles.d/proxyd.conf",
    "opt/share/doc/proxyd/examples/office.conf",
    "opt/share/doc/proxyd/examples/network.conf", "opt/share/doc/proxyd/examples/lists/blocked.txt"}
OWN = {"etc/proxyd/proxyd.conf", "etc/proxyd/lists/blocked.txt", "etc/logrotate.d/proxyd"}


def make(*words, code=0):
    """`make WORDS…` on this tree, with nothing of a make around it; what it wrote."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "--no-print-directory", *words], cwd=ROOT, env=env, text=True,
                          capture_output=True, timeout=120 * SLOW, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def place(folder):
    return [f"DESTDIR={folder}", "PREFIX=/opt", f"BUILD={BINARY.parent}"]


@pytest.mark.slow("make several times")
def test_install_and_uninstall(tmp_path):
    """What is installed is found by the links of what is installed; all of it goes away again."""
    make("install", *place(tmp_path))
    documents = tmp_path / "opt/share/doc/proxyd"
    assert set(files(tmp_path)) == SERVICE | OWN | {"opt/bin/proxyd"} | {
        f"opt/share/doc/proxyd/{page.relative_to(ROOT)}" for page in INSTALLED}
    for name in files(tmp_path):
        path = tmp_path / name
        assert path.stat().st_mode & 0o7777 == (0o755 if name == "opt/bin/proxyd" else 0o644), name
        assert all((tmp_path / folder).stat().st_mode & 0o777 == 0o755 for folder in list(path.relative_to(tmp_path).parents)[:-1]), name
    for source in INSTALLED:
        page = documents / source.relative_to(ROOT)
        for target in re.findall(r"\]\(([^)#:]+)", page.read_text(encoding="utf-8")):
            to_source = (source.parent / target).resolve() not in INSTALLED
            assert to_source or (page.parent / target).exists(), f"{page.name}: {target}"
    unit = (tmp_path / "opt/lib/systemd/system/proxyd.service").read_text()
    assert "ExecStart=/opt/bin/proxyd run -c /etc/proxyd/proxyd.conf\n" in unit and "@" not in re.sub("[=~]@[a-z]", "", unit)
    make("uninstall", *place(tmp_path))
    assert files(tmp_path) == []
    assert not (tmp_path / "etc/proxyd").exists() and not documents.exists()


@pytest.mark.slow("make several times")
def test_the_administrators_files_stay(tmp_path):
    """A configuration that was changed is neither overwritten nor taken away."""
    make("install", *place(tmp_path))
    config = tmp_path / "etc/proxyd/proxyd.conf"
    config.write_text("mine")
    make("install", *place(tmp_path))
    assert config.read_text() == "mine"
    assert f"left, because it was changed: {config}" in make("uninstall", *place(tmp_path))
    assert files(tmp_path) == ["etc/proxyd/proxyd.conf"] and config.read_text() == "mine"


@pytest.mark.slow("builds objects, and takes them away")
def test_clean_removes_what_the_build_made(tmp_path):
    folder = tmp_path / "made"
    make(f"{folder}/.proxyd-build", f"BUILD={folder}")
    make("clean", f"BUILD={folder}", "MAKE=true")
    assert not folder.exists()


@pytest.mark.slow("builds objects and takes them away again")
def test_clean_removes_nothing_else(tmp_path):
    """A folder that was there before is somebody's, even when a build has been sent into it."""
    (tmp_path / "letter").write_text("dear")
    make(f"{tmp_path}/.proxyd-build", f"BUILD={tmp_path}")
    assert "was not made by this build" in make("clean", f"BUILD={tmp_path}", "MAKE=true", code=2)
    assert (tmp_path / "letter").read_text() == "dear"
    make("clean", f"BUILD={tmp_path}/nothing", "MAKE=true")
