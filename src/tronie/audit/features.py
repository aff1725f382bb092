"""Features for an audit: views of every face or clip of faces through a frozen net, kept so that it can go on.

The default net, dlib's face recogniser, has seen faces and names but no expression labels. Its last layer forgets
expressions on purpose; what the layers before it hold, kept with its place in the face, reads them far better.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tronie.audit.clips import SEEN, clip_components, sparse
from tronie.audit.probe import Components, Matrix, principal
from tronie.audit.views import BATCH, DIMS, Progress, Reader, begin, keep, kept_views, key
from tronie.clips.sampling import uniform
from tronie.core.arrays import read_npy
from tronie.core.errors import ModelError, SettingError
from tronie.core.face import Pixels
from tronie.data.augmentation import Augment, augment
from tronie.data.prepared import Opened
from tronie.nn.encoders.dlib import LEAST_SIZE, DlibResNet, load_dat
from tronie.train.precision import fast_precision
from tronie.train.run import open_run

VARIED = Augment(rotate=8, scale=0.08, shift=0.04, flip=0.5, colour=0.15, grey=0, blur=0, low_resolution=0, erase=0)
"""How views after the face and its mirror image differ: as another aligner and another light would make them."""
_SAMPLE = 3000  # frames that their principal components are found on
_CLIPS = 128  # clips whose frames are kept in one file
_CELLS = ((9, 4), (12, 3))  # dlib's blocks that are read, and cells a side that each is averaged to


def components(
    opened: Opened,
    folder: Path,
    *,
    model: Path | None = None,
    views: int = 4,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Matrix:
    """Views ``(views, n, d)`` of all rows of pixels, ``d`` at most :data:`DIMS` for each net.

    The label-free dlib net looks, and beside it that of the run folder ``model``, trained elsewhere, where there is
    one. Of photos: the face, its mirror image, then varied ones. Of clips each of up to sixteen frames is looked
    at once; views are mean and deviation over the frames of the whole clip, then of random parts of it. What is done
    lies in ``folder`` and is used again if data, net and numbers are the same. Raises ModelError for a run without an
    encoder, SettingError for faces too small for dlib's net.
    """
    if (side := opened.faces.shape[-2]) < LEAST_SIZE[False]:
        raise SettingError(
            f"An audit looks at faces of {LEAST_SIZE[False]} pixels or more, and these have {side}: "
            "prepare them again, with --size 112."
        )
    nets = [("dlib", None)] if model is None else [("dlib", None), ("run", model)]
    one = len(opened.manifest) * (views if opened.starts is None else 1)
    parts = []
    for number, (name, run) in enumerate(nets):
        known = name if run is None else f"{zlib.crc32(_weights(run)):08x}"
        if not fast_precision().bf16:  # an audit that goes on on another machine must not mix the two
            known += " in float32"

        def tell(done: int, of: int, before: int = number * one) -> None:
            progress(before + done, len(nets) * one)

        if opened.starts is None:
            parts.append(kept_views(opened, folder / name, _photos(opened, label_free(run)), known, views, seed, tell))
        else:
            frames = frame_features(opened, folder / f"{name}-frames", label_free(run), known, tell)
            parts.append(clip_components(frames, folder / name, views=views, seed=seed))
    return np.concatenate(parts, axis=2)


def frame_features(
    opened: Opened,
    folder: Path,
    net: Callable[[Tensor], Tensor],
    known: str,
    progress: Progress = lambda done, total: None,
) -> Opened:
    """Clips of pixels as clips of features: components ``(total, d)`` of up to sixteen frames each."""
    assert opened.starts is not None
    begin(folder, key(opened, known) | {"frames": SEEN})
    starts, n = sparse(opened.starts), len(opened.manifest)
    at = [
        opened.starts[row] + uniform(int(opened.starts[row + 1] - opened.starts[row]), int(starts[row + 1] - begins))
        for row, begins in enumerate(starts[:-1].tolist())
    ]

    def seen(index: NDArray[np.int64]) -> Matrix:
        return np.concatenate(
            [
                _through(net, np.stack([np.asarray(opened.faces[i]) for i in index[b : b + BATCH]]))
                for b in range(0, len(index), BATCH)
            ]
        )

    path = folder / "view-axes.npy"
    if not path.is_file():
        every = np.concatenate(at)
        some = principal(seen(np.sort(np.random.default_rng(0).permutation(every)[:_SAMPLE])), DIMS)
        keep(path, np.vstack([some.mean, some.spread, some.axes.T]))
    kept = read_npy(path)
    project, parts = Components(kept[0], kept[1], kept[2:].T), []
    for first in range(0, n, _CLIPS):
        target = folder / f"view-{first}.npy"
        if not target.is_file():
            keep(target, project(seen(np.concatenate(at[first : first + _CLIPS]))).astype(np.float16))
        parts.append(read_npy(target))
        progress(min(first + _CLIPS, n), n)
    return replace(opened, faces=np.concatenate(parts), starts=starts, kind="features")


def _weights(run: Path) -> bytes:
    try:
        return (run / "last.pt").read_bytes()
    except OSError as error:
        raise ModelError(f"{run} is no run folder: its last.pt cannot be read ({error.strerror}).") from error


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
        for first in range(0, len(rows), BATCH):
            yield _through(net, np.stack([varied(row, view, seed) for row in rows[first : first + BATCH].tolist()]))

    return read


def _through(net: Callable[[Tensor], Tensor], faces: Pixels) -> Matrix:
    """Features ``(m, D)`` of faces ``(m, s, s, 3)``, in bf16 where the processor computes that fast."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=fast_precision().bf16):
        pixels = torch.from_numpy(np.ascontiguousarray(faces)).permute(0, 3, 1, 2).float()
        found: Matrix = net(pixels.contiguous(memory_format=torch.channels_last)).float().numpy()
    return found


def label_free(model: Path | None = None) -> Callable[[Tensor], Tensor]:
    """Pixels ``(b, 3, s, s)`` → features ``(b, D)``: of dlib's net, or of a run trained on other data. See `inner`."""
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
