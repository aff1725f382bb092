"""The vectors that the package carries: MiniLM's, of the standard prompts. ``tools/text_table.py`` makes them again."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import torch
from torch import Tensor

from tronie.core.errors import SettingError, installed_by
from tronie.nn.text.table import TextEncoder, no_argument

FILE = "prompts.npz"


def shipped_table(argument: str) -> TextEncoder:
    """Vectors ``(n, 384)`` of the sets "paper", "words" and "muscles" for the seven basic expressions and contempt.

    Asked for any other text it raises SettingError, which says how to get its vector.
    """
    no_argument("table", argument)
    with files("tronie.nn.text").joinpath(FILE).open("rb") as file, np.load(file, allow_pickle=False) as stored:
        texts, vectors = stored["texts"].tolist(), torch.from_numpy(stored["vectors"])
    row = {text: i for i, text in enumerate(texts)}

    def encode(wanted: Sequence[str]) -> Tensor:
        if missing := [text for text in wanted if text not in row]:
            raise SettingError(
                f"The shipped table has no vector for '{missing[0]}', only for the standard prompts of "
                "the eight standard expressions: take the text encoder 'minilm' "
                f"({installed_by('text')})."
            )
        return vectors[[row[text] for text in wanted]]

    return encode
