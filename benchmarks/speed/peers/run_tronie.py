"""Tronie on the peers' job: films as streams of frames through the whole chain, pictures each by itself."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import frames as job_frames

import tronie
from tronie.core.face import Frame
from tronie.core.timeline import Timeline
from tronie.pipeline.chain import Chain

FPS = 30.0


def rows(timeline: Timeline, frame: int) -> list[list[Any]]:
    """The faces of one frame."""
    mine = timeline["frame"] == frame
    boxes = zip(*(timeline[name][mine].tolist() for name in ("x", "y", "width", "height", "label")), strict=True)
    return [list(one) for one in boxes]


def film(analyser: tronie.Analyser, clip: dict[str, Any], count: int) -> Timeline:
    """The first ``count`` frames as a film."""
    images = zip(range(count), job_frames.frames(clip), strict=False)
    chain = Chain(analyser.model, analyser.detector, analyser.settings, clip["name"])
    rate = clip.get("fps") or FPS
    return Timeline.concat(list(chain.run(Frame(image, i / rate, i, 1 / rate) for i, image in images)))


def main() -> None:
    """Answer the job in ``argv[1]``, write to ``argv[2]``."""
    cv2.setNumThreads(1)
    job = json.loads(Path(sys.argv[1]).read_text())
    analyser = tronie.Analyser()
    answers = []
    for clip in job["clips"]:
        if clip["timed"]:
            film(analyser, clip, job_frames.WARM)
        began = time.process_time(), time.perf_counter()
        if clip["photo"]:
            tables = [analyser.analyse(image) for image in job_frames.frames(clip)]
            faces = [rows(table, 0) for table in tables]
        else:
            table = film(analyser, clip, clip["frames"])
            faces = [rows(table, i) for i in range(clip["frames"])]
        spent = time.process_time() - began[0], time.perf_counter() - began[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answers.append({"name": clip["name"], "cpu": spent[0], "wall": spent[1], "peak": peak, "faces": faces})
    Path(sys.argv[2]).write_text(json.dumps({"clips": answers}))


if __name__ == "__main__":
    main()
