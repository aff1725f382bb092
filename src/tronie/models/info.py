"""What ``model.json`` says: the label set, the view, the calibration, the licence, scores, the data seen, hashes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tronie.core.atomic import replacing
from tronie.core.config import build
from tronie.core.errors import ModelError, SettingError
from tronie.core.files import parse_json
from tronie.core.labels import LabelSet
from tronie.core.segment import SegmentCalibration
from tronie.models.clip import ClipInfo

FORMAT = 1
_COLDEST, _HOTTEST = 1e-3, 1e3  # temperatures beyond make every answer a certainty, or none


@dataclass(frozen=True)
class SegmentFit:
    """How sure a film's segment is, as measured: see :class:`tronie.core.segment.SegmentCalibration`.

    ``fitted_on`` says on what; ``settings`` are those of the film's chain that shape a segment, by name: with others
    the numbers do not hold. ``scores`` maps a name to (value, low, high), measured with the person held out.
    """

    a: float
    b: float
    fitted_on: str
    offsets: dict[str, float] = field(default_factory=dict)
    settings: dict[str, float] = field(default_factory=dict)
    scores: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.fitted_on:
            raise ValueError("a segment calibration says on what it was fitted")
        SegmentCalibration(self.a, self.b, self.offsets)

    @property
    def calibration(self) -> SegmentCalibration:
        """The numbers alone. Raises ValueError for such as no fit gives."""
        return SegmentCalibration(self.a, self.b, dict(self.offsets))


@dataclass(frozen=True)
class NeutralFit:
    """How the model reads neutral faces, on average over people: see :mod:`tronie.pipeline.person`.

    ``expected`` holds mean log-probabilities, their own mean taken out, in nats by label, ``fitted_on`` says on what.
    """

    expected: dict[str, float]
    fitted_on: str


@dataclass(frozen=True)
class ModelInfo:
    """The contents of ``model.json``.

    ``temperature`` divides the logits before the softmax; ``calibrated`` says on what it was fitted, or "" if it was
    not. ``seen`` lists the labelled data the weights have learnt from. ``scores`` maps a name to (value, low, high).
    ``segments`` is how sure a film's segments are, None where that was not measured: they are then uncalibrated.
    ``neutral`` is how neutral faces are read, None where that was not measured. ``clip`` is how a video model reads
    time, None for a model of single faces.
    """

    name: str
    labels: tuple[str, ...]
    graph: str
    graph_sha256: str
    size: int = 112
    frames: int = 1
    temperature: float = 1.0
    calibrated: str = ""
    licence: str = ""
    seen: tuple[str, ...] = ()
    scores: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    made_by: str = ""
    segments: SegmentFit | None = None
    neutral: NeutralFit | None = None
    clip: ClipInfo | None = None
    format: int = FORMAT

    def __post_init__(self) -> None:
        LabelSet(self.labels)
        if len(self.labels) < 2 or self.size < 1 or self.frames < 1 or not _COLDEST <= self.temperature <= _HOTTEST:
            raise ValueError(
                f"a model needs two labels or more, size and frames above 0 and a temperature from "
                f"{_COLDEST:g} to {_HOTTEST:g}"
            )
        if self.segments is not None and (unknown := [n for n in self.segments.offsets if n not in self.labels]):
            raise ValueError(f"its segment calibration speaks of '{unknown[0]}', which is none of its labels")
        if self.neutral is not None and set(self.neutral.expected) != set(self.labels):
            raise ValueError("what it says of neutral faces has other labels than the model")


def read_info(path: Path, text: bytes) -> ModelInfo:
    """What ``model.json`` says; its format is looked at first, as a newer one may say what this version cannot read."""
    try:
        raw: Any = parse_json(text)
    except ValueError as error:
        raise ModelError(f"{path} cannot be read ({error}): export or fetch the model again.") from error
    given = raw.get("format", FORMAT) if isinstance(raw, dict) else None
    if given != FORMAT:
        raise ModelError(f"{path} has format {given}, this Tronie reads {FORMAT}: upgrade Tronie or export again.")
    try:
        return build(ModelInfo, raw)
    except SettingError as error:
        raise ModelError(f"{path} cannot be used: {error} Export or fetch the model again.") from error


def write_info(folder: Path, info: ModelInfo) -> None:
    """Write ``model.json``. Raises OutputError."""
    with replacing(folder / "model.json") as temporary:
        temporary.write_text(json.dumps(asdict(info), indent=2) + "\n", encoding="utf-8")
