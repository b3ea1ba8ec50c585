"""The command line and the configuration language as somebody at a terminal meets them: what is said,
byte for byte where it matters, with which exit code, and that no file whatsoever makes it crash or hang.
"""
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess

import pytest

from lib import conf
from lib.client import Client, fetch, request
from lib.daemon import BINARY, environment, run_command
from lib.faults import ROOT, assert_refused
from lib.namespace import in_namespace
from lib.origin import Origin
from lib.times import Stopwatch, until, within

pytestmark = pytest.mark.smoke

FINE, FAILED, USAGE, BAD_CONFIG = 0, 1, 2, 78

LISTENER = "listener a { bind 127.0.0.1:3128; mode forward; policy p; }\n"
POLICY = "policy p { default deny; }\n"
RIGHT = LISTENER + POLICY


@pytest.fixture
def write(tmp_path):
    """write(name=text, …): files in a folder of their own, the first one's path."""
    def one(first, **others):
        for name, text in {"main.conf": first, **others}.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "main.conf"
    return one


def check(path, *options, env=None, stdin=None):
    """`proxyd check -c FILE` as it would be typed in the file's folder."""
    path = pathlib.Path(path)
    return run_command("check", "-c", path.name, *options, env=env, stdin=stdin, cwd=path.parent, timeout=5)


def said(path, code=FAILED, **more):
    done = check(path, **more)
    assert done.returncode == code, done.stderr
    assert done.stdout == ("" if code else f"{pathlib.Path(path).name}: no errors\n")
    return done.stderr


# -- commands and their codes ---------------------------------------------------------------------

def test_version():
    done = run_command("version")
    assert done.returncode == FINE and done.stderr == ""
    assert done.stdout == f"proxyd {(ROOT / 'VERSION').read_text(encoding='ascii').strip()}\n"
    assert run_command("--version").stdout == done.stdout


COMMANDS = ["run", "check", "config", "reference", "version", "help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_teaches(command):
    """Usage, every option with its meaning, an example, the exit codes; the same by `help COMMAND`."""
    done = run_command(command, "--help")
    assert done.returncode == FINE and done.stderr == ""
    text = done.stdout
    if command != "help":
        assert run_command("help", command).stdout == text
    for wanted in ("usage: proxyd " + command, "example:\n", "exit codes: 0 ", "-h, --help"):
        assert wanted in text, f"no {wanted!r} in\n{text}"
    assert max(len(line) for line in text.splitlines()) <= 95


def test_list_of_commands():
    done = run_command("help")
    assert done.returncode == FINE and done.stderr == ""
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", done.stdout, re.M)
    assert run_command("--help").stdout == done.stdout
    nothing = run_command()
    assert nothing.returncode == USAGE and nothing.stdout == "" and nothing.stderr == done.stdout


@pytest.mark.parametrize("args,complaint", [
    (["chek"], 'there is no command "chek"\ndid you mean "check"?\n'),
    (["check", "--stict"], '"--stict" is not known here\ndid you mean "--strict"?\n'),
    (["check", "extra"], '"extra" is not known here\ndid you mean -c "extra"?\n'),
    (["help", "run", "extra"], 'proxyd help: "extra" is not known here\n'),
    (["check", "-c"], "--config needs the name of a file\n"),
    (["check", "-c", ""], "--config needs the name of a file\n"),
    (["check", "-c", "a", "-c", "b"], "--config stands there twice\n"),
    (["run", "--default"], '"--default" is not known here\n'),
    (["config"], "nothing to do\n"),
    (["help", "nothing"], 'there is no command "nothing"\n'),
])
def test_wrong_usage(args, complaint):
    done = run_command(*args)
    assert done.returncode == USAGE and done.stdout == ""
    assert complaint in done.stderr and done.stderr.startswith("proxyd")
    assert "help" in done.stderr, "it should say where the explanation is"


@pytest.mark.parametrize("args", [["config", "--default"], ["reference"], ["check"], ["help", "run"]])
def test_output_that_cannot_be_written(args):
    """`proxyd config --default > proxyd.conf` on a full disk is no success."""
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([BINARY, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                              env=environment())
    assert done.returncode == FAILED
    assert done.stderr == "proxyd: cannot write to standard output: No space left on device\n"


def test_config_default_is_right_and_prints_what_run_uses(write):
    done = run_command("config", "--default")
    assert done.returncode == FINE and done.stderr == ""
    assert said(write(done.stdout), FINE) == ""
    assert run_command("check").stdout == "the built-in configuration: no errors\n"
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


def test_reference_is_the_committed_one():
    done = run_command("reference")
    assert done.returncode == FINE
    assert done.stdout == (ROOT / "docs/reference.md").read_text(encoding="utf-8")


def test_check_by_standard_input(write):
    assert run_command("check", "-c", "-", stdin=RIGHT).stdout == "standard input: no errors\n"
    done = run_command("check", "-c", "-", stdin="nothing;")
    assert done.returncode == FAILED
    assert 'standard input:1:1: error: "nothing" is not known at the top level\n' in done.stderr
    assert done.stderr.endswith("standard input: 2 errors, 0 warnings\n")
    for spelling in (["--config=main.conf"], ["-cmain.conf"], ["--config", "main.conf"]):
        assert run_command("check", *spelling, cwd=write(RIGHT).parent).returncode == FINE


def as_nobody():
    """Arguments for run_command: who may do everything proves nothing. Who is nobody special stays so."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def test_check_takes_no_port_and_no_root(proxyd, write):
    """While a daemon holds the address, and as nobody."""
    daemon = proxyd()
    text = RIGHT.replace("3128", str(daemon.port))
    path = write(text.replace("127.0.0.1:", "*:") + "admin { bind 127.0.0.1:81; }\n")
    assert check(path).returncode == FINE
    done = run_command("check", "-c", "-", stdin=path.read_text(), **as_nobody())
    assert done.returncode == FINE, done.stderr


def test_warnings_count_only_with_strict(write):
    path = write(RIGHT + "policy idle { default deny; }\n")
    done = check(path)
    assert done.returncode == FINE
    assert 'main.conf:3:' in done.stderr and "warning: " in done.stderr
    assert done.stderr.endswith("main.conf: 0 errors, 1 warning\n")
    assert check(path, "--strict").returncode == FAILED


def test_run_with_a_wrong_configuration(write):
    """78: starting again does not help. The same words as check's, and nothing is left listening."""
    path = write(RIGHT + "wrokers 4;\n")
    done = run_command("run", "-c", path.name, cwd=path.parent)
    assert done.returncode == BAD_CONFIG and done.stdout == ""
    assert done.stderr == said(path).replace("main.conf: 1 error, 0 warnings\n", "")


# -- what errors look like ------------------------------------------------------------------------

ERRORS = {
    "unknown key": ("wrokers 4;\n" + RIGHT, """\
main.conf:1:1: error: "wrokers" is not known at the top level
    wrokers 4;
    ^~~~~~~
    expected one of: workers, offload-threads, user, include, listener, list, policy, parent, pac, routes, pool, cache, test, log access, log error, \
dns, limits, timeouts, admin, control, state
    did you mean "workers"?
main.conf: 1 error, 0 warnings
"""),
    "no unit": (RIGHT + "timeouts { head 10; }\n", """\
main.conf:3:17: error: "10" is not a duration
    timeouts { head 10; }
                    ^~
    expected a number with a unit (ms, s, m, h, d or w), such as 30s
    did you mean "10s"?
main.conf: 1 error, 0 warnings
"""),
    "no such block": (LISTENER.replace("policy p", "policy staf") + POLICY.replace("policy p", "policy staff"), """\
main.conf:1:56: error: there is no block "policy staf"
    listener a { bind 127.0.0.1:3128; mode forward; policy staf; }
                                                           ^~~~
    expected the name of a block "policy NAME { ... }"
    did you mean "staff"?
main.conf: 1 error, 0 warnings
"""),
    "twice": (RIGHT + "limits { head 32k; fields 9; head 16k; }\n", """\
main.conf:3:30: error: "head" stands here for the second time, first at main.conf:3:10
    limits { head 32k; fields 9; head 16k; }
                                 ^~~~
main.conf: 1 error, 0 warnings
"""),
    "no semicolon": (LISTENER.replace("; }", " }") + POLICY, """\
main.conf:1:57: error: a ";" is missing behind "p"
    listener a { bind 127.0.0.1:3128; mode forward; policy p }
                                                            ^
main.conf: 1 error, 0 warnings
"""),
    "tabs": ("\tworkers\t\t0;\n" + RIGHT, """\
main.conf:1:11: error: "0" is too small
    \tworkers\t\t0;
    \t       \t\t^
    expected at least 1
main.conf: 1 error, 0 warnings
"""),
    "a port twice": (RIGHT + "admin { bind 127.0.0.1:3128; }\n", """\
main.conf:3:14: error: "127.0.0.1:3128" is already listened on by the listener "a", at main.conf:1:19
    admin { bind 127.0.0.1:3128; }
                 ^~~~~~~~~~~~~~
    expected an address of its own: clients must not reach the admin listener
main.conf: 1 error, 0 warnings
"""),
    "an unset variable": ("workers ${PROXYD_NOT_SET};\n" + RIGHT, """\
main.conf:1:9: error: the environment has no PROXYD_NOT_SET
    workers ${PROXYD_NOT_SET};
            ^~~~~~~~~~~~~~~~~
    expected it to be set, as in: PROXYD_NOT_SET=value proxyd ...
main.conf: 1 error, 0 warnings
"""),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_byte_for_byte(write, name):
    text, expected = ERRORS[name]
    assert said(write(text)) == expected


def test_all_errors_in_one_run_up_to_twenty(write):
    text = RIGHT + "limits { " + " ".join(f"bogus{i} 1;" for i in range(30)) + " }\n"
    errors = said(write(text))
    assert errors.count(": error: ") == 20
    assert "and 10 more errors\n" in errors and errors.endswith("main.conf: 30 errors, 0 warnings\n")
    assert [f'"bogus{i}"' in errors for i in range(30)] == [True] * 20 + [False] * 10, "from the top"


@pytest.mark.parametrize("block,key", [
    ("cache main { pth /x; }", "pth"),
    ("listener b { bind [::1]:1; mode forward; policy p; tls { cert a; key b; } }", "tls"),
])
def test_keys_of_a_later_version_are_not_known(write, block, key):
    """Never accepted silently."""
    assert f': error: "{key}" is not known in the block' in said(write(RIGHT + block + "\n"))


def test_log_places_of_a_later_version(write):
    """`to` takes a path, so a word that is to mean something else later must not become a file."""
    assert '"syslog" is not known here' in said(write(RIGHT + "log error { to syslog; }\n"))
    said(write(RIGHT + "log access { to squid; }\n"), FINE)


# -- hostile files --------------------------------------------------------------------------------

HOSTILE = {
    "NUL": (b"workers 4;\0\n", "main.conf:1:11: error: a NUL byte, byte 11 of the file"),
    "NUL in a text": (b'policy p { default deny "a\0b"; }', "error: a NUL byte"),
    "invalid UTF-8": (b"workers \xff\xfe;\n", "main.conf:1:9: error: invalid UTF-8: the byte 0xff"),
    "overlong UTF-8": (b"# \xc0\xaf\n", "error: invalid UTF-8"),
    "a surrogate": (b"# \xed\xa0\x80\n", "error: invalid UTF-8"),
    "cut UTF-8": (b"# \xe2\x82", "error: invalid UTF-8"),
    "a line of 10 MB": (b"a " * 5_000_000, "main.conf:1:"),
    "a word of 10 MB": (b"a" * 10_000_000, "main.conf:1:"),
    "a text of 10 MB": (b'policy p { default deny "' + b"x" * 10_000_000 + b'"; }', "main.conf:1:"),
    "10,000 levels": (b"a { " * 10_000, "main.conf:1:"),
    "10,000 levels closed": (b"a { " * 10_000 + b"} " * 10_000, "main.conf:1:"),
    "100,000 errors": (b"x;\n" * 100_000, "main.conf:1:1: error: "),
    "only brackets": (b"}" * 100_000, "main.conf:1:1: error: "),
    "only quotes": (b'"' * 100_001, "main.conf:1:"),
    "nothing": (b"", 'error: "listener" is missing'),
    "only a comment": (b"# nothing", 'error: "listener" is missing'),
    "escape sequences": (b"\x1b[2J\x1b]0;x\x07 4;", "main.conf:1:1: error: "),
    "a binary": (pathlib.Path("/bin/true").read_bytes(), "main.conf:1:"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(write, name):
    """A clear error with its place, in bounded time and space, and nothing that a terminal obeys."""
    data, expected = HOSTILE[name]
    path = write(data)
    with Stopwatch() as watch:
        errors = said(path)
    assert watch.seconds < within(2)
    assert expected in errors, errors[:2000]
    assert len(errors) < 40_000
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", errors.replace("\t", "")), "controls reach the terminal"
    done = run_command("run", "-c", path, timeout=5)
    assert done.returncode == BAD_CONFIG


def test_a_byte_order_mark_is_skipped(write):
    said(write(b"\xef\xbb\xbf" + RIGHT.encode()), FINE)


@pytest.mark.parametrize("kind", ["folder", "FIFO", "socket", "device", "missing", "unreadable", "a name of 5000"])
def test_not_a_file(tmp_path, kind):
    path = tmp_path / "it"
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    elif kind == "device":
        path = pathlib.Path("/dev/zero")
    elif kind == "unreadable":
        path.write_text(RIGHT)
        path.chmod(0)
    elif kind == "a name of 5000":
        path = tmp_path / ("n" * 5000)
    with Stopwatch() as watch:
        who = as_nobody() if kind == "unreadable" else {}
        done = run_command("check", "-c", path, timeout=5, **who)
        ran = run_command("run", "-c", path, timeout=5, **who)
    assert watch.seconds < within(2)
    assert done.returncode == FAILED and ran.returncode == BAD_CONFIG
    assert ": error: cannot read " in done.stderr and done.stderr.count(": error: ") == 1


@pytest.mark.parametrize("kind", ["folder", "FIFO", "missing"])
def test_the_same_by_include(write, tmp_path, kind):
    path = write(RIGHT + "include it;\n")
    if kind == "folder":
        (tmp_path / "it").mkdir()
    elif kind == "FIFO":
        os.mkfifo(tmp_path / "it")
    assert 'main.conf:3:9: error: cannot read "it"' in said(path)


# -- include, ${ENV}, secret file -----------------------------------------------------------------

def test_include_by_pattern_in_byte_order(write):
    """Rules in several files: their order is that of the names' bytes, and it decides."""
    # covers: include
    path = write(LISTENER + "policy p { default deny; rules { include rules/*.conf; } }\n", **{
        "rules__10.conf": "allow second { }", "rules__9.conf": "allow fourth { }",
        "rules__Z.conf": "allow fifth { }", "rules__1.conf": "bogus first { }",
        "rules__2.txt": "bogus not_read { }", "rules__.hidden.conf": "bogus not_read { }"})
    errors = said(path)
    assert errors.count(": error: ") == 1
    assert 'rules/1.conf:1:1: error: "bogus" is not known in the block "rules"' in errors
    assert "included from main.conf:2:" in errors
    for name, word in (("1", "bogus"), ("10", "bogus"), ("9", "bogus"), ("Z", "bogus")):
        (path.parent / f"rules/{name}.conf").write_text(f"{word} x {{ }}")
    order = re.findall(r"^rules/(\w+)\.conf:1:1: error", said(path), re.M)
    assert order == ["1", "10", "9", "Z"]


def test_include_decides_for_real(proxyd, origin):
    """The same with a running daemon: the first file's rule wins."""
    # covers: include
    files = {"rules/b.conf": "allow late { to *; reach loopback; }",
             "rules/a.conf": "deny early { path /secret; }"}
    daemon = proxyd(conf.forward(rules="include rules/*.conf;"), files=files)
    assert fetch(daemon.port, origin.url("/open")).status == 200
    assert_refused(fetch(daemon.port, origin.url("/secret/x")), "rule_denied")
    assert origin.paths() == ["/open"]


def test_include_is_relative_to_the_file_that_names_it(write):
    path = write("include sub/a.conf;\n", sub__a_conf="", **{
        "sub/a.conf": "include deeper/b.conf;\n" + LISTENER, "sub/deeper/b.conf": POLICY})
    said(path, FINE)
    done = run_command("check", "-c", path, cwd="/")
    assert done.returncode == FINE, done.stderr


def test_an_empty_pattern_is_fine_a_missing_file_is_not(write):
    said(write(RIGHT + "include nothing/*.conf;\n"), FINE)
    assert said(write(RIGHT + "include nothing/a.conf;\n")) == """\
main.conf:3:9: error: cannot read "nothing/a.conf": No such file or directory
    include nothing/a.conf;
            ^~~~~~~~~~~~~~
main.conf: 1 error, 0 warnings
"""


@pytest.mark.parametrize("files", [
    {"main.conf": "include main.conf;"},
    {"main.conf": "include b.conf;", "b.conf": "include c.conf;", "c.conf": "include main.conf;"},
    {"main.conf": "include *.conf;"},
    {"main.conf": "include ./x/../main.conf;", "x/y": ""},
    {"main.conf": "include link.conf;", "link.conf": None},
])
def test_cycles_of_includes(write, tmp_path, files):
    more = {name: text for name, text in files.items() if name != "main.conf" and text is not None}
    path = write(RIGHT + files["main.conf"] + "\n", **more)
    if "link.conf" in files:
        (tmp_path / "link.conf").symlink_to("main.conf")
    with Stopwatch() as watch:
        errors = said(path)
    assert watch.seconds < within(2)
    assert "includes itself" in errors and errors.count(": error: ") == 1, errors


def test_a_cascade_of_includes_is_bounded(write):
    """Each of 30 files reads the next one twice: 2^30 if nobody counts."""
    files = {f"f{i}.conf": f"include f{i + 1}.conf;\ninclude f{i + 1}.conf;\n" for i in range(30)}
    files["f30.conf"] = "# the end\n"
    with Stopwatch() as watch:
        done = check(write(RIGHT + "include f0.conf;\n", **files))
    assert watch.seconds < within(5)
    assert done.returncode == FAILED and ": error: " in done.stderr


def test_variables(write):
    text = LISTENER.replace("3128", "${E2E_PORT}").replace("policy p", "policy ${E2E_NAME}") + POLICY
    said(write(text), FINE, env={"E2E_PORT": "4000", "E2E_NAME": "p"})
    assert 'there is no block "policy a b; }"' in said(write(text), env={"E2E_PORT": "4000", "E2E_NAME": "a b; }"}), \
        "the value is one word, never lexed again"


def test_variables_in_a_running_daemon(proxyd, origin):
    daemon = proxyd(conf.forward(rules='deny x { path "/${E2E_PATH}"; } '
                                 + conf.OPEN_RULES), env={"E2E_PATH": "shut"})
    assert_refused(fetch(daemon.port, origin.url("/shut")), "rule_denied")
    assert fetch(daemon.port, origin.url("/${E2E_PATH}".replace("$", "%24"))).status == 200


def test_secret_file(proxyd, origin, write):
    """Its first line is the value, without the line's end; it is never printed."""
    daemon = proxyd(conf.forward(rules="deny x { path secret file the.secret; } " + conf.OPEN_RULES),
                    files={"the.secret": "/hidden\nsecond line\n"})
    assert_refused(fetch(daemon.port, origin.url("/hidden")), "rule_denied")
    assert fetch(daemon.port, origin.url("/second")).status == 200
    errors = said(write("workers secret file s;\n" + RIGHT, s="swordfish\n"))
    assert "swordfish" not in errors and "a secret" in errors
    assert "cannot read" in said(write("workers secret file missing;\n" + RIGHT))


# -- the start ------------------------------------------------------------------------------------

NOTE = re.compile(r"proxyd: (?:note: the limit of|warning: running as root,) .*\n")   # of this machine, and of who runs the tests


def start_of(daemon):
    """What it says when it has started."""
    return NOTE.sub("", until(lambda: "try:" in daemon.stderr() and daemon.stderr()))


def test_the_start_says_what_listens_and_what_to_try(proxyd):
    daemon = proxyd(conf.forward(extra="admin { bind 127.0.0.1:{admin_port}; }", workers=2))
    assert start_of(daemon) == (
        f"proxyd: listener main: forward on 127.0.0.1:{daemon.port}\n"
        f"proxyd: admin on 127.0.0.1:{daemon.ports['admin_port']}: / /healthz /readyz /metrics /status\n"
        f"proxyd: control at {daemon.folder}/control.sock: proxyd reload, proxyd ctl\n"
        f"proxyd: 2 workers; try: curl -x http://127.0.0.1:{daemon.port} http://example.com/\n")


def test_the_start_of_a_reverse_listener(proxyd, origin):
    daemon = proxyd(conf.reverse(f"127.0.0.1:{origin.port}"))
    assert start_of(daemon) == (f"proxyd: listener edge: reverse on 127.0.0.1:{daemon.port}\n"
                                f"proxyd: control at {daemon.folder}/control.sock: proxyd reload, proxyd ctl\n"
                                f"proxyd: 2 workers; try: curl http://127.0.0.1:{daemon.port}/\n")


@pytest.mark.parametrize("bind,reached", [
    ("*", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("[::]", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("[::1]", "[::1]")])
def test_what_to_try_can_be_tried(proxyd, bind, reached):
    """A wildcard is no address to connect to."""
    daemon = proxyd(conf.forward(workers=1, clients="127.0.0.0/8 ::1 10.0.0.0/8").replace("127.0.0.1:{port}", bind + ":{port}"),
                    expect_ready=False)
    assert start_of(daemon) == (f"proxyd: listener main: forward on {bind}:{daemon.port}\n"
                                f"proxyd: control at {daemon.folder}/control.sock: proxyd reload, proxyd ctl\n"
                                f"proxyd: 1 worker; try: curl -x http://{reached}:{daemon.port} http://example.com/\n")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_second_one_on_the_same_port_is_refused(proxyd, workers):
    """The kernel would let it join the SO_REUSEPORT group: half of the clients would be gone."""
    first = proxyd(conf.forward(workers=workers))
    done = run_command("run", "-c", first.config, cwd=first.folder, timeout=10)
    assert done.returncode == FAILED
    assert done.stderr.splitlines()[-1] == (
        f"proxyd: error: cannot listen on 127.0.0.1:{first.port}: Address already in use, "
        f"held by proxyd (process {first.pid})")
    assert "try:" not in done.stderr and first.alive()
    fetch(first.port, "http://127.0.0.1:1/")


def refuses_to_start(proxyd, config):
    """(exit code, stderr) of a start that has to fail."""
    daemon = proxyd(config, expect_ready=False)
    code = daemon.wait()
    assert daemon.stdout() == ""
    return code, daemon.stderr()


def test_a_port_held_by_another_program(proxyd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, stderr = refuses_to_start(proxyd, conf.forward().replace("{port}", str(port)))
        assert code == FAILED
        assert re.fullmatch(rf"proxyd: error: cannot listen on 127.0.0.1:{port}: Address already in use, "
                            rf"held by \S+ \(process {os.getpid()}\)\n", NOTE.sub("", stderr))


def test_the_admin_port_is_held(proxyd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, stderr = refuses_to_start(proxyd, conf.forward(extra=f"admin {{ bind 127.0.0.1:{port}; }}"))
        assert code == FAILED
        assert re.fullmatch(rf"proxyd: error: admin: cannot listen on 127.0.0.1:{port}: Address already in use, "
                            rf"held by \S+ \(process {os.getpid()}\)\n", NOTE.sub("", stderr))


def test_an_address_that_is_not_of_this_machine(proxyd):
    code, stderr = refuses_to_start(proxyd, conf.forward(clients="10.0.0.0/8").replace("127.0.0.1:{port}", "192.0.2.1:3128"))
    assert code == FAILED
    assert NOTE.sub("", stderr) == "proxyd: error: cannot listen on 192.0.2.1:3128: Cannot assign requested address\n"


@pytest.mark.parametrize("log", ["log access", "log error"])
def test_a_log_that_cannot_be_opened(proxyd, log):
    code, stderr = refuses_to_start(proxyd, conf.forward(log=None, extra=f"{log} {{ to /proc/nothing.log; }}"))
    assert code == FAILED
    stderr = NOTE.sub("", stderr)
    assert stderr.startswith("proxyd: error: cannot open the log /proc/nothing.log: ") and stderr.count("\n") == 1


def test_a_start_after_a_kill(proxyd):
    """A crash leaves connections in TIME_WAIT; the port is to be had again at once."""
    first = proxyd()
    client = Client(first.port)
    text = first.config.read_text()
    first.process.kill()
    first.process.wait()
    first.excused = True
    second = proxyd(text.replace(f":{first.port};", ":{port};"), values={"port": first.port})
    client.close()
    until(lambda: "try:" in second.stderr())
    fetch(first.port, "http://127.0.0.1:1/")
    second.stop()


CLAMPED = "warning: limits clients 5000 is more than the limit of 700 open files allows: 444 it is"
NOTED = ("note: the limit of 700 open files leaves room for 222 clients at one time, not for 20000; "
         "a higher hard limit ('ulimit -Hn') gives more")


@pytest.mark.parametrize("limits,expected", [
    ("limits { clients 5000; }", [CLAMPED]), ("limits { clients 444; }", []), ("", [NOTED])])
def test_more_clients_than_descriptors(proxyd, limits, expected):
    """Clamped and told, never a failed start; of the default, which nobody wrote, only as a note."""
    daemon = proxyd(conf.forward(extra=limits),
                    limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (700, 700)))
    until(lambda: "try:" in daemon.stderr())
    assert [line for line in daemon.stderr().splitlines() if "open files" in line] == [
        f"proxyd: {line}" for line in expected]


# -- without a configuration ----------------------------------------------------------------------

def start_default(folder, text=None):
    """`proxyd run` in a folder, waiting for its port; None: as it is, else this configuration."""
    folder.mkdir()
    args = ["run"]
    if text:
        (folder / "conf").write_text(text)
        args += ["-c", "conf"]
    process = subprocess.Popen([BINARY, *args], cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
                               stdout=open(folder / "stdout", "wb"), stderr=open(folder / "stderr", "wb"))
    ready = until(lambda: "try:" in (folder / "stderr").read_text() or process.poll() is not None, within(10))
    assert ready and process.poll() is None, (folder / "stderr").read_text()
    return process


def end(process):
    process.send_signal(signal.SIGINT)
    assert process.wait(within(10)) == 0


def test_without_a_configuration(tmp_path):
    """127.0.0.1:3128 for the programs of this machine: public addresses, and nothing else."""
    def inside(private):
        folder = tmp_path / "default"
        process = start_default(folder)
        n = len(os.sched_getaffinity(0))
        assert re.sub("proxyd: (control|note: no control).*\n", "", NOTE.sub("", (folder / "stderr").read_text())) == (
            "proxyd: listener local: forward on 127.0.0.1:3128\n"
            f"proxyd: cache main: memory 64m, disk 1g in {environment()['XDG_CACHE_HOME']}/proxyd/main\n"
            f"proxyd: {n} worker{'' if n == 1 else 's'}; "
            "try: curl -x http://127.0.0.1:3128 http://example.com/\n")
        for url, cause in {
                "http://127.0.0.1:80/": "destination_loopback", "http://[::1]/": "destination_loopback",
                "http://localhost/": "destination_loopback", "http://0x7f.1/": "destination_loopback",
                "http://10.0.0.1/": "destination_private", "http://192.168.0.1/": "destination_private",
                "http://169.254.169.254/": "destination_metadata", "http://169.254.0.1/": "destination_link_local",
                "http://224.0.0.1/": "destination_multicast", "http://240.0.0.1/": "destination_reserved",
                "http://127.0.0.1:3128/x": "own_listener|destination_loopback",
                "http://1.2.3.4:25/": "http_port_denied"}.items():
            answer = fetch(3128, url)
            assert_refused(answer, cause)
            assert answer.status == 403
        for authority, cause in {"127.0.0.1:443": "destination_loopback", "1.2.3.4:25": "connect_port_denied",
                                 "1.2.3.4:80": "connect_port_denied", "10.1.1.1:443": "destination_private"}.items():
            with Client(3128) as client:
                assert_refused(client.ask(request(authority, method="CONNECT", host=authority)), cause)
        if private:
            with Origin("1.2.3.4", port=80) as web, Origin("1.2.3.4", port=443) as secure:
                assert fetch(3128, "http://1.2.3.4/public").status == 200
                assert web.paths() == ["/public"]
                with Client(3128) as client:
                    assert client.ask(request("1.2.3.4:443", method="CONNECT", host="1.2.3.4:443")).status == 200
                    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert client.response().status == 200
                assert secure.paths() == ["/"]
            outside = socket.socket()
            outside.bind(("10.9.8.7", 0))
            with pytest.raises(OSError):
                outside.connect(("10.9.8.7", 3128))
        log = (folder / "stdout").read_text()
        assert until(lambda: '"GET http://10.0.0.1/" 403' in (folder / "stdout").read_text()), log
        end(process)

    in_namespace(inside, addresses=["10.9.8.7"], routes=["1.2.3.0/24"])


def test_the_default_policy_serves_loopback_clients_only(tmp_path):
    """The same configuration on every address: a client from elsewhere gets 403 and a close."""
    def inside(private):
        if not private:
            return
        text = run_command("config", "--default").stdout
        assert text.count("bind 127.0.0.1:3128;") == 1
        process = start_default(tmp_path / "all", text.replace("bind 127.0.0.1:3128;", "bind *:3128;"))
        with Client(3128, "10.9.8.7", source="10.9.8.7") as client:
            answer = client.get("http://1.2.3.4/")
            assert_refused(answer, "client_not_allowed")
            assert answer.get("Connection") == "close"
            client.expect_closed()
        with Origin("1.2.3.4", port=80) as web:
            assert fetch(3128, "http://1.2.3.4/").status == 200
            assert len(web.requests) == 1
        end(process)

    in_namespace(inside, addresses=["10.9.8.7"], routes=["1.2.3.0/24"])


def test_traps_are_told(write):
    """What is right and not what was meant: warnings, which --strict makes errors."""
    path = write("listener a { bind *:3128; mode forward; policy p; }\nadmin { bind *:3180; }\npolicy p { default deny; rules {\n"
                 "deny both { to a.example; to b.example; }\nallow ssh { to a.example; port 22; }\ndeny slow { url ~\"/(a+)+$\"; }\n"
                 "deny dot { url ~\"ads.example.com\"; }\nallow a { to .c.example; }\ndeny late { to d.c.example; } } }\n")
    assert check(path).returncode == FINE and check(path, "--strict").returncode == FAILED
    told = check(path).stderr
    for part in ('1:19: warning: other machines reach "*:3128" and get 403', "2:14: warning: everybody who reaches",
                 '4:27: warning: the rule "both" can never match', "values of one: to a.example b.example;",
                 '5:27: warning: the rule "ssh" can never match', 'add it to "connect-ports"', "6:17: warning: this regular expression needs more than",
                 "7:16: warning: this looks like a domain", 'expected "to .ads.example.com"', '9:6: warning: the rule "late" can never decide'):
        assert part in told, part
    assert told.endswith("0 errors, 7 warnings\n")


def test_words_of_other_programs(write):
    told = said(write(RIGHT + "acl office src 10.0.0.0/8;\nhttp_access allow office;\nConnectPort 443;\nproxy_pass http://127.0.0.1:80;\n"))
    for program, here in (("squid", "conditions stand in the rules themselves"), ("squid", "the rules of a policy"),
                          ("tinyproxy", "policy NAME { connect-ports 443 8443; }"), ("nginx", "routes NAME { route NAME")):
        assert f"this is a word of {program}; here: {here}" in told
