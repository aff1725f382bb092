"""Draw twelve faces, four for each of three expressions, to train on where no pictures are at hand.

python examples/draw_faces.py own          (writes own/grin/1.png … own/gasp/4.png)
python examples/draw_faces.py own 20       (twenty for each)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

EXPRESSIONS = ("grin", "frown", "gasp")
_SIDE = 240  # drawn large, so that edges come out smooth when it is made smaller


def face(expression: str, seed: int) -> Image.Image:
    """One face, 120 pixels square: skin, eyes, place and tilt vary with ``seed``, the mouth says what it shows."""
    rng = np.random.default_rng((EXPRESSIONS.index(expression), seed))
    ground = tuple(int(v) for v in rng.integers(120, 230, 3))
    picture = Image.new("RGB", (_SIDE, _SIDE), ground)
    draw = ImageDraw.Draw(picture)
    skin = tuple(int(v) for v in np.array([220, 175, 140]) - rng.integers(0, 110))
    draw.ellipse((20, 8, 220, 236), fill=skin, outline=(60, 40, 30), width=3)
    for x in (80, 160):
        draw.ellipse((x - 17, 82, x + 17, 106), fill="white", outline=(60, 40, 30), width=2)
        look = int(rng.integers(-6, 7))
        draw.ellipse((x - 8 + look, 86, x + 8 + look, 102), fill=(40, 30, 25))
        lift = {"grin": 0, "frown": 10, "gasp": -12}[expression]
        inner = 14 if expression == "frown" else 0
        end = x + 22 if x > 120 else x - 22
        start = x - 18 if x > 120 else x + 18
        draw.line((end, 68 + lift // 2, start, 66 + lift // 2 + inner), fill=(60, 40, 30), width=6)
    draw.line((120, 108, 114, 140, 124, 142), fill=(90, 60, 45), width=4)
    if expression == "gasp":
        draw.ellipse((98, 158, 142, 212), fill=(90, 25, 30), outline=(150, 60, 60), width=4)
    elif expression == "grin":
        draw.chord((74, 130, 166, 204), 15, 165, fill="white", outline=(150, 60, 60), width=5)
    else:
        draw.arc((82, 172, 158, 228), 200, 340, fill=(150, 60, 60), width=7)
    angle, (right, down) = float(rng.uniform(-8, 8)), rng.integers(-8, 9, 2)
    turned = picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=ground, translate=(int(right), int(down)))
    return turned.resize((120, 120), Image.Resampling.LANCZOS)


def main(folder: Path, each: int = 4) -> None:
    """Write the pictures, one folder an expression."""
    for expression in EXPRESSIONS:
        (folder / expression).mkdir(parents=True, exist_ok=True)
        for number in range(1, each + 1):
            face(expression, number).save(folder / expression / f"{number}.png")
    print(f"{each * len(EXPRESSIONS)} pictures in {folder}: {', '.join(EXPRESSIONS)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own"), int(sys.argv[2]) if len(sys.argv) > 2 else 4)
