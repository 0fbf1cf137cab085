#!/usr/bin/env python3
"""elver against its peers, in one run: answers are compared first, then elver and the peers take turns.

    build/cpu/elver bench --library LIBRARY --keep-model bench.elver --runs 1 --scope kernel
    build/cpu/elver phantom LIBRARY --rows 128 --columns 128 --out cube.hspy
    python3 bench/peers/run.py --model bench.elver --cube cube.hspy --json out.json

Every pipeline starts from the file, which holds the cube without compression, and ends with maps written; boosters are loaded
before. The background of the pipelines is
the two-area formula, which HyperSpy has and all can compute; elver's own default is a row beside.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import cupy_pipeline  # noqa: E402
import hyperspy_pipeline  # noqa: E402
import numba_pipeline  # noqa: E402
import nvforest_forest  # noqa: E402
import onedal_forest  # noqa: E402
import pyeels_background  # noqa: E402
import xgboost_forest  # noqa: E402
from peer import Different, Skip, read_job, unpacked  # noqa: E402

# Scope, how to start the peer, and the row of `elver bench` that does the same.
PEERS = {
    "xgboost": ("forest", lambda job: xgboost_forest.start(job), "forest"),
    "onedal": ("forest", onedal_forest.start, "forest"),
    "xgboost-gpu": ("forest", lambda job: xgboost_forest.start(job, "cuda"), "forest"),
    "nvforest": ("forest", nvforest_forest.start, "forest"),
    "pyeels": ("background", pyeels_background.start, "background"),
    "numba": ("file to maps", numba_pipeline.start, "map"),
    "hyperspy": ("file to maps", hyperspy_pipeline.start, "map"),
    "cupy": ("file to maps", cupy_pipeline.start, "map"),
}
ROWS = 8192  # of the forests: as many as `elver bench` takes


class Elver:
    def __init__(self, program, threads, scratch):
        self.program, self.threads, self.scratch = program, threads, scratch

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, words[:2]))}: {done.stderr.strip()}")
        return done.stdout

    def rates(self, model, cube, runs):
        """Mpx/s of every row that elver measures on this cube: by stage."""
        out = json.loads(self.run("bench", cube, "--model", model, "--runs", runs, "--scope", "kernel,file", "--threads",
                                  self.threads, "--backend", "cpu", "--json"))
        self.machine, self.trees = out["machine"], out["trees"]
        return {row["stage"]: row["mpx_s"]["median"] for row in out["rows"] if row["engine"] == "elver"}

    def answers(self, job, model, cube):
        """What the peers are held against."""
        import h5py

        folder = self.scratch / "maps"
        self.run("map", cube, "--model", model, "--out", folder, "--pictures", "none", "--quiet", "--backend", "cpu")
        with h5py.File(folder / "maps.hspy") as file:
            maps = {name: group["data"][()] for name, group in file["Experiments"].items()}
        job.status, job.maps = maps.pop("status"), maps
        npy = self.scratch / "features.npy"
        self.run("features", cube, "--model", model, "--out", npy, "--quiet")
        features = np.load(npy)
        features = features[~np.isnan(features[:, 0])]
        job.features = np.ascontiguousarray(np.resize(features, (ROWS, features.shape[1])))
        np.save(npy, job.features)
        for booster in job.boosters:
            out = self.scratch / "margins.npy"
            self.run("predict", "--booster", booster, "--input", npy, "--out", out, "--margin", "--quiet", "--backend", "cpu")
            job.margins.append(np.load(out))


def two_area(elver, model):
    """The same model with the background that the pipelines share."""
    folder = elver.scratch / "model"
    elver.run("model", "extract", model, "--out", folder)
    recipe = json.loads((folder / "recipe.json").read_text())
    recipe["background"] = {"method": "two-area"}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    out = elver.scratch / "two-area.elver"
    elver.run("model", "make", folder / "recipe.json", "--out", out)
    return folder, out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cube", required=True, help=".hspy, for example of `elver phantom`")
    parser.add_argument("--elver", default=str(Path(__file__).parents[2] / "build/cpu/elver"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7, help="how often everything takes its turn")
    parser.add_argument("--rows", type=int, default=128, help="of the cube that are used")
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--json", help="where to leave the report")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)

    with tempfile.TemporaryDirectory(prefix="elver-peers-") as scratch:
        elver = Elver(options.elver, options.threads, Path(scratch))
        cube = unpacked(Path(options.cube), options.rows, options.columns, Path(scratch) / "cube.hspy")
        folder, shared = two_area(elver, options.model)
        job = read_job(folder, cube, options.threads)
        elver.answers(job, shared, cube)

        peers, left_out = {}, {}
        for name in options.peers.split(","):
            scope, start, stage = PEERS[name]
            try:
                peer = start(job)
                peer["parity"] = peer["check"](peer["once"]())  # this run also warms up
            except (Skip, Different) as why:
                left_out[name] = f"{type(why).__name__.lower()}: {why}"
                continue
            peers[name] = peer | {"scope": scope, "stage": stage, "rates": [], "ratios": [], "default": []}
        for _ in range(options.rounds):
            same = elver.rates(shared, cube, 3)
            default = elver.rates(options.model, cube, 3)
            for peer in peers.values():
                before = time.perf_counter()
                peer["once"]()
                rate = peer["pixels"] / (time.perf_counter() - before) * 1e-6
                peer["rates"].append(rate)
                peer["ratios"].append(same[peer["stage"]] / rate)
                peer["default"].append(default[peer["stage"]] / rate)
                peer.setdefault("elver", []).append(same[peer["stage"]])
                peer.setdefault("elver_default", []).append(default[peer["stage"]])

    def spread(values):
        return {"runs": len(values), "minimum": min(values), "median": statistics.median(values), "maximum": max(values)}

    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": elver.machine if options.rounds else {},
        "trees": elver.trees if options.rounds else {},
        "image": {"pixels": int(job.status.size), "ok": int((job.status == 0).sum())},
        "rounds": options.rounds,
        "rows": [
            {"peer": p["name"], "scope": p["scope"], "pixels": p["pixels"], "parity": p["parity"], "mpx_s": spread(p["rates"]),
             "elver_mpx_s": spread(p["elver"]), "elver_is_faster": spread(p["ratios"]),
             "elver_default_background_mpx_s": spread(p["elver_default"]),
             "elver_default_background_is_faster": spread(p["default"])}
            for p in peers.values() if p["rates"]
        ],
        "left_out": left_out,
    }
    print(f"{report['machine'].get('cpu')}, {options.threads} threads; {report['trees'].get('count')} trees; {options.rounds} rounds")
    print(f"{'scope':13} {'peer':34} {'Mpx/s':>9} {'elver':>8} {'faster':>8}  {'least to most':18} {'own default':>11}")
    for row in report["rows"]:
        r = row["elver_is_faster"]
        print(f"{row['scope']:13} {row['peer']:34} {row['mpx_s']['median']:9.5f} {row['elver_mpx_s']['median']:8.3f} {r['median']:7.1f}x  "
              f"{r['minimum']:.1f}x to {r['maximum']:.1f}x".ljust(96) + f" {row['elver_default_background_is_faster']['median']:10.1f}x")
        print(f"{'':13} {row['parity']}")
    for name, why in left_out.items():
        print(f"left out: {name}: {why}")
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
