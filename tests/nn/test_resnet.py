"""ResNet-18: torchvision's names and numbers, and weights from elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tronie.core.errors import ModelError, SettingError  # noqa: E402
from tronie.nn.encoders.resnet import HalfResNet18, ResNet18  # noqa: E402
from tronie.nn.encoders.table import ENCODERS, make_encoder  # noqa: E402
from tronie.nn.encoders.weights import load_weights  # noqa: E402

TORCHVISION = 11_689_512 - 512 * 1000 - 1000  # its published count without the layer for 1000 classes


def test_names_and_count_are_torchvisions() -> None:
    state = ResNet18().state_dict()
    assert sum(p.numel() for p in ResNet18().parameters()) == TORCHVISION
    assert len(state) == 122 - 2  # without fc.weight and fc.bias
    for name, shape in {
        "conv1.weight": (64, 3, 7, 7),
        "layer1.1.bn2.running_var": (64,),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer4.1.conv2.weight": (512, 512, 3, 3),
        "layer3.0.downsample.1.num_batches_tracked": (),
    }.items():
        assert state[name].shape == shape


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_encoder_keeps_its_promises(name: str) -> None:
    torch.set_num_threads(1)
    encoder = make_encoder(name)
    assert isinstance(encoder, torch.nn.Module)
    encoder.eval()
    pixels = torch.randint(0, 256, (2, 3, 80, 72)).float()
    with torch.no_grad():
        feature, maps = encoder(pixels), encoder.maps(pixels)
        alone = encoder(pixels[1:])
    assert feature.shape == (2, encoder.width) and maps.shape[:2] == feature.shape
    near = 1e-4 * float(feature.abs().max())  # float32, of a sum of some thousand numbers of this size
    assert torch.allclose(maps.mean((2, 3)), feature, rtol=0, atol=near)
    assert torch.allclose(alone, feature[1:], rtol=0, atol=near)  # nobody's answer depends on the batch
    assert torch.isfinite(feature).all() and feature.std() > 0


def test_an_unknown_encoder_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingError, match="Did you mean 'resnet18'"):
        make_encoder("resnet19")


@pytest.mark.parametrize("before", ["", "module.", "module.encoder."])
@pytest.mark.parametrize("box", [None, "state_dict"])
def test_weights_from_elsewhere_load_whatever_wraps_them(tmp_path: Path, before: str, box: str | None) -> None:
    torch.manual_seed(0)
    source, target = HalfResNet18(), HalfResNet18()
    state = {before + k: v for k, v in source.state_dict().items() if not k.endswith("num_batches_tracked")}
    state[f"{before}fc.weight"] = torch.zeros(3, 256)
    torch.save({box: state, "epoch": 3} if box else state, tmp_path / "weights.pt")
    load_weights(target, tmp_path / "weights.pt")
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def test_weights_load_from_a_numpy_archive_in_half_precision_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, target = HalfResNet18(), HalfResNet18()
    kept = {f"encoder.{name}": value.numpy() for name, value in source.half().state_dict().items()}
    np.savez_compressed(tmp_path / "weights.npz", **kept, **{"encoder.fc.bias": np.zeros(3)})
    load_weights(target, tmp_path / "weights.npz")
    assert target.conv1.weight.dtype == torch.float32
    assert all(torch.equal(a.float(), b) for a, b in zip(source.parameters(), target.parameters(), strict=True))
    (tmp_path / "text.npz").write_text("no weights")
    np.savez(tmp_path / "objects.npz", a=np.array([{}, None]))
    np.savez(tmp_path / "words.npz", a=np.array(["a", "b"]))
    for name in ("text", "objects", "words"):
        with pytest.raises(ModelError, match=rf"{name}\.npz holds no weights that NumPy can read"):
            load_weights(target, tmp_path / f"{name}.npz")


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    half = HalfResNet18()
    before = {k: v.clone() for k, v in half.state_dict().items()}
    torch.save(ResNet18().state_dict(), tmp_path / "whole.pt")
    with pytest.raises(ModelError, match=r"whole\.pt does not fit HalfResNet18: \d+ tensors.*'conv1\.weight'"):
        load_weights(half, tmp_path / "whole.pt")
    assert all(torch.equal(before[k], v) for k, v in half.state_dict().items())
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ModelError, match="holds a list"):
        load_weights(half, tmp_path / "list.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ModelError, match="read safely"):
        load_weights(half, tmp_path / "text.pt")
    with pytest.raises(ModelError, match="no weights at"):
        load_weights(half, tmp_path / "absent.pt")


class Trap:
    """Would run code when a careless reader opens it."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (Path.touch, (Path("trapped"),))  # type: ignore[return-value]


def test_a_file_that_runs_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ModelError, match="read safely"):
        load_weights(HalfResNet18(), tmp_path / "trap.pt")
    assert not (tmp_path / "trapped").exists()
