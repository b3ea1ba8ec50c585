"""`proxyd passwd` and `proxyd auth test`: entries that other programs can read, files that keep what they were."""
import os
import pty
import re
import signal
import stat
import subprocess
import termios
import threading

import pytest

from lib import conf
from lib.daemon import BINARY, environment, run_command
from lib.times import until

SECRET = "Gr\u00fc\u00dfe 7"


def passwd(path, *args, password=None):
    return run_command("passwd", path, *args, *(["--stdin"] if password is not None else []),
                       stdin=None if password is None else password + "\nand more\n")


def hash_of(path, name):
    lines = [line for line in path.read_text().splitlines() if line.startswith(name + ":")]
    return lines[0].split(":")[1] if lines else None


@pytest.mark.parametrize("how, prefix, words", [([], "$2y$12$", SECRET), (["--yescrypt"], "$y$", SECRET * 20)])
def test_what_others_can_read(tmp_path, how, prefix, words):
    users = tmp_path / "users"
    done = passwd(users, "ann", *how, password=words)
    assert (done.returncode, done.stdout) == (0, f'{users}: "ann" was added\n'), done.stderr
    assert stat.S_IMODE(users.stat().st_mode) == 0o640
    stored = hash_of(users, "ann")
    assert stored.startswith(prefix) and words not in done.stdout + done.stderr
    # What crypt(3) makes of the same words, asked by another program.
    made = subprocess.run(["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", words, stored], capture_output=True, text=True, check=True).stdout
    assert made == stored
    assert passwd(users, "ann", "--verify", password=words).returncode == 0
    wrong = passwd(users, "ann", "--verify", password="other")
    assert (wrong.returncode, wrong.stdout) == (1, "the password does not fit\n")


def test_what_stays(tmp_path):
    """Comments, other lines, what stands behind a hash, mode, owner, and where a link leads."""
    real = tmp_path / "real"
    real.mkdir()
    users, link = real / "users", tmp_path / "link"
    before = "# people: ann\n\nbob:{SHA}x:Bob of sales\r\nann:old:Ann\nannette:other\nann:second\nlast:one"
    users.write_text(before)
    os.chmod(users, 0o604)
    if os.geteuid() == 0:
        os.chown(users, 12, 34)
    link.symlink_to("real/users")
    done = passwd(link, "ann", password="sesam")
    assert done.stdout.endswith("\"ann\" has another password\n")
    assert link.is_symlink() and sorted(p.name for p in real.iterdir()) == ["users"]
    after = users.read_bytes().decode()
    new = hash_of(users, "ann")
    assert after == before.replace("ann:old:Ann", f"ann:{new}:Ann") + "\n"
    assert passwd(link, "bob", password="builder").returncode == 0
    assert re.search(r"^bob:\$2y\$12\$[^:]+:Bob of sales\r$", users.read_bytes().decode(), re.M)
    assert passwd(link, "ann", "--delete").stdout.endswith("\"ann\" is gone\n")
    assert "ann:" not in users.read_text().replace("# people: ann", "") and "annette:other" in users.read_text()
    now = users.stat()
    assert stat.S_IMODE(now.st_mode) == 0o604
    assert os.geteuid() != 0 or (now.st_uid, now.st_gid) == (12, 34)


@pytest.mark.parametrize("args, password, code, says", [
    (["ann:x"], "sesam", 2, "colon"),
    (["#ann"], "sesam", 2, "comment"),
    (["a" * 256], "sesam", 2, "255"),
    (["a\tb"], "sesam", 2, "control"),
    ([], "sesam", 2, "a file and a name"),
    (["ann", "sesam"], None, 2, "not known here"),
    (["ann", "--delete", "--verify"], None, 2, "stands alone"),
    (["ann"], "", 1, "empty"),
    (["ann"], "x" * 73, 1, "72 bytes"),
    (["ann"], "a\tb", 1, "control"),
    (["ann"], "x" * 5000, 1, "too long"),
    (["ann", "--delete"], None, 1, "no user \"ann\""),
    (["ann", "--verify"], "sesam", 1, "no line of \"ann\""),
])
def test_what_is_refused(tmp_path, args, password, code, says):
    users = tmp_path / "users"
    users.write_text("bob:x\n")
    done = passwd(users, *args, password=password)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert users.read_text() == "bob:x\n" and [p.name for p in tmp_path.iterdir()] == ["users"]


def test_two_at_a_time(tmp_path):
    """Nobody's entry is lost, and a reader never sees half a file."""
    users = tmp_path / "users"
    users.write_text("bob:x\n" * 1000)
    codes = []
    threads = [threading.Thread(target=lambda i=i: codes.append(passwd(users, f"u{i}", "--yescrypt", password="sesam").returncode))
               for i in range(6)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        assert users.read_text().startswith("bob:x\n" * 1000)
    assert codes == [0] * 6 and all(hash_of(users, f"u{i}") for i in range(6))


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(BINARY, [str(BINARY), *map(str, args)], environment())
        self.text = ""

    def wait(self, words):
        def seen():
            try:
                self.text += os.read(self.fd, 4096).decode()
            except OSError:
                pass
            return words in self.text
        assert until(seen), self.text

    def type(self, text):
        os.write(self.fd, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        _, status = os.waitpid(self.pid, 0)
        try:
            while more := os.read(self.fd, 4096):
                self.text += more.decode()
        except OSError:
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_a_terminal(tmp_path):
    users = tmp_path / "users"
    term = Terminal("passwd", users, "ann")
    term.wait("Password: ")
    assert not term.echoes()
    term.type(SECRET + "\n")
    term.wait("Once more: ")
    term.type(SECRET + "\n")
    assert term.end() == 0 and "\"ann\" was added" in term.text and SECRET not in term.text
    assert passwd(users, "ann", "--verify", password=SECRET).returncode == 0
    term = Terminal("passwd", users, "ann")
    term.wait("Password: ")
    term.type("one\n")
    term.wait("Once more: ")
    term.type("other\n")
    assert term.end() == 1 and "the two differ" in term.text


def test_control_c_gives_the_terminal_back(tmp_path):
    term = Terminal("passwd", tmp_path / "users", "ann")
    term.wait("Password: ")
    term.type("half\x03")
    assert until(term.echoes)
    assert term.end() == -signal.SIGINT and not (tmp_path / "users").exists()


def test_the_proxy_takes_it_up(proxyd, origin, tmp_path):
    from test_550_users import AUTH, field, ask
    text = conf.forward(rules="allow all { to *; reach loopback; }").replace("rules {", AUTH % "" + " rules {", 1)
    daemon = proxyd(text, files={"users": "# nobody yet\n", "groups": ""})
    assert passwd(daemon.folder / "users", "new", password="s:esam").returncode == 0
    assert until(lambda: "users of" in daemon.stderr() and ": 1, 0 lines" in daemon.stderr())
    assert ask(daemon, origin.url("/"), field("new", "s:esam")).status == 200


# -- auth test ----------------------------------------------------------------------------------------

CONF = """
listener main { bind 127.0.0.1:3128; mode forward; policy open; }
listener other { bind 127.0.0.1:3129; mode forward; policy free; }
policy free { default allow; }
policy open {
  auth basic { file users; groups groups; except-to *.free.test; except-from 127.0.0.9; }
  default deny;
}
"""


@pytest.fixture
def staff(tmp_path):
    (tmp_path / "proxyd.conf").write_text(CONF)
    passwd(tmp_path / "users", "ann", password=SECRET)
    with open(tmp_path / "users", "a", encoding="utf-8") as f:
        f.write("weak:{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE=\nplain:sesam\n")
    (tmp_path / "groups").write_text("staff: ann\nbuilders: ann weak\n")

    def ask(*args, password=SECRET):
        return run_command("auth", "test", *args, "-c", tmp_path / "proxyd.conf", "--stdin", stdin=password + "\n")
    return ask


def test_each_step(staff, tmp_path):
    done = staff("ann")
    lines = [re.sub(r"[\d.]+ ms", "N ms", line.replace(str(tmp_path) + "/", "")) for line in done.stdout.splitlines()]
    assert (done.returncode, lines) == (0, [
        "policy      open, listener main", "scheme      basic", "user        ann, users:1", "hash        bcrypt",
        "groups      staff builders, groups", "password    fits, after N ms", "verdict     ann may ask the rules"])
    assert SECRET not in done.stdout and "$2y$" not in done.stdout


@pytest.mark.parametrize("args, password, code, says", [
    (["ann"], "other", 1, ["does not fit", "407: name and password do not fit"]),
    (["nobody"], SECRET, 1, ["no line begins with this name", "407: name and password do not fit"]),
    (["plain"], "sesam", 1, ["users:3", "left out    a password in plain text"]),
    (["weak"], SECRET, 0, ["users:2", "warning     SHA-1", "groups      builders"]),
    (["ann", "--to", "http://a.free.test/x"], SECRET, 0, ["except-to"]),
    (["ann", "--from", "127.0.0.9"], SECRET, 0, ["except-from"]),
    (["ann", "--from", "192.0.2.1"], SECRET, 1, ["may not use the proxy"]),
    (["ann", "--listener", "other"], SECRET, 0, ["nobody is asked: the policy has no block"]),
    (["ann", "--policy", "free"], SECRET, 0, ["listener other"]),
])
def test_verdicts(staff, args, password, code, says):
    done = staff(*args, password=password)
    assert done.returncode == code, done.stdout + done.stderr
    assert all(words in done.stdout for words in says), done.stdout
    assert SECRET not in done.stdout and "{SHA}" not in done.stdout


@pytest.mark.parametrize("args", [["--listener", "none"], ["--policy", "none"], ["--policy", "open", "--listener", "main"],
                                  ["--from", "x"], ["--to", "http://[x"]])
def test_wrong_use(staff, args):
    done = staff("ann", *args)
    assert done.returncode == 2 and done.stderr
