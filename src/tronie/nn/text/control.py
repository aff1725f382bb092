"""The control of the text's knowledge: vectors that know nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tronie.core.errors import SettingError
from tronie.nn.text.table import TextEncoder

WIDTH = 384
"""As wide as MiniLM, so that nothing but the knowledge differs."""


def random_orthogonal(argument: str) -> TextEncoder:
    """Orthonormal vectors ``(n, 384)`` drawn with the seed ``argument`` (empty: 0), whatever the texts say.

    Raises SettingError if the seed is no number, or for more texts than vectors can be orthogonal.
    """
    if argument and not argument.isdecimal():
        raise SettingError(f"The seed in 'random-orthogonal:{argument}' is no whole number: write random-orthogonal:0.")
    seed = int(argument or 0)

    def encode(texts: Sequence[str]) -> Tensor:
        if len(texts) > WIDTH:
            raise SettingError(f"{len(texts)} vectors of {WIDTH} numbers cannot be orthogonal: take fewer prompts.")
        drawn = torch.randn(WIDTH, len(texts), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        basis, triangle = torch.linalg.qr(drawn)
        rows: Tensor = (basis * triangle.diagonal().sign()).T  # the sign makes the draw uniform (Mezzadri 2007)
        return rows.float()

    return encode
