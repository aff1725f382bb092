"""Weights from elsewhere into an encoder: a state dict, read without running anything it may contain."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from tronie.nn.encoders.plain import PlainEncoder
from tronie.nn.states import fill, read_state

_BEFORE = re.compile(r"^(module\.|model\.|backbone\.|encoder\.)+")  # what wrappers put before names
_HEADS = ("fc.", "head.", "classifier.")

Renamed = Callable[[dict[str, Tensor]], dict[str, Tensor]]
"""State dict of another layout → the encoder's own names."""


def load_weights(encoder: nn.Module, path: Path) -> None:
    """Fill ``encoder`` from a file that :func:`read_state` reads; wrappers' prefixes and heads are left out.

    An encoder that knows other layouts of its names has a method ``renamed``. Raises ModelError if the file cannot be
    read safely, or a tensor is missing, left over or of another shape.
    """
    if isinstance(encoder, PlainEncoder):
        encoder = encoder.wrapped
    named = {_BEFORE.sub("", name): tensor for name, tensor in read_state(path).items()}
    found = {name: tensor for name, tensor in named.items() if not name.startswith(_HEADS)}
    renamed: Renamed | None = getattr(encoder, "renamed", None)
    if renamed is not None:
        found = renamed(found)
    fill(encoder, found, path)
