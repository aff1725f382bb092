"""What methods decided about training rows: kept through the run, applied to what the loop draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tronie.core.errors import SettingError
from tronie.data.loader import Rows
from tronie.methods.method import Decisions, TrainingRows


class Decided:
    """The training rows of all sources, in the order of ``Batch.row``, as decisions leave them."""

    def __init__(self, sources: Sequence[Rows]) -> None:
        self._sources = sources
        self._given = np.concatenate([s.target for s in sources])
        self._weight = np.concatenate([s.weight for s in sources])
        self._factor = np.ones(len(self._weight), np.float32)
        self._label = np.full(len(self._weight), -1, np.int64)

    def __len__(self) -> int:
        return len(self._weight)

    def rows(self) -> TrainingRows:
        """Targets and weights as they are now, for a method to look at."""
        one_hot = np.eye(self._given.shape[1], dtype=np.float32)[self._label]
        target = np.where(self._label[:, None] >= 0, one_hot, self._given)
        return TrainingRows(target, self._weight * self._factor, self._given)

    def sources(self) -> list[Rows]:
        """The sources with these targets and weights."""
        rows, ends = self.rows(), np.cumsum([len(s) for s in self._sources])[:-1]
        parts = zip(self._sources, np.split(rows.target, ends), np.split(rows.weight, ends), strict=True)
        return [replace(s, target=t, weight=w) for s, t, w in parts]

    def apply(self, decisions: Decisions) -> None:
        """Take decisions over. Raises SettingError for impossible ones: they are a mistake in the method."""
        row, n, classes = decisions.row, len(self._weight), self._given.shape[1]
        columns = (decisions.verdict, decisions.weight, decisions.label, decisions.reason)
        if any(len(column) != len(row) for column in columns):
            raise SettingError("The method's decisions have columns of different lengths: give one value per row.")
        if len(row) and (row.min() < 0 or row.max() >= n or len(np.unique(row)) < len(row)):
            raise SettingError(f"The method decided about rows outside 0..{n - 1} or about one row twice.")
        if not np.all(np.isfinite(decisions.weight) & (decisions.weight >= 0)):
            raise SettingError("The method decided on a weight that is negative or no number.")
        if len(row) and (decisions.label.min() < -1 or decisions.label.max() >= classes):
            raise SettingError(f"The method decided on a label outside -1..{classes - 1}.")
        self._factor[row] = decisions.weight
        self._label[row] = decisions.label

    def state(self) -> dict[str, Tensor]:
        """For the checkpoint."""
        return {"factor": torch.from_numpy(self._factor.copy()), "label": torch.from_numpy(self._label.copy())}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from :meth:`state`."""
        self._factor, self._label = state["factor"].numpy().copy(), state["label"].numpy().copy()
