"""Anyone's module as an encoder: what it does not say about itself is found out, or asked for where it is needed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tronie.core.errors import SettingError

SIDE = 112
"""Side in pixels of the face that the width is found with."""


class PlainEncoder(nn.Module):
    """A module ``(n, 3, h, w)`` RGB in 0..255 → ``(n, d)`` with what methods expect of an encoder beside it.

    ``width`` is the module's own, else found by one dry run; ``maps`` and ``start`` are the module's own where it has
    them. Without ``start`` it begins as it was made; without ``maps``, :meth:`maps` raises SettingError. The module
    itself is ``wrapped``.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.wrapped = module
        given = getattr(module, "width", None)
        self.width: int = given if isinstance(given, int) else _width(module)

    def forward(self, pixels: Tensor) -> Tensor:
        feature: Tensor = self.wrapped(pixels)
        return feature

    def maps(self, pixels: Tensor) -> Tensor:
        """The module's own maps ``(n, width, h', w')``. Raises SettingError if it has none."""
        own = getattr(self.wrapped, "maps", None)
        if own is None:
            raise SettingError(
                f"The encoder {_name(self.wrapped)} shows no maps, which this method needs: give it a "
                "method maps(pixels) -> (n, width, h, w) whose mean is the feature, or take another "
                "encoder."
            )
        maps: Tensor = own(pixels)
        return maps

    def start(self, faces: Tensor) -> None:
        """The module's own start, if it has one."""
        own = getattr(self.wrapped, "start", None)
        if own is not None:
            own(faces)


def completed(made: object, name: object) -> Any:
    """``made`` itself where it is a whole encoder, else wrapped. Raises SettingError if it is no module at all."""
    if not isinstance(made, nn.Module):
        raise SettingError(
            f"The encoder '{name}' makes a {type(made).__name__}: it must make a torch.nn.Module that "
            "takes (n, 3, h, w) pixels and gives (n, d) features."
        )
    whole = isinstance(getattr(made, "width", None), int) and all(hasattr(made, part) for part in ("maps", "start"))
    return made if whole else PlainEncoder(made)


def _width(module: nn.Module) -> int:
    """Length of the feature, by a dry run in evaluation mode. Raises SettingError if there is none."""
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            feature: Any = module(torch.full((2, 3, SIDE, SIDE), 127.0))
    except Exception as error:  # whatever a stranger's module raises
        raise SettingError(
            f"The encoder {_name(module)} cannot read two faces of {SIDE} pixels "
            f"({type(error).__name__}: {error}): give it an attribute 'width' if it needs "
            "another size."
        ) from error
    finally:
        module.train(training)
    if not isinstance(feature, Tensor) or feature.dim() != 2 or len(feature) != 2:
        shape = tuple(feature.shape) if isinstance(feature, Tensor) else type(feature).__name__
        raise SettingError(
            f"The encoder {_name(module)} gives {shape} for two faces: it must give one vector each, (2, d)."
        )
    return feature.shape[1]


def _name(module: nn.Module) -> str:
    return type(module).__name__
