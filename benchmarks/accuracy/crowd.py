"""Compose a 1080p picture of 20 small faces, and count how many of them the detector finds, at what cost.

    python benchmarks/accuracy/crowd.py [--data FOLDER] [--faces london|rafdb] [--pictures 6] [--save OUT.png]

The faces are cut, when this runs, from data that stays outside the repository: the twelve portraits of
``samples/london_grid12.jpg`` with the head around them, each face 55 to 75 pixels wide; or RAF-DB's crops at 55 to 75
pixels, which end at the chin and are therefore harder than anything in a natural picture.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tronie.core.face import Face, Pixels
from tronie.faces.detect import RetinaFace
from tronie.video.image import read_image

WIDTH, HEIGHT, COLUMNS, ROWS = 1920, 1080, 5, 4
DATA = Path(os.environ.get("TRONIE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")

Box = tuple[int, int, int, int]
"""x, y, width, height"""


def london(data: Path) -> list[tuple[Pixels, float]]:
    """The twelve portraits, each with the width of its face in pixels."""
    grid = read_image(data / "samples" / "london_grid12.jpg")
    cells = [grid[r : r + 320, c : c + 320] for r in range(0, 960, 320) for c in range(0, 1280, 320)]
    return [(cell, 110.0) for cell in cells]


def rafdb(data: Path, count: int = 400) -> list[tuple[Pixels, float]]:
    """Some of RAF-DB's aligned crops; the crop counts as the face."""
    with np.load(data / "rafdb_train.npz") as pack:
        blob, offsets = pack["blob"], pack["offsets"]
    chosen = np.random.default_rng(0).choice(len(offsets) - 1, count, replace=False)
    return [(read_image(blob[offsets[i] : offsets[i + 1]].tobytes()), 100.0) for i in chosen]


def compose(people: list[tuple[Pixels, float]], seed: int) -> tuple[Pixels, list[Box]]:
    """A picture ``(1080, 1920, 3)`` of 20 people on a shaded ground, and where each of them is."""
    rng = np.random.default_rng(seed)
    shade = np.linspace(rng.integers(40, 200), rng.integers(40, 200), WIDTH)
    picture: Pixels = np.repeat(np.repeat(shade[None, :, None], HEIGHT, 0), 3, 2).astype(np.uint8)
    places: list[Box] = []
    for k in range(COLUMNS * ROWS):
        person, face = people[rng.integers(len(people))]
        scale = rng.integers(55, 76) / face
        small = cv2.resize(person, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        row, column = divmod(k, COLUMNS)
        x = int(column * WIDTH / COLUMNS + rng.integers(0, WIDTH // COLUMNS - width))
        y = int(row * HEIGHT / ROWS + rng.integers(0, HEIGHT // ROWS - height))
        picture[y : y + height, x : x + width] = small
        places.append((x, y, width, height))
    return picture, places


def found(faces: list[Face], places: list[Box]) -> tuple[int, int]:
    """How many people have a face whose middle lies on them, and how many faces lie on nobody."""
    middles = [(f.box[0] + f.box[2] / 2, f.box[1] + f.box[3] / 2) for f in faces]
    on = np.array([[x < mx < x + w and y < my < y + h for x, y, w, h in places] for mx, my in middles], bool)
    on = on.reshape(len(middles), len(places))
    return int(on.any(0).sum()), int((~on.any(1)).sum())


def main() -> None:
    """Read the arguments and print a line for each picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--faces", choices=["london", "rafdb"], default="london")
    parser.add_argument("--pictures", type=int, default=6)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    people = {"london": london, "rafdb": rafdb}[given.faces](given.data)
    detector = RetinaFace()
    detector.detect(compose(people, 0)[0])  # the first run of a graph at a new size takes longer
    for seed in range(given.pictures):
        picture, places = compose(people, seed)
        begin = time.process_time()
        faces = detector.detect(picture)
        middle = time.process_time()
        again = detector.near(picture, faces)
        end = time.process_time()
        hits, wrong = found(faces, places)
        print(
            f"picture {seed}: {hits} of {len(places)} found, {wrong} wrong, detect {1e3 * (middle - begin):.0f} CPU-ms,"
            f" near {len(again)} in {1e3 * (end - middle):.0f} CPU-ms"
        )
        if given.save:
            Image.fromarray(picture).save(given.save.with_stem(f"{given.save.stem}{seed}"))


if __name__ == "__main__":
    main()
