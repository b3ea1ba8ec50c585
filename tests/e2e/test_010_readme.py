"""The walks of the README, every command of them, with the output it promises.

The README speaks of example.com and of fixed ports; here the name leads to an origin of our own and
the ports are free ones. Everything else is as it stands there. In an expected line "…" is any text;
a line that is only "…" is any number of lines.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from lib.daemon import BINARY, environment, run_command
from lib.faults import ROOT
from lib.lan import SERVER, Lan
from lib.origin import Origin
from lib.ports import free_port, release
from lib.skip import need
from lib.times import SLOW, until

README = (ROOT / "README.md").read_text(encoding="utf-8")
CACHE = (ROOT / "docs/cache-howto.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (start|run|log|stop|network) -->(?:\s*```\w+\n(.*?)```)?", re.DOTALL)
DONE = "--- that was it: "


def blocks(document=README):
    return [(m[1], m[2] or "") for m in BLOCK.finditer(document)]


def commands(text):
    """(command, expected lines) of a console block."""
    found, end = [], None
    for line in text.splitlines():
        if end is not None:    # of a document in the command
            found[-1] = (found[-1][0] + "\n" + line, [])
            end = None if line == end else end
        elif line.startswith("$ "):
            found.append((line[2:], []))
            end = line.rpartition("<<'")[2].rstrip("'") if "<<'" in line else None
        else:
            found[-1][1].append(line)
    return found


def matches(expected, got):
    """Do these lines stand for those?"""
    pattern = ""
    for line in expected:
        if line == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("…")) + r"\n"
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class MakeRun:
    """The first terminal. The configuration comes to make from outside, so that the command stays what
    it is; nothing is installed by a test, should something be missing."""

    def __init__(self, command, folder, config):
        for name in ("apt-get", "sudo"):
            program = folder / name
            program.write_text("#!/bin/sh\necho a test installs nothing >&2\nexit 1\n")
            program.chmod(0o755)
        env = {k: v for k, v in environment().items() if not k.startswith(("MAKE", "MFLAGS"))}
        env.update(PATH=f"{folder}:{env['PATH']}", DEPS_POLICY=str(folder / "policy"),
                   BUILD=str(BINARY.parent), CONFIG=str(config))
        self.out, self.err = folder / "stdout", folder / "stderr"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command.split(), cwd=ROOT, env=env, start_new_session=True,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def stdout(self):
        return self.out.read_text()

    def stderr(self):
        return self.err.read_text()

    def stop(self):
        """As Ctrl-C does: the signal goes to all of the terminal's programs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(20 * SLOW)


class Shell:
    """One bash for the whole walk, so that variables and jobs last."""

    def __init__(self, folder, env, prefix=()):
        self.process = subprocess.Popen([*prefix, "bash", "--norc", "-m"], cwd=folder, env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def run(self, command):
        self.process.stdin.write(f"{command}\necho; echo '{DONE}'$?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line.startswith(DONE):
                break
            lines.append(line)
        if lines and not lines[-1]:
            lines.pop()     # ours: the echo that ends an unfinished line
        return lines

    def end(self):
        self.process.stdin.write("kill -9 %1 2>/dev/null\n")
        self.process.stdin.close()
        try:
            self.process.wait(5 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.stdout.close()


def built_in_configuration(tmp_path, swap, secure_port, dns):
    """It stays what it is but for the ports and the name; build/proxyd gives it out. Returns its text."""
    config = swap(run_command("config", "--default").stdout)
    for old, new in (("default allow;", "default allow; rules { allow walk { to example.com; "
                                        "reach loopback; } }"),
                     ("connect-ports 443;", f"connect-ports 443 {secure_port};")):
        assert config.count(old) == 1, f"the built-in configuration has no {old!r} to replace"
        config = config.replace(old, new)
    config += dns
    (tmp_path / "config").write_text(config)
    (tmp_path / "build").mkdir()
    wrapper = tmp_path / "build/proxyd"
    wrapper.write_text(f'#!/bin/sh\n[ "$*" = "config --default" ] && exec cat "{tmp_path}/config"\n'
                       f'exec "{BINARY}" "$@"\n')
    wrapper.chmod(0o755)
    return config


def examples(tmp_path, swap, dns):
    """The examples of service/, likewise."""
    shutil.copytree(ROOT / "service", tmp_path / "service")
    for name in ("browser.conf", "cache.conf"):
        example = tmp_path / "service" / name
        example.write_text(swap(example.read_text()))
    office = swap((tmp_path / "service/office.conf").read_text())
    rule = "allow intranet {"
    assert office.count(rule) == 1
    office = office.replace(rule, "allow walk { to example.com; reach loopback; } " + rule)
    (tmp_path / "service/office.conf").write_text(dns + office)


@pytest.fixture
def world(tmp_path, parts, proxyd):
    """What the README takes for granted: example.com, its two ports, and build/proxyd here."""
    plain = Origin(name="example.com")
    secure = Origin(name="example.com", tls=parts.ca().server_context("example.com"))
    ports = {name: free_port() for name in ("proxy", "admin", "dead", "site", "web", "mirror")}
    swaps = [("http://example.com/", f"http://example.com:{plain.port}/"),
             ("https://example.com/", f"https://example.com:{secure.port}/"),
             ("example.com:443", f"example.com:{secure.port}"),
             ("127.0.0.1:3128", f"127.0.0.1:{ports['proxy']}"),
             ("127.0.0.1:3180", f"127.0.0.1:{ports['admin']}"),
             ("127.0.0.1:8080", f"127.0.0.1:{ports['site']}"), ("127.0.0.1:8081", f"127.0.0.1:{ports['web']}"),
             ("127.0.0.1:8090", f"127.0.0.1:{ports['mirror']}"), ("port 8090", f"port {ports['mirror']}")]

    def swap(text):
        for old, new in swaps:
            text = text.replace(old, new)
        return text

    (tmp_path / "hosts").write_text("127.0.0.1 example.com\n")
    dns = f"dns {{ hosts {tmp_path}/hosts; server 127.0.0.1:{ports['dead']}; }}\n"
    config = built_in_configuration(tmp_path, swap, secure.port, dns)
    examples(tmp_path, swap, dns)
    shell = Shell(tmp_path, environment({"CURL_CA_BUNDLE": str(parts.ca().pem),
                                         "SSL_CERT_FILE": str(parts.ca().pem)}))
    (pathlib.Path(tmp_path) / ".wgetrc").write_text(f"ca_certificate = {parts.ca().pem}\n")
    shell.run(f"export WGETRC={tmp_path}/.wgetrc")

    class World:
        pass

    made = World()

    def start(command):
        assert command == "make run"
        if os.environ.get("SANITIZER"):     # of which make run knows nothing
            return proxyd(config)
        made.terminal = MakeRun(command, tmp_path, tmp_path / "config")
        return made.terminal

    made.shell, made.swap, made.start, made.ports, made.terminal = shell, swap, start, ports, None
    yield made
    shell.run("kill $(cat nginx.pid 2>/dev/null) 2>/dev/null")    # of the fifth walk, if it has not come to its end
    shell.end()
    if made.terminal:
        made.terminal.stop()
    plain.stop()
    secure.stop()
    for port in ports.values():
        release(port)


def run(world, text):
    """The commands of a block; how many they were."""
    for command, expected in commands(text):
        got = world.shell.run(world.swap(command))
        # The log is written a moment later, and so is what was not kept.
        if command.startswith("grep ") or " why " in command:
            until(lambda: matches([world.swap(line) for line in expected], world.shell.run(world.swap(command))))
            got = world.shell.run(world.swap(command))
        assert matches([world.swap(line) for line in expected], got), \
            f"$ {command}\nshould print\n" + "\n".join(expected) + "\nbut prints\n" + "\n".join(got)
    return len(commands(text))


@pytest.mark.slow("it runs every command of the README, one after the other")
def test_every_command_of_the_walk(world):
    for program in ("curl", "wget", "bash", "make", "nginx", "apt-get", "apt-ftparchive", "dpkg-deb"):
        need(program)
    daemon = None
    seen = 0
    for kind, text in blocks():
        if kind == "network":
            continue   # a test of its own, in another world
        if kind == "start":
            [(command, _)] = commands(text)
            daemon = world.start(command)
            assert until(lambda: listens(world.ports["proxy"]), 20 * SLOW), daemon.stderr()
        elif kind == "stop":
            daemon.stop()
            assert not listens(world.ports["proxy"])
        elif kind == "log":
            for line in text.splitlines():
                found = until(lambda: [got for got in daemon.stdout().splitlines()
                                       if matches([world.swap(line)], [got])], 5 * SLOW)
                assert found, f"no line like {world.swap(line)!r} in\n{daemon.stdout()}"
        else:
            seen += run(world, text)
    assert seen >= 10


@pytest.mark.slow("it runs every command of the page, one after the other")
def test_every_command_about_the_cache(world):
    for program in ("curl", "bash", "nginx"):
        need(program)
    assert sum(run(world, text) for _, text in blocks(CACHE)) >= 20


@pytest.mark.slow("it makes three network namespaces, and a proxy between them")
def test_the_walk_of_a_network(tmp_path, parts):
    """This machine is a router then; /run is its own, for the names of namespaces."""
    with Lan(client=False) as lan:
        with lan.server:
            plain = Origin(host=SERVER, port=80)
            secure = Origin(host=SERVER, port=443, tls=parts.ca().server_context("example.com"))
        (tmp_path / "build").mkdir()
        (tmp_path / "build/proxyd").symlink_to(BINARY)
        shutil.copytree(ROOT / "service", tmp_path / "service")
        (tmp_path / "hosts").write_text(f"{SERVER} example.com\n127.0.0.1 localhost\n")
        text = (tmp_path / "service/network.conf").read_text()
        (tmp_path / "service/network.conf").write_text(
            f"dns {{ hosts {tmp_path}/hosts; server 127.0.0.1:{free_port()}; }} control none;\n" + text)
        with lan.router:
            shell = Shell(tmp_path, environment({"CURL_CA_BUNDLE": str(parts.ca().pem)}),
                          [need("unshare"), "--mount", "--propagation", "private"])
        try:
            shell.run("mount -t tmpfs none /run")
            for command, expected in (c for kind, text in blocks() if kind == "network" for c in commands(text)):
                got = shell.run(command)
                if command.startswith("grep ") or " curl " in command:   # the log, and the start, take a moment
                    until(lambda: matches(expected, got) or (got.clear(), got.extend(shell.run(command)))[1], 5 * SLOW)
                assert matches(expected, got), f"$ {command}\nshould print\n{expected}\nbut prints\n{got}"
        finally:
            shell.end()
            plain.stop()
            secure.stop()


def test_no_command_stands_unmarked():
    """A console block that nobody marked would not be run."""
    for document in (README, CACHE):
        marked = sum(1 for kind, _ in blocks(document) if kind in ("start", "run", "network"))
        assert document.count("```console") == marked


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
