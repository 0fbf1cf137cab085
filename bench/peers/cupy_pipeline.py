"""Whole-array Python on a GPU: CuPy for background and CDF, XGBoost in place on the GPU. `start(job, "numpy")` runs the same
on the CPU, to see that it is right."""

import numpy as np

from peer import Job, Skip, compare_maps, grid, maps_of, spectrum_image, window


def start(job: Job, arrays="cupy"):
    try:
        import xgboost

        xp = __import__(arrays)
        if arrays == "cupy":
            xp.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy has its own for every way to have no GPU
        raise Skip(f"no {arrays} with a device ({type(error).__name__})")
    boosters = []
    for path in job.boosters:
        booster = xgboost.Booster(model_file=path)
        booster.set_param({"device": "cuda" if arrays == "cupy" else "cpu", "nthread": job.threads})
        boosters.append(booster)

    def two_area(counts, first, energy, fit):
        last = fit.stop - (fit.start + fit.stop) % 2
        half = (fit.start + last) // 2
        i1 = counts[:, fit.start - first : half - first].sum(axis=1, dtype=xp.float64)
        i2 = counts[:, half - first : last - first].sum(axis=1, dtype=xp.float64)
        e1, e2, e4 = energy[fit.start], energy[half], energy[last]
        r = 2 * xp.log(i1 / i2 * (e4 - e2) / (e2 - e1)) / np.log(e4 / e1)
        k = 1 - r
        a1, a2 = i1 * k / (e2**k - e1**k), i2 * k / (e4**k - e2**k)
        return (a1 * i1 + a2 * i2) / (i1 + i2) * (energy[1] - energy[0]), r

    def once():
        data, axis = spectrum_image(job.cube)
        energy = axis[0] + axis[1] * np.arange(data.shape[-1])
        first = min(window(axis, edge["fit"]).start for edge in job.edges)
        counts = xp.asarray(data[..., first:].reshape(-1, data.shape[-1] - first)).astype(xp.float32)
        parts = []
        for edge in job.edges:
            level, r = two_area(counts, first, energy, window(axis, edge["fit"]))
            place = (grid(edge) - axis[0]) / axis[1]
            left = np.floor(place + 1e-9).astype(int)
            weight = xp.asarray((place - left).astype(np.float32))
            at = slice(left[0], left[-1] + 2)
            background = level[:, None] * xp.exp(-r[:, None] * xp.log(xp.asarray(energy[at]))[None, :])
            net = (counts[:, at.start - first : at.stop - first] - background).astype(xp.float32)
            here = xp.asarray(left - left[0])
            points = xp.maximum(net[:, here] + weight * (net[:, here + 1] - net[:, here]), 0)
            sums = xp.cumsum(points, axis=1)
            parts.append(sums / sums[:, -1:])
        features = xp.ascontiguousarray(xp.concatenate(parts, axis=1))
        predictions = [booster.inplace_predict(features) for booster in boosters]
        return maps_of([p if isinstance(p, np.ndarray) else p.get() for p in predictions], job)

    def check(maps):
        return compare_maps(maps, job, tolerance=1e-3, share=0.99)

    data, _ = spectrum_image(job.cube)
    return {"name": f"{arrays} {xp.__version__} + XGBoost {xgboost.__version__}", "pixels": data.shape[0] * data.shape[1],
            "once": once, "check": check}
