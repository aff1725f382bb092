"""Every number of the practitioner's chain, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tronie.core import config
from tronie.core.errors import SettingError
from tronie.core.segment import JOIN_GAP

_SEGMENTING = ("usable", "kernel", "gap", "lag", "certain", "rate", "look", "switch", "speech", "least")
_PERSON = ("own", "calm")


@dataclass(frozen=True)
class Settings:
    """Settings of one run. Times are seconds of film. Raises SettingError for a value that cannot work."""

    detector: str = "retinaface"
    """Name in ``tronie.faces.detect.DETECTORS``; "whole" for pictures that are cropped faces."""
    provider: str = "cpu"
    """What the graphs run on: a name in ``tronie.models.providers``. Another one may change an answer's last bits."""
    fps: float | None = None
    """Frames looked at per second of film; None looks at every frame."""
    cell: float = 1.0
    """The grid on which a film is worked off: batches end and snapshots lie at its lines. One second keeps the
    crops of a frame full of faces within 25 MB and fills batches for one face."""
    batch: int = 32
    """Most faces the model reads at once: larger batches gain nothing on a CPU."""
    video_track: int | None = None
    """Which of a film's picture tracks is read, counted from 0; None: the one that players show. Named in tables (and
    in the settings' hash) only where it is given."""
    scan: float = 0.5
    """The whole frame is searched this often; between, only the surroundings of known faces (a third of the cost)."""
    usable: float = 0.2
    """Least quality, 0..1, with which a face counts as evidence: about 21 pixels, a half profile."""
    kernel: float = 0.3
    """Half width of the kernel that smooths the probabilities printed. Its mean width of 0.3 s is below the shortest
    expression asked for (0.4 s) and above a syllable's mouth shape."""
    gap: float = JOIN_GAP
    """Time without the face after which nothing is carried over, neither evidence nor label."""
    lag: float = 1.5
    """How long a row waits for what follows before its label is final; with the cell a latency of 1.5 to 2.5 s."""
    certain: float = 0.35
    """Least probability that carries a label; below it "uncertain" explains the looks better. Over time it is the
    geometric mean that counts, so looks that contradict each other carry less than their average."""
    rate: float = 10.0
    """How many independent looks a second of film is worth. Frames 33 ms apart see nearly the same picture, so 30 of
    them are not 30 witnesses."""
    look: float = 0.2
    """Most time that one frame may speak for, so that a single look at 1 fps does not outvote its neighbours."""
    switch: float = 5.0
    """What a change of label costs, in nats. To leave for 0.4 s and come back then pays for a clear expression only
    (0.85 beside two other labels), a lasting change pays within a second even where it is a faint one. At 6.5 the end
    of a smile that faded 0.7 s before the end of the film was missed."""
    speech: float = 0.3
    """What surprise must lead by in a film, in nats per look: a talking mouth opens as a surprised one does. Chosen on
    acted speech together with ``switch``, as the fewest false expressions at a loss of at most 0.02 of mean recall
    (benchmarks/accuracy/segments.py, which also leaves each actor out in turn)."""
    baseline: Literal["model", "person"] = "model"
    """What a film's faces are measured against: all people's neutral, which the model has learnt, or the person's own
    (:mod:`tronie.pipeline.person`). The person's own names more acted clips rightly, but no more expressions are seen
    in the segments (benchmarks/accuracy/person.md); photos are read as they are."""
    own: float = 1.0
    """How far a person's own neutral counts with ``baseline`` "person": 0 not at all, 1 in full."""
    calm: float = 5.0
    """Seconds of clearly neutral film after which it counts by half. With 1 s fewer acted expressions are seen, and a
    person who only smiles is soon read as neutral; with 10 s half of what can be gained is lost."""
    least: float = 0.3
    """Least duration of a label between two changes, and of a sight of a face that is given one."""

    def __post_init__(self) -> None:
        for name in ("cell", "scan", "kernel", "gap", "rate", "look"):
            if not getattr(self, name) > 0:
                raise SettingError(f"Setting '{name}' is {getattr(self, name)}: it must be more than 0.")
        for name in ("usable", "certain"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"Setting '{name}' is {getattr(self, name)}: it must lie between 0 and 1.")
        if self.fps is not None and not self.fps > 0:
            raise SettingError(f"fps is {self.fps}: give a number of frames per second above 0, or leave it out.")
        if self.video_track is not None and self.video_track < 0:
            raise SettingError(f"Video track {self.video_track} is asked for: picture tracks are counted from 0.")
        if self.batch < 1 or self.switch < 0 or self.least < 0 or self.speech < 0:
            raise SettingError("Settings 'batch' must be at least 1, 'switch', 'speech' and 'least' at least 0.")
        if self.baseline not in ("model", "person"):
            raise SettingError(f"baseline is '{self.baseline}': it must be 'model' or 'person'.")
        if not 0 <= self.own <= 1 or not self.calm > 0:
            raise SettingError("Setting 'own' must lie between 0 and 1, 'calm' must be more than 0.")
        if self.lag < max(self.kernel, self.least):
            raise SettingError(f"Setting 'lag' is {self.lag}: it must be at least 'kernel' and 'least'.")

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, as JSON holds them."""
        values = config.as_dict(self)
        if self.video_track is None:
            del values["video_track"]
        return values

    def segmenting(self) -> dict[str, float]:
        """The settings that shape segments and their confidence: a calibration of segments holds for these."""
        names = (*_SEGMENTING, *(_PERSON if self.baseline == "person" else ()))
        return {name: float(getattr(self, name)) for name in names}

    @property
    def hash(self) -> str:
        """12 hex digits, equal for equal settings on every machine."""
        return config.values_hash(self.as_dict())
