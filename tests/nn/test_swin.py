"""Swin-T: the published counts, attention against loops written by hand, and weights of three layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tronie.core.errors import ModelError
from tronie.nn.encoders.swin import Block, Merge, SwinT, SwinTrunk, WindowAttention, join, relative_index, split
from tronie.nn.encoders.swin_names import smaller_patches, swinface_names
from tronie.nn.encoders.weights import load_weights

TORCHVISION = 28_288_354 - 768 * 1000 - 1000
"""swin_t's published count without its layer for 1000 classes; its patches are of 4 pixels."""


@pytest.fixture(scope="module")
def net() -> SwinT:
    torch.manual_seed(0)
    net = SwinT(drop_path=0.0)
    for p in net.parameters():  # norms and biases start alike: make a wrong assignment visible
        if p.dim() == 1:
            torch.nn.init.normal_(p, std=0.5)
    return net.eval()


def by_hand(attention: WindowAttention, x: Tensor, shift: int) -> Tensor:
    """Attention over tokens ``(h, w, c)``, token by token, windows found from their places alone: no roll, no mask."""
    h, w, c = x.shape
    heads, each = attention.heads, c // attention.heads
    qkv = attention.qkv(x).view(h, w, 3, heads, each)
    table = attention.relative_position_bias_table
    down, right = (shift if h > 7 else 0), (shift if w > 7 else 0)
    out = torch.zeros(h, w, heads, each)
    for r in range(h):
        for s in range(w):
            seen = [
                (i, j)
                for i in range(h)
                for j in range(w)
                if (i - down) // 7 == (r - down) // 7 and (j - right) // 7 == (s - right) // 7
            ]
            index = [(r - i + 6) * 13 + (s - j + 6) for i, j in seen]
            keys = torch.stack([qkv[i, j, 1] for i, j in seen])
            values = torch.stack([qkv[i, j, 2] for i, j in seen])
            for head in range(heads):
                scores = keys[:, head] @ qkv[r, s, 0, head] / each**0.5 + table[index, head]
                out[r, s, head] = scores.softmax(0) @ values[:, head]
    result: Tensor = attention.proj(out.reshape(h, w, c))
    return result


def test_counts_are_the_published_ones(net: SwinT) -> None:
    trunk, whole = (sum(p.numel() for p in m.parameters()) for m in (SwinTrunk(), net))
    assert (round(trunk / 1e6, 2), round((whole - trunk) / 1e6, 2), round(whole / 1e6, 2)) == (27.52, 0.99, 28.50)
    assert trunk + 96 * 3 * (16 - 4) == TORCHVISION


@pytest.mark.parametrize(("height", "width"), [(7, 7), (7, 14), (9, 16), (5, 7), (4, 10)])
@pytest.mark.parametrize("shifted", [False, True])
def test_attention_in_windows_by_hand(height: int, width: int, shifted: bool) -> None:
    torch.manual_seed(height * width)
    block = Block(12, 3, shifted, 0.0).eval()
    torch.nn.init.normal_(block.attn.relative_position_bias_table)
    x = torch.randn(2, height, width, 12)
    with torch.no_grad():
        ours, theirs = block.attend(x), torch.stack([by_hand(block.attn, one, 3 if shifted else 0) for one in x])
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_one_window_without_bias_is_plain_attention() -> None:
    torch.manual_seed(0)
    block = Block(12, 3, True, 0.0).eval()
    torch.nn.init.zeros_(block.attn.relative_position_bias_table)
    plain = torch.nn.MultiheadAttention(12, 3, batch_first=True).eval()
    qkv, proj = block.attn.qkv, block.attn.proj
    plain.load_state_dict(
        {
            "in_proj_weight": qkv.weight,
            "in_proj_bias": qkv.bias,
            "out_proj.weight": proj.weight,
            "out_proj.bias": proj.bias,
        }
    )
    x = torch.randn(2, 7, 7, 12)
    with torch.no_grad():
        theirs = plain(*[x.flatten(1, 2)] * 3)[0].view_as(x)
        assert torch.allclose(block.attend(x), theirs, atol=1e-6)


def test_windows_split_and_join() -> None:
    x = torch.randn(2, 14, 21, 3)
    windows = split(x)
    assert windows.shape == (2, 6, 49, 3) and torch.equal(windows[1, 4].view(7, 7, 3), x[1, 7:, 7:14])
    assert torch.equal(join(windows, 14, 21), x)


def test_each_pair_of_tokens_finds_its_distance() -> None:
    index = relative_index()
    for a in range(49):
        for b in range(49):
            assert index[a, b] == (a // 7 - b // 7 + 6) * 13 + (a % 7 - b % 7 + 6)


def test_merging_takes_four_neighbours_in_the_published_order() -> None:
    merge, x = Merge(2), torch.arange(32.0).view(1, 4, 4, 2)
    seen: list[Tensor] = []
    merge.norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    assert merge(x).shape == (1, 2, 2, 4) and merge(torch.zeros(1, 5, 3, 2)).shape == (1, 3, 2, 4)
    wanted = torch.cat([x[0, 2, 0], x[0, 3, 0], x[0, 2, 1], x[0, 3, 1]])  # down first, then right
    assert torch.equal(seen[0][0, 1, 0], wanted)


def test_depth_is_stochastic_in_training_only_and_grows_with_depth() -> None:
    torch.manual_seed(0)
    block = Block(12, 3, False, 0.5)
    x = torch.ones(4000, 1, 1, 1)
    kept = block.train().dropped(x)
    assert set(kept.flatten().tolist()) == {0.0, 2.0} and abs(kept.mean() - 1) < 0.1
    assert torch.equal(block.eval().dropped(x), x)
    drops = [block.drop for stage in SwinTrunk().layers for block in stage.blocks]  # type: ignore[union-attr]
    assert drops == pytest.approx([0.1 * i / 11 for i in range(12)], rel=1e-5)


def test_maps_are_seven_a_side_and_their_mean_is_the_feature(net: SwinT) -> None:
    pixels = torch.rand(2, 3, 112, 112) * 255
    with torch.no_grad():
        maps, feature = net.maps(pixels), net(pixels)
        with torch.autocast("cpu", torch.bfloat16):
            half = net(pixels)
    assert maps.shape == (2, 512, 7, 7) and torch.allclose(maps.mean((2, 3)), feature, atol=1e-4)
    assert torch.nn.functional.cosine_similarity(half.float(), feature).min() > 0.995


def test_maps_follow_the_norms_of_training() -> None:
    torch.manual_seed(0)
    net = SwinT(drop_path=0.0).train()
    pixels = torch.rand(6, 3, 56, 56) * 255
    with torch.no_grad():
        maps = net.maps(pixels)
        assert torch.allclose(maps.mean((2, 3)), net(pixels), atol=1e-3)
    norm = net.feature[1]
    assert isinstance(norm, torch.nn.BatchNorm1d) and norm.num_batches_tracked == 2


def swinface(state: dict[str, Tensor]) -> dict[str, object]:
    named = {f"module.{n}": t for n, t in state.items()}
    named |= {
        "module.layers.0.blocks.1.attn_mask": torch.zeros(64, 49, 49),
        "module.head.weight": torch.zeros(512, 768),
        "module.layers.0.blocks.0.attn.relative_position_index": torch.zeros(49, 49),
    }
    return {"state_dict_backbone": named, "epoch": 3}


def timm(state: dict[str, Tensor]) -> dict[str, object]:
    found: dict[str, object] = {"head.fc.weight": torch.zeros(1000, 768), "head.fc.bias": torch.zeros(1000)}
    for name, tensor in state.items():
        if ".downsample." in name:
            name = f"layers.{int(name[7]) + 1}{name[8:]}"
        if not name.startswith("feature."):
            found[name] = tensor
    return found


def torchvision(state: dict[str, Tensor]) -> dict[str, object]:
    found: dict[str, object] = {
        "head.weight": torch.zeros(1000, 768),
        "head.bias": torch.zeros(1000),
        "features.1.0.attn.relative_position_index": torch.zeros(2401),
    }
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[0] == "feature":
            continue
        if parts[0] == "patch_embed":
            name = f"features.0.{0 if parts[1] == 'proj' else 2}.{parts[2]}"
        elif parts[0] == "layers":
            place = 2 * int(parts[1]) + (1 if parts[2] == "blocks" else 2)
            rest = ".".join(parts[3:]).replace("mlp.fc1", "mlp.0").replace("mlp.fc2", "mlp.3")
            name = f"features.{place}.{rest}"
        found[name] = tensor
    return found


LAYOUTS = {"swinface": swinface, "timm": timm, "torchvision": torchvision}
KNOWN = {  # names as they stand in the published files
    "timm": {
        "layers.1.downsample.norm.weight": (384,),
        "layers.3.downsample.reduction.weight": (768, 1536),
        "layers.2.blocks.5.attn.relative_position_bias_table": (169, 12),
        "patch_embed.norm.bias": (96,),
    },
    "torchvision": {
        "features.0.0.weight": (96, 3, 2, 2),
        "features.2.reduction.weight": (192, 384),
        "features.1.0.attn.qkv.weight": (288, 96),
        "features.5.5.mlp.0.weight": (1536, 384),
        "features.6.norm.weight": (1536,),
        "features.7.1.mlp.3.bias": (768,),
        "norm.weight": (768,),
    },
}


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_weights_of_every_layout_load(tmp_path: Path, net: SwinT, layout: str) -> None:
    saved = LAYOUTS[layout](net.state_dict())
    for name, shape in KNOWN.get(layout, {}).items():
        tensor = saved[name]
        assert isinstance(tensor, Tensor) and tensor.shape == shape
    torch.save(saved, tmp_path / "weights.pt")
    loaded = SwinT()
    own = loaded.feature[0].weight.clone()
    load_weights(loaded, tmp_path / "weights.pt")
    for (name, theirs), ours in zip(net.named_parameters(), loaded.parameters(), strict=True):
        assert torch.equal(theirs, ours) or (name.startswith("feature.") and layout != "swinface"), name
    if layout != "swinface":  # made for 1000 classes of things: our head stays as it was
        assert torch.equal(loaded.feature[0].weight, own)
    trunk = SwinTrunk()
    load_weights(trunk, tmp_path / "weights.pt")
    assert torch.equal(trunk.layers[2].downsample.norm.weight, net.layers[2].downsample.norm.weight)  # type: ignore[union-attr]


def test_patches_of_four_pixels_compute_the_same_on_an_enlarged_face() -> None:
    torch.manual_seed(0)
    kernel, face = torch.randn(5, 3, 4, 4), torch.rand(1, 3, 12, 12)
    enlarged = face.repeat_interleave(2, 2).repeat_interleave(2, 3)
    ours, theirs = F.conv2d(face, smaller_patches(kernel), stride=2), F.conv2d(enlarged, kernel, stride=4)
    assert torch.allclose(ours, theirs, atol=1e-4)
    named = swinface_names({"features.0.0.weight": kernel})
    assert named["patch_embed.proj.weight"].shape == (5, 3, 2, 2)


def test_what_does_not_fit_is_said_in_one_sentence(tmp_path: Path, net: SwinT) -> None:
    state = dict(net.state_dict())
    state["layers.0.blocks.0.attn.relative_position_bias_table"] = torch.zeros(23 * 23, 3)  # trained with windows of 12
    torch.save(state, tmp_path / "window12.pt")
    with pytest.raises(ModelError, match=r"window12\.pt does not fit SwinT: 1 tensors.*relative_position_bias_table"):
        load_weights(SwinT(), tmp_path / "window12.pt")
    torch.save({n: t for n, t in net.state_dict().items() if "layers.3" not in n}, tmp_path / "part.pt")
    with pytest.raises(ModelError, match=r"part\.pt does not fit SwinT: 26 tensors.*'layers\.3\.blocks\.0"):
        load_weights(SwinT(), tmp_path / "part.pt")
