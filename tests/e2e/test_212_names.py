"""Names before anybody is asked: the hosts file, localhost, and the search list."""
import pytest

from lib import conf
from lib.client import Client, fetch
from lib.dns import A
from lib.faults import assert_refused
from lib.origin import Origin
from lib.preload import preload
from lib.resolving import ask, connects, served
from lib.times import until, within

pytestmark = pytest.mark.threads


# -- hosts ----------------------------------------------------------------------------------------

def test_hosts_file(proxyd, dns, origin):
    # covers: dns hosts
    text = ("127.0.0.1\tone.test two.test  THREE.test. # four.test\n#127.0.0.1 five.test\n\n"
            "256.0.0.1 six.test\nnonsense\n127.0.0.1\n   127.0.0.1   seven.test\r\n::1 eight.test\n"
            "127.0.0.1 eight.test")
    daemon = proxyd(conf.forward(dns=f"server {dns.server}; hosts names; timeout 300ms;"), files={"names": text})
    for name in ("one.test", "two.test", "three.test", "ONE.test.", "seven.test", "eight.test"):
        served(daemon, name, origin)
    assert dns.queries == [], "what the hosts file knows is asked of nobody"
    for name in ("four.test", "five.test", "six.test"):
        assert_refused(ask(daemon, name, origin), "dns_nxdomain")


def test_hosts_none_and_another_file(proxyd, dns, origin):
    for hosts, known in (("none", False), ("hosts", True)):
        daemon = proxyd(conf.forward(dns=f"server {dns.server}; hosts {hosts}; timeout 300ms;"))
        answer = ask(daemon, "origin.test", origin)
        assert (answer.status == 200) == known
    assert dns.count("origin.test", A) == 1


def test_hosts_wins_over_the_resolver(resolving, dns, origin):
    dns.set("origin.test", "127.0.0.9")
    served(resolving(hosts="hosts"), "origin.test", origin)
    assert dns.count("origin.test") == 0


def test_hosts_file_is_read_again(resolving, dns, origin):
    """Within a second: written in place, renamed in, deleted."""
    daemon = resolving(hosts="hosts")
    assert_refused(ask(daemon, "late.test", origin), "dns_nxdomain")
    with open(daemon.folder / "hosts", "a", encoding="ascii") as f:
        f.write("127.0.0.1 late.test\n")
    assert until(lambda: ask(daemon, "late.test", origin).status == 200, within(1))
    (daemon.folder / "new").write_text("127.0.0.1 later.test\n")
    (daemon.folder / "new").rename(daemon.folder / "hosts")
    assert until(lambda: ask(daemon, "later.test", origin).status == 200, within(1))
    (daemon.folder / "hosts").unlink()
    assert until(lambda: connects(daemon, "later.test", origin) == 502, within(1))


_NO_INOTIFY = """
#include <errno.h>
int inotify_init1(int flags) { (void)flags; errno = EMFILE; return -1; }
"""


@pytest.mark.slow("files are looked at every two seconds")
def test_hosts_file_without_inotify(proxyd, origin, tmp_path):
    daemon = proxyd(conf.forward(), env=preload(tmp_path, "no_inotify", _NO_INOTIFY))
    (daemon.folder / "hosts").write_text("127.0.0.1 late.test\n")
    assert until(lambda: connects(daemon, "late.test", origin) == 200, within(10), every=0.2)
    assert daemon.stderr().count("files are looked at every 2 s: no inotify: Too many open files") == 1


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "www.localhost", "a.b.localhost"])
def test_localhost_is_this_machine(resolving, dns, origin, name):
    """RFC 6761 6.3: nobody is asked, and nobody's lie is believed."""
    dns.set("localhost", "127.0.0.9")
    dns.set("www.localhost", "127.0.0.9")
    served(resolving(), name, origin)
    assert dns.queries == []


def test_localhost_over_ipv6(resolving):
    with Origin("::1") as six:
        assert fetch(resolving().port, f"http://localhost:{six.port}/").status == 200


# -- search ---------------------------------------------------------------------------------------

SEARCHING = "timeout 500ms; search corp.test;"


def test_search_comes_before_the_rules(resolving, dns, origin):
    # covers: dns search
    dns.set("intra.corp.test", "127.0.0.1")
    daemon = resolving(SEARCHING, rules="allow corp { to .corp.test; reach loopback; }")
    served(daemon, "intra", origin)
    assert {n for n, _, _ in dns.queries} == {"intra.corp.test"}
    with Client(daemon.port) as client:
        assert client.ask(f"CONNECT Intra:{origin.port} HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    assert_refused(ask(daemon, "intra.test", origin), "default_denied")


def test_a_deny_sees_the_searched_name(resolving, dns, origin):
    dns.set("secret.corp.test", "127.0.0.1")
    daemon = resolving(SEARCHING, rules="deny no { to secret.corp.test; } " + conf.OPEN_RULES)
    for name in ("secret", "SECRET", "secret.corp.test", "secret.corp.test."):
        assert_refused(ask(daemon, name, origin), "rule_denied")
    assert dns.queries == []


def test_search_is_for_single_labels_only(resolving, dns, origin):
    dns.set("a.b", "127.0.0.1")
    daemon = resolving(SEARCHING, hosts="hosts")
    served(daemon, "a.b", origin)
    assert_refused(ask(daemon, "x.y", origin), "dns_nxdomain")
    served(daemon, "localhost", origin)
    served(daemon, "origin.test", origin)
    assert {n for n, _, _ in dns.queries} == {"a.b", "x.y"}


def test_no_search_unless_configured(resolving, dns, origin):
    """The system's search list is the system's, not the proxy's: its rules were written without it."""
    dns.set("intra", "127.0.0.1")
    daemon = resolving()
    served(daemon, "intra", origin)
    assert_refused(ask(daemon, "extra", origin), "dns_nxdomain")
    assert {n for n, _, _ in dns.queries} == {"intra", "extra"}
