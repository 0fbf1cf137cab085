#!/usr/bin/env python3
"""What the compiled kernels cost, and the rates that each GPU's limits allow.

    bench/cuda_limits.py [--arch 80,90,120] [--table]

Compiles cuda/*.cu with nvcc, reads registers and spills from ptxas and instructions from nvdisasm, prints them, and leaves
with 1 where a law is broken: no spills, no local memory, at most 64 registers in the forest's kernel (two blocks of 512
threads a multiprocessor), at most 9 instructions a visit at depth 6, staging and leaves included. --table prints the table
of bench/cuda-limits.md: computed, not measured. nvdisasm is in no bare toolkit: it is fetched from PyPI (nvidia-cuda-nvdisasm)
into a virtual environment of the cache, or taken from the PATH.
"""
import argparse, glob, os, re, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.environ.get("ELVER_CACHE", os.path.expanduser("~/.cache/elver"))
MOST_REGISTERS = 64
MOST_INSTRUCTIONS = 9.0  # a visit at depth 6


def nvdisasm():
    """Its path, or None where it cannot be had."""
    place = os.path.join(CACHE, "nvdisasm")
    found = shutil.which("nvdisasm") or next(iter(glob.glob(place + "/**/bin/nvdisasm", recursive=True)), None)
    if found:
        return found
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", place, "nvidia-cuda-nvdisasm"]
    if subprocess.run(pip, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        return None
    found = next(iter(glob.glob(place + "/**/bin/nvdisasm", recursive=True)), None)
    if found:
        os.chmod(found, 0o755)
    return found


def compile_kernels(source, arch, folder):
    """The cubin of a file, and for each kernel its registers, its spilled bytes and its stack."""
    cubin = os.path.join(folder, f"{os.path.basename(source)}.{arch}.cubin")
    command = ["nvcc", "-std=c++20", "-fmad=false", "-O3", f"-arch=sm_{arch}", "-Xptxas", "-v", "-cubin", "-o", cubin, source]
    command += [f"-I{ROOT}/{d}" for d in ("cuda", "include", "src")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    kernels, name = {}, None
    for line in done.stderr.splitlines():
        if m := re.search(r"Compiling entry function '(\w+)'", line):
            name = m[1]
        elif m := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            kernels[name] = {"stack": int(m[1]), "spills": int(m[2]) + int(m[3])}
        elif m := re.search(r"Used (\d+) registers", line):
            kernels[name]["registers"] = int(m[1])
    if "warning" in done.stderr:
        print(done.stderr, file=sys.stderr)
    return cubin, kernels


def short(name):
    """forest_kernel<4>, edge_kernel<t> from a mangled name."""
    m = re.search(r"(\d+)([a-z_]+_kernel)(?:I(.*?)E)?", name)
    argument = re.sub(r"^Lj(\d+)$", r"\1", m[3] or "")
    types = {"h": "u8", "t": "u16", "s": "i16", "j": "u32", "i": "i32", "m": "u64", "f": "f32", "d": "f64"}
    return m[2] + (f"<{types.get(argument, argument.rstrip('E'))}>" if argument else "")


def loops(disassembly):
    """For each function, its innermost loops as lists of instructions."""
    out, name, ops, labels = {}, None, [], {}

    def close():
        if name is None:
            return
        spans = []
        for i, op in enumerate(ops):
            m = re.search(r"\bBRA\b.*?(\.L_x_\d+)", op)
            if m and labels.get(m[1], i + 1) <= i:
                spans.append((labels[m[1]], i))
        inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
        out[name] = [ops[a:b + 1] for a, b in inner]

    for line in disassembly.splitlines():
        if m := re.match(r"\.text\.(\S+):", line):
            close()
            name, ops, labels = m[1], [], {}
        elif m := re.match(r"\s*(\.L_x_\d+):", line):
            labels[m[1]] = len(ops)
        elif m := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            ops.append(m[1])
    close()
    return out


def visits(loop_list, rows=4):
    """Depth -> instructions a visit, from the loops of the forest's kernel with four rows a lane."""
    out = {}
    for loop in loop_list:
        codes = sum("LDS.U8" in op for op in loop)
        if codes % rows == 0 and 2 <= codes // rows <= 8:
            out[codes // rows] = min(out.get(codes // rows, 99.0), len(loop) / codes)
    return out


# Multiprocessors, GHz (boost), shared KB a block, memory TB/s, host link GB/s, from NVIDIA's data sheets.
GPUS = {"H100 SXM": (132, 1.98, 227, 3.35, 55), "H200": (132, 1.98, 227, 4.8, 55), "L40S": (142, 2.52, 99, 0.864, 25),
        "RTX 4090": (128, 2.52, 99, 1.008, 25)}
LATENCY = 80  # clocks from a node to the next one of the same row: two loads from shared memory and four integer steps
WARPS = 16


def wavefronts_of_leaves(words, lanes=32, tries=4000):
    """Expected wavefronts of 32 lanes that read words at random places of `words` neighbours."""
    import random
    random.seed(1)
    total = 0
    for _ in range(tries):
        banks = [set() for _ in range(32)]
        for _ in range(lanes):
            w = random.randrange(words)
            banks[w % 32].add(w)
        total += max(len(b) for b in banks)
    return total / tries


def forest_limits(gpu, per_visit, depth, trees=1800, features=600, outputs=6):
    multiprocessors, ghz, shared, _, _ = GPUS[gpu]
    clocks = multiprocessors * ghz * 1e9
    node = sum(1 if level == 0 else 4 * wavefronts_of_leaves(2 ** level) for level in range(depth))
    words = 2 ** (depth + 1)
    tree = node + 4 * depth + 4 * wavefronts_of_leaves(2 ** depth) + 2 * words / 32  # nodes, codes, leaves, in and out of the stage
    stage = max(512, words * 4)
    tile = features * 128 + outputs * stage
    blocks = int(shared * 1024 // tile)
    warps = min(WARPS * 2, blocks * outputs)
    issue = per_visit * depth * 4 / 4
    latency = depth * 4 * LATENCY / (warps * 4) if warps else float("inf")
    return {"LSU": clocks * 128 / (trees * tree) / 1e6, "issue": clocks * 128 / (trees * issue) / 1e6,
            "latency": clocks * 128 / (trees * latency) / 1e6, "warps": warps, "wavefronts": tree / (depth * 4),
            "L2 TB/s": min(clocks * 128 / (trees * max(tree, issue, latency)), 1e12) * trees * words * 4 / 128 / 1e12}


def table(per_visit):
    lines = ["# What the kernels may reach: computed, not measured", "",
             "From the compiled kernels and the data sheets, by `bench/cuda_limits.py --table`; no kernel of elver has run on any of",
             "these. 1800 trees, 600 code rows, 6 outputs. *LSU*: one wavefront of shared memory a clock a multiprocessor (nodes, codes,",
             "leaves at random, staging). *Issue*: four instructions a clock. *Latency*: " + str(LATENCY) + " clocks a visit, as many rows in flight as",
             "shared memory holds. The forest can be no faster than the least of the three. *Link*: counts of 840 channels over PCIe.", "",
             "| GPU | depth | instructions a visit | wavefronts a visit, all | warps | LSU Mpx/s | issue Mpx/s | latency Mpx/s | least | trees from L2, TB/s | link u16 Mpx/s | link f32 Mpx/s |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for gpu in GPUS:
        for depth in (4, 6, 8):
            f = forest_limits(gpu, per_visit[depth], depth)
            link = GPUS[gpu][4] * 1e3
            least = min(("LSU", "issue", "latency"), key=lambda k: f[k])
            lines.append(f"| {gpu} | {depth} | {per_visit[depth]:.2f} | {f['wavefronts']:.2f} | {f['warps']} | {f['LSU']:.0f} | {f['issue']:.0f} | "
                         f"{f['latency']:.0f} | {f[least]:.0f} ({least}) | {f['L2 TB/s']:.1f} | {link / 1680:.0f} | {link / 3360:.0f} |")
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--arch", default="80,90,120")
    arguments.add_argument("--table", action="store_true")
    asked = arguments.parse_args()
    tool, broken, last = nvdisasm(), [], {}
    with tempfile.TemporaryDirectory() as folder:
        for arch in asked.arch.split(","):
            for source in sorted(glob.glob(f"{ROOT}/cuda/*.cu")):
                cubin, kernels = compile_kernels(source, arch, folder)
                for name, k in kernels.items():
                    if not asked.table:
                        print(f"sm_{arch} {short(name):24} {k['registers']:3} registers, {k['spills']} bytes spilled, {k['stack']} bytes of stack")
                    if k["spills"] or k["stack"]:
                        broken.append(f"sm_{arch} {short(name)}: spills or local memory")
                    if "forest_kernel" in name and k["registers"] > MOST_REGISTERS:
                        broken.append(f"sm_{arch} {short(name)}: {k['registers']} registers")
                if os.path.basename(source) != "forest.cu" or tool is None:
                    continue
                text = subprocess.run([tool, "-c", cubin], capture_output=True, text=True, check=True).stdout
                last = next(visits(l) for n, l in loops(text).items() if short(n) == "forest_kernel<4>")
                if not asked.table:
                    print(f"sm_{arch} instructions a visit: " + ", ".join(f"depth {d}: {v:.2f}" for d, v in sorted(last.items())))
                if 6 not in last or last[6] > MOST_INSTRUCTIONS:
                    broken.append(f"sm_{arch}: {last.get(6)} instructions a visit at depth 6, more than {MOST_INSTRUCTIONS}")
    if tool is None:
        print("nvdisasm is not to be had: instructions are not counted")
    elif asked.table:
        print(table(last))
    for law in broken:
        print("broken:", law)
    sys.exit(bool(broken))


main()
