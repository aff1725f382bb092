"""From a trained method of clips to the ONNX graph that reads what an encoder made of their frames."""

from __future__ import annotations

import copy
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tronie.core.errors import ModelError
from tronie.methods.method import Method
from tronie.train.graph import write_onnx


class _Reading(nn.Module):
    """``clips`` ``(n, T, D)`` float32 → logits ``(n, classes)``, perhaps where ``(n, keys·each)``, affect ``(n, 2)``.

    A method that chooses where to look closely has ``look``, whose ``position`` says it in frames.
    """

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, clips: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.named(clips).values())

    def named(self, clips: Tensor) -> dict[str, Tensor]:
        """The graph's outputs by name."""
        method: Any = self.method
        if hasattr(method, "look"):
            seen = method.look(method.encode(clips))
            found = {"logits": seen.answer.logits, "where": seen.position}
        else:
            output = method(clips)
            found = {"logits": output.logits, "where": None, "affect": output.affect}
        if found["where"] is not None:
            found["where"] = found["where"].clamp(0, clips.shape[1] - 1)
        return {name: one for name, one in found.items() if one is not None}


def export_temporal(method: Method, path: Path, width: int) -> Path:
    """Write the fp32 graph of ``method`` for its random looks at clips of features of ``width`` numbers a frame.

    Raises ModelError for a method whose looks the exporter cannot follow: RDFER with frames drawn at evaluation.
    """
    if getattr(getattr(method, "config", None), "faithful", False):
        raise ModelError(
            "A run with faithful = true draws frames even when it is judged, so it answers differently "
            "each time: it cannot be exported."
        )
    reading = _Reading(copy.deepcopy(method)).eval().requires_grad_(False)
    example = torch.zeros(2, method.draw_view().frames, width)
    with torch.no_grad():
        outputs = list(reading.named(example))
    return write_onnx(reading, example, path, "clips", outputs)


def frames_of_a_key(method: Method, outputs: Collection[str]) -> int:
    """How many frames each key of the output ``where`` has; 0 for a graph that has none."""
    return int(getattr(getattr(method, "config", None), "each", 0)) if "where" in outputs else 0
