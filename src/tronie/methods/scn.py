"""Self-Cure Network: weigh each face by how sure the network may be of it, and relabel the unsure ones.

Wang et al., *Suppressing Uncertainties for Large-Scale Facial Expression Recognition*, CVPR 2020 (arXiv 2002.10392);
numbers from the paper and its public release. With ``x_i`` the feature of face ``i``:

    α_i   = sigmoid(w_a · x_i + b_a)                                              importance
    L_WCE = mean_i -log softmax(α_i (W x_i + b))_{y_i}                            logits weighted by importance
    L_RR  = max(0, δ1 - (mean α of the top share β - mean α of the others))       rank regularisation, per batch
    L     = γ L_RR + (1 - γ) L_WCE                                                γ = 0.5, β = 0.7, δ1 = 0.15
    y_i  ← argmax P_i  if  max P_i - P_i(y_i) > δ2                                δ2 = 0.2, from epoch 10 on

Relabelling is confined to the least important 1 - β, as the paper says; its release relabels any row. ``forward``
answers with the weighted logits that were trained, so an unimportant face gets a flat answer.
Our choices: the paper ranks and relabels within each batch while it trains, on varied pictures; here all rows are
looked at once an epoch, unvaried, and ranked together. A new label replaces the old one until the next look. Under
``torchrun`` importance is ranked within each process's share of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.methods.method import Batch, Decisions, Method, Output, Predict, Progress, TrainingRows, as_images
from tronie.nn.heads import Classifier
from tronie.nn.losses import soft_cross_entropy


@dataclass(frozen=True)
class SCNConfig:
    """``top`` is β, ``margin`` δ1, ``rank`` γ, ``relabel_margin`` δ2; ``relabel_after`` so many finished epochs.

    Our choices: ``encoder``, a name of the encoders' table, ``size``, the side of its crops in pixels, and ``dropout``.
    """

    encoder: str = "dlib-resnet29"
    size: int = 112
    top: float = 0.7
    margin: float = 0.15
    rank: float = 0.5
    relabel_margin: float = 0.2
    relabel_after: int = 10
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.top < 1 and 0 <= self.rank <= 1):
            raise SettingError(f"top is {self.top:g}, rank {self.rank:g}: they need 0 < top < 1 and 0 <= rank <= 1.")


class SCN(Method):
    """Classifier with an importance for each face, and a look at the unimportant ones after every epoch."""

    Config = SCNConfig

    def __init__(self, labels: LabelSet, config: SCNConfig) -> None:
        super().__init__(labels)
        self.config, self.size = config, config.size
        self.net = Classifier(config.encoder, len(labels), config.dropout)
        self.attention = nn.Linear(self.net.width, 1)

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Let the encoder start from its pre-trained state, with statistics of the training faces."""
        self.net.encoder.start(faces)

    def forward(self, clip: Tensor) -> Output:
        logits, feature = self.net(as_images(clip), clip.shape[1])
        return Output(self.importance(feature) * logits, feature)

    def importance(self, feature: Tensor) -> Tensor:
        """α in (0, 1): ``(b, width)`` → ``(b, 1)``."""
        return torch.sigmoid(self.attention(feature))

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        output = self(batch.clips[0])
        ranked = rank_regularisation(self.importance(output.feature)[:, 0], self.config.top, self.config.margin)
        return {
            "wce": (1 - self.config.rank) * soft_cross_entropy(output.logits, batch.target, batch.weight),
            "rank": self.config.rank * ranked,
        }

    @torch.no_grad()
    def refresh(self, predict: Predict, rows: TrainingRows, at: Progress) -> Decisions | None:
        """Relabel rows of the least important group whose label the network clearly disbelieves."""
        if at.epoch + 1 < self.config.relabel_after:
            return None
        answers = predict(np.arange(len(rows)))
        feature = torch.from_numpy(answers.feature).to(self.attention.weight.device)
        alpha = self.importance(feature)[:, 0].cpu().numpy()
        p = torch.softmax(torch.from_numpy(answers.logits), 1).numpy()
        held = rows.target.argmax(1)
        row = doubted(p, held, alpha, self.config.top, self.config.relabel_margin)
        best, before = p[row].max(1), p[row, held[row]]
        return Decisions(
            row=row,
            verdict=np.full(len(row), "relabel"),
            weight=np.ones(len(row), np.float32),
            label=p[row].argmax(1),
            reason=np.array(
                [
                    f"importance {a:.2f}, P {b:.2f} against {c:.2f}"
                    for a, b, c in zip(alpha[row], best, before, strict=True)
                ],
                np.str_,
            ),
            epoch=at.epoch,
        )


def rank_regularisation(alpha: Tensor, top: float, margin: float) -> Tensor:
    """``max(0, margin - (mean of the top share - mean of the others))`` of importances ``(b,)``; 0 for one row.

    The top group has ``top · b`` rows, rounded down, and neither group is empty.
    """
    if len(alpha) < 2:
        return alpha.sum() * 0
    ordered = alpha.float().sort(descending=True).values
    count = min(max(int(top * len(alpha) + 1e-9), 1), len(alpha) - 1)  # the guard: 0.7 · 10 is 6.999… in floating point
    return torch.relu(margin - (ordered[:count].mean() - ordered[count:].mean()))


def doubted(
    p: NDArray[np.float32], held: NDArray[np.int64], alpha: NDArray[np.float32], top: float, margin: float
) -> NDArray[np.int64]:
    """Rows outside the top share by importance ``alpha`` ``(n,)`` that lean away from the label they hold.

    ``p`` ``(n, classes)``: a row is doubted where ``max p - p[held]`` exceeds ``margin``. Positions in rising order.
    """
    unsure = np.argsort(-alpha, kind="stable")[int(top * len(alpha) + 1e-9) :]
    gap = p[unsure].max(1) - p[unsure, held[unsure]]
    return np.sort(unsure[gap > margin])
