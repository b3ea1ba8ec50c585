"""What work costs the daemon, by the bench's own programs (bench/src): its origin, its load generator,
and its floor, a relay that makes the same system calls and looks at nothing.

`make bench` has the figures; this is for bounds that a busy machine keeps. Costs are CPU time per unit,
of peers that take turns.
"""
import collections
import json
import os
import signal
import socket
import subprocess
import time

from .faults import ROOT
from .ports import free_port, release
from .skip import need
from .times import SLOW, until


class Tools:
    """The programs, built into `folder`, and one origin that runs."""

    def __init__(self, folder):
        self.folder, self.running, self.ports = folder, [], []
        subprocess.run([need("make"), "-s", "-C", ROOT / "bench/src", f"BIN={folder}",
                        *(folder / name for name in ("origin", "load", "relay"))], check=True,
                       env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))})
        self.origin_port = self._port()
        self._start("origin", self.origin_port)
        self._listening(self.origin_port)

    def _port(self):
        self.ports.append(free_port())
        return self.ports[-1]

    def _start(self, program, *args):
        process = subprocess.Popen([self.folder / program, *map(str, args)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.running.append(process)
        return process.pid

    def _listening(self, port):
        assert until(lambda: _accepts(port)), f"nobody listens on {port}"

    def floor(self, *options):
        """A relay to the origin, as a Peer."""
        port = self._port()
        pid = self._start("relay", *options, port, self.origin_port)
        self._listening(port)
        return Peer(port, pid)

    def load(self, mode, port, *options, seconds=0.3):
        """One load to its end: what it printed, nothing of it wrong."""
        done = subprocess.run([self.folder / "load", mode, *map(str, options), "-d", str(seconds), str(port)],
                              capture_output=True, text=True, timeout=60 * SLOW + seconds, check=True)
        found = json.loads(done.stdout)
        assert found["errors"] == found["bad_status"] == 0 and (found["done"] or mode == "bulk"), found
        return found

    def sent(self):
        """(requests, bytes of bodies) that the origin has answered."""
        with socket.create_connection(("127.0.0.1", self.origin_port)) as s:
            s.sendall(b"GET /stats HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: s.recv(4096), b""))
        return tuple(map(int, answer.split(b"\r\n\r\n", 1)[1].split()))

    def idle(self, peer, n, *options):
        """Bytes of memory that each of n idle clients adds. What many clients share is there before."""
        before = peer.memory()
        process = subprocess.Popen([self.folder / "load", "idle", "-c", str(n), *map(str, options), str(peer.port)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            found = json.loads(process.stdout.readline())
            assert found["done"] == n and not found["errors"], found
            time.sleep(0.3)
            return (peer.memory() - before) / n
        finally:
            process.stdin.close()
            process.wait()

    def stop(self):
        for process in self.running:
            process.kill()
            process.wait()
        for port in self.ports:
            release(port)


def _accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Peer:
    """Somebody under load: a port and the process behind it."""

    def __init__(self, port, pid):
        self.port, self.pid = port, pid

    def cpu(self):
        """Seconds of all its threads, to the nanosecond: ticks of 10 ms are too coarse for a short load."""
        spent = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii") as f:
                spent += int(f.read().split()[0])
        return spent / 1e9

    def memory(self):
        """PSS of all but files: what it has of those moves when another process of the same program ends."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) * 1024


def costs(rounds, work):
    """`work` is {name: (peer, function that loads it and gives the units done)}; {name: seconds per unit}."""
    spent, units = collections.Counter(), collections.Counter()
    for _ in range(rounds):
        for name, (peer, run) in work.items():
            before = peer.cpu()
            units[name] += run()
            spent[name] += peer.cpu() - before
    return {name: spent[name] / units[name] for name in work}


def calls(peer, folder, run):
    """(system calls by name, units) of one load, counted by strace in all threads."""
    out = folder / "calls"
    strace = subprocess.Popen([need("strace"), "-f", "-c", "-U", "name,calls", "-o", out, "-p", str(peer.pid)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        while not any("attached" in line for line in said):   # one line for each thread, all at once
            line = strace.stderr.readline()
            assert line, f"strace cannot attach: {said}"
            said.append(line)
        time.sleep(0.1)
        units = run()
        time.sleep(0.2)   # its clients go, and that is counted
    finally:
        strace.send_signal(signal.SIGINT)
        strace.communicate()
    found = collections.Counter()
    for words in map(str.split, out.read_text().splitlines()):
        if len(words) == 2 and words[1].isdigit() and words[0] != "total":
            found[words[0]] += int(words[1])
    return found, units
