"""`make deps` as far as it can go without installing anything: what it wants, what it says when it cannot
have it, and what it leaves behind. The programs that would change the machine are stand-ins.
"""
import os
import signal
import subprocess

import pytest

from lib.faults import ROOT
from lib.times import SLOW, until

pytestmark = pytest.mark.inputs("tools/deps.sh", "packages.txt")

STANDINS = {
    "id": "echo 1000",
    "dpkg-query": "echo installed gcc",
    "sudo": """
[ -z "$SUDO_REFUSES" ] || { echo "sudo: a password is required" >&2; exit 1; }
exec "$@"
""",
    "apt-get": """
echo "$@" >> "$FOLDER/apt"
[ -z "$APT_WAITS" ] || exec sleep 30
[ -z "$APT_FAILS" ] || { echo "E: Unable to fetch some archives" >&2; exit 100; }""",
    "systemctl": "",
}


def as_from_a_terminal():
    """A run in the background ignores these, and so would what it starts."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Deps:
    """tools/deps.sh among its stand-ins."""

    def __init__(self, folder):
        self.folder = folder
        self.policy = folder / "policy-rc.d"
        (folder / "bin").mkdir()
        for name, text in STANDINS.items():
            program = folder / "bin" / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)

    def start(self, *sections, **more):
        env = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "FOLDER": str(self.folder),
               "DEPS_POLICY": str(self.policy), **more}
        return subprocess.Popen([ROOT / "tools/deps.sh", *sections], env=env, text=True, start_new_session=True,
                                preexec_fn=as_from_a_terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *sections, **more):
        """(exit code, stdout, stderr)"""
        process = self.start(*sections, **more)
        out, err = process.communicate(timeout=20 * SLOW)
        return process.returncode, out, err

    def asked(self):
        """What apt-get was told to do."""
        path = self.folder / "apt"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def deps(tmp_path):
    return Deps(tmp_path)


def test_what_is_missing_is_installed(deps):
    code, out, err = deps.run("build")
    assert code == 0 and err == ""
    assert out.startswith("deps: installing libc6-dev ") and " gcc" not in out
    assert len(deps.asked()) == 1 and deps.asked()[0].endswith(out.removeprefix("deps: installing").rstrip())
    assert not deps.policy.exists()


@pytest.mark.parametrize("sections,unknown", [(["bogus"], "bogus"), (["build", "bogus"], "bogus"), (["build test"], "build test"),
                                              (["buil."], "buil."), ([""], "")])
def test_an_unknown_section(deps, sections, unknown):
    code, out, err = deps.run(*sections)
    assert code == 2 and out == ""
    assert err == f"deps: packages.txt has no section '{unknown}', but build test lint bench\n"
    assert deps.asked() == []


def test_sudo_refuses(deps):
    """That is not the network's fault."""
    code, out, err = deps.run("build", SUDO_REFUSES="1")
    assert code == 1 and out == "" and deps.asked() == []
    assert "deps: packages are missing, and sudo does not let you install them. As root:\n" in err
    assert "    apt-get install -y --no-install-recommends libc6-dev " in err and "network" not in err


def test_apt_fails(deps):
    code, _, err = deps.run("build", APT_FAILS="1")
    assert code == 1 and len(deps.asked()) == 2, "an update in between"
    assert "E: Unable to fetch some archives\n" in err and "is the network or the package mirror there?" in err
    assert not deps.policy.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_nothing(deps, number):
    """What keeps services from starting must not stay behind: no service would start any more."""
    process = deps.start("build", APT_WAITS="1")
    assert until(deps.asked) and deps.policy.exists()
    os.killpg(process.pid, number)
    process.communicate(timeout=20 * SLOW)
    assert process.returncode != 0 and not deps.policy.exists()
