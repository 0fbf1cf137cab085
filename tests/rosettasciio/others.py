#!/usr/bin/env python3
"""Reads with elver what other people's programs write, and compares values, axes, units and conditions with what went in.

    others.py ELVER [--python PYTHON]... [--keep FOLDER]

Writers, of those that the interpreter has: Nion Swift's storage handlers and exporters (nionswift), ncempy, emdfile,
nexusformat, HyperSpy of any version, h5py with every filter of hdf5plugin; h5py also writes what Velox would. Each --python names another interpreter, so that
several versions of a program can take part; without it the script's own is asked. What a program writes it must also read
back as it was. The comparing needs h5py and numpy. Exit code: 0 all equal, 1 a difference, 77 nothing to compare with.
"""
import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

AXES = [("y", -1.25, 0.5, "nm"), ("x", 3.0, 0.25, "nm"), ("Energy loss", 448.5, 0.3, "eV")]
CUBE = np.random.default_rng(7).poisson(60, (3, 5, 40))
TYPES = ["uint16", "float32", ">i4", "float64", ">f4"]


class Samples:
    """Files and beside each what is true of it."""

    def __init__(self, folder, program):
        self.folder, self.program = folder, program

    def path(self, name):
        return self.folder / f"{self.program.split()[0]}-{name}"

    def add(self, path, data, axes, **facts):
        """`axes`: name, offset, scale, unit of each in the order of the data, the energy last and in eV."""
        np.save(f"{path}.npy", np.asarray(data))
        Path(f"{path}.json").write_text(json.dumps({"program": self.program, "axes": axes, "facts": facts}))


def part(rank, kind):
    """An image, a line or one spectrum: its values and its axes."""
    return {3: CUBE, 2: CUBE[1], 1: CUBE[1, 2]}[rank].astype(kind), AXES[3 - rank:]


def in_unit(axis, unit):
    """An axis of energies said in another unit."""
    name, offset, scale, its = axis
    per = {"eV": 1, "keV": 1e-3, "[e_V]": 1, "meV": 1e3}[unit] if its == "eV" else 1
    return name, offset * per, scale * per, unit if its == "eV" else its


def nionswift(samples):
    import datetime
    from nion.data import Calibration, DataAndMetadata
    from nion.swift.model import DataItem, HDF5Handler, ImportExportManager, NDataHandler
    from nionswift_plugin.DM_IO import dm3_image_utils as digitalmicrograph
    now = datetime.datetime(2026, 1, 2)
    cases = [(rank, kind, "eV") for rank in (3, 2, 1) for kind in TYPES + ["float16"]] + [(3, "float32", "keV"), (3, "float32", "meV")]
    for rank, kind, unit in cases:
        data, axes = part(rank, kind)
        metadata = {"hardware_source": {"hardware_source_id": "eels", "exposure": 0.05, "signal_type": "eels", "unknown": float("nan")},
                    "instrument": {"high_tension": 60000.0, "convergence_angle": 0.03, "collection_angle": 0.045, "C10": float("inf")}}
        values = DataAndMetadata.new_data_and_metadata(
            data, dimensional_calibrations=[Calibration.Calibration(*in_unit(axis, unit)[1:]) for axis in axes],
            intensity_calibration=Calibration.Calibration(0, 1, "counts"), metadata=metadata,
            data_descriptor=DataAndMetadata.DataDescriptor(False, rank - 1, 1))
        item = DataItem.new_data_item(values)
        item.title = "Spectrum Image µ"
        name = samples.path(f"{rank}-{kind.replace('>', 'big-')}-{unit}")
        facts = {"beam_energy_kev": 60, "convergence_mrad": 30, "collection_mrad": 45, "dwell_s": 0.05, "title": item.title}
        for factory in (NDataHandler.NDataHandlerFactory(), HDF5Handler.HDF5HandlerFactory()):
            handler = factory.make(name.with_name(name.name + "-library.x"))
            handler.write_data(data, now)
            handler.write_properties(item.write_to_dict(), now)
            handler.write_properties(item.write_to_dict(), now)  # as when a title is changed
            assert np.array_equal(handler.read_data(), data)
            path = handler.reference
            handler.close()
            samples.add(path, data, axes, **facts)

        class Shown:
            data_item, data_items = item, [item]
            write_to_dict = staticmethod(dict)
        for version in (3, 4):
            path = name.with_name(name.name + f".dm{version}")
            try:
                with open(path, "wb") as file:
                    digitalmicrograph.save_image(values, file, version)
            except AssertionError as error:  # a type that its writer has not
                assert "typecode" in str(error)
                path.unlink()
                continue
            with open(path, "rb") as file:
                back = digitalmicrograph.load_image(file).data
            if not np.array_equal(back, data):  # big-endian numbers are written as if they were not
                assert kind.startswith(">")
                path.unlink()
                continue
            # A line has one row; axes have no names.
            named = [(None, *axis[1:]) for axis in axes]
            samples.add(path, data[None] if rank == 2 else data, [(None, 0, 1, "")] + named if rank == 2 else named,
                        **{k: v for k, v in facts.items() if k != "title"})
        path = name.with_name(name.name + ".ndata1")
        ImportExportManager.NDataImportExportHandler("", "", ["ndata1"]).write_display_item(Shown, path, "ndata1")
        samples.add(path, data, axes, **facts)
        if hasattr(HDF5Handler, "HDFImportExportDriver"):
            path = name.with_name(name.name + ".nhdf")
            HDF5Handler.HDFImportExportDriver().write_display_item(path, [Shown])
            samples.add(path, data, axes, **facts)


def ncempy(samples):
    from ncempy.io import emd
    for rank in (3, 2, 1):
        for kind in TYPES:
            for unit in ("eV", "keV", "[e_V]"):
                data, axes = part(rank, kind)
                path = samples.path(f"{rank}-{kind.replace('>', 'big-')}-{unit.strip('[]')}.emd")
                said = [in_unit(axis, unit) for axis in axes]
                file = emd.fileEMD(str(path), readonly=False)
                file.put_emdgroup("cathode", data, tuple((offset + scale * np.arange(size), name, "[n_m]" if unit == "[e_V]" and its == "nm" else its)
                                                         for (name, offset, scale, its), size in zip(said, data.shape)))
                file.file_hdl.close()
                assert np.array_equal(emd.emdReader(str(path))["data"], data)
                samples.add(path, data, axes, title="cathode")


def emdfile(samples):
    import emdfile as emd
    for rank in (3, 2, 1):
        for kind in TYPES:
            for whole in (False, True):  # every position, or the first two
                data, axes = part(rank, kind)
                array = emd.Array(data, name="cathode", units="counts", dim_names=[a[0] for a in axes], dim_units=[a[3] for a in axes],
                                  dims=[a[1] + a[2] * np.arange(size if whole else 2) for a, size in zip(axes, data.shape)])
                path = samples.path(f"{rank}-{kind.replace('>', 'big-')}-{'whole' if whole else 'two'}.h5")
                emd.save(str(path), array, mode="o")
                assert np.array_equal(emd.read(str(path)).data, data)
                samples.add(path, data, axes, title="cathode")
    data, axes = part(3, "float32")
    root = emd.Root(name="experiment")
    first = emd.Array(data, name="cathode", dim_names=[a[0] for a in axes], dim_units=[a[3] for a in axes], dims=[[a[1], a[1] + a[2]] for a in axes])
    root.tree(first)
    root.tree(emd.Array(np.ones((6, 7)), name="survey"))
    first.tree(emd.Array(np.ones((3, 5)), name="mask"))
    path = samples.path("tree.h5")
    emd.save(str(path), root, mode="o", tree=True)
    samples.add(path, data, axes, title="cathode")


def nexusformat(samples):
    from nexusformat.nexus import NXdata, NXentry, NXfield, NXinstrument, NXroot, NXsource, nxload
    for rank in (3, 2, 1):
        for kind in TYPES:
            for unit in ("eV", "keV"):
                data, axes = part(rank, kind)
                fields = [NXfield(offset + scale * np.arange(size), name=name, units=its, long_name=f"{name} ({its})")
                          for (name, offset, scale, its), size in zip((in_unit(axis, unit) for axis in axes), data.shape)]
                entry = NXentry(NXdata(NXfield(data, name="counts", units="counts"), fields, name="eels"), instrument=NXinstrument(NXsource()))
                entry["instrument/source/voltage"] = NXfield(300.0, units="kV") if unit == "eV" else NXfield(300000, units="V")
                entry["instrument/convergence_angle"] = NXfield(21.4, units="mrad") if unit == "eV" else NXfield(0.0214, units="rad")
                path = samples.path(f"{rank}-{kind.replace('>', 'big-')}-{unit}.nxs")
                NXroot(entry).save(str(path), "w")
                assert np.array_equal(nxload(str(path))["entry/eels/counts"].nxdata, data)
                samples.add(path, data, axes, beam_energy_kev=300, convergence_mrad=21.4)
    data = np.random.default_rng(1).poisson(9, (32, 24, 128)).astype("uint32")
    edges = NXfield(100 + 0.5 * (np.arange(129) - 0.5), name="energy", units="eV")
    places = [NXfield(np.arange(32) * 2e-9, name="y", units="m"), NXfield(np.arange(24) * 2.0, name="x", units="nm")]
    entry = NXentry(NXdata(NXfield(data, name="counts", chunks=(8, 8, 128), compression="gzip", shuffle=True), [*places, edges], errors=NXfield(np.sqrt(data))))
    path = samples.path("edges.nxs")
    NXroot(entry).save(str(path), "w")
    samples.add(path, data, [("y", 0, 2e-9, "m"), ("x", 0, 2, "nm"), ("energy", 100, 0.5, "eV")])


def hyperspy(samples):
    import hyperspy.api as hs
    from hyperspy import __version__ as version
    try:
        importlib.import_module("exspy")
        eels = True
    except ImportError:
        eels = version.startswith("1.")

    def made(rank, kind, unit="eV"):
        data, axes = part(rank, kind)
        signal = hs.signals.Signal1D(data.copy())
        for place, (name, offset, scale, its) in zip(signal.axes_manager._axes, (in_unit(axis, unit) for axis in axes)):
            place.name, place.offset, place.scale, place.units = name, offset, scale, its
        if eels:
            signal.set_signal_type("EELS")
            signal.set_microscope_parameters(beam_energy=200.0, convergence_angle=21.4, collection_angle=37.0)
        signal.metadata.General.title = "a cathode"
        facts = {"title": "a cathode"}
        if eels:
            facts |= {"beam_energy_kev": 200, "convergence_mrad": 21.4, "collection_mrad": 37}
        return signal, data, axes, facts

    def keep(signal, path, data, axes, facts, **options):
        signal.save(str(path), overwrite=True, **options)
        back = hs.load(str(path), **({"nxdata_only": True} if path.suffix == ".nxs" else {}))
        assert np.array_equal((back[0] if isinstance(back, list) else back).data, signal.data)
        samples.add(path, data, axes, **facts)

    for rank in (3, 2, 1):
        for kind in TYPES + ["uint8", "int64"]:
            signal, data, axes, facts = made(rank, kind)
            name = f"{rank}-{kind.replace('>', 'big-')}"
            for label, options in (("gzip", {}), ("lzf", {"compression": "lzf"}), ("plain", {"compression": None})):
                keep(signal, samples.path(f"{name}-{label}.hspy"), data, axes, facts, **options)
            keep(signal, samples.path(f"{name}.emd"), data, axes, {})
            if not kind.startswith(">"):
                keep(signal, samples.path(f"{name}.rpl"), data, axes, {})
            try:
                keep(signal, samples.path(f"{name}.nxs"), data, axes, {k: v for k, v in facts.items() if k != "title"})
            except Exception as error:  # noqa: BLE001  (older versions: no writer, or only of some types)
                print(f"{samples.program}: NeXus of {kind}: {type(error).__name__}: {error}")
    signal, data, axes, facts = made(1, "float64")
    keep(signal, samples.path("one.msa"), data, axes, {})
    signal, data, axes, facts = made(3, "float32", "keV")
    keep(signal, samples.path("kev.hspy"), data, axes, facts)
    # Lazily, in chunks that fit nothing.
    signal, data, axes, facts = made(3, "float32")
    lazy = signal.as_lazy()
    keep(lazy, samples.path("lazy.hspy"), data, axes, facts, chunks=(2, 3, 7))
    # The energy first in the file, as a stack of images has it.
    turned = signal.transpose(signal_axes=(0, 1))
    keep(turned, samples.path("images.hspy"), data, axes, {"title": "a cathode"})
    # What else may lie beside the data: learning results, a model, a name with a slash.
    signal, data, axes, facts = made(3, "float64")
    signal.decomposition(output_dimension=2)
    signal.metadata.General.title = "a/b"
    keep(signal, samples.path("learned.hspy"), data, axes, facts | {"title": "a/b"})
    signal, data, axes, facts = made(1, "float64")
    model = signal.create_model(**({"auto_background": False, "auto_add_edges": False} if eels else {}))
    model.append(hs.model.components1D.PowerLaw())
    model.store("fit")
    keep(signal, samples.path("model.hspy"), data, axes, facts)


def hdf5plugin(samples):
    import hdf5plugin as plugin
    kinds = {"blosc": plugin.Blosc(), "bzip2": plugin.BZip2(), "lz4": plugin.LZ4(), "zstd": plugin.Zstd(), "bitshuffle": plugin.Bitshuffle()}
    data, axes = part(3, "float32")
    for name, options in kinds.items():
        path = samples.path(f"{name}.hspy")
        with h5py.File(path, "w") as file:
            file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.3"
            group = file.create_group("Experiments/cathode")
            group.create_dataset("data", data=data, chunks=(1, 5, 40), **options)
            for i, (label, offset, scale, unit) in enumerate(axes):
                group.create_group(f"axis-{i}").attrs.update({"_type": "UniformDataAxis", "name": label, "offset": offset, "scale": scale, "units": unit, "size": data.shape[i], "navigate": i < 2})
            group.create_group("metadata/General").attrs["title"] = "cathode"
            group.create_group("original_metadata")
        samples.add(path, data, axes, title="cathode", may_refuse="filter")


def velox(samples):
    """No program but Velox writes its files: this is its layout as its readers describe it, every text as it has them."""
    def text(group, name, value):
        raw = np.zeros((4096, 2), np.uint8)  # a column a frame
        letters = np.frombuffer(json.dumps(value).encode(), np.uint8)
        raw[:len(letters), 0] = letters
        group.create_dataset(name, data=raw, chunks=(4096, 1), maxshape=(4096, None), compression="gzip")

    def facts(detector):
        return {"Core": {"MetadataDefinitionVersion": "7.9"}, "Instrument": {"InstrumentClass": "Iliad"}, "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1767312000"}, "BeamType": "", "SourceType": "XFEG"},
                "Detectors": {"Detector-0": {"DetectorName": "HAADF", "DetectorType": "ScanningDetector"}},
                "Optics": {"AccelerationVoltage": "300000", "BeamConvergence": "0.0214", "CameraLength": "0.03"},
                "Scan": {"ScanSize": {"width": "5", "height": "3"}, "DwellTime": "0.002", "FrameTime": "0.03"},
                "BinaryResult": {"PixelSize": {"width": "2.5e-10", "height": "5e-10"}, "Offset": {"x": "3e-9", "y": "-1.25e-9"},
                                 "PixelUnitX": "m", "PixelUnitY": "m", "Detector": detector, "DetectorIndex": "0"},
                "CustomProperties": {"EnergyFilter.CollectionAngleRange.Begin": {"type": "double", "value": "0"},
                                     "EnergyFilter.CollectionAngleRange.End": {"type": "double", "value": "0.045"}}}

    for kind in ("uint16", "uint32", "float32"):
        for rank in (3, 2):
            path = samples.path(f"{rank}-{kind}.emd")
            data, axes = part(rank, kind)
            with h5py.File(path, "w") as file:
                file.create_dataset("Version", data=np.array([json.dumps({"format": "Velox", "version": "11"})], dtype=h5py.string_dtype()))
                for group in ("Application", "Displays/ImageDisplay", "Experiment", "Features/SIFeature", "Operations", "Presentation", "SharedProperties", "Data/SpectrumStream"):
                    file.create_group(group)
                for number, (offset, shift) in enumerate(((448.5, 0), (800.0, 7))):  # two energy ranges of one scan
                    group = file.create_group(f"Data/EelsSpectrumImage/{number:032x}")
                    values = np.moveaxis(data + np.array(shift, kind), -1, 1)
                    group.create_dataset("Data", data=values, chunks=(1,) + values.shape[1:], compression="gzip", shuffle=True)
                    text(group, "Metadata", facts(""))
                    text(group, "AcquisitionMetadata", {"Data": {"offset": offset, "dispersion": 0.3, "exposureTime": 0.002}})
                text(file.create_group("Data/SpectrumImage/" + "c" * 32), "Metadata", facts("EDS"))
                for number in range(2):
                    group = file.create_group(f"Data/Image/{number + 9:032x}")
                    group.create_dataset("Data", data=np.ones((3, 5, 1), "uint16"))
                    text(group, "Metadata", facts("HAADF"))
            samples.add(path, data, axes, title="EELS", beam_energy_kev=300, convergence_mrad=21.4, collection_mrad=45, dwell_s=0.002)


WRITERS = {"nionswift": nionswift, "ncempy": ncempy, "emdfile": emdfile, "nexusformat": nexusformat, "hyperspy": hyperspy, "hdf5plugin": hdf5plugin, "h5py": velox}


def write(folder):
    from importlib import metadata
    for name, writer in WRITERS.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            print(f"{name}: skipped, it is not installed")
            continue
        place = folder / f"{name}-{version}"
        place.mkdir(parents=True, exist_ok=True)
        writer(Samples(place, f"{name} {version}"))


def differences(elver, path, folder):
    """What elver says differently of a file; "" where it refuses, with the reason, what it may refuse."""
    truth = json.loads(Path(f"{path}.json").read_text())
    data, facts = np.load(f"{path}.npy"), truth["facts"]
    listed = subprocess.run([elver, "info", str(path), "--json"], capture_output=True, text=True)
    if listed.returncode != 0:
        return [listed.stderr.strip()]
    images = [i for i in json.loads(listed.stdout)["images"] if [a["size"] for a in i["axes"]] == list(data.shape)]
    if not images:
        return ["no image of this shape"]
    image = images[0]
    wrong = []
    for mine, (name, offset, scale, unit) in zip(image["axes"], truth["axes"]):
        for key, value in (("scale", scale), ("offset", offset)):
            if not np.isclose(mine[key], value, rtol=1e-6, atol=1e-9 * abs(scale)):
                wrong.append(f"axis {mine['name']}: {key} {mine[key]} for {value}")
        if mine["units"] != unit:
            wrong.append(f"axis {mine['name']}: unit '{mine['units']}' for '{unit}'")
        if name is not None and mine["name"] != name:
            wrong.append(f"axis {mine['name']}: named {name}")
    if image["axes"][-1]["role"] != "energy":
        wrong.append("its last axis is no energy")
    for key, value in facts.items():
        if key != "may_refuse" and not (image[key] == value if isinstance(value, str) else image[key] is not None and np.isclose(image[key], value)):
            wrong.append(f"{key} {image[key]} for {value}")
    out = folder / "read.hspy"
    done = subprocess.run([elver, "convert", str(path), str(out), "--dataset", image["id"], "--quiet"], capture_output=True, text=True)
    if done.returncode != 0:
        allowed = facts.get("may_refuse")
        return wrong + [done.stderr.strip()] if not allowed or allowed not in done.stderr else wrong + [None]
    with h5py.File(out) as file:
        values = next(iter(file["Experiments"].values()))["data"][...]
    if values.shape != data.shape or not np.array_equal(values, data.astype(values.dtype)) or np.dtype(values.dtype).kind != data.dtype.kind:
        wrong.append(f"values differ ({values.dtype} for {data.dtype})")
    return wrong


def main():
    if sys.argv[1:2] == ["--write"]:
        return write(Path(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elver")
    parser.add_argument("--python", action="append", help="an interpreter whose programs write (default: this one)")
    parser.add_argument("--keep", type=Path, help="leave the samples here")
    options = parser.parse_args()
    equal, wrong, refused = {}, 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder = options.keep or Path(place) / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        failed = sum(subprocess.run([python, __file__, "--write", str(folder)], env=os.environ | {"PYTHONWARNINGS": "ignore"}).returncode != 0
                     for python in options.python or [sys.executable])
        for described in sorted(folder.rglob("*.json")):
            path = described.with_suffix("")
            if not path.exists() or path.suffix == ".npy":
                continue
            program = json.loads(described.read_text())["program"]
            found = differences(options.elver, path, Path(place))
            if found == [None]:
                refused += 1
            elif found:
                wrong += 1
                print(f"{program}: {path.name}: " + "; ".join(str(f) for f in found))
            else:
                equal[program] = equal.get(program, 0) + 1
    print(f"written by others: {', '.join(f'{n} of {program}' for program, n in equal.items()) or 'none'} equal, {wrong} different, "
          f"{refused} refused for a filter that is not at hand")
    return 1 if wrong or failed else 0 if equal else 77


if __name__ == "__main__":
    sys.exit(main())
