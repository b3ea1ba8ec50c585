#!/usr/bin/env python3
"""Does a test die with each mutant? `make mutants [MUTANTS=http.txt]` in a copy of the tree below
$BUILD/mutants: changes one place, builds, runs the unit programs concerned, and when they all pass
the end-to-end tests concerned. A mutant that lives is a hole in the tests; one that does not apply
any more has to be written anew: with --places only that is looked at. See README.md.
"""
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/mutants"
BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve() / "mutants"
TREE = BUILD / "tree"
FOLDERS = ("proxyd", "policy", "filters", "pac", "admin")
KEYS = {"why", "in", "file", "from", "to", "units", "e2e"}


def mutants(path):
    """The blocks of a file, as dictionaries."""
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if not lines:
            continue
        mutant = {key: value for key, _, value in ((*line.partition(" "),) for line in lines)}
        mutant = {key: value.strip().replace("⏎", "\n") for key, value in mutant.items()}
        assert mutant.keys() <= KEYS and {"why", "in", "from", "to", "units"} <= mutant.keys(), block
        yield mutant


def function(text, name):
    """(begin, end) of the definition of a function, or None. It ends at the first brace in column 0."""
    for match in re.finditer(rf"^[A-Za-z_][^\n;{{}}]*\b{re.escape(name)}\(", text, re.M):
        body = re.match(r"[^;{]*\{", text[match.end():])
        end = text.find("\n}", match.end())
        if body and end > 0:
            return match.start(), end
    return None


@functools.cache
def sources():
    """Each file of the program, and its text."""
    files = sorted(f for folder in FOLDERS for f in (ROOT / folder).rglob("*.[ch]"))
    return [(file, file.read_text(encoding="utf-8")) for file in files]


def place(mutant):
    """(file, offset of the text to change) in the tree as it is: wherever the function now is."""
    found = []
    for file, text in sources():
        if mutant.get("file", file.name) != file.name or mutant["from"] not in text:
            continue
        where = function(text, mutant["in"])
        if where and text.count(mutant["from"], *where) == 1:
            found.append((file.relative_to(ROOT), text.index(mutant["from"], *where)))
    if len(found) != 1:
        raise LookupError(f"{mutant['in']} with this text stands in {len(found)} files: {mutant['from']!r}")
    return found[0]


def make(*goals):
    return subprocess.run(["make", "-s", "-j", str(os.cpu_count()), f"BUILD={BUILD}", *goals], cwd=TREE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def unit_programs(mutants_given):
    """Those of a folder, and of the folders in it."""
    folders = {f.parent.relative_to(ROOT / "tests/unit").as_posix() for f in (ROOT / "tests/unit").rglob("test_*.c")}
    wanted = {folder for mutant in mutants_given for folder in mutant["units"].split()}
    concerned = [folder for folder in folders if any(f"{folder}/".startswith(f"{name}/") for name in wanted)]
    return [BUILD / "release/units" / folder.replace("/", "-") for folder in sorted(concerned, key=lambda f: (f not in wanted, f))]


def unit_killer(program, limit=3600):
    """The name of the test that dies first, or None: what comes behind it is not waited for."""
    tests = subprocess.Popen([program], cwd=TREE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                             env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"}, process_group=0)
    late = threading.Event()
    clock = threading.Timer(limit, lambda: (late.set(), os.killpg(tests.pid, signal.SIGKILL)))
    clock.start()
    dead = next((found[1] for found in (re.match(r"not ok \d+ - (\w+)", line) for line in tests.stdout) if found), None)
    if dead:
        os.killpg(tests.pid, signal.SIGKILL)
    status = tests.wait()
    clock.cancel()
    return f"{program.name} {dead or ('(time)' if late.is_set() else '(crash)')}" if status else None


@functools.cache
def unit_limit(program):
    """Seconds: many times what it takes without a mutant, where that is as busy a machine. It must pass there."""
    started = time.monotonic()
    dead = unit_killer(program)
    if dead:
        sys.exit(f"mutants: {dead} fails without any")
    return 60 + 4 * (time.monotonic() - started)


def end_to_end_killer(mutant):
    """Likewise, of the end-to-end tests concerned."""
    if "e2e" not in mutant:
        return None
    words = [f"tests/e2e/{word}" if word.endswith(".py") else word for word in mutant["e2e"].split()]
    done = make("e2e", f"E2E={' '.join(words)} -x")
    dead = re.findall(r"^(?:FAILED|ERROR) \S*/(\S+)", done.stdout, re.M)
    return (dead[0] if dead else "e2e") if done.returncode else None


def killer(mutant):
    """Likewise, of all tests concerned: units of folders within the one that is named are hardly, so they come last."""
    programs = unit_programs([mutant])
    built = make(*map(str, programs))
    if built.returncode:
        raise SyntaxError(built.stdout[-2000:])
    named = {name.replace("/", "-") for name in mutant["units"].split()}
    tries = [functools.partial(unit_killer, program, unit_limit(program)) for program in programs]
    tries.insert(sum(program.name in named for program in programs), functools.partial(end_to_end_killer, mutant))
    return next(filter(None, (dies() for dies in tries)), None)


def judge(mutant):
    """(what became of it, more)"""
    try:
        file, at = place(mutant)
    except LookupError as error:
        return "DOES NOT APPLY", error
    text = (ROOT / file).read_text(encoding="utf-8")
    changed = text[:at] + mutant["to"] + text[at + len(mutant["from"]):]
    try:
        (TREE / file).write_text(changed, encoding="utf-8")
        dead = killer(mutant)
    except SyntaxError as error:
        return "DOES NOT COMPILE", error
    finally:
        (TREE / file).write_text(text, encoding="utf-8")
    return ("killed", f"by {dead}") if dead else ("LIVES", f"{file}: {mutant['in']}")


def copy_tree():
    """Only what is known to git: the copy has no build of its own."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True).stdout.split("\0")
    known = {TREE / name for name in names if name}
    for old in (f for f in TREE.rglob("*") if f.is_file() and f not in known):
        old.unlink()
    for name in filter(None, names):
        source, target = ROOT / name, TREE / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy(source, target)


def lost(files):
    """How many mutants no longer have a place in the tree; each is told."""
    count = 0
    for mutant in (mutant for name in files for mutant in mutants(HERE / name)):
        try:
            place(mutant)
        except LookupError as error:
            print(f"a mutant no longer applies: {mutant['why']} ({error})")
            count += 1
    return count


def main(files):
    started, bad, count = time.monotonic(), 0, 0
    copy_tree()
    everything = [mutant for name in files for mutant in mutants(HERE / name)]
    programs = unit_programs(everything)
    built = make("all", *map(str, programs))
    if built.returncode:
        sys.exit(built.stdout)
    for program in programs:
        unit_limit(program)
    for mutant in everything:
        what, more = judge(mutant)
        print(f"{what}: {mutant['why']} ({more})", flush=True)
        count += 1
        bad += what != "killed"
    print(f"mutants: {count - bad} killed, {bad} not, {time.monotonic() - started:.0f} s")
    sys.exit(bad > 0)


EVERY = sorted(path.name for path in HERE.glob("*.txt"))
if sys.argv[1:] == ["--places"]:
    sys.exit(lost(EVERY) > 0)
main(sys.argv[1:] or EVERY)
