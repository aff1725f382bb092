"""MediaPipe: short-range detection (``detection``) or the mesh of up to 20 faces (``mesh``); it reads no expression."""

import sys

import mediapipe as mp
from frames import main


def make():
    """What answers one frame."""
    if sys.argv[3] == "detection":
        net = mp.solutions.face_detection.FaceDetection(model_selection=0)

        def answer(frame):
            height, width = frame.shape[:2]
            boxes = [one.location_data.relative_bounding_box for one in net.process(frame).detections or []]
            return [[b.xmin * width, b.ymin * height, b.width * width, b.height * height, ""] for b in boxes]

        return answer
    mesh = mp.solutions.face_mesh.FaceMesh(max_num_faces=20)

    def points(frame):
        height, width = frame.shape[:2]
        found = []
        for face in mesh.process(frame).multi_face_landmarks or []:
            x = [p.x * width for p in face.landmark]
            y = [p.y * height for p in face.landmark]
            found.append([min(x), min(y), max(x) - min(x), max(y) - min(y), ""])
        return found

    return points


main(make)
