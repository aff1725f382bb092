"""MTCNN of facenet-pytorch: detection only."""

import torch
from facenet_pytorch import MTCNN
from frames import main


def make():
    """What answers one frame."""
    torch.set_num_threads(1)
    net = MTCNN(keep_all=True, device="cpu")

    def answer(frame):
        boxes, _ = net.detect(frame.copy())
        return [] if boxes is None else [[*map(float, (a, b, c - a, d - b)), ""] for a, b, c, d in boxes]

    return answer


main(make)
