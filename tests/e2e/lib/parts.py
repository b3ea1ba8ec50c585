"""Real programs as parts of a test: nginx, dnsmasq, a git and an apt server, TLS and WebSocket
origins. Parts(folder).nginx(…) starts one on a loopback port and stop() ends them all.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from .ca import TestCA
from .daemon import environment
from .dns import Dns
from .ports import free_port, release
from .skip import need
from .times import SLOW

HERE = pathlib.Path(__file__).parent


class Part:
    """A running program: .port, .process, .log (a file it writes)."""

    def __init__(self, folder, command, port, log=None):
        self.folder = folder
        self.port = port
        self.log = log or folder / "output"
        output = open(folder / "output", "ab")
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                        stdout=output, stderr=output, cwd=folder,
                                        env=environment())
        output.close()
        end = time.monotonic() + 15 * SLOW
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{command[0]} did not start: "
                                     f"{(folder / 'output').read_text(errors='replace')}")
            time.sleep(0.01)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def text(self):
        log = pathlib.Path(self.log)   # which it may not have begun
        return log.read_text(errors="replace") if log.exists() else ""

    def url(self, path="/", scheme="http", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}{path}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        release(self.port)


class Parts:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._parts = []
        self._ca = None

    def _new(self, kind):
        folder = self.folder / f"{kind}{len(self._parts)}"
        folder.mkdir()
        return folder

    def _keep(self, part):
        self._parts.append(part)
        return part

    def stop(self):
        for part in reversed(self._parts):
            part.stop()
        self._parts.clear()

    def python(self, script, *args, port=None):
        """One of the programs in this folder; {port} among the arguments is its port."""
        port = port or free_port()
        filled = [port if a == "{port}" else a for a in args]
        folder = self._new(pathlib.Path(script).stem)
        return self._keep(Part(folder, [sys.executable, "-B", HERE / script, *filled], port))

    def echo(self, host="127.0.0.1", tls=None):
        """The fast plain origin of echo_server.py; tls is a (certificate, key) pair."""
        return self.python("echo_server.py", "{port}", host, *(tls or ()))

    def websocket(self, tls=None):
        return self.python("ws_server.py", "{port}", *(tls or ()))

    def ca(self):
        """The test CA, made at the first call."""
        if not self._ca:
            need("openssl")
            self._ca = TestCA(self.folder / "ca")
        return self._ca

    def dns(self):
        """The scripted resolver."""
        return self._keep(Dns())

    def dnsmasq(self, *options):
        """A real resolver: options as of dnsmasq ("host-record=a.test,127.0.0.1"); queries() counts."""
        folder = self._new("dnsmasq")
        port = free_port()
        log = folder / "queries"
        command = [need("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                   "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1",
                   f"--port={port}", "--log-queries", f"--log-facility={log}", "--pid-file=",
                   "--local=/#/", "--user=", "--group=", *(f"--{o}" for o in options)]
        part = self._keep(Part(folder, command, port, log=log))
        part.server = f"127.0.0.1:{port}"
        part.queries = lambda name, kind="A": part.text().count(f"query[{kind}] {name} from")
        return part

    def nginx(self, server="", http="", files=None, tls=None, root=None):
        """nginx serving .root (files: name → bytes); `server` is text for the server block."""
        folder = self._new("nginx")
        root = pathlib.Path(root) if root else folder / "www"
        root.mkdir(exist_ok=True)
        for name, data in (files or {}).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        port = free_port()
        listen = f"listen 127.0.0.1:{port}" + (" ssl" if tls else "") + ";"
        if tls:
            listen += f" ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};"
        (folder / "nginx.conf").write_text(f"""\
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error;
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/access;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  keepalive_requests 1000000;
  types {{ text/html html; text/plain txt; }}
  default_type application/octet-stream;
  {http}
  server {{ {listen} root {root}; {server} }}
}}
""")
        command = [need("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error"]
        part = self._keep(Part(folder, command, port, log=folder / "access"))
        part.root = root
        return part

    def front(self, program, to, source, option=""):
        """haproxy or nginx in TCP mode, passing on to that port from that address, with a PROXY header."""
        folder, port = self._new(program), free_port()
        if program == "haproxy":
            (folder / "conf").write_text(f"""\
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen front
  bind 127.0.0.1:{port}
  server one 127.0.0.1:{to} source {source} {option}
""")
            command = [need("haproxy"), "-db", "-f", folder / "conf"]
        else:
            modules = "/usr/lib/nginx/modules/ngx_stream_module.so"
            (folder / "conf").write_text(f"""\
load_module {modules};
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error;
events {{ }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{to}; proxy_bind {source}; proxy_protocol on; }} }}
""")
            command = [need("nginx"), "-p", folder, "-c", folder / "conf", "-e", folder / "error"]
        return self._keep(Part(folder, command, port))

    def tinyproxy(self):
        """A forward proxy that lets everybody go anywhere."""
        folder, port = self._new("tinyproxy"), free_port()
        (folder / "conf").write_text(f'Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{folder}/log"\n'
                                     f'PidFile "{folder}/pid"\n')
        return self._keep(Part(folder, [need("tinyproxy"), "-d", "-c", folder / "conf"], port, log=folder / "log"))

    def squid(self):
        """The same; it looks nothing up and keeps nothing."""
        folder, port = self._new("squid"), free_port()
        folder.chmod(0o777)   # as root it goes on as another user
        (folder / "conf").write_text(f"""\
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
access_log none
cache_log {folder}/log
cache_store_log none
pid_filename {folder}/pid
coredump_dir {folder}
netdb_filename none
pinger_enable off
dns_nameservers 127.0.0.1
visible_hostname test
shutdown_lifetime 0 seconds
""")
        return self._keep(Part(folder, [need("squid"), "-N", "-f", folder / "conf"], port, log=folder / "log"))

    def git(self, tls=None):
        """A git server with the repository /demo.git; .work is a clone to commit from."""
        need("git")
        folder = self._new("git")
        bare, work = folder / "demo.git", folder / "work"
        run = lambda *a: subprocess.run(  # noqa: E731
            ["git", "-c", "user.name=t", "-c", "user.email=t@t.test",
             "-c", "init.defaultBranch=main", *map(str, a)],
            check=True, capture_output=True, env=environment())
        run("init", work)
        (work / "README").write_text("demo\n")
        (work / "large.bin").write_bytes(b"".join(i.to_bytes(4, "big") for i in range(200000)))
        run("-C", work, "add", ".")
        run("-C", work, "commit", "-m", "first")
        run("clone", "--bare", work, bare)
        run("-C", bare, "config", "http.receivepack", "true")
        run("-C", bare, "update-server-info")
        part = self.python("git_server.py", "{port}", folder, *(tls or ()))
        part.bare, part.work = bare, work
        return part

    def apt(self, package="proxyd-demo"):
        """A flat apt repository with one small package, served by nginx; .line for sources.list."""
        need("dpkg-deb")
        folder = self._new("apt")
        tree = folder / package
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {package}\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@t.test>\n"
            "Description: demo\n")
        (tree / "usr/share/doc" / package).mkdir(parents=True)
        (tree / "usr/share/doc" / package / "README").write_text("demo\n" * 1000)
        root = folder / "www"
        root.mkdir()
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, root], check=True,
                       capture_output=True)
        packages = subprocess.run([need("apt-ftparchive"), "packages", "."], cwd=root, check=True,
                                  capture_output=True).stdout
        (root / "Packages").write_bytes(packages)
        release_text = subprocess.run([need("apt-ftparchive"), "release", "."], cwd=root,
                                      check=True, capture_output=True).stdout
        (root / "Release").write_bytes(release_text)
        part = self.nginx(root=root)
        part.package = package
        part.line = f"deb [trusted=yes] http://origin.test:{part.port}/ ./\n"
        return part


def apt_command(folder, line, proxy_port, *args, user=""):
    """apt-get in a folder of its own, as a user would run it behind the proxy; user is NAME:PASSWORD for a URL."""
    folder = pathlib.Path(folder)
    for name in ("lists/partial", "cache/archives/partial", "etc", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "etc/sources.list").write_text(line)
    (folder / "state/status").touch()
    options = {
        "Dir::Etc::SourceList": folder / "etc/sources.list", "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": folder / "state", "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "state/status", "Dir::Cache": folder / "cache",
        "Acquire::http::Proxy": f"http://{user}{user and '@'}127.0.0.1:{proxy_port}/", "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    command = [need("apt-get"), *(f"-o{k}={v}" for k, v in options.items()), *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60 * SLOW,
                          env=environment())


def which(*names):
    """The first of these programs that exists, or a skip."""
    for name in names:
        if found := shutil.which(name):
            return found
    return need(names[0])
