"""dlib's face network: the file is read rightly, and nothing we do to it changes what it computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("face_recognition_models")

from tronie.core.errors import ModelError, SettingError  # noqa: E402
from tronie.nn.encoders.dlib import MEAN, DlibResNet, load_dat, read_dat, weights_path  # noqa: E402
from tronie.nn.encoders.norms import reinsert_batch_norm  # noqa: E402

Map = NDArray[np.float64]
CHANNELS = 32 + 6 * 32 + 8 * 64 + 6 * 128 + 8 * 256  # one norm after each of 29 convolutions
KERNELS = 3 * 32 * 49 + 9 * (6 * 32**2 + (32 + 7 * 64) * 64 + (64 + 5 * 128) * 128 + (128 + 7 * 256) * 256)


@pytest.fixture(scope="module")
def layers() -> list[tuple[str, NDArray[np.float32]]]:
    return read_dat(weights_path())


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # two that wait for each other are slower


@pytest.fixture(scope="module")
def ours() -> DlibResNet:
    return load_dat(DlibResNet()).eval()


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    """Smooth coloured noise: what a first layer sees in pictures, without anybody's face."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (6, 3, 12, 12))).float()
    return torch.nn.functional.interpolate(coarse, size=150, mode="bilinear").clamp(0, 255)


def by_hand(layers: list[tuple[str, NDArray[np.float32]]], pixels: Map) -> Map:
    """dlib's ``anet_type`` layer by layer on one picture ``(3, h, w)``, in NumPy."""
    waiting = iter(layers)

    def convolve(x: Map, width: int, side: int, stride: int) -> Map:
        flat = next(waiting)[1].astype(np.float64)
        kernel, bias = flat[:-width].reshape(width, len(x), side, side), flat[-width:]
        pad = side // 2 if stride == 1 else 0  # dlib's rule
        windows = sliding_window_view(np.pad(x, ((0, 0), (pad, pad), (pad, pad))), (side, side), (1, 2))
        y = np.einsum("ocij,chwij->ohw", kernel, windows[:, ::stride, ::stride], optimize=True)
        gamma, beta = next(waiting)[1].astype(np.float64).reshape(2, width)
        return (y + bias[:, None, None]) * gamma[:, None, None] + beta[:, None, None]

    def block(x: Map, width: int, halve: bool) -> Map:
        y = convolve(np.maximum(convolve(x, width, 3, 2 if halve else 1), 0), width, 3, 1)
        if halve:
            h, w = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * h, : 2 * w].reshape(len(x), h, 2, w, 2).mean((2, 4))
        out = np.zeros(tuple(max(a, b) for a, b in zip(x.shape, y.shape, strict=True)))
        for part in (x, y):
            out[: part.shape[0], : part.shape[1], : part.shape[2]] += part
        return np.maximum(out, 0)

    x = np.maximum(convolve((pixels - np.array(MEAN)[:, None, None]) / 256, 32, 7, 2), 0)
    x = sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))
    for width, halve in [(32, False)] * 3 + [(64, True)] + [(64, False)] * 3 + [(128, True)] + [(128, False)] * 2:
        x = block(x, width, halve)
    for halve in (True, False, False, True):
        x = block(x, 256, halve)
    assert next(waiting, None) is None
    return x.mean((1, 2))


def test_the_file_holds_29_convolutions_with_their_affine_layers(layers: list[tuple[str, NDArray[np.float32]]]) -> None:
    assert [kind for kind, _ in layers] == ["con_4", "affine_"] * 29
    assert sum(len(values) for _, values in layers) == KERNELS + 3 * CHANNELS  # biases, scales and shifts


@pytest.mark.parametrize("size", [150, 112, 103])
def test_exact_is_dlib_computed_by_hand(
    layers: list[tuple[str, NDArray[np.float32]]], faces: torch.Tensor, size: int
) -> None:
    pixels = faces[:1, :, :size, :size]
    with torch.no_grad():
        ours = load_dat(DlibResNet(exact=True)).eval()(pixels)[0].numpy()
    theirs = by_hand(layers, pixels[0].double().numpy())
    assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


def test_ours_differs_from_dlib_only_where_dlib_is_blind(faces: torch.Tensor, ours: DlibResNet) -> None:
    """At 131 px every map that is halved has odd sides (31, 15, 7, 3): then dlib misses nothing, and both are one."""
    exact = load_dat(DlibResNet(exact=True)).eval()
    with torch.no_grad():
        assert torch.equal(exact(faces[:2, :, :131, :131]), ours(faces[:2, :, :131, :131]))
        assert not torch.allclose(exact(faces[:2]), ours(faces[:2]))


@pytest.mark.parametrize("size", [71, 72, 100, 112])
def test_any_size_from_71_gives_256_numbers(faces: torch.Tensor, ours: DlibResNet, size: int) -> None:
    with torch.no_grad():
        feature = ours(faces[:2, :, :size, :size])
    assert feature.shape == (2, 256) and torch.isfinite(feature).all()


def test_norms_come_back_with_the_faces_statistics_and_the_same_function(faces: torch.Tensor) -> None:
    encoder = load_dat(DlibResNet()).eval()
    with torch.no_grad():
        before = encoder(faces)
        reinsert_batch_norm(encoder, faces.split(2))
        after = encoder(faces)
        assert ((after - before).norm() / before.norm()).item() < 1e-5
        encoder.train()  # in training the batch's own statistics are used: on these very faces they are the stored ones
        for _, norm in encoder.pairs():
            norm.momentum = 0.0
        in_training = encoder(faces)
    assert ((in_training - before).norm() / before.norm()).item() < 1e-3
    assert all((norm.running_var > 0).all() for _, norm in encoder.pairs())


def test_each_norm_sees_inputs_of_its_stored_statistics(faces: torch.Tensor) -> None:
    encoder = reinsert_batch_norm(load_dat(DlibResNet()), faces.split(3))
    seen: dict[torch.nn.Module, torch.Tensor] = {}
    for _, norm in encoder.pairs():
        norm.register_forward_pre_hook(lambda module, inputs: seen.update({module: inputs[0]}))
    with torch.no_grad():
        encoder(faces)
    for _, norm in encoder.pairs():
        x = seen[norm].double()
        unit = (x - norm.running_mean.view(1, -1, 1, 1)) / torch.sqrt(norm.running_var + norm.eps).view(1, -1, 1, 1)
        alive = norm.running_var > 1e-4  # a channel that these faces never light has no spread to speak of
        assert unit.mean((0, 2, 3)).abs()[alive].max() < 1e-3
        assert (unit.std((0, 2, 3))[alive] - 1).abs().max() < 0.06  # eps, and few faces in the last layers


def test_it_has_dlibs_number_of_parameters() -> None:
    assert sum(p.numel() for p in DlibResNet().parameters()) == KERNELS + 2 * CHANNELS  # biases live in the shifts


def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.dat cannot be read.*reinstall"):
        read_dat(tmp_path / "absent.dat")
    (tmp_path / "short.dat").write_bytes(weights_path().read_bytes()[:200_000])
    with pytest.raises(ModelError, match=r"short\.dat"):
        load_dat(DlibResNet(), tmp_path / "short.dat")
    with pytest.raises(SettingError, match="71 pixels or more, not 64"):
        DlibResNet()(torch.zeros(1, 3, 64, 64))
    with pytest.raises(SettingError, match="103 pixels or more, not 97"):
        DlibResNet(exact=True)(torch.zeros(1, 3, 97, 97))
