"""What every registered encoder has to hold."""

from __future__ import annotations

import pytest
import torch

from tronie.core.errors import MissingExtraError, ModelError
from tronie.nn.encoders.table import ENCODERS, make_encoder

SIDE = 112


@pytest.fixture(params=sorted(ENCODERS))
def name(request: pytest.FixtureRequest) -> str:
    torch.manual_seed(0)
    return str(request.param)


def test_the_feature_is_the_mean_of_the_maps(name: str) -> None:
    encoder = make_encoder(name).eval()
    pixels = torch.rand(2, 3, SIDE, SIDE) * 255
    with torch.no_grad():
        maps, feature = encoder.maps(pixels), encoder(pixels)
    assert maps.shape[:2] == (2, encoder.width) and feature.shape == (2, encoder.width)
    assert torch.isfinite(feature).all()
    assert torch.allclose(maps.mean((2, 3)), feature, atol=1e-4 * float(feature.abs().max()))


def test_every_parameter_learns(name: str) -> None:
    encoder = make_encoder(name).train()
    encoder(torch.rand(4, 3, SIDE, SIDE) * 255).square().mean().backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key


def test_normalisation_is_no_state(name: str) -> None:
    """Weights of elsewhere load by name: constants of the input must not be among the names."""
    assert not {"mean", "std"} & make_encoder(name).state_dict().keys()


def test_bf16_changes_little(name: str) -> None:
    encoder = make_encoder(name).eval()
    pixels = torch.rand(2, 3, SIDE, SIDE) * 255
    with torch.no_grad():
        feature = encoder(pixels)
        with torch.autocast("cpu", torch.bfloat16):
            half = encoder(pixels)
    assert torch.cosine_similarity(half.float(), feature).min() > 0.99


def test_it_starts_or_says_what_is_missing(name: str) -> None:
    encoder = make_encoder(name)
    try:
        encoder.start(torch.rand(4, 3, SIDE, SIDE) * 255)
    except (MissingExtraError, ModelError) as error:
        said = str(error)
        assert "pip install" in said or "npm install" in said  # it need not be missing
    with torch.no_grad():
        assert torch.isfinite(encoder.eval()(torch.rand(2, 3, SIDE, SIDE) * 255)).all()
