"""Fixtures of the end-to-end tests; README.md says how to write one with them.

proxyd       a factory: proxyd(conf.forward(…)) starts a daemon, stopped and checked after the test
origin       a scripted origin of its own
rig          one daemon and one origin shared by the tests of a module (hundreds of small cases)
path         a path nobody else uses
dns          a scripted resolver (lib/dns.py)
resolving    a factory: resolving(dns options) starts a daemon that asks it
parts        a factory for nginx, dnsmasq, a test CA, … (lib/parts.py), stopped after the test
"""
import itertools
import os
import pathlib
import resource
import sys

sys.dont_write_bytecode = sys.pycache_prefix is None   # never beside the sources
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pytest  # noqa: E402

from lib import conf, metrics, selection, slow, times, unsteady  # noqa: E402
from lib.daemon import BINARY, Proxyd  # noqa: E402
from lib.origin import Origin  # noqa: E402
from lib.skip import IN_CI  # noqa: E402

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(_hard, 65536), _hard))

_running = []   # every daemon of this process that may still be alive


# -- which tests run, and how long ----------------------------------------------------------------

_times = slow.Times()
_failed = set()   # files of tests in which something failed


def pytest_collection_modifyitems(config, items):
    keep = selection.choose(items)
    kept = set(map(id, keep))
    drop = [item for item in items if id(item) not in kept]
    if drop:
        config.hook.pytest_deselected(items=drop)
        items[:] = keep


def pytest_runtestloop(session):
    """Beside other processes at the same tests: the files that this one comes to first."""
    if not selection.CLAIMS or session.testsfailed:
        return None
    ran = []
    for items in selection.claimed(session.items):
        for item, following in zip(items, [*items[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail or session.shouldstop:
                raise session.Interrupted(session.shouldfail or session.shouldstop)
        ran += items
    session.items[:] = ran
    return True


def pytest_runtest_call(item):
    item.clock = slow.Clock()
    times.overdue = 0.0


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a skip is a failure, whoever asked for it; a failure shows what the daemons wrote."""
    outcome = yield
    report = outcome.get_result()
    _times.add(report)
    if report.skipped and IN_CI and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    if report.passed and report.when == "call":
        complaint = slow.complaint(item, report.duration, item.clock.quiet())
        if complaint:
            report.outcome, report.longrepr = "failed", complaint
    elif report.failed:
        unsteady.failed(item, report.when, call.excinfo, _running)
    if report.failed:
        _failed.add(selection.module(item))
        for daemon in _running:
            if daemon.process is None:
                continue
            for name, text in (("stdout", daemon.stdout()), ("stderr", daemon.stderr())):
                if text:
                    report.sections.append((f"proxyd {daemon.folder.name} {name}", text[-4000:]))


def pytest_sessionfinish(session, exitstatus):
    _times.write()
    unsteady.write()
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        selection.note_green(session.items, _failed)


def pytest_unconfigure(config):
    """How many passed, failed and were skipped, for run.sh, however much pytest is told to print."""
    path, reporter = os.environ.get("E2E_VERDICT"), config.pluginmanager.getplugin("terminalreporter")
    if path and reporter:
        passed, failed, errors, skipped = (len(reporter.stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped"))
        pathlib.Path(path).write_text(f"{passed} {failed + errors} {skipped}\n", encoding="ascii")


# -- the daemon -----------------------------------------------------------------------------------

@pytest.fixture(scope="session", autouse=True)
def _binary():
    if not BINARY.exists() and os.environ.get("E2E_WITHOUT_PROXYD") != "1":
        pytest.exit(f"{BINARY} is not built; run make, or set PROXYD", returncode=4)


def _make(folder, config, **how):
    daemon = Proxyd(folder)
    files = {"hosts": conf.HOSTS, **how.pop("files", {})}
    _running.append(daemon)
    return daemon.start(config, files=files, **how)


@pytest.fixture
def proxyd(tmp_path):
    """start(config, **how) → Proxyd, as often as wanted; all are stopped and checked at the end."""
    mine = []

    def start(config=None, **how):
        folder = tmp_path / f"proxyd{len(mine)}"
        mine.append(folder)
        return _make(folder, conf.forward() if config is None else config, **how)

    yield start
    failures = []
    for daemon in [d for d in _running if d.folder in mine]:
        try:
            daemon.stop()
        except AssertionError as failure:
            failures.append(failure)
        _running.remove(daemon)
    if failures:
        raise failures[0]


@pytest.fixture
def origin():
    with Origin(name="origin.test") as server:
        yield server


_serial = itertools.count()


@pytest.fixture
def path():
    """A path nobody else uses."""
    return f"/t{next(_serial)}"


class Rig:
    """A daemon and an origin shared by many tests. `a` is the origin's authority as bytes."""

    def __init__(self, folder, config):
        self.folder = folder
        self.config = config
        self.count = 0
        self.origin = Origin(name="origin.test")
        self.proxyd = None
        self.start()

    def start(self):
        self.count += 1
        self.proxyd = _make(self.folder / f"proxyd{self.count}", self.config)

    @property
    def port(self):
        return self.proxyd.port

    @property
    def a(self):
        return self.origin.authority.encode()

    def url(self, path="/"):
        return self.origin.url(path)

    def after_test(self):
        """A crash fails this test only: the next gets a new daemon."""
        try:
            self.proxyd.check()
        except AssertionError:
            _running.remove(self.proxyd)
            self.proxyd.kill()
            self.start()
            raise

    def stop(self):
        self.origin.stop()
        _running.remove(self.proxyd)
        self.proxyd.stop()


@pytest.fixture(scope="module")
def _module_rig(request, tmp_path_factory):
    """A module may set RIG = conf.forward(…) to have another configuration."""
    config = getattr(request.module, "RIG", None) or conf.forward()
    rig = Rig(tmp_path_factory.mktemp(request.module.__name__), config)
    yield rig
    rig.stop()


@pytest.fixture
def rig(_module_rig):
    _module_rig.origin.clear()
    yield _module_rig
    _module_rig.after_test()


# -- real parts -----------------------------------------------------------------------------------

@pytest.fixture
def parts(tmp_path):
    from lib.parts import Parts
    made = Parts(pathlib.Path(tmp_path) / "parts")
    yield made
    made.stop()


@pytest.fixture
def dns(parts):
    return parts.dns()


@pytest.fixture
def resolving(proxyd, dns):
    """start(dns options, forward arguments) → a daemon that asks the scripted resolver."""
    def start(more="timeout 500ms;", hosts="none", server=None, extra="", **how):
        text = f"server {server or dns.server}; hosts {hosts}; {more}"
        return proxyd(conf.forward(dns=text, extra=metrics.ADMIN + extra, **how))
    return start


@pytest.fixture(scope="module")
def module_parts(request, tmp_path_factory):
    from lib.parts import Parts
    made = Parts(tmp_path_factory.mktemp(request.module.__name__ + "-parts"))
    yield made
    made.stop()
