"""The fastest Python that an expert would write: background and CDF in numba, then XGBoost in place."""

import numpy as np

from peer import Job, Skip, grid, maps_of, pipeline, spectrum_image, window


def start(job: Job):
    try:
        import numba
        import xgboost
    except ImportError as error:
        raise Skip(f"numba or xgboost is not installed ({error})")
    numba.set_num_threads(min(job.threads, numba.config.NUMBA_NUM_THREADS))

    @numba.njit(parallel=True, fastmath=True, cache=False)
    def features_of(counts, first, energy, windows, channel, weight, begins, out):
        """Two-area power law before each edge; net counts, on the grid, clipped at 0, summed, divided by the last."""
        for p in numba.prange(counts.shape[0]):
            for e in range(windows.shape[0]):
                a, half, b = windows[e]
                i1 = 0.0
                i2 = 0.0
                for c in range(a, half):
                    i1 += counts[p, c - first]
                for c in range(half, b):
                    i2 += counts[p, c - first]
                begin, end = begins[e], begins[e + 1]
                if i1 <= 0 or i2 <= 0:
                    out[p, begin:end] = np.nan
                    continue
                e1, e2, e4 = energy[a], energy[half], energy[b]
                r = 2 * np.log(i1 / i2 * (e4 - e2) / (e2 - e1)) / np.log(e4 / e1)
                k = 1 - r
                a1 = i1 * k / (e2**k - e1**k)
                a2 = i2 * k / (e4**k - e2**k)
                level = (a1 * i1 + a2 * i2) / (i1 + i2) * (energy[1] - energy[0])
                total = np.float32(0)
                last = -1
                left = np.float32(0)
                right = np.float32(0)
                for g in range(begin, end):
                    c = channel[g]
                    if c != last:  # neighbours of a grid finer than the channels share them
                        left = right if c == last + 1 else np.float32(counts[p, c - first] - level * energy[c] ** -r)
                        right = np.float32(counts[p, c + 1 - first] - level * energy[c + 1] ** -r)
                        last = c
                    total += max(left + weight[g] * (right - left), np.float32(0))
                    out[p, g] = total
                for g in range(begin, end):
                    out[p, g] = out[p, g] / total

    boosters = []
    for path in job.boosters:
        booster = xgboost.Booster(model_file=path)
        booster.set_param({"nthread": job.threads})
        boosters.append(booster)

    def once():
        data, axis = spectrum_image(job.cube)
        offset, scale = axis
        energy = offset + scale * np.arange(data.shape[-1])
        windows, channel, weight, begins = [], [], [], [0]
        for edge in job.edges:
            fit = window(axis, edge["fit"])
            last = fit.stop - (fit.start + fit.stop) % 2
            windows.append((fit.start, (fit.start + last) // 2, last))
            place = (grid(edge) - offset) / scale
            channel.append(np.floor(place + 1e-9).astype(np.int64))
            weight.append((place - channel[-1]).astype(np.float32))
            begins.append(begins[-1] + len(place))
        first = min(w[0] for w in windows)
        last = max(c[-1] for c in channel) + 2
        counts = data[..., first:last].reshape(-1, last - first)
        features = np.empty((len(counts), begins[-1]), np.float32)
        features_of(counts, first, energy, np.array(windows), np.concatenate(channel), np.concatenate(weight),
                    np.array(begins), features)
        predictions = [booster.inplace_predict(features) for booster in boosters]
        return maps_of(predictions, job)

    return pipeline(f"numba {numba.__version__} + XGBoost {xgboost.__version__}", "numba", job, once, share=0.99)
