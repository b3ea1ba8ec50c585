"""`sni`: a tunnel that begins with a ClientHello is decided once more, by the name in it.

What this file holds it to: the client's bytes wait until the ClientHello is whole and then go on as they came;
the other side's never wait; another name than the target's is judged as that name, at the address that was
dialled; and whatever begins as TLS and cannot be read ends the tunnel.
"""
import json
import re
import subprocess

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.daemon import Proxyd
from lib.hello import hello, message, record, records, server_name
from lib.origin import Origin, read, read_eof, send
from lib.skip import need
from lib.times import SOON, Stopwatch, until, within
from lib.wire import Ended

HOSTS = conf.HOSTS + "127.0.0.1 shop.test secret.test also.test watched.test\n"
RULES = """
  deny  secret  { to .secret.test; text "not for you"; }
  deny  watched { to watched.test; mode shadow; }
  allow public  { to public.test; }
  allow address { to ~"^127[.]0[.]0[.]1$"; reach loopback; }
  allow listed  { to origin.test shop.test also.test watched.test; reach loopback; }
"""


def config(sni="", timeouts="", rules=RULES, log="to stdout", extra="", grace=""):
    return conf.forward(rules=rules, log=log, ports=f"connect-ports any; http-ports any; {sni and f'sni {sni};'} {grace}",
                        extra=f"{metrics.ADMIN} timeouts {{ {timeouts} }} {extra}")


def start(folder, text):
    return Proxyd(folder).start(text, files={"hosts": HOSTS})


@pytest.fixture(scope="module")
def daemons(tmp_path_factory):
    """One for each `sni`."""
    running = {sni: start(tmp_path_factory.mktemp(sni), config(sni if sni != "match" else ""))
               for sni in ("match", "require", "ignore")}
    yield running
    for daemon in running.values():
        daemon.stop()


class Tunnel(Client):
    def __init__(self, daemon, origin, host="origin.test"):
        super().__init__(daemon.port)
        self.target = f"{host}:{origin.port}"
        assert self.ask(f"CONNECT {self.target} HTTP/1.1\r\nHost: {self.target}\r\n\r\n").status == 200


@pytest.fixture
def sink():
    """An origin that reads whatever comes."""
    with Origin() as origin:
        yield origin


def passes(daemon, sink, data, host="origin.test", how="whole"):
    """What was sent arrives, as it was, and so does an answer."""
    sink.next(read(len(data)), send(b"answer"), read_eof())
    with Tunnel(daemon, sink, host) as client:
        client.send(data, how)
        assert client.exactly(6) == b"answer"
    assert sink.received()[-1] == data
    return daemon.wait_log(f"CONNECT {client.target}")


def refused(daemon, sink, data, cause, host="origin.test", how="whole"):
    """The tunnel is reset, the other side has seen nothing, and the log has the cause."""
    before, seen = metrics.read(daemon), len(sink.received())
    sink.next(read_eof())
    with Tunnel(daemon, sink, host) as client:
        client.send(data, how)
        assert client.expect_closed() == "reset"
    sink.all_closed()
    assert len(sink.received()) == seen
    line = until(lambda: next((l for l in daemon.log(f"CONNECT {client.target}") if l.get("cause") == cause), None))
    assert line, daemon.stdout()
    assert metrics.grown(daemon, before)[f"fault {cause}"] == 1
    return line


# -- which name -----------------------------------------------------------------------------------

@pytest.mark.parametrize("host", ["origin.test", "ORIGIN.test.", "127.0.0.1"])
@pytest.mark.parametrize("name", ["origin.test", "also.test", None])
def test_what_match_lets_pass(daemons, sink, host, name):
    line = passes(daemons["match"], sink, hello(name), host)
    assert line.get("sni") == (name if name and name != host.lower().rstrip(".") else None) and line.get("cause") is None


@pytest.mark.parametrize("host", ["origin.test", "127.0.0.1"])
@pytest.mark.parametrize("name,rule", [("secret.test", "secret"), ("a.Secret.test", "secret"), ("none.test", "default")])
def test_another_name_is_judged(daemons, sink, host, name, rule):
    line = refused(daemons["match"], sink, hello(name), "sni_denied", host)
    assert (line.get("rule"), line.get("sni")) == (rule, name.lower())
    assert ('reason="not for you"' in line) == (rule == "secret")


def test_another_name_at_the_address_that_was_dialled(daemons, sink):
    """The name is allowed, but not to lead to this machine."""
    line = refused(daemons["match"], sink, hello("public.test"), "sni_denied", "127.0.0.1")
    assert line.get("rule") == "public"


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\nHost: secret.test\r\n\r\n", b"\x80\x2e\1\3\1", b"\0"])
def test_no_tls(daemons, sink, data):
    passes(daemons["match"], sink, data)
    assert refused(daemons["require"], sink, data, "sni_missing").get("rule") == "sni"


def test_require(daemons, sink):
    """A name has to be there, and it is judged as under `match`."""
    daemon = daemons["require"]
    passes(daemon, sink, hello("origin.test"))
    passes(daemon, sink, hello("also.test"), "127.0.0.1")
    refused(daemon, sink, hello("secret.test"), "sni_denied")
    refused(daemon, sink, hello(), "sni_missing")


@pytest.mark.parametrize("data", [hello("secret.test"), hello(), b"\x16\3\1\0\0", b"x"])
def test_ignore(daemons, sink, data):
    assert passes(daemons["ignore"], sink, data).get("sni") is None


# -- in pieces ------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["bytes", "random"])
def test_in_segments(daemons, sink, how):
    passes(daemons["match"], sink, hello("also.test") + b"\x14\3\3\0\1\1", how=how)
    refused(daemons["match"], sink, hello("secret.test"), "sni_denied", how=how)


@pytest.mark.parametrize("sizes", [(1, 2), (4,), (80,), tuple([1] * 90)])
def test_in_records(daemons, sink, sizes):
    passes(daemons["match"], sink, records(message(server_name("also.test")), *sizes))
    refused(daemons["match"], sink, records(message(server_name("secret.test")), *sizes), "sni_denied")


def test_right_behind_the_request(daemons, sink):
    data = hello("secret.test")
    sink.next(read_eof())
    with Client(daemons["match"].port) as client:
        client.send(f"CONNECT origin.test:{sink.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + data)
        with pytest.raises(Ended):   # the 200 may be lost with what the reset throws away
            client.exactly(1000)
    assert daemons["match"].wait_log(f"CONNECT origin.test:{sink.port}").get("cause") == "sni_denied"
    sink.all_closed()
    assert sink.received() == []


@pytest.mark.parametrize("name,length,cause", [("also.test", 16000, None), ("secret.test", 16000, "sni_denied"),
                                               ("also.test", 17000, "client_hello_malformed")])
def test_a_long_one(daemons, sink, name, length, cause):
    padding = b"\0\x15" + (length - 200).to_bytes(2, "big") + bytes(length - 200)
    data = records(message(padding, server_name(name)))
    if cause:
        refused(daemons["match"], sink, data, cause)
    else:
        passes(daemons["match"], sink, data + b"x" * 100000)   # what follows is not held to any length


def test_the_end_of_a_cut_one(daemons, sink):
    """The client gives up in the middle: nothing of it goes on."""
    sink.next(read_eof())
    with Tunnel(daemons["match"], sink) as client:
        client.send(hello("origin.test")[:-1]).half_close()
        assert client.expect_closed() == "reset"
    sink.all_closed()
    assert sink.received() == [] and daemons["match"].wait_log(client.target).get("cause") == "client_closed"


def test_an_end_without_a_byte(daemons, sink):
    """It asks for nothing, so nothing is missing."""
    for sni in ("match", "require"):
        sink.next(read_eof(), send(b"bye"))
        with Tunnel(daemons[sni], sink) as client:
            client.half_close()
            assert client.rest() == b"bye"


def test_one_that_does_not_come(proxyd, sink):
    daemon = proxyd(config(timeouts="head 300ms;"), files={"hosts": HOSTS})
    sink.next(read_eof())
    sink.next(read_eof())
    with Tunnel(daemon, sink) as silent, Tunnel(daemon, sink) as client:
        with Stopwatch() as watch:
            client.send(hello("origin.test")[:100])
            assert client.expect_closed() == "reset"
        assert 0.25 < watch.seconds < within(2)
        silent.expect_open(0.3)   # there is no time for those who have not begun
    assert until(lambda: [line for line in daemon.log() if line.get("cause") == "client_hello_timeout"])
    assert metrics.read(daemon)["fault client_hello_timeout"] == 1


# -- the other side -------------------------------------------------------------------------------

@pytest.mark.parametrize("sni", ["match", "require"])
def test_a_server_that_speaks_first(daemons, sink, sni):
    """It is not delayed, neither before nor in the middle of a ClientHello."""
    data = hello("origin.test")
    sink.next(send(b"220 hello\r\n"), read(len(data)), send(b"whole"), read_eof())
    with Tunnel(daemons[sni], sink) as client:
        assert client.exactly(11) == b"220 hello\r\n"
        client.send(data[:50]).expect_open(0.05)
        conn = sink.until(lambda o: o.connections[-1])
        conn.sock.sendall(b"more")
        assert client.exactly(4) == b"more" and not conn.received
        client.send(data[50:])
        assert client.exactly(5) == b"whole"
    assert sink.received()[-1] == data


def test_a_server_that_ends_first(daemons, sink):
    sink.next(send(b"x"))
    with Tunnel(daemons["match"], sink) as client:
        client.send(hello("origin.test")[:50])
        assert client.rest() == b"x"


# -- what cannot be read --------------------------------------------------------------------------

GOOD = message(server_name("origin.test"))
BROKEN = {
    "a warning before it": record(b"\1\x5a", 0x15) + records(GOOD),
    "change_cipher_spec before it": record(b"\1", 0x14) + records(GOOD),
    "an empty record": b"\x16\3\1\0\0" + records(GOOD),
    "a warning inside of it": record(GOOD[:20]) + record(b"\1\x5a", 0x15) + record(GOOD[20:]),
    "another message": records(message(server_name("origin.test"), kind=2)),
    "another version": record(GOOD, version=b"\2\0"),
    "two names": records(message(server_name("origin.test", "also.test"))),
    "two extensions of names": records(message(server_name("origin.test"), server_name("secret.test"))),
    "a name of another type": records(message(server_name("origin.test", kind=1))),
    "a NUL in the name": records(message(server_name("origin.test\0.secret.test"))),
    "something behind it": record(GOOD + b"\1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(daemons, sink, name):
    refused(daemons["match"], sink, BROKEN[name], "client_hello_malformed")


# -- what is told ---------------------------------------------------------------------------------

def test_in_json(proxyd, sink):
    daemon = proxyd(config(log="to access.log; format json", extra="log access { to stdout; }"), files={"hosts": HOSTS})
    for name, host in (("origin.test", "origin.test"), ("also.test", "127.0.0.1"), (None, "origin.test")):
        passes(daemon, sink, hello(name), host)
    refused(daemon, sink, hello("secret.test"), "sni_denied")
    found = [json.loads(line) for line in (daemon.folder / "access.log").read_text().splitlines()]
    assert sorted((r["sni"] or "", r["cause"]) for r in found) == [("", None), ("also.test", None), ("origin.test", None),
                                                                   ("secret.test", "sni_denied")]
    assert all(r["status"] == 200 and r["tunnel"] and r["url"].count(":") == 1 for r in found)


def test_shadow(daemons, sink):
    daemon = daemons["match"]
    before = metrics.read(daemon)
    line = passes(daemon, sink, hello("watched.test"))
    assert (line.get("shadow"), line.get("sni"), line.get("rule")) == ("watched", "watched.test", "listed")
    assert [v for k, v in metrics.grown(daemon, before).items() if "watched" in k] == [1]


def test_list(proxyd, sink):
    rules = "deny games { to list games; } " + conf.OPEN_RULES
    files = {"hosts": HOSTS, "games.txt": "# games\nsecret.test\n"}
    daemon = proxyd(config(rules=rules, extra="list games { source games.txt; }"), files=files)
    line = refused(daemon, sink, hello("secret.test"), "sni_denied", "shop.test")
    assert (line.get("rule"), line.get("list")) == ("games", "games") and line.get("entry").endswith("games.txt:2")


# -- another configuration ------------------------------------------------------------------------

def test_running_tunnels_are_decided_again(proxyd, sink):
    """By the name as well: what has another one ends."""
    before = config(grace="grace 0s;")
    daemon = proxyd(before, files={"hosts": HOSTS})
    open_ones = {}
    for name in ("also.test", "origin.test", "shop.test"):
        data = hello(name)
        sink.next(read(len(data)), send(b"k"), read_eof())
        open_ones[name] = Tunnel(daemon, sink)
        open_ones[name].send(data)
        assert open_ones[name].exactly(1) == b"k"
    daemon.reload(before.replace("to .secret.test;", "to .secret.test also.test;"))
    assert open_ones["also.test"].expect_closed() in ("eof", "reset")
    line = daemon.wait_log("sni=also.test")
    assert (line.get("cause"), line.get("rule")) == ("sni_denied", "secret")
    for name in ("origin.test", "shop.test"):
        open_ones[name].expect_open()
    daemon.reload(before.replace("to .secret.test;", "to .secret.test shop.test;").replace("connect-ports", "sni ignore; connect-ports"))
    open_ones["shop.test"].expect_open()
    for client in open_ones.values():
        client.close()


@pytest.mark.parametrize("sni", ["match", "ignore"])
def test_a_name_that_is_required_from_now_on(proxyd, sink, sni):
    """What runs without one ends, TLS or not; what has one goes on, and so does what has not begun."""
    before = config(sni, grace="grace 0s;")
    daemon = proxyd(before, files={"hosts": HOSTS})
    open_ones = {}
    for kind, data in (("named", hello("origin.test")), ("nameless", hello(None)), ("ssh", b"SSH-2.0-x\r\n")):
        sink.next(read(len(data)), send(b"k"), read_eof())
        open_ones[kind] = Tunnel(daemon, sink)
        open_ones[kind].send(data)
        assert open_ones[kind].exactly(1) == b"k"
    sink.next(read(len(hello("origin.test"))), send(b"k"), read_eof())
    silent = Tunnel(daemon, sink)
    daemon.reload(before.replace(f"sni {sni};", "sni require;"))
    for kind in ("nameless", "ssh"):
        assert open_ones[kind].expect_closed() in ("eof", "reset")
    assert until(lambda: len([e for e in daemon.log("cause=sni_missing") if e.get("rule") == "sni"]) >= 2)
    silent.send(hello("origin.test"))
    assert silent.exactly(1) == b"k"
    if sni == "match":
        open_ones["named"].expect_open()
    else:   # nobody has looked whether it names one
        assert open_ones["named"].expect_closed() in ("eof", "reset")
    for client in (*open_ones.values(), silent):
        client.close()


# -- real ones ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def web(module_parts):
    return module_parts.echo(tls=module_parts.ca().issue("origin.test", "secret.test", "also.test"))


def test_curl(daemons, web, module_parts):
    """The name of the URL is the target's; with --connect-to it is another one."""
    def curl(*args, code=0):
        done = subprocess.run([need("curl"), "-sS", "--noproxy", "", "--cacert", module_parts.ca().pem, "-x",
                               f"http://127.0.0.1:{daemons['match'].port}", *args], capture_output=True, timeout=SOON)
        assert done.returncode == code, done.stderr
        return done.stdout
    there = f"127.0.0.1:{web.port}"
    assert curl(f"https://origin.test:{web.port}/small") == curl("--connect-to", f"::{there}", f"https://also.test:{web.port}/small")
    curl("--connect-to", f"::{there}", f"https://secret.test:{web.port}/small", code=35)


@pytest.mark.parametrize("name,shaken", [("also.test", True), ("secret.test", False)])
def test_openssl(daemons, web, name, shaken):
    done = subprocess.run([need("openssl"), "s_client", "-proxy", f"127.0.0.1:{daemons['match'].port}", "-connect",
                           f"origin.test:{web.port}", "-servername", name], input=b"", capture_output=True, timeout=SOON)
    assert (b"Cipher is TLS" in done.stdout) == shaken, done.stdout
    line = until(lambda: daemons["match"].log(f"sni={name}"))
    assert line and bool(re.search("cause=sni_denied", line[-1])) != shaken
