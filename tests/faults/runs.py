"""Runs of elver and what is asked of each, for faults.py and network_drive.py."""
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
PHANTOM, MODEL = SOURCE / "samples/phantom.hspy", SOURCE / "samples/nmc.elver"


class Table:
    def __init__(self):
        self.failed = False
        self.row("fault", "injected", "met", "outcome")

    def row(self, *cells):
        print("{:44} {:>8} {:>5}  {}".format(*cells), flush=True)

    def add(self, fault, injected, met, faults):
        self.row(fault, injected, met, "survived" if not faults else f"NOT: {faults[0]}")
        self.failed |= bool(faults)

    def skip(self, fault, why):
        self.row(fault, "-", "-", f"skipped: {why}")


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
        return subprocess.run([self.elver, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, **more)

    def made_cube(self, cube="cube.npy", mebibytes=24):
        """The phantom, its rows repeated, as .npy: mapped while it is read. And the options that give its axis."""
        small = self.work / "small.npy"
        done = self.run("convert", PHANTOM, small)
        if done.returncode != 0:
            sys.exit(f"the sample cannot be converted: {done.stderr}")
        axis = done.stderr.split("read it with ")[1].split()
        raw = small.read_bytes()
        start = 10 + int.from_bytes(raw[8:10], "little")
        header, values = raw[10:start].decode(), raw[start:]
        times = max(1, (mebibytes << 20) // len(values))
        rows = int(header.split("(")[1].split(",")[0])
        header = header.replace(f"({rows},", f"({rows * times},").rstrip()
        header += " " * (63 - (10 + len(header)) % 64) + "\n"
        cube = self.work / cube
        cube.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values * times)
        return cube, axis

    def shared(self):
        """A folder with the cube, and the phantom, in several formats; long.npy takes long enough to be seen coming."""
        folder = self.work / "shared"
        if not folder.exists():
            folder.mkdir()
            shutil.copyfile(self.cube, folder / "cube.npy")
            shutil.copyfile(PHANTOM, folder / "small.hspy")
            self.made_cube(folder / "long.npy", 80)
            self.energy_major(folder / "energy.npy")
            for name in ("cube.hspy", "cube.rpl"):
                self.run("convert", self.cube, folder / name, *self.axis)
        return folder

    def energy_major(self, cube, side=1024):
        """Channels one after the other, as in Gatan's files, 3 GB of zeros that take no disk."""
        channels = int(self.cube.read_bytes()[:128].decode("latin").split("(")[1].split(")")[0].split(",")[2])
        header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': ({channels}, {side}, {side}), }}"
        header += " " * (63 - (10 + len(header)) % 64) + "\n"
        cube.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        os.truncate(cube, cube.stat().st_size + 2 * channels * side * side)

    def axis_of(self, file):
        if Path(file).suffix != ".npy":
            return []
        return [*self.axis, "--energy-axis", "0"] if Path(file).name == "energy.npy" else self.axis

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
