"""Modules of one's own as encoders."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tronie.core.errors import SettingError
from tronie.nn.encoders.plain import PlainEncoder
from tronie.nn.encoders.table import make_encoder
from tronie.nn.encoders.weights import load_weights
from tronie.nn.heads import Classifier


class Bare(nn.Module):
    """Nothing but the arithmetic; its norm would show a dry run that leaves traces."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 5, 3, 4), nn.BatchNorm2d(5)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.norm(self.conv(pixels)).mean((2, 3))


class Telling(Bare):
    width = 5

    def __init__(self) -> None:
        super().__init__()
        self.started = 0

    def maps(self, pixels: Tensor) -> Tensor:
        return self.norm(self.conv(pixels))

    def start(self, faces: Tensor) -> None:
        self.started = len(faces)


def test_a_bare_module_becomes_an_encoder() -> None:
    torch.manual_seed(0)
    encoder = make_encoder(Bare)  # type: ignore[arg-type]  # tables take objects as well
    assert isinstance(encoder, PlainEncoder) and encoder.width == 5 and encoder.training
    assert encoder.wrapped.norm.num_batches_tracked == 0  # type: ignore[union-attr]
    faces = torch.rand(3, 3, 40, 40)
    encoder.start(faces)
    assert torch.equal(encoder.eval()(faces), encoder.wrapped(faces))
    assert torch.equal(copy.deepcopy(encoder)(faces), encoder(faces))  # averages of weights copy whole methods
    with pytest.raises(SettingError, match=r"Bare shows no maps.*maps\(pixels\)"):
        encoder.maps(faces)


def test_by_its_reference_and_below_a_head(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())\n"
    (tmp_path / "mynets.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    net = Classifier("mynets:net", 4, 0.0)
    assert net.width == 12 and net(torch.rand(6, 3, 32, 32), 2)[0].shape == (3, 4)


def test_what_a_module_says_of_itself_holds() -> None:
    whole = make_encoder(Telling)  # type: ignore[arg-type]
    assert isinstance(whole, Telling)
    wrapped = PlainEncoder(Telling())
    wrapped.start(torch.zeros(7, 3, 8, 8))
    assert wrapped.wrapped.started == 7 and wrapped.maps(torch.zeros(2, 3, 40, 40)).shape == (2, 5, 10, 10)


def test_weights_load_into_the_module_itself(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, target = Bare(), PlainEncoder(Bare())
    torch.save(source.state_dict(), tmp_path / "bare.pt")
    load_weights(target, tmp_path / "bare.pt")
    assert torch.equal(target.wrapped.conv.weight, source.conv.weight)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: 3, "makes a int"),
        (lambda: nn.Conv2d(3, 4, 3), r"gives \(2, 4, 110, 110\) for two faces"),
        (lambda: nn.Linear(7, 3), "cannot read two faces of 112 pixels.*'width'"),
    ],
)
def test_what_is_no_encoder_is_refused(made: object, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        make_encoder(made)  # type: ignore[arg-type]
