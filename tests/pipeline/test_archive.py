"""An archive into a folder: every source once, nothing twice, nothing lost."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tronie.cli.archive import Sharing, into_folder
from tronie.core.errors import OutputError, SettingError, SourceError
from tronie.core.lock import locked
from tronie.core.timeline import Timeline
from tronie.pipeline import archive as jobs
from tronie.pipeline import archive_engines as engines
from tronie.pipeline.analyser import PHOTO, Analyser
from tronie.pipeline.archive import plan, predict_to
from tronie.pipeline.archive_engines import ATTEMPTS, KILLED, Died, How, here, insist
from tronie.pipeline.archive_ledger import NAME, Ledger, append
from tronie.pipeline.archive_tasks import HIDDEN, Outcome, Place, perform
from tronie.pipeline.resumable import Begun
from tronie.pipeline.settings import Settings

FILM = "n" * 15 + "h" * 15
PEOPLE = [[(20, 30, "h")], [(20, 30, "s"), (150, 30, "n")], []]


def laid_down(planted, root: Path) -> tuple[Path, Analyser]:
    film = planted.two_people(FILM)
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        planted.write_film(root / name / "film.mkv", film)
    for i, faces in enumerate(PEOPLE):
        planted.write_picture(root / f"p{i}.png", faces, 1000 + i)
    (root / "bad.mkv").write_bytes(b"\x1aE\xdf\xa3 not a film")
    detector = planted.Detector({**dict(enumerate(film)), **{1000 + i: faces for i, faces in enumerate(PEOPLE)}})
    return root, Analyser(planted.Model(), detector=detector)


@pytest.fixture
def archive(planted, tmp_path):
    """A folder with two films of one name, three pictures and a damaged film; and an analyser for them."""
    return laid_down(planted, tmp_path / "archive")


@pytest.fixture(scope="module")
def whole(planted, tmp_path_factory):
    """Such a folder that nobody changes, its analyser, and the files that a run which nothing stops makes of it."""
    root, analyser = laid_down(planted, tmp_path_factory.mktemp("still") / "archive")
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "BLOCK", 2)
        predict_to([root], out, analyser)
    return root, analyser, files(out)


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file() and path.name != NAME}


def ledger(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / NAME).read_text().splitlines()]


def test_a_folder_becomes_a_folder(archive, tmp_path) -> None:
    root, analyser = archive
    out, heard = tmp_path / "out", []
    job = predict_to([root], out, analyser, heard=lambda outcome, table: heard.append((outcome.source, table)))
    assert list(files(out)) == [
        "film.csv",
        "film.meta.json",
        "film_2.csv",
        "film_2.meta.json",
        "photos.csv",
        "photos.meta.json",
        "segments.csv",
    ]
    assert (job.total, job.before, job.done, len(job.failed), job.stopped) == (6, 0, 5, 1, False)
    assert len(heard) == 6
    whole = Timeline.concat([analyser.analyse(root / f"p{i}.png") for i in range(3)])
    assert Timeline.load(out / "photos.csv") == whole
    segments = (out / "segments.csv").read_text().splitlines()
    assert segments[0] == "source,track,start,end,label,confidence,usable,rows"
    assert len(segments) == 1 + 2 + 2 + 3
    lines = ledger(out)
    assert lines[0]["tronie_jobs"] == 1 and lines[0]["settings"] == analyser.settings.hash
    ended = {Path(line["source"]).name: line for line in lines if line.get("state") in ("done", "failed")}
    assert ended["bad.mkv"]["attempts"] == 3 and "cannot be read as a film" in ended["bad.mkv"]["error"]
    assert [line["state"] for line in lines[1:] if "bad.mkv" in line["source"]] == [
        "started",
        "again",
        "started",
        "again",
        "started",
        "failed",
    ]
    assert (ended["p1.png"]["rows"], ended["film.mkv"]["rows"], ended["film.mkv"]["seconds"]) == (2, 30, 1.0)


def test_the_second_run_does_what_is_new_and_tries_again_what_failed(archive, planted, tmp_path) -> None:
    root, analyser = archive
    out = tmp_path / "out"
    predict_to([root], out, analyser)
    first = files(out)
    scans = len(analyser.detector.scans)
    job = predict_to([root], out, analyser)
    assert (job.before, job.done, len(job.failed)) == (5, 0, 1)
    assert len(analyser.detector.scans) == scans
    assert files(out) == first
    shutil.copy(root / "a" / "film.mkv", root / "bad.mkv")  # mended
    planted.write_picture(root / "p1.png", [(20, 30, "h")], 1000)  # changed
    job = predict_to([root], out, analyser)
    assert (job.before, job.done, job.failed) == (4, 2, ())
    assert len(Timeline.load(out / "bad.csv")) == 30
    photos = Timeline.load(out / "photos.csv")
    assert [Path(name).name for name in photos["source"]] == ["p0.png", "p1.png"]  # one result of each, the new one
    assert photos["label"].tolist() == ["happiness", "happiness"]
    assert sorted(Path(one.source).name for one in photos.looked) == ["p0.png", "p1.png", "p2.png"]
    (out / "film.csv").unlink()
    assert predict_to([root], out, analyser).done == 1
    assert files(out)["film.csv"] == first["film.csv"]


@pytest.mark.parametrize("asked", [0, 3, 20, 45, 63, 64])
def test_stopped_and_gone_on_is_the_same_folder(whole, tmp_path, monkeypatch, asked) -> None:
    root, analyser, expected = whole
    monkeypatch.setattr(jobs, "BLOCK", 2)
    times = iter(range(10**6))
    job = predict_to([root], tmp_path / "out", analyser, stop=lambda: next(times) >= asked)
    assert job.stopped and job.done < 5
    assert predict_to([root], tmp_path / "out", analyser).before == job.done
    assert files(tmp_path / "out") == expected


def test_a_ledger_cut_in_its_last_line_and_a_folder_made_otherwise(archive, tmp_path) -> None:
    root, analyser = archive
    out = tmp_path / "out"
    predict_to([root], out, analyser)
    whole = files(out)
    text = (out / NAME).read_bytes()
    (out / NAME).write_bytes(text[:-40])
    job = predict_to([root], out, analyser)
    assert job.done == 1 and files(out) == whole
    thin = Analyser(analyser.model, detector=analyser.detector, settings=Settings(fps=5))
    with pytest.raises(SettingError, match=r"--fps 5, the folder was begun with none\): give another folder, or --no"):
        predict_to([root], out, thin)
    assert predict_to([root], out, thin, resume=False).done == 5
    assert len(Timeline.load(out / "film.csv")) == 5
    (out / NAME).write_text('{"something": "else"}\n')
    with pytest.raises(SettingError, match="not a ledger"):
        predict_to([root], out, thin)


def test_two_jobs_on_one_folder(archive, tmp_path) -> None:
    root, analyser = archive
    (tmp_path / "out" / HIDDEN).mkdir(parents=True)
    with locked(tmp_path / "out" / HIDDEN / "lock"), pytest.raises(OutputError) as told:
        predict_to([root], tmp_path / "out", analyser)
    assert "is being written by another job" in str(told.value) and "\n" not in str(told.value)
    assert predict_to([root], tmp_path / "out", analyser).done == 5


def test_nothing_that_can_be_read_is_an_error(archive, tmp_path) -> None:
    root, analyser = archive
    out = tmp_path / "out"
    with pytest.raises(SourceError, match="cannot be read as a film"):
        predict_to([root / "bad.mkv"], out, analyser)
    with pytest.raises(SourceError, match=r"None of the 2 sources could be read\. The last one:"):
        predict_to([root / "bad.mkv", root / "nowhere.jpg"], out, analyser)
    with pytest.raises(SourceError, match="No source was given"):
        predict_to([], out, analyser)
    assert predict_to([root / "p0.png", root / "nowhere.jpg"], out, analyser).done == 1
    for wrong in ({"jobs": 0}, {"engine": "rya"}):
        with pytest.raises(SettingError, match=r"--jobs is 0|ray"):
            predict_to([root / "p0.png"], out, analyser, **wrong)


class Killer:
    """Reads as a worker that dies each time: ``gets_on`` says how far it comes, ``crashes`` if by its own fault."""

    def __init__(self, out: Path, monkeypatch, gets_on=(), *, crashes: bool = False, then=None) -> None:
        self.at, self.begun, self.ends = 0.0, 0, then
        self._out, self._gets_on, self._crashes = out, list(gets_on), crashes
        monkeypatch.setattr(engines, "begun", lambda mark: Begun(self.at))

    def __call__(self, task):
        self.begun += 1
        if self.ends is not None and not self._gets_on:
            return self.ends(task)
        self.at += self._gets_on.pop(0) if self._gets_on else 0.0
        if self._crashes:
            Place(self._out, task.key).crash.write_text("Fatal Python error: Segmentation fault\n\nStack\n")
        raise Died.while_reading(task, self._out)


@pytest.fixture
def one_film(archive, tmp_path):
    """A folder of results, its ledger and the task of one film."""
    out = tmp_path / "out"
    (out / HIDDEN).mkdir(parents=True)
    book = Ledger(out / NAME, {})
    (task,) = plan(jobs._sources([archive[0] / "a"])[0], book, out).tasks
    return out, book, task


def test_a_film_whose_reader_is_killed_again_and_again_is_given_up_in_the_end(one_film, monkeypatch) -> None:
    out, book, task = one_film
    deadly = Killer(out, monkeypatch)
    ((_, outcomes),) = insist(task, deadly, out, book)
    assert deadly.begun == KILLED == outcomes[0].attempts
    assert f"happened {KILLED} times at 0 s, and nothing was read in between" in outcomes[0].error
    assert "it was killed, or there was not enough memory" in outcomes[0].error


def test_a_film_that_crashes_its_reader_is_given_up_soon_and_the_crash_named(one_film, monkeypatch) -> None:
    out, book, task = one_film
    deadly = Killer(out, monkeypatch, crashes=True)
    ((_, outcomes),) = insist(task, deadly, out, book)
    assert deadly.begun == ATTEMPTS
    assert "it crashed (Segmentation fault)" in outcomes[0].error
    assert not Place(out, task.key).crash.exists()


@pytest.mark.parametrize("crashes", [True, False])
def test_a_film_that_gets_on_between_two_deaths_gets_through(one_film, monkeypatch, crashes) -> None:
    out, book, task = one_film
    read = [Outcome(task.name, "path", "video")]
    slow = Killer(out, monkeypatch, [0, 1.0] * 9, crashes=crashes, then=lambda task: read)
    ((_, outcomes),) = insist(task, slow, out, book)
    assert outcomes[0].error == "" and outcomes[0].attempts == 19


def test_runs_that_end_with_their_process_are_not_held_against_a_film(one_film, monkeypatch) -> None:
    out, _, task = one_film
    how = How("default", Settings())
    beside = []
    monkeypatch.setattr(engines, "beside", lambda tasks, *rest: beside.append(tasks) or [(tasks[0], None)])
    for run in range(5):
        book = Ledger(out / NAME, {})
        assert book.tries(task, 0.0) == run
        begun = []

        def killed(task, begun=begun):
            begun.append(task)
            raise Cut

        with suppress(Cut), monkeypatch.context() as patch:
            patch.setattr(Ledger, "stopped", lambda book, task: None)  # kill -9: nobody says a word
            list(here([task], killed, out, book, lambda: False, how))
        assert (len(begun), len(beside)) == ((1, 0) if run < engines.SUSPECT else (0, run - 1))
        if run >= engines.SUSPECT:  # read in a process of its own, whose end this run survives
            book.started(task, 1, 0.0)


class Cut(BaseException):
    """The machine is taken away."""


def test_being_stopped_is_no_failure(archive, tmp_path) -> None:
    root, _ = archive
    out = tmp_path / "out"
    (out / HIDDEN).mkdir(parents=True)
    book = Ledger(out / NAME, {})
    (task,) = plan(jobs._sources([root / "a"])[0], book, out).tasks
    for _ in range(5):
        assert insist(task, lambda task: None, out, book) == [(task, None)]
    with pytest.raises(OutputError):
        insist(task, lambda task: (_ for _ in ()).throw(OutputError("full")), out, book)
    assert Ledger(out / NAME, {}).tries(task, 0.0) == 0


def test_a_block_with_a_picture_that_kills_is_taken_apart(archive, tmp_path) -> None:
    root, analyser = archive
    out = tmp_path / "out"
    (out / HIDDEN).mkdir(parents=True)
    book = Ledger(out / NAME, {})
    tasks = plan(jobs._sources([root / f"p{i}.png" for i in range(3)])[0], book, out).tasks

    def deadly(task):
        if any(one.name.endswith("p1.png") for one in task.sources):
            raise Died.while_reading(task, out)
        return perform(task, analyser, out)

    outcomes = [one for _, found in here(tasks, deadly, out, book, lambda: False) for one in found]
    assert [bool(one.error) for one in outcomes] == [False, True, False]
    assert outcomes[1].attempts == KILLED


def test_names_stay_free_short_and_as_they_were(tmp_path, archive) -> None:
    root, _ = archive
    taken, numbers = {"photos", "segments"}, {}
    names = [jobs._name(f"{'x' * 400}.mp4", taken, numbers), jobs._name("photos.mp4", taken, numbers)]
    names += [jobs._name(name, taken, numbers) for name in ("a/Film.mp4", "b/film.mp4", "c/film.mp4", "film_2.mkv")]
    assert [len(names[0]), *names[1:]] == [180, "photos_2", "Film", "film_2", "film_3", "film_2_2"]
    book = Ledger(tmp_path / NAME, {})
    tasks = plan(jobs._sources([root / "b" / "film.mkv"])[0], book, tmp_path).tasks
    outcome = Outcome("b", str((root / "b" / "film.mkv").resolve()), "video")
    book.ended(replace(tasks[0], table="film_7"), [outcome])
    assert plan(jobs._sources([root / "b" / "film.mkv"])[0], book, tmp_path).tasks[0].table == "film_7"


def test_a_torn_line_is_ended_before_the_next(tmp_path) -> None:
    (tmp_path / "log").write_bytes(b'{"a": 1}\n{"b"')
    append(tmp_path / "log", b'{"c": 2}\n')
    assert (tmp_path / "log").read_bytes() == b'{"a": 1}\n{"b"\n{"c": 2}\n'


def test_the_json_of_a_folder_carries_every_warning(archive, planted, tmp_path, capsys) -> None:
    """Also of what could not be read, and of photos, which a person's own neutral says nothing of."""
    root, plain = archive
    model = planted.Model()
    model.neutral = SimpleNamespace(expected={name: 1 / len(model.labels) for name in model.labels.names})
    person = Analyser(model, detector=plain.detector, settings=Settings(baseline="person"))
    for analyser, wanted in ((plain, set()), (person, {PHOTO})):
        out = tmp_path / f"out{len(wanted)}"
        into_folder([str(root)], out, analyser, Sharing(), "default", threading.Event(), json=True, quiet=True)
        said = json.loads(capsys.readouterr().out)["warnings"]
        assert any("bad.mkv cannot be read as a film" in words for words in said)
        assert wanted <= set(said) and len(said) == len(set(said))
