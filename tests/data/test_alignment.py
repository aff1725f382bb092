"""Where faces lie against the template: closed forms on points, and the real detector on a real face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tronie.core.face import Face, Floats, Pixels
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.alignment import Alignment, alignment, measured
from tronie.faces.align import TEMPLATE, crop
from tronie.faces.detect import RetinaFace
from tronie.video.image import read_image

SAMPLES = Path(__file__).parents[2] / "examples"


def moved(zoom: float = 1.0, degrees: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """The template in a picture ``zoom`` times as wide, turned about the middle of its points, moved."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    middle = TEMPLATE.mean(0)
    return np.asarray((TEMPLATE - middle) @ turn.T / zoom + middle + np.array(shift), np.float32)


def test_the_template_itself_is_aligned() -> None:
    found = measured(np.stack([TEMPLATE] * 3), looked=3)
    assert found.off == 0 and found.zoom == pytest.approx(1) and found.stray == 0 and found.aligned
    assert found.finding(True).fine and "aligned as the models expect." in found.finding(True).text


@pytest.mark.parametrize(
    ("face", "word"),
    [
        (moved(zoom=1.5), "1.50 times as wide"),
        (moved(degrees=25), "tilted by 25 degrees"),
        (moved(degrees=-25), "tilted by 25 degrees"),
        (moved(shift=(0.1, 0)), "further right by 0.10"),
        (moved(shift=(0, -0.12)), "higher by 0.12"),
        (moved(shift=(-0.07, 0.08)), "left by 0.07 of the side, lower"),
    ],
)
def test_what_is_off_is_named(face: Floats, word: str) -> None:
    found = measured(np.stack([face] * 4), looked=4)
    assert found.aligned is False and word in found.finding(False).text
    assert found.finding(False).fine and "`tronie prepare` aligns them" in found.finding(False).text
    assert not found.finding(True).fine and "are these the aligned pictures?" in found.finding(True).text


def test_figures_are_medians_and_strays_are_counted() -> None:
    """Oracle: point by point, face by face."""
    rng = np.random.default_rng(0)
    faces = np.stack([moved(1 + 0.02 * i) + rng.normal(0, 0.01, (5, 2)) for i in range(8)] + [moved(2.0)] * 2)
    off = [float(np.mean([np.hypot(*(face[p] - TEMPLATE[p])) for p in range(5)])) for face in faces]
    found = measured(faces.astype(np.float32), looked=11)
    assert found.off == pytest.approx(np.median(off), abs=1e-6) and found.looked == 11 and found.found == 10
    assert found.stray == pytest.approx(np.mean([o > 0.12 for o in off])) and 0.2 <= found.stray < 1
    assert "20% lie far off" in found.finding(True).text


def test_too_few_faces_say_nothing_of_alignment() -> None:
    few = Alignment(looked=10, found=4)
    assert few.aligned is None and few.finding(False).fine and not few.finding(True).fine
    assert "in 4 of 10 pictures" in few.finding(True).text


class Blind:
    def detect(self, image: Pixels) -> list[Face]:
        return []


def pictures(folder: Path, images: list[Pixels]) -> Manifest:
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / f"{i}.png"), image[:, :, ::-1])
    n = len(images)
    return Manifest(
        np.array([f"{i}" for i in range(n)]),
        np.array([f"{i}.png" for i in range(n)]),
        np.zeros(n, np.int64),
        LabelSet(("neutral",)),
        root=folder,
    )


@pytest.fixture(scope="module")
def portrait() -> tuple[Pixels, Face]:
    image = read_image(next(SAMPLES.rglob("astronaut.*")))
    return image, RetinaFace().detect(image)[0]


def test_a_real_face_cut_by_the_aligner_is_aligned_and_a_looser_cut_is_not(
    portrait: tuple[Pixels, Face], tmp_path: Path
) -> None:
    image, face = portrait
    told: list[tuple[int, int]] = []
    (tmp_path / "near").mkdir()
    cut = pictures(tmp_path / "near", [crop(image, face, 112)] * 3)
    near = alignment(cut, progress=lambda done, total: told.append((done, total)))
    assert near.aligned and near.found == 3 and near.zoom == pytest.approx(1, abs=0.1) and told[-1] == (3, 3)
    x, y, w, h = face.box
    loose = image[max(int(y - 0.5 * h), 0) : int(y + 1.5 * h), max(int(x - 0.5 * w), 0) : int(x + 1.5 * w)]
    (tmp_path / "loose").mkdir()
    far = alignment(pictures(tmp_path / "loose", [loose]))
    assert far.aligned is False and far.zoom > 1.3 and "times as wide" in far.finding(True).text


def test_pictures_without_faces_or_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    manifest = pictures(tmp_path, [np.full((40, 40, 3), 90, np.uint8)] * 5)
    (tmp_path / "2.png").write_bytes(b"no picture")
    found = alignment(manifest, Blind())
    assert (found.looked, found.found) == (4, 0) and found.aligned is None
    assert alignment(manifest, Blind(), most=2).looked == 2
