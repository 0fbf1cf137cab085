"""nvForest's prediction of the same boosters on a GPU, its layout chosen by its own optimize() on real features."""

import numpy as np

from peer import Different, Job, Skip


def start(job: Job):
    try:
        import cupy
        import nvforest

        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise Skip(f"nvForest or a GPU for it is not here ({type(error).__name__})")
    rows = cupy.asarray(job.features)
    models = []
    for path in job.boosters:
        kind = "xgboost_ubj" if path.suffix == ".ubj" else "xgboost_json"
        models.append(nvforest.load_model(path, model_type=kind, device="gpu").optimize(data=rows))

    def once():
        out = [m.predict_proba(rows) if hasattr(m, "predict_proba") else m.predict(rows) for m in models]
        cupy.cuda.Device().synchronize()
        return out

    def check(predictions):
        words = []
        for task, theirs, margins in zip(job.tasks, predictions, job.margins):
            theirs, ours = np.asarray(theirs.get()), margins
            if "classes" in task:
                ours = np.exp(margins - margins.max(axis=1, keepdims=True))
                ours /= ours.sum(axis=1, keepdims=True)
            elif theirs.ndim == 2 and theirs.shape[1] == 2:
                theirs, ours = theirs[:, 1], 1 / (1 + np.exp(-margins))
            difference = np.abs(theirs.reshape(ours.shape) - ours).max()
            words.append(f"{task['name']} {difference:.1e}")
            if not difference <= 2e-5:
                raise Different(f"{task['name']}: predictions differ by up to {difference:g}, more than 2e-5")
        return "predictions differ by at most " + ", ".join(words)

    return {"name": f"nvForest {nvforest.__version__}", "pixels": len(rows), "once": once, "check": check}
