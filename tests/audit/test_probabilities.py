from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tronie.audit.probabilities import read_probabilities
from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.train.predictions import Answered, write_answers

LABELS = LabelSet(("anger", "happiness", "neutral"))
IDS = np.array(["a", "b"])


def written(tmp_path: Path, text: str, name: str = "p.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_joined_by_name_and_lines_of_an_id_are_looks(tmp_path: Path) -> None:
    path = written(
        tmp_path, "p_neutral,id,p_angry,p_joy,note\n2,b,1,1,x\n0,a,1,0,x\n0,a,0,1,x\n1,b,0,0,x\n0.3,z,0,0,x\n"
    )
    got = read_probabilities([path], IDS, LABELS)
    np.testing.assert_allclose(got, [[[1, 0, 0], [0.25, 0.25, 0.5]], [[0, 1, 0], [0, 0, 1]]])


def test_files_add_up_to_the_fewest_looks_of_a_row(tmp_path: Path) -> None:
    head = "id,p_anger,p_happiness,p_neutral\n"
    first, second = (
        written(tmp_path, head + "a,1,0,0\n", "1.csv"),
        written(tmp_path, head + "b,0,1,0\nb,0,0,1\n", "2.csv"),
    )
    assert read_probabilities([first, second], IDS, LABELS).shape == (1, 2, 3)


def test_answers_of_a_run_and_arrays_are_read(tmp_path: Path) -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    write_answers(tmp_path, {"own/fold0": Answered(IDS, np.arange(2), np.array([0, 2]), p, LABELS.names)})
    np.testing.assert_allclose(read_probabilities([tmp_path / "answers.csv"], IDS, LABELS)[0], p)
    looks = np.stack([p, p[:, ::-1]])
    np.savez(tmp_path / "p.npz", id=IDS, probability=looks, labels=np.array(LABELS.names))
    np.testing.assert_allclose(read_probabilities([tmp_path / "p.npz"], IDS, LABELS), looks)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,p_anger,p_happiness\na,1,0\nb,0,1\n", "no column for the label 'neutral'"),
        ("name,p_anger,p_happiness,p_neutral\na,1,0,0\n", "lacks the column id"),
        ("id,p_anger,p_happiness,p_neutral\na,1,0,0\n", "1 of 2 rows have no probabilities .the first: 'b'"),
        ("id,p_anger,p_happiness,p_neutral\na,1,0,0\nb,-1,0,2\n", "no probabilities"),
        ("id,p_anger,p_happiness,p_neutral\na,1,0,0\nb,0,0,0\n", "no probabilities"),
        ("id,p_anger,p_happiness,p_neutral\na,1,0,x\nb,0,0,1\n", "a number is needed"),
        ("id,anger\na,1\n", "one column p_<label>"),
        ("", "lacks the column id"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_probabilities([written(tmp_path, text)], IDS, LABELS)


def test_a_missing_file_and_arrays_that_do_not_fit_are_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file"):
        read_probabilities([tmp_path / "gone.csv"], IDS, LABELS)
    with pytest.raises(SourceError, match="cannot be read"):
        read_probabilities([tmp_path / "gone.npz"], IDS, LABELS)
    np.savez(tmp_path / "p.npz", id=IDS, probability=np.ones((3, 3)), labels=np.array(LABELS.names))
    with pytest.raises(SourceError, match="do not fit"):
        read_probabilities([tmp_path / "p.npz"], IDS, LABELS)
    np.savez(tmp_path / "q.npz", id=IDS)
    with pytest.raises(SourceError, match="needs the arrays"):
        read_probabilities([tmp_path / "q.npz"], IDS, LABELS)
