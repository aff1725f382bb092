"""What stands on an encoder."""

from __future__ import annotations

from torch import Tensor, nn

from tronie.nn.encoders.table import make_encoder


class Classifier(nn.Module):
    """Encoder → mean over frames → dropout → linear. Its parts are public: methods recombine them.

    ``width`` is the length of the feature. ``encoder`` is a name of the encoders' table (or anything
    :func:`tronie.nn.encoders.table.make_encoder` takes), ``dropout`` a share in [0, 1).
    """

    def __init__(self, encoder: str, classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = make_encoder(encoder)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(self.encoder.width, classes)
        self.width = self.encoder.width

    def feature(self, images: Tensor, frames: int) -> Tensor:
        """``(b·frames, 3, h, w)`` float RGB in 0..255 → ``(b, width)``."""
        return over_frames(self.encoder(images), frames)

    def forward(self, images: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """``(b·frames, 3, h, w)`` float RGB in 0..255 → logits ``(b, classes)``, feature ``(b, width)``."""
        feature = self.feature(images, frames)
        logits: Tensor = self.head(self.drop(feature))
        return logits, feature


def over_frames(vectors: Tensor, frames: int) -> Tensor:
    """Mean over each clip's frames: ``(b·frames, d)`` → ``(b, d)``."""
    mean: Tensor = vectors.unflatten(0, (-1, frames)).mean(1)
    return mean
