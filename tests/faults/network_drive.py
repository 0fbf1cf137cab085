"""What elver does with files on a slow, failing network drive (slow_disk.py): a part of faults.py."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from runs import MODEL, digest, one_sentence, whole


class Drive:
    """The made spectrum image in several formats, as a slow network drive shows it (slow_disk.py)."""

    def __init__(self, runner, *words):
        self.place = runner.work / "drive"
        self.place.mkdir(exist_ok=True)
        self.words = [runner.shared(), self.place, *words]

    def __enter__(self):
        script = Path(__file__).with_name("slow_disk.py")
        self.process = subprocess.Popen([sys.executable, script, *map(str, self.words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "mounted\n":
            raise OSError(self.process.communicate()[1].strip().split("\n")[-1])
        return self.place

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


READS = {
    "info": lambda runner, file, out: ["info", file],
    "map": lambda runner, file, out: ["map", file, *runner.axis_of(file), "--model", MODEL, "--out", out / "maps", "--pictures", "none", "--format", "csv"],
    "convert": lambda runner, file, out: ["convert", file, out / "a.npy", *runner.axis_of(file)],
}
DETECT = {"detect": lambda runner, file, out: ["detect", file, *runner.axis_of(file), "--edge", "Mn_L", "--out", out / "maps"]}


def drive_gives_the_same(runner, table, fault, files, *words):
    """The same data as from a disk, and someone who watches sees it come."""
    faults, injected = [], 0
    with Drive(runner, *words) as drive:
        for name, make in READS.items():
            for file in files:
                injected += 1
                here = runner.run(*make(runner, runner.shared() / file, runner.fresh(name)))
                expected = digest(runner.work / "out")
                done = runner.run(*make(runner, drive / file, runner.fresh(name)))
                if here.returncode or done.returncode:
                    faults.append(f"{name} {file}: {done.returncode} {done.stderr.strip()[:150]}")
                elif not whole(expected, digest(runner.work / "out")) or (name == "info" and done.stdout.replace(str(drive), "") != here.stdout.replace(str(runner.shared()), "")):
                    faults.append(f"{name} {file}: other data")
    table.add(fault, injected, injected, faults)


def drive_shows_progress(runner, table):
    faults = []
    with Drive(runner, "--delay-ms", "5") as drive:
        ours, theirs = os.openpty()
        process = subprocess.Popen([runner.elver, *map(str, READS["convert"](runner, drive / "long.npy", runner.fresh("convert")))], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
        os.close(ours)
        shares = {line.split(b"%")[0].split()[-1] for line in seen.split(b"\r") if b"%" in line}
        if process.wait() != 0 or not shares - {b"100"}:
            faults.append(f"exit code {process.returncode}, progress {sorted(shares)}")
    table.add("slow drive: progress is seen", 1, 1, faults)


def drive_fails(runner, table, rounds):
    """Reads beyond some place of the file fail: one sentence, and nothing left."""
    for error in ("EIO", "ESTALE"):
        faults, injected, met = [], 0, 0
        for i in range(max(2, rounds // 10)):
            file = runner.chance.choice(("cube.npy", "cube.hspy", "cube.rpl"))
            size = (runner.shared() / file).with_suffix(".raw" if file.endswith("rpl") else Path(file).suffix).stat().st_size
            with Drive(runner, "--delay-ms", "0", "--error", error, "--error-after", str(int(size * (i + 0.5) / max(2, rounds // 10)))) as drive:
                for name in ("map", "convert"):
                    injected += 1
                    folder = runner.fresh(name)
                    done = runner.run(*READS[name](runner, drive / file, folder))
                    met += done.returncode != 0
                    wrong = one_sentence(done, {3}) or ("" if not digest(folder) or done.returncode == 0 else f"left {sorted(digest(folder))}")
                    if wrong or (name == "convert" and done.returncode == 0):
                        faults.append(f"{name} {file}: {wrong or 'succeeded'}")
        table.add(f"drive answers {error}", injected, met, faults)


def drive_is_left(runner, table, fault, limit, times, commands, files, after, *words):
    """Left within `limit` seconds (some slow reads, on a machine that has more to do) of Ctrl-C while a slow drive is waited for, from which the whole file would come in minutes."""
    faults, met, longest = [], 0, 0.0
    for _ in range(times):
        name, file = runner.chance.choice(sorted(commands)), runner.chance.choice(files)
        with Drive(runner, *words) as drive:  # mounted anew: nothing of it is in memory
            folder = runner.fresh(name)
            process = subprocess.Popen([runner.elver, *map(str, commands[name](runner, drive / file, folder))], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(runner.chance.uniform(*after))
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            err = process.communicate(timeout=300)[1]
            seconds = time.monotonic() - start
        longest = max(longest, seconds)
        met += process.returncode != 0
        wrong = one_sentence(subprocess.CompletedProcess([], process.returncode, "", err), {130}) or ("left something" if process.returncode and digest(folder) else "")
        if wrong or seconds > limit:
            faults.append(f"{name} {file}: {wrong or f'{seconds:.1f} s'}")
    table.add(f"{fault} (left after {longest:.1f} s at most)", times, met, faults)


def network_drive(runner, table, rounds):
    try:
        with Drive(runner):
            pass
    except OSError as error:
        return table.skip("a network drive", f"no FUSE: {error}")
    files = ("cube.npy", "cube.hspy", "cube.rpl") if rounds >= 20 else ("cube.npy", "cube.hspy")
    drive_gives_the_same(runner, table, "slow drive", files)
    drive_gives_the_same(runner, table, "drive gives less than was asked for", ("small.hspy",), "--short", "--delay-ms", "0.2", "--stall-ms", "5")
    drive_shows_progress(runner, table)
    drive_fails(runner, table, rounds)
    times, commands = max(2, rounds // 10), {name: READS[name] for name in ("map", "convert")}
    drive_is_left(runner, table, "very slow drive: Ctrl-C", 12, times, commands, ("cube.npy", "cube.hspy"), (0.5, 3), "--delay-ms", "400", "--stall-ms", "800")
    drive_is_left(runner, table, "slow drive, channels apart: Ctrl-C", 5, times, commands | DETECT, ("energy.npy",), (0.7, 8))
