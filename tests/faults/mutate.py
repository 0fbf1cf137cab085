#!/usr/bin/env python3
"""Damages files in every way that is known to be nasty and lets elver read them: the right data or one sentence.

    mutate.py ELVER [FILE ...] [--flips N] [--seed S]

Without FILE: the sample phantom in each format that elver writes. Each file is cut at every 1 %, has bytes and fields of 2, 4
and 8 bytes replaced by absurd ones (half of them in its first 4 kB), blocks left out, doubled and exchanged. With h5py also
HDF5 files that hold themselves, name other files, nest deeply or unpack to much; and zip bombs as .ndata1.
A crash, more than 5 s of processor time, or a peak of memory beyond 64 MiB and 4 times the file is a fault. `elver info` and
`elver convert` are run. Exit code: 0 no fault, 1 faults (their files are kept and named).
"""
import argparse
import io
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
ABSURD = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**31 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def run(elver, words, out):
    """Exit code, what went wrong (or ""), and what it said."""
    err = out / "err"
    with open(err, "wb") as stderr:
        child = subprocess.Popen([elver, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 21)))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, err.read_text(errors="replace")


def fault_of(elver, path, work):
    size = sum(p.stat().st_size for p in path.parent.glob(path.stem + ".*"))
    target = work / "out.hspy"
    for words in (["info", str(path), "--json"], ["convert", str(path), str(target), "--quiet", "--offset-ev", "100", "--dispersion-ev", "0.5"]):
        code, seconds, memory, said = run(elver, words, work)
        target.unlink(missing_ok=True)
        lines = [line for line in said.splitlines() if "note:" not in line]
        if code < 0:
            return f"{words[0]}: signal {-code}"
        if code not in (0, 2, 3, 4):
            return f"{words[0]}: exit code {code}: {said.strip()[:120]}"
        if code and (len(lines) != 1 or not lines[0].startswith("elver: error: ")):
            return f"{words[0]}: not one sentence: {said.strip()[:120]}"
        if seconds > 5:
            return f"{words[0]}: {seconds:.1f} s"
        if memory > (64 << 20) + 4 * size:
            return f"{words[0]}: {memory >> 20} MiB for a file of {size} bytes"
    return ""


def damaged(data, chance, flips):
    """Name and bytes of every damaged copy."""
    for percent in range(100):
        yield f"cut at {percent} %", data[:len(data) * percent // 100]
    for i in range(flips):
        out = bytearray(data)
        span = min(len(data), 4096) if i % 2 else len(data)
        width = chance.choice((1, 2, 4, 8))
        at = chance.randrange(max(1, span - width))
        value = chance.choice(ABSURD + [chance.getrandbits(64)])
        out[at:at + width] = struct.pack(chance.choice("<>") + "Q", value)[:width]
        yield f"{width} bytes at {at} are {value:#x}", bytes(out)
    for i in range(flips // 10):
        a, b = sorted(chance.randrange(len(data)) for _ in range(2))
        size = chance.randrange(1, 512)
        yield f"{size} bytes at {a} left out", data[:a] + data[a + size:]
        yield f"{size} bytes at {a} doubled", data[:a + size] + data[a:]
        yield f"{size} bytes at {b} put at {a}", data[:a] + data[b:b + size] + data[a + size:]


def npy(shape, descr="<f4", values=b""):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values


def archives():
    """Zip bombs and other archives, as .ndata1."""
    def packed(members, method):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return out.getvalue()

    zeros = npy((1, 1, 1 << 26), "<f4", bytes(1 << 28))
    yield "bomb of 256 MiB.ndata1", packed([("data.npy", zeros), ("metadata.json", "{}")], zipfile.ZIP_DEFLATED)
    yield "bomb in the metadata.ndata1", packed([("data.npy", npy((1, 1, 8), "<f4", bytes(32))), ("metadata.json", "[" * (1 << 26))], zipfile.ZIP_DEFLATED)
    yield "deep metadata.ndata1", packed([("data.npy", npy((1, 1, 8), "<f4", bytes(32))), ("metadata.json", "[" * (1 << 20))], zipfile.ZIP_STORED)
    yield "2^31 pixels.ndata1", packed([("data.npy", npy((1 << 16, 1 << 15, 1024))), ("metadata.json", "{}")], zipfile.ZIP_STORED)
    yield "2^31 pixels.npy", npy((1 << 16, 1 << 15, 1024))
    yield "overflow.npy", npy((1 << 32, 1 << 32, 16))


def hdf5_files(folder):
    """HDF5 files that are nasty without being damaged."""
    try:
        import h5py
        import numpy as np
    except ImportError as error:
        print(f"HDF5: skipped, {error}")
        return
    def signal(file, name="cube"):
        group = file.create_group("Experiments/" + name)
        file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.3"
        for i, (axis, size) in enumerate((("y", 4), ("x", 4), ("Energy loss", 64))):
            group.create_group(f"axis-{i}").attrs.update({"name": axis, "scale": 0.5, "offset": 100.0, "size": size, "units": "eV" if i == 2 else "nm", "navigate": i < 2})
        group.create_group("metadata/Signal").attrs["signal_type"] = "EELS"
        group.create_group("original_metadata")
        return group

    def made(name):
        return h5py.File(folder / name, "w")

    with made("holds itself.h5") as file:
        group = file.create_group("a/b")
        group["a"] = file["a"]
        group["root"] = file["/"]
    with made("soft circle.h5") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
    with made("axis is the file.hspy") as file:
        group = signal(file)
        del group["metadata"]
        group["metadata"] = file["/"]
        group["data"] = np.ones((4, 4, 64), "f4")
    with made("link out.hspy") as file:
        signal(file)["data"] = h5py.ExternalLink("/etc/passwd", "/data")
    with made("link to itself.hspy") as file:
        signal(file)["data"] = h5py.ExternalLink("link to itself.hspy", "/Experiments/cube/data")
    with made("external storage.hspy") as file:
        group = signal(file)
        group.create_dataset("data", (4, 4, 64), "f4", external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])
    with made("virtual.hspy") as file:
        layout = h5py.VirtualLayout((4, 4, 64), "f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "data", (4, 4, 64))
        signal(file).create_virtual_dataset("data", layout)
    with made("deep.h5") as file:
        group = file
        for _ in range(2000):
            group = group.create_group("g")
        group["data"] = np.ones((4, 4, 64))
    with made("wide.h5") as file:
        for i in range(20000):
            file.create_group(f"g{i}")
    with made("gzip bomb.hspy") as file:
        group = signal(file)
        group.create_dataset("data", (4, 4, 1 << 24), "f4", chunks=(4, 4, 1 << 24), compression="gzip")[:] = 0
    with made("gzip bomb in an axis.hspy") as file:
        group = signal(file)
        group["data"] = np.ones((4, 4, 64), "f4")
        group["axis-2"].create_dataset("axis", (1 << 27,), "f8", chunks=(1 << 20,), compression="gzip")[:] = 0
    with made("never written.hspy") as file:
        signal(file).create_dataset("data", (1 << 16, 1 << 15, 64), "f4", chunks=(1, 64, 64))
    with made("huge chunk.hspy") as file:
        signal(file).create_dataset("data", (1 << 12, 1 << 12, 64), "f4", chunks=(1 << 10, 1 << 10, 64))
    with made("big attribute.hspy") as file:
        group = signal(file)
        group["data"] = np.ones((4, 4, 64), "f4")
        group["metadata/Signal"].attrs["quantity"] = "x" * 60000
    with made("no numbers.hspy") as file:
        group = signal(file)
        group["data"] = np.full((4, 4, 64), np.nan, "f4")
        group["axis-2"].attrs["scale"], group["axis-1"].attrs["offset"] = 0.0, np.nan
    yield from sorted(folder.iterdir())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elver")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--flips", type=int, default=300, help="fields that are replaced, a file (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    kept, tried = [], 0
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)

        def check(path, how):
            nonlocal tried
            tried += 1
            fault = fault_of(options.elver, path, work)
            if fault:
                copy = Path(tempfile.gettempdir()) / f"elver-fault-{len(kept)}-{path.name}"
                shutil.copyfile(path, copy)
                kept.append(copy)
                print(f"{path.name}: {how}: {fault} ({copy})", flush=True)

        files = options.files
        if not files:
            (work / "made").mkdir()
            spectrum = work / "spectrum.npy"
            spectrum.write_bytes(npy((64,), "<f4", struct.pack("<64f", *range(64))))
            for ending in ("hspy", "nxs", "rpl", "npy"):
                files.append(work / f"made/phantom.{ending}")
                subprocess.run([options.elver, "convert", str(SOURCE / "samples/phantom.hspy"), str(files[-1]), "--bin", "4x4", "--quiet"], check=True)
            files.append(work / "made/spectrum.msa")
            subprocess.run([options.elver, "convert", str(spectrum), str(files[-1]), "--offset-ev", "100", "--dispersion-ev", "0.5", "--quiet"], check=True)
        for original in files:
            before = tried
            data = original.read_bytes()
            victims = work / "victims"
            shutil.rmtree(victims, ignore_errors=True)
            victims.mkdir()
            raw = original.with_suffix(".raw")
            if original.suffix == ".rpl" and raw.exists():
                shutil.copyfile(raw, victims / raw.name)
            for how, copy in damaged(data, chance, options.flips):
                victim = victims / original.name
                victim.write_bytes(copy)
                check(victim, how)
            print(f"{original.name}: {tried - before} damaged copies", flush=True)
        # By a process of their own: what it holds while it makes them would count as elver's, which begins as a fork.
        nasty = work / "nasty"
        nasty.mkdir()
        if os.fork() == 0:
            for name, data in archives():
                (nasty / name).write_bytes(data)
            list(hdf5_files(nasty))
            sys.stdout.flush()
            os._exit(0)
        os.wait()
        for path in sorted(nasty.iterdir()):
            check(path, "as it is")
    print(f"{tried} files, {len(kept)} faults")
    sys.exit(bool(kept))


if __name__ == "__main__":
    main()
