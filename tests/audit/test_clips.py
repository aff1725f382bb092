"""Clips in an audit: which parts are looked at, what is kept, and that wrong labels are found. All without PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tronie.audit.audit import audit
from tronie.audit.clips import SEEN, clip_components, spans, sparse
from tronie.audit.pictures import key_frames, picture
from tronie.audit.rows import find_flaws
from tronie.cli import main
from tronie.clips.points import IBUG68_MIRROR
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.prepared import Opened

FRAMES = 20


def clips(n: int = 40) -> Opened:
    """Clips of 20 frames whose features say the label."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    means = 3 * np.eye(2)[np.repeat(label, FRAMES)] @ rng.normal(size=(2, 12))
    frames = means + rng.normal(size=(FRAMES * n, 12)) * 0.5
    manifest = Manifest(
        id=np.array([f"c{i}" for i in range(n)]),
        path=np.array([f"frames.npy::{i}" for i in range(n)]),
        label=label,
        labels=LabelSet(("a", "b")),
    )
    return Opened(manifest, frames.astype(np.float16), np.arange(n + 1) * FRAMES, "features")


def tracks(n: int = 80) -> Opened:
    """Clips of 68 points in which the mouth's corners rise, or fall, while the head turns and moves."""
    rng = np.random.default_rng(1)
    face = rng.uniform(-1, 1, (68, 2))
    label = np.arange(n) % 2
    time = np.linspace(0, 1, FRAMES)[:, None, None]
    found = []
    for sign in (2 * label - 1).tolist():
        move = np.zeros((1, 68, 2))
        move[0, [48, 54], 1] = -0.3 * sign
        angle = rng.normal(0, 0.2) * time[..., 0]
        turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(FRAMES, 2, 2)
        points = (face + time * move + rng.normal(0, 0.02, (FRAMES, 68, 2))) @ turn.transpose(0, 2, 1)
        found.append(points + rng.normal(0, 0.1, 2))
    return replace(clips(n), faces=np.concatenate(found).astype(np.float32), kind="points", mirror=IBUG68_MIRROR)


def written(opened: Opened, folder: Path, wrong: list[int]) -> Path:
    """The clips as a prepared folder, with some labels changed."""
    folder.mkdir()
    np.save(folder / "frames.npy", opened.faces)
    np.save(folder / "starts.npy", opened.starts)
    label = opened.manifest.label.copy()
    label[wrong] = 1 - label[wrong]
    replace(opened.manifest, label=label, root=folder).save(folder / "manifest.csv")
    note = {"kind": opened.kind, "mirror": None if opened.mirror is None else opened.mirror.tolist()}
    (folder / "prepared.json").write_text(json.dumps(note))
    return folder


def test_clips_of_features_are_looked_at_in_random_parts(tmp_path: Path) -> None:
    opened = clips()
    x = clip_components(opened, tmp_path, views=3, seed=1)
    assert x.shape[:2] == (3, 40) and x.shape[2] <= 24
    assert not np.allclose(x[0], x[1]) and not np.allclose(x[1], x[2])
    np.testing.assert_array_equal(clip_components(opened, tmp_path, views=3, seed=1), x)
    kept = (tmp_path / "view-0.npy").stat().st_mtime_ns
    changed = replace(opened, faces=opened.faces + np.float16(1))
    clip_components(changed, tmp_path, views=3, seed=1)
    assert (tmp_path / "view-0.npy").stat().st_mtime_ns != kept, "features of other data are not used"


def test_spans_say_which_part_each_look_saw() -> None:
    found = spans(clips(), 4, seed=2)
    assert (found[0] == [0, 1]).all()
    assert ((found[1:, :, 1] - found[1:, :, 0]) >= 0.5 - 1e-9).all() and (found >= 0).all() and (found <= 1).all()
    assert (spans(tracks(), 4, seed=2)[1] == [0, 1]).all(), "the mirror image of the whole"
    assert sparse(np.array([0, 5, 45])).tolist() == [0, 5, 5 + SEEN]


@pytest.mark.parametrize("make", [clips, tracks])
def test_an_audit_of_clips_finds_their_wrong_labels_without_pytorch(make: object, tmp_path: Path) -> None:
    folder = written(make(80), tmp_path / "data", [3, 10])  # type: ignore[operator]
    code = (
        "import sys; from tronie.audit.audit import audit\n"
        f"found = audit({str(folder)!r}, out={str(tmp_path / 'out')!r}, folds=4, proof=0)\n"
        "print(sorted(found.manifest.id[found.rows[found.order[:2]]].tolist()))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['c10', 'c3']"
    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert 'class="strip"' in page and ("data:image/jpeg" in page) == (make is tracks)
    with pytest.raises(SettingError, match="leave it out"):
        audit(folder, out=tmp_path / "out", features=tmp_path)


def test_people_stay_together_in_folds(tmp_path: Path) -> None:
    opened = clips(40)
    opened = replace(opened, manifest=replace(opened.manifest, subject=np.array([f"p{i // 4}" for i in range(40)])))
    found = audit(written(opened, tmp_path / "data", []), out=tmp_path / "out", folds=4, proof=0)
    assert all(len(set(found.fold[i : i + 4])) == 1 for i in range(0, 40, 4))


def test_the_same_clip_twice_is_a_duplicate_and_dark_clips_are_unusable() -> None:
    opened = clips(4)
    faces = opened.faces.copy()
    faces[FRAMES : 2 * FRAMES] = faces[:FRAMES]
    assert find_flaws(opened.manifest, replace(opened, faces=faces), set()).duplicate_of.tolist() == [-1, 0, -1, -1]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4 * FRAMES, 8, 8, 3)).repeat(6, 1).repeat(6, 2).astype(np.uint8)
    pixels[2 * FRAMES : 3 * FRAMES] = pixels[:FRAMES] // 2 + 60
    pixels[3 * FRAMES :] = 30
    flaws = find_flaws(opened.manifest, replace(opened, faces=pixels, kind="pixels"), set())
    assert flaws.duplicate_of.tolist() == [-1, -1, 0, -1] and flaws.dark.tolist() == [False, False, False, True]


def test_key_frames_differ_and_come_in_order() -> None:
    frames = np.repeat([[0.0, 0], [9, 0], [0, 9], [9, 9], [5, 5]], 10, axis=0)
    assert key_frames(frames).tolist() == sorted(key_frames(frames).tolist())
    assert {i // 10 for i in key_frames(frames).tolist()} == set(range(5))
    assert key_frames(frames[:2]).tolist() == [0, 0, 0, 1, 1]


def test_contact_sheets_show_the_clip_and_the_part_that_differs() -> None:
    def size(opened: Opened, apart: np.ndarray | None) -> tuple[int, ...]:
        shape: tuple[int, ...] = cv2.imdecode(np.frombuffer(picture(opened, 1, apart), np.uint8), 1).shape
        return shape

    shown = tracks(4)
    assert size(shown, None) == (72, 360, 3) and size(shown, np.array([0.2, 0.7])) == (144, 360, 3)
    pixels = replace(shown, faces=np.zeros((80, 48, 48, 3), np.uint8), kind="pixels")
    assert size(pixels, None) == (72, 360, 3) and size(pixels, np.array([0.99, 1.0])) == (144, 360, 3)
    assert picture(clips(4), 0) == b""


def test_looks_that_read_nothing_call_nothing_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = clips(60)
    blank = np.random.default_rng(5).normal(size=opened.faces.shape).astype(np.float16)
    folder = written(replace(opened, faces=blank), tmp_path / "data", [])
    assert main(["audit", str(folder), "--out", str(tmp_path / "out"), "--proof", "0"]) == 0
    assert "hardly name the labels better than guessing" in capsys.readouterr().err
    figures = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert figures["weak"] and figures["verdicts"]["wrong"] == 0
    assert (tmp_path / "out" / "changes.csv").read_text(encoding="utf-8").count("\n") == 1
