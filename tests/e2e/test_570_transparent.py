"""`mode transparent`: clients that know of no proxy, led to it by real nftables rules, in namespaces of the test.

What this file holds it to: what is dialled is where the client was going, whatever it says; a name counts for
rules only when the proxy's own resolver leads from it to that address; what cannot be told by a page is reset,
and the reason stands in the log; and nothing that is led here goes round in circles.
"""
import hashlib
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lib import metrics
from lib.ca import TestCA
from lib.client import Client, fetch
from lib.daemon import BINARY, run_command
from lib.faults import ROOT
from lib.dns import A, AAAA, Dns
from lib.hello import extension, message, records, server_name
from lib.lan import CLIENT, CLIENT6, OTHER, ROUTER, SERVER, SERVER6, Lan
from lib.origin import Origin, read, read_eof, send
from lib.skip import need
from lib.times import SOON, Stopwatch, until, within

HOSTS = f"""\
127.0.0.1 localhost
{SERVER} shop.example www.shop.example
{OTHER} other.example secret.example
{SERVER6} shop.example six.example
"""

#: Port 80 and 443 and whatever else a test takes; the proxy's own traffic does not come by lan0.
REDIRECT = """
table inet test {
  chain lead {
    type nat hook prerouting priority dstnat;
    iifname "lan0" tcp dport { 80, 443, 25, 8080 } redirect to :3129
  }
}
"""

TPROXY = """
table inet test {
  chain lead {
    type filter hook prerouting priority mangle;
    socket transparent 1 meta mark set 0x570 accept
    iifname "lan0" meta nfproto ipv4 tcp dport { 80, 443 } tproxy ip to :3129 meta mark set 0x570 accept
    iifname "lan0" meta nfproto ipv6 tcp dport { 80, 443 } tproxy ip6 to :3129 meta mark set 0x570 accept
  }
}
"""
ROUTES = ["rule add fwmark 0x570 lookup 570", "route add local default dev lo table 570",
          "-6 rule add fwmark 0x570 lookup 570", "-6 route add local default dev lo table 570"]

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

RULES = """
  deny  secret  { to secret.example; text "not for you"; }
  deny  nameless { name unconfirmed; port 8080; }
  allow shop    { to .shop.example six.example; }
  allow address { to 93.184.216.34 2a00:1450:4001::34; }
"""


def config(rules=RULES, policy="", listener="", extra="", clients="10.77.1.0/24 fd77:1::/64"):
    return f"""
workers 2;
log access {{ to stdout; query on; }}
dns {{ server 127.0.0.1:{{dead_port}}; hosts hosts; timeout 1s; }}
{metrics.ADMIN} {extra}
listener egress {{ bind 127.0.0.1:{{port}} 10.77.1.1:3128; mode forward; policy staff; }}
listener intercept {{ bind *:3129; mode transparent; policy staff; {listener} }}
policy staff {{ clients 127.0.0.0/8 ::1 {clients}; connect-ports any; http-ports any; default deny; {policy} rules {{ {rules} }} }}
"""


@pytest.fixture(scope="module")
def lan():
    with Lan() as lan:
        yield lan


@pytest.fixture
def start(lan, proxyd):
    def run(text=None, rules=REDIRECT, **how):
        lan.rules(rules)
        with lan.router:
            return proxyd(text or config(), files={"hosts": HOSTS}, **how)
    return run


@pytest.fixture
def serve(lan):
    """Origins in the server's place."""
    made = []

    def run(host=SERVER, port=80, **how):
        with lan.server:
            made.append(Origin(host=host, port=port, **how))
        return made[-1]
    yield run
    for origin in made:
        origin.stop()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return TestCA(tmp_path_factory.mktemp("ca"))


def connect(lan, port=80, host=SERVER, **how):
    with lan.client:
        return Client(port, host, **how)


def ask(lan, host, path="/", address=SERVER, port=80, version="HTTP/1.1", method="GET"):
    with connect(lan, port, address) as client:
        field = f"Host: {host}\r\n" if host else ""
        return client.ask(f"{method} {path} {version}\r\n{field}\r\n")


def counter(lan, daemon, name):
    with lan.router:
        return metrics.read(daemon)[name]


# -- plain HTTP -----------------------------------------------------------------------------------

def test_http_by_host(lan, start, serve):
    """A request goes to where its client was going, Host as it came; rules see the name."""
    # covers: listener mode
    daemon, origin = start(), serve()
    answer = ask(lan, "www.SHOP.example", "/a?b=c")
    assert answer.status == 200
    got = origin.requests[-1]
    assert got.target == "/a?b=c" and got.get("host").lower() == "www.shop.example"
    line = daemon.wait_log("/a?b=c")
    assert line.get("rule") == "shop" and line.get("to") == f"{SERVER}:80" and line.get("name") is None
    assert origin.connections[-1].peer[0] == "10.77.2.1"
    assert ask(lan, "secret.example", "/s", OTHER).status == 403
    assert daemon.wait_log("/s").get("rule") == "secret"


def test_forged_host(lan, start, serve):
    """The name of another site opens nothing and leads nowhere else: the address decides, and it is noted."""
    # covers: policy rules allow name
    daemon, origin, other = start(), serve(), serve(OTHER)
    assert ask(lan, "other.example", "/forged").status == 200
    assert origin.requests[-1].get("host") == "other.example" and not other.requests
    line = daemon.wait_log("/forged")
    assert line.get("rule") == "address" and line.get("name") == "unconfirmed" and "http://other.example/forged" in line
    assert ask(lan, "shop.example", "/opens", OTHER).status == 403
    assert daemon.wait_log("/opens").get("rule") == "default"
    assert counter(lan, daemon, "names_unconfirmed_total") == 2
    assert ask(lan, "other.example", "/by-rule", port=8080).status == 403
    assert daemon.wait_log("/by-rule").get("rule") == "nameless"


@pytest.mark.slow("two answers come late, and one that never comes is waited for")
def test_confirmed_by_a_resolver(lan, start, serve):
    """An answer is waited for, of either family; who leaves meanwhile is forgotten; no answer is no outage."""
    with lan.router:
        dns = Dns()
    daemon, origin = start(config().replace("server 127.0.0.1:{dead_port};", f"server 127.0.0.1:{dns.port};")), serve()
    serve(SERVER6)

    def late(*addresses, family=A):
        def answer(name, kind):
            if kind != family:
                return ["192.0.2.1"] if kind == A else []
            asked.append(name)
            time.sleep(0.15)
            return list(addresses)
        return answer
    asked = []
    dns.script("late.shop.example", late(SERVER))
    dns.script("late6.shop.example", late(SERVER6, family=AAAA))
    dns.script("wrong.shop.example", late("192.0.2.7"))
    assert ask(lan, "late.shop.example", "/late").status == 200
    assert ask(lan, "late6.shop.example", "/late6", SERVER6).status == 200
    assert ask(lan, "wrong.shop.example", "/wrong").status == 200
    for path, rule in (("/late", "shop"), ("/late6", "shop"), ("/wrong", "address")):
        assert daemon.wait_log(path + '"').get("rule") == rule
    dns.script("gone.shop.example", late(SERVER))
    with connect(lan) as client:
        client.send("GET /gone HTTP/1.1\r\nHost: gone.shop.example\r\n\r\n")
        assert until(lambda: "gone.shop.example" in asked)
        client.reset()
    assert daemon.wait_log("/gone").get("cause") == "client_reset"
    dns.silent = True
    with Stopwatch() as watch:
        assert ask(lan, "silent.shop.example", "/silent").status == 200
    assert 0.9 < watch.seconds < within(3)
    assert daemon.wait_log("/silent").get("name") == "unconfirmed"
    dns.stop()


def test_without_host(lan, start, serve):
    """HTTP/1.0 without Host works by the address; an absolute target is read as its host; CONNECT is refused."""
    daemon, origin = start(), serve()
    assert ask(lan, None, "/old", version="HTTP/1.0").status == 200
    assert origin.requests[-1].get("host") == SERVER
    assert daemon.wait_log("/old").get("rule") == "address"
    assert ask(lan, "other.example", "http://shop.example/absolute").status == 200
    assert origin.requests[-1].target == "/absolute" and origin.requests[-1].get("host") == "shop.example"
    assert daemon.wait_log("/absolute").get("rule") == "shop"
    assert ask(lan, "shop.example:443", "shop.example:443", method="CONNECT").status == 501
    assert daemon.wait_log("CONNECT shop.example:443").get("cause") == "connect_intercepted"


# -- TLS ------------------------------------------------------------------------------------------

def secure(lan, ca, name, host=SERVER, port=443):
    client = connect(lan, port, host)
    context = ssl.create_default_context(cafile=str(ca.pem))
    context.check_hostname = False
    sock = context.wrap_socket(client.sock, server_hostname=name)
    return sock


def test_tls_by_sni(lan, start, serve, ca):
    """TLS goes by its SNI, end to end: nothing is decrypted, and nothing of the ClientHello is lost."""
    daemon, origin = start(), serve(port=443, tls=ca.server_context("shop.example"))
    with secure(lan, ca, "shop.example") as tls:
        tls.sendall(b"GET /tls HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
    line = daemon.wait_log("CONNECT shop.example:443")
    assert line.get("rule") == "shop" and line.get("to") == f"{SERVER}:443"
    assert origin.requests[-1].target == "/tls"


def test_tls_refused(lan, start, serve, ca):
    """What rules refuse is reset before anything is dialled; the reason is in the log."""
    daemon, origin = start(), serve(OTHER, 443, tls=ca.server_context("secret.example"))
    with pytest.raises(ConnectionResetError):
        secure(lan, ca, "secret.example", OTHER)
    line = daemon.wait_log("CONNECT secret.example:443")
    assert line.get("rule") == "secret" and line.get("cause") == "rule_denied" and not origin.connections
    with pytest.raises(ConnectionResetError):
        secure(lan, ca, "shop.example", OTHER)   # the name of an allowed site, on the way to another
    line = daemon.wait_log(f"CONNECT {OTHER}:443")
    assert line.get("sni") == "shop.example" and line.get("name") == "unconfirmed" and line.get("rule") == "default"


def test_sni_and_name_in_rules(lan, start, serve, ca):
    """Conditions about the name: in each kind of rule."""
    # covers: policy rules allow sni
    # covers: policy rules deny name
    # covers: policy rules deny sni
    # covers: policy rules redirect name
    # covers: policy rules redirect sni
    rules = """
      deny  silent { sni absent; to 93.184.216.34; }
      allow silent-elsewhere { sni absent; }
      redirect hidden { sni encrypted; location http://intranet.example/; }
      redirect claimed { name unconfirmed; location http://intranet.example/why; }
      deny  told { not name absent confirmed; }
      deny  bare { name absent; method PUT; }
      allow rest { }
    """
    daemon = start(config(rules))
    serve(), serve(port=443, tls=ca.server_context("shop.example")), serve(OTHER, 443, tls=ca.server_context("x.example"))
    with pytest.raises(ConnectionResetError):
        secure(lan, ca, None)
    assert daemon.wait_log(f"CONNECT {SERVER}:443").get("rule") == "silent"
    secure(lan, ca, None, OTHER).close()
    assert daemon.wait_log(f"CONNECT {OTHER}:443").get("rule") == "silent-elsewhere"
    answer = ask(lan, "other.example", "/claimed")
    assert answer.status == 302 and answer.get("location") == "http://intranet.example/why"
    assert ask(lan, SERVER, "/put", method="PUT").status == 403 and ask(lan, SERVER, "/get").status == 200
    ech = message(server_name("shop.example"), extension(0xfe0d, b"outer"))
    with connect(lan, 443) as client:
        client.send(records(ech))
        assert client.expect_closed() == "reset"
    assert daemon.wait_log("rule=hidden").get("cause") == "rule_denied"


# -- what is neither ------------------------------------------------------------------------------

def test_server_speaks_first(lan, start, serve):
    """`other tunnel`: after 300 ms of silence the way is free; so it is for what is no HTTP. `deny` resets it."""
    # covers: policy other
    for words, port in (("other tunnel;", 25), ("", 25)):
        daemon, origin = start(config(policy=words)), serve(port=port)
        origin.next(send(b"220 mail\r\n"), read(6), send(b"221 bye\r\n"))
        origin.next(read(8), send(b"SSH-2.0-x\r\n"))
        if not words:
            with connect(lan, port) as client:
                client.send(b"SSH-2.0-y\r\n")
                assert client.expect_closed() == "reset"
            assert daemon.wait_log(f"CONNECT {SERVER}:25").get("cause") == "other_denied"
            continue
        with connect(lan, port) as client:
            assert client.exactly(10) == b"220 mail\r\n"
            client.send(b"QUIT\r\n")
            assert client.exactly(9) == b"221 bye\r\n"
        assert daemon.wait_log(f"CONNECT {SERVER}:25").get("rule") == "address"
        with connect(lan, port) as client:
            client.send(b"SSH-2.0-y\r\n")
            assert client.exactly(11) == b"SSH-2.0-x\r\n"
        origin.stop()
        daemon.stop()


@pytest.mark.parametrize("port", [80, 443])
def test_silence_is_no_way_around_rules(lan, start, serve, port):
    """Who waits until he has a tunnel and begins with HTTP or TLS then is reset, as long as the server is silent."""
    daemon, origin = start(config(policy="other tunnel;")), serve(port=port)
    first = b"GET / HTTP/1.1\r\nHost: secret.example\r\n\r\n" if port == 80 else records(message(server_name("secret.example")))
    for already, how in enumerate(("whole", "bytes")):
        origin.next(read_eof())
        with connect(lan, port) as client:
            assert until(lambda: len(origin.connections) > already)
            client.send(first, how)
            assert client.expect_closed() in ("reset", "eof")   # a write may have met the reset
        origin.all_closed()
    assert until(lambda: [line.get("cause") for line in daemon.log(f"CONNECT {SERVER}:{port}")] == ["began_late"] * 2)
    assert not origin.requests and not any(origin.received())
    origin.next(send(b"hello"), read(len(first)), send(b"fine"))
    with connect(lan, port) as client:
        assert client.exactly(5) == b"hello"
        client.send(first)
        assert client.exactly(4) == b"fine"


# -- TPROXY ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def routes(lan):
    lan.router.ip(*ROUTES)
    yield
    lan.router.ip(*(line.replace(" add ", " del ") for line in ROUTES))


@pytest.mark.parametrize("source", ["proxy", "client"])
def test_tproxy(lan, start, serve, ca, routes, source):
    """The destination is not translated; servers see the proxy's address, or the client's own."""
    # covers: listener divert
    # covers: listener source
    daemon = start(config(listener=f"divert tproxy; source {source};"), rules=TPROXY)
    origin, tls = serve(), serve(port=443, tls=ca.server_context("shop.example"))
    origin6 = serve(SERVER6)
    assert ask(lan, "shop.example", "/t").status == 200 and ask(lan, "six.example", "/six", SERVER6).status == 200
    secure(lan, ca, "shop.example").close()
    assert until(lambda: tls.connections)
    peers = {o.connections[-1].peer[0] for o in (origin, tls, origin6)}
    assert peers == ({CLIENT, CLIENT6} if source == "client" else {"10.77.2.1", "fd77:2::1"})
    assert daemon.wait_log("/t").get("to") == f"{SERVER}:80"
    assert daemon.wait_log("/six").get("to") == f"[{SERVER6}]:80"
    assert daemon.wait_log("CONNECT shop.example:443").get("to") == f"{SERVER}:443"


def test_a_port_that_the_proxy_had(lan, start, serve, ca, routes):
    """With `source client` the client may come from the very port that the proxy took for it before: no loop."""
    daemon, origin = start(config(listener="divert tproxy; source client;"), rules=TPROXY), serve(port=443)
    hello = records(message(server_name("shop.example")))
    origin.next(read(len(hello)))
    with connect(lan, 443) as client:
        client.send(hello)
        assert client.expect_closed() == "eof"
    assert daemon.wait_log("CONNECT shop.example:443").get("cause") is None
    origin.next(read(len(hello)), send(b"answer"))
    with lan.client, socket.create_connection((SERVER, 443), SOON, origin.connections[0].peer[:2]) as sock:
        sock.sendall(hello)
        assert sock.recv(6) == b"answer"


# -- flows ----------------------------------------------------------------------------------------

def test_ipv6(lan, start, serve, ca):
    """The same over IPv6, by name and by address."""
    daemon, origin = start(), serve(SERVER6)
    serve(SERVER6, 443, tls=ca.server_context("six.example"))
    assert ask(lan, "six.example", "/six", SERVER6).status == 200
    assert ask(lan, f"[{SERVER6}]", "/literal", SERVER6).status == 200
    assert origin.requests[-1].get("host") == f"[{SERVER6}]"
    assert daemon.wait_log("/six").get("to") == f"[{SERVER6}]:80"
    assert daemon.wait_log("/literal").get("rule") == "address"
    secure(lan, ca, "six.example", SERVER6).close()
    assert daemon.wait_log("CONNECT six.example:443").get("to") == f"[{SERVER6}]:443"


def test_websocket_and_half_close(lan, start, serve):
    """An upgraded connection is a tunnel; the end of one direction travels through, and leaves the other open."""
    daemon, origin, other = start(config(policy="other tunnel;")), serve(), serve(port=25)
    origin.at("/ws", send(SWITCH), read(5), send(b"echo!"), read_eof())
    with connect(lan) as client:
        client.send("GET /ws HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert client.response().status == 101
        client.send(b"hello")
        assert client.exactly(5) == b"echo!"
    assert daemon.wait_log("/ws").get("upgrade") == "websocket"
    other.next(read(11), read_eof(), send(b"after the end"))
    with connect(lan, 25) as client:
        client.send(b"SSH-2.0-y\r\n")
        client.half_close()
        assert client.rest() == b"after the end"


def test_idle_connections_are_of_one_address_and_name(lan, start, serve):
    """A name that is not confirmed never rides a connection of one that is, nor the other way round."""
    daemon, origin = start(), serve()
    with connect(lan) as client:
        for host, so_far in (("shop.example", 1), ("shop.example", 1), ("other.example", 2), ("shop.example", 2)):
            assert client.ask(f"GET /{host} HTTP/1.1\r\nHost: {host}\r\n\r\n").status == 200
            assert len(origin.connections) == so_far
    with lan.router:
        assert fetch(daemon.port, "http://shop.example/explicit").status == 200
    assert len(origin.connections) == 3


@pytest.mark.slow("a thousand connections are made twice, to the proxy and to a server of threads")
def test_a_thousand_flows(lan, start, serve):
    origin = serve()
    daemon = start()
    clients = [connect(lan) for _ in range(1000)]
    for i, client in enumerate(clients):
        client.send(f"GET /{i} HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    assert all(client.response().status == 200 for client in clients)
    assert len({request.target for request in origin.requests}) == 1000
    for client in clients:
        client.close()
    assert until(lambda: counter(lan, daemon, "connections_open") == 0)


def test_reload_under_flows(lan, start, serve):
    """Tunnels and connections outlive a reload; a tunnel that the new policy refuses ends after its grace."""
    daemon, mail = start(config(policy="other tunnel; grace 100ms;")), serve(port=25)
    serve()
    mail.next(read(11), send(b"hello"), read(5), send(b"still"), read_eof())
    with connect(lan, 25) as tunnel, connect(lan) as client:
        tunnel.send(b"SSH-2.0-y\r\n")
        assert tunnel.exactly(5) == b"hello"
        for i in range(3):
            with lan.router:
                daemon.reload(config(policy=f"other tunnel; grace {100 + i}ms;"))
            assert client.ask(f"GET /{i} HTTP/1.1\r\nHost: shop.example\r\n\r\n").status == 200
        tunnel.send(b"alive")
        assert tunnel.exactly(5) == b"still"
        with lan.router:
            daemon.reload(config(policy="other tunnel; grace 100ms;", rules="deny mail { port 25; }" + RULES))
        assert tunnel.expect_closed() in ("eof", "reset")
    assert daemon.wait_log(f"CONNECT {SERVER}:25").get("rule") == "mail"


@pytest.mark.slow("300 MB are made, sent and summed by Python")
def test_bulk(lan, start, serve):
    """A long flow arrives as it was sent, in both directions at once, spliced."""
    daemon, other, seen = start(config(policy="other tunnel;")), serve(port=25), hashlib.sha256()
    swapped = threading.Event()
    block, count = hashlib.sha256(b"bulk").digest() * (1 << 15), 150

    def swap(conn):
        def read_all():
            for piece in iter(lambda: conn.sock.recv(1 << 18), b""):
                seen.update(piece)
        reader = threading.Thread(target=read_all)
        reader.start()
        for _ in range(count):
            conn.sock.sendall(block)
        conn.sock.shutdown(socket.SHUT_WR)
        reader.join()
        swapped.set()
    other.next(swap)
    with connect(lan, 25) as client:
        def send_all():
            client.sock.sendall(b"\x05")   # no HTTP
            for _ in range(count):
                client.sock.sendall(block)
            client.half_close()
        sender = threading.Thread(target=send_all)
        sender.start()
        got = hashlib.sha256()
        for piece in iter(lambda: client.sock.recv(1 << 18), b""):
            got.update(piece)
        sender.join()
    assert got.digest() == hashlib.sha256(block * count).digest()
    assert until(lambda: daemon.log(f"CONNECT {SERVER}:25"))
    assert swapped.wait(within(30))
    assert seen.digest() == hashlib.sha256(b"\x05" + block * count).digest()
    assert counter(lan, daemon, "tunnel_spliced_total") == 2


# -- nothing goes round in circles ----------------------------------------------------------------

def test_direct_connection(lan, start):
    """Who connects to the port itself was on the way to nobody."""
    daemon = start()
    answer = ask(lan, "shop.example", "/direct", ROUTER, 3129)
    assert answer.status == 403 and b"it is no proxy to be set in a client" in answer.body
    assert daemon.wait_log("/direct").get("cause") == "own_listener"


def test_loop(lan, start, serve, ca):
    """Rules that lead the proxy's own connections back to it: found out, once for each."""
    own = REDIRECT.replace('iifname "lan0"', "").replace(
        "  chain", "  chain own { type nat hook output priority -100; ip daddr != 127.0.0.0/8 tcp dport { 80, 443 } redirect to :3129; }\n  chain", 1)
    daemon = start(config(clients="10.77.0.0/16"), rules=own)
    origin = serve(port=443, tls=ca.server_context("shop.example"))
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        secure(lan, ca, "shop.example")
    assert until(lambda: len(daemon.log("CONNECT ")) >= 2) and not origin.connections
    causes = [line.get("cause") for line in daemon.log("CONNECT ")]
    assert causes.count("loop_detected") == 1 and len(causes) <= 4
    assert ask(lan, "shop.example", "/round").status == 508


def test_proxy_header(lan, start, serve, ca):
    """A front that intercepts says in its PROXY header whose connection it is, and where that was going."""
    daemon = start(config(listener="proxy-protocol from 10.77.1.2;", clients="192.0.2.0/24"))
    serve(), serve(port=443, tls=ca.server_context("shop.example"))
    header = f"PROXY TCP4 192.0.2.9 {SERVER} 4000 80\r\n"
    with connect(lan, 3129, ROUTER) as client:
        assert client.ask(header + "GET /front HTTP/1.1\r\nHost: shop.example\r\n\r\n").status == 200
    line = daemon.wait_log("/front")
    assert line.get("rule") == "shop" and line.get("to") == f"{SERVER}:80" and "192.0.2.9" in line


# -- proxyd nft -----------------------------------------------------------------------------------

def nft(lan, daemon, *options):
    with lan.router:
        done = run_command("nft", "-c", daemon.config, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_printed_rules(lan, start, serve, ca):
    """`proxyd nft`: what it prints is put in force as it is; QUIC is refused; taken away, the way is free again."""
    daemon, origin = start(rules=""), serve()
    serve(port=443, tls=ca.server_context("shop.example")), serve(SERVER6)
    rules = nft(lan, daemon, "--lan", "lan0")
    for _ in range(2):   # twice is as once
        lan.router.run("nft", "-f", "-", text=rules)
    assert ask(lan, "shop.example", "/led").status == 200 and origin.connections[-1].peer[0] == "10.77.2.1"
    assert ask(lan, "six.example", "/six", SERVER6).status == 200
    secure(lan, ca, "shop.example").close()
    assert daemon.wait_log("CONNECT shop.example:443") and daemon.wait_log("/six")
    with lan.client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((SERVER, 443))
        udp.settimeout(SOON)
        udp.send(b"quic")
        with pytest.raises(ConnectionRefusedError):
            udp.recv(1)
    with lan.router:
        daemon.stop()
    with pytest.raises(ConnectionRefusedError):   # closed, as long as the rules are there
        connect(lan)
    lan.router.run("nft", "-f", "-", text=nft(lan, daemon, "--remove"))
    assert ask(lan, "shop.example", "/open").status == 200 and origin.connections[-1].peer[0] == CLIENT


def test_printed_rules_by_clients_and_own(lan, start, serve):
    """Without interfaces the policy's clients are led; with --own this machine's programs, but for the proxy's."""
    daemon, origin = start(config(clients="10.77.0.0/16 10.77.1.0/24"), rules=""), serve()
    rules = nft(lan, daemon, "--own", "--user", "root", "--ports", "80,8080")
    assert "ip saddr { 10.77.0.0/16 } tcp dport { 80,8080 }" in rules
    lan.router.run("nft", "-f", "-", text=rules)
    assert ask(lan, "shop.example", "/lan").status == 200
    with lan.router:
        done = subprocess.run([need("curl"), "-s", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}",
                               "-H", "Host: shop.example", f"http://{SERVER}/own"], user=65534, capture_output=True,
                              text=True)
    assert done.stdout == "200"
    assert daemon.wait_log("/own")[25:].startswith("10.77.2.1 ") and len(origin.requests) == 2
    lan.router.run("nft", "-f", "-", text=nft(lan, daemon, "--remove"))


def test_printed_rules_have_all_clients(tmp_path):
    """However many there are: a network that is cut short would be another one."""
    for family, nets in (("ip", [f"10.{i // 200}.{i % 200}.0/24" for i in range(400)]), ("ip6", [f"fd77:{i:x}::/48" for i in range(1, 400)])):
        path = tmp_path / "proxyd.conf"
        path.write_text(f"policy p {{ clients {' '.join(nets)}; default deny; }} listener l {{ bind *:3129; mode transparent; policy p; }}")
        done = run_command("nft", "-c", path)
        assert done.returncode == 0 and done.stdout.count(f" {family} saddr {{ {', '.join(nets)} }} ") == 2


def test_the_unit_of_the_rules(lan, start, serve, tmp_path):
    """proxyd-nft.service is well made, and what it runs puts the rules in force and takes them away."""
    daemon, origin = start(rules=""), serve()
    unit = tmp_path / "proxyd-nft.service"
    (tmp_path / "proxyd.service").write_text(f"[Service]\nExecStart={BINARY} run -c {daemon.config}\n")
    text = (ROOT / "service/proxyd-nft.service.in").read_text().replace("@BINDIR@", str(BINARY.parent))
    unit.write_text(text.replace("@CONFDIR@/proxyd.conf", str(daemon.config)))
    done = subprocess.run([need("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True)
    assert done.returncode == 0 and "proxyd-nft" not in done.stderr, done.stderr
    assert "BindsTo=proxyd.service" in text
    for key, peer in (("ExecStart", "10.77.2.1"), ("ExecStop", CLIENT)):
        [command] = re.findall(rf"^{key}=/bin/sh -c '(.*)'$", unit.read_text(), re.M)
        lan.router.run("sh", "-c", command)
        assert ask(lan, "shop.example").status == 200 and origin.connections[-1].peer[0] == peer


def test_printed_rules_for_tproxy(lan, start, serve, routes):
    daemon, origin = start(config(listener="divert tproxy; source client;"), rules=""), serve()
    rules = nft(lan, daemon, "--lan", "lan0")
    commands = [line.strip("# \n") for line in rules.splitlines() if "ip -" in line]
    for line in commands:
        lan.router.run("sh", "-c", line)
    lan.router.run("nft", "-f", "-", text=rules)
    assert ask(lan, "shop.example", "/t").status == 200 and origin.connections[-1].peer[0] == CLIENT
    assert daemon.wait_log("/t").get("to") == f"{SERVER}:80"
    removal = nft(lan, daemon, "--remove")
    for line in [line.strip("# \n") for line in removal.splitlines() if "ip -" in line]:
        lan.router.run("sh", "-c", line)
    lan.router.run("nft", "-f", "-", text=removal)


# -- what is told of it ---------------------------------------------------------------------------

def test_explained(lan, start, serve, ca, tmp_path):
    """`proxyd explain` and `test` blocks ask a transparent listener; a client finds at /why why it was reset."""
    text = config() + """
test "secret stays shut" { listener intercept; from 10.77.1.2; request CONNECT secret.example:443; expect deny secret; }
test "the shop is open"  { listener intercept; from 10.77.1.2; request GET http://shop.example/; expect allow shop; }
"""
    daemon = start(text)
    done = run_command("test", "-c", daemon.config)
    assert done.returncode == 0 and "2 tests, 0 failed" in done.stdout
    with lan.router:
        done = run_command("explain", "-c", daemon.config, "--listener", "intercept", "--from", CLIENT, "http://shop.example/x")
        assert done.returncode == 0 and "shop" in done.stdout, done.stderr
    with pytest.raises(ConnectionResetError):
        secure(lan, ca, "secret.example", OTHER)
    daemon.wait_log("CONNECT secret.example:443")
    with connect(lan, 3128, ROUTER) as client:
        page = client.ask(f"GET /why HTTP/1.1\r\nHost: {ROUTER}:3128\r\n\r\n")
    assert page.status == 200 and b"secret.example:443" in page.body and b"not for you" in page.body


def test_wrong_configurations(tmp_path):
    """What does not go together is told, with its place."""
    def told(text):
        path = tmp_path / "proxyd.conf"
        path.write_text(text)
        done = run_command("check", "-c", path)
        assert done.returncode == 1
        return done.stderr
    policy = "policy p { default deny; } "
    assert '"divert" does not go with "mode forward"' in told(
        policy + "listener l { bind 127.0.0.1:3128; mode forward; policy p; divert tproxy; }")
    assert '"source client" needs "divert tproxy"' in told(
        policy + "listener l { bind *:3129; mode transparent; policy p; source client; }")
    assert '"mode transparent" needs "policy"' in told(policy + "listener l { bind *:3129; mode transparent; }")
    (tmp_path / "users").write_text("")
    assert '"auth basic", which does not go with "mode transparent"' in told(
        "policy p { auth basic { file users; } default deny; } listener l { bind *:3129; mode transparent; policy p; }")
