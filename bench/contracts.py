#!/usr/bin/env python3
"""How often each contract held: every back end against the plain path, bit for bit, over the shapes that matter.

    python3 bench/contracts.py [--build build/cpu] [--write bench/contracts.md]

Runs the tests that hold contracts (tests/engine_test, engine_maps_test, cuda_contract_on_host, cuda_contract), which note every
case that was equal (tests/contract.hpp), and prints the table. Fails where a test fails.
"""

import argparse
import collections
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = ["engine_test", "engine_maps_test", "cuda_contract_on_host", "cuda_contract"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/cpu", type=Path)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "held"
        notes.touch()
        skipped = []
        for test in TESTS:
            done = subprocess.run([options.build / "tests" / test, "--gtest_brief=1"], capture_output=True, text=True,
                                  env=os.environ | {"ELVER_CONTRACTS": str(notes)})
            if done.returncode != 0:
                sys.exit(f"{test} failed:\n{done.stdout[-2000:]}")
            if "SKIPPED" in done.stdout:
                why = next((line.strip() for line in done.stdout.splitlines() if "no GPU" in line), "skipped")
                skipped.append(f"{test}: {why}")
        cases, values, shapes = collections.Counter(), collections.Counter(), collections.defaultdict(set)
        for line in notes.read_text().splitlines():
            law, on, shape, count = line.split("\t")
            cases[law, on] += 1
            values[law, on] += int(count)
            shapes[law].add(shape)
    laws = sorted({law for law, _ in cases})
    order = {"CUDA": 2, "plain": 0}
    backs = sorted({on for _, on in cases}, key=lambda on: (order.get(on.split()[0], 1), on))
    lines = ["| against the plain path | " + " | ".join(laws) + " |", "| --- |" + " --- |" * len(laws)]
    for on in backs:
        cells = [f"{cases[law, on]} cases, {values[law, on]:,} numbers" if cases[law, on] else "" for law in laws]
        lines.append(f"| {on} | " + " | ".join(cells) + " |")
    lines.append("| different shapes | " + " | ".join(str(len(shapes[law])) for law in laws) + " |")
    table = "\n".join(lines)
    print(table)
    for why in skipped:
        print(f"left out: {why}")
    if options.write:
        options.write.write_text(
            "# How often the contracts held\n\nEqual bit for bit, every case of it; made by `bench/contracts.py`. A case is one "
            "shape: a number of pixels (1, 31,\n33, a full tile and one more, ...), a number type and order of counts, one edge to "
            "eight, a depth of 1 to 12 and up\nto 256, a rule of features, a kind of booster, NaN among the features. Plain C++ is the engine's code\n"
            "without vector registers.\n\n" + table + "\n" + "".join(f"\nLeft out: {why}.\n" for why in skipped))


if __name__ == "__main__":
    main()
