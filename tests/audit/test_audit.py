"""The audit end to end: drawn faces with labels that are known to be wrong, and probabilities from elsewhere."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tronie.audit.audit import audit
from tronie.cli import main
from tronie.core.errors import SettingError, SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.data.prepared import open_prepared

REPO = Path(__file__).parents[2]
LABELS = LabelSet(("frown", "gasp", "grin"))
SWAPPED = ("a/frown/0", "a/gasp/0", "a/grin/0", "a/grin/1")


def _draw() -> Any:
    spec = importlib.util.spec_from_file_location("draw_faces", REPO / "examples" / "draw_faces.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty faces a label, four under a wrong one; a copy, a face that is also a test face, a dark one; one unread."""
    draw, folder = _draw(), tmp_path_factory.mktemp("data") / "own"
    folder.mkdir()
    ids, label, split, faces = [], [], [], []
    for c, name in enumerate(LABELS.names):
        for i in range(20):
            ids.append(f"a/{name}/{i}")
            label.append((c + 1) % 3 if ids[-1] in SWAPPED else c)
            split.append("train")
            faces.append(np.asarray(draw.face(name, i).resize((80, 80))))
    for twin, part in ((5, "train"), (25, "test")):
        ids.append(f"b/{ids[twin]}")
        label.append(label[twin])
        split.append(part)
        faces.append(faces[twin])
    ids += ["c/dark", "c/nolabel"]
    label += [0, -1]
    split += ["train", "train"]
    faces += [np.full((80, 80, 3), 7, np.uint8), faces[3]]
    n = len(ids)
    np.save(folder / "faces.npy", np.stack([np.stack([f, f]) for f in faces]).astype(np.uint8))
    Manifest(
        id=np.array(ids),
        path=np.array([f"faces.npy::{i}" for i in range(n)]),
        label=np.array(label),
        labels=LABELS,
        split=np.array(split),
        root=folder,
    ).save(folder / "manifest.csv")
    note = {"missed": ["a/frown/3"], "unread": [["a/broken", "it is no picture"]]}
    (folder / "prepared.json").write_text(json.dumps(note))
    return folder


@pytest.fixture(scope="module")
def probabilities(prepared: Path) -> Path:
    """What a model that is right in nine of ten would say of the rows, twice."""
    manifest = Manifest.load(prepared / "manifest.csv")
    truth = [LABELS.index(name.split("/")[-2]) if "/" in name[2:] else 0 for name in manifest.id.tolist()]
    rng = np.random.default_rng(0)
    looks = np.exp(2.5 * np.eye(3)[truth] + rng.normal(size=(2, len(truth), 3)) * 0.8)
    path = prepared.parent / "probabilities.npz"
    np.savez(path, id=manifest.id, probability=looks / looks.sum(2, keepdims=True), labels=np.array(LABELS.names))
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def seen(prepared: Path) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("face_recognition_models")
    out = prepared.parent / "seen"
    audit(prepared, out=out, views=3, folds=4)
    return out


def test_wrong_labels_are_found_with_the_right_suggestion(seen: Path) -> None:
    rows = read(seen / "audit.csv")
    assert set(SWAPPED) <= {row["id"] for row in rows[:6]}
    for row in rows:
        if row["id"] in SWAPPED:
            assert row["verdict"] == "wrong" and row["suggested"] == row["id"].split("/")[1]
    assert sum(row["verdict"] == "wrong" for row in rows) <= 8


def test_flaws_of_the_rows_themselves_are_told(seen: Path) -> None:
    rows = {row["id"]: row for row in read(seen / "audit.csv")}
    assert rows["b/a/frown/5"]["verdict"] == "duplicate" and rows["b/a/frown/5"]["duplicate_of"] == "a/frown/5"
    assert rows["a/gasp/5"]["verdict"] == "leaked" and rows["a/gasp/5"]["leaked_to"] == "b/a/gasp/5"
    assert rows["c/dark"]["verdict"] == "unusable" and "dark" in rows["c/dark"]["reason"]
    assert rows["a/broken"]["verdict"] == "unusable" and rows["a/broken"]["reason"] == "it is no picture"
    assert "c/nolabel" not in rows


def test_cleaned_labels_stand_in_for_the_manifest_and_every_change_is_logged(seen: Path, prepared: Path) -> None:
    before, after = Manifest.load(prepared / "manifest.csv"), Manifest.load(seen / "cleaned.csv")
    assert (before.id == after.id).all()
    changes = {row["id"]: row for row in read(seen / "changes.csv")}
    assert set(changes) == set(before.id[before.label != after.label].tolist())
    for name in ("b/a/frown/5", "a/gasp/5", "c/dark"):
        assert changes[name]["now"] == ""
    known = dict(zip(after.id.tolist(), after.label.tolist(), strict=True))
    for name in SWAPPED:  # the right label, or none where that is not sure enough
        assert known[name] in (LABELS.index(name.split("/")[1]), -1)
    assert any(known[name] >= 0 for name in SWAPPED)
    copied = prepared.parent / "copied"
    copied.mkdir()
    (copied / "faces.npy").symlink_to(prepared / "faces.npy")
    (copied / "manifest.csv").write_bytes((seen / "cleaned.csv").read_bytes())
    assert len(open_prepared(copied).manifest) == len(after)


def test_figures_and_page_agree_with_the_table(seen: Path) -> None:
    figures, rows = json.loads((seen / "audit.json").read_text()), read(seen / "audit.csv")
    for verdict, count in figures["verdicts"].items():
        assert count == sum(row["verdict"] == verdict for row in rows)
    assert figures["rows"] == len(rows) - 1
    assert [p["kind"] for p in figures["proofs"]] == ["even", "confused"] and figures["proofs"][0]["found"] > 0.5
    page = (seen / "audit.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") >= 5 and "a/grin/0" in page


def test_a_second_audit_is_the_same_and_uses_the_features_it_has(seen: Path, prepared: Path, tmp_path: Path) -> None:
    seen = shutil.copytree(seen, tmp_path / "seen")  # other tests read the first audit's files
    first = (seen / "audit.csv").read_bytes()
    (seen / "work" / "dlib" / "view-2.npy").unlink()  # as if stopped before the last view
    times = {path.name: path.stat().st_mtime_ns for path in (seen / "work" / "dlib").glob("view-*.npy")}
    audit(prepared, out=seen, views=3, folds=4, proof=0, pictures=False)
    assert (seen / "audit.csv").read_bytes() == first
    assert all((seen / "work" / "dlib" / name).stat().st_mtime_ns == time for name, time in times.items())
    assert "data:image/jpeg" not in (seen / "audit.html").read_text(encoding="utf-8")


def test_with_probabilities_neither_pictures_nor_pytorch_are_needed(prepared: Path, probabilities: Path) -> None:
    out = prepared.parent / "given"
    code = (
        "import sys; from tronie.audit.audit import audit\n"
        f"audit({str(prepared / 'manifest.csv')!r}, out={str(out)!r}, probabilities=[{str(probabilities)!r}])\n"
        "print(sorted({'torch', 'sklearn', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    first = [row["id"] for row in read(out / "audit.csv")[:6]]
    assert len(set(SWAPPED) & set(first)) >= 3
    assert json.loads((out / "audit.json").read_text())["looks"] == 2


def test_decisions_of_a_person_come_first(prepared: Path, probabilities: Path, tmp_path: Path) -> None:
    decisions = tmp_path / "decisions.csv"
    decisions.write_text(
        "id,decision,label\na/grin/0,reject,\na/frown/7,relabel,gasp\na/gasp/9,drop,\nc/dark,reject,\n"
    )
    audit(prepared, out=tmp_path / "out", probabilities=[probabilities], decisions=decisions)
    after = Manifest.load(tmp_path / "out" / "cleaned.csv")
    label = dict(zip(after.id.tolist(), after.label.tolist(), strict=True))
    assert (label["a/grin/0"], label["a/frown/7"], label["a/gasp/9"], label["c/dark"]) == (0, 1, -1, 0)
    told = {row["id"]: row["reason"] for row in read(tmp_path / "out" / "changes.csv")}
    assert told["a/frown/7"].startswith("Decided by a person")
    decisions.write_text("id,decision,label\na/grin/0,relabel,smirk\n")
    with pytest.raises(SourceError, match="line 2"):
        audit(prepared, out=tmp_path / "out", probabilities=[probabilities], decisions=decisions)


def test_the_command_says_what_it_found(
    prepared: Path, probabilities: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [
        "audit",
        str(prepared),
        "--probabilities",
        str(probabilities),
        "--out",
        str(tmp_path / "o"),
        "--no-pictures",
    ]
    assert main(line) == 0
    said = capsys.readouterr()
    assert "duplicate" in said.out and "of the labels are wrong" in said.err
    assert main([*line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 63


def test_bad_input_is_one_sentence(prepared: Path, probabilities: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no"):
        audit(tmp_path / "gone", out=tmp_path)
    with pytest.raises(SettingError, match="A manifest alone has no faces"):
        audit(prepared / "manifest.csv", out=tmp_path)
    with pytest.raises(SettingError, match="2 folds or more"):
        audit(prepared, out=tmp_path, folds=1)
    with pytest.raises(SettingError, match="noise to plant"):
        audit(prepared, out=tmp_path, proof=0.7)
    with pytest.raises(SettingError, match="set fewer folds"):
        audit(prepared, out=tmp_path, folds=90, probabilities=[probabilities])
    manifest = Manifest.load(prepared / "manifest.csv")
    replace(manifest, label=np.minimum(manifest.label, 0)).save(tmp_path / "one.csv")
    with pytest.raises(SourceError, match="two different labels"):
        audit(tmp_path / "one.csv", out=tmp_path, probabilities=[probabilities])


def test_an_audit_is_not_written_over_that_of_other_data(
    prepared: Path, probabilities: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--probabilities", str(probabilities), "--out", str(tmp_path / "found"), "--proof", "0", "--quiet"]
    other = tmp_path / "other" / "manifest-of-another.csv"
    other.parent.mkdir()
    other.write_bytes((prepared / "manifest.csv").read_bytes())
    assert main(["audit", str(prepared / "manifest.csv"), *given]) == 0
    before = (tmp_path / "found" / "audit.csv").read_bytes()
    assert main(["audit", str(other), *given]) == 2
    assert "holds the audit of manifest.csv: give another folder with --out" in capsys.readouterr().err
    assert (tmp_path / "found" / "audit.csv").read_bytes() == before
    assert main(["audit", str(prepared / "manifest.csv"), *given]) == 0


def test_an_audit_that_is_too_weak_gives_no_share_in_its_figures_either(prepared: Path, tmp_path: Path) -> None:
    manifest = Manifest.load(prepared / "manifest.csv")
    guessed = np.random.default_rng(0).dirichlet(np.ones(3), (2, len(manifest)))
    np.savez(tmp_path / "p.npz", id=manifest.id, probability=guessed, labels=np.array(LABELS.names))
    audit(prepared / "manifest.csv", out=tmp_path / "found", probabilities=[tmp_path / "p.npz"], proof=0)
    figures = json.loads((tmp_path / "found" / "audit.json").read_text())
    assert figures["weak"] and figures["share"] is None
    assert "estimated <b>" not in (tmp_path / "found" / "audit.html").read_text()


def test_an_audit_s_tables_hold_no_formulas_with_csv_safe(prepared: Path, probabilities: Path, tmp_path: Path) -> None:
    manifest = Manifest.load(prepared / "manifest.csv")
    told = dict(np.load(probabilities))
    told["id"] = ids = np.array([f"=1+1/{name}" for name in manifest.id.tolist()])
    np.savez(tmp_path / "p.npz", **told)
    replace(manifest, id=ids).save(tmp_path / "manifest.csv")
    given = ["--probabilities", str(tmp_path / "p.npz"), "--proof", "0", "--quiet", "--out", str(tmp_path / "found")]
    assert main(["audit", str(tmp_path / "manifest.csv"), *given, "--csv-safe"]) == 0
    rows = read(tmp_path / "found" / "audit.csv") + read(tmp_path / "found" / "changes.csv")
    assert rows and all(row["id"].startswith("'=1+1/") for row in rows)
    assert Manifest.load(tmp_path / "found" / "cleaned.csv").id.tolist() == ids.tolist()
