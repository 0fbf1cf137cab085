#!/usr/bin/env python3
"""Reads files with elver and with RosettaSciIO and compares values, axes, units and conditions; then has elver write
them in each of its formats, and RosettaSciIO read those.

    compare.py ELVER [FILE ...]

Without FILE, samples are written by RosettaSciIO's own writers (NCEM EMD, NeXus, Ripple, HyperSpy with every filter at
hand, EMSA) and by this script where RosettaSciIO has no writer (Velox EMD), and then others.py and imagej.py take their
turn, with the programs that are installed. Needs rosettasciio, h5py, numpy.
Exit code: 0 all equal, 1 a difference, 77 RosettaSciIO is not installed.
"""
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import h5py
    import numpy as np
    import rsciio
    from rsciio.utils._dictionary import DTBox  # noqa: F401  (a RosettaSciIO as new as this script was written for)
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def signal(shape, dtype, seed=0, units=("nm", "nm", "eV"), line=False):
    """A spectrum image as RosettaSciIO's writers take it."""
    data = np.random.default_rng(seed).poisson(50, shape).astype(dtype)
    names = {3: ("y", "x", "Energy loss"), 2: ("x", "Energy loss"), 1: ("Energy loss",)}[len(shape)]
    scales = {"y": (0.5, -1.25), "x": (0.25, 3.0), "Energy loss": (0.3, 448.5)}
    axes = []
    for i, name in enumerate(names):
        scale, offset = scales[name]
        axes.append({"_type": "UniformDataAxis", "name": name, "scale": scale, "offset": offset, "size": shape[i],
                     "units": "eV" if name == "Energy loss" else "nm", "navigate": name != "Energy loss",
                     "index_in_array": i, "is_binned": name == "Energy loss"})
    tem = {"beam_energy": 300.0, "convergence_angle": 21.4, "Detector": {"EELS": {"collection_angle": 37.0}}}
    return {"data": data, "axes": axes, "original_metadata": {}, "package_info": {"package": "hyperspy", "package_version": "2.5"},
            "metadata": {"General": {"title": "a cathode"}, "Signal": {"signal_type": "EELS"},
                         "Acquisition_instrument": {"TEM": tem}}, "learning_results": {}, "tmp_parameters": {}, "models": {}, "attributes": {"_lazy": False}}


def write_velox(path, shape, dtype):
    rows, channels, columns = shape
    data = np.random.default_rng(3).poisson(60, shape).astype(dtype) + 100

    def text(group, name, value):
        raw = np.frombuffer(json.dumps(value).encode() + b"\0" * 64, np.uint8)
        group.create_dataset(name, data=raw[:, None])

    with h5py.File(path, "w") as file:
        file.create_dataset("Version", data=np.array([json.dumps({"format": "Velox", "version": "1.10"})], dtype=h5py.string_dtype()))
        eels = file.create_group("Data/EelsSpectrumImage/" + "ab" * 16)
        eels.create_dataset("Data", data=data, chunks=(1, channels, columns), compression="gzip")
        text(eels, "Metadata", {"Optics": {"AccelerationVoltage": "300000", "BeamConvergence": "0.0214"}})
        text(eels, "AcquisitionMetadata", {"Data": {"offset": 448.5, "dispersion": 0.3}})
        scan = file.create_group("Data/SpectrumImage/" + "cd" * 16)
        text(scan, "Metadata", {"BinaryResult": {"PixelSize": {"width": "2.5e-10", "height": "5e-10"}, "Offset": {"x": "3e-9", "y": "-1.25e-9"},
                                                 "PixelUnitX": "m", "PixelUnitY": "m", "Detector": ""}, "Optics": {}})


def samples(folder):
    from rsciio import emd, hspy, msa, nexus, ripple
    cases = [((3, 5, 40), "uint16"), ((3, 5, 40), "float32"), ((4, 40), "float32"), ((40,), "float64")]
    for number, (shape, dtype) in enumerate(cases):
        tag = "x".join(map(str, shape)) + "-" + dtype
        for writer, ending, options in ((emd, "emd", {}), (nexus, "nxs", {}), (nexus, "default.nxs", {"use_default": True}),
                                        (hspy, "hspy", {"compression": "gzip"}), (hspy, "lzf.hspy", {"compression": "lzf"}),
                                        (hspy, "plain.hspy", {"compression": None})):
            path = folder / f"{writer.__name__.split('.')[-1]}-{tag}.{ending}"
            writer.file_writer(str(path), signal(shape, dtype, number), **options)
            yield path
        if dtype != "uint32":
            path = folder / f"ripple-{tag}.rpl"
            ripple.file_writer(str(path), signal(shape, dtype, number))
            yield path
    path = folder / "one.msa"
    msa.file_writer(str(path), signal((40,), "float64"))
    yield path
    path = folder / "velox.emd"
    write_velox(path, (3, 40, 5), "uint16")
    yield path


def by_rosettasciio(path):
    from rsciio import digitalmicrograph, emd, hspy, msa, nexus, ripple
    ending = path.suffix.lower()
    reader = {".emd": emd, ".nxs": nexus, ".hspy": hspy, ".rpl": ripple, ".msa": msa, ".dm3": digitalmicrograph, ".dm4": digitalmicrograph}[ending]
    options = {"nxdata_only": True} if reader is nexus else {"encoding": "utf-8"} if reader in (msa, ripple) else {}
    return [s for s in reader.file_reader(str(path), **options) if np.ndim(s["data"]) > 0]


def by_elver(elver, path, folder):
    listed = subprocess.run([elver, "info", str(path), "--json"], capture_output=True, text=True)
    if listed.returncode != 0:
        yield {"id": "info"}, None, listed.stderr.strip()
        return
    for image in json.loads(listed.stdout)["images"]:
        out = folder / "read.hspy"
        done = subprocess.run([elver, "convert", str(path), str(out), "--dataset", image["id"], "--quiet"], capture_output=True, text=True)
        if done.returncode != 0:
            yield image, None, done.stderr.strip()
            continue
        with h5py.File(out) as file:
            group = next(iter(file["Experiments"].values()))
            yield image, group["data"][...], ""


def differences(image, values, other):
    """What elver and RosettaSciIO say differently of one image."""
    wrong = []
    data = np.asarray(other["data"])
    axes = sorted(other["axes"], key=lambda a: a.get("index_in_array", 0))
    if "Velox" in str(other.get("original_metadata", "")) or image.get("velox"):
        data, axes = np.moveaxis(data, [0, 1], [1, 0]), [axes[i] for i in (1, 0, 2)][:data.ndim]
    # RosettaSciIO keeps the order of the file; elver puts the energy last.
    mine = image["axes"]
    energy = [i for i, a in enumerate(axes) if a.get("units") in ("eV", "keV")]
    if not energy and values.shape != data.shape:  # a DM "Spectrum image" without a unit: its energy comes first
        energy = [0]
    if energy and mine[-1]["role"] == "energy":
        data = np.moveaxis(data, energy[0], -1)
        axes = axes[:energy[0]] + axes[energy[0] + 1:] + [axes[energy[0]]]
    if values.shape != data.shape:
        return [f"shape {values.shape} against {data.shape}"]
    if not np.array_equal(values, data.astype(values.dtype), equal_nan=values.dtype.kind == "f"):
        wrong.append("values differ")
    for a, b in zip(mine, axes):
        if a["units"] == "nm" and b.get("units") in ("pm", "Å", "µm", "um"):  # RosettaSciIO chooses the unit of Velox by the size
            per = {"pm": 1e-3, "Å": 0.1}.get(b["units"], 1e3)
            b = b | {"units": "nm", "scale": b["scale"] * per, "offset": b.get("offset", 0) * per}
        if a["units"] == "eV" and b.get("units") == "keV":
            b = b | {"units": "eV", "scale": b["scale"] * 1e3, "offset": b.get("offset", 0) * 1e3}
        for key in ("scale", "offset"):
            if not np.isclose(a[key], b.get(key, 0 if key == "offset" else 1), rtol=1e-6, atol=1e-9):
                wrong.append(f"axis {a['name']}: {key} {a[key]} against {b.get(key)}")
        theirs = "" if b.get("units") in (None, "<undefined>", "[]") else str(b["units"])
        if a["units"] != theirs:
            wrong.append(f"axis {a['name']}: unit '{a['units']}' against '{theirs}'")
    tem = other["metadata"].get("Acquisition_instrument", {}).get("TEM", {})
    for key, theirs in (("beam_energy_kev", tem.get("beam_energy")), ("convergence_mrad", tem.get("convergence_angle")),
                        ("collection_mrad", tem.get("Detector", {}).get("EELS", {}).get("collection_angle"))):
        if theirs is not None and (image[key] is None or not np.isclose(image[key], theirs)):
            wrong.append(f"{key} {image[key]} against {theirs}")
    return wrong


def written(elver, path, folder):
    """Each format that elver writes: what RosettaSciIO makes of it against what elver read."""
    for image, values, why in list(by_elver(elver, path, folder)):
        if values is None:
            continue
        image["velox"] = False
        endings = ["hspy", "nxs"] + (["rpl"] if values.ndim <= 3 and values.dtype != bool and 1 not in values.shape else []) + ["npy"]
        if values.ndim == 1 and image["axes"][-1]["role"] == "energy":
            endings.append("msa")
        for ending in endings:
            out = folder / f"written.{ending}"
            done = subprocess.run([elver, "convert", str(path), str(out), "--dataset", image["id"], "--quiet"], capture_output=True, text=True)
            if done.returncode != 0:
                yield ending, [done.stderr.strip()]
                continue
            if ending == "npy":
                back = np.load(out)
                yield ending, [] if back.dtype == values.dtype and np.array_equal(back, values) else ["values differ"]
                continue
            try:
                other = by_rosettasciio(out)[0]
            except Exception as error:  # noqa: BLE001
                yield ending, [f"{path.name}: RosettaSciIO cannot read it: {error}"]
                continue
            yield ending, [f"{path.name} [{image['id']}]: {d}" for d in differences(image, values, other)]


def written_maps(elver, folder):
    """The maps of the sample phantom as TIFF and NeXus against the same in .hspy."""
    source = Path(__file__).resolve().parents[2]
    phantom = next(source.glob("samples/*.hspy"), None)
    if phantom is None:
        return
    out = folder / "maps"
    subprocess.run([elver, "map", str(phantom), "--model", str(source / "samples/nmc.elver"), "--out", str(out), "--pictures", "none",
                    "--format", "hspy,nexus,tiff", "--quiet"], check=True)
    from rsciio import hspy, nexus, tiff
    maps = hspy.file_reader(str(out / "maps.hspy"))
    others = {s["metadata"]["General"]["title"]: s for s in nexus.file_reader(str(out / "maps.nxs"), nxdata_only=True)}
    for signal in maps:
        title = signal["metadata"]["General"]["title"]
        mine = [{"name": a["name"], "units": a["units"], "scale": a["scale"], "offset": a["offset"], "role": "navigation"} for a in signal["axes"]]
        image = {"axes": mine, "beam_energy_kev": None, "convergence_mrad": None, "collection_mrad": None}
        data = np.asarray(signal["data"])
        picture = tiff.file_reader(str(out / f"{title}.tif"))[0]
        yield "tif", [f"{title}: {d}" for d in differences(image, data, picture)]
        if title in others:
            yield "map.nxs", [f"{title}: {d}" for d in differences(image, data, others[title])]
        else:
            yield "map.nxs", [f"{title} is missing among {sorted(others)}"]


def main():
    elver, given = sys.argv[1], [Path(name) for name in sys.argv[2:]]
    equal = refused = different = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for path in given or samples(folder):
            try:
                theirs = by_rosettasciio(path)
            except Exception as error:  # noqa: BLE001  (whatever RosettaSciIO says)
                print(f"{path.name}: RosettaSciIO cannot read it: {error}")
                theirs = []
            found = list(by_elver(elver, path, folder))
            for image, values, why in found:
                if values is None:
                    refused += 1
                    print(f"{path.name} [{image['id']}]: refused: {why}")
                    continue
                image["velox"] = path.name.startswith("velox")
                tried = [differences(image, values, other) for other in theirs]
                if not tried:
                    continue
                best = min(tried, key=len)
                if best:
                    different += 1
                    print(f"{path.name} [{image['id']}]: " + "; ".join(best))
                else:
                    equal += 1
            if theirs and len(found) < len(theirs):
                different += 1
                print(f"{path.name}: {len(found)} images against {len(theirs)}")
        counts, wrong = {}, 0
        paths = given or list(samples(folder))
        checks = [check for path in paths for check in written(elver, path, folder)]
        if importlib.util.find_spec("tifffile") is None:
            print("maps: skipped, RosettaSciIO needs tifffile for them")
        else:
            checks += written_maps(elver, folder)
        for ending, faults in checks:
            counts[ending] = counts.get(ending, 0) + 1
            wrong += bool(faults)
            if faults:
                print(f"written .{ending}: " + "; ".join(faults))
    print(f"RosettaSciIO {rsciio.__version__}: read: {equal} equal, {different} different, {refused} refused; "
          f"written: {', '.join(f'{n} {ending}' for ending, n in counts.items())}, {wrong} different")
    if not given:
        beside = Path(__file__).parent
        wrong += sum(subprocess.run([sys.executable, str(beside / script), elver]).returncode == 1 for script in ("others.py", "imagej.py"))
    return 1 if different or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
