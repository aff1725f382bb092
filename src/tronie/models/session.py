"""Open an ONNX graph with its hash checked, and run it on arrays."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import ModelError
from tronie.core.files import read_bytes
from tronie.core.words import shortened
from tronie.models.onnxfile import check_self_contained
from tronie.models.providers import chain, check_started, runtime

_LARGEST = 2 << 30
"""Bytes of a graph; protobuf takes no more."""


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Session:
    """An ONNX graph ready to run. Safe to share between threads; holds no state between calls.

    ``threads`` is the number of ONNX Runtime threads (1 by default: one process per core scales better than
    spinning threads); ``provider`` a name in ``tronie.models.providers``. Raises ModelError if the file is missing,
    its hash differs from ``expect``, or it is no graph; SettingError if the provider is not installed or cannot start.
    """

    def __init__(self, path: Path, *, expect: str | None = None, threads: int = 1, provider: str = "cpu") -> None:
        if not path.is_file():
            raise ModelError(f"Model file {path} is missing: reinstall Tronie or give another model folder.")
        data = read_bytes(path, most=_LARGEST, error=ModelError)
        self._path = path
        self.hash = hashlib.sha256(data).hexdigest()
        if expect is not None and self.hash != expect:
            raise ModelError(f"Model file {path} does not match its recorded hash: fetch or export the model again.")
        try:
            check_self_contained(data)
        except ValueError as error:
            raise ModelError(f"Model file {path} {error}: export it again, whole in one file.") from error
        providers = chain(provider)
        ort = runtime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised; its words would reach the terminal as they are
        options.add_session_config_entry("session.load_model_format", "ONNX")  # what was checked, and nothing else
        # int8 models: without VNNI, pairs of products would be added in 16 bits and overflow. No effect elsewhere.
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = ort.InferenceSession(data, options, providers=list(providers))
        except Exception as error:  # ONNX Runtime raises half a dozen unrelated types for a bad graph
            raise ModelError(f"Model file {path} is not a graph that ONNX Runtime can run: {_said(error)}") from error
        check_started(provider, self._session.get_providers())
        names = [output.name for output in self._session.get_outputs()]
        if len(set(names)) != len(names):
            raise ModelError(f"Model file {path} gives two outputs of one name: export it again.")
        self.inputs = {i.name: list(i.shape) for i in self._session.get_inputs()}
        self.outputs = {o.name: list(o.shape) for o in self._session.get_outputs()}

    def run(self, **arrays: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
        """Run the graph once; returns its outputs by name. Raises ModelError where it fails on these arrays."""
        try:
            answers = self._session.run(None, arrays)
        except Exception as error:  # as above: a graph may be sound by itself and fail on what it is given
            raise ModelError(f"Model file {self._path} fails on what it is given: {_said(error)}") from error
        return dict(zip(self.outputs, answers, strict=True))


def _said(error: Exception) -> str:
    """The library's own words, on one line of a bearable length: it repeats names out of the graph."""
    return shortened(" ".join(str(error).split()), 300)
