"""oneDAL's prediction of the same boosters, converted by daal4py."""

import numpy as np

from peer import Different, Job, Skip


def start(job: Job):
    try:
        import daal4py
        import xgboost
        from importlib.metadata import version
        from daal4py.mb import GBTDAALModel
    except ImportError as error:
        raise Skip(f"daal4py is not installed ({error})")
    daal4py.daalinit(job.threads)
    models = [GBTDAALModel(xgboost.Booster(model_file=path)) for path in job.boosters]
    rows = job.features

    def once():
        return [m.predict_proba(rows) if m.is_classifier_ else m.predict(rows) for m in models]

    def check(predictions):
        words = []
        for task, theirs, margins in zip(job.tasks, predictions, job.margins):
            ours = margins
            if "classes" in task:
                ours = np.exp(margins - margins.max(axis=1, keepdims=True))
                ours /= ours.sum(axis=1, keepdims=True)
            elif np.ndim(theirs) == 2:
                theirs, ours = theirs[:, 1], 1 / (1 + np.exp(-margins))
            # oneDAL adds the leaves in another order: single precision over some hundred trees.
            difference = np.abs(np.reshape(theirs, ours.shape) - ours).max()
            words.append(f"{task['name']} {difference:.1e}")
            if not difference <= 2e-5:
                raise Different(f"{task['name']}: predictions differ by up to {difference:g}, more than 2e-5")
        return "predictions differ by at most " + ", ".join(words)

    return {"name": f"oneDAL {version('daal')}", "pixels": len(rows), "once": once, "check": check}
