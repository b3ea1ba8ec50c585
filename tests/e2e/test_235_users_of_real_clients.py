"""The programs that people use, where the proxy wants to know who they are: curl, wget, git, apt, npm, Python and
Chromium, plain and by CONNECT. None gets anywhere without a name, all do with one, and neither an origin nor a log ever
sees what they said.
"""
import asyncio
import base64
import io
import json
import re
import subprocess
import tarfile
import urllib.parse

import pytest
import websockets

from lib import conf
from lib.daemon import BINARY, Proxyd, environment
from lib.parts import apt_command
from lib.skip import need
from lib.times import SLOW, until, within

NAME, PASSWORD = "ann", "s:e s@m/\u00fc%7"
QUOTED = f"{NAME}:{urllib.parse.quote(PASSWORD, safe='')}"
OTHER = ("bob", "builder")   # for a library that sends Latin-1, whatever the challenge asks for
SPOKEN = base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
# What each request brought along, whatever the field is called.
SEEN = {"http": "log_format seen '$request [$http_proxy_authorization] [$http_authorization]';",
        "server": "access_log seen seen;"}


@pytest.fixture(scope="module")
def secure(module_parts):
    return module_parts.ca().issue("origin.test", "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def web(module_parts):
    return module_parts.nginx(**SEEN, files={"small.txt": "a small file\n", **package(),
                                             "page.html": "<!DOCTYPE html><p id=text>The page behind the proxy"})


@pytest.fixture(scope="module")
def web_tls(module_parts, secure):
    return module_parts.nginx(**SEEN, tls=secure, files={"small.txt": "a small file\n"})


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    daemon = Proxyd(tmp_path_factory.mktemp("users"))
    for name, password in ((NAME, PASSWORD), OTHER):
        subprocess.run([BINARY, "passwd", daemon.folder / "users", name, "--stdin"], input=password.encode(), check=True,
                       capture_output=True, env=environment())
    text = conf.forward().replace("rules {", "auth basic { file users; realm \"The office\"; } rules {", 1)
    daemon.start(text, files={"hosts": conf.HOSTS})
    yield daemon
    daemon.stop()


@pytest.fixture(autouse=True)
def _nothing_leaks(proxy, web, web_tls):
    """Of every test: who was let through has a name in the log, and what he said stands nowhere."""
    yield
    proxy.check()
    for part in (web, web_tls):
        seen = (part.folder / "seen").read_text()
        assert "Basic" not in seen and all(line.endswith("[-] [-]") for line in seen.splitlines()), seen
    told = proxy.stdout() + proxy.stderr()
    for secret in (SPOKEN, PASSWORD, QUOTED, "s:e s", "Proxy-Authorization", "$2y$"):
        assert secret not in told
    let_through = [line for line in proxy.log(" 200 ") if "/proxy.pac" not in line]
    assert let_through and all(line.get("user") in (NAME, OTHER[0]) for line in let_through)


def run(program, *args, env=None, code=0, **how):
    done = subprocess.run([need(program), *map(str, args)], capture_output=True, env=environment(env),
                          timeout=60 * SLOW, **how)
    assert code is None or done.returncode == code, (
        f"{program} ended with {done.returncode}\n{done.stdout[-2000:]!r}\n{done.stderr[-2000:].decode()}")
    return done


def urls(web, web_tls):
    return f"http://origin.test:{web.port}/small.txt", f"https://origin.test:{web_tls.port}/small.txt"


def address(proxy, user=QUOTED):
    return f"http://{user}@127.0.0.1:{proxy.port}" if user else f"http://127.0.0.1:{proxy.port}"


def test_curl(proxy, web, web_tls, module_parts):
    """The 407 is alike for a plain request and a CONNECT."""
    ca = module_parts.ca().pem
    challenges = []
    for url in urls(web, web_tls):
        for user, code in ((None, {0, 56}), (f"{NAME}:wrong", {0, 56}), (f"{NAME}:{PASSWORD}", {0})):
            done = run("curl", "-sS", "-v", "--noproxy", "", "--cacert", ca, "-x", address(proxy, ""),
                       *(["--proxy-user", user] if user else []), url, code=None)
            assert done.returncode in code
            if user and user.endswith(PASSWORD):
                assert done.stdout == b"a small file\n"
            else:
                challenges.append(re.search(rb"(?i)< proxy-authenticate: (.*)\r", done.stderr)[1])
                assert b"407 Proxy Authentication Required" in done.stderr
    assert set(challenges) == {b'Basic realm="The office", charset="UTF-8"'} and len(challenges) == 4
    # Asked first, as with --proxy-anyauth: the connection is kept, and the second try brings the name.
    done = run("curl", "-sS", "--noproxy", "", "--proxy-anyauth", "--proxy-user", f"{NAME}:{PASSWORD}", "--cacert", ca,
               "-x", address(proxy, ""), *urls(web, web_tls))
    assert done.stdout == b"a small file\n" * 2


def test_wget(proxy, web, web_tls, module_parts):
    ca = module_parts.ca().pem
    for url in urls(web, web_tls):
        common = ["-q", "-O", "-", f"--ca-certificate={ca}", "-e", "use_proxy=yes", "-e", f"http_proxy={address(proxy, '')}",
                  "-e", f"https_proxy={address(proxy, '')}", url]
        assert run("wget", f"--proxy-user={NAME}", f"--proxy-password={PASSWORD}", *common).stdout == b"a small file\n"
        assert run("wget", *common, code=None).returncode in (4, 6, 8)


@pytest.mark.slow("a server starts, git clones")
def test_git(proxy, parts, tmp_path):
    server = parts.git()

    def clone(user, to, code=0):
        return run("git", "-c", f"http.proxy={address(proxy, user)}", "clone", "-q",
                   f"http://origin.test:{server.port}/demo.git", to, cwd=tmp_path, code=code,
                   env={"GIT_TERMINAL_PROMPT": "0", "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"})
    clone(QUOTED, "copy")
    assert (tmp_path / "copy/README").read_text() == "demo\n"
    assert b"407" in clone("", "other", code=128).stderr


def test_apt(proxy, parts, tmp_path):
    need("apt-get")
    repository = parts.apt()
    done = apt_command(tmp_path / "root", repository.line, proxy.port, "update", user=QUOTED)
    assert done.returncode == 0 and "Err" not in done.stdout, done.stdout + done.stderr
    done = apt_command(tmp_path / "root", repository.line, proxy.port, "download", repository.package, user=QUOTED)
    assert done.returncode == 0 and list((tmp_path / "root").glob("*.deb")), done.stdout + done.stderr
    done = apt_command(tmp_path / "none", repository.line, proxy.port, "update")
    assert "407" in done.stdout + done.stderr


# -- npm ------------------------------------------------------------------------------------------

def package():
    """What a registry serves of one package, but for the address of its archive: npm keeps to the registry's."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, data in {"package/package.json": b'{"name":"demo","version":"1.0.0"}', "package/index.js": b"demo"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    about = {"name": "demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {
        "name": "demo", "version": "1.0.0", "dist": {"tarball": "http://origin.test/demo-1.0.0.tgz"}}}}
    return {"demo": json.dumps(about), "demo-1.0.0.tgz": archive.getvalue()}


@pytest.mark.slow("npm takes a second to start")
def test_npm(proxy, web, tmp_path):
    about = json.loads((web.root / "demo").read_text())
    about["versions"]["1.0.0"]["dist"]["tarball"] = f"http://origin.test:{web.port}/demo-1.0.0.tgz"
    (web.root / "demo").write_text(json.dumps(about))

    def npm(user, code):
        folder = tmp_path / (user and "with" or "without")
        folder.mkdir()
        (folder / "package.json").write_text("{}")
        return folder, run("npm", "install", "demo", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=0",
                           "--loglevel=http", f"--registry=http://origin.test:{web.port}/", f"--proxy={address(proxy, user)}",
                           f"--https-proxy={address(proxy, user)}", "--noproxy=", f"--cache={folder}/cache", cwd=folder,
                           env={"HOME": str(folder)}, code=code)
    folder, _ = npm(QUOTED, 0)
    assert (folder / "node_modules/demo/index.js").read_text() == "demo"
    _, done = npm("", None)
    assert done.returncode != 0 and b"407" in done.stderr


# -- Python ---------------------------------------------------------------------------------------

PYTHON = {
    "urllib": "import urllib.request\nget = lambda url: urllib.request.build_opener().open(url).read().decode()\n",
    "requests": "import requests\ndef get(url):\n  a = requests.get(url)\n  a.raise_for_status()\n  return a.text\n",
}
#: Each URL through the proxy that stands before it; one process, as it takes half a second to start.
EACH = r"""
import os, sys
for proxy, url in zip(sys.argv[1::2], sys.argv[2::2]):
    os.environ["http_proxy"] = os.environ["https_proxy"] = proxy
    try:
        print(get(url), end="")
    except Exception as e:
        print("407" if "407" in str(e) else repr(e))
"""


@pytest.mark.parametrize("library", PYTHON)
def test_python(proxy, web, web_tls, module_parts, library):
    ca = str(module_parts.ca().pem)
    known = address(proxy, ":".join(OTHER) if library == "requests" else QUOTED)
    asked = [word for url in urls(web, web_tls) for through in (known, address(proxy, "")) for word in (through, url)]
    done = run("/usr/bin/python3", "-c", PYTHON[library] + EACH, *asked, env={"SSL_CERT_FILE": ca, "REQUESTS_CA_BUNDLE": ca})
    assert done.stdout == b"a small file\n407\n" * (len(asked) // 4)


# -- Chromium -------------------------------------------------------------------------------------

class Browser:
    """Chromium by its DevTools, which answer the 407 as a person would."""

    def __init__(self, link):
        self.link, self.number, self.asked = link, 0, []

    async def call(self, method, session=None, **params):
        self.number += 1
        await self.link.send(json.dumps({"id": self.number, "method": method, "params": params}
                                        | ({"sessionId": session} if session else {})))
        return self.number

    async def result(self, number):
        while True:
            message = json.loads(await asyncio.wait_for(self.link.recv(), within(30)))
            if message.get("id") == number:
                return message.get("result")
            await self.react(message)

    async def react(self, message):
        method, params, session = message.get("method"), message.get("params", {}), message.get("sessionId")
        if method == "Fetch.requestPaused":
            await self.call("Fetch.continueRequest", session, requestId=params["requestId"])
        elif method == "Fetch.authRequired":
            self.asked.append(params["authChallenge"])
            await self.call("Fetch.continueWithAuth", session, requestId=params["requestId"], authChallengeResponse={
                "response": "ProvideCredentials", "username": NAME, "password": PASSWORD})

    async def text_of(self, url):
        target = (await self.result(await self.call("Target.createTarget", url="about:blank")))["targetId"]
        session = (await self.result(await self.call("Target.attachToTarget", targetId=target, flatten=True)))["sessionId"]
        await self.result(await self.call("Fetch.enable", session, handleAuthRequests=True))
        await self.result(await self.call("Page.navigate", session, url=url))
        for _ in range(100):
            got = await self.result(await self.call("Runtime.evaluate", session, expression="document.body.innerText"))
            if got["result"].get("value"):
                return got["result"]["value"].strip()
            await asyncio.sleep(0.05)
        raise AssertionError(f"{url} shows nothing")


async def browse(endpoint, *pages):
    async with websockets.connect(endpoint, max_size=None) as link:
        browser = Browser(link)
        shown = [await browser.text_of(url) for url in pages]
        await browser.call("Browser.close")
        return shown, browser.asked


@pytest.mark.slow("a browser starts")
@pytest.mark.parametrize("how", ["--proxy-server", "--proxy-pac-url"])
def test_chromium(proxy, web, web_tls, tmp_path, how):
    """It is asked once, with the realm, and then brings the name by itself, plain and by CONNECT."""
    given = f"http://127.0.0.1:{proxy.port}" + ("/proxy.pac" if how.endswith("url") else "")
    command = [need("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
               "--disable-extensions", "--disable-default-apps", "--no-pings", f"--user-data-dir={tmp_path}/profile",
               "--disable-features=OptimizationHints,MediaRouter,DialMediaRouteProvider", "--remote-debugging-port=0",
               "--proxy-bypass-list=<-loopback>", "--ignore-certificate-errors", f"{how}={given}", "about:blank"]
    with open(tmp_path / "said", "wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment({"HOME": str(tmp_path)}), cwd=tmp_path)
    try:
        port = tmp_path / "profile/DevToolsActivePort"
        assert until(lambda: port.exists() and port.read_text().count("\n") >= 1), (tmp_path / "said").read_text()
        number, path = port.read_text().splitlines()[:2]
        plain, tls = urls(web, web_tls)
        shown, asked = asyncio.run(browse(f"ws://127.0.0.1:{number}{path}", plain.replace("small.txt", "page.html"), tls))
    finally:
        process.terminate()
        process.wait(within(20))
    assert shown == ["The page behind the proxy", "a small file"]
    assert {(a["source"], a["scheme"], a["realm"]) for a in asked} == {("Proxy", "basic", "The office")}
