"""fer: its own Haar detector and net, as its README calls them."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from fer.fer import FER
from frames import main


def make():
    """A detector that answers one frame."""
    detector = FER(mtcnn=False)

    def answer(frame):
        found = detector.detect_emotions(np.ascontiguousarray(frame[:, :, ::-1]))  # it takes BGR
        return [[*map(float, one["box"]), max(one["emotions"], key=one["emotions"].get)] for one in found]

    return answer


main(make)
