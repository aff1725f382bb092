"""A film whose reading is cut off at every single step, and goes on: the table is always the same, to the byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tronie.core.errors import OutputError, SourceError
from tronie.core.mark import load_mark, save_mark
from tronie.core.timeline import Timeline
from tronie.pipeline import archive_tasks as tasks
from tronie.pipeline import resumable
from tronie.pipeline.analyser import Analyser
from tronie.pipeline.archive_tasks import HIDDEN, Place, Task, absolute, key_of, perform
from tronie.pipeline.settings import Settings
from tronie.video.sources import Source

SPEC = "n" * 15 + "." * 5 + "h" * 20 + "s" * 20  # two seconds


SETTINGS = Settings(cell=0.25, lag=0.5)


class Cut(BaseException):
    """The power goes."""


@pytest.fixture(scope="module")
def film(planted, tmp_path_factory):
    """Two seconds of film, and how to read it on a grid of a quarter of a second."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    told = planted.two_people(SPEC, "." * 50 + "h" * 10)
    planted.write_film(path, told)

    def analyser() -> Analyser:
        return Analyser(planted.Model(), detector=planted.Detector(told), settings=SETTINGS)

    return path, analyser


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(resumable, "EVERY", 0.5)


def task_for(path: Path) -> Task:
    source = Source(path, "video", "film.mkv")
    return Task(key_of([absolute(source)]), "video", (source,), "film")


def folder(path: Path) -> Path:
    (path / HIDDEN).mkdir(parents=True)
    return path


def contents(out: Path, task: Task) -> dict[str, bytes]:
    names = [out / "film.csv", out / "film.meta.json", Place(out, task.key).segments]
    return {path.name: path.read_bytes() for path in names}


def test_the_table_is_the_one_that_a_timeline_saves(film, tmp_path) -> None:
    path, analyser = film
    out, task = folder(tmp_path / "out"), task_for(path)
    (outcome,) = perform(task, analyser(), out)
    whole = analyser().analyse(path, name="film.mkv")
    whole.save(tmp_path / "film.csv")
    for name in ("film.csv", "film.meta.json"):
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes()
    assert (outcome.rows, outcome.seconds) == (len(whole), pytest.approx(2.0, abs=0.01))


def test_cut_off_at_every_step_and_taken_up_again(film, tmp_path, monkeypatch) -> None:
    path, analyser = film
    task = task_for(path)
    whole = folder(tmp_path / "whole")
    perform(task, analyser(), whole)
    wanted = contents(whole, task)
    steps = {"left": 10**9}

    def counted(function):
        def step(*arguments, **more):
            steps["left"] -= 1
            if steps["left"] < 0:
                raise Cut
            return function(*arguments, **more)

        return step

    class Torn(resumable.io.FileIO):
        """Writes half of what it is given when the power goes."""

        def write(self, data):
            steps["left"] -= 1
            if steps["left"] < 0:
                super().write(bytes(data)[: len(data) // 2])
                raise Cut
            return super().write(data)

    monkeypatch.setattr(resumable.io, "FileIO", Torn)
    for name in ("replace", "fsync"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    cuts = 0
    for allowed in range(60):
        out = folder(tmp_path / f"cut{allowed}")
        steps["left"] = allowed
        try:
            perform(task, analyser(), out)
        except Cut:
            cuts += 1
        else:
            break
        steps["left"] = 10**9
        perform(task, analyser(), out)
        assert contents(out, task) == wanted, f"cut at step {allowed}"
    assert cuts > 15


def test_a_film_joined_of_parts_with_other_colours_gives_the_same_table(planted, joined_films, tmp_path) -> None:
    """Where a part does not say its colours, a decoder that saw the part before takes that part's."""
    path = tmp_path / "joined.ts"
    joined_films.write_joined(path, [{}, {"matrix": 1}, {}, {"filter": joined_films.TURNED, "g": 16}])
    task = task_for(path)

    def analyser() -> Analyser:
        return Analyser(planted.Model(), settings=Settings(detector="whole", cell=0.25, lag=0.5))

    whole = folder(tmp_path / "whole")
    perform(task, analyser(), whole)
    wanted = contents(whole, task)
    assert len(Timeline.load(whole / "film.csv")) == 64
    for ends in (18, 30, 40, 50, 60):
        out, asked = folder(tmp_path / f"stopped{ends}"), iter(range(10**6))
        assert perform(task, analyser(), out, stop=lambda asked=asked, ends=ends: next(asked) > ends) is None
        perform(task, analyser(), out)
        assert contents(out, task) == wanted, f"stopped at frame {ends}"


def test_what_is_read_twice_is_no_more_than_the_mark_is_old(film, tmp_path) -> None:
    path, analyser = film
    out, task = folder(tmp_path / "out"), task_for(path)
    asked = iter(range(10**6))
    assert perform(task, analyser(), out, stop=lambda: next(asked) > 45) is None
    assert 45 / 30 - 0.75 <= resumable.begun(Place(out, task.key).mark).reached <= 45 / 30
    second = analyser()
    perform(task, second, out)
    looked_at = {*second.detector.scans, *second.detector.nears}
    assert 45 - 23 <= min(looked_at) <= 45 and max(looked_at) == 59


def test_a_finished_film_is_not_read_again(film, tmp_path) -> None:
    path, analyser = film
    out, task = folder(tmp_path / "out"), task_for(path)
    first = perform(task, analyser(), out)
    again = analyser()
    second = perform(task, again, out)
    assert again.detector.scans == []
    assert [one.rows for one in first] == [one.rows for one in second]
    (out / "film.csv").write_text("somebody's own\n")  # not what was finished: read again
    perform(task, again, out)
    assert len(Timeline.load(out / "film.csv")) == first[0].rows


@pytest.mark.parametrize("damage", ["other settings", "torn mark", "rows gone", "film changed"])
def test_a_mark_that_does_not_fit_is_not_gone_on_from(film, planted, tmp_path, damage) -> None:
    path, analyser = film
    copy = tmp_path / "film.mkv"
    copy.write_bytes(path.read_bytes())
    out, task = folder(tmp_path / "out"), task_for(copy)
    asked = iter(range(10**6))
    perform(task, analyser(), out, stop=lambda: next(asked) > 45)
    place = Place(out, task.key)
    if damage == "other settings":
        saved = load_mark(place.mark)
        save_mark(place.mark, {**saved, "made": [saved["made"][0], "0" * 12, *saved["made"][2:]]})
    elif damage == "torn mark":
        place.mark.write_bytes(place.mark.read_bytes()[:300])
    elif damage == "rows gone":
        place.film.rows.unlink()
    else:
        os.utime(copy, (1, 1))
    reader = analyser()
    perform(task, reader, out)
    assert min(reader.detector.scans) == 0
    assert len(Timeline.load(out / "film.csv")) == len(analyser().analyse(path))


def test_a_film_that_vanishes_while_it_is_read_is_read_to_its_end(film, tmp_path) -> None:
    path, analyser = film
    copy = tmp_path / "film.mkv"
    copy.write_bytes(path.read_bytes())
    asked = iter(range(10**6))
    timeline = analyser().analyse(copy, stop=lambda: next(asked) == 40 and bool(copy.unlink()))
    assert timeline.looked[0].frames == 60


def test_a_film_that_is_not_there_and_a_disk_that_is_full(film, tmp_path, monkeypatch) -> None:
    path, analyser = film
    out, task = folder(tmp_path / "out"), task_for(tmp_path / "none.mkv")
    with pytest.raises(SourceError, match="No such file"):
        perform(task, analyser(), out)
    task = task_for(path)

    class Full(resumable.io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > 4_000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    with monkeypatch.context() as patch:
        patch.setattr(resumable.io, "FileIO", Full)
        with pytest.raises(OutputError, match="the disk is full"):
            perform(task, analyser(), out)
    assert not (out / "film.csv").exists()
    perform(task, analyser(), out)
    whole = folder(tmp_path / "whole")
    perform(task, analyser(), whole)
    assert contents(out, task) == contents(whole, task)


def test_a_bug_in_one_film_is_that_film_s_failure(film, tmp_path, monkeypatch) -> None:
    path, analyser = film

    def broken(*arguments, **more):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(tasks, "read_film", broken)
    with pytest.raises(SourceError, match=r"this is a bug in Tronie \(ZeroDivisionError"):
        perform(task_for(path), analyser(), folder(tmp_path / "out"))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_film(planted, tmp_path) -> None:
    import gc
    import tracemalloc

    class Endless:
        """Two people for half a minute, made frame by frame."""

        def __getitem__(self, i):
            return [(20, 30, "nhs"[i // 90 % 3]), (150, 30, "h")]

        def __len__(self):
            return 900

    path = tmp_path / "film.mkv"
    planted.write_film(path, [Endless()[i] for i in range(900)])
    out, task = folder(tmp_path / "out"), task_for(path)
    reader = Analyser(planted.Model(), detector=planted.Detector(Endless()), settings=SETTINGS)
    held: dict[int, int] = {}

    def note(progress) -> None:
        if int(progress.done) in (10, 20, 29) and int(progress.done) not in held:
            for counts in (reader.model.batches, reader.detector.scans, reader.detector.nears):
                counts.clear()  # what the planted ones remember
            gc.collect()
            held[int(progress.done)] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        perform(task, reader, out, report=note)
    finally:
        tracemalloc.stop()
    grown = [held[20] - held[10], held[29] - held[20]]
    rows = 10 * 30 * 2 * 25 * 8  # what ten seconds of rows would take as columns
    assert max(grown) < rows / 5, held
