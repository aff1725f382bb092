"""Raw clips to aligned crops: the right person, the right frames, nothing lost by an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tronie.core.errors import OutputError, SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.clip_crops import ClipSettings, PreparedClips, follow, prepare_clips
from tronie.data.clip_store import ClipStore
from tronie.faces import align
from tronie.faces.detect import RetinaFace
from tronie.faces.whole import WholePicture
from tronie.video.reader import VideoReader

LABELS = LabelSet(("happiness", "sadness"))
SMALL = ClipSettings(size=32)


def manifest_of(root: Path, *paths: str) -> Manifest:
    names = np.array([f"set/{Path(p).stem}" for p in paths])
    return Manifest(names, np.array(paths), np.arange(len(paths)) % 2, LABELS, root=root)


class Stopped(BaseException):
    """As ctrl-C would."""


class Detectors:
    """Finds the planted squares of whichever film a frame comes from: its first pixel's blue says which.

    ``stop``: the look with which it stops, once.
    """

    def __init__(self, planted: ModuleType, films: list) -> None:
        self.each, self.looks, self.stop = [planted.Detector(film) for film in films], 0, -1

    def of(self, image):
        self.looks += 1
        if self.looks == self.stop:
            raise Stopped
        return self.each[int(image[0, 0, 2])]

    def detect(self, image):
        return self.of(image).detect(image)

    def near(self, image, faces):
        return self.of(image).near(image, faces)


@pytest.fixture
def films(planted: ModuleType) -> list:
    """On the left for 10 of 20 frames; both, the right one throughout; nobody; on the left for 3 of 12."""
    return [
        planted.two_people("h" * 10 + "." * 10),
        planted.two_people("h" * 6, "s" * 15),
        [[]] * 5,
        planted.two_people("n" * 3 + "." * 9),
    ]


@pytest.fixture
def root(films: list, planted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The films ``0.mkv`` … ``3.mkv``, the second once more as a folder of frames, and a file that is no film."""
    folder = tmp_path / "raw"
    (folder / "frames").mkdir(parents=True)
    plain = planted.paint
    for number, film in enumerate(films):

        def paint(faces, index, number=number):
            image = plain(faces, index)
            image[0, 0, 2] = number
            return image

        monkeypatch.setattr(planted, "paint", paint)
        planted.write_film(folder / f"{number}.mkv", film)
        if number == 1:
            for i, faces in enumerate(film):
                Image.fromarray(paint(faces, i)).save(folder / "frames" / f"{i}.png")
    (folder / "broken.mkv").write_bytes(b"no film")
    return folder


@pytest.fixture
def cut(films: list, planted: ModuleType, root: Path, tmp_path: Path) -> Callable[..., PreparedClips]:
    def run(*paths: str, out: str = "out", settings: ClipSettings = SMALL, detector=None, **more) -> PreparedClips:
        detector = detector or Detectors(planted, films)
        return prepare_clips(manifest_of(root, *paths), tmp_path / out, detector, settings, **more)

    return run


def parts(folder: Path) -> tuple[list[np.ndarray], Manifest]:
    """The clips of a prepared folder, and its manifest."""
    frames, starts = np.load(folder / "frames.npy", mmap_mode="r"), np.load(folder / "starts.npy")
    manifest = Manifest.load(folder / "manifest.csv", folder)
    assert starts[0] == 0 and starts[-1] == len(frames) and len(starts) == len(manifest) + 1
    assert manifest.path.tolist() == [f"frames.npy::{i}" for i in range(len(manifest))]
    return [frames[a:b] for a, b in pairwise(starts)], manifest


def by_hand(film: Path, faces: list, size: int = 32) -> np.ndarray:
    """Crops of one planted face per frame (None: not there), by a plain loop."""
    found = []
    with VideoReader(film) as reader:
        for frame, face in zip(reader, faces, strict=True):
            if face is not None:
                found.append(align.crop(frame.image, face, size))
    return np.stack(found)


def test_the_person_seen_most_is_cut_out_of_every_frame_that_shows_them(
    cut: Callable[..., PreparedClips], films: list, planted: ModuleType, root: Path
) -> None:
    made = cut("0.mkv", "1.mkv")
    clips, manifest = parts(made.folder)
    assert (made.rows, made.frames, made.unread, manifest.label.tolist()) == (2, 25, (), [0, 1])
    detectors = [planted.Detector(film) for film in films]
    for number, right in ((0, 0), (1, 1)):
        with VideoReader(root / f"{number}.mkv") as reader:
            seen = [detectors[number].detect(frame.image) for frame in reader]
        faces = [next((f for f in fs if (f.box[0] > 100) == right), None) for fs in seen]
        np.testing.assert_array_equal(clips[number], by_hand(root / f"{number}.mkv", faces))


def test_a_folder_of_frames_gives_what_its_film_gives(cut: Callable[..., PreparedClips]) -> None:
    clips, manifest = parts(cut("1.mkv", "frames").folder)
    np.testing.assert_array_equal(clips[0], clips[1])
    assert manifest.id.tolist() == ["set/1", "set/frames"]


def test_what_is_left_out_is_named_with_its_reason(cut: Callable[..., PreparedClips]) -> None:
    made = cut("broken.mkv", "2.mkv", "3.mkv", "missing.mkv")
    clips, manifest = parts(made.folder)
    assert manifest.id.tolist() == ["set/3"] and len(clips[0]) == 3 and made.thin == ("set/3",)
    reasons = dict(made.unread)
    assert list(reasons) == ["set/broken", "set/2", "set/missing"]
    assert "shows no face in 5 frames" in reasons["set/2"] and "missing.mkv" in reasons["set/missing"]
    note = json.loads((made.folder / "prepared.json").read_text())
    assert note["kind"] == "pixels" and [i for i, _ in note["unread"]] == list(reasons) and note["thin"] == ["set/3"]


def test_frames_and_fps_thin_a_clip(cut: Callable[..., PreparedClips]) -> None:
    whole, _ = parts(cut("1.mkv").folder)
    few, _ = parts(cut("1.mkv", out="few", settings=ClipSettings(size=32, frames=4)).folder)
    np.testing.assert_array_equal(few[0], whole[0][[0, 3, 7, 11]])
    for path in ("1.mkv", "frames"):
        slow, _ = parts(cut(path, out=f"slow{path}", settings=ClipSettings(size=32, fps=10, rate=30)).folder)
        np.testing.assert_array_equal(slow[0], whole[0][::3])
    with pytest.raises(SettingError):
        ClipSettings(frames=0)


@pytest.mark.parametrize("after", [5, 25, 45])
def test_an_interrupted_run_goes_on_and_ends_alike(
    after: int, cut: Callable[..., PreparedClips], films: list, planted: ModuleType, tmp_path: Path
) -> None:
    paths = ("0.mkv", "2.mkv", "1.mkv", "frames", "broken.mkv", "3.mkv")
    plain = cut(*paths, out="plain")
    failing = Detectors(planted, films)
    failing.stop = after
    with pytest.raises(Stopped):
        cut(*paths, detector=failing)
    assert not (tmp_path / "out/manifest.csv").exists()
    with (tmp_path / "out/progress.jsonl").open("ab") as journal, (tmp_path / "out/frames.part").open("ab") as part:
        journal.write(b'["set/1", {"frames": 9')  # torn by the machine's end
        part.write(bytes(1000))
    told = []
    again = cut(*paths, detector=failing, progress=lambda *at: told.append(at))
    assert 0 <= again.resumed < 6 and (again.resumed > 0) == (after > 10)
    assert told == [(i, 6) for i in range(1, 7)]
    for name in ("frames.npy", "starts.npy", "manifest.csv", "prepared.json"):
        assert (tmp_path / "out" / name).read_bytes().replace(b"plain", b"out") == (
            tmp_path / "plain" / name
        ).read_bytes().replace(b"plain", b"out")
    assert sorted(p.name for p in again.folder.iterdir()) == sorted(p.name for p in plain.folder.iterdir())
    assert len(list(again.folder.iterdir())) == 4


def test_the_beginnings_of_something_else_are_not_mixed_in(tmp_path: Path) -> None:
    with ClipStore(tmp_path, (2,), np.float32, {"manifest": "a"}) as store:
        store.add("one", [np.zeros(2)])
    with pytest.raises(SettingError, match="beginnings of other clips"):
        ClipStore(tmp_path, (2,), np.float32, {"manifest": "b"})
    with ClipStore(tmp_path, (2,), np.float32, {"manifest": "a"}) as store:
        assert store.done == {"one": {"frames": 1}}


def test_frames_that_break_leave_nothing(tmp_path: Path) -> None:
    def breaking():
        yield np.ones(3)
        raise SourceError("cut short")

    with ClipStore(tmp_path, (3,), np.float16, {}) as store:
        store.add("a", iter(np.arange(6).reshape(2, 3)))
        with pytest.raises(SourceError, match="cut short"):
            store.add("b", breaking())
        store.add("c", [np.full(3, 7)])
        store.finish(_named("a", "b", "c"), {})
    frames = np.load(tmp_path / "frames.npy")
    assert frames.dtype == np.float16 and frames.tolist() == [[0, 1, 2], [3, 4, 5], [7, 7, 7]]
    assert np.load(tmp_path / "starts.npy").tolist() == [0, 2, 3]


def _named(*names: str) -> Manifest:
    return Manifest(np.array(names), np.array(names), np.zeros(len(names), int), LABELS)


def test_clips_whose_frames_never_reached_the_disk_are_made_again(tmp_path: Path) -> None:
    with ClipStore(tmp_path, (4,), np.uint8, {}) as store:
        for name in "abc":
            store.add(name, np.full((2, 4), ord(name), np.uint8))
    part = tmp_path / "frames.part"
    part.write_bytes(part.read_bytes()[:-5])  # of c only one frame is whole
    with ClipStore(tmp_path, (4,), np.uint8, {}) as store:
        assert list(store.done) == ["a", "b"]
        store.add("c", np.full((2, 4), ord("c"), np.uint8))
        store.finish(_named("a", "b", "c"), {})
    assert bytes(np.load(tmp_path / "frames.npy")[:, 0]) == b"aabbcc"


def test_no_clip_with_a_face_leaves_nothing_behind(cut: Callable[..., PreparedClips], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="None of the 2 clips shows a face; the first: "):
        cut("2.mkv", "broken.mkv")
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        cut("0.mkv", out="file")


def test_cropped_faces_are_taken_whole(root: Path, tmp_path: Path) -> None:
    made = prepare_clips(manifest_of(root, "frames"), tmp_path / "out", WholePicture(), SMALL)
    clips, _ = parts(made.folder)
    assert clips[0].shape == (15, 32, 32, 3)


def test_a_broken_picture_in_a_folder_is_passed_over_and_told(cut: Callable[..., PreparedClips], root: Path) -> None:
    (root / "frames" / "3.png").write_bytes(b"no picture")
    made = cut("frames")
    assert made.frames == 14 and len(made.notes) == 1 and "3.png" in made.notes[0]


def test_two_real_films(shared_data: Path, tmp_path: Path) -> None:
    names = ("acted_videos/01-01-02_01.mp4", "acted_videos/02-01-05_01.mp4")
    settings = ClipSettings(size=64, fps=6, frames=16)
    made = prepare_clips(manifest_of(shared_data, *names), tmp_path, RetinaFace(), settings)
    clips, _ = parts(made.folder)
    assert made.unread == made.thin == () and all(5 <= len(clip) <= 16 for clip in clips)
    for clip, name in zip(clips, names, strict=True):
        again = follow(shared_data / name, RetinaFace(), settings)
        assert len(again.faces) >= len(clip)
        moved = np.abs(np.diff(clip.astype(int), axis=0)).mean((1, 2, 3))
        assert (moved < 30).all()  # one face, held in its place by the template
