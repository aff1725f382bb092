"""The benchmarks on tracks: what they plant lies where they say, runs are kept and skipped, tables can be checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch")

from numpy.typing import NDArray

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The scripts, importable beside one another as they are when run."""
    folder = str(REPO / "benchmarks" / "accuracy")
    sys.path.insert(0, folder)
    names = ("tracks", "tracks_noise", "rdfer_tracks", "rdfer_needle", "rdfer_noise", "rdfer_agreement")
    yield {name: __import__(name) for name in names}
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty actors, each with a neutral clip and one of every other label but the last two; faces of 68 points."""
    rng, deltas, offsets, names, labels = np.random.default_rng(0), [], [0], [], []
    face = np.stack([300 + 90 * np.cos(np.arange(68)), 300 + 90 * np.sin(2 * np.arange(68))], 1)
    face[36:48] += np.where(np.arange(12) < 6, -60, 60)[:, None] * np.array([1, 0])
    for actor in range(1, 21):
        for label in range(8):
            frames = int(rng.integers(20, 30))
            track = (
                face + 8 * label * np.sin(np.linspace(0, 3, frames))[:, None, None] + rng.normal(0, 1, (frames, 68, 2))
            )
            flat = track.round().reshape(frames, 136).astype(np.int16)
            deltas.append(np.diff(flat, axis=0, prepend=np.zeros((1, 136), np.int16)).T)
            offsets.append(offsets[-1] + frames)
            names.append(f"02-01-0{label + 1}-0{1 if label == 0 else 1 + actor % 2}-01-01-{actor:02d}.mp4")
            labels.append(label)
    path = tmp_path_factory.mktemp("tracks") / "ravdess_tracks_train.npz"
    np.savez(
        path,
        delta=np.concatenate(deltas, 1).astype(np.int16),
        offsets=np.array(offsets),
        name=np.array(names),
        label=np.array(labels, np.uint8),
        actor=np.repeat(np.arange(1, 21), 8).astype(np.int8),
        intensity=np.ones(160, np.int8),
        label_names=np.array(["neutral"] * 8),
    )
    return path


def test_a_table_is_made_once_and_printed_again(
    scripts: dict[str, ModuleType],
    pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "runs.jsonl"
    given = ["x", str(pack), "--out", str(out), "--seeds", "0", "1", "--epochs", "1", "--rows", "mean", "RDFER"]
    monkeypatch.setattr(sys, "argv", given)
    scripts["rdfer_tracks"].main()
    first, lines = capsys.readouterr(), out.read_text().splitlines()
    assert len(lines) == 8 and first.err.count("4 of 4") == 2  # relative to the person, and as they are
    rows = [line for line in first.out.splitlines() if line.startswith("| mean") or line.startswith("| RDFER")]
    assert len(rows) == 4 and rows[0].count("|") == 7
    scripts["rdfer_tracks"].main()
    again = capsys.readouterr()
    assert out.read_text().splitlines() == lines and again.out == first.out and again.err == ""


@pytest.mark.parametrize(
    ("script", "rows"),
    [("rdfer_needle", ["learned by steps"]), ("rdfer_noise", ["RDFER"]), ("rdfer_agreement", ["drop"])],
)
def test_the_other_tables_can_be_made(
    scripts: dict[str, ModuleType],
    pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    rows: list[str],
) -> None:
    monkeypatch.setattr(scripts["rdfer_noise"], "NOISES", ("symmetric:0.3",))
    out = str(tmp_path / "runs.jsonl")
    monkeypatch.setattr(sys, "argv", ["x", str(pack), "--out", out, "--seeds", "0", "--epochs", "1", "--rows", *rows])
    scripts[script].main()
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if f"| {rows[0]} |" in line)
    score = re.search(r"\| 1 \| (\d+\.\d) \[\d+\.\d, \d+\.\d\]", row)
    assert score is not None and 0 <= float(score[1]) <= 100 and "nan" not in row
    scripts[script].main()
    assert capsys.readouterr().out == said


def test_seeds_learn_from_other_actors_than_they_report_on(scripts: dict[str, ModuleType], pack: Path) -> None:
    tracks = scripts["tracks"].read_tracks(pack)
    actor, seen = tracks.manifest.group, []
    for seed in range(5):
        learn, report = scripts["tracks"].roles(tracks, seed)
        assert not set(actor[learn]) & set(actor[report]) and len(learn) + len(report) == 160
        seen += report.tolist()
    assert sorted(seen) == list(range(160))


def test_relative_to_the_person_all_actors_have_one_face(scripts: dict[str, ModuleType], pack: Path) -> None:
    own, same = (scripts["tracks"].read_tracks(pack, person=person) for person in (False, True))
    actor = own.manifest.group[np.repeat(np.arange(160), own.length())]

    def apart(points: NDArray[np.float32]) -> float:
        return float(np.std([points[actor == a].mean(0) for a in np.unique(actor)], 0).mean())

    assert apart(same.points) < 0.5 * apart(own.points)


def test_the_margin_is_compared_with_losses_run_by_run(scripts: dict[str, ModuleType], pack: Path) -> None:
    made, noise = scripts["tracks"], scripts["rdfer_noise"]
    tracks, rng, runs, gaps = made.read_tracks(pack), np.random.default_rng(0), [], []
    for seed in range(2):
        count = len(made.roles(tracks, seed)[0])
        wrong = rng.random(count) < 0.3
        margins, losses = rng.normal(2 * wrong, 1), rng.normal(wrong, 1)
        gaps.append(by_pairs(margins, wrong) - by_pairs(losses, wrong))
        runs.append(
            {
                "seed": seed,
                "margins": margins.tolist(),
                "losses": losses.tolist(),
                "flipped": np.flatnonzero(wrong).tolist(),
            }
        )
    said = noise.better(tracks, runs, "margins", "losses")
    assert float(said.split()[0]) == pytest.approx(np.mean(gaps), abs=6e-4)
    assert noise.better(tracks, [dict(runs[0], flipped=[])], "margins", "losses") == "–"


def test_what_noise_costs_by_hand(scripts: dict[str, ModuleType], pack: Path) -> None:
    made, noise = scripts["tracks"], scripts["rdfer_noise"]
    tracks = made.read_tracks(pack)
    report = made.roles(tracks, 0)[1]
    label = tracks.manifest.label[report]

    def after(mistakes: int) -> object:
        said = label.copy()
        said[:mistakes] = (said[:mistakes] + 1) % 8
        return made.answered(tracks, [{"seed": 0, "answered": made.digits(said)}])

    one = 100 / len(report)  # a mistake costs as much in every class: all have as many clips
    said = noise.halved(tracks, {"plain": after(2), "RDFER": after(2)}, {"plain": after(10), "RDFER": after(5)})
    assert said.startswith(f"lost plain {8 * one:.1f}, RDFER {3 * one:.1f}; RDFER beyond half of plain: {-one:.1f} [")


def test_scores_by_hand(scripts: dict[str, ModuleType], pack: Path) -> None:
    made = scripts["tracks"]
    tracks = made.read_tracks(pack)
    report = made.roles(tracks, 3)[1]
    said = tracks.manifest.label[report].copy()
    said[:4] = (said[:4] + 1) % 8
    mine = made.answered(tracks, [{"seed": 3, "answered": made.digits(said)}])
    hits = [np.mean(said[tracks.manifest.label[report] == c] == c) for c in range(8)]
    assert made.score(tracks, mine).value == pytest.approx(100 * np.mean(hits))
    assert made.score(tracks, mine, mine).value == 0 and made.score(tracks, mine, mine).high == 0


def test_needles_lie_where_they_say(scripts: dict[str, ModuleType], pack: Path) -> None:
    tracks = scripts["tracks"].read_tracks(pack)
    made = scripts["rdfer_needle"].needles(tracks, 1)
    label = tracks.manifest.label
    for row in range(0, 160, 7):
        own = made.tracks.points[made.tracks.starts[row] : made.tracks.starts[row + 1]]
        if label[row] == 0:
            assert made.first[row] == made.last[row] == 0
            assert np.array_equal(own, tracks.points[tracks.starts[row] : tracks.starts[row + 1]])
            continue
        share = made.last[row] - made.first[row]
        assert 0.12 <= share <= 0.43
        neutral = next(
            i for i in range(160) if label[i] == 0 and tracks.manifest.group[i] == tracks.manifest.group[row]
        )
        base = tracks.points[tracks.starts[neutral] : tracks.starts[neutral + 1]]
        changed = np.abs(own - base).max((1, 2)) > 0
        place = np.arange(len(own)) / len(own)
        inside = (place >= made.first[row] - 1e-6) & (place < made.last[row] - 1e-6)
        assert not changed[~inside].any() and changed[inside].mean() > 0.5


def test_what_is_reported_on_is_untouched(scripts: dict[str, ModuleType], pack: Path) -> None:
    tracks = scripts["tracks"].read_tracks(pack)
    made = scripts["tracks_noise"].corrupted(tracks, 2, "symmetric:0.3")
    learn, report = scripts["tracks"].roles(tracks, 2)

    def same(row: int) -> bool:
        span = slice(tracks.starts[row], tracks.starts[row + 1])
        return np.array_equal(made.tracks.points[span], tracks.points[span])

    assert all(same(row) for row in report)
    assert [not same(row) for row in learn] == made.hard[learn].tolist() and made.hard[learn].any()
    assert not made.hard[tracks.manifest.label == 0].any()
    assert (made.wrong == (made.label != tracks.manifest.label)).all() and 0.2 < made.wrong[learn].mean() < 0.4


def by_pairs(value: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    pairs = [(a > b) + (a == b) / 2 for a in value[positive] for b in value[~positive]]
    return float(np.mean(pairs))


def test_auroc_by_pairs(scripts: dict[str, ModuleType]) -> None:
    rng, auroc = np.random.default_rng(1), scripts["tracks_noise"].auroc
    for _ in range(5):
        value, positive = rng.integers(0, 6, 40) / 5, rng.random(40) < 0.3
        assert auroc(value, positive) == pytest.approx(by_pairs(value, positive))
    assert np.isnan(auroc(np.arange(3.0), np.zeros(3, bool)))
