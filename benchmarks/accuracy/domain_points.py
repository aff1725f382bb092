"""MediaPipe's 478 points and 52 blendshapes of the packs' aligned faces, cached beside them.

    PYTHONPATH=src:FOLDER_WITH_AI_EDGE_LITERT python benchmarks/accuracy/domain_points.py DATA CACHE TASK

TASK is ``face_landmarker.task`` (Apache-2.0). It wants half a face of surroundings, which aligned crops do not have:
their border is repeated outwards. Writes ``NAME.blendshapes.npz``: ``row``, ``points`` ``(n, 478, 2)`` float16 in
pixels of the 112-px face, ``blendshapes`` ``(n, 52)`` float16, ``score`` ``(n,)`` in [0, 1]: low where no face is seen.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import cv2
import numpy as np
from domain_maps import rows_to_map
from domain_packs import SIZE, faces_of
from domain_train import GROUPS

SIDE = 256
BORDER = SIZE // 4
# Points that the blendshape model reads (MediaPipe, face_blendshapes_graph.cc, kLandmarksSubsetIdxs).
SUBSET = (
    0,
    1,
    4,
    5,
    6,
    7,
    8,
    10,
    13,
    14,
    17,
    21,
    33,
    37,
    39,
    40,
    46,
    52,
    53,
    54,
    55,
    58,
    61,
    63,
    65,
    66,
    67,
    70,
    78,
    80,
    81,
    82,
    84,
    87,
    88,
    91,
    93,
    95,
    103,
    105,
    107,
    109,
    127,
    132,
    133,
    136,
    144,
    145,
    146,
    148,
    149,
    150,
    152,
    153,
    154,
    155,
    157,
    158,
    159,
    160,
    161,
    162,
    163,
    168,
    172,
    173,
    176,
    178,
    181,
    185,
    191,
    195,
    197,
    234,
    246,
    249,
    251,
    263,
    267,
    269,
    270,
    276,
    282,
    283,
    284,
    285,
    288,
    291,
    293,
    295,
    296,
    297,
    300,
    308,
    310,
    311,
    312,
    314,
    317,
    318,
    321,
    323,
    324,
    332,
    334,
    336,
    338,
    356,
    361,
    362,
    365,
    373,
    374,
    375,
    377,
    378,
    379,
    380,
    381,
    382,
    384,
    385,
    386,
    387,
    388,
    389,
    390,
    397,
    398,
    400,
    402,
    405,
    409,
    415,
    454,
    466,
    468,
    469,
    470,
    471,
    472,
    473,
    474,
    475,
    476,
    477,
)


class Landmarker:
    """Both models of the task file, on one thread."""

    def __init__(self, task: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with zipfile.ZipFile(task) as archive:
            parts = [archive.read(f"{name}.tflite") for name in ("face_landmarks_detector", "face_blendshapes")]
        self.points, self.shapes = (Interpreter(model_content=part, num_threads=1) for part in parts)
        for model in (self.points, self.shapes):
            model.allocate_tensors()

    def __call__(self, face: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Points ``(478, 2)`` in pixels of the aligned face, blendshapes ``(52,)``, score in [0, 1]."""
        wide = cv2.copyMakeBorder(face, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
        picture = cv2.resize(wide, (SIDE, SIDE)).astype(np.float32) / 255
        (raw, flag, _) = self._run(self.points, picture[None])
        points = raw.reshape(478, 3)[:, :2]
        (shapes,) = self._run(self.shapes, points[None, SUBSET])
        score = 1 / (1 + float(np.exp(-flag.ravel()[0])))
        return points * (SIZE + 2 * BORDER) / SIDE - BORDER, shapes, score

    @staticmethod
    def _run(model, given: np.ndarray) -> list[np.ndarray]:
        model.set_tensor(model.get_input_details()[0]["index"], np.ascontiguousarray(given, np.float32))
        model.invoke()
        return [model.get_tensor(one["index"]) for one in model.get_output_details()]


def main() -> None:
    """Measure every pack that was not measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "cache", "task"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    landmarker = Landmarker(given.task)
    names = [name for name in GROUPS if name != "ferplus"]  # 48 pixels are too few for it
    for name in sorted(names, key=lambda n: len(faces_of(n, given.cache))):
        path = given.cache / f"{name}.blendshapes.npz"
        if path.is_file():
            continue
        pack, faces = rows_to_map(name, given.data), faces_of(name, given.cache)
        found = [landmarker(np.asarray(faces[row])) for row in pack.row]
        points, shapes, score = (np.array(column, np.float16) for column in zip(*found, strict=True))
        np.savez(path, row=pack.row, points=points, blendshapes=shapes, score=score)
        print(f"{name}: {len(pack)} faces, score below one half in {(score < 0.5).mean():.1%}", flush=True)


if __name__ == "__main__":
    main()
