"""The researcher's verbs on drawn faces, end to end: prepare, train, evaluate, compare, export."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.core.errors import ModelError, SettingError, SourceError
from tronie.core.manifest import Manifest
from tronie.data.prepare import prepare
from tronie.models.folder import load_folder
from tronie.pipeline.predict import predict
from tronie.train.compare import compare_models
from tronie.train.evaluate import Evaluated, evaluate, write_page
from tronie.train.export import export
from tronie.train.train import train

REPO = Path(__file__).parents[2]
LABELS = ("frown", "gasp", "grin")
QUICK = ("loop.epochs=20", "loop.judge_every=10", "loop.half=false", "optim.rate=2e-3")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the twelve drawn pictures in ``own``, prepared in ``prepared/own`` with three folds."""
    spec = importlib.util.spec_from_file_location("draw_faces", REPO / "examples" / "draw_faces.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("home")
    module.main(folder / "own")
    made = prepare("folder", folder / "own", folder / "prepared" / "own", folds=3)
    assert made.prepared.rows == 12 and made.folds == 3
    return folder


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    begun = time.process_time()  # on one thread; wall-clock time would tell how busy the machine is
    folder = train("own-pictures", data=home / "prepared", out=home / "runs", assignments=QUICK).folder
    assert time.process_time() - begun < 60, "twelve pictures are to be learnt in a minute"
    return folder


@pytest.fixture(scope="module")
def rival(home: Path, plain_net: ModuleType) -> Path:
    """The same recipe with another seed and a net that is exported quickly."""
    changed = (*QUICK, "loop.seed=1", "config.encoder=plain_net:Plain")
    return train("own-pictures", data=home / "prepared", out=home / "rival", assignments=changed).folder


@pytest.fixture(scope="module")
def judged(home: Path, run: Path) -> Evaluated:
    """The run's model on what is prepared, with harder faces."""
    return evaluate(run, home / "prepared" / "own", robustness=True, out=home / "judged")


def test_twelve_pictures_are_learnt(home: Path, run: Path) -> None:
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert log[-1]["ce"] < 0.6 * log[0]["ce"]
    assert load_folder(run / "model").labels.names == ("frown", "gasp", "grin")
    page = (run / "report.html").read_text()
    assert "own/fold0" in page and "Which epoch?" in page


def test_a_test_part_chooses_nothing_and_is_told_three_ways(home: Path, plain_net: ModuleType, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in LABELS:
            shutil.copytree(home / "own" / name, tmp_path / "faces" / part / name)
    prepare("folder", tmp_path / "faces", tmp_path / "own", size=32, folds=2)
    said: list[str] = []
    changes = (
        "loop.epochs=2",
        "loop.judge_every=1",
        "config.size=32",
        "train.0.split=train",
        "config.encoder=plain_net:Plain",
        "valid=[{data='own', split='test'}]",
    )
    run = train("own-pictures", data=tmp_path, out=tmp_path / "runs", assignments=changes, say=said.append)
    told = [line for line in said if "test-best, as many papers report it" in line]
    assert [line.partition(":")[0] for line in told] == ["own/test, accuracy", "own/test, mean recall"]
    assert all("after the last epoch" in line and "chosen by own/fold0" in line for line in told)
    assert "by own/fold0" in (run.folder / "report.html").read_text()


def test_the_model_reads_pictures_without_pytorch(home: Path, run: Path) -> None:
    timeline = predict(home / "own" / "grin" / "1.png", model=run / "model", detector="whole")
    assert len(timeline) == 1 and timeline["label"][0] in ("frown", "gasp", "grin", "uncertain")
    code = (
        "import sys; from pathlib import Path; from tronie.train.evaluate import evaluate\n"
        f"evaluate(Path({str(run)!r}), Path({str(home / 'prepared' / 'own')!r}), out=Path({str(home / 'bare')!r}))\n"
        "print(sorted({'torch', 'onnx', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_folds_are_stratified_and_kept_in_the_manifest(home: Path) -> None:
    manifest = Manifest.load(home / "prepared" / "own" / "manifest.csv")
    assert sorted(np.bincount(manifest.fold)) == [3, 4, 5] or sorted(np.bincount(manifest.fold)) == [4, 4, 4]
    for c in range(3):
        assert np.bincount(manifest.fold[manifest.label == c], minlength=3).max() <= 2


def test_twins_and_people_stay_together(home: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    from PIL import Image

    for i in range(8):
        picture = rng.integers(0, 256, (10, 10, 3), np.uint8)
        for name in ("a", "b"):  # twins under two labels: the second a little brighter
            (tmp_path / "p" / name).mkdir(parents=True, exist_ok=True)
            big = Image.fromarray(picture).resize((80, 80), Image.Resampling.BICUBIC)
            big.point(lambda v, lift=5 * (name == "b"): v + lift).save(tmp_path / "p" / name / f"{i}.png")
    made = prepare("folder", tmp_path / "p", tmp_path / "out", folds=2, detector="whole", size=32)
    manifest = Manifest.load(tmp_path / "out" / "manifest.csv")
    assert made.twins == 16
    fold = dict(zip(manifest.id.tolist(), manifest.fold.tolist(), strict=True))
    assert all(fold[f"a/{i}"] == fold[f"b/{i}"] for i in range(8))
    with pytest.raises(SettingError, match="cannot be cut into 9 folds"):
        prepare("folder", tmp_path / "p", tmp_path / "more", folds=9, detector="whole", size=32)


def test_what_was_judged_is_laid_down(home: Path, run: Path, judged: Evaluated) -> None:
    content = json.loads((home / "judged" / "evaluation.json").read_text())
    assert content["hash"] == judged.hash == load_folder(run / "model").hash
    assert content["sources"]["own"]["rows"] == 12 and content["sources"]["own"]["left_out"] == 0
    assert {step["corruption"] for step in content["robustness"]["own"]} == {
        "face size",
        "blur",
        "noise",
        "occlusion",
        "rotation",
    }
    assert any("has learnt from rows of 'own'" in w for w in judged.warnings)
    assert any("not calibrated" in w for w in judged.warnings)
    page = (home / "judged" / "report.html").read_text()
    assert "harder faces" in page and "has learnt from rows of" in page
    with (home / "judged" / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    p = np.array([[float(row[f"p_{name}"]) for name in LABELS] for row in rows])
    assert p.shape == (12, 3) and p.sum(1) == pytest.approx(1, abs=1e-4)
    right = np.mean([LABELS[best] == row["truth"] for best, row in zip(p.argmax(1), rows, strict=True)])
    assert judged.evaluations["own"].scores["war"].value == pytest.approx(right)


def test_pictures_need_not_be_prepared(home: Path, run: Path, judged: Evaluated) -> None:
    found = evaluate(run / "model", [home / "own"])
    assert found.evaluations["own"].rows == 12
    from tronie.datasets.folder import read

    manifest = read(home / "own")
    manifest.save(home / "list.csv")
    again = evaluate(run / "model", [home / "list.csv", manifest])
    assert set(again.evaluations) == {"list", "manifest"}
    assert again.evaluations["list"].confusion == found.evaluations["own"].confusion


def test_one_fold_or_the_whole_pictures(home: Path, run: Path) -> None:
    data = home / "prepared" / "own"
    fold = evaluate(run, data, folds="manifest", fold=0).evaluations["own/fold0"]
    written = json.loads((run / "evaluation.json").read_text())["sources"]["own/fold0"]
    assert fold.rows == written["rows"] and fold.hash == written["hash"]
    assert fold.confusion == tuple(map(tuple, written["confusion"]))
    assert evaluate(run, data, cut="whole").evaluations["own"].rows == 12


def test_rows_with_labels_the_model_does_not_know_are_left_out(home: Path, run: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(home / "own", tmp_path / "mixed")
    (tmp_path / "mixed" / "gasp").rename(tmp_path / "mixed" / "wink")
    found = evaluate(run, tmp_path / "mixed")
    assert found.evaluations["mixed"].rows == 8 and found.evaluations["mixed"].left_out == 4
    assert any("shows gasp" in w for w in found.warnings)


def test_mistakes_are_answered_in_a_sentence(home: Path, run: Path, tmp_path: Path) -> None:
    data = home / "prepared" / "own"
    with pytest.raises(SettingError, match="belong together"):
        evaluate(run, data, fold=0)
    with pytest.raises(SourceError, match="no row to judge by"):
        evaluate(run, data, split="test")
    with pytest.raises(SettingError, match="Two data sets are called 'own'"):
        evaluate(run, [data, data])
    with pytest.raises(ModelError):
        evaluate(tmp_path, data)
    with pytest.raises(SourceError, match=r"no .*evaluation\.json"):
        write_page(tmp_path)
    with pytest.raises(SettingError, match="Give a recipe"):
        train(data=home / "prepared")
    with pytest.raises(SettingError, match="is no run folder"):
        train(resume=tmp_path, data=home / "prepared")
    with pytest.raises(SettingError, match="by its own recipe"):
        train("own-pictures", resume=run, data=home / "prepared")
    with pytest.raises(SettingError, match="2 folds or more"):
        prepare("folder", home / "own", tmp_path / "x", folds=1)


def test_a_finished_run_is_taken_up_without_harm(home: Path, rival: Path) -> None:
    before = (rival / "evaluation.json").read_text()
    outcome = train(resume=rival, data=home / "prepared")
    assert outcome.folder == rival and (rival / "evaluation.json").read_text() == before


def test_two_seeds_and_a_rival_are_compared_on_the_same_rows(home: Path, run: Path, rival: Path) -> None:
    found = {d.score: d for d in compare_models(run, rival, draws=100)}
    assert set(found) == {"war", "uar", "nll"} and all(d.source == "own/fold0" and d.rows == 4 for d in found.values())
    for d in found.values():
        assert d.difference.value == pytest.approx(d.second - d.first) and d.runs == (1, 1)
        assert d.difference.low <= d.difference.value <= d.difference.high
    same = compare_models(run, run, draws=50)
    assert all(d.difference.low == d.difference.high == 0 and not d.decided for d in same)
    (home / "several").mkdir()
    for i, folder in enumerate((run, rival)):
        (home / "several" / str(i)).symlink_to(folder)
    both = compare_models(home / "several", run, draws=50)
    assert both[0].runs == (2, 1)


def test_what_cannot_be_compared_is_said(home: Path, run: Path, judged: Evaluated, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="share no data: one was judged on own/fold0, the other on own"):
        compare_models(run, home / "judged")
    with pytest.raises(SourceError, match=r"There is no .*answers\.csv"):
        compare_models(run, tmp_path)
    for name in ("truth", "rows"):
        (tmp_path / name).mkdir()
        head, *lines = (run / "answers.csv").read_text().splitlines()
        if name == "truth":
            source, row, group, truth, *p = lines[0].split(",")
            lines[0] = ",".join([source, row, group, "grin" if truth == "frown" else "frown", *p])
        else:
            lines = [line.replace(",", ",other-", 1) for line in lines]
        (tmp_path / name / "answers.csv").write_text("\n".join([head, *lines]) + "\n")
    with pytest.raises(SettingError, match="different labels on"):
        compare_models(run, tmp_path / "truth")
    with pytest.raises(SourceError, match="share no row"):
        compare_models(run, tmp_path / "rows")


def test_export_keeps_the_answers_and_says_what_was_done(home: Path, rival: Path) -> None:
    full = export(rival, home / "full", precision="full", temperature=1.7)
    half, whole = load_folder(rival / "model"), load_folder(full.folder)
    faces = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    assert np.allclose(half.logits(faces), whole.logits(faces), atol=2e-2)
    assert full.size > 1.8 * sum(f.stat().st_size for f in (rival / "model").iterdir())
    assert whole.info.temperature == 1.7 and "given" in whole.info.calibrated
    mirrored = export(rival, home / "mirrored", mirror=True, data=home / "prepared")
    p = load_folder(mirrored.folder).predict(faces)
    assert np.allclose(p, load_folder(mirrored.folder).predict(np.ascontiguousarray(faces[:, :, ::-1])), atol=1e-4)


def test_int8_ships_only_where_it_changes_nothing(home: Path, rival: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="give data"):
        export(rival, home / "int8", precision="int8")
    from tronie.metrics.intervals import Interval
    from tronie.train import package as deliver

    def judged_as(agreement: float) -> deliver.Quantized:
        report = deliver.Quantized(100, agreement, Interval(0.0, -0.01, 0.01))
        monkeypatch.setattr(deliver, "compare_graphs", lambda *a: report)
        return report

    report = judged_as(1.0)
    small = export(rival, home / "int8", precision="int8", data=home / "prepared")
    assert small.quantized == report
    assert small.size < 0.6 * sum(f.stat().st_size for f in (rival / "model").iterdir())

    def written_before(method: object, folder: Path, *how: object, **more: object) -> Path:
        folder.mkdir(parents=True)
        return Path(shutil.copy(small.folder / deliver.GRAPH, folder))

    judged_as(0.97)
    monkeypatch.setattr(deliver, "write_graph", written_before)  # the same graphs once more take seconds
    with pytest.raises(ModelError, match=r"97\.00% equal answers on 100 faces"):
        export(rival, home / "other", precision="int8", data=home / "prepared")
    assert not (home / "other").exists()
    with pytest.raises(SettingError, match="exists: give a new folder"):
        export(rival, home / "int8")
