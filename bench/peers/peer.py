"""What the peers share: the job that all of them do, and how their answers are held against elver's."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


class Skip(Exception):
    """A peer that cannot run here, and why."""


class Different(Exception):
    """Answers that are not elver's: such a peer gets no row."""


@dataclass
class Job:
    """One model on one image."""

    recipe: dict  # of `elver model extract`
    boosters: list[Path]  # one a task
    cube: Path  # .hspy, pixel-major
    threads: int
    features: np.ndarray = None  # (pixels, features) float32, of pixels that have them
    margins: list[np.ndarray] = field(default_factory=list)  # elver's, one a task
    maps: dict[str, np.ndarray] = field(default_factory=dict)  # elver's, from the cube
    status: np.ndarray = None

    @property
    def edges(self):
        return self.recipe["edges"]

    @property
    def tasks(self):
        return self.recipe["tasks"]


def read_job(model_folder: Path, cube: Path, threads: int) -> Job:
    recipe = json.loads((model_folder / "recipe.json").read_text())
    return Job(recipe, [model_folder / task["booster"] for task in recipe["tasks"]], cube, threads)


def grid(edge) -> np.ndarray:
    g = edge["grid"]
    return g["start"] + np.arange(g["count"]) * (g["stop"] - g["start"]) / g["count"]


def window(axis, edges_ev) -> slice:
    """Channels [round((a - offset) / scale), round((b - offset) / scale)), elver's one rule."""
    offset, scale = axis
    return slice(*(int(round((e - offset) / scale)) for e in edges_ev))


def spectrum_image(cube: Path):
    """The values of the spectrum image in a HyperSpy file; offset and scale of its energy axis."""
    import h5py

    for group in h5py.File(cube, "r")["Experiments"].values():
        if group["data"].ndim == 3:
            axis = group["axis-2"].attrs
            return group["data"], (float(axis["offset"]), float(axis["scale"]))
    raise Skip(f"no spectrum image in {cube}")


def unpacked(cube: Path, rows: int, columns: int, out: Path) -> Path:
    """The spectrum image alone, its first rows and columns, without compression, as microscopes' own files are."""
    import h5py

    with h5py.File(cube, "r") as old, h5py.File(out, "w") as new:
        for name, value in old.attrs.items():
            new.attrs[name] = value
        name, group = next((n, g) for n, g in old["Experiments"].items() if g["data"].ndim == 3)
        copy = new.create_group(f"Experiments/{name}")
        for key in group:
            if key != "data":
                group.copy(key, copy)
        copy["data"] = group["data"][:rows, :columns]
        for key, size in zip(("axis-0", "axis-1"), copy["data"].shape):
            copy[key].attrs["size"] = size
    return out


def maps_of(predictions: list[np.ndarray], job: Job) -> dict[str, np.ndarray]:
    """Predictions of the tasks as the maps that elver writes: the most probable class, probabilities, values."""
    out = {}
    for task, values in zip(job.tasks, predictions):
        if values.ndim == 2 and values.shape[1] > 1:
            classes = np.asarray(task.get("classes", range(values.shape[1])))
            out[task["name"]] = classes[np.argmax(values, axis=1)]
        else:
            name = task["name"]
            out[name if name in job.maps else f"probability_{name}"] = values.reshape(-1)
    return out


def compare_maps(maps: dict[str, np.ndarray], job: Job, tolerance: float, share: float) -> str:
    """Holds a pipeline's maps against elver's where the pixel is `ok`. A background computed in another precision moves a
    feature across a threshold now and then, so not every pixel can be equal: at least `share` of them must be, within
    `tolerance`."""
    ok = job.status.reshape(-1) == 0
    words = []
    for name, values in maps.items():
        difference = np.abs(values.reshape(-1)[ok] - job.maps[name].reshape(-1)[ok])
        equal = np.mean(difference <= tolerance)
        words.append(f"{name} {100 * equal:.2f} %")
        if not equal >= share:
            raise Different(f"{name}: {100 * equal:.2f} % of {ok.sum()} pixels within {tolerance}, less than {100 * share:g} %")
    return f"within {tolerance} of elver's maps in " + ", ".join(words) + f" of {ok.sum()} ok pixels"


def pipeline(name: str, file_name: str, job: Job, maps, share: float) -> dict:
    """A peer from file to maps: `maps()` makes them, and they are written as .npy beside the image, as part of its work."""

    def once():
        made = maps()
        for title, values in made.items():
            np.save(job.cube.parent / f"{file_name}_{title}.npy", values)
        return made

    data, _ = spectrum_image(job.cube)
    return {"name": name, "pixels": data.shape[0] * data.shape[1], "once": once,
            "check": lambda made: compare_maps(made, job, tolerance=1e-3, share=share)}
