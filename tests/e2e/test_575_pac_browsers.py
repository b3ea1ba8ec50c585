"""Browsers that find the proxy by its script, and networks that tell them where it is. What was asked of whom
stands in the logs of the proxies and of the servers, never in the browser's own words.
"""
import os
import pathlib
import re
import subprocess

import pytest

from lib import conf
from lib.daemon import environment
from lib.netns import ip, network
from lib.origin import Origin, ok, read_body, send
from lib.skip import need
from lib.times import SLOW, until

PAGE = "<!DOCTYPE html><title>t</title><p>The page of {}"
NAMES = ("allowed.test", "refused.test", "direct.test")
DOCUMENT = pathlib.Path(__file__).parents[2] / "docs/pac.md"
HOSTS = conf.HOSTS + "127.0.0.1 " + " ".join(NAMES) + "\n"


class Chromium:
    def __init__(self, folder, pac):
        self.folder, self.pac, self.program = folder, pac, need("chromium")

    def load(self, url):
        subprocess.run(
            [self.program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
             "--disable-extensions", "--disable-default-apps", "--no-pings",
             "--disable-features=OptimizationHints,MediaRouter,DialMediaRouteProvider",
             f"--user-data-dir={self.folder}/profile", "--virtual-time-budget=8000", f"--proxy-pac-url={self.pac}",
             "--host-resolver-rules=" + ",".join(f"MAP {name} 127.0.0.1" for name in NAMES) + ",MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
             "--dump-dom", url],
            capture_output=True, timeout=90 * SLOW, check=False, env=environment({"HOME": str(self.folder)}), cwd=self.folder)


class Firefox:
    """Headless, one page a start; a screenshot is how it knows that it is done."""

    def __init__(self, folder, pac):
        self.folder, self.program = folder, need("firefox-esr")
        profile = folder / "profile"
        profile.mkdir()
        prefs = {"network.proxy.type": 2, "network.proxy.autoconfig_url": pac,
                 "network.dns.localDomains": ",".join(NAMES), "network.captive-portal-service.enabled": False,
                 "network.connectivity-service.enabled": False, "browser.shell.checkDefaultBrowser": False,
                 "datareporting.policy.dataSubmissionEnabled": False, "app.normandy.enabled": False,
                 "toolkit.telemetry.enabled": False, "browser.safebrowsing.downloads.enabled": False,
                 "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
                 "services.settings.server": "http://127.0.0.1:9/v1", "extensions.update.enabled": False,
                 "app.update.enabled": False, "network.dns.disablePrefetch": True, "network.trr.mode": 5,
                 "browser.newtabpage.enabled": False, "dom.security.https_first": False}
        (profile / "user.js").write_text("".join(
            f"user_pref({name!r}, {str(value).lower() if isinstance(value, bool) else value if isinstance(value, int) else repr(value)});\n"
            for name, value in prefs.items()).replace("'", '"'))

    def load(self, url):
        subprocess.run([self.program, "--headless", "--no-remote", "--profile", str(self.folder / "profile"),
                        "--screenshot", str(self.folder / "shot.png"), url],
                       capture_output=True, timeout=90 * SLOW, check=False, cwd=self.folder,
                       env=environment({"HOME": str(self.folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}))


@pytest.mark.slow("a browser starts, four times")
@pytest.mark.parametrize("browser", [Chromium, Firefox])
def test_browser(proxyd, tmp_path, browser):
    """A page through the proxy, one that it refuses, one without it; and the second proxy when the first is dead."""
    with Origin() as origin:
        for name in NAMES:
            origin.at(f"/{name}", read_body(), send(ok(PAGE.format(name), "Content-Type: text/html")))
        origin.at("/favicon.ico", read_body(), send(ok("")))
        rules = f"deny shut {{ to refused.test; }} {conf.OPEN_RULES}"
        daemon = proxyd(conf.forward(rules, listener="pac office;", extra="""
            pac office { proxy 127.0.0.1:{dead_port} 127.0.0.1:{port}; direct direct.test; }"""), files={"hosts": HOSTS})
        one = browser(tmp_path, f"http://127.0.0.1:{daemon.port}/proxy.pac")
        for name in NAMES:
            one.load(f"http://{name}:{origin.port}/{name}")
        daemon.wait_log(f"refused.test:{origin.port}/refused.test")
        log = daemon.stdout()
        asked = {r.target: r for r in origin.requests}
        assert "/proxy.pac" in log
        assert re.search(rf'"GET http://allowed\.test:{origin.port}/allowed\.test" 200', log)
        assert re.search(rf'"GET http://refused\.test:{origin.port}/refused\.test" 403', log)
        assert f"direct.test:{origin.port}" not in log
        assert "/allowed.test" in asked and "/direct.test" in asked and "/refused.test" not in asked
        assert asked["/allowed.test"].get("Via") and not asked["/direct.test"].get("Via")


#: Of udhcpc: keeps what the server says, and gives the address to the interface.
LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/24" dev "$interface"
printf '%s\\n' "$wpad" "$dns" "$domain" > "$LEASE"
"""


@network()
@pytest.mark.slow("a client asks for its address, which takes some seconds")
def test_dhcp_and_dns(proxyd, tmp_path):
    """dnsmasq as docs/pac.md has it: a client that knows nothing learns the URL from option 252, and by the name wpad."""
    busybox, dnsmasq, nsenter = need("busybox"), need("dnsmasq"), need("nsenter")
    client = subprocess.Popen([need("unshare"), "-n", "sleep", "120"])
    server = None
    try:
        assert until(lambda: os.readlink(f"/proc/{client.pid}/ns/net") != os.readlink("/proc/thread-self/ns/net"))
        ip("link", "add", "lan", "type", "veth", "peer", "name", "lan1", "netns", str(client.pid))
        ip("addr", "add", "10.77.0.1/24", "dev", "lan")
        ip("link", "set", "lan", "up")
        inside = [nsenter, "-t", str(client.pid), "-n"]
        subprocess.run([*inside, need("ip"), "link", "set", "lan1", "up"], check=True)
        settings = re.search(r"```text\n(dhcp-option=.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S).group(1)
        settings = settings.replace("10.0.0.1", "10.77.0.1").replace("corp.example", "corp.test")
        (tmp_path / "dnsmasq.conf").write_text(
            f"interface=lan\nbind-interfaces\nno-resolv\nno-hosts\nport=53\ndomain=corp.test\nuser=root\n"
            f"dhcp-range=10.77.0.10,10.77.0.20,1h\ndhcp-leasefile={tmp_path}/leases\npid-file=\n{settings}")
        server = subprocess.Popen([dnsmasq, "-k", "-C", str(tmp_path / "dnsmasq.conf")])
        daemon = proxyd("""
            listener main { bind 10.77.0.1:3128 10.77.0.1:80; mode forward; policy open; pac office; }
            pac office { direct .corp.test; proxy 10.77.0.1:3128; }
            policy open { clients 10.77.0.0/24; default allow; }
            log access { to stdout; }""", expect_ready=False)
        assert until(lambda: "try:" in daemon.stderr())
        (tmp_path / "lease").write_text(LEASE)
        (tmp_path / "lease").chmod(0o755)
        lease = tmp_path / "told"
        subprocess.run([*inside, busybox, "udhcpc", "-i", "lan1", "-n", "-q", "-t", "10", "-T", "1", "-O", "wpad",
                        "-s", str(tmp_path / "lease")], check=True, capture_output=True, env={**os.environ, "LEASE": str(lease)})
        url, resolver, domain = lease.read_text().split("\n")[:3]
        assert (url, resolver, domain) == ("http://10.77.0.1:3128/wpad.dat", "10.77.0.1", "corp.test")
        script = subprocess.run([*inside, busybox, "wget", "-q", "-O", "-", url], check=True, capture_output=True).stdout
        assert b".corp.test" in script and b"PROXY 10.77.0.1:3128" in script
        found = subprocess.run([*inside, busybox, "nslookup", f"wpad.{domain}", resolver], capture_output=True, text=True,
                               check=False).stdout
        assert f"wpad.{domain}\nAddress: 10.77.0.1\n" in found, found
        again = subprocess.run([*inside, need("curl"), "-s", "--resolve", f"wpad.{domain}:80:10.77.0.1",
                                f"http://wpad.{domain}/wpad.dat"], check=True, capture_output=True).stdout
        assert again == script
        assert daemon.wait_log("10.77.0.1")
    finally:
        for process in (client, server):
            if process:
                process.kill()
                process.wait()
