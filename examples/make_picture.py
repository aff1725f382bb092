"""Make the README's picture with Tronie's own verbs: frames of the sample film as annotated, and its plot below.

    python examples/make_picture.py docs/images/demo.png          (needs the extra 'plot')

Run it again when the model, the overlay or the plot changes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tronie.pipeline.annotate import annotate
from tronie.pipeline.plot import plot
from tronie.pipeline.predict import predict
from tronie.video.reader import VideoReader

NAMES = "track,name\n0,Eileen Collins\n1,Grace Hopper\n2,Eileen Collins\n3,Grace Hopper\n"
"""A cut starts new tracks; the names join them again."""
SHOWN = (1.0, 4.2, 7.2)
"""Seconds of the film that are shown: one in each shot."""


def main(out: Path) -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as scratch:
        film, names, drawn, curves = (
            Path(scratch) / name for name in ("portraits.mp4", "names.csv", "drawn.mp4", "curves.png")
        )
        names.write_text(NAMES, encoding="utf-8")
        subprocess.run([sys.executable, Path(__file__).with_name("make_film.py"), film], check=True)
        timeline = predict(film)
        annotate(film, drawn, timeline=timeline, names=names)
        plot(timeline, curves, names=names)
        with VideoReader(drawn) as reader:
            frames = [f.image for f in reader for t in SHOWN if f.time <= t < f.time + f.duration]
        below = np.asarray(Image.open(curves).convert("RGB"))
    above = np.hstack(frames)
    width = 1280
    rows = [
        cv2.resize(
            np.asarray(part, np.uint8),
            (width, round(part.shape[0] * width / part.shape[1])),
            interpolation=cv2.INTER_AREA,
        )
        for part in (above, below)
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack([np.asarray(row, np.uint8) for row in rows])).quantize(128).save(out, optimize=True)
    print(f"written: {out} ({out.stat().st_size // 1024} kB)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
