"""One vector per training row that lives as long as the run, checkpoints included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tronie.core.errors import SettingError


class RowMemory(nn.Module):
    """``values`` ``(rows, width)`` float32, zero at first; ``rows`` are positions in the training manifest.

    :meth:`resize` gives it its rows before training. A checkpoint brings its own number of rows along.
    """

    values: Tensor

    def __init__(self, width: int, rows: int = 0) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(rows, width))

    def resize(self, rows: int) -> None:
        """Forget everything and make room for ``rows`` rows."""
        self.values = self.values.new_zeros(rows, self.values.shape[1])

    def __getitem__(self, row: Tensor) -> Tensor:
        """Vectors ``(b, width)`` of the rows ``(b,)``. Raises SettingError for a row that has no place."""
        self._check(row)
        return self.values[row]

    @torch.no_grad()
    def blend(self, row: Tensor, vectors: Tensor, keep: float) -> Tensor:
        """Move each row's vector to ``keep · old + (1 - keep) · new`` and return the moved ones, without gradient.

        A row that occurs twice in ``row`` moves once, towards one of its new vectors.
        """
        self._check(row)
        moved = keep * self.values[row] + (1 - keep) * vectors.detach().float()
        self.values[row] = moved
        return moved

    def _check(self, row: Tensor) -> None:
        if len(row) and int(row.max()) >= len(self.values):
            raise SettingError(f"Training row {int(row.max())} has no place in a memory of {len(self.values)} rows: "
                               "the method was prepared with another training set, or not at all.")  # fmt: skip

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        saved = state_dict.get(prefix + "values")
        if saved is not None and saved.shape[1:] == self.values.shape[1:]:
            self.resize(len(saved))
        super()._load_from_state_dict(state_dict, prefix, *rest)
