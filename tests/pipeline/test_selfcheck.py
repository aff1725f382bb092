"""Does a self-check count what really changed? Models whose steadiness is known tell."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tronie.cli import main
from tronie.core.errors import OutputError, SettingError, SourceError
from tronie.core.face import Face, Pixels
from tronie.core.labels import LabelSet
from tronie.pipeline.selfcheck import save_selfcheck, selfcheck, selfcheck_text, table
from tronie.video.variations import FILMS, PICTURES
from tronie.video.write import VideoWriter


class Middle:
    """A detector that always finds the middle half of the picture."""

    def detect(self, image: Pixels) -> list[Face]:
        h, w = image.shape[:2]
        return [Face((w / 4, h / 4, w / 2, h / 2), 0.95, None)]

    def near(self, image: Pixels, faces: list[Face]) -> list[Face]:
        return self.detect(image)


class Scripted:
    """A model of two labels that answers picture by picture as told; a photo is read twice, with its mirror image."""

    name, hash, labels, size = "scripted", "0" * 12, LabelSet(("happiness", "neutral")), 32

    def __init__(self, *answers: int) -> None:
        self.answers = [a for a in answers for _ in range(2)]

    def predict(self, crops: Pixels, /) -> np.ndarray:
        p = np.full((len(crops), 2), 0.1, np.float32)
        p[:, self.answers.pop(0)] = 0.9
        return p


class Brightness(Scripted):
    """Bright is happy."""

    def predict(self, crops: Pixels, /) -> np.ndarray:
        bright = crops.reshape(len(crops), -1).mean(1) > 127
        return np.where(bright[:, None], [[0.95, 0.05]], [[0.05, 0.95]]).astype(np.float32)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "squares.png"
    squares = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(squares.repeat(20, 0).repeat(20, 1)).save(path)
    return path


def test_one_variation_that_changes_the_label_is_the_one_reported(photo: Path) -> None:
    scripted = Scripted(0, *(int(name == "mirrored") for name in PICTURES))
    checked = selfcheck(photo, model=scripted, detector=Middle())
    held = {row.variation: row.steadiness.held for row in checked.rows}
    assert held == {name: float(name != "mirrored") for name in PICTURES}
    (changed,) = checked.changed
    assert (changed.variation, changed.before, changed.after, changed.track) == ("mirrored", "happiness", "neutral", 0)
    assert checked.total("image").held == pytest.approx(1 - 1 / len(PICTURES))
    assert table(checked, "image")[-1][1:3] == (str(len(PICTURES)), "90.0%")
    assert "worst changes:" in selfcheck_text(checked) and "seconds" not in selfcheck_text(checked)


@pytest.mark.slow
def test_a_film_of_two_expressions_keeps_them_and_a_forgetful_model_does_not(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    squares = np.random.default_rng(0).integers(-40, 40, (12, 16, 3)).repeat(10, 0).repeat(10, 1)
    with VideoWriter(path) as writer:
        for i in range(60):
            writer.write((squares + (60 if i < 30 else 190)).astype(np.uint8), i / 15)
    checked = selfcheck([path], model=Brightness(), detector=Middle())
    assert [row.variation for row in checked.rows] == list(FILMS) and not checked.changed
    for row in checked.rows:
        assert row.steadiness.held == 1 and row.steadiness.lost == row.steadiness.extra == 0
        start = 16 / 15 if row.variation == "start cut off" else 0.0  # 1.37 s would be more than a quarter
        assert row.steadiness.all == pytest.approx(4.0 - start, abs=0.1)

    class Forgetful(Brightness):  # from the second film on everything is neutral
        films = 0

        def predict(self, crops: Pixels, /) -> np.ndarray:
            return super().predict(crops if self.films == 0 else crops // 4)

    model, reports = Forgetful(), []
    original = FILMS["half frame rate"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FILMS, "half frame rate", lambda *a: setattr(model, "films", 1) or original(*a))
        checked = selfcheck(path, model=model, detector=Middle(), report=reports.append)
    assert checked.total("video", "half frame rate").held == pytest.approx(0.5, abs=0.05)
    assert (checked.changed[0].before, checked.changed[0].after) == ("happiness", "neutral")
    assert checked.changed[0].end == pytest.approx(4.0, abs=0.01)
    assert [r.source for r in reports] == [path.as_posix()]


def test_what_cannot_be_read_is_told_and_the_rest_is_done(photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff nothing")
    checked = selfcheck([broken, photo], model=Scripted(*[0] * 20), detector=Middle())
    assert len(checked.rows) == len(PICTURES) and "broken.jpg" in checked.warnings[0]
    with pytest.raises(SourceError, match=r"broken\.jpg"):
        selfcheck(broken, model=Scripted(), detector=Middle())
    stopped = selfcheck([broken, photo], model=Scripted(), detector=Middle(), stop=lambda: True)
    assert not stopped.rows and "Stopped" in stopped.warnings[0]
    assert selfcheck_text(stopped) == "No face was found: there is nothing to check."


def test_the_files_hold_every_share(photo: Path, tmp_path: Path) -> None:
    checked = selfcheck(photo, model=Scripted(0, *[1] * 10), detector=Middle())
    document = json.loads(save_selfcheck(checked, tmp_path / "c.json").read_text())
    assert document["totals"]["image"]["held"] == 0 and len(document["changed"]) == len(document["rows"]) == 10
    with save_selfcheck(checked, tmp_path / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["variation"] for row in rows] == list(PICTURES) and rows[0]["same"] == "0.0"
    with pytest.raises(SettingError, match=r"\.json or \.csv"):
        save_selfcheck(checked, tmp_path / "c.txt")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        save_selfcheck(checked, tmp_path / "file" / "c.json")


def test_the_command_on_a_real_portrait(samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "steady.json"
    assert main(["selfcheck", str(samples / "astronaut.jpg"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "mirrored" in printed and "all" in printed
    document = json.loads(out.read_text())
    assert document["totals"]["image"]["held"] >= 0.9
    assert document["model"] == "static-2" and len(document["model_hash"]) == 12  # a share is a share of one model
    assert main(["selfcheck", str(tmp_path / "nothing.jpg")]) == SourceError.exit_code
