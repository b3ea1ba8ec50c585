"""A trace in which few objects are asked for often and most hardly ever (zipf 1.0), and what caches of so
many bytes make of it: the proxies, told by what the origin still had to send, and beside them three policies
by the book. A ratio, not a time, and therefore the same on a busy machine.
"""
import collections
import math
import os
import random

MIB = 1 << 20
MEDIAN, SIGMA, LEAST, MOST = 16 << 10, 1.2, 1 << 10, 1 << 20   # bytes of an object: log-normal, cut


class Trace:
    """Sizes by object, and the objects in the order in which they are asked for."""

    def __init__(self, objects, requests, seed=1):
        dice = random.Random(seed)
        self.size = [int(min(MOST, max(LEAST, dice.lognormvariate(math.log(MEDIAN), SIGMA)))) for _ in range(objects)]
        total, upto = 0.0, []
        for rank in range(1, objects + 1):
            total += 1 / rank
            upto.append(total)
        self.order = dice.choices(range(objects), cum_weights=upto, k=requests)
        self.bytes = sum(self.size[o] for o in self.order)
        self.data = sum(self.size)

    def cache_mb(self, part):
        """That part of the data, in whole MiB, which every peer can be told."""
        return max(1, round(self.data * part / MIB))

    def fit(self, mb):
        """How many objects of the mean size so many MiB hold."""
        return mb * MIB * len(self.size) // self.data

    def write(self, path):
        with open(path, "w", encoding="ascii") as f:
            f.writelines(f"/c/{self.size[o]}/{o}\n" for o in self.order)


class Queue:
    """Objects in an order, and the bytes of all."""

    def __init__(self, size):
        self.size, self.of, self.bytes = size, collections.OrderedDict(), 0

    def push(self, o):
        self.of[o] = 0
        self.bytes += self.size[o]

    def pop(self):
        o, uses = self.of.popitem(last=False)
        self.bytes -= self.size[o]
        return o, uses

    def __contains__(self, o):
        return o in self.of


class Lru:
    """What was used longest ago leaves."""
    again = True

    def __init__(self, size, room):
        self.queue, self.room = Queue(size), room

    def ask(self, o):
        """Was it there? It is now."""
        if o in self.queue:
            if self.again:
                self.queue.of.move_to_end(o)
            return True
        self.queue.push(o)
        while self.queue.bytes > self.room:
            self.queue.pop()
        return False


class Fifo(Lru):
    """What came longest ago leaves."""
    again = False


class S3Fifo:
    """SOSP 2023, algorithm 1: a small queue of a tenth, a main one, and the names of what left the small one,
    as many bytes as the main one holds."""
    SMALL, USES_MOST, PASSES_ON = 10, 3, 2

    def __init__(self, size, room):
        self.small, self.main, self.ghost = Queue(size), Queue(size), Queue(size)
        self.size, self.room = size, room

    def ask(self, o):
        for queue in (self.small, self.main):
            if o in queue:
                queue.of[o] = min(self.USES_MOST, queue.of[o] + 1)
                return True
        while self.small.bytes + self.main.bytes + self.size[o] > self.room:
            self.evict()
        if o in self.ghost:
            del self.ghost.of[o]
            self.ghost.bytes -= self.size[o]
            self.main.push(o)
        else:
            self.small.push(o)
        return False

    def evict(self):
        if self.small.bytes * self.SMALL > self.room or not self.main.of:
            o, uses = self.small.pop()
            if uses >= self.PASSES_ON:
                self.main.push(o)
                return
            self.ghost.push(o)
            while self.ghost.bytes > self.room - self.room // self.SMALL:
                self.ghost.pop()
            return
        o, uses = self.main.pop()
        if uses:
            self.main.push(o)
            self.main.of[o] = uses - 1


POLICIES = {"lru": Lru, "fifo": Fifo, "s3-fifo": S3Fifo}


def simulated(trace, policy, room):
    """(hits by objects, by bytes), as parts of one."""
    cache = POLICIES[policy](trace.size, room)
    found = [o for o in trace.order if cache.ask(o)]
    return len(found) / len(trace.order), sum(trace.size[o] for o in found) / trace.bytes


def folder_bytes(path):
    """What a cache has in files, in MB; None: it has none."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                pass                     # it has just been deleted
    return total


def show(res, out):
    out.write("| peer | hits % | of bytes % | held on disk, MB (most) | PSS MB | CPU s | s | notes |\n|---|--:|--:|--:|--:|--:|--:|---|\n")
    for name, r in sorted(res.items(), key=lambda kv: -kv[1]["hits"]):
        cells = [f"{r['hits'] * 100:.1f}", f"{r['byte_hits'] * 100:.1f}"]
        if r.get("simulated"):
            cells += ["", "", "", "", "computed"]
        else:
            held = f"{r['disk_mb']:.0f} ({r['disk_most_mb']:.0f})" if r["disk_most_mb"] else ""
            cells += [held, f"{r['pss_kb'] / 1024:.0f}", f"{r['cpu_s']:.1f}", f"{r['secs']:.1f}",
                      f"{r['errors']} errors" if r["errors"] else ""]
        out.write(f"| {name} | {' | '.join(cells)} |\n")
