"""CLIP's text tower: three layouts of the same tiny random weights give the same vectors, and no code is run."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tronie.core.errors import ModelError, SettingError
from tronie.core.labels import BASIC7
from tronie.nn.states import read_state
from tronie.nn.text import text_table
from tronie.nn.text.bpe import OPENAI, find_tokenizer
from tronie.nn.text.clip import local_clip
from tronie.nn.torchscript import is_torchscript

MERGES = [("f", "a"), ("fa", "c"), ("fac", "e</w>"), ("p", "h"), ("a", "</w>"), ("o", "f</w>"), ("fa", "ce</w>")]
TOKENS, WIDTH, PLACES, OUT, LAYERS = 512 + len(MERGES) + 2, 128, 40, 20, 2
TEXT = "A photo of a person  making an anger facial expression &amp; 12 faces: naïve's."


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Random weights under OpenAI's names."""
    rng = torch.Generator().manual_seed(0)
    shapes = {
        "token_embedding.weight": (TOKENS, WIDTH),
        "positional_embedding": (PLACES, WIDTH),
        "text_projection": (WIDTH, OUT),
        "ln_final.weight": (WIDTH,),
        "ln_final.bias": (WIDTH,),
    }
    for i in range(LAYERS):
        block = f"transformer.resblocks.{i}."
        shapes |= {f"{block}{norm}.{part}": (WIDTH,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
        shapes |= {
            f"{block}attn.in_proj_weight": (3 * WIDTH, WIDTH),
            f"{block}attn.in_proj_bias": (3 * WIDTH,),
            f"{block}attn.out_proj.weight": (WIDTH, WIDTH),
            f"{block}attn.out_proj.bias": (WIDTH,),
            f"{block}mlp.c_fc.weight": (4 * WIDTH, WIDTH),
            f"{block}mlp.c_fc.bias": (4 * WIDTH,),
            f"{block}mlp.c_proj.weight": (WIDTH, 4 * WIDTH),
            f"{block}mlp.c_proj.bias": (WIDTH,),
        }
    return {name: torch.randn(shape, generator=rng) * 0.1 for name, shape in shapes.items()}


def openai_vocabulary(folder: Path) -> None:
    lines = ['"bpe_simple_vocab_16e6.txt#version: 0.2', *(" ".join(pair) for pair in MERGES), "unused pair"]
    (folder / OPENAI).write_bytes(gzip.compress("\n".join(lines).encode()))


def hugging_face_vocabulary(folder: Path) -> None:
    """The same vocabulary in two plain files, its signs spelled out as in the published ones."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    signs = [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    every = [*signs, *(f"{s}</w>" for s in signs), *("".join(m) for m in MERGES), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(every)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in MERGES), encoding="utf-8")


class Scripted(nn.Module):
    """Something with the state's names that TorchScript can save, as OpenAI saved CLIP: in half precision."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in state.items():
            *path, last = name.split(".")
            part: nn.Module = self
            for step in path:
                if not hasattr(part, step):
                    part.add_module(step, nn.Module())
                part = getattr(part, step)
            part.register_parameter(last, nn.Parameter(tensor.half()))
        self.register_buffer("context_length", torch.tensor(PLACES))

    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def openai_archive(folder: Path, state: dict[str, Tensor]) -> Path:
    module = Scripted(state | {"visual.proj": torch.zeros(3, 3), "logit_scale": torch.tensor(4.6)})
    torch.jit.save(torch.jit.trace(module, torch.zeros(1)), folder / "ViT-tiny.pt")
    openai_vocabulary(folder)
    return folder / "ViT-tiny.pt"


def openai_state(folder: Path, state: dict[str, Tensor]) -> Path:
    number = torch.tensor(7)
    torch.save(state | {"input_resolution": number, "context_length": number, "visual.proj": number}, folder / "s.pt")
    openai_vocabulary(folder)
    return folder / "s.pt"


def open_clip_training(folder: Path, state: dict[str, Tensor]) -> Path:
    named = {f"module.{name}": tensor for name, tensor in state.items()} | {"module.visual.proj": torch.zeros(3)}
    torch.save({"epoch": 3, "name": "tiny", "state_dict": named}, folder / "tiny-quickgelu.pt")
    openai_vocabulary(folder)
    return folder / "tiny-quickgelu.pt"


def open_clip_folder(folder: Path, state: dict[str, Tensor]) -> Path:
    """Towers that stand apart ("text."), a config, and the tokenizer in one file."""
    apart = {f"text.{name}": tensor for name, tensor in state.items()} | {"logit_bias": torch.zeros(1)}
    torch.save(apart, folder / "open_clip_pytorch_model.bin")
    config = {"model_cfg": {"embed_dim": OUT, "quick_gelu": True, "text_cfg": {"heads": WIDTH // 64}}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    hugging_face_vocabulary(folder)
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    model = {"vocab": vocabulary, "merges": [list(pair) for pair in MERGES]}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}), encoding="utf-8")
    (folder / "vocab.json").unlink()
    return folder


def hugging_face_folder(folder: Path, state: dict[str, Tensor]) -> Path:
    found = {
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "text_model.embeddings.position_ids": torch.arange(PLACES)[None],
        "logit_scale": torch.tensor(4.6),
        "text_model.final_layer_norm.weight": state["ln_final.weight"],
        "text_model.final_layer_norm.bias": state["ln_final.bias"],
        "text_projection.weight": state["text_projection"].T.contiguous(),
        "vision_model.embeddings.class_embedding": torch.zeros(4),
    }
    for i in range(LAYERS):
        ours, theirs = f"transformer.resblocks.{i}.", f"text_model.encoder.layers.{i}."
        for kind in ("weight", "bias"):
            for part, q in zip("qkv", state[f"{ours}attn.in_proj_{kind}"].chunk(3), strict=True):
                found[f"{theirs}self_attn.{part}_proj.{kind}"] = q.clone()
            for mine, other in (
                ("attn.out_proj", "self_attn.out_proj"),
                ("mlp.c_fc", "mlp.fc1"),
                ("mlp.c_proj", "mlp.fc2"),
                ("ln_1", "layer_norm1"),
                ("ln_2", "layer_norm2"),
            ):
                found[f"{theirs}{other}.{kind}"] = state[f"{ours}{mine}.{kind}"]
    write_safetensors(found, folder / "model.safetensors")
    config = {"text_config": {"hidden_act": "quick_gelu", "num_attention_heads": WIDTH // 64, "hidden_size": WIDTH}}
    (folder / "config.json").write_text(json.dumps(config))
    hugging_face_vocabulary(folder)
    return folder


def write_safetensors(state: dict[str, Tensor], path: Path) -> None:
    header, values = {}, b""
    for name, tensor in state.items():
        data = tensor.contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(values), len(values + data)]}
        values += data
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)


pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # OpenAI's form all the same
LAYOUTS = [openai_archive, openai_state, open_clip_training, open_clip_folder, hugging_face_folder]
Layout = Callable[[Path, dict[str, Tensor]], Path]


def by_hand(state: dict[str, Tensor], ids: list[int]) -> Tensor:
    """The paper's tower from PyTorch's own encoder layers, with OpenAI's form of GELU."""
    x = state["token_embedding.weight"][ids] + state["positional_embedding"][: len(ids)]
    later = nn.Transformer.generate_square_subsequent_mask(len(ids))
    for i in range(LAYERS):
        layer = nn.TransformerEncoderLayer(
            WIDTH,
            WIDTH // 64,
            4 * WIDTH,
            0.0,
            lambda z: z * torch.sigmoid(1.702 * z),
            batch_first=True,
            norm_first=True,
        ).eval()
        block = f"transformer.resblocks.{i}."
        mine = {n.removeprefix(block): t for n, t in state.items() if n.startswith(block)}
        names = {"attn": "self_attn", "ln_1": "norm1", "ln_2": "norm2", "mlp.c_fc": "linear1", "mlp.c_proj": "linear2"}
        for ours, theirs in names.items():
            mine = {(theirs + n.removeprefix(ours) if n.startswith(f"{ours}.") else n): t for n, t in mine.items()}
        layer.load_state_dict(mine)
        x = layer(x[None], later)[0]
    final = nn.functional.layer_norm(x[-1], (WIDTH,), state["ln_final.weight"], state["ln_final.bias"])
    return final @ state["text_projection"]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda f: f.__name__)
def test_every_layout_gives_the_vectors_computed_by_hand(
    tmp_path: Path, state: dict[str, Tensor], layout: Layout
) -> None:
    path = layout(tmp_path, state)
    ids = find_tokenizer(tmp_path, TOKENS).encode(TEXT, PLACES)
    exact = {name: t.half().float() for name, t in state.items()} if layout is openai_archive else state
    with torch.no_grad():
        wanted = by_hand(exact, ids)
    vector = local_clip(str(path))([TEXT, "b"])
    assert vector.shape == (2, OUT) and vector.dtype == torch.float32 and not vector.requires_grad
    assert torch.allclose(vector[0], wanted, atol=1e-5)
    table = text_table(BASIC7, "paper", f"clip:{path}")
    assert table.shape == (7, OUT) and torch.equal(table, text_table(BASIC7, "paper", f"clip:{path}"))


def test_the_form_of_gelu_is_read_where_it_is_said(tmp_path: Path, state: dict[str, Tensor]) -> None:
    openai_vocabulary(tmp_path)
    for name in ("vit-b-32-laion.pt", "vit-b-32-openai.pt", "vit-b-32-QuickGELU.pt"):
        torch.save(state, tmp_path / name)
    laion, openai, quick = (
        local_clip(str(tmp_path / n))([TEXT])
        for n in ("vit-b-32-laion.pt", "vit-b-32-openai.pt", "vit-b-32-QuickGELU.pt")
    )
    assert torch.equal(openai, quick) and 1e-5 < (laion - quick).abs().max() < 0.1


def test_tokens_by_hand(tmp_path: Path) -> None:
    hugging_face_vocabulary(tmp_path)
    number = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    tokenizer = find_tokenizer(tmp_path, TOKENS)
    start, end = number["<|startoftext|>"], number["<|endoftext|>"]
    assert tokenizer.encode("Face  of\na ph", 77) == [
        start,
        number["face</w>"],
        number["of</w>"],
        number["a</w>"],
        number["p"],
        number["h</w>"],
        end,
    ]
    assert tokenizer.encode("it's 12_é", 77) == [
        start,
        *(number[t] for t in ("i", "t</w>", "'", "s</w>", "1</w>", "2</w>", "_</w>", "Ã", "©</w>")),
        end,
    ]
    cut = tokenizer.encode("face " * 100, 40)
    assert len(cut) == 40 and cut[-1] == end and tokenizer.encode("", 40) == [start, end]
    openai_vocabulary(tmp_path)  # wins, and says the same
    assert find_tokenizer(tmp_path, TOKENS).encode(TEXT, 77) == tokenizer.encode(TEXT, 77)


def test_what_is_missing_is_said(tmp_path: Path, state: dict[str, Tensor]) -> None:
    with pytest.raises(SettingError, match="write clip:PATH"):
        text_table(BASIC7, "paper", "clip")
    with pytest.raises(ModelError, match="no weights at"):
        text_table(BASIC7, "paper", f"clip:{tmp_path / 'absent.pt'}")
    with pytest.raises(ModelError, match="holds no CLIP checkpoint"):
        local_clip(str(tmp_path))
    torch.save(state, tmp_path / "clip.pt")
    with pytest.raises(ModelError, match=r"vocabulary is missing.*bpe_simple_vocab_16e6\.txt\.gz there.*merges\.txt"):
        local_clip(str(tmp_path / "clip.pt"))
    hugging_face_vocabulary(tmp_path)
    torch.save(state | {"token_embedding.weight": torch.zeros(100, WIDTH)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="not that of this checkpoint: 519 tokens for a network of 100"):
        local_clip(str(tmp_path / "other.pt"))
    torch.save(state | {"text_projection": torch.zeros(3)}, tmp_path / "strange.pt")
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "resnet.pt")
    with pytest.raises(ModelError, match=r"resnet\.pt holds no text tower of CLIP"):
        local_clip(str(tmp_path / "resnet.pt"))
    torch.save(state | {"transformer.resblocks.0.extra": torch.zeros(3)}, tmp_path / "extra.pt")
    with pytest.raises(ModelError, match=r"extra\.pt does not fit ClipText: 1 tensors.*resblocks\.0\.extra"):
        local_clip(str(tmp_path / "extra.pt"))
    hugging_face_folder(tmp_path, state)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"without its config\.json"):
        local_clip(str(tmp_path / "model.safetensors"))
    (tmp_path / "vocab.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        local_clip(str(tmp_path / "clip.pt"))


def test_an_archive_is_read_without_running_it(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = openai_archive(tmp_path, state)
    assert is_torchscript(path)
    found = read_state(path)
    assert found["context_length"] == PLACES
    assert torch.equal(found["positional_embedding"], state["positional_embedding"].half())
    torch.save(state, tmp_path / "plain.pt")
    assert not is_torchscript(tmp_path / "plain.pt") and not is_torchscript(tmp_path / OPENAI)
