"""`make layers`: what points up is found, be it an include or a call."""
import subprocess

import pytest

from lib.faults import ROOT

pytestmark = pytest.mark.inputs("tests/layers.txt", "tests/*.awk")

FILES = {"proxyd/base/text.h": "", "proxyd/core/conn/conn.h": '#include "base/text.h"\n', "proxyd/core/conn/conn.c": "",
         "proxyd/core/conn/target.h": "", "proxyd/core/conn/target.c": "", "proxyd/core/codec/server.c": "",
         "proxyd/core/exchange/xchg.h": '#include "core/conn/target.h"\n', "proxyd/core/exchange/xchg.c": "",
         "proxyd/core/exchange/role.h": "", "proxyd/core/worker.h": "", "proxyd/core/thread.c": ""}
SYMBOLS = ["proxyd/core/conn/conn.o: conn_close T 0 0", "proxyd/core/conn/target.o: target_get T 0 0",
           "proxyd/core/codec/server.o: client_close T 0 0", "proxyd/core/codec/server.o: conn_close U",
           "proxyd/core/exchange/xchg.o: xchg_wake T 0 0", "proxyd/core/exchange/xchg.o: target_get U",
           "proxyd/core/thread.o: worker_new T 0 0", "proxyd/core/thread.o: xchg_wake U",
           "proxyd/core/conn/conn.o: malloc U"]


@pytest.fixture
def layers(tmp_path):
    def run(more=(), **files):
        for name, text in {**FILES, **{name.replace("__", "/"): text for name, text in files.items()}}.items():
            name = name if "." in name else f"{name}.c"
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text or "/* nothing */\n")
        (tmp_path / "symbols").write_text("\n".join([*SYMBOLS, *more]) + "\n")
        names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.[ch]"))
        rules = (ROOT / "tests/layers.txt").read_text()
        (tmp_path / "rules").write_text("".join(line for line in rules.splitlines(keepends=True)
                                                if not line.startswith("twins")))
        done = subprocess.run(["awk", "-f", ROOT / "tests/layers.awk", "rules", "symbols", *names], cwd=tmp_path,
                              text=True, capture_output=True, timeout=60)
        return done.returncode, done.stdout
    return run


def test_what_points_down(layers):
    code, said = layers()
    assert code == 0, said
    assert "11 files, 2 includes, 3 calls, 0 violations" in said


@pytest.mark.parametrize("call, found", [
    ("proxyd/core/conn/conn.o: xchg_wake U", "proxyd/core/conn may not call proxyd/core/exchange (xchg_wake"),
    ("proxyd/core/codec/server.o: xchg_wake U", "proxyd/core/codec may not call proxyd/core/exchange"),
    ("proxyd/core/exchange/xchg.o: worker_new U", "proxyd/core/exchange may not call proxyd/core (worker_new"),
    ("proxyd/core/exchange/xchg.o: conn_close U", "proxyd/core/exchange may not call proxyd/core/conn (conn_close"),
])
def test_a_call_that_points_up(layers, call, found):
    """Headers may be open to a room whose code is not: proxyd/core's own are."""
    code, said = layers([call])
    assert code == 1 and found in said, said


@pytest.mark.parametrize("file, text, found", [
    ("proxyd__core__conn__conn", '#include "core/exchange/xchg.h"\n', "conn may not include from proxyd/core/exchange (core/exchange/xchg.h)"),
    ("proxyd__core__codec__server", '#include "core/exchange/role.h"\n', None),
    ("proxyd__core__conn__conn", '#include "core/worker.h"\n', None),
    ("proxyd__core__other__new", "", "its folder is not in tests/layers.txt"),
    ("proxyd__core__codec__server", "int fd = c->stream.io.fd;\n", '"stream.io.fd" has no place here'),
    ("proxyd__core__codec__server", "/* c->stream.io.fd */\n", None),
    ("proxyd__core__conn__conn", "return c->stream.io.fd;\n", None),
])
def test_an_include_that_points_up(layers, file, text, found):
    code, said = layers(**{file: text})
    assert (code == 1 and found in said) if found else code == 0, said


def test_symbols_that_are_missing(tmp_path):
    """Without objects nothing would be found, and that must not pass for good."""
    done = subprocess.run(["awk", "-f", ROOT / "tests/layers.awk", ROOT / "tests/layers.txt", "/dev/null"],
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 1 and "tells of no call" in done.stdout
