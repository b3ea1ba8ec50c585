"""`path auto`, which the built-in configuration has: where a cache lies when nobody has said where."""
import os

import pytest

from lib.caching import answer, asked, forward, get
from lib.daemon import run_command
from lib.origin import read_body, send
from lib.times import until

CONFIG = forward(cache="cache main { path auto; size 64m; memory 8m; }")


def where(daemon):
    return until(lambda: [line for line in daemon.stderr().splitlines() if line.startswith("proxyd: cache main:")])[0]


@pytest.mark.parametrize("env,folder", [
    ({"CACHE_DIRECTORY": "{tmp}/service:/nowhere", "XDG_CACHE_HOME": "/proc/xdg"}, "{tmp}/service/main"),
    ({"XDG_CACHE_HOME": "{tmp}/a/b"}, "{tmp}/a/b/proxyd/main"),
])
def test_where_it_is(proxyd, origin, tmp_path, env, folder):
    # covers: cache path
    origin.at("/a", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    folder = folder.format(tmp=tmp_path)
    daemon = proxyd(CONFIG, env={name: value.format(tmp=tmp_path) for name, value in env.items()})
    assert where(daemon) == f"proxyd: cache main: memory 8m, disk 64m in {folder}"
    assert get(daemon, origin.url("/a")).status == 200
    assert until(lambda: os.path.exists(folder + "/lock")) and os.stat(folder).st_mode & 0o777 == 0o700


def test_it_works_without_where_nobody_can_write(proxyd, origin):
    origin.at("/a", read_body(), send(answer("x", "Cache-Control: max-age=60")))
    daemon = proxyd(CONFIG, env={"XDG_CACHE_HOME": "/proc/xdg"})
    assert where(daemon).endswith("disk 64m in /proc/xdg/proxyd/main")
    assert until(lambda: "kept in memory alone" in daemon.stderr()), daemon.stderr()
    assert [get(daemon, origin.url("/a")).status for _ in range(2)] == [200, 200]
    assert len(asked(origin, "/a")) == 1


def test_two_caches_have_two_folders(tmp_path):
    (tmp_path / "conf").write_text("cache a { path auto; } cache b { path auto; }\n"
                                   "listener l { bind 127.0.0.1:1; mode forward; policy p; cache a; } policy p { default allow; }")
    done = run_command("check", "-c", tmp_path / "conf")
    assert done.returncode == 0, done.stderr
