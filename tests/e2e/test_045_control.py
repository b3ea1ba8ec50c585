"""The control socket: `proxyd reload` reaches the daemon that runs, and nobody else does."""
import os
import signal
import stat

import pytest

from lib import conf
from lib.client import fetch
from lib.daemon import StartFailed, run_command
from lib.faults import assert_refused

DENY = 'deny no { path /x; } '


def reload(socket, **more):
    return run_command("reload", "--socket", socket, **more)


def test_reload_prints_what_changed(proxyd, origin):
    # covers: control
    daemon = proxyd(conf.forward(rules=DENY + conf.OPEN_RULES, extra="control here/c.sock;"),
                    files={"here/empty": ""})
    socket = daemon.folder / "here/c.sock"
    mode = os.stat(socket).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert_refused(fetch(daemon.port, origin.url("/x")), "rule_denied")
    daemon.config.write_text(daemon.config.read_text().replace(DENY, ""))
    done = reload(socket)
    assert (done.returncode, done.stderr) == (0, "") and "deny no: removed" in done.stdout
    assert fetch(daemon.port, origin.url("/x")).status == 200
    assert "nothing has changed" in reload(socket).stdout
    daemon.stop()
    assert not socket.exists()
    done = reload(socket)
    assert done.returncode == 1 and "no proxyd listens there" in done.stderr


def test_a_wrong_configuration_changes_nothing_and_is_explained(proxyd, origin):
    daemon = proxyd(conf.forward())
    daemon.config.write_text(daemon.config.read_text() + "limmits { }\n")
    done = reload(daemon.folder / "control.sock")
    assert done.returncode == 1 and done.stdout == ""
    assert f'{daemon.config}:' in done.stderr and 'did you mean "limits"?' in done.stderr
    assert fetch(daemon.port, origin.url()).status == 200


def test_the_default_path_is_found_by_both_sides(proxyd):
    daemon = proxyd(conf.forward())
    done = run_command("reload", env={"RUNTIME_DIRECTORY": str(daemon.folder)})
    assert done.returncode == 0, done.stderr
    with open(daemon.folder / "stderr") as said:
        assert f"control at {daemon.folder}/control.sock" in said.read()


def test_none_is_wanted(proxyd):
    daemon = proxyd(conf.forward(extra="control none;"))
    assert not (daemon.folder / "control.sock").exists()


def test_a_path_that_another_one_has(proxyd, origin):
    """A default path is done without; one that was chosen is insisted on. The first keeps it in either case."""
    first = proxyd(conf.forward())
    socket = first.folder / "control.sock"
    second = proxyd(conf.forward(), env={"RUNTIME_DIRECTORY": str(first.folder)})
    assert "another proxyd listens there" in second.stderr() and fetch(second.port, origin.url()).status == 200
    with pytest.raises(StartFailed) as failed:
        proxyd(conf.forward(extra=f"control {socket};"))
    assert failed.value.code == 1 and "another proxyd listens there" in failed.value.stderr
    second.stop()
    assert reload(socket).returncode == 0


def test_one_that_a_killed_daemon_left_behind_is_replaced(proxyd):
    first = proxyd(conf.forward())
    socket = first.folder / "control.sock"
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    first.excused = True
    assert socket.exists()
    proxyd(conf.forward(extra=f"control {socket};"))
    assert reload(socket).returncode == 0


@pytest.mark.parametrize("words,code,says", [
    (["reload", "-s"], 2, "needs the path of a control socket"), (["reload", "file"], 2, '"file" is not known here'),
    (["reload", "-s", "/nowhere/c"], 1, "no proxyd listens there")])
def test_what_is_wrong_with_the_call(words, code, says):
    done = run_command(*words)
    assert done.returncode == code and says in done.stderr and done.stdout == ""


@pytest.mark.parametrize("path,says", [("/nowhere/c.sock", "No such file"), ("x" * 120, "too long for a socket")])
def test_a_path_that_cannot_be(proxyd, path, says):
    with pytest.raises(StartFailed) as failed:
        proxyd(conf.forward(extra=f"control {path};"))
    assert says in failed.value.stderr
