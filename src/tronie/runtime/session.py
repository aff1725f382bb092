"""Open an ONNX graph with its hash checked, and run it on arrays."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tronie.core.errors import ModelError


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
    spinning threads). Raises ModelError if the file is missing, its hash differs from ``expect``, or it is no graph.
    """

    def __init__(self, path: Path, *, expect: str | None = None, threads: int = 1,
                 providers: tuple[str, ...] = ("CPUExecutionProvider",)) -> None:  # fmt: skip
        import onnxruntime as ort  # 0.2 s: paid on first use, not at `import tronie`

        if not path.is_file():
            raise ModelError(f"Model file {path} is missing: reinstall Tronie or give another model folder.")
        data = path.read_bytes()
        self.hash = hashlib.sha256(data).hexdigest()
        if expect is not None and self.hash != expect:
            raise ModelError(f"Model file {path} does not match its recorded hash: fetch or export the model again.")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(data, options, providers=list(providers))
        except Exception as error:  # ONNX Runtime raises half a dozen unrelated types for a bad graph
            raise ModelError(f"Model file {path} is not a graph that ONNX Runtime can run: {error}") from error
        self.inputs = {i.name: list(i.shape) for i in self._session.get_inputs()}
        self.outputs = {o.name: list(o.shape) for o in self._session.get_outputs()}

    def run(self, **arrays: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
        """Run the graph once; returns its outputs by name."""
        answers = self._session.run(None, arrays)
        return dict(zip(self.outputs, answers, strict=True))
