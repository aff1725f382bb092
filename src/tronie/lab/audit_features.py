"""Features for an audit: views of every face or clip through a frozen net, kept so that a stopped audit goes on.

The default net, dlib's face recogniser, has seen faces and names but no expression labels. Its last layer forgets
expressions on purpose; what the layers before it hold, kept with its place in the face, reads them far better.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.clips.sampling import uniform, window
from tronie.core.atomic import replacing
from tronie.core.errors import ModelError, SettingError
from tronie.core.face import Pixels
from tronie.data.augment import Augment, augment
from tronie.lab.prepared import Opened
from tronie.lab.run import open_run
from tronie.measure.probe import Components, Matrix, principal
from tronie.nn.encoders.dlib import DlibResNet, load_dat

DIMS = 512
"""Principal components that are kept of a view's features."""
VARIED = Augment(rotate=8, scale=0.08, shift=0.04, flip=0.5, colour=0.15, grey=0, blur=0, low_resolution=0, erase=0)
"""How views after the face and its mirror image differ: as another aligner and another light would make them."""
_SAMPLE = 6000  # rows that the principal components are found on
_BATCH = 64
_FRAMES = 16  # frames of a clip of features that one look averages
_CELLS = ((9, 4), (12, 3))  # dlib's blocks that are read, and cells a side that each is averaged to

Progress = Callable[[int, int], None]
Reader = Callable[[NDArray[np.int64], int, int], Iterator[Matrix]]
"""Row numbers, number of the view, seed → features ``(m, D)``, a batch at a time."""


def components(opened: Opened, folder: Path, *, model: Path | None = None, views: int = 4, seed: int = 0,
               progress: Progress = lambda done, total: None) -> Matrix:  # fmt: skip
    """Views ``(views, n, d)`` of all rows, ``d`` at most :data:`DIMS` for each net.

    The label-free dlib net looks, and beside it that of the run folder ``model``, trained elsewhere, where there is
    one. Of photos: the face, its mirror image, then varied ones; of clips of features: mean and deviation of frames, of
    the whole clip, then of random parts of it. What is done lies in ``folder`` and is used again if data, net and
    numbers are the same. Raises SettingError for clips of pixels or points, ModelError for a run without an encoder.
    """
    if opened.starts is not None:
        if opened.kind != "features" or model is not None:
            raise SettingError(f"These are clips of {opened.kind}: make features of them first (`tronie features`), "
                               "without a run's, or give --probabilities.")  # fmt: skip
        return _views(opened, folder / "clips", _clips(opened), "", views, seed, progress)
    nets = [("dlib", None)] if model is None else [("dlib", None), ("run", model)]
    total, parts = len(nets) * views * len(opened.manifest), []
    for number, (name, run) in enumerate(nets):
        before = number * total // len(nets)
        known = name if run is None else f"{zlib.crc32(_weights(run)):08x}"
        parts.append(_views(opened, folder / name, _photos(opened, _net(run)), known, views, seed,
                            lambda done, of, before=before: progress(before + done, total)))  # type: ignore[misc]  # fmt: skip
    return np.concatenate(parts, axis=2)


def _weights(run: Path) -> bytes:
    try:
        return (run / "last.pt").read_bytes()
    except OSError as error:
        raise ModelError(f"{run} is no run folder: its last.pt cannot be read ({error.strerror}).") from error


def _views(opened: Opened, folder: Path, read: Reader, net: str, views: int, seed: int, progress: Progress) -> Matrix:
    """What ``net`` sees, ``(views, n, d)``; views that lie in ``folder`` are not made again."""
    _begin(folder, _key(opened, net, views, seed))
    n = len(opened.manifest)
    targets = [folder / f"view-{v}.npy" for v in range(views)]
    missing = [v for v in range(views) if not targets[v].is_file()]
    count = (views - len(missing)) * n
    project = _axes(folder / "view-axes.npy", read, n, seed) if missing else None
    for v in missing:
        assert project is not None
        parts = []
        for part in read(np.arange(n), v, seed):
            parts.append(project(part))
            count += len(part)
            progress(count, views * n)
        _keep(targets[v], np.concatenate(parts))
    return np.stack([np.load(path) for path in targets])


def _begin(folder: Path, known: dict[str, Any]) -> None:
    """Throw away what was kept of other data, another net or other numbers."""
    path = folder / "key.json"
    if not path.is_file() or json.loads(path.read_text(encoding="utf-8")) != known:
        for old in folder.glob("view-*.npy"):
            old.unlink()
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(known) + "\n", encoding="utf-8")


def _axes(path: Path, read: Reader, n: int, seed: int) -> Components:
    """The principal components of the first view, found on some rows and kept."""
    if not path.is_file():
        rows = np.sort(np.random.default_rng(seed).permutation(n)[:_SAMPLE])
        found = principal(np.concatenate(list(read(rows, 0, seed))), DIMS, seed)
        _keep(path, np.vstack([found.mean, found.spread, found.axes.T]))
    kept = np.load(path)
    return Components(kept[0], kept[1], kept[2:].T)


def _keep(path: Path, array: NDArray[Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)


def _key(opened: Opened, net: str, views: int, seed: int) -> dict[str, Any]:
    """What features depend on; of the pixels a sample, spread over all rows."""
    step = max(len(opened.faces) // 256, 1)
    pixels = zlib.crc32(np.ascontiguousarray(opened.faces[::step]).tobytes())
    return {"rows": len(opened.manifest), "shape": list(opened.faces.shape), "sample": pixels, "net": net,
            "views": views, "seed": seed, "dims": DIMS}  # fmt: skip


def _clips(opened: Opened) -> Reader:
    starts = opened.starts
    assert starts is not None

    def read(rows: NDArray[np.int64], view: int, seed: int) -> Iterator[Matrix]:
        for begin in range(0, len(rows), _BATCH):
            parts = []
            for row in rows[begin : begin + _BATCH].tolist():
                first, length = 0, int(starts[row + 1] - starts[row])
                if view:
                    first, length = window(length, 0.5, np.random.default_rng((seed, view, row)))
                at = starts[row] + first + uniform(length, _FRAMES)
                frames = np.asarray(opened.faces[at], np.float32)
                parts.append(np.concatenate([frames.mean(0), frames.std(0)]))
            yield np.stack(parts)

    return read


def _photos(opened: Opened, net: Callable[[Tensor], Tensor]) -> Reader:
    size = opened.faces.shape[2]

    def varied(row: int, view: int, seed: int) -> Pixels:
        face: Pixels = opened.faces[row, -1]  # the cut that the chain would serve
        if view == 0:
            return face
        if view == 1:
            return face[:, ::-1]
        return augment(face, size, np.random.default_rng((seed, view, row)), VARIED, mirror=view % 2 == 1)

    def read(rows: NDArray[np.int64], view: int, seed: int) -> Iterator[Matrix]:
        for begin in range(0, len(rows), _BATCH):
            faces = np.stack([varied(row, view, seed) for row in rows[begin : begin + _BATCH].tolist()])
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                pixels = torch.from_numpy(np.ascontiguousarray(faces)).permute(0, 3, 1, 2).float()
                yield net(pixels.contiguous(memory_format=torch.channels_last)).float().numpy()

    return read


def _net(model: Path | None) -> Callable[[Tensor], Tensor]:
    """Pixels ``(b, 3, s, s)`` → features ``(b, D)``: inner maps with their place, and the last layer."""
    if model is None:
        return inner(load_dat(DlibResNet()))
    _, method = open_run(model)
    encoder = getattr(method, "encoder", None)
    if not isinstance(encoder, nn.Module) or not hasattr(encoder, "maps"):
        raise ModelError(f"The run {model} has no encoder of faces to take features from: name another.")
    return inner(encoder)


def inner(encoder: nn.Module) -> Callable[[Tensor], Tensor]:
    """Features of an encoder: of dlib's net its third and fourth stage in cells and its end; else its maps in cells."""
    encoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    if not isinstance(encoder, DlibResNet):
        maps: Callable[[Tensor], Tensor] = encoder.maps  # type: ignore[assignment]
        return lambda pixels: F.adaptive_avg_pool2d(maps(pixels), 3).flatten(1)

    def read(pixels: Tensor) -> Tensor:
        parts: list[Tensor] = []

        def keep(cells: int) -> Callable[[nn.Module, Any, Tensor], None]:
            return lambda module, given, maps: parts.append(F.adaptive_avg_pool2d(maps, cells).flatten(1))

        hooks = [encoder.blocks[number].register_forward_hook(keep(cells)) for number, cells in _CELLS]
        try:
            last = encoder(pixels)
            return torch.cat([*parts, last], 1)
        finally:
            for hook in hooks:
                hook.remove()

    return read
