"""KE2NT: match faces with words, and turn every face into its neutral self as words turn from expression to neutral.

Knowledge-Enhanced Facial Expression Recognition with Emotional-to-Neutral Transformation, IEEE TMM 2025 (arXiv
2409.08598); what the abstract leaves open is read off the authors' release. With ``T`` the frozen vectors of the
labels' texts, ``t_0`` that of neutral, ``y`` a face's label and ``I`` the faces that are not labelled neutral:

    f_e = encoder(face)          f_n = M(f_e)                  the imagined neutral face; M: width - 128 - width
    L_s = CE(s cos(f_e, T), y)                                 matching, over all faces, s = 100
    L_t = mean_I 1 - cos(f_e - f_n, t_y - t_0)                 transformation, nothing normalised before
    L_c = mean_I cos(t_y, f_n) - cos(t_y, f_e) + 2             self-contrast
    L   = L_s + L_t + L_c

The release averages L_c over all pairs of texts and faces of a batch, so that a face is pulled to the words of other
faces too; "paired" is what the abstract describes and the default. ``faithful`` gives the release.
Our choices: soft targets give expectations, so L_t and L_c count a face by its target mass outside neutral; clips are
means over frames; where the encoder's feature and the texts differ in length, a linear layer ends the encoder. The
released text encoder is CLIP ViT-B/16's; the one shipped here, MiniLM, has never seen a picture. Not in the paper:
``looking``, RDFER's agreement over several views (arXiv 2502.16129) for wrong labels. Under ``torchrun`` L_t and L_c
are means over each process's share of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, LookingMethod, Output, Progress, as_images
from tronie.metrics.actions import Looking
from tronie.nn.encoders.table import make_encoder
from tronie.nn.heads import over_frames
from tronie.nn.losses import cosines, expressive, self_contrast, smooth, soft_cross_entropy, transformation
from tronie.nn.text import text_table

SCALE = 100.0
"""s of CLIP's released weights; a learned one starts from 1/0.07, as CLIP's did, and stays below this."""

_SENTENCES = (
    "Its texts' vectors are those of MiniLM, a sentence encoder that has never seen a picture: what they know is not "
    "what a vision-language model knows."
)
_NOTES = {
    "table": _SENTENCES,
    "minilm": _SENTENCES,
    "clip": "Its texts' vectors are those of a CLIP checkpoint that its maker had.",
    "random-orthogonal": "In the place of texts it has random vectors: a control that knows nothing of words.",
}
"""What a model's card says of ``text``."""


@dataclass(frozen=True)
class KE2NTConfig:
    """``transform`` and ``contrast`` are the weights of L_t and L_c (that of L_s is 1); ``hidden`` is M's width.

    ``pairs`` says over what L_c is a mean. ``faithful``: the release, with all pairs and the leading label of soft
    targets.

    Our choices: ``encoder`` and ``size`` (side of the crops in pixels); ``prompts`` and ``text``, the prompt set and
    text encoder of :func:`tronie.nn.text.text_table`; ``centre`` takes the mean text out of all texts; ``scale`` fixed
    at 100 or learned from 1/0.07; ``residual``: f_n = f_e + M(f_e); ``smoothing`` of L_s's targets, ``dropout`` of the
    encoder's feature; ``looking``, see :mod:`tronie.metrics.actions`.
    """

    encoder: str = "resnet18"
    size: int = 112
    prompts: str = "paper"
    text: str = "table"
    transform: float = 1.0
    contrast: float = 1.0
    pairs: Literal["paired", "all-pairs"] = "paired"
    hidden: int = 128
    centre: bool = False
    scale: Literal["fixed", "learned"] = "fixed"
    residual: bool = False
    smoothing: float = 0.0
    dropout: float = 0.0
    faithful: bool = False
    looking: Looking = field(default_factory=Looking)

    def __post_init__(self) -> None:
        if min(self.transform, self.contrast) < 0 or self.hidden < 1:
            raise SettingError("KE2NT needs transform and contrast >= 0 and hidden >= 1.")
        ours = self.centre or self.residual or self.scale != "fixed" or self.smoothing or self.looking.looks
        if self.faithful and ours:
            raise SettingError("faithful is the release: leave centre, residual, scale, smoothing and looking alone.")


class KE2NT(LookingMethod):
    """``text`` ``(classes, d)`` is the frozen table."""

    Config = KE2NTConfig
    text: Tensor

    def __init__(self, labels: LabelSet, config: KE2NTConfig) -> None:
        super().__init__(labels, config.looking)
        self.config, self.size = config, config.size
        self.imagines = config.transform > 0 or config.contrast > 0
        if self.imagines and labels.neutral is None:
            raise SettingError(
                "KE2NT turns faces into neutral ones and finds no label 'neutral' among "
                f"{', '.join(labels.names)}: call it so, or learn by matching alone "
                "(config.transform = 0, config.contrast = 0)."
            )
        table = text_table(labels, config.prompts, config.text)
        self.register_buffer("text", table - table.mean(0) if config.centre else table)
        self.encoder = make_encoder(config.encoder)
        width, inside = table.shape[1], self.encoder.width
        self.last = nn.Identity() if inside == width else nn.Linear(inside, width)
        self.drop = nn.Dropout(config.dropout)
        self.neutral = nn.Sequential(nn.Linear(width, config.hidden), nn.ReLU(), nn.Linear(config.hidden, width))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07))) if config.scale == "learned" else None

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Let the encoder start with statistics of the training faces; make room to remember looks at every row."""
        super().prepare(train, faces)
        self.encoder.start(faces)

    def forward(self, clip: Tensor) -> Output:
        face = self.last(self.drop(over_frames(self.encoder(as_images(clip)), clip.shape[1])))
        calm = self.imagine(face) if self.imagines else None
        return Output(self.scale() * cosines(face, self.text), face, neutral=calm)

    def imagine(self, face: Tensor) -> Tensor:
        """f_n: features ``(b, d)`` of the neutral faces behind ``face`` ``(b, d)``."""
        turned: Tensor = self.neutral(face)
        return face + turned if self.config.residual else turned

    @classmethod
    def note(cls, settings: Mapping[str, Any]) -> str:
        """Whose knowledge the texts are."""
        text = str(settings.get("text", "")).partition(":")[0]
        return _NOTES.get(text, f"Its texts' vectors were made by {text}.")

    @property
    def words(self) -> Tensor | None:
        """The texts' vectors ``(classes, d)`` that features are matched with; exported beside ``neutral``."""
        return self.text if self.imagines else None

    def scale(self) -> Tensor | float:
        """s, what cosines are multiplied by."""
        return SCALE if self.log_scale is None else self.log_scale.exp().clamp_max(SCALE)

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        how, target = self.config, batch.target
        if how.faithful:
            target = torch.eye(len(self.labels), device=target.device)[target.argmax(1)]
        output = self(batch.clips[0])
        parts = {"match": soft_cross_entropy(output.logits, smooth(target, how.smoothing), batch.weight)}
        if output.neutral is None or self.labels.neutral is None:
            return parts
        mass = expressive(target, batch.weight, self.labels.neutral)
        seen = (output.feature, output.neutral, self.text)
        if how.transform:
            parts["transform"] = how.transform * transformation(*seen, self.labels.neutral, mass)
        if how.contrast:
            everyone = how.faithful or how.pairs == "all-pairs"
            parts["contrast"] = how.contrast * self_contrast(*seen, mass, all_pairs=everyone)
        return parts
