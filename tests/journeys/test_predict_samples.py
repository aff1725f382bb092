"""`tronie predict` on the real samples, through the real command, model and detector."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tronie.core.timeline import Timeline
from tronie.models.catalog import shipped

SRC = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.skipif("default" not in shipped(), reason="the default model is not in this tree")


@pytest.fixture(scope="module")
def told(shared_data, tmp_path_factory):
    """Predict a sample once, by the command line; gives its timeline."""
    folder = tmp_path_factory.mktemp("told")
    done: dict[str, Timeline] = {}

    def tell(name: str, *options: str) -> Timeline:
        if name not in done:
            out = folder / f"{name}.json"
            answer = tronie("predict", str(shared_data / "samples" / name), "--out", str(out), *options)
            assert answer.returncode == 0, answer.stderr
            done[name] = Timeline.load(out)
        return done[name]

    return tell


def tronie(*arguments: str) -> subprocess.CompletedProcess[str]:
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run([sys.executable, "-m", "tronie", *arguments], capture_output=True, text=True, env=here)


def longest(timeline: Timeline) -> str:
    return max(timeline.segments(), key=lambda s: s.duration).label


def in_a_row(timeline: Timeline, track: int) -> list[str]:
    """Labels of a person's segments, "uncertain" left out, repeats joined."""
    labels = [s.label for s in timeline.segments() if s.track == track and s.label != "uncertain"]
    return [label for i, label in enumerate(labels) if i == 0 or label != labels[i - 1]]


ACTED = [("acted_angry_1080p", "anger"), ("acted_happy_1080p", "happiness"), ("acted_sad_1080p", "sadness")]
MISSED = "static-1 does not find anger while the mouth talks: it says uncertain"


@pytest.mark.parametrize(
    ("name", "wanted"), [pytest.param(*ACTED[0], marks=pytest.mark.xfail(reason=MISSED, strict=True)), *ACTED[1:]]
)
def test_an_acted_film_s_longest_segment_is_its_label(told, name, wanted) -> None:
    assert longest(told(f"{name}.mp4")) == wanted


@pytest.mark.parametrize(("name", "wanted"), ACTED)
def test_an_acted_film_shows_one_person_and_mostly_no_false_expression(told, name, wanted) -> None:
    timeline = told(f"{name}.mp4")
    assert len(set(timeline["track"])) == 1
    assert longest(timeline) in (wanted, "uncertain")


def test_a_film_without_faces_is_known_as_such(shared_data, tmp_path) -> None:
    answer = tronie("predict", str(shared_data / "samples" / "no_face.mp4"), "-o", str(tmp_path / "none.csv"))
    assert answer.returncode == 0
    assert "no face found" in answer.stdout
    timeline = Timeline.load(tmp_path / "none.csv")
    assert len(timeline) == 0
    (looked,) = timeline.looked
    assert looked.frames > 10
    assert looked.empty == ((looked.start, looked.end),)


def test_a_smile_comes_and_goes(told) -> None:
    timeline = told("london_neutral_smile_009.mp4")
    (track,) = set(timeline["track"].tolist())
    assert in_a_row(timeline, track) == ["neutral", "happiness", "neutral"]
    assert len(timeline.segments()) <= 5


def test_three_smiles_come_and_go(told) -> None:
    timeline = told("london_neutral_smile_3people.mp4")
    people = sorted(set(timeline["track"].tolist()))
    assert len(people) == 3
    for track in people:
        assert in_a_row(timeline, track) == ["neutral", "happiness", "neutral"]


def test_the_grid_of_twelve(told, shared_data) -> None:
    timeline = told("london_grid12.jpg")
    lines = (shared_data / "samples" / "london_grid12.txt").read_text().split()
    truth = {(int(r), int(c)): word for r, c, _, word in (line.split(",") for line in lines)}
    x, y = timeline["x"] + timeline["width"] / 2, timeline["y"] + timeline["height"] / 2
    column = ((x - x.min()) / (x.max() - x.min()) * 3).round().astype(int)
    row = ((y - y.min()) / (y.max() - y.min()) * 2).round().astype(int)
    assert len(timeline) == 12
    word = {"happiness": "smiling", "neutral": "neutral"}
    right = [word.get(label) == truth[r, c] for label, r, c in zip(timeline["label"], row, column, strict=True)]
    assert sum(right) >= 10
    assert timeline["track"].tolist() == [4 * r + c for r, c in zip(row, column, strict=True)]  # as one reads


def test_a_group_picture_of_1927(told) -> None:
    assert len(told("solvay1927.jpg")) >= 26


def test_portraits_smile(told) -> None:
    assert told("astronaut_nasa.jpg")["label"].tolist() == ["happiness"]
    assert len(told("grace_hopper_usnavy.jpg")) == 1
    assert len(told("obama_and_biden.jpg")) == 3  # a child below


def test_people_on_a_stage_stay_apart(told) -> None:
    timeline = told("two_people_stage.mp4", "--fps", "10")
    assert len(set(timeline["track"].tolist())) >= 2


def test_a_folder_writes_a_table_per_film_and_one_of_photos(shared_data, tmp_path) -> None:
    for name in ("astronaut_nasa.jpg", "obama_and_biden.jpg", "london_neutral_smile_009.mp4"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes((shared_data / "samples" / name).read_bytes())
    answer = tronie("predict", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--json")
    assert answer.returncode == 0
    assert sorted(p.name for p in (tmp_path / "out").glob("*.csv")) == [
        "london_neutral_smile_009.csv",
        "photos.csv",
        "segments.csv",
    ]
    document = json.loads(answer.stdout)
    assert {s["source"].rsplit("/")[-1] for s in document["segments"]} == {p.name for p in (tmp_path / "in").iterdir()}


def test_the_same_run_twice_is_the_same_file(shared_data, tmp_path) -> None:
    film = str(shared_data / "samples" / "london_neutral_smile_009.mp4")
    for name in ("a.csv", "b.csv"):
        assert tronie("predict", film, "-o", str(tmp_path / name), "-q").returncode == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_real_film_stopped_and_restored_at_three_points(shared_data) -> None:
    from tronie.pipeline.analyser import Analyser
    from tronie.pipeline.chain import Chain
    from tronie.video.reader import VideoReader

    path, warm = shared_data / "samples" / "two_people_stage.mp4", Analyser()

    def chain() -> Chain:
        return Chain(warm.model, warm.detector, warm.settings, "film")

    def film() -> VideoReader:
        return VideoReader(path, fps=8)

    whole = Timeline.concat(list(chain().run(film())))
    assert len(whole) > 50
    for cells in (1, 3, 5):
        first, parts = chain(), []
        for part in first.run(film()):
            parts.append(part)
            if len(parts) == cells:
                break
        second = chain()
        second.restore(json.loads(json.dumps(first.state())))
        assert Timeline.concat([*parts, *second.run(film())]) == whole


def test_a_wrong_or_tampered_model_is_one_sentence(shared_data, tmp_path) -> None:
    photo = str(shared_data / "samples" / "grace_hopper_usnavy.jpg")
    shutil.copytree(SRC / "tronie" / "models" / "shipped" / "default", tmp_path / "mine")
    assert tronie("predict", photo, "--model", str(tmp_path / "mine"), "--quiet").returncode == 0
    with (tmp_path / "mine" / "encoder.onnx").open("r+b") as graph:
        graph.seek(1000)
        graph.write(b"tampered")
    for model, says in (("defualt", "default"), (str(tmp_path / "mine"), "hash"), (str(tmp_path), "No model")):
        answer = tronie("predict", photo, "--model", model)
        assert answer.returncode == 4
        assert says in answer.stderr
        assert len(answer.stderr.splitlines()) == 1


def test_prediction_needs_no_torch(shared_data) -> None:
    code = (
        "import sys, tronie; t = tronie.predict(sys.argv[1]); assert len(t) == 1;"
        "print([m for m in ('torch', 'pandas', 'scipy', 'matplotlib', 'sklearn', 'rich') if m in sys.modules])"
    )
    photo = str(shared_data / "samples" / "grace_hopper_usnavy.jpg")
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    answer = subprocess.run([sys.executable, "-c", code, photo], capture_output=True, text=True, env=here, check=True)
    assert answer.stdout.strip() == "[]"
