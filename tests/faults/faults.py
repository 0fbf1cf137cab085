#!/usr/bin/env python3
"""Injects faults into runs of elver and prints a table of what became of them.

    faults.py ELVER [--rounds N] [--seed S]

Every fault must end in one line on stderr with the exit code of its kind (or not be met: exit 0), leave an older result
as it was or bring the whole new one, and leave nothing hidden after the next run. Needs the samples of the source tree and
nothing but Python. What needs root (a small file system, a read-only one) is skipped, with the reason, where it cannot be
had; a limit on the size of files then stands for a full disk alone.
Exit code: 0 all survived, 1 a fault was not.
"""
import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
PHANTOM, MODEL = SOURCE / "samples/phantom.hspy", SOURCE / "samples/nmc.elver"


class Table:
    def __init__(self):
        self.rows, self.failed = [], False

    def add(self, fault, injected, met, faults):
        self.rows.append((fault, str(injected), str(met), "survived" if not faults else f"NOT: {faults[0]}"))
        self.failed |= bool(faults)

    def skip(self, fault, why):
        self.rows.append((fault, "-", "-", f"skipped: {why}"))

    def show(self):
        rows = [("fault", "injected", "met", "outcome")] + self.rows
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)), row[3], sep="  ")


def digest(folder):
    """Every file but what a run must differ in."""
    out = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            out[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out


def hidden(folder):
    return sorted(p.name for p in Path(folder).iterdir() if p.name.startswith(".elver-"))


class Runner:
    def __init__(self, elver, work, chance):
        self.elver, self.work, self.chance = elver, work, chance
        self.cube, self.axis = self.made_cube()
        self.seconds = {}

    def run(self, *words, **more):
        return subprocess.run([self.elver, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **more)

    def made_cube(self):
        """The phantom, its rows repeated, as .npy: mapped while it is read. And the options that give its axis."""
        small = self.work / "small.npy"
        done = self.run("convert", PHANTOM, small)
        if done.returncode != 0:
            sys.exit(f"the sample cannot be converted: {done.stderr}")
        axis = done.stderr.split("read it with ")[1].split()
        raw = small.read_bytes()
        start = 10 + int.from_bytes(raw[8:10], "little")
        header, values = raw[10:start].decode(), raw[start:]
        times = max(1, (24 << 20) // len(values))
        rows = int(header.split("(")[1].split(",")[0])
        header = header.replace(f"({rows},", f"({rows * times},").rstrip()
        header += " " * (63 - (10 + len(header)) % 64) + "\n"
        cube = self.work / "cube.npy"
        cube.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values * times)
        return cube, axis

    def commands(self):
        """Commands by name: words, and the results they leave, in a folder of their own."""
        return {
            "map": lambda out, cube: ["map", cube, *self.axis, "--model", MODEL, "--out", out / "maps", "--format", "hspy,nexus,tiff,csv"],
            "convert .hspy": lambda out, cube: ["convert", cube, out / "a.hspy", *self.axis],
            "convert .nxs": lambda out, cube: ["convert", cube, out / "a.nxs", *self.axis],
            "convert .rpl": lambda out, cube: ["convert", cube, out / "a.rpl", *self.axis],
            "convert .npy": lambda out, cube: ["convert", cube, out / "a.npy", *self.axis],
            "features": lambda out, cube: ["features", cube, *self.axis, "--model", MODEL, "--out", out / "x.npy"],
        }

    def fresh(self, name):
        folder = self.work / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "maps").mkdir()
        return folder

    def with_older(self, name, make, cube):
        """A folder with a finished result, and its digest without the record of when and how fast."""
        folder = self.fresh(name)
        start = time.monotonic()
        done = self.run(*make(folder, cube))
        self.seconds[name] = time.monotonic() - start
        assert done.returncode == 0, done.stderr
        return folder, digest(folder)


def whole(before, now):
    """The older result, or a new one of the same files: no half of each. run.json tells times; it goes with the rest."""
    if before == now:
        return True
    return set(before) == set(now) and all(before[k] == now[k] for k in before if not k.endswith("run.json"))


def one_sentence(done, codes):
    lines = [line for line in done.stderr.splitlines() if "note:" not in line]
    if done.returncode == 0:
        return ""
    if done.returncode not in codes:
        return f"exit code {done.returncode}: {done.stderr.strip()[:150]}"
    if len(lines) != 1 or not lines[0].startswith("elver: error: "):
        return f"not one line: {done.stderr.strip()[:200]}"
    if ".elver-" in lines[0]:
        return f"names a hidden file: {lines[0]}"
    return ""


def at_random_moments(runner, table, fault, rounds, strike, codes, inputs=None):
    """`strike(process, cube)` at a random moment of each command; then the command again."""
    commands = runner.commands()
    injected = met = 0
    faults = []
    for name, make in commands.items():
        folder, before = runner.with_older(name, make, runner.cube)
        for _ in range(max(1, rounds // len(commands))):
            cube = runner.cube
            if inputs:
                cube = runner.work / "victim.npy"
                shutil.copyfile(runner.cube, cube)
            process = subprocess.Popen([runner.elver, *map(str, make(folder, cube))], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(runner.chance.uniform(0, runner.seconds[name]))
            struck = process.poll() is None
            strike(process, cube)
            err = process.communicate(timeout=60)[1]
            injected += struck
            met += process.returncode != 0
            done = subprocess.CompletedProcess([], process.returncode, "", err)
            wrong = one_sentence(done, codes) if process.returncode > 0 else ("" if process.returncode == 0 or -process.returncode in codes else f"signal {-process.returncode}")
            if wrong:
                faults.append(f"{name}: {wrong}")
            now = {k: v for k, v in digest(folder).items() if not k.split("/")[-1].startswith(".elver-") and ".elver-" not in k}
            # What reads another input leaves another record, and only that.
            if not (whole(before, now) if not inputs else set(before) == set(now)):
                faults.append(f"{name}: the result is not whole ({sorted(set(before) ^ set(now)) or 'values'})")
            own = [left for left in hidden(folder) + hidden(folder / "maps") if left.startswith(f".elver-{process.pid}")]
            if process.returncode >= 0 and own:  # what an earlier round left may be there until a run comes to writing
                faults.append(f"{name}: left {own} with exit code {process.returncode}")
        again = runner.run(*make(folder, runner.cube))
        left = hidden(folder) + hidden(folder / "maps")
        if again.returncode != 0 or left or not whole(before, digest(folder)):
            faults.append(f"{name}: the next run gives {again.returncode}, leaves {left}")
    table.add(fault, injected, met, faults)


def kill(process, _):
    process.kill()


def interrupt(process, _):  # one that meets the program before it has begun ends it there (signal 2)
    process.send_signal(signal.SIGINT)


def interrupt_twice(process, _):
    process.send_signal(signal.SIGINT)
    time.sleep(0.002)
    process.send_signal(signal.SIGINT)


def shorten(process, cube):
    os.truncate(cube, 8192)


def vanish(process, cube):
    os.unlink(cube)


def full_disk(runner, table, fault, place, steps):
    """`place(share)` gives a folder on which about so much of the result fits, and what the process is started with."""
    injected = met = 0
    faults = []
    for name, make in runner.commands().items():
        folder, before = runner.with_older(name, make, runner.cube)
        size = max(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        for i in range(steps):
            share = i / steps
            injected += 1
            with place(folder, share, size) as (target, options):
                kept = digest(target)
                done = runner.run(*make(target, runner.cube), **options)
                wrong = one_sentence(done, {5})
                met += done.returncode != 0
                if wrong:
                    faults.append(f"{name} at {share:.0%}: {wrong}")
                now = digest(target)
                if done.returncode != 0 and now != kept:
                    faults.append(f"{name} at {share:.0%}: left or changed {sorted(set(now) ^ set(kept)) or 'values'}")
    table.add(fault, injected, met, faults)


class Limited:
    """A limit on the size of a file, as a quota is."""

    def __init__(self, folder, share, size):
        limit = int(share * size * 0.9)
        self.answer = folder, {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}

    def __enter__(self):
        return self.answer

    def __exit__(self, *_):
        pass


class Small:
    """A file system of its own, with room for a part of the result; `read_only` from then on."""

    def __init__(self, folder, share, size, read_only=False):
        self.place = folder.parent / "small"
        self.read_only = read_only
        self.size = 65536 if not read_only else 1 << 20
        self.size += int(share * size * 0.9)

    def __enter__(self):
        self.place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size}", "none", str(self.place)], check=True, capture_output=True)
        (self.place / "maps").mkdir()
        (self.place / "a.hspy").write_text("older")
        (self.place / "maps/run.json").write_text("older")
        if self.read_only:
            subprocess.run(["mount", "-o", "remount,ro", str(self.place)], check=True, capture_output=True)
        return self.place, {}

    def __exit__(self, *_):
        subprocess.run(["umount", str(self.place)], check=True)


def can_mount(work):
    try:
        with Small(work / "x", 0, 0):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return "no file system of one's own can be mounted (needs root)" if os.geteuid() else f"mount: {error}"


def read_only(runner, table, why_not):
    faults, injected = [], 0
    for name, make in runner.commands().items():
        injected += 1
        if not why_not:
            with Small(runner.work / "out", 0, 0, read_only=True) as (target, _):
                done = runner.run(*make(target, runner.cube))
        elif os.geteuid():
            folder = runner.fresh(name)
            for path in (folder / "maps", folder):
                path.chmod(0o555)
            done = runner.run(*make(folder, runner.cube))
            for path in (folder, folder / "maps"):
                path.chmod(0o755)
            if any(p.is_file() for p in folder.rglob("*")):
                faults.append(f"{name}: wrote")
        else:
            return table.skip("read-only folder", why_not)
        wrong = one_sentence(done, {5}) or ("" if done.returncode else "succeeded")
        if wrong:
            faults.append(f"{name}: {wrong}")
    table.add("read-only folder", injected, injected, faults)


def two_at_once(runner, table, rounds):
    """Two runs that map the same image with different masks into one folder: the files are one run's, all of them."""
    faults, met = [], 0
    folder = runner.fresh("two") / "maps"
    words = {mask: ["map", str(runner.cube), *runner.axis, "--model", str(MODEL), "--out", str(folder), "--mask-counts", mask, "--pictures", "none"] for mask in ("0", "1e5")}
    alone = {}
    for mask, command in words.items():
        done = runner.run(*command)
        assert done.returncode == 0, done.stderr
        alone[mask] = digest(folder)["maps.hspy"]
    for _ in range(rounds):
        running = [subprocess.Popen([runner.elver, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for command in words.values()]
        for process in running:
            err = process.communicate(timeout=120)[1]
            if process.returncode != 0:
                faults.append(err.strip()[:150])
        met += 1
        said = json.loads((folder / "run.json").read_text())["command"].split("--mask-counts ")[1].split()[0]
        if digest(folder)["maps.hspy"] != alone[said]:
            faults.append("run.json tells of one run, maps.hspy is another's")
        if hidden(folder):
            faults.append(f"left {hidden(folder)}")
    table.add("two runs into one folder", rounds, met, faults)


def slow_file(runner, table):
    pipe = runner.work / "pipe.npy"
    os.mkfifo(pipe)
    start = time.monotonic()
    done = runner.run("info", pipe)
    wrong = one_sentence(done, {3}) or ("" if done.returncode == 3 and time.monotonic() - start < 5 else "waited")
    table.add("a pipe as input", 1, 1, [wrong] if wrong else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elver")
    parser.add_argument("--rounds", type=int, default=100, help="moments of each fault, over all commands (default 100)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        runner = Runner(options.elver, work, random.Random(options.seed))
        n = options.rounds
        at_random_moments(runner, table, "kill -9", n, kill, {9})
        at_random_moments(runner, table, "Ctrl-C once", n, interrupt, {130, 2})
        at_random_moments(runner, table, "Ctrl-C twice", n, interrupt_twice, {130, 2})
        at_random_moments(runner, table, "input becomes shorter", n, shorten, {3}, inputs=True)
        at_random_moments(runner, table, "input vanishes", n, vanish, {3}, inputs=True)
        steps = max(2, n // 10)
        full_disk(runner, table, "file size limit", Limited, steps)
        why_not = can_mount(work)
        if why_not:
            table.skip("full disk", why_not)
        else:
            full_disk(runner, table, "full disk", Small, steps)
        read_only(runner, table, why_not)
        two_at_once(runner, table, max(2, n // 10))
        slow_file(runner, table)
    table.show()
    sys.exit(table.failed)


if __name__ == "__main__":
    main()
