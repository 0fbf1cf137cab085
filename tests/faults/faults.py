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

sys.dont_write_bytecode = True  # the source tree stays as it is
from network_drive import network_drive
from runs import MODEL, Runner, Table, digest, hidden, one_sentence, whole


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
            err = process.communicate(timeout=300)[1]
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
            err = process.communicate(timeout=300)[1]
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
        network_drive(runner, table, n)
    sys.exit(table.failed)


if __name__ == "__main__":
    main()
