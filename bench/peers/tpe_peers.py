#!/usr/bin/env python3
"""elver's TPE beside hyperopt's and Optuna's: median regret over seeds at equal budgets, on Branin and Hartmann-6.

    bench/peers/tpe_peers.py build/cpu/bench/tpe_regret [--seeds 30] [--evaluations 50 100 200]

Needs hyperopt and optuna (pip install hyperopt optuna setuptools). Peers run with their own defaults; Optuna also with
multivariate=True. Ends with 1 where elver's median is above a peer's default.
"""
import argparse
import logging
import math
import subprocess
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
import hyperopt  # noqa: E402
import optuna  # noqa: E402

logging.getLogger("hyperopt").setLevel(logging.ERROR)
optuna.logging.set_verbosity(optuna.logging.ERROR)

A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
P = np.array([[0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886], [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
              [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650], [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381]])


def branin(x):
    a = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return a * a + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10 - 0.397887357729739


def hartmann6(x):
    return 3.322368011415515 - float(np.dot([1, 1.2, 3, 3.2], np.exp(-(A * (np.asarray(x) - P) ** 2).sum(axis=1))))


FUNCTIONS = {"branin": (branin, [(-5, 10), (0, 15)]), "hartmann6": (hartmann6, [(0, 1)] * 6)}


def run_hyperopt(f, bounds, n, seed):
    space = [hyperopt.hp.uniform(f"x{i}", a, b) for i, (a, b) in enumerate(bounds)]
    trials = hyperopt.Trials()
    hyperopt.fmin(f, space, algo=hyperopt.tpe.suggest, max_evals=n, trials=trials, rstate=np.random.default_rng(seed),
                  show_progressbar=False, verbose=False)
    return np.minimum.accumulate(trials.losses())


def run_optuna(f, bounds, n, seed, **options):
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, **options))
    study.optimize(lambda t: f([t.suggest_float(f"x{i}", a, b) for i, (a, b) in enumerate(bounds)]), n_trials=n)
    return np.minimum.accumulate([t.value for t in study.trials])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[50, 100, 200])
    options = parser.parse_args()
    most, worse = max(options.evaluations), False
    print(f"| function | evaluations | elver | hyperopt {hyperopt.__version__} | Optuna {optuna.__version__} | Optuna, multivariate |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, (f, bounds) in FUNCTIONS.items():
        peers = {"hyperopt": run_hyperopt, "optuna": run_optuna, "multivariate": lambda *a: run_optuna(*a, multivariate=True)}
        curves = {p: np.array([run(f, bounds, most, s) for s in range(options.seeds)]) for p, run in peers.items()}
        for n in options.evaluations:
            out = subprocess.run([options.program, name, str(n), str(options.seeds)], capture_output=True, text=True, check=True)
            ours = float(np.median([float(v) for v in out.stdout.split()]))
            theirs = {p: float(np.median(c[:, n - 1])) for p, c in curves.items()}
            print(f"| {name} | {n} | {ours:.4g} | " + " | ".join(f"{v:.4g}" for v in theirs.values()) + " |", flush=True)
            worse = worse or ours > min(theirs["hyperopt"], theirs["optuna"])
    return 1 if worse else 0


sys.exit(main())
