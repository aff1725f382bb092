"""Swin-T for faces of 112 pixels (Liu et al., ICCV 2021, arXiv 2103.14030), as SwinFace and KE2NT have it.

Patches of 2 pixels instead of 4 let a face of 112 pixels take the steps that a picture of 224 takes in the original:
56, 28, 14 and 7 tokens a side. Names are SwinFace's; files in the layouts of SwinFace, timm and torchvision load by
:func:`tronie.nn.encoders.weights.load_weights`, see :mod:`tronie.nn.encoders.swin_names`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.nn.encoders.resnet import MEAN, STD
from tronie.nn.encoders.swin_names import swinface_names

WINDOW = 7
DEPTHS, HEADS = (2, 2, 6, 2), (3, 6, 12, 24)


def split(x: Tensor) -> Tensor:
    """Tokens ``(n, h, w, c)`` in windows: ``(n, windows, 49, c)``, windows row by row."""
    n, h, w, c = x.shape
    x = x.view(n, h // WINDOW, WINDOW, w // WINDOW, WINDOW, c).transpose(2, 3)
    return x.reshape(n, -1, WINDOW * WINDOW, c)


def join(windows: Tensor, height: int, width: int) -> Tensor:
    """The inverse of :func:`split`: ``(n, windows, 49, c)`` → ``(n, height, width, c)``."""
    x: Tensor = windows.unflatten(2, (WINDOW, WINDOW)).unflatten(1, (height // WINDOW, width // WINDOW))
    return x.transpose(2, 3).reshape(windows.shape[0], height, width, -1)


def kept_apart(height: int, width: int, shift: tuple[int, int]) -> Tensor:
    """``(windows, 49, 49)``: True where two tokens share a window of a padded, rolled map but must not see each other.

    After tokens are rolled by ``shift``, the last rows and columns hold what came in from the other side: those are
    strangers to the rest (the paper's figure 4), and so is padding.
    """
    number = F.pad(torch.zeros(1, height, width, 1), (0, 0, 0, -width % WINDOW, 0, -height % WINDOW), value=4)
    number = number.roll((-shift[0], -shift[1]), (1, 2))
    number[:, number.shape[1] - shift[0] :] += 1
    number[:, :, number.shape[2] - shift[1] :] += 2
    within = split(number)[0, :, :, 0]
    return within[:, :, None] != within[:, None]


def relative_index() -> Tensor:
    """For each pair of a window's 49 tokens the row of the bias table ``(13·13, heads)`` that holds their distance."""
    place = torch.cartesian_prod(torch.arange(WINDOW), torch.arange(WINDOW))
    apart = place[:, None] - place[None] + WINDOW - 1
    index: Tensor = apart[..., 0] * (2 * WINDOW - 1) + apart[..., 1]
    return index


class WindowAttention(nn.Module):
    """Multi-head attention within windows, with a learnt bias for each relative position (the paper's equation 4)."""

    index: Tensor

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("index", relative_index(), persistent=False)

    def forward(self, x: Tensor, apart: Tensor | None) -> Tensor:
        """``x`` ``(n, windows, 49, width)``; ``apart`` is that of :func:`kept_apart`, None where all may see all."""
        n, windows, tokens, width = x.shape
        qkv = self.qkv(x).view(n, windows, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)  # each (n, windows, heads, 49, width / heads)
        # written out: with 49 tokens fused attention gains nothing, and the exporter fails on its memory layout
        score = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        score = score + self.relative_position_bias_table[self.index].permute(2, 0, 1)
        if apart is not None:
            score = score.masked_fill(apart[:, None], float("-inf"))
        mixed = score.softmax(-1) @ v
        out: Tensor = self.proj(mixed.transpose(2, 3).reshape(x.shape))
        return out


class Mlp(nn.Module):
    """Linear, GELU, linear; four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention in windows, then the two-layer net; each is added to its input, or dropped at random in training."""

    def __init__(self, width: int, heads: int, shifted: bool, drop: float) -> None:
        super().__init__()
        self.shift, self.drop = (WINDOW // 2 if shifted else 0), drop
        self.norm1, self.attn = nn.LayerNorm(width), WindowAttention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width), Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, h, w, width)`` of any height and width; what does not fill a window is padded and never attended to."""
        x = x + self.dropped(self.attend(self.norm1(x)))
        out: Tensor = x + self.dropped(self.mlp(self.norm2(x)))
        return out

    def attend(self, x: Tensor) -> Tensor:
        """Attention in (shifted) windows over tokens ``(n, h, w, width)``."""
        h, w = x.shape[1:3]
        down, right = -h % WINDOW, -w % WINDOW
        tall, wide = h + down, w + right
        shift = (self.shift if tall > WINDOW else 0, self.shift if wide > WINDOW else 0)
        if down or right:
            x = F.pad(x, (0, 0, 0, right, 0, down))
        if any(shift):
            x = x.roll((-shift[0], -shift[1]), (1, 2))
        apart = kept_apart(h, w, shift).to(x.device) if down or right or any(shift) else None
        x = join(self.attn(split(x), apart), tall, wide)
        if any(shift):
            x = x.roll(shift, (1, 2))
        return x[:, :h, :w]

    def dropped(self, x: Tensor) -> Tensor:
        """Stochastic depth (Huang et al., ECCV 2016): whole rows are dropped, the others grow to keep the mean."""
        if not self.training or self.drop == 0:
            return x
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
        return x * kept.to(x.dtype) / (1 - self.drop)


class Merge(nn.Module):
    """Four neighbours become one token of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        four = [x[:, down::2, right::2] for right in (0, 1) for down in (0, 1)]  # the order of the published weights
        out: Tensor = self.reduction(self.norm(torch.cat(four, 3)))
        return out


class Stage(nn.Module):
    """Blocks, every second with shifted windows; then, but for the last stage, a merge."""

    def __init__(self, width: int, heads: int, drops: list[float], merge: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads, i % 2 == 1, drop) for i, drop in enumerate(drops)))
        self.downsample = Merge(width) if merge else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        return x if self.downsample is None else self.downsample(x)


class Patches(nn.Module):
    """Patches of 2x2 pixels as normalised tokens ``(n, h/2, w/2, width)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj, self.norm = nn.Conv2d(3, width, 2, 2), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.proj(x).permute(0, 2, 3, 1))
        return out


class SwinTrunk(nn.Module):
    """``(n, 3, h, w)`` RGB in 0..255 → ``(n, 768)``; 27.5 M parameters, made for 112 px. Starts random."""

    width = 768
    mean: Tensor
    std: Tensor

    def __init__(self, drop_path: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        drops = torch.linspace(0, drop_path, sum(DEPTHS)).split(DEPTHS)
        self.patch_embed = Patches(96)
        stages = enumerate(zip(HEADS, drops, strict=True))
        self.layers = nn.Sequential(*(Stage(96 * 2**i, heads, drop.tolist(), i < 3) for i, (heads, drop) in stages))
        self.norm = nn.LayerNorm(768)
        self.apply(_scale)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.tokens(pixels).mean((1, 2))

    def tokens(self, pixels: Tensor) -> Tensor:
        """``(n, h', w', 768)``, normalised; 7 a side at 112 px."""
        out: Tensor = self.norm(self.layers(self.patch_embed((pixels - self.mean) / self.std)))
        return out

    def maps(self, pixels: Tensor) -> Tensor:
        """``(n, width, h', w')``, a sixteenth of the picture's sides; their mean is the feature."""
        return self.tokens(pixels).permute(0, 3, 1, 2)

    def start(self, faces: Tensor) -> None:
        """Nothing to load: it starts random, or from the file that a recipe names in ``weights``."""

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """A state dict of SwinFace, timm or torchvision in our names; a head that the file lacks stays as it is."""
        state = swinface_names(state)
        mine = self.state_dict()
        head = {n: t for n, t in mine.items() if n.startswith("feature.")}
        if any(name.startswith("feature.") for name in state):
            return state if head else {n: t for n, t in state.items() if not n.startswith("feature.")}
        return state | head


class SwinT(SwinTrunk):
    """The trunk with SwinFace's head: ``(n, 3, h, w)`` → ``(n, 512)``; 28.5 M parameters.

    The head is linear, norm, linear, norm. Nothing bends in it, so each token's own vector has a meaning: their mean is
    the feature, in training too, where the norms take their statistics from the averaged tokens.
    """

    width = 512

    def __init__(self, drop_path: float = 0.1) -> None:
        super().__init__(drop_path)
        self.feature = nn.Sequential(
            nn.Linear(768, 768, bias=False),
            nn.BatchNorm1d(768, eps=2e-5),
            nn.Linear(768, 512, bias=False),
            nn.BatchNorm1d(512, eps=2e-5),
        )
        self.feature.apply(_scale)

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.feature(super().forward(pixels))
        return out

    def maps(self, pixels: Tensor) -> Tensor:
        each = self.tokens(pixels)
        mean = each.mean((1, 2))
        for part in self.feature:
            if isinstance(part, nn.BatchNorm1d):
                each, mean = _spread(part, each, mean)
            else:
                each, mean = part(each), part(mean)
        return each.permute(0, 3, 1, 2)


def _spread(norm: nn.BatchNorm1d, each: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """``norm`` of ``mean`` ``(n, c)``, and of ``each`` ``(n, h, w, c)`` with the very statistics used there."""
    if norm.training:
        centre, spread = mean.float().mean(0), mean.float().var(0, unbiased=False)
    else:
        assert norm.running_mean is not None and norm.running_var is not None
        centre, spread = norm.running_mean, norm.running_var
    return (each - centre) * torch.rsqrt(spread + norm.eps) * norm.weight + norm.bias, norm(mean)


def _scale(module: nn.Module) -> None:
    """The authors' initial weights: normal with deviation 0.02, cut at ±2; biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
