"""XGBoost's in-place prediction, on the CPU or a GPU, booster by booster."""

import numpy as np

from peer import Different, Job, Skip


def start(job: Job, device="cpu"):
    try:
        import xgboost
    except ImportError as error:
        raise Skip(f"xgboost is not installed ({error})")
    rows = job.features
    if device == "cuda":
        if not xgboost.build_info().get("USE_CUDA"):
            raise Skip("this XGBoost has no CUDA")
        try:
            import cupy

            cupy.cuda.runtime.getDeviceCount()
        except Exception as error:
            raise Skip(f"no GPU for CuPy ({type(error).__name__})")
        rows = cupy.asarray(rows)
    boosters = []
    for path in job.boosters:
        booster = xgboost.Booster(model_file=path)
        booster.set_param({"nthread": job.threads, "device": device})
        boosters.append(booster)

    def once():
        out = [booster.inplace_predict(rows, predict_type="margin") for booster in boosters]
        if device == "cuda":
            cupy.cuda.Device().synchronize()
        return out

    def check(margins):
        compared = 0
        for task, theirs, ours in zip(job.tasks, margins, job.margins):
            theirs = np.ascontiguousarray(theirs if device == "cpu" else theirs.get()).reshape(ours.shape)
            compared += ours.size
            if device == "cpu" and not np.array_equal(theirs.view(np.uint32), ours.view(np.uint32)):
                raise Different(f"{task['name']}: {np.sum(theirs != ours)} of {ours.size} margins differ")
            if not np.allclose(theirs, ours, rtol=0, atol=1e-5):  # sums on a GPU start from 0, not from the base
                raise Different(f"{task['name']}: margins differ by up to {np.abs(theirs - ours).max()}")
        return f"{compared} margins equal " + ("bit for bit" if device == "cpu" else "within 1e-5")

    return {"name": f"XGBoost {xgboost.__version__} in place, {device}", "pixels": len(rows), "once": once, "check": check}
