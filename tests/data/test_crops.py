"""Training crops are serving crops: the same aligner, the same template, nothing lost on the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tronie.core.errors import SourceError
from tronie.core.face import Face, Pixels
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.crops import cuts, prepare
from tronie.faces import align
from tronie.faces.detect import RetinaFace
from tronie.faces.whole import find_points
from tronie.video.image import read_image

LABELS = LabelSet(("happiness", "neutral"))
GREY = np.array([123, 117, 104])


def picture(side: int = 100, seed: int = 0) -> Pixels:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


class Planted:
    """Finds faces at places given as shares of the published picture, which it tells by the grey frame around it."""

    def __init__(self, *points: np.ndarray, scores: tuple[float, ...] = ()) -> None:
        self.points, self.scores, self.seen = points, scores or (0.9,) * len(points), []

    def detect(self, image: Pixels) -> list[Face]:
        self.seen.append(image.shape[:2])
        inside = np.argwhere((image != GREY).any(2))
        (y0, x0), x1 = inside.min(0), inside[:, 1].max() + 1
        faces = []
        for points, score in zip(self.points, self.scores, strict=True):
            at = (points * (x1 - x0) + (x0, y0)).astype(np.float32)
            low, high = at.min(0), at.max(0)
            faces.append(Face((*low, *(high - low)), score, at))
        return faces


def manifest(folder: Path, sides: list[int]) -> Manifest:
    for i, side in enumerate(sides):
        if side:
            Image.fromarray(picture(side, i)).save(folder / f"{i}.png")
        else:
            (folder / f"{i}.png").write_bytes(b"no picture")
    names = np.array([str(i) for i in range(len(sides))])
    return Manifest(names, np.char.add(names, ".png"), np.arange(len(sides)) % 2, LABELS, root=folder)


@pytest.mark.parametrize("side", [48, 100, 240])
def test_a_face_on_the_template_stays_as_it_is(side: int) -> None:
    pair, aligned = cuts(picture(side), Planted(align.TEMPLATE), 112)
    assert aligned and pair.shape == (2, 112, 112, 3) and pair.dtype == np.uint8
    edge = slice(4, -4)
    assert np.abs(pair[0, edge, edge].astype(int) - pair[1, edge, edge]).mean() < 4


def test_the_second_cut_is_the_aligners() -> None:
    face = picture(120)
    moved = ((align.TEMPLATE - 0.5) * 0.8 + 0.55).astype(np.float32)
    pair, aligned = cuts(face, Planted(moved), 64)
    points = find_points(face, Planted(moved))
    assert aligned and points is not None and points == pytest.approx(moved * 120, abs=0.6)
    assert np.array_equal(pair[1], align.crop(face, Face((0, 0, 120, 120), 1.0, points), 64))
    assert np.array_equal(pair[0], align.crop(face, Face((0, 0, 120, 120), 1.0), 64))


def test_small_pictures_are_looked_at_enlarged() -> None:
    detector = Planted(align.TEMPLATE)
    cuts(picture(48), detector, 112)
    assert detector.seen == [(180, 180)]  # 100 pixels and a border of 40 all around


@pytest.mark.parametrize(
    "points",
    [
        (align.TEMPLATE - 0.5) * 0.3 + 0.5,  # a third of the size: somebody in the background
        1 - align.TEMPLATE,  # upside down
        np.tile([[0.5, 0.5]], (5, 1)).astype(np.float32),  # one place
    ],
)
def test_what_lies_unlike_a_face_is_not_believed(points: np.ndarray) -> None:
    pair, aligned = cuts(picture(), Planted(points), 48)
    assert not aligned and np.array_equal(pair[0], pair[1])


def test_of_several_faces_the_central_one_is_taken() -> None:
    corner = ((align.TEMPLATE - 0.5) * 0.5 + 0.2).astype(np.float32)
    points = find_points(picture(), Planted(corner, align.TEMPLATE, scores=(0.95, 0.8)))
    assert points == pytest.approx(align.TEMPLATE * 100, abs=0.6)
    assert find_points(picture(), Planted()) is None


def test_a_prepared_folder_holds_every_picture_that_could_be_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    told: list[tuple[int, int]] = []
    made = prepare(
        manifest(tmp_path / "in", [100, 0, 48, 60]),
        tmp_path / "out",
        Planted(align.TEMPLATE),
        size=32,
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert (made.rows, made.aligned, made.missed) == (3, 3, ())
    assert [i for i, _ in made.unread] == ["1"] and "1.png" in made.unread[0][1]
    faces, kept = np.load(tmp_path / "out" / "faces.npy"), Manifest.load(tmp_path / "out" / "manifest.csv")
    assert faces.shape == (3, 2, 32, 32, 3) and kept.id.tolist() == ["0", "2", "3"] and kept.label.tolist() == [0, 0, 1]
    for place, (i, side) in enumerate([(0, 100), (2, 48), (3, 60)]):
        assert np.array_equal(faces[place], cuts(picture(side, i), Planted(align.TEMPLATE), 32)[0])
    assert told[-1][0] == 4 and told[-1][1] == 4
    note = json.loads((tmp_path / "out" / "prepared.json").read_text())
    assert note["size"] == 32 and note["unread"][0][0] == "1" and len(note["template"]) == 5


def test_faces_that_are_not_found_are_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    made = prepare(manifest(tmp_path / "in", [100, 48]), tmp_path / "out", Planted(), size=32)
    assert made.aligned == 0 and made.missed == ("0", "1")


def test_nothing_readable_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(SourceError, match="None of the 2 pictures"):
        prepare(manifest(tmp_path / "in", [0, 0]), tmp_path / "out", Planted(), size=32)
    assert not list((tmp_path / "out").glob("*"))


def test_an_older_manifest_never_meets_newer_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    first = manifest(tmp_path / "in", [40, 40])
    prepare(first, tmp_path / "out", Planted(), size=32)

    def killed(self: Manifest, path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Manifest, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(first.select([1, 0]), tmp_path / "out", Planted(), size=32)
    assert not (tmp_path / "out" / "manifest.csv").exists()


@pytest.mark.parametrize("name", ["astronaut.jpg", "grace_hopper.jpg"])
def test_a_cropped_portrait_is_aligned_as_the_chain_aligns_the_photo(samples: Path, name: str) -> None:
    """Cut a face out loosely, prepare it, and compare with what the chain cuts from the whole photo."""
    photo, detector = read_image(samples / name), RetinaFace()
    whole = max(detector.detect(photo), key=lambda face: face.size)
    x, y, w, h = whole.box
    side, middle = int(1.25 * max(w, h)), (int(x + w / 2), int(y + h / 2))
    left, top = max(middle[0] - side // 2, 0), max(middle[1] - side // 2, 0)
    published = np.ascontiguousarray(photo[top : top + side, left : left + side])
    points = find_points(published, detector)
    assert points is not None and whole.points is not None and cuts(published, detector, 112)[1]
    apart = np.hypot(*(points + np.array([left, top]) - whole.points).T)
    assert apart.max() < 0.04 * whole.size  # found twice, in two pictures
