"""Fit the alignment template to RAF-DB's own aligned faces: prints the constant of ``tronie/faces/align.py``.

    python benchmarks/accuracy/fit_template.py PACK_OR_FOLDER

Medians over the faces of the train part in which the detector finds five points, made symmetric about the middle.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tronie.datasets.pictures import read_picture
from tronie.datasets.rafdb import read
from tronie.faces.align import TEMPLATE
from tronie.faces.detect import RetinaFace
from tronie.faces.whole import find_points

MIRROR = [1, 0, 2, 4, 3]


def main(root: Path) -> None:
    """Print the fitted template and how far the one in the code is from it."""
    manifest = read(root)
    manifest = manifest.select(manifest.split == "train")
    detector, found = RetinaFace(), []
    for row in range(len(manifest)):
        face = read_picture(manifest, row)
        points = find_points(face, detector)
        if points is not None:
            found.append(points / face.shape[0])
    middle = np.median(found, axis=0)
    other = np.stack([1 - middle[MIRROR, 0], middle[MIRROR, 1]], 1)
    fitted = (middle + other) / 2
    print(f"{len(found)} of {len(manifest)} faces found; spread (sd) {np.std(found, axis=0).mean():.4f} of the side")
    print("template", fitted.round(4).tolist())
    print(f"largest difference to the one in use: {np.abs(fitted - TEMPLATE).max():.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
