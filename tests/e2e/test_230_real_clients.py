"""The programs that people use, through the proxy as they would: curl, wget, git, apt, Chromium and a
WebSocket client. What they fetch is compared byte for byte; what they are refused they have to show.
"""
import asyncio
import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
import websockets

from lib import conf
from lib.client import Client, fetch, request
from lib.daemon import environment
from lib.echo_server import pattern
from lib.origin import Origin, chunks, ok, read_body, send
from lib.parts import apt_command
from lib.skip import need
from lib.times import SLOW, until, within

MIB = 1 << 20


@pytest.fixture(scope="module")
def secure(module_parts):
    """(certificate, key) of origin.test and localhost, from the test CA."""
    return module_parts.ca().issue("origin.test", "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def web(module_parts):
    """nginx with pages of several kinds."""
    return module_parts.nginx(server="""
        location /empty { return 204; }
        location /moved { return 302 http://$http_host/small.txt; }
        """, files={
            "small.txt": "a small file\n", "large.bin": pattern(20 * MIB), "none.txt": "",
            "page.html": "<!DOCTYPE html><title>t</title><link rel=stylesheet href=style.css>"
                         "<img src=dot.png><p id=text>The page behind the proxy",
            "style.css": "p { color: rgb(1, 2, 3) }", "dot.png": DOT})


DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")


@pytest.fixture(scope="module")
def web_tls(module_parts, secure):
    return module_parts.nginx(tls=secure, files={"small.txt": "a small file\n", "large.bin": pattern(20 * MIB)})


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """One daemon for all of them."""
    from lib.daemon import Proxyd
    daemon = Proxyd(tmp_path_factory.mktemp("clients"))
    daemon.start(conf.forward(rules='deny shut { path /shut; } deny no-tls { to other.test; port 443; } '
                                    + conf.OPEN_RULES), files={"hosts": conf.HOSTS})
    yield daemon
    daemon.stop()


@pytest.fixture(autouse=True)
def _still_alive(proxy):
    yield
    proxy.check()


def url_of(part, path, host="origin.test", scheme="http"):
    return f"{scheme}://{host}:{part.port}{path}"


def run(program, *args, env=None, code=0, timeout=60, **how):
    done = subprocess.run([need(program), *map(str, args)], capture_output=True, env=environment(env),
                          timeout=timeout * SLOW, **how)
    assert code is None or done.returncode == code, (
        f"{program} ended with {done.returncode}\n{done.stdout[-2000:]!r}\n{done.stderr[-2000:].decode()}")
    return done


# -- curl -----------------------------------------------------------------------------------------

@pytest.fixture
def curl(proxy, module_parts):
    def run_curl(*args, **more):
        return run("curl", "-sS", "--noproxy", "", "--cacert", module_parts.ca().pem, "-x",
                   f"http://127.0.0.1:{proxy.port}", *args, **more)
    return run_curl


def test_curl(curl, web):
    assert curl(url_of(web, "/small.txt")).stdout == b"a small file\n"
    assert curl(url_of(web, "/none.txt")).stdout == b""
    assert curl(url_of(web, "/large.bin")).stdout == pattern(20 * MIB)


def test_curl_on_one_connection(curl, web, proxy):
    """Many files by one connection to the proxy, which keeps it."""
    done = curl("-v", *[url_of(web, f"/small.txt?{i}") for i in range(5)])
    assert done.stdout == b"a small file\n" * 5
    assert done.stderr.count(b"Re-using existing connection") == 4


def test_curl_follows_head_ranges_and_conditions(curl, web):
    assert curl("-L", url_of(web, "/moved")).stdout == b"a small file\n"
    assert b"200 OK" in curl("-I", url_of(web, "/small.txt")).stdout
    assert curl("-r", "100-199", url_of(web, "/large.bin")).stdout == pattern(20 * MIB)[100:200]
    date = re.search(rb"(?i)last-modified: (.*)\r", curl("-I", url_of(web, "/small.txt")).stdout)[1].decode()
    assert curl("-w", "%{http_code}", "-H", f"If-Modified-Since: {date}", url_of(web, "/small.txt")).stdout == b"304"
    assert curl("-w", "%{http_code}", url_of(web, "/empty")).stdout == b"204"


def test_curl_uploads(curl, module_parts, tmp_path):
    """With Expect: 100-continue, with a length and in chunks, as curl does for large bodies."""
    echo = module_parts.echo()
    body = pattern(5 * MIB)
    (tmp_path / "body").write_bytes(body)
    assert curl("-T", tmp_path / "body", url_of(echo, "/echo")).stdout == body
    assert curl("-T", "-", url_of(echo, "/echo"), input=body).stdout == body
    assert curl("--data-binary", f"@{tmp_path}/body", url_of(echo, "/echo")).stdout == body
    assert curl("-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path}/body",
                url_of(echo, "/echo")).stdout == body


def test_curl_https(curl, web_tls, proxy):
    done = curl("-v", url_of(web_tls, "/large.bin", scheme="https"))
    assert done.stdout == pattern(20 * MIB)
    assert b"CONNECT tunnel established, response 200" in done.stderr or b"Proxy replied 200" in done.stderr
    assert proxy.wait_log(f'"CONNECT origin.test:{web_tls.port}" 200')


def test_curl_p(curl, web):
    """-p: plain HTTP through a tunnel."""
    assert curl("-p", url_of(web, "/large.bin")).stdout == pattern(20 * MIB)


def test_curl_http_1_0(curl, web):
    assert curl("-0", url_of(web, "/small.txt")).stdout == b"a small file\n"


def test_curl_sees_refusals(curl, web, proxy):
    """The status and the page for plain requests; the status line's reason for a CONNECT."""
    done = curl("-w", "%{http_code}", url_of(web, "/shut/it"))
    assert b"rule_denied" in done.stdout and b"rule: shut" in done.stdout and done.stdout.endswith(b"403")
    assert done.stdout.count(b"\n") < 10 and b"<" not in done.stdout, "text for a terminal"
    done = curl("-v", "https://other.test/", code=56)
    assert b"HTTP/1.1 403 Forbidden (rule_denied, rule no-tls)" in done.stderr
    assert b"403" in done.stderr.splitlines()[-1]
    done = curl("-H", "Accept: application/json", url_of(web, "/shut"))
    page = json.loads(done.stdout)
    assert page["status"] == 403 and page["cause"] == "rule_denied" and page["rule"] == "shut"


def test_curl_by_environment(proxy, web):
    done = run("curl", "-sS", url_of(web, "/small.txt"), env={"http_proxy": f"http://127.0.0.1:{proxy.port}"})
    assert done.stdout == b"a small file\n"


def test_the_proxy_itself_ignores_the_environment(proxyd, origin):
    """http_proxy is for clients: a proxy that follows it would ask itself."""
    daemon = proxyd(env={"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "all_proxy": "x"})
    assert fetch(daemon.port, origin.url()).status == 200


# -- wget -----------------------------------------------------------------------------------------

@pytest.fixture
def wget(proxy, module_parts, tmp_path):
    def run_wget(*args, **more):
        address = f"http://127.0.0.1:{proxy.port}"
        return run("wget", "-q", "-O", "-", f"--ca-certificate={module_parts.ca().pem}", "-e", "use_proxy=yes",
                   "-e", f"http_proxy={address}", "-e", f"https_proxy={address}", *args, **more)
    return run_wget


def test_wget(wget, web, web_tls):
    assert wget(url_of(web, "/small.txt")).stdout == b"a small file\n"
    assert wget(url_of(web, "/large.bin")).stdout == pattern(20 * MIB)
    assert wget(url_of(web, "/moved")).stdout == b"a small file\n"
    assert wget(url_of(web_tls, "/large.bin", scheme="https")).stdout == pattern(20 * MIB)


def test_wget_continues_a_file(proxy, web, tmp_path):
    (tmp_path / "large.bin").write_bytes(pattern(20 * MIB)[:MIB])
    run("wget", "-q", "-c", "-e", "use_proxy=yes", "-e", f"http_proxy=http://127.0.0.1:{proxy.port}",
        url_of(web, "/large.bin"), cwd=tmp_path)
    assert (tmp_path / "large.bin").read_bytes() == pattern(20 * MIB)


def test_wget_sees_a_refusal(wget, web):
    done = wget("-nv", "-S", url_of(web, "/shut"), code=8)
    assert b"403 Forbidden" in done.stderr


# -- git ------------------------------------------------------------------------------------------

@pytest.mark.slow("a server starts, git clones and pushes")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_git(proxy, parts, module_parts, secure, tmp_path, scheme):
    """Clone, push and fetch: large packs, chunked and compressed requests."""
    server = parts.git(tls=secure if scheme == "https" else None)
    url = url_of(server, "/demo.git", scheme=scheme)

    def git(*args):
        return run("git", "-c", f"http.proxy=http://127.0.0.1:{proxy.port}", "-c",
                   "user.name=t", "-c", "user.email=t@t.test", "-c", "http.postBuffer=70000", *args, cwd=tmp_path,
                   env={"GIT_TERMINAL_PROMPT": "0", "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1",
                        "GIT_SSL_CAINFO": str(module_parts.ca().pem)})
    git("clone", "-q", url, "copy")
    assert (tmp_path / "copy/large.bin").read_bytes() == (server.work / "large.bin").read_bytes()
    (tmp_path / "copy/new.bin").write_bytes(os.urandom(300_000))
    git("-C", "copy", "add", ".")
    git("-C", "copy", "commit", "-q", "-m", "second")
    git("-C", "copy", "push", "-q", "origin", "HEAD")
    git("clone", "-q", "--depth", "1", url, "shallow")
    assert (tmp_path / "shallow/new.bin").read_bytes() == (tmp_path / "copy/new.bin").read_bytes()
    git("-C", "shallow", "fetch", "-q", "--unshallow")
    assert len(git("-C", "shallow", "log", "--format=%h").stdout.split()) == 2
    method = "CONNECT" if scheme == "https" else "POST"
    assert proxy.wait_log(f'"{method} ')


# -- apt ------------------------------------------------------------------------------------------

def test_apt(proxy, parts, tmp_path):
    """update, download and a second update from the cache, in a root of its own."""
    need("apt-get")
    repository = parts.apt()
    root = tmp_path / "root"
    done = apt_command(root, repository.line, proxy.port, "update")
    assert done.returncode == 0 and "Err" not in done.stdout, done.stdout + done.stderr
    done = apt_command(root, repository.line, proxy.port, "download", repository.package)
    assert done.returncode == 0, done.stdout + done.stderr
    package, = root.glob("*.deb")
    assert package.read_bytes() == next(repository.root.glob("*.deb")).read_bytes()
    done = apt_command(root, repository.line, proxy.port, "update")
    assert done.returncode == 0 and "Hit" in done.stdout, done.stdout
    assert "GET /./Packages" in repository.text() or "Packages" in repository.text()
    assert proxy.wait_log("/Release")


def test_apt_tells_of_a_refusal(proxyd, parts, tmp_path):
    need("apt-get")
    repository = parts.apt()
    daemon = proxyd(conf.forward(rules='deny mirrors { to origin.test; }', default='deny "use the mirror"'))
    done = apt_command(tmp_path / "root", repository.line, daemon.port, "update")
    assert "403  Forbidden" in done.stdout + done.stderr


# -- WebSocket ------------------------------------------------------------------------------------

MESSAGES = ["hello", "", "x" * 100_000, b"\x00\xff" * 5000, pattern(3 * MIB)]


async def converse(sock, uri, tls=None):
    async with websockets.connect(uri, sock=sock, ssl=tls, max_size=None,
                                  server_hostname="origin.test" if tls else None) as connection:
        for message in MESSAGES:
            await connection.send(message)
            assert await asyncio.wait_for(connection.recv(), within(10)) == message
        pong = await connection.ping()
        await asyncio.wait_for(pong, within(5))


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websocket_through_connect(proxy, parts, module_parts, secure, scheme):
    server = parts.websocket(tls=secure if scheme == "wss" else None)
    with Client(proxy.port) as client:
        authority = f"origin.test:{server.port}"
        assert client.ask(request(authority, method="CONNECT", host=authority)).status == 200
        client.sock.settimeout(None)
        client.sock.setblocking(False)
        tls = module_parts.ca().client_context() if scheme == "wss" else None
        asyncio.run(converse(client.sock, f"{scheme}://{authority}/", tls))


def test_websocket_by_upgrade(proxy, parts):
    """A plain Upgrade in absolute form: the handshake through the proxy, then frames both ways."""
    server = parts.websocket()
    key = base64.b64encode(os.urandom(16)).decode()
    with Client(proxy.port) as client:
        answer = client.ask(request(f"http://origin.test:{server.port}/", "Upgrade: websocket", "Connection: Upgrade",
                                    f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"))
        assert answer.status == 101 and answer.get("Upgrade") == "websocket"
        assert answer.get("Connection").lower() == "upgrade"
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert answer.get("Sec-WebSocket-Accept") == base64.b64encode(digest).decode()
        for text in (b"first", b"second" * 20, b"x" * 60000):
            client.send(frame(text))
            head = client.exactly(2)
            assert head[0] == 0x81
            length = head[1]
            if length == 126:
                length = int.from_bytes(client.exactly(2), "big")
            assert client.exactly(length) == text
        client.send(frame((1000).to_bytes(2, "big"), opcode=8))
        assert client.exactly(4) == b"\x88\x02\x03\xe8"
        client.expect_closed()
    line = proxy.wait_log("upgrade=websocket")
    assert " 101 " in line


def frame(data, opcode=1):
    """A masked frame, as clients send them."""
    mask = os.urandom(4)
    n = len(data)
    head = bytes([0x80 | opcode, 0x80 | n]) if n < 126 else bytes([0x80 | opcode, 0xfe]) + n.to_bytes(2, "big")
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def test_websocket_library_by_upgrade(proxy, parts):
    """The same with the client library as it is: the proxy's port in place of the server's, and the
    request line in absolute form, as a client that knows of a proxy writes it."""
    server = parts.websocket()

    here, there = socket.socketpair()
    client = Client(proxy.port)

    def carry():
        head = b""
        while b"\r\n" not in head:
            head += there.recv(65536)
        client.send(head.replace(b"GET / ", f"GET http://origin.test:{server.port}/ ".encode(), 1))
        threading.Thread(target=pump, args=(client.sock, there), daemon=True).start()
        pump(there, client.sock)
    carrier = threading.Thread(target=carry, daemon=True)
    carrier.start()
    here.setblocking(False)
    client.sock.settimeout(None)
    asyncio.run(converse(here, f"ws://origin.test:{server.port}/"))
    carrier.join(within(5))
    client.close()


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(1)
    except OSError:
        pass


# -- Chromium -------------------------------------------------------------------------------------

@pytest.fixture
def chromium(tmp_path):
    """chromium(url, flags…) → the page's DOM after it has loaded; screenshot= saves a picture."""
    program = need("chromium")

    def load(url, *flags, screenshot=None):
        what = [f"--screenshot={screenshot}", "--window-size=900,700"] if screenshot else ["--dump-dom"]
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   "--no-first-run", "--disable-extensions", "--disable-default-apps", "--no-pings",
                   "--disable-features=OptimizationHints,MediaRouter,DialMediaRouteProvider",
                   f"--user-data-dir={tmp_path}/profile", "--virtual-time-budget=8000",
                   "--proxy-bypass-list=<-loopback>", "--ignore-certificate-errors", *flags, *what, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90 * SLOW, check=False,
                              env=environment({"HOME": str(tmp_path)}), cwd=tmp_path)
        assert screenshot or done.stdout, done.stderr[-3000:]
        return done.stdout
    return load


@pytest.mark.slow("a browser starts")
def test_chromium_by_proxy_server(chromium, proxy, web, tmp_path):
    """A page with its style sheet and picture, all of it through the proxy."""
    dom = chromium(url_of(web, "/page.html"), f"--proxy-server=http://127.0.0.1:{proxy.port}")
    assert "The page behind the proxy" in dom
    for name in ("page.html", "style.css", "dot.png"):
        assert " 200 " in proxy.wait_log(f'/{name}"')


def test_chromium_by_pac(chromium, proxyd, web):
    """The PAC that the proxy serves names the proxy itself."""
    daemon = proxyd()
    dom = chromium(url_of(web, "/page.html"), f"--proxy-pac-url=http://127.0.0.1:{daemon.port}/proxy.pac")
    assert "The page behind the proxy" in dom
    assert daemon.wait_log("/proxy.pac") and " 200 " in daemon.wait_log('/page.html"')


def test_chromium_https(chromium, proxy, web_tls):
    dom = chromium(url_of(web_tls, "/small.txt", scheme="https"), f"--proxy-server=http://127.0.0.1:{proxy.port}")
    assert "a small file" in dom
    assert proxy.wait_log(f'"CONNECT origin.test:{web_tls.port}" 200')


@pytest.mark.slow("a browser starts")
def test_chromium_shows_the_refusal(chromium, proxyd, web, tmp_path):
    """Its words, and nothing of the URL becomes markup."""
    daemon = proxyd(conf.forward(rules="deny shut { path /shut; }", default='deny "Not on the company\'s <list> & co"'))
    dom = chromium(url_of(web, "/shut/%3Cscript%3Ealert(1)%3C/script%3E?secret=1"),
                   f"--proxy-server=http://127.0.0.1:{daemon.port}")
    for words in ("This request is not allowed", "rule_denied", "shut"):
        assert words in dom, dom
    assert "<script" not in dom and "secret" not in dom
    dom = chromium(url_of(web, "/else"), f"--proxy-server=http://127.0.0.1:{daemon.port}")
    assert "Not on the company's &lt;list&gt; &amp; co" in dom
    picture = tmp_path / "refusal.png"
    chromium(url_of(web, "/else/where/it/is/long/" + "x" * 100), f"--proxy-server=http://127.0.0.1:{daemon.port}",
             screenshot=picture)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000
    if folder := os.environ.get("E2E_PICTURES"):
        shutil.copy(picture, pathlib.Path(folder) / "refusal.png")


@pytest.mark.slow("a browser starts")
def test_chromium_shows_what_failed(chromium, proxy, tmp_path):
    """An origin that is not there: the page says so, not the browser."""
    dom = chromium("http://nowhere.test/", f"--proxy-server=http://127.0.0.1:{proxy.port}")
    assert "could not be reached" in dom and "Request id" in dom
    if folder := os.environ.get("E2E_PICTURES"):
        chromium("http://nowhere.test/", f"--proxy-server=http://127.0.0.1:{proxy.port}",
                 screenshot=pathlib.Path(folder) / "failed.png")


@pytest.mark.slow("a browser starts")
def test_chromium_shows_how_to_set_it_up(chromium, proxy):
    """Asked directly and by way of the proxy itself; the browser sees that it is Chromium, and asks for nothing else."""
    for flags in ((), (f"--proxy-server=http://127.0.0.1:{proxy.port}",)):
        dom = chromium(f"http://127.0.0.1:{proxy.port}/", *flags)
        assert f"http://127.0.0.1:{proxy.port}/proxy.pac" in dom and "Use this proxy" in dom
        assert re.search(r'<details id="(\w+)"', dom)[1] == "chromium"


# -- Python's own ---------------------------------------------------------------------------------

def test_http_client_of_python(proxy, web_tls, module_parts):
    connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=_trusting(module_parts),
                                             timeout=within(10))
    connection.set_tunnel("origin.test", web_tls.port)
    connection.request("GET", "/small.txt")
    assert connection.getresponse().read() == b"a small file\n"
    connection.close()


def _trusting(parts):
    context = ssl.create_default_context(cafile=parts.ca().pem)
    context.check_hostname = False      # http.client checks the proxy's address here
    return context


def test_chunked_answers_reach_curl_as_they_come(curl, proxy):
    """-N: each piece is with the user before the next is made."""
    with Origin(name="origin.test") as origin:
        origin.at("/stream", read_body(), send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                  chunks(b"one\n", b"two\n", b"three\n", every=0.1))
        assert curl("-N", origin.url("/stream")).stdout == b"one\ntwo\nthree\n"
        origin.at("/fin", read_body(), send(ok("end")))
        assert until(lambda: curl(origin.url("/fin")).stdout == b"end")
