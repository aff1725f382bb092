"""The result: one row per face and time, as plain columns that any tool can read. Schema 1.

Columns, in this order (docs/reference/timeline.md says the same for people who only meet the file):

==============  ======  =======================================================================================
column          type    meaning
==============  ======  =======================================================================================
source          str     name of the picture or film
frame           int     index of the decoded frame, from 0
time            s       the frame's own presentation time on the clock that players show
duration        s       time until the next frame looked at or until a hole in the film; 0 for a photo
track           int     the person: the same number for as long as the face could be followed
x, y            px      upper left corner of the face box (may lie outside the picture)
width, height   px      size of the face box
face_size       px      the shorter side of the box
detection       0..1    the detector's score
quality         0..1    how fit the face is to be read (size, sharpness, light, pose, edge of the picture)
usable          bool    quality is enough: the frame counts as evidence
label           str     the expression shown, or "uncertain" where the evidence carries none
confidence      0..1    smoothed probability of ``label``; for "uncertain" the highest of all
p_<label>       0..1    smoothed probability of each label, in the model's order; they sum to one
agreement       0..1    optional: share of a video model's clips of the moment that say ``label``; for "uncertain",
                        that say the label with the highest probability
valence         -1..1   optional: how unpleasant (-1) or pleasant (1) the expression shown is, smoothed as p_<label>
arousal         -1..1   optional: how calm (-1) or excited (1) it is, smoothed alike
au_<n>          0..1    optional: facial action unit n
model           str     first 12 hex digits of the model's hash
settings        str     first 12 hex digits of the settings' hash
version         str     version of Tronie
==============  ======  =======================================================================================

Numbers are rounded when a timeline is made (µs, 0.01 px, 0.00001), so what is in memory is what a file says, and a
table saved, loaded and saved again is the same to the byte. An optional value that is missing is NaN, an empty cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.core import segment as _segment
from tronie.core.errors import MissingExtraError, SettingError
from tronie.core.labels import UNCERTAIN, LabelSet
from tronie.core.segment import Segment, SegmentCalibration, Total
from tronie.core.words import shortened

SCHEMA = 1
"""Version of the columns and of the saved files. A reader refuses a newer one."""

TEXT = ("source", "label", "model", "settings", "version")
WHOLE = ("frame", "track")
BEFORE = (
    "source",
    "frame",
    "time",
    "duration",
    "track",
    "x",
    "y",
    "width",
    "height",
    "face_size",
    "detection",
    "quality",
    "usable",
    "label",
    "confidence",
)
AFTER = ("model", "settings", "version")
AFFECT = ("valence", "arousal")
OPTIONAL = ("agreement", *AFFECT)
PROBABILITY = "p_"
_LATEST = 1e11  # seconds; a live stream may count them from 1970
_HALF = re.compile("[\ud800-\udfff]")
_UNIT = re.compile(r"au_\d+")
_DECIMALS = {"time": 6, "duration": 6, "x": 2, "y": 2, "width": 2, "height": 2, "face_size": 2}

Column = NDArray[Any]


def in_schema(name: str) -> bool:
    """Whether some timeline has a column of this name."""
    return name in (*BEFORE, *OPTIONAL, *AFTER) or name.startswith(PROBABILITY) or bool(_UNIT.fullmatch(name))


def decimals(name: str) -> int | None:
    """Decimals that a column is kept with; None for columns that hold no fractions."""
    return None if name in TEXT or name in WHOLE or name == "usable" else _DECIMALS.get(name, 5)


@dataclass(frozen=True)
class Provenance:
    """What made the rows: the model's name and hash, every setting and its hash, the versions.

    ``segments`` is the calibration of :meth:`Timeline.segments`, None where there is none for this model and these
    settings. ``clips`` is in how many clips a video model reads each window of a film, 0 where faces were read one by
    one: ``agreement`` is a share of such clips. ``affect``: the model says ``valence`` and ``arousal``.
    """

    model: str = ""
    model_hash: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    settings_hash: str = ""
    version: str = ""
    schema: int = SCHEMA
    segments: SegmentCalibration | None = None
    clips: int = 0
    affect: bool = False


@dataclass(frozen=True)
class Looked:
    """What was looked at in one source, faces or not.

    ``kind`` is "image" or "video". ``frames`` counts the frames looked at, from ``start`` to ``end`` seconds.
    ``empty`` holds the stretches ``(start, end)`` in which no face was found, ``unseen`` those between in which the
    film has no pictures.
    """

    source: str
    kind: str
    frames: int
    start: float
    end: float
    empty: tuple[tuple[float, float], ...] = ()
    unseen: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Timeline:
    """Faces over time, column by column. Rows are in the order given; arrays are read-only.

    Raises SettingError where columns are missing, unknown or of unequal length, for a label that is not among
    ``labels``, and for values that no film has: a time that is no number, a duration below 0, infinity.
    """

    columns: Mapping[str, Column]
    labels: LabelSet
    provenance: Provenance = field(default_factory=Provenance)
    looked: tuple[Looked, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = schema(self.labels, self.columns)
        kept = {name: _kept(name, self.columns[name]) for name in names}
        if len({len(column) for column in kept.values()}) > 1:
            raise SettingError("The columns of a timeline have unequal lengths: give one value per row in each.")
        _check(kept, self.labels)
        object.__setattr__(self, "columns", MappingProxyType(kept))

    @staticmethod
    def empty(labels: LabelSet, provenance: Provenance | None = None) -> Timeline:
        """A timeline without rows."""
        about = provenance or Provenance()
        extra = [*["agreement"] * (about.clips > 0), *AFFECT * about.affect]
        names = [*BEFORE, *(PROBABILITY + name for name in labels.names), *extra, *AFTER]
        return Timeline({name: np.array([]) for name in names}, labels, about)

    def __reduce__(self) -> tuple[Any, ...]:  # the view that keeps columns from being changed cannot travel
        return Timeline, (dict(self.columns), self.labels, self.provenance, self.looked, self.warnings)

    def __len__(self) -> int:
        return len(self.columns["time"])

    def __getitem__(self, name: str) -> Column:
        try:
            return self.columns[name]
        except KeyError:
            raise SettingError(f"A timeline has no column '{name}'; it has {', '.join(self.columns)}.") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timeline) or list(self.columns) != list(other.columns):
            return False
        about = (self.labels, self.provenance, self.looked, self.warnings)
        return about == (other.labels, other.provenance, other.looked, other.warnings) and all(
            np.array_equal(column, other[name], equal_nan=column.dtype == np.float64)
            for name, column in self.columns.items()
        )

    __hash__ = None  # type: ignore[assignment]  # compared by content

    @property
    def end(self) -> NDArray[np.float64]:
        """``time + duration`` of every row, seconds, rounded like the columns."""
        ends: NDArray[np.float64] = np.round(self["time"] + self["duration"], 6)
        return ends

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """``(rows, labels)``: the smoothed probabilities in the order of ``labels``."""
        return np.stack([self[PROBABILITY + name] for name in self.labels.names], 1)

    def select(
        self,
        *,
        source: str | None = None,
        track: int | None = None,
        label: str | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Timeline:
        """The rows that meet every condition given. ``start <= time < end`` in seconds."""
        keep = np.ones(len(self), bool)
        for name, value in (("source", source), ("track", track), ("label", label)):
            if value is not None:
                keep &= np.asarray(self[name] == value, bool)
        if start is not None:
            keep &= self["time"] >= start
        if end is not None:
            keep &= self["time"] < end
        looked = self.looked if source is None else tuple(one for one in self.looked if one.source == source)
        return replace(self, columns={name: column[keep] for name, column in self.columns.items()}, looked=looked)

    @staticmethod
    def concat(parts: Sequence[Timeline]) -> Timeline:
        """Several timelines under each other. Optional columns that one lacks are NaN there.

        Raises SettingError for no parts or for parts with different labels. Where models or settings differ, the
        provenance of the first is kept, a warning says so, and the rows still carry their own. A segment calibration
        and a number of clips are kept only where all parts have the same; ``affect`` where one part has it.
        """
        if not parts:
            raise SettingError("There is nothing to join: give at least one timeline.")
        first = parts[0]
        if any(part.labels != first.labels for part in parts):
            raise SettingError("Timelines with different labels cannot be joined: run them with one model.")
        names = dict.fromkeys(name for part in parts for name in part.columns)
        columns = {
            name: np.concatenate([part.columns.get(name, np.full(len(part), np.nan)) for part in parts])
            for name in names
        }
        warnings = [text for part in parts for text in part.warnings]
        if any(part.provenance != first.provenance for part in parts):
            warnings.append("These rows were made with different models, settings or versions: see their columns.")
        provenance = first.provenance
        if any(part.provenance.segments != provenance.segments for part in parts):
            provenance = replace(provenance, segments=None)
        if any(part.provenance.clips != provenance.clips for part in parts):
            provenance = replace(provenance, clips=0)
        provenance = replace(provenance, affect=any(part.provenance.affect for part in parts))
        looked = tuple(one for part in parts for one in part.looked)
        return Timeline(columns, first.labels, provenance, looked, tuple(dict.fromkeys(warnings)))

    def segments(self) -> list[Segment]:
        """Who shows what from when to when: see :func:`tronie.core.segment.segments`."""
        return _segment.segments(self)

    def summary(self) -> list[Total]:
        """Time per expression per track: see :func:`tronie.core.segment.totals`."""
        return _segment.totals(self)

    def save(self, path: str | Path, *, csv_safe: bool = False) -> list[Path]:
        """Write a table: ``.csv`` (and ``<stem>.meta.json`` beside it), ``.json`` or ``.parquet`` (extra 'table').

        ``csv_safe`` writes text that a spreadsheet would run as a formula so that it does not; reading gives it back.
        Returns the files written. A file appears whole or not at all. Raises SettingError for another suffix,
        OutputError where it cannot be written, MissingExtraError.
        """
        from tronie.core import timeline_io

        return timeline_io.save(self, Path(path), csv_safe=csv_safe)

    @staticmethod
    def load(path: str | Path) -> Timeline:
        """Read a table that ``save`` wrote, also after a spreadsheet saved it anew, or segments that Tronie wrote.

        A CSV without its ``.meta.json`` loads from what its rows say; that it is missing, or that either was changed
        since, is one of the timeline's ``warnings``. Raises SourceError for a file that is missing, damaged, not a
        timeline or of a newer schema.
        """
        from tronie.core import timeline_io

        return timeline_io.load(Path(path))

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame`` (extra 'table')."""
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("to_pandas()", "table") from None
        return pandas.DataFrame(dict(self.columns))

    def to_arrow(self) -> Any:
        """The rows as a ``pyarrow.Table`` (extra 'table')."""
        try:
            import pyarrow
        except ImportError:
            raise MissingExtraError("to_arrow()", "table") from None
        return pyarrow.table({name: pyarrow.array(column, _arrow(name)) for name, column in self.columns.items()})

    def to_polars(self) -> Any:
        """The rows as a ``polars.DataFrame`` (needs polars itself beside the extra 'table')."""
        table = self.to_arrow()
        try:
            import polars
        except ImportError:
            raise MissingExtraError("to_polars()", "polars") from None
        return polars.from_arrow(table)


def schema(labels: LabelSet, given: Iterable[str]) -> list[str]:
    """The columns in their order, checked. Raises SettingError that names what is missing or unknown."""
    given = list(given)
    required = [*BEFORE, *(PROBABILITY + name for name in labels.names), *AFTER]
    units = sorted((name for name in given if _UNIT.fullmatch(name)), key=lambda name: int(name[3:]))
    if missing := [name for name in required if name not in given]:
        raise SettingError(f"A timeline needs the column '{missing[0]}', which is not there.")
    extra = [name for name in OPTIONAL if name in given] + units
    if unknown := [name for name in given if name not in required and name not in extra]:
        raise SettingError(f"A timeline has no column '{unknown[0]}' in schema {SCHEMA}.")
    return [*required[: -len(AFTER)], *extra, *AFTER]


def _check(columns: Mapping[str, Column], labels: LabelSet) -> None:
    """Raise SettingError for a value that no film and no face has."""
    known = {*labels.names, UNCERTAIN}
    for name, column in columns.items():
        if name in TEXT:
            words = set(column.tolist())
            if broken := next((word for word in words if _HALF.search(word)), None):
                raise SettingError(f"The column '{name}' holds {shortened(broken)!a}, half a character: write it anew.")
            if name == "label" and (unknown := sorted(words - known)):
                row = column.tolist().index(unknown[0]) + 1
                raise SettingError(
                    f"Row {row} has the label '{shortened(unknown[0])}', which is none of "
                    f"{', '.join(labels.names)}, {UNCERTAIN}."
                )
        elif column.dtype == np.float64:
            wrong = np.isinf(column)
            if name in ("time", "duration"):
                wrong |= np.isnan(column) | (np.abs(column) > _LATEST)
            if name == "duration":
                wrong |= column < 0
            if wrong.any():
                row = int(wrong.argmax())
                raise SettingError(f"Row {row + 1} has {column[row]:g} in the column '{name}': no film has that.")


def _kept(name: str, values: Column) -> Column:
    kept: Column
    if name in TEXT:
        kept = np.array([str(value) for value in values], object)
    elif name in WHOLE:
        try:
            kept = np.array(values, np.int64)
        except OverflowError:
            raise SettingError(f"The column '{name}' holds a number of more than 64 bits.") from None
    elif name == "usable":
        kept = np.array(values, bool)
    else:
        kept = np.round(np.array(values, np.float64), decimals(name) or 0) + 0.0  # + 0.0 turns -0.0 into 0.0
    kept.setflags(write=False)
    return kept


def _arrow(name: str) -> Any:
    import pyarrow

    if name in TEXT:
        return pyarrow.string()
    return pyarrow.int64() if name in WHOLE else pyarrow.bool_() if name == "usable" else pyarrow.float64()
