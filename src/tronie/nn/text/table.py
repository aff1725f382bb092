"""Text encoders by name, and the table of class vectors that a method asks them for.

A text encoder is a function ``list of n texts → (n, D) float32``. Its maker stands in TEXT_ENCODERS and takes what
follows the name's first colon: ``clip:PATH``, ``random-orthogonal:SEED``. ``mypkg.module:maker`` works as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tronie.core.errors import SettingError
from tronie.core.labels import LabelSet
from tronie.core.registry import resolve
from tronie.nn.text.prompts import Prompts, prompts_of

TextEncoder = Callable[[Sequence[str]], Tensor]

TEXT_ENCODERS: dict[str, str] = {
    "table": "tronie.nn.text.shipped:shipped_table",
    "minilm": "tronie.nn.text.minilm:installed_minilm",
    "clip": "tronie.nn.text.clip:local_clip",
    "random-orthogonal": "tronie.nn.text.control:random_orthogonal",
}


def text_table(labels: LabelSet, prompts: Prompts = "paper", encoder: str = "table") -> Tensor:
    """One vector per label, ``(C, D)`` float32, without gradient and not normalised. Constant: compute it once.

    ``prompts`` is a name of :data:`tronie.nn.text.prompts.SETS`, a TOML file of own prompts, or a mapping; a label with
    several texts gets their mean. ``encoder`` is "table" (shipped MiniLM vectors of the standard prompts, D 384),
    "minilm" (extra ``text``), "clip:PATH" (a CLIP checkpoint of one's own), "random-orthogonal:SEED" (the control that
    knows nothing) or a reference to a maker of one's own.

    Raises SettingError for unknown names or classes, ModelError for files that do not fit, MissingExtraError.
    """
    texts = prompts_of(labels, prompts)
    with torch.no_grad():
        vectors = make_text_encoder(encoder)([text for of_label in texts for text in of_label])
    return torch.stack([of_label.mean(0) for of_label in vectors.float().split([len(t) for t in texts])]).detach()


def make_text_encoder(name: str) -> TextEncoder:
    """The text encoder that ``name`` stands for. Raises SettingError for an unknown name."""
    builtin, _, argument = name.partition(":")
    if builtin in TEXT_ENCODERS:
        maker = resolve(TEXT_ENCODERS, builtin, "text encoder")
    else:
        maker, argument = resolve(TEXT_ENCODERS, name, "text encoder"), ""
    made: TextEncoder = maker(argument)
    return made


def no_argument(name: str, argument: str) -> None:
    """Raise SettingError where something follows a name that stands alone."""
    if argument:
        raise SettingError(f"The text encoder '{name}' takes nothing after its name: leave ':{argument}' away.")
