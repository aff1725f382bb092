"""How a clip is cut from a video: the same description serves training, evaluation and prediction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """One way to look at a sample.

    ``size`` is the side of the square crop in pixels, ``frames`` the length of the clip (1: a photo), ``augment``
    whether pixels are varied (training only), ``mirror`` whether the clip is the mirror image of the view before it.
    """

    size: int = 112
    frames: int = 1
    augment: bool = False
    mirror: bool = False
