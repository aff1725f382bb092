"""A folder of results that was damaged, edited or planted: made again or refused in a sentence, never taken as done."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tronie.core.errors import OutputError, SettingError, SourceError, TronieError
from tronie.core.mark import load_mark, save_mark
from tronie.pipeline.analyser import Analyser
from tronie.pipeline.archive import predict_to
from tronie.pipeline.archive_ledger import NAME, checked
from tronie.pipeline.archive_tasks import HIDDEN, Place, absolute, key_of
from tronie.pipeline.settings import Settings
from tronie.video.sources import Source

NOT_JSON = [
    b"",
    b"\x00\xff\xfe",
    b"{",
    b"[" * 100_000,
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b'{"a": ' * 5_000,
    b'{"tronie_jobs": 1e999}',
    b'{"state": "done"}',
    b"9" * 5_000,
]


@pytest.fixture(scope="module")
def made(planted, tmp_path_factory):
    """A film and a picture, an analyser for them, and the folder of their results. Not to be changed."""
    root = tmp_path_factory.mktemp("damaged")
    told = planted.two_people("n" * 8 + "h" * 12)
    (root / "in").mkdir()
    planted.write_film(root / "in" / "film.mkv", told, rate=5)
    planted.write_picture(root / "in" / "photo.png", [(20, 30, "h")], 1000)
    analyser = Analyser(planted.Model(), detector=planted.Detector({**dict(enumerate(told)), 1000: [(20, 30, "h")]}))
    predict_to([root / "in"], root / "out", analyser)
    return root, analyser


@pytest.fixture
def folder(made, tmp_path):
    """A copy of all of it that may be changed, with the times that the files had; and what a fresh run gives there."""
    root, analyser = made
    shutil.copytree(root / "in", tmp_path / "in")
    predict_to([tmp_path / "in"], tmp_path / "out", analyser)
    return tmp_path, analyser, tables(tmp_path / "out")


def tables(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in out.iterdir() if p.suffix in (".csv", ".json")}


def again(folder, **how):
    root, analyser, _ = folder
    return predict_to([root / "in"], root / "out", analyser, **how)


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / NAME).read_text().splitlines()]


def rewrite(out: Path, change, *, check: bool = True) -> None:
    """Change the "done" line of the film, as somebody does who knows what a line must look like, or does not."""
    found = lines(out)
    for line in found:
        right = line.pop("check")
        if line.get("table") == "film" and line.get("state") == "done":
            change(line)
        if not check:
            line["check"] = right
    (out / NAME).write_text("".join((checked(line) if check else json.dumps(line)) + "\n" for line in found))


def test_nothing_changed_is_nothing_done(folder) -> None:
    job = again(folder)
    assert (job.before, job.done, job.warnings) == (2, 0, ())


@pytest.mark.parametrize("change", ["edited", "cut short", "empty", "same size"])
def test_a_table_that_was_changed_is_made_again_and_kept(folder, change) -> None:
    root, _, whole = folder
    table = root / "out" / "film.csv"
    old = table.read_bytes()
    table.write_bytes(
        {
            "edited": old.replace(b"happiness", b"sadness"),
            "cut short": old[: len(old) // 2],
            "empty": b"",
            "same size": old.replace(b"0.", b"1."),
        }[change]
    )
    changed = table.read_bytes()
    job = again(folder)
    assert (job.before, job.done) == (1, 1)
    assert job.warnings == (f"Not as written, so read again and kept as *.csv.changed: {table}.",)
    assert tables(root / "out") == whole
    assert (root / "out" / "film.csv.changed").read_bytes() == changed


def test_a_table_replaced_by_a_link_is_made_again_and_what_it_leads_to_is_not_copied(folder, tmp_path) -> None:
    root, _, whole = folder
    (tmp_path / "secret").write_text("not yours\n")
    (root / "out" / "film.csv").unlink()
    (root / "out" / "film.csv").symlink_to(tmp_path / "secret")
    again(folder)
    assert tables(root / "out") == whole and not (root / "out" / "film.csv").is_symlink()
    assert (tmp_path / "secret").read_text() == "not yours\n"
    kept = [p for p in (root / "out").rglob("*") if p.is_file() and not p.is_symlink()]
    assert not any(b"not yours" in p.read_bytes() for p in kept)


def test_a_table_that_was_changed_stays_where_its_film_cannot_be_read_any_more(folder) -> None:
    root, _, _ = folder
    (root / "out" / "film.csv").write_text("mine\n")
    film = root / "in" / "film.mkv"
    times = film.stat()
    film.write_bytes(bytes(times.st_size))
    os.utime(film, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(again(folder).failed) == 1
    assert (root / "out" / "film.csv").read_text() == "mine\n"


@pytest.mark.parametrize(
    "name",
    [
        "film.meta.json",
        ".tronie/{film}.segments.csv",
        ".tronie/{photo}.photos.csv",
        ".tronie/{photo}.photos.meta.json",
        ".tronie/{photo}.segments.csv",
    ],
)
@pytest.mark.parametrize("change", ["gone", "cut short"])
def test_a_sidecar_or_piece_that_is_gone_or_cut_is_made_again(folder, name, change) -> None:
    root, _, whole = folder
    keys = {Path(line["source"]).stem: line["task"] for line in lines(root / "out") if line.get("state") == "done"}
    path = root / "out" / name.format(**keys)
    path.write_bytes(path.read_bytes()[:-5]) if change == "cut short" else path.unlink()
    job = again(folder)
    assert (job.before, job.done) == (1, 1)
    assert job.warnings[0].startswith("Read again, because results are changed, cut short or gone: ")
    assert tables(root / "out") == whole


def test_what_is_not_asked_for_and_damaged_is_named_and_not_joined(folder) -> None:
    root, analyser, whole = folder
    (root / "out" / "film.csv").write_text("mine\n")
    job = predict_to([root / "in" / "photo.png"], root / "out", analyser)
    assert job.warnings == (
        f"What was read of {root / 'in' / 'film.mkv'} is changed, cut short or gone in {root / 'out'}: name it again.",
    )
    assert "film.mkv" not in (root / "out" / "segments.csv").read_text()
    assert (root / "out" / "film.csv").read_text() == "mine\n"
    assert again(folder).done == 1 and tables(root / "out") == whole


def test_results_copied_elsewhere_are_still_done(folder, tmp_path) -> None:
    root, analyser, _ = folder
    shutil.copytree(root / "out", root / "copy", copy_function=shutil.copyfile)  # with other times
    job = predict_to([root / "in"], root / "copy", analyser)
    assert (job.before, job.done) == (2, 0)


def test_damaged_lines_of_the_ledger_cost_nothing(folder) -> None:
    root, _, whole = folder
    head, *kept = (root / "out" / NAME).read_bytes().splitlines()
    deep = checked({"state": "done", "task": "0" * 16}).replace('"done"', "[" * 60_000).encode()
    (root / "out" / NAME).write_bytes(b"\n".join([head, *NOT_JSON, deep, *kept, *NOT_JSON]) + b"\n")
    job = again(folder)
    assert (job.before, job.done) == (2, 0)
    assert "damaged lines" in job.warnings[0] and len(job.warnings) == 1
    assert tables(root / "out") == whole


def test_a_changed_line_of_the_ledger_is_not_believed(folder) -> None:
    root, _, whole = folder
    rewrite(root / "out", lambda line: line.update(source="somebody else"), check=False)
    job = again(folder)
    assert (job.before, job.done) == (1, 1)
    assert "1 damaged lines" in job.warnings[0]
    assert tables(root / "out") == whole


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\xff\xfe",
        b"[" * 100_000,
        b"mine\n",
        b"[]\n",
        b'{"tronie_jobs": 2}\n',
        b'{"tronie_jobs": 1e999}\n',
        b'{"a": "\\ud800"}\n',
    ],
)
def test_a_file_that_is_no_ledger_is_left_alone(folder, text) -> None:
    root, _, _ = folder
    (root / "out" / NAME).write_bytes(text)
    for resume in (True, False):
        if not resume and text.startswith(b'{"tronie_jobs"'):  # of another version, or damaged
            assert again(folder, resume=False).done == 2
            return
        with pytest.raises(SettingError, match="is not a ledger"):
            again(folder, resume=resume)
        assert (root / "out" / NAME).read_bytes() == text


@pytest.mark.parametrize("name", ["task", "table", "path", "source", "stamp", "seals", "state"])
def test_a_line_of_wrong_types_is_read_again_at_most(folder, name) -> None:
    root, _, whole = folder
    for value in (7, None, [], {}, True, 10**30, "\ud800"):
        rewrite(root / "out", lambda line, value=value: line.update({name: value}))
        again(folder)
        assert tables(root / "out") == whole


@pytest.mark.parametrize("table", ["../film", "../../x", "{root}/planted", "in/x", "photos", "a\0b", ""])
def test_a_planted_ledger_writes_nothing_outside(folder, table) -> None:
    root, _, whole = folder
    rewrite(root / "out", lambda line: line.update(table=table.replace("{root}", str(root)), state="failed"))
    before = {p for p in root.rglob("*") if HIDDEN not in p.parts}
    assert again(folder).done == 1
    assert {p for p in root.rglob("*") if HIDDEN not in p.parts} == before
    assert tables(root / "out") == whole


def test_a_planted_task_reads_and_takes_away_nothing_outside(folder) -> None:
    root, _, whole = folder
    (root / "mine.segments.csv").write_text("source,label\nmine,secret\n")
    rewrite(root / "out", lambda line: line.update(task="../../mine"))
    again(folder)
    assert tables(root / "out") == whole
    assert (root / "mine.segments.csv").exists()


def test_two_films_never_share_a_table(folder) -> None:
    root, _, _ = folder
    found = lines(root / "out")
    film = next(line for line in found if line.get("table") == "film" and line["state"] == "done")
    shutil.copyfile(root / "in" / "film.mkv", root / "in" / "other.mkv")
    other = {**film, "path": str((root / "in" / "other.mkv").resolve()), "source": "other", "state": "failed"}
    with (root / "out" / NAME).open("a") as file:
        other.pop("check")
        file.write(checked(other) + "\n")
    assert again(folder).done == 1
    assert (root / "out" / "film.csv").exists() and (root / "out" / "other.csv").exists()


def stopped(folder):
    """The folder with the film half read, and its place."""
    root, analyser, _ = folder
    shutil.rmtree(root / "out")
    times = iter(range(10**6))
    predict_to([root / "in" / "film.mkv"], root / "out", analyser, stop=lambda: next(times) > 17)
    source = Source(root / "in" / "film.mkv", "video", "film")
    place = Place(root / "out", key_of([absolute(source)]))
    assert place.mark.exists()
    return place


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr("tronie.pipeline.resumable.EVERY", 0.3)


@pytest.mark.parametrize("text", [*NOT_JSON, "flipped", "cut", "rows cut", "rows edited", "rows empty"])
def test_a_damaged_mark_or_rows_file_is_begun_again(folder, often, text) -> None:
    root, _, whole = folder
    place = stopped(folder)
    if isinstance(text, bytes):
        place.mark.write_bytes(text)
    elif text in ("flipped", "cut"):
        data = bytearray(place.mark.read_bytes())
        data[len(data) // 2] ^= 1
        place.mark.write_bytes(bytes(data) if text == "flipped" else bytes(data[: len(data) // 2]))
    else:
        rows = place.film.rows.read_bytes()
        place.film.rows.write_bytes(
            {"rows cut": rows[:200], "rows edited": rows.replace(b"0.", b"1."), "rows empty": b""}[text]
        )
    assert again(folder).failed == ()
    assert tables(root / "out") == whole


@pytest.mark.parametrize("name", ["state", "size", "film", "digest", "reached", "finished"])
def test_a_planted_mark_of_wrong_types_is_begun_again(folder, often, name) -> None:
    root, _, whole = folder
    for value in (None, [], "x", -1):
        place = stopped(folder)
        save_mark(place.mark, {**load_mark(place.mark), name: value})
        assert again(folder).failed == ()
        assert tables(root / "out") == whole


def test_a_finished_block_of_pictures_whose_pieces_are_damaged_is_read_again(folder) -> None:
    root, analyser, whole = folder
    key = next(line["task"] for line in lines(root / "out") if line.get("kind") == "image" and "rows" in line)
    place = Place(root / "out", key)
    done = next(line for line in lines(root / "out") if line.get("kind") == "image" and line["state"] == "done")
    kept = {k: done[k] for k in ("source", "path", "kind", "rows", "seals", "stamp")} | {"warnings": []}
    made = [analyser.model.hash, analyser.settings.hash]
    save_mark(place.mark, {"made": [*made, "0.1.0"], "outcomes": [kept]})
    (root / "out" / NAME).write_text((root / "out" / NAME).read_text().split("\n")[0] + "\n")
    place.photos.write_text("planted\n")
    assert again(folder).failed == ()
    assert tables(root / "out")["photos.csv"] == whole["photos.csv"]


@pytest.mark.parametrize("name", ["film.csv", "film.meta.json", "photos.csv", "segments.csv", NAME, ".tronie/lock"])
@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_where_a_file_belongs_is_one_sentence_before_the_work(folder, name, resume) -> None:
    root, analyser, _ = folder
    path = root / "out" / name
    path.unlink(missing_ok=True)
    path.mkdir()
    scans = len(analyser.detector.scans)
    with pytest.raises(OutputError) as told:
        again(folder, resume=resume)
    assert str(path) in str(told.value) and "\n" not in str(told.value)
    assert len(analyser.detector.scans) == scans


@pytest.mark.parametrize("name", ["mine.txt", "folder/deep.txt", "0123456789abcdef.rows/deep.txt"])
def test_beginning_again_takes_only_our_own_files_away(folder, name) -> None:
    root, _, whole = folder
    path = root / "out" / HIDDEN / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    assert again(folder, resume=False).done == 2
    assert path.read_text() == "mine"
    assert tables(root / "out") == whole


def planted_at(folder, name: str, kind: str) -> Path:
    """An empty folder of results with a pipe, or a link to somebody's file, in the place of one of its files."""
    root = folder[0]
    shutil.rmtree(root / "out")
    (root / "mine").write_text("mine")
    path = root / "out" / name.format(key=key_of([absolute(Source(root / "in" / "film.mkv", "video", "film"))]))
    path.parent.mkdir(parents=True)
    if kind == "link":
        path.symlink_to(root / "mine")
    elif hasattr(os, "mkfifo"):
        os.mkfifo(path)
    else:
        pytest.skip("this system has no named pipes")
    return root / "mine"


@pytest.mark.parametrize("name", [NAME, ".tronie/lock", ".tronie/{key}.lock", ".tronie/{key}.rows"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_pipe_or_a_link_at_a_place_of_ours_is_refused(folder, name, kind) -> None:
    mine = planted_at(folder, name, kind)
    with pytest.raises(TronieError, match="must be a regular file of Tronie's own"):
        again(folder)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_pipe_or_a_link_in_the_place_of_a_mark_is_no_mark(folder, kind) -> None:
    mine = planted_at(folder, ".tronie/{key}.mark", kind)
    assert again(folder).done == 2
    assert tables(folder[0] / "out") == folder[2] and mine.read_text() == "mine"


def test_a_hidden_folder_that_leads_elsewhere_is_refused(folder) -> None:
    root, _, _ = folder
    shutil.rmtree(root / "out" / HIDDEN)
    (root / "mine").mkdir()
    (root / "mine" / "0123456789abcdef.rows").write_text("mine")
    (root / "out" / HIDDEN).symlink_to(root / "mine")
    with pytest.raises(OutputError, match="is a link to another folder"):
        again(folder, resume=False)
    assert (root / "mine" / "0123456789abcdef.rows").exists()


def test_results_inside_the_archive_itself(folder) -> None:
    root, analyser, _ = folder
    for out in (root / "in" / "res", root / "in"):
        assert predict_to([root / "in"], out, analyser).done == 2
        assert predict_to([root / "in"], out, analyser).before == 2
        assert predict_to([root / "in"], out, analyser, resume=False).done == 2


def replaced(path: Path, how: str, other: bytes) -> None:
    times = path.stat()
    if how == "in place":
        path.write_bytes(other)
    else:
        path.with_name("new").write_bytes(other)
        path.with_name("new").replace(path)
    if how == "with its times":
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def a_little_other(data: bytes) -> bytes:
    """The same length, and other bytes near its end."""
    return data[:-600] + bytes(b ^ 1 for b in data[-600:-500]) + data[-500:]


@pytest.mark.parametrize("how", ["in place", "by another", "with its times"])
def test_a_film_replaced_between_two_runs_is_read_again(folder, how) -> None:
    root, _, _ = folder
    film = root / "in" / "film.mkv"
    replaced(film, how, a_little_other(film.read_bytes()))
    job = again(folder)
    assert job.before == 1 and job.done + len(job.failed) == 1


def test_a_film_that_is_renamed_back_or_linked_is_not(folder) -> None:
    root, _, _ = folder
    film = root / "in" / "film.mkv"
    os.link(film, root / "hard link")
    film.chmod(0o600)
    assert again(folder).before == 2


@pytest.mark.parametrize("how", ["in place", "by another", "with its times"])
def test_a_film_replaced_while_it_is_read_is_noticed_and_read_again(folder, how) -> None:
    root, analyser, _ = folder
    shutil.rmtree(root / "out")
    film = root / "in" / "film.mkv"
    old, times = film.read_bytes(), iter(range(10**6))

    def meddle() -> bool:
        if next(times) == 9:
            replaced(film, how, old + b"\0" * 8 if how != "with its times" else a_little_other(old))
        return False

    job = predict_to([film], root / "out", analyser, stop=meddle)
    assert job.done == 1
    told = [line["error"] for line in lines(root / "out") if line.get("state") == "again"]
    assert len(told) == 1 and "was changed or replaced while it was read" in told[0]


def test_a_film_that_is_written_all_the_time_is_a_failure(folder) -> None:
    root, analyser, _ = folder
    shutil.rmtree(root / "out")
    film = root / "in" / "film.mkv"

    def meddle() -> bool:
        with film.open("ab") as file:
            file.write(b"\0")
        return False

    with pytest.raises(SourceError, match="was changed or replaced while it was read"):
        predict_to([film], root / "out", analyser, stop=meddle)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(fps=10), "--fps 10, the folder was begun with 5"),
        (Settings(fps=5, baseline="person"), "--baseline person, the folder was begun with model"),
        (Settings(fps=5, kernel=0.5), "setting kernel 0.5, the folder was begun with 0.3"),
        (Settings(), "--fps none, the folder was begun with 5"),
    ],
)
def test_a_conflict_names_the_setting(made, tmp_path, settings, says) -> None:
    root, analyser = made
    five = Analyser(analyser.model, detector=analyser.detector, settings=Settings(fps=5))
    predict_to([root / "in" / "photo.png"], tmp_path / "out", five)
    other = Analyser(analyser.model, detector=analyser.detector, settings=settings)
    with pytest.raises(SettingError) as told:
        predict_to([root / "in" / "photo.png"], tmp_path / "out", other)
    assert says in str(told.value)
    assert five.settings.hash not in str(told.value)


def test_a_conflict_names_the_model(made, planted, tmp_path) -> None:
    root, analyser = made
    predict_to([root / "in" / "photo.png"], tmp_path / "out", analyser)
    other = planted.Model()
    other.name, other.hash = "other", "f" * 12
    with pytest.raises(SettingError, match="--model other, the folder was begun with planted"):
        predict_to([root / "in"], tmp_path / "out", Analyser(other, detector=analyser.detector))
    other.name = "planted"  # the folder of one name holds another model now
    with pytest.raises(SettingError, match="model ffffffffffff, the folder was begun with 0123456789ab"):
        predict_to([root / "in"], tmp_path / "out", Analyser(other, detector=analyser.detector))
