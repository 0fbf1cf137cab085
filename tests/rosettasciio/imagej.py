#!/usr/bin/env python3
"""Opens elver's maps as TIFF in ImageJ (whose core is Fiji's) and compares size, pixel size, unit, origin and every value.

    imagej.py ELVER [--jar IJ.JAR]

Needs ImageJ's jar (Debian: package imagej), a JDK of version 11 or newer, h5py and numpy. Maps are made of the sample phantom
with other axes and some empty pixels, which are NaN in the maps. Exit code: 0 all equal, 1 a difference, 77 no ImageJ.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"ImageJ: skipped, {error}")
    sys.exit(77)

SOURCE = Path(__file__).resolve().parents[2]
# Per case: rows' and columns' scale, offset and unit; what ImageJ should say: height, width, unit.
CASES = {
    "as it is": ((2, 0, "nm"), (2, 0, "nm"), (2, 2, "nm")),
    "rows and columns of different size": ((0.8, 0, "nm"), (0.5, 0, "nm"), (0.8, 0.5, "nm")),
    "µm, with an origin": ((0.002, 1.5, "µm"), (0.002, -3.25, "µm"), (0.002, 0.002, "µm")),
    "um": ((0.002, 0, "um"), (0.002, 0, "um"), (0.002, 0.002, "µm")),
    "1/nm": ((0.01, 0, "1/nm"), (0.01, 0, "1/nm"), (0.01, 0.01, "1/nm")),
    "a backslash": ((2, 0, "n\\m"), (2, 0, "n\\m"), (2, 2, "n\\m")),
    "Greek mu": ((0.002, 0, "μm"), (0.002, 0, "μm"), (0.002, 0.002, "µm")),
    "two units": ((0.002, 0, "µm"), (3, 0, "nm"), (2, 3, "nm")),
    "metres": ((2e-9, 0, "m"), (2e-9, 0, "m"), (2, 2, "nm")),
    "Å": ((20, 0, "Å"), (20, 0, "Å"), (20, 20, "Å")),
    "no scale": ((1, 0, ""), (1, 0, ""), (1, 1, "pixel")),
    "no unit": ((0.25, 0, ""), (0.5, 0, ""), (0.25, 0.5, "pixel")),
    "rows of no unit": ((1, 0, ""), (2, 0, "nm"), (1, 2, "pixel")),
    "backwards": ((-2, 40, "nm"), (2, 0, "nm"), (2, 2, "nm")),
    "a third": ((1 / 3, 0, "nm"), (0.123456789, 0, "nm"), (1 / 3, 0.123456789, "nm")),
}
SHOW = """
import ij.*; import ij.io.*; import ij.measure.*; import ij.process.*; import java.io.*;
public class Show { public static void main(String[] names) throws Exception {
  PrintStream out = new PrintStream(System.out, true, "UTF-8");
  out.println("ImageJ " + IJ.getVersion());
  for (String name : names) {
    ImagePlus image = new Opener().openImage(name);
    if (image == null) { out.println("not opened"); continue; }
    Calibration c = image.getCalibration();
    out.println(image.getWidth() + "\\t" + image.getHeight() + "\\t" + image.getStackSize() + "\\t" + c.pixelWidth + "\\t" + c.pixelHeight + "\\t" + c.getUnit() + "\\t" + c.xOrigin + "\\t" + c.yOrigin);
    DataOutputStream values = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(name + ".values")));
    ImageProcessor pixels = image.getProcessor();
    for (int i = 0; i < pixels.getPixelCount(); i++) values.writeFloat(pixels.getf(i));
    values.close();
  }
} }
"""


def made(path, rows, columns):
    shutil.copy(SOURCE / "samples/phantom.hspy", path)
    with h5py.File(path, "r+") as file:
        group = next(iter(file["Experiments"].values()))
        group["data"][:2, :3] = 0
        for name, (scale, offset, unit) in (("axis-0", rows), ("axis-1", columns)):
            group[name].attrs.update({"scale": float(scale), "offset": float(offset), "units": unit})


def differences(said, values, image, rows, columns, expected):
    wrong = []
    height, width, unit = expected
    shown = said.split("\t")
    if len(shown) != 8:
        return [said]
    if [int(n) for n in shown[:3]] != [image.shape[1], image.shape[0], 1]:
        wrong.append(f"{shown[:3]} pixels")
    for name, it, its in (("width", shown[3], width), ("height", shown[4], height)):
        if not np.isclose(float(it), its, rtol=1e-5):
            wrong.append(f"a pixel's {name} is {it}, not {its}")
    if shown[5] != unit:
        wrong.append(f"its unit is '{shown[5]}', not '{unit}'")
    for name, it, (scale, offset, _) in (("x", shown[6], columns), ("y", shown[7], rows)):
        if scale > 0 and not np.isclose(float(it), -offset / scale, rtol=1e-5):
            wrong.append(f"its {name} origin is {it}, not {-offset / scale}")
    if not np.array_equal(values.reshape(image.shape), image.astype("f4"), equal_nan=True):
        wrong.append("values differ")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elver")
    parser.add_argument("--jar", default=os.environ.get("IMAGEJ_JAR", "/usr/share/java/ij.jar"), help="(or IMAGEJ_JAR)")
    options = parser.parse_args()
    for there, what in ((Path(options.jar).exists(), f"no {options.jar}"), (shutil.which("javac"), "no Java compiler")):
        if not there:
            print(f"ImageJ: skipped, {what}")
            return 77
    equal = wrong = nan = 0
    version = ""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "Show.java").write_text(SHOW)
        subprocess.run(["javac", "-proc:none", "-cp", options.jar, "-d", place, str(folder / "Show.java")], check=True, stderr=subprocess.DEVNULL)
        for number, (case, (rows, columns, expected)) in enumerate(CASES.items()):
            made(folder / "image.hspy", rows, columns)
            out = folder / f"maps-{number}"
            subprocess.run([options.elver, "map", str(folder / "image.hspy"), "--model", str(SOURCE / "samples/nmc.elver"), "--out", str(out),
                            "--pictures", "none", "--format", "hspy,tiff", "--quiet"], check=True)
            files = sorted(out.glob("*.tif"))
            shown = subprocess.run(["java", "-Djava.awt.headless=true", "-cp", f"{options.jar}:{place}", "Show", *map(str, files)], check=True, capture_output=True)
            version, *lines = shown.stdout.decode("utf-8").splitlines()
            with h5py.File(out / "maps.hspy") as file:
                maps = {group["metadata/General"].attrs["title"]: group["data"][...] for group in file["Experiments"].values()}
            if sorted(maps) != sorted(f.stem for f in files) or len(lines) != len(files):
                wrong += 1
                print(f"ImageJ, {case}: {len(lines)} of {len(maps)} maps")
            for path, said in zip(files, lines):
                values = np.fromfile(f"{path}.values", ">f4") if Path(f"{path}.values").exists() else np.zeros(0)
                nan += int(np.isnan(values).sum())
                found = differences(said, values, maps[path.stem], rows, columns, expected)
                if found:
                    wrong += 1
                    print(f"ImageJ, {case}: {path.name}: " + "; ".join(found))
                else:
                    equal += 1
    print(f"opened by {version or 'ImageJ'}: {equal} maps equal ({nan} values of them NaN), {wrong} different")
    return 1 if wrong or not nan else 0


if __name__ == "__main__":
    sys.exit(main())
