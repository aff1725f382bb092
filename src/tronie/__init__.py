"""Tronie reads the facial expressions shown in photos and videos, person by person, and says how sure it is.

import tronie
timeline = tronie.predict("film.mp4")
for segment in timeline.segments():
print(segment.track, segment.start, segment.end, segment.label, segment.confidence)
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# ONNX Runtime from 1.29 on notes what is run on which machine in the user's cache folder and sends it to its maker,
# unless this is set when it is imported, by whatever module. Tronie sends nothing anywhere.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from tronie.core.errors import TronieError
    from tronie.core.segment import Segment
    from tronie.core.timeline import Timeline
    from tronie.pipeline.analyser import Analyser
    from tronie.pipeline.predict import predict
    from tronie.pipeline.settings import Settings

# Imported when first named: `import tronie` costs milliseconds, and nobody pays for what they do not use.
_PUBLIC = {
    "Analyser": "tronie.pipeline.analyser",
    "Segment": "tronie.core.segment",
    "Settings": "tronie.pipeline.settings",
    "Timeline": "tronie.core.timeline",
    "TronieError": "tronie.core.errors",
    "predict": "tronie.pipeline.predict",
}

__all__ = ["Analyser", "Segment", "Settings", "Timeline", "TronieError", "__version__", "predict"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tronie' has no attribute '{name}'")
    thing = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
