"""Erasing attention consistency: a face and its mirror image have to be judged by mirrored evidence.

Zhang et al., *Learn From All: Erasing Attention Consistency for Noisy Label Facial Expression Recognition*, ECCV 2022
(arXiv 2207.10299); numbers from the paper and its public release. With ``F`` the encoder's last map ``(width, h, w)``
of a picture, ``F'`` that of its mirror image and ``W`` the head's weights:

    M_j  = sum_c W_jc F_c                     class activation map of label j, W held fixed
    L_c  = mean over j, h, w of (M - mirror(M'))²
    L    = CE(picture) + λ L_c                λ = 5

Only the picture meets its label, the mirror image does not: memorising a wrong label means to lean on a detail of this
very picture, which the other side contradicts. Rectangles of 2 to 25 % of the picture are erased with probability 1/2,
which hides such details. Both are erased independently, as the release does wherever labels are noisy (with clean
labels it mirrors the erased picture).
Our choices: both are made of one augmented picture (the release varies them apart); what is erased gets the picture's
mean colour (the release: the training set's); clips are frames of which each has to agree. The encoder's map has to
have several places: ResNet-18's is 4 × 4 at 112 px, dlib's net has shrunk it to one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tronie.clips.views import View
from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Method, Output, Progress, as_images
from tronie.nn.heads import Classifier, over_frames
from tronie.nn.losses import soft_cross_entropy

_AREA = (0.02, 0.25)
_ASPECT = (0.3, 3.3)  # height : width, log-uniform; the usual range of random erasing (Zhong et al., AAAI 2020)


@dataclass(frozen=True)
class EACConfig:
    """``consistency`` is λ; ``erase`` the probability of erasing, for each side.

    Our choices: ``encoder``, a name of the encoders' table, ``size``, the side of its crops in pixels, and ``dropout``.
    """

    encoder: str = "resnet18"
    size: int = 112
    consistency: float = 5.0
    erase: float = 0.5
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.consistency < 0 or not 0 <= self.erase <= 1:
            raise SettingError(
                f"consistency is {self.consistency:g}, erase {self.erase:g}: they need "
                "consistency >= 0 and 0 <= erase <= 1."
            )


class EAC(Method):
    """Encoder → mean over frames → linear, with flip-attention consistency."""

    Config = EACConfig

    def __init__(self, labels: LabelSet, config: EACConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.net = Classifier(config.encoder, len(labels), config.dropout)

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Let the encoder start from its pre-trained state, with statistics of the training faces."""
        self.net.encoder.start(faces)

    def forward(self, clip: Tensor) -> Output:
        return Output(*self.net(as_images(clip), clip.shape[1]))

    def views(self, train: bool) -> tuple[View, ...]:
        """In training a varied picture and its mirror image."""
        plain = View(size=self.size, augment=train)
        return (plain, replace(plain, mirror=True)) if train else (plain,)

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        maps, other = (self.net.encoder.maps(erased(as_images(clip), self.config.erase)) for clip in batch.clips)
        if maps.shape[2] * maps.shape[3] == 1:
            raise SettingError(
                f"EAC compares where things are seen; encoder '{self.config.encoder}' sees one place at "
                f"{self.size} px: use resnet18, or larger crops."
            )
        logits = self.net.head(self.net.drop(over_frames(maps.mean((2, 3)), batch.clips[0].shape[1])))
        gap = flip_gap(activation_maps(maps, self.net.head.weight), activation_maps(other, self.net.head.weight))
        return {
            "ce": soft_cross_entropy(logits, batch.target, batch.weight),
            "flip": self.config.consistency * gap,
        }


def activation_maps(maps: Tensor, weight: Tensor) -> Tensor:
    """Class activation maps ``(n, classes, h, w)`` of maps ``(n, width, h, w)``; no gradient to ``weight``."""
    with torch.autocast(maps.device.type, enabled=False):  # squares of small differences: bf16 would be too coarse
        return torch.einsum("nchw,jc->njhw", maps.float(), weight.detach().float())


def flip_gap(maps: Tensor, mirrored: Tensor) -> Tensor:
    """Mean squared difference of ``(n, classes, h, w)`` and the mirror image of the mirrored picture's maps."""
    return (maps - mirrored.flip(-1)).square().mean()


def erased(images: Tensor, probability: float) -> Tensor:
    """A copy of ``images`` ``(n, 3, h, w)`` where each, with ``probability``, has a rectangle of its mean colour."""
    n, _, high, wide = images.shape
    draw = torch.rand(5, n)  # on the CPU, so that every device draws the same
    area = (_AREA[0] + (_AREA[1] - _AREA[0]) * draw[0]) * high * wide
    aspect = _ASPECT[0] * (_ASPECT[1] / _ASPECT[0]) ** draw[1]
    h = (area * aspect).sqrt().round().clamp(1, high)
    w = (area / aspect).sqrt().round().clamp(1, wide)
    top, left = (draw[2] * (high - h + 1)).floor(), (draw[3] * (wide - w + 1)).floor()
    y, x = torch.arange(high)[None], torch.arange(wide)[None]
    rows = (y >= top[:, None]) & (y < (top + h)[:, None]) & (draw[4] < probability)[:, None]
    columns = (x >= left[:, None]) & (x < (left + w)[:, None])
    hole = (rows[:, :, None] & columns[:, None, :])[:, None].to(images.device)
    return torch.where(hole, images.mean((2, 3), keepdim=True), images)
