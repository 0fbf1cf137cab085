"""What a HyperSpy user would write: remove_background, interpolation, cumulative sums, then XGBoost."""

import numpy as np

from peer import Job, Skip, grid, maps_of, pipeline, spectrum_image


def start(job: Job):
    try:
        import hyperspy
        import hyperspy.api as hs
        import xgboost
        from scipy.interpolate import interp1d
    except ImportError as error:
        raise Skip(f"hyperspy or xgboost is not installed ({error})")
    hs.set_log_level("ERROR")
    hs.preferences.General.show_progressbar = False
    boosters = []
    for path in job.boosters:
        booster = xgboost.Booster(model_file=path)
        booster.set_param({"nthread": job.threads})
        boosters.append(booster)

    def once():
        signals = hs.load(str(job.cube))
        signals = signals if isinstance(signals, list) else [signals]
        image = next(s for s in signals if s.axes_manager.signal_dimension == 1)
        parts = []
        for edge in job.edges:
            fit = edge["fit"]
            near = image.isig[float(fit[0]) - 1.0 : float(edge["grid"]["stop"]) + 1.0]
            net = near.remove_background(signal_range=(float(fit[0]), float(fit[1])), background_type="PowerLaw", fast=True)
            on_grid = interp1d(net.axes_manager[-1].axis, net.data, axis=-1)(grid(edge))
            sums = np.cumsum(np.clip(on_grid, 0, None), axis=-1)
            parts.append(sums / sums[..., -1:])
        features = np.concatenate(parts, axis=-1).reshape(-1, sum(p.shape[-1] for p in parts)).astype(np.float32)
        return maps_of([booster.inplace_predict(features) for booster in boosters], job)

    return pipeline(f"HyperSpy {hyperspy.__version__} + XGBoost {xgboost.__version__}", "hyperspy", job, once, share=0.97)
