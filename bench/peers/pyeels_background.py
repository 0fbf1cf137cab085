"""pyEELSMODEL's power-law background before each edge: a least-squares fit in every pixel, of some rows of the cube."""

import contextlib
import io

import numpy as np

from peer import Different, Job, Skip, spectrum_image, window


def start(job: Job):
    try:
        import matplotlib

        matplotlib.use("Agg")
        with contextlib.redirect_stdout(io.StringIO()):
            from importlib.metadata import version
            from pyEELSMODEL.api import BackgroundRemoval, MultiSpectrum
    except ImportError as error:
        raise Skip(f"pyEELSMODEL is not installed ({error})")
    data, axis = spectrum_image(job.cube)
    rows, columns = np.unravel_index(np.flatnonzero(job.status.reshape(-1) == 0)[:64], data.shape[:2])
    spectra = data[:][rows, columns].astype(float)[:, None, :]  # 64 pixels: it takes milliseconds each
    energy = axis[0] + axis[1] * np.arange(data.shape[-1])

    def once():
        out = []
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for edge in job.edges:
                near = slice(window(axis, edge["fit"]).start - 2, window(axis, (edge["grid"]["start"], edge["grid"]["stop"])).stop + 2)
                image = MultiSpectrum.from_numpy(spectra[..., near], energy[near])
                net = BackgroundRemoval(image, tuple(map(float, edge["fit"]))).calculate_multi()
                signal = window((energy[near][0], axis[1]), (edge["grid"]["start"], edge["grid"]["stop"]))
                out.append((image.multidata - net.multidata)[:, 0, signal].sum(axis=-1))
        return out

    def check(backgrounds):
        # Another estimator (unweighted least squares, not Poisson's likelihood): alike within the noise of the counts.
        words = []
        for edge, theirs in zip(job.edges, backgrounds):
            name = edge["name"]
            a, r = (job.maps[f"{key}_{name}"].reshape(-1)[np.ravel_multi_index((rows, columns), data.shape[:2])] for key in "Ar")
            signal = window(axis, (edge["grid"]["start"], edge["grid"]["stop"]))
            ours = (a[:, None].astype(float) * energy[signal] ** -r[:, None].astype(float)).sum(axis=1)
            ratio = float(np.median(theirs / ours))
            words.append(f"{name} {ratio:.3f}")
            if not 0.9 < ratio < 1.1:
                raise Different(f"{name}: the median background is {ratio:.3f} of elver's")
        return "median background over elver's: " + ", ".join(words)

    return {"name": f"pyEELSMODEL {version('pyEELSMODEL')}", "pixels": len(spectra), "once": once, "check": check}
