"""Annotated films and pictures: times, sound, labels and blur."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tronie.core.errors import OutputError, SettingError, SourceError
from tronie.core.face import Face
from tronie.core.labels import BASIC7
from tronie.core.timeline import Timeline
from tronie.pipeline.annotate import annotate
from tronie.video.reader import VideoReader, probe
from tronie.video.write import VideoWriter

TIMES = np.cumsum([0, 0.04, 0.04, 0.1, 0.02, 0.5, 0.04, 0.04, 0.04, 0.3, 0.04, 0.04])  # a changing rate
FACE = (60.0, 60.0, 60.0, 80.0)


def film(path, *, sound=True, times=TIMES) -> None:
    """A noisy square, the face, on grey at ``times``; with a tone."""
    square = np.random.default_rng(0).integers(0, 255, (80, 60, 3), dtype=np.uint8)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"bf": "0", "crf": "10"})
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.codec_context.time_base = Fraction(1, 90000)
        tone = out.add_stream("aac", rate=16000) if sound else None
        for time in times:
            image = np.full((240, 320, 3), 120, np.uint8)
            image[60:140, 60:120] = square
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = round(time * 90000), Fraction(1, 90000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if tone is not None:
            wave = (np.sin(np.arange(16000 * 2) / 5) * 9000).astype(np.int16)[None]
            heard = av.AudioFrame.from_ndarray(wave, "s16", "mono")
            heard.sample_rate, heard.pts, heard.time_base = 16000, 0, Fraction(1, 16000)
            resampler = av.AudioResampler("fltp", "mono", 16000, frame_size=1024)
            for part in [*resampler.resample(heard), *resampler.resample(None)]:
                out.mux(tone.encode(part))
            out.mux(tone.encode(None))


def sound(path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size]


def frames(path) -> list:
    with VideoReader(path) as reader:
        return list(reader)


@pytest.fixture
def told(timeline_of) -> Timeline:
    """The face is seen from 0.2 s on, and shows happiness."""
    rows = timeline_of([(0, 0, 0.36, "happiness")], fps=25, source="film.mp4")  # nine rows
    ends = np.append(TIMES[1:], TIMES[-1] + 0.04)
    columns = {
        **rows.columns,
        "time": TIMES[3:],
        "duration": (ends - TIMES)[3:],
        "frame": np.arange(3, 12),
        **{name: np.full(9, value) for name, value in zip(("x", "y", "width", "height"), FACE, strict=True)},
    }
    looked = type(rows.looked[0])("film.mp4", "video", 12, 0.0, float(ends[-1]))
    return Timeline(columns, rows.labels, rows.provenance, (looked,))


def test_a_film_keeps_its_times_and_its_sound(told, tmp_path) -> None:
    film(tmp_path / "film.mp4")
    heard = []
    done = annotate(tmp_path / "film.mp4", tmp_path / "out.mp4", timeline=told, report=heard.append)
    before, after = frames(tmp_path / "film.mp4"), frames(tmp_path / "out.mp4")
    assert [f.time for f in after] == pytest.approx([f.time for f in before], abs=2e-5)
    assert [f.time for f in after] == pytest.approx(TIMES, abs=2e-5)
    assert sound(tmp_path / "out.mp4") == sound(tmp_path / "film.mp4") != []
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert done.warnings == () and len(heard) == 12 and heard[-1].source == "out.mp4"
    orange = np.array(before[5].image[140, 90], int) - after[5].image[140, 90]
    assert np.abs(orange).max() > 50  # the box's lower edge
    assert np.abs(after[1].image.astype(int) - before[1].image).mean() < 3  # nobody is drawn before 0.18 s
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.mp4", "out.mp4"]


def test_anonymised_faces_are_gone_and_labels_stay(told, tmp_path) -> None:
    film(tmp_path / "film.mp4")
    plain = annotate(tmp_path / "film.mp4", tmp_path / "plain.mp4", timeline=told)
    done = annotate(tmp_path / "film.mp4", tmp_path / "out.mp4", timeline=told, anonymise=True)
    assert plain.warnings == () and "not blurred" in done.warnings[-1]
    inner = (slice(70, 130), slice(70, 110))
    for hidden, seen in zip(frames(tmp_path / "out.mp4"), frames(tmp_path / "plain.mp4"), strict=True):
        # also before the face was first found: within HOLD it is hidden
        assert np.abs(np.diff(hidden.image[inner].astype(int), axis=0)).mean() < 6
        assert np.abs(np.diff(seen.image[inner].astype(int), axis=0)).mean() > 30
        plate = (slice(30, 56), slice(60, 160))
        assert np.abs(hidden.image[plate].astype(int) - seen.image[plate]).mean() < 25


def test_anonymised_films_end_where_nobody_looked(told, tmp_path) -> None:
    film(tmp_path / "film.mp4")
    looked = (replace(told.looked[0], frames=6, end=0.7),)
    short = Timeline(told.columns, told.labels, told.provenance, looked)
    done = annotate(tmp_path / "film.mp4", tmp_path / "out.mp4", timeline=short, anonymise=True)
    assert [f.time for f in frames(tmp_path / "out.mp4")] == pytest.approx(TIMES[TIMES < 0.7], abs=2e-5)
    assert "faces were not looked for after that" in done.warnings[0]


def test_a_last_picture_that_stays_stays_as_long(films, tmp_path) -> None:
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for k in range(10):
            writer.write(films.picture(k, "h"), k / 10)
        writer.end = 4.0
    annotate(tmp_path / "film.mp4", tmp_path / "out.mkv", model=Model(), detector=Detector())
    assert probe(tmp_path / "out.mkv").duration == pytest.approx(4.0, abs=0.002)


def test_a_stopped_film_is_kept_and_says_so(told, tmp_path) -> None:
    film(tmp_path / "film.mp4")
    asked = iter([False] * 4 + [True] * 20)
    done = annotate(tmp_path / "film.mp4", tmp_path / "out.mp4", timeline=told, stop=lambda: next(asked))
    assert len(frames(tmp_path / "out.mp4")) == 5
    assert done.warnings == (f"out.mp4 was stopped at {TIMES[5]:.2f} s.",)
    assert 0 < len(sound(tmp_path / "out.mp4")) < len(sound(tmp_path / "film.mp4"))


def test_a_table_from_another_folder_and_names_are_taken(told, tmp_path) -> None:
    film(tmp_path / "film.mp4", sound=False)
    told.save(tmp_path / "film.csv")
    (tmp_path / "names.csv").write_text("track,name\n0,Anna\n")
    done = annotate(
        tmp_path / "film.mp4", tmp_path / "out.mkv", timeline=tmp_path / "film.csv", names=tmp_path / "names.csv"
    )
    assert done.timeline.looked == told.looked and len(frames(tmp_path / "out.mkv")) == 12
    annotate(tmp_path / "film.mp4", tmp_path / "plain.mkv", timeline=told)
    pair = [frames(tmp_path / name)[6].image.astype(int) for name in ("out.mkv", "plain.mkv")]
    assert np.abs(pair[0] - pair[1]).max() > 100  # the plate says "Anna", not "person 0"


class Detector:
    """Finds the same face in every picture."""

    def detect(self, image):
        return [Face(FACE, 0.9)]

    def near(self, image, faces):
        return self.detect(image)


class Model:
    name, hash, labels, size = "fixed", "0123456789ab", BASIC7, 48

    def predict(self, crops):
        return np.tile(np.array([0.02, 0.02, 0.02, 0.9, 0.02, 0.01, 0.01], np.float32), (len(crops), 1))


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_a_picture_is_read_and_drawn(tmp_path, ending) -> None:
    image = np.full((240, 320, 3), 120, np.uint8)
    image[60:140, 60:120] = np.random.default_rng(0).integers(0, 255, (80, 60, 3))
    Image.fromarray(image).save(tmp_path / "photo.png")
    out = tmp_path / f"out{ending}"
    done = annotate(tmp_path / "photo.png", out, model=Model(), detector=Detector(), anonymise=True)
    after = np.array(Image.open(out).convert("RGB"))
    assert done.timeline["label"].tolist() == ["happiness"]
    assert np.abs(after[100, 60].astype(int) - (230, 159, 0)).max() < (110 if ending == ".webp" else 25)
    assert np.abs(np.diff(after[70:130, 70:110].astype(int), axis=0)).mean() < 6


def test_a_film_is_read_and_drawn(tmp_path) -> None:
    film(tmp_path / "film.mp4", times=np.arange(12) / 25)
    done = annotate(tmp_path / "film.mp4", tmp_path / "out.mp4", model=Model(), detector=Detector())
    assert set(done.timeline["label"]) == {"happiness"} and len(frames(tmp_path / "out.mp4")) == 12


def test_what_cannot_be_annotated(told, tmp_path) -> None:
    film(tmp_path / "film.mp4", sound=False)
    Image.new("RGB", (20, 20)).save(tmp_path / "photo.png")
    with pytest.raises(SettingError, match=r"annotated film ends in \.mp4"):
        annotate(tmp_path / "film.mp4", tmp_path / "out.avi", timeline=told)
    with pytest.raises(SettingError, match=r"annotated picture ends in \.png"):
        annotate(tmp_path / "photo.png", tmp_path / "out.mp4", timeline=told)
    with pytest.raises(OutputError, match="is the film itself"):
        annotate(tmp_path / "film.mp4", tmp_path / "film.mp4", timeline=told)
    with pytest.raises(SettingError, match=r"The table is about film\.mp4, not about .*photo\.png"):
        annotate(tmp_path / "photo.png", tmp_path / "out.png", timeline=told)
    with pytest.raises(SettingError, match="holds 2 files"):
        annotate(tmp_path, tmp_path / "out.png", timeline=told)
    with pytest.raises(SourceError, match="does not exist"):
        annotate(tmp_path / "gone.mp4", tmp_path / "out.mp4", timeline=told)
    with pytest.raises(OutputError, match="a part of that path is a file"):
        annotate(tmp_path / "film.mp4", tmp_path / "film.mp4" / "out.mp4", timeline=told)


def test_a_broken_film_gives_what_can_be_read(told, tmp_path) -> None:
    long = np.arange(200) / 25
    film(tmp_path / "whole.mkv", times=long, sound=False)
    data = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "film.mkv").write_bytes(data[: len(data) // 2])
    rows = Timeline({**told.columns, "source": ["film.mkv"] * 9}, told.labels)
    done = annotate(tmp_path / "film.mkv", tmp_path / "out.mp4", timeline=rows)
    assert 10 < len(frames(tmp_path / "out.mp4")) < 200
    assert any("breaks off" in words for words in done.warnings), done.warnings


PART = 16  # frames of a part of a joined film, 25 a second


def rows_at(timeline_of, boxes: dict[int, tuple[float, float, float, float]], frames: int, kept=lambda i: True):
    """A face at each frame of a joined film: ``boxes`` says where from which frame on; ``kept`` where it is found."""
    there = [i for i in range(frames) if kept(i)]
    rows = timeline_of([(0, 0, len(there) / 25, "happiness")], fps=25, source="joined.ts")
    assert len(rows) == len(there)
    box = np.array([boxes[max(first for first in boxes if first <= i)] for i in there], float)
    times = np.array(there) / 25
    columns = {
        **rows.columns,
        "time": times,
        "duration": np.full(len(there), 0.04),
        "frame": np.array(there),
        **{name: box[:, k] for k, name in enumerate(("x", "y", "width", "height"))},
    }
    looked = type(rows.looked[0])("joined.ts", "video", frames, 0.0, frames / 25)
    return Timeline(columns, rows.labels, rows.provenance, (looked,))


def with_face(height: int, width: int, box: tuple[int, int, int, int]):
    """A grey picture with a patch of coarse noise in ``box``."""
    x, y, w, h = box

    def picture(index: int) -> np.ndarray:
        image = np.full((height, width, 3), 120, np.uint8)
        cells = np.random.default_rng(index).integers(0, 255, (h // 10, w // 10, 3), np.uint8)
        image[y : y + h, x : x + w] = cells.repeat(10, 0).repeat(10, 1)
        return image

    return picture


def steps(image: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """How much neighbouring rows differ within the middle of a box."""
    x, y, w, h = box
    inner = image[y + h // 5 : y + h - h // 5, x + w // 5 : x + w - w // 5].astype(int)
    return float(np.abs(np.diff(inner, axis=0)).mean())


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_film_whose_pictures_change_size_is_drawn_and_anonymised(joined_films, timeline_of, tmp_path, ending) -> None:
    """A call: small at first, then large, then the telephone is held upright. All of it goes into the largest size."""
    boxes = [(40, 40, 40, 40), (80, 80, 80, 80), (60, 60, 60, 60)]
    sizes = [(160, 120), (320, 240), (160, 240)]
    parts = [
        {"size": (wide, high), "picture": with_face(high, wide, box)}
        for (wide, high), box in zip(sizes, boxes, strict=True)
    ]
    joined_films.write_joined(tmp_path / "joined.ts", parts)
    told = rows_at(timeline_of, {0: boxes[0], PART: boxes[1], 2 * PART: boxes[2]}, 3 * PART)
    heard = []
    plain, hidden = (
        annotate(
            tmp_path / "joined.ts",
            tmp_path / f"{name}{ending}",
            timeline=told,
            anonymise=name == "hidden",
            report=heard.append,
        ).path
        for name in ("plain", "hidden")
    )
    placed = [(80, 80, 80, 80), (80, 80, 80, 80), (140, 60, 60, 60)]  # in a picture of 320 x 240
    for index, (seen, gone) in enumerate(zip(frames(plain), frames(hidden), strict=True)):
        x, y, _, h = box = placed[index // PART]
        assert seen.image.shape == gone.image.shape == (240, 320, 3)
        assert steps(gone.image, box) < 0.5 * steps(seen.image, box)
        edge = seen.image[y + 10 : y + h - 10, x].astype(int)  # the box's left edge: orange
        assert (edge[:, 0] - edge[:, 2]).mean() > 80
    assert frames(plain)[-1].image[120, 20].max() < 20  # beside a picture that is held upright
    assert [f.time for f in frames(plain)] == pytest.approx([f.time for f in frames(tmp_path / "joined.ts")], abs=2e-5)
    assert sorted(p.name for p in tmp_path.iterdir() if "joined" not in p.name) == [f"hidden{ending}", f"plain{ending}"]


def test_what_cannot_be_written_is_named_as_the_user_named_it(tmp_path) -> None:
    with VideoWriter(tmp_path / ".hidden.mp4", called=tmp_path / "out.mp4") as writer:
        writer.write(np.zeros((16, 16, 3), np.uint8), 0.0)
        for image, time in ((np.zeros((32, 16, 3), np.uint8), 0.1), (np.zeros((16, 16, 3), np.uint8), 0.0)):
            with pytest.raises(OutputError, match=r"/out\.mp4 is|/out\.mp4: time"):
                writer.write(image, time)


def blocks(seed: int, bright: float = 1.0) -> np.ndarray:
    """A picture of 320 x 240 in large blocks, unlike that of any other seed."""
    cells = np.random.default_rng(seed).integers(0, 200, (6, 8, 3)).repeat(40, 0).repeat(40, 1)
    return np.clip(cells * bright, 0, 255).astype(np.uint8)


SPOT = (100, 100, 60, 60)


def shot(seed: int, face: bool, bright=lambda index: 1.0):
    def picture(index: int) -> np.ndarray:
        image = blocks(seed, bright(index))
        if face:
            image[100:160, 100:160] = with_face(240, 320, SPOT)(index)[100:160, 100:160]
        return image

    return picture


def test_a_blur_ends_where_the_camera_cuts(joined_films, timeline_of, tmp_path) -> None:
    """Shots of 0.64 s, so that what is hidden beside a face that is lost would reach far into the next one."""
    parts = [{"size": (320, 240), "picture": shot(seed, seed in (1, 3))} for seed in (1, 2, 3)]
    joined_films.write_joined(tmp_path / "joined.ts", parts)
    # Lost 4 frames before the first cut, found again 3 frames after the second: those belong to the shots with a face.
    told = rows_at(timeline_of, {0: SPOT}, 3 * PART, lambda i: i < PART - 4 or i >= 2 * PART + 3)
    annotate(tmp_path / "joined.ts", tmp_path / "out.mp4", timeline=told, anonymise=True)
    before = frames(tmp_path / "joined.ts")
    for index, frame in enumerate(frames(tmp_path / "out.mp4")):
        away = np.abs(frame.image.astype(int) - before[index].image)[90:170, 90:170].mean()
        if PART <= index < 2 * PART:
            assert away < 4, f"frame {index} shows nobody and is blurred"
        else:
            assert away > 15 and steps(frame.image, SPOT) < 6, f"frame {index} shows a face"


def test_a_shot_at_which_nobody_looked_is_blurred_as_a_whole(joined_films, timeline_of, tmp_path) -> None:
    """Looked at once a second: at pictures 0, 25 and 50. The second shot, with a face, lies between 25 and 50."""
    parts = [{"size": (320, 240), "picture": shot(seed, seed == 3)} for seed in (1, 2, 3, 4)]
    joined_films.write_joined(tmp_path / "joined.ts", parts)
    told = rows_at(timeline_of, {0: SPOT}, 4 * PART, lambda i: i == 25)
    told = replace(told, provenance=replace(told.provenance, settings={**told.provenance.settings, "fps": 1.0}))
    told = replace(told, columns={**told.columns, "duration": np.full(1, 0.2)})
    done = annotate(tmp_path / "joined.ts", tmp_path / "out.mp4", timeline=told, anonymise=True)
    assert any("looked at: 1." in words for words in done.warnings)
    before = frames(tmp_path / "joined.ts")
    for index, frame in enumerate(frames(tmp_path / "out.mp4")):
        away = np.abs(frame.image.astype(int) - before[index].image)[:90].mean()
        assert (away > 15) == (2 * PART <= index < 3 * PART), (index, away)


@pytest.mark.parametrize("what", ["flash", "fade", "still"])
def test_within_a_shot_a_lost_face_stays_hidden(joined_films, timeline_of, tmp_path, what) -> None:
    """Photographers' flashes change every pixel, and the face is still there."""
    light = {"flash": lambda i: 1.6 if i >= 8 else 0.5, "fade": lambda i: 1 - i / 20, "still": lambda i: 1.0}[what]
    joined_films.write_joined(tmp_path / "joined.ts", [{"size": (320, 240), "picture": shot(1, True, light)}])
    told = rows_at(timeline_of, {0: SPOT}, PART, lambda i: i < 6)
    annotate(tmp_path / "joined.ts", tmp_path / "out.mp4", timeline=told, anonymise=True)
    assert all(steps(frame.image, SPOT) < 6 for frame in frames(tmp_path / "out.mp4"))
