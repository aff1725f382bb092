"""Encoders by name. An encoder is a module ``(n, 3, h, w)`` RGB 0..255 → ``(n, width)`` with a ``start`` method."""

from __future__ import annotations

from typing import Protocol, cast

from torch import Tensor

from tronie.core.registry import resolve
from tronie.nn.encoders.plain import completed

ENCODERS: dict[str, str] = {
    "dlib-resnet29": "tronie.nn.encoders.dlib:DlibResNet",
    "resnet18": "tronie.nn.encoders.resnet:ResNet18",
    "resnet18-half": "tronie.nn.encoders.resnet:HalfResNet18",
    "resnet50": "tronie.nn.encoders.resnet:ResNet50",
    "swin-t": "tronie.nn.encoders.swin:SwinT",
    "small": "tronie.nn.encoders.small:SmallResNet",
    "mobileface": "tronie.nn.encoders.mobileface:MobileFace",
}


class Encoder(Protocol):
    """What a method may expect of an encoder."""

    width: int

    def __call__(self, pixels: Tensor) -> Tensor:
        """``(n, 3, h, w)`` float RGB 0..255 → ``(n, width)``: the mean of :meth:`maps` over the picture."""

    def maps(self, pixels: Tensor) -> Tensor:
        """``(n, 3, h, w)`` float RGB 0..255 → ``(n, width, h', w')``: what is seen where, before it is averaged."""

    def start(self, faces: Tensor) -> None:
        """Load the pre-trained start, if there is one; ``faces`` ``(n, 3, h, w)`` RGB 0..255 give its statistics."""


def make_encoder(name: str) -> Encoder:
    """A fresh encoder, randomly initialised. Any module of one's own works by its reference, ``mypkg.nets:Mine``.

    Raises SettingError for an unknown name, or for a thing that is no module ``(n, 3, h, w) → (n, d)``.
    """
    return cast(Encoder, completed(resolve(ENCODERS, name, "encoder")(), name))
