"""Starts the daemon under test and refuses to overlook how it ended.

Every Proxyd gets a folder, a configuration file with free ports filled in, and has its stdout and
stderr kept in files. A crash, a sanitizer report or a stop with anything but exit code 0 fails the
test in which it is noticed, which is the test that caused it because conftest.py looks after each.
"""
import atexit
import functools
import itertools
import os
import pathlib
import re
import resource
import shlex
import signal
import socket
import subprocess
import tempfile
import time

from . import metrics
from .faults import ROOT
from .ports import free_port, release
from .times import SLOW, SOON, until

BINARY = pathlib.Path(os.environ.get("PROXYD", ROOT / "build/proxyd")).absolute()

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_SANITIZER = re.compile(r"ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
                        r"SUMMARY: \w*Sanitizer")


class StartFailed(AssertionError):
    """The daemon ended before it listened; .code, .stdout, .stderr say why."""

    def __init__(self, code, stdout, stderr):
        super().__init__(f"proxyd ended with {code} at start\n{stdout}\n{stderr}")
        self.code, self.stdout, self.stderr = code, stdout, stderr


class LogLine(str):
    """A line of the access log. Words written key=value or key="value" are found by .get(key)."""

    def get(self, key, default=None):
        found = re.search(rf'(?:^|[\s{{,]){re.escape(key)}=("(?:[^"\\]|\\.)*"|\S*)', self)
        return found[1].strip('"') if found else default

    def words(self):
        return self.split()


@functools.cache
def _cache_home():
    """Where the caches of built-in configurations lie: in none of who runs the tests."""
    folder = tempfile.TemporaryDirectory(prefix="proxyd-caches-")
    atexit.register(folder.cleanup)
    return folder.name


def environment(more=None):
    """A clean environment: no proxy variables, sanitizers strict, caches in a folder of the tests."""
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and k != "CACHE_DIRECTORY"}
    env["XDG_CACHE_HOME"] = _cache_home()
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=98")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=0:exitcode=97:second_deadlock_stack=1")
    env.update(more or {})
    return env


def run_command(*args, stdin=None, env=None, timeout=30, cwd=None, **more):
    """`proxyd ARGS…` to its end; gives the CompletedProcess with text output. `more` is subprocess.run's."""
    done = subprocess.run([BINARY, *map(str, args)], input=stdin, capture_output=True, text=True,
                          errors="replace", env=environment(env), timeout=timeout * SLOW, cwd=cwd, **more)
    assert not _SANITIZER.search(done.stderr), done.stderr
    assert done.returncode >= 0, f"proxyd {args} died of signal {-done.returncode}: {done.stderr}"
    return done


class Proxyd:
    """One running daemon. `port` is the {port} of its configuration, `ports` all of them by name."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ports = {}
        self.process = None
        self.excused = False

    def fill(self, text, values=None):
        """Replace {port}, {admin_port}, {other_port}… by free ports, other {words} from values."""
        values = values or {}

        def one(match):
            name = match[1]
            if name in values:
                return str(values[name])
            if name == "port" or name.endswith("_port"):
                if name not in self.ports:
                    self.ports[name] = free_port()
                return str(self.ports[name])
            raise KeyError(f"nothing given for {{{name}}}")

        return _PLACE.sub(one, text)

    def start(self, config, values=None, env=None, expect_ready=True, files=None, prefix=None,
              limits=None):
        """Write the configuration (and files: name → text beside it), start, wait until it listens.

        expect_ready False starts only. prefix is a command to put in front ("strace -c -f").
        limits is called in the child before exec (resource.setrlimit).
        """
        for name, text in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.config = self.folder / "proxyd.conf"
        text = self.fill(config, values)
        self.config.write_bytes(text.encode())
        if not BINARY.exists():
            raise AssertionError(f"{BINARY} is not built")
        out = open(self.folder / "stdout", "ab", buffering=0)
        err = open(self.folder / "stderr", "ab", buffering=0)
        command = [*shlex.split(prefix or ""), str(BINARY), "run", "-c", str(self.config)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                        env=environment({"RUNTIME_DIRECTORY": str(self.folder), **(env or {})}),
                                        cwd=self.folder, preexec_fn=limits)
        out.close()
        err.close()
        self.excused = False
        if expect_ready:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=20.0):
        """Until every TCP port we chose accepts, or StartFailed."""
        waiting = dict(self.ports)
        end = time.monotonic() + timeout * SLOW
        while waiting:
            if self.process.poll() is not None:
                self.excused = True
                raise StartFailed(self.process.returncode, self.stdout(), self.stderr())
            for name, port in list(waiting.items()):
                if name.startswith("dead_"):   # a port on which nobody is to listen
                    del waiting[name]
                    continue
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    del waiting[name]
                except OSError:
                    pass
            if waiting and time.monotonic() > end:
                raise AssertionError(f"not listening on {waiting}\n{self.stdout()}{self.stderr()}")
            time.sleep(0.005)
        # Ports answer before the start is over, and it may still fail; with stderr elsewhere nobody tells.
        until(lambda: "; try: curl " in self.stderr() or self.process.poll() is not None, 0.3 * SLOW)
        if self.process.poll() is not None:
            self.excused = True
            raise StartFailed(self.process.returncode, self.stdout(), self.stderr())

    def write(self, config, values=None):
        """Another configuration in the file, whole at once; nobody is told."""
        new = self.config.with_name("new.conf")
        new.write_bytes(self.fill(config, values).encode())
        new.replace(self.config)

    def reload(self, config=None, values=None, refused=False):
        """HUP, with another configuration in the file unless it is None, until all of that is done."""
        result = f"reloads_total {'refused' if refused else 'done'}"
        before = metrics.read(self)[result]
        if config is not None:
            self.write(config, values)
        self.send_signal(signal.SIGHUP)
        if not until(lambda: metrics.read(self)[result] > before):
            raise AssertionError(f"no {result} more\n{self.stderr()[-4000:]}")

    # what it wrote

    def stdout(self):
        return (self.folder / "stdout").read_text(errors="replace")

    def stderr(self):
        return (self.folder / "stderr").read_text(errors="replace")

    def log(self, containing=""):
        """The lines of stdout (the access log, unless configured away) holding this text."""
        return [LogLine(line) for line in self.stdout().splitlines() if containing in line]

    def wait_log(self, containing, timeout=SOON):
        """The first such line, waiting for the log writer, or a failure."""
        found = until(lambda: self.log(containing), timeout)
        assert found, f"no log line with {containing!r} in:\n{self.stdout()}"
        return found[0]

    # what it uses

    @property
    def port(self):
        return self.ports["port"]

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def lower_descriptors(self, room):
        """Leaves it this many more than it has open now. The limit is on numbers, and there are gaps."""
        time.sleep(0.2)   # whoever has just read the metrics is still being closed
        used = {int(n) for n in os.listdir(f"/proc/{self.pid}/fd")}
        free = (n for n in itertools.count() if n not in used)
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (next(itertools.islice(free, room, None)), hard))

    def restore_descriptors(self):
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (hard, hard))

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self):
        """Seconds of CPU so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            parts = f.read().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_share(self, seconds):
        """The part of one CPU that it uses from now on for this long."""
        before, start = self.cpu(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu() - before) / (time.monotonic() - start)

    # how it ends

    def check(self):
        """Fail if it crashed or a sanitizer spoke."""
        if self.process is None or self.excused:
            return
        report = _SANITIZER.search(self.stderr())
        code = self.process.poll()
        if report or code is not None:
            self.excused = True
            raise AssertionError(f"proxyd {'ended with ' + str(code) if code is not None else ''}"
                                 f"\n{self.stderr()[-6000:]}")

    def is_fine(self):
        """It runs, or has ended in good order, and no sanitizer has spoken."""
        return self.process is None or (self.process.poll() in (None, 0) and not _SANITIZER.search(self.stderr()))

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=SOON):
        """Its exit code; from here on its end is no crash."""
        self.excused = True
        code = self.process.wait(timeout)
        assert not _SANITIZER.search(self.stderr()), self.stderr()[-6000:]
        return code

    def stop(self, number=signal.SIGINT, code=0):
        """End it (INT: at once, TERM: drain) and check how; harmless when it is not running."""
        try:
            if self.process is None or self.excused:
                return
            self.check()
            self.send_signal(number)
            try:
                got = self.wait(timeout=20 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"did not end on signal {number}\n{self.stderr()}") from None
            assert got == code, f"exit code {got}, expected {code}\n{self.stderr()[-6000:]}"
        finally:
            self.cleanup()

    def kill(self):
        """kill -9, and no questions."""
        self.excused = True
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.cleanup()

    def cleanup(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for port in self.ports.values():
            release(port)
