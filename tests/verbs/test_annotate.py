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
from tronie.media.video import VideoReader
from tronie.verbs.annotate import annotate

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
    columns = {**rows.columns, "time": TIMES[3:], "duration": (ends - TIMES)[3:], "frame": np.arange(3, 12),
               **{name: np.full(9, value) for name, value in zip(("x", "y", "width", "height"), FACE, strict=True)}}
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
    done = annotate(tmp_path / "film.mp4", tmp_path / "out.mkv", timeline=tmp_path / "film.csv",
                    names=tmp_path / "names.csv")  # fmt: skip
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
