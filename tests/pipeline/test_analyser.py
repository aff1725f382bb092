"""Streams, pictures and arrays through one warm Analyser."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from tronie.core.errors import SettingError, SourceError
from tronie.core.face import Face
from tronie.pipeline.analyser import Analyser, printable, reading_order
from tronie.pipeline.settings import Settings


def analyser(planted, film, **more) -> Analyser:
    return Analyser(planted.Model(), detector=planted.Detector(film), **more)


def pushed(planted, film, at, **more):
    warm = analyser(planted, film, **more)
    readings = [warm.push(planted.paint(film[i], i), float(t)) for i, t in enumerate(at)]
    return readings, warm.finish()


def test_every_push_is_answered_at_once_and_finish_smooths(planted) -> None:
    film = planted.two_people("n" * 60 + "h" * 60)
    readings, timeline = pushed(planted, film, np.arange(120) / 30)
    assert [len(r) for r in readings] == [1] * 120
    assert readings[0][0].label == "neutral"
    assert readings[59][0].label == "neutral"
    change = next(i for i, (r,) in enumerate(readings) if r.label == "happiness")
    assert 60 < change < 72  # it can only follow, but within 0.4 s
    assert [r.label for (r,) in readings[change:]] == ["happiness"] * (120 - change)
    (last,) = readings[-1]
    assert last.confidence == last.probabilities["happiness"]
    assert sum(last.probabilities.values()) == pytest.approx(1)
    segments = timeline.segments()
    assert [s.label for s in segments] == ["neutral", "happiness"]
    assert segments[1].start == pytest.approx(2.0, abs=0.1)
    assert timeline.looked[0].frames == 120


def test_pushed_frames_give_the_film_s_own_table(planted) -> None:
    film = planted.two_people("n" * 40 + "s" * 40, "." * 10 + "h" * 50)
    at = np.arange(80) / 25
    _, timeline = pushed(planted, film, at)
    arrays = np.stack([planted.paint(faces, i) for i, faces in enumerate(film)])
    whole = analyser(planted, film).analyse(arrays, times=at)
    assert timeline["label"].tolist() == whole["label"].tolist()
    assert timeline["time"].tolist() == whole["time"].tolist()
    assert timeline["duration"].tolist() == whole["duration"].tolist()
    # The batches differ, and the planted model's answers with them.
    assert timeline.probabilities == pytest.approx(whole.probabilities, abs=0.02)


def test_pushed_frames_are_measured_against_the_person_as_the_film_s_are(planted) -> None:
    film, at = planted.two_people("n" * 40 + "s" * 40, "." * 10 + "h" * 50), np.arange(80) / 25
    person = Settings(baseline="person", calm=0.5)
    _, timeline = pushed(planted, film, at, settings=person)
    arrays = np.stack([planted.paint(faces, i) for i, faces in enumerate(film)])
    whole = analyser(planted, film, settings=person).analyse(arrays, times=at)
    assert timeline.probabilities == pytest.approx(whole.probabilities, abs=0.02)
    plain = analyser(planted, film).analyse(arrays, times=at)
    assert np.abs(plain.probabilities - whole.probabilities).max() > 0.05


def test_photos_are_read_as_they_are_and_say_so(planted) -> None:
    picture = planted.paint(planted.two_people("h")[0], 0)
    plain = analyser(planted, planted.two_people("h")).analyse(picture)
    person = analyser(planted, planted.two_people("h"), settings=Settings(baseline="person")).analyse(picture)
    assert np.array_equal(plain.probabilities, person.probabilities)
    assert plain.warnings == ()
    (warning,) = person.warnings
    assert "Photos are read as they are" in warning


def test_a_photo_s_valence_and_arousal_are_the_mean_with_its_mirror_image(planted) -> None:
    class Lopsided(planted.AffectModel):
        """What it says of a face is how light its left and its right half are."""

        def read(self, crops):
            half = crops.shape[2] // 2
            halves = [crops[:, :, part].reshape(len(crops), -1).mean(1) for part in (slice(half), slice(half, None))]
            return self.predict(crops), (np.stack(halves, 1) / 128 - 1).astype(np.float32)

    picture = planted.paint(planted.two_people("h")[0], 0)
    picture[:, :44] //= 2  # the left half of the square
    film = planted.two_people("h")
    timeline = Analyser(Lopsided(), detector=planted.Detector(film)).analyse(picture)
    assert timeline["valence"] == pytest.approx(timeline["arousal"], abs=1e-6)
    read = Analyser(Lopsided(), detector=planted.Detector(film), settings=Settings(fps=1.0)).analyse(picture[None])
    assert read["valence"][0] < read["arousal"][0] - 0.1  # as a film's frame the halves are told apart
    assert timeline["valence"][0] == pytest.approx((read["valence"][0] + read["arousal"][0]) / 2, abs=1e-5)
    plain = analyser(planted, film).analyse(picture)
    assert "valence" not in plain.columns and (plain.probabilities == timeline.probabilities).all()


def test_pushed_frames_tell_valence_and_arousal_at_once(planted) -> None:
    film, at = planted.two_people("s" * 40 + "h" * 40), np.arange(80) / 25
    warm = Analyser(planted.AffectModel(), detector=planted.Detector(film))
    said = [warm.push(planted.paint(film[i], i), float(t))[0] for i, t in enumerate(at)]
    assert said[30].valence < -0.4 and said[-1].valence > 0.4 and said[-1].arousal > said[30].arousal
    ended = warm.finish()
    assert ended["valence"][-1] == pytest.approx(said[-1].valence, abs=1e-5)  # nothing followed
    plain, _ = pushed(planted, film, at)
    assert {(one.valence, one.arousal) for (one,) in plain} == {(None, None)}
    assert [one.label for (one,) in plain] == [one.label for one in said]


def test_a_model_that_was_not_measured_is_refused_before_the_work(planted) -> None:
    model = planted.Model()
    model.neutral = None
    with pytest.raises(SettingError, match="'planted' does not say how it reads neutral faces"):
        Analyser(model, detector=planted.Detector([]), settings=Settings(baseline="person"))


def test_finish_begins_a_new_stream(planted) -> None:
    film = planted.two_people("n" * 10)
    warm = analyser(planted, film)
    for _ in range(2):
        for i in range(10):
            warm.push(planted.paint(film[i], i), i / 10)
        timeline = warm.finish()
        assert timeline["frame"].tolist() == list(range(10))
    assert len(warm.finish()) == 0
    assert warm.finish().looked == ()


def test_pushes_are_checked(planted) -> None:
    film = planted.two_people("nn")
    warm = analyser(planted, film)
    warm.push(planted.paint(film[0], 0), 1.0)
    for wrong in (1.0, 0.5, float("nan")):
        with pytest.raises(SettingError, match="in order of time"):
            warm.push(planted.paint(film[1], 1), wrong)
    for image in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), [[1]]):
        with pytest.raises(SourceError, match="uint8 RGB"):
            warm.push(image, 2.0)


def test_a_picture_s_people_are_numbered_as_one_reads(planted) -> None:
    film = [[(150, 10, "h"), (20, 12, "s"), (90, 70, "n")]]
    timeline = analyser(planted, film).analyse(planted.paint(film[0], 0), name="group")
    assert timeline["track"].tolist() == [0, 1, 2]
    assert timeline["label"].tolist() == ["sadness", "happiness", "neutral"]
    assert timeline["duration"].tolist() == [0, 0, 0]
    assert [s.source for s in timeline.segments()] == ["group"] * 3
    assert timeline.looked[0].kind == "image"


def test_a_picture_without_a_face_was_looked_at(planted) -> None:
    timeline = analyser(planted, [[]]).analyse(planted.paint([], 0))
    assert len(timeline) == 0
    assert timeline.looked[0].empty == ((0.0, 0.0),)


def test_an_array_film_needs_times_that_rise(planted) -> None:
    film = planted.two_people("nnnn")
    arrays = np.stack([planted.paint(faces, i) for i, faces in enumerate(film)])
    warm = analyser(planted, film)
    with pytest.raises(SettingError, match="no times"):
        warm.analyse(arrays)
    with pytest.raises(SettingError, match="4 rising"):
        warm.analyse(arrays, times=[0, 1, 1, 2])
    with pytest.raises(SettingError, match="4 rising"):
        warm.analyse(arrays, times=[0, 1, 2])
    with pytest.raises(SourceError):
        warm.analyse(arrays[:0], times=[])
    rated = analyser(planted, film, settings=Settings(fps=8.0)).analyse(arrays)
    assert rated["time"].tolist() == [0, 0.125, 0.25, 0.375]
    assert rated["duration"].tolist() == [0.125] * 4


def test_reports_and_stop(planted) -> None:
    film = planted.two_people("n" * 90)
    arrays = np.stack([planted.paint(faces, i) for i, faces in enumerate(film)])
    heard = []
    analyser(planted, film, settings=Settings(fps=30.0)).analyse(arrays, report=heard.append)
    assert [round(p.done, 3) for p in heard] == [1.0, 2.0, 3.0, 3.0]
    calls = iter(range(10_000))
    warm = analyser(planted, film, settings=Settings(fps=30.0))
    part = warm.analyse(arrays, stop=lambda: next(calls) >= 40, name="x")
    assert len(part) == 40
    assert part.warnings == ("x was stopped at 1.33 s.",)


def test_low_rates_are_answered_frame_by_frame(planted) -> None:
    film = planted.two_people("nnhhssnn")
    arrays = np.stack([planted.paint(faces, i) for i, faces in enumerate(film)])
    timeline = analyser(planted, film).analyse(arrays, times=np.arange(8.0))
    assert [s.label for s in timeline.segments()] == ["neutral", "happiness", "sadness", "neutral"]


def test_people_are_kept_at_one_frame_in_two_seconds(planted) -> None:
    film = planted.two_people("nnn.hhhh")
    arrays = np.stack([planted.paint(faces, i) for i, faces in enumerate(film)])
    timeline = analyser(planted, film, settings=Settings(fps=0.5)).analyse(arrays)
    assert set(timeline["track"]) == {0}
    assert [s.label for s in timeline.segments()] == ["neutral", "happiness"]


def test_a_push_costs_little_beside_the_networks(planted) -> None:
    film = planted.two_people("n" * 90, "h" * 90)
    images = [planted.paint(faces, i) for i, faces in enumerate(film)]
    warm = analyser(planted, film)
    begun = time.process_time()
    for i, image in enumerate(images):
        warm.push(image, i / 30)
    warm.finish()
    assert (time.process_time() - begun) / len(images) < 0.02  # measured 0.002 for two faces


def test_reading_order_reads_rows() -> None:
    spots = [(100, 5), (0, 0), (50, 8), (60, 100), (10, 95)]
    faces = [Face((x, y, 30, 30), 0.9) for x, y in spots]
    assert [f.box[:2] for f in reading_order(faces)] == [(0, 0), (50, 8), (100, 5), (10, 95), (60, 100)]
    assert reading_order([]) == []


def test_names_become_text() -> None:
    assert printable("é\udcff.jpg") == "é\\udcff.jpg"


def test_detector_objects_and_names_enter_the_settings(planted) -> None:
    assert analyser(planted, [[]]).settings.detector == "Detector"
    with pytest.raises(SettingError, match="retinafac"):
        Analyser(planted.Model(), detector="retinafac")
    assert replace(Settings(), detector="whole").hash != Settings().hash


class Meeting:
    """A detector in which two threads meet, if nothing keeps one of them out."""

    def __init__(self, inner) -> None:
        self.inner, self.gate, self.met = inner, threading.Barrier(2), False

    def _meet(self) -> None:
        try:
            self.gate.wait(0.2)
            self.met = True
        except threading.BrokenBarrierError:
            self.gate.reset()

    def detect(self, image):
        self._meet()
        return self.inner.detect(image)

    def near(self, image, faces):
        self._meet()
        return self.inner.near(image, faces)


def test_threads_that_push_to_one_stream_wait_for_one_another(planted) -> None:
    film = planted.two_people("nnnn")
    detector = Meeting(planted.Detector(film))
    warm = Analyser(planted.Model(), detector=detector)
    refused, turn = [], threading.Barrier(2)

    def push(numbers) -> None:
        for number in numbers:
            turn.wait(10)  # both at once
            try:
                warm.push(planted.paint(film[number], number), number / 10)
            except SettingError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=push, args=(numbers,)) for numbers in ((0, 2), (1, 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    timeline = warm.finish()
    assert not detector.met, "two frames were in one stream at a time"
    assert timeline.looked[0].frames + len(refused) == 4 and len(timeline) + len(refused) == 4
    assert all("push frames in order of time" in words for words in refused)
