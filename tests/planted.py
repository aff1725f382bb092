"""Films with planted faces: coloured squares whose colour is the expression, found and read without any network."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tronie.core.face import Face, Frame
from tronie.core.labels import LabelSet
from tronie.models import clip as zoo_clip
from tronie.models.info import NeutralFit

LABELS = LabelSet(("happiness", "sadness", "neutral"))
SIDE = 48
# Equally bright, so that a change of expression is no camera cut.
_COLOURS = {"h": (220, 90, 80), "s": (90, 125, 240), "n": (60, 175, 60)}


class Model:
    """Reads the colour of a crop. Its answers depend on the batch a little, as a real graph's last bits do."""

    name, hash, labels, size = "planted", "0123456789ab", LABELS, 32
    neutral = NeutralFit({"happiness": -1.5, "sadness": -1.0, "neutral": 2.5}, "nothing")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, crops):
        self.batches.append(len(crops))
        red, green, blue = np.moveaxis(crops.reshape(len(crops), -1, 3).mean(1), 1, 0)
        scores = np.stack([red, blue, green], 1) / 40 + 1e-3 * len(crops) * np.arange(3)
        odds = np.exp(scores - scores.max(1, keepdims=True))
        return (odds / odds.sum(1, keepdims=True)).astype(np.float32)


class AffectModel(Model):
    """It also says valence (red minus blue) and arousal (red), which the batch touches as it does the labels."""

    affect = True

    def read(self, crops):
        red, _, blue = np.moveaxis(crops.reshape(len(crops), -1, 3).mean(1), 1, 0)
        affect = np.stack([red - blue, red - 128], 1) / 256 + 1e-3 * len(crops)
        return self.predict(crops), affect.astype(np.float32)


class ClipReader(zoo_clip.ClipReader):
    """A temporal model without a network: a clip's logits are ten times the mean of its frames.

    It says that it looked closely at the first two frames, then at the last two.
    """

    def __init__(self, info) -> None:
        super().__init__(info, SimpleNamespace(outputs={"logits": ["n", 3]}), 1.5)  # answer() asks no session

    def answer(self, clips):
        assert clips.shape[1:] == (self.info.frames, self.info.width) and clips.dtype == np.float32
        where = np.array([0, 1, self.info.frames - 2, self.info.frames - 1], np.float32)
        return {"logits": 10 * clips.mean(1), "where": np.tile(where, (len(clips), 1))}


class AffectClipReader(ClipReader):
    """Its clips say valence and arousal, too: the mean of their frames' red and blue, at times beyond the range."""

    def answer(self, clips):
        return {**super().answer(clips), "affect": 3 * clips.mean(1)[:, :2] - 1}


class ClipModel:
    """A video model: a frame's feature is its colour."""

    name, hash, labels, size = "planted-clips", "cccccccccccc", LABELS, 32
    INFO = zoo_clip.ClipInfo("temporal.onnx", "", frames=4, width=3, each=2, looks=3, window=1.0, hop=0.25)

    def __init__(self, info=INFO) -> None:
        self.clip = ClipReader(info)

    def features(self, crops):
        red, green, blue = np.moveaxis(crops.reshape(len(crops), -1, 3).mean(1), 1, 0)
        return (np.stack([red, blue, green], 1) / 255).astype(np.float16)

    def predict(self, crops):
        odds = np.exp(10 * self.features(crops).astype(np.float64))
        return odds / odds.sum(1, keepdims=True)


class AffectClipModel(ClipModel):
    """A video model that says valence and arousal."""

    affect = True

    def __init__(self, info=ClipModel.INFO) -> None:
        self.clip = AffectClipReader(info)

    def read(self, crops):
        return self.predict(crops), self.clip.still(self.features(crops))[1]


class Detector:
    """Finds the squares that a film's frame holds; ``scans`` and ``nears`` tell how it was asked."""

    def __init__(self, film) -> None:
        self.film, self.scans, self.nears = film, [], []

    def _faces(self, image):
        at = int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])
        points = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
        return at, [
            Face((float(x), float(y), float(SIDE), float(SIDE)), 0.95, points * SIDE + np.float32([x, y]))
            for x, y, _ in self.film[at]
        ]

    def detect(self, image):
        at, faces = self._faces(image)
        self.scans.append(at)
        return faces

    def near(self, image, faces):
        at, found = self._faces(image)
        self.nears.append(at)
        return [f for f in found if any(abs(f.box[0] - k.box[0]) + abs(f.box[1] - k.box[1]) < SIDE for k in faces)]


class Film:
    """Frames of a film told as a list of ``[(x, y, letter), ...]`` per frame, with a place to stop and go on."""

    def __init__(self, film, times) -> None:
        self.film, self.times, self.next = film, list(times), 0

    def __iter__(self):
        while self.next < len(self.film):
            self.next += 1
            yield self.frame(self.next - 1)

    def frame(self, i) -> Frame:
        lasts = np.diff(self.times, append=self.times[-1] + 1 / 30)
        return Frame(paint(self.film[i], i), float(self.times[i]), i, float(lasts[i]))

    def state(self):
        return {"next": self.next}

    def restore(self, state) -> None:
        self.next = state["next"]


def paint(faces, index):
    """A textured grey picture with a square per face; the first pixel says which frame it is."""
    rng = np.random.default_rng(index)
    image = np.full((120, 240, 3), 128, np.uint8)
    for x, y, letter in faces:
        noise = rng.integers(-40, 40, (SIDE, SIDE, 1))
        image[y : y + SIDE, x : x + SIDE] = np.clip(np.array(_COLOURS[letter]) + noise, 0, 255)
    image[0, 0] = (index // 256, index % 256, 0)
    return image


def two_people(spec_left, spec_right="", drift=0.3):
    """One frame per letter: a person on the left, perhaps one on the right ('.' away), moving slowly."""
    film = []
    for i in range(max(len(spec_left), len(spec_right))):
        faces = []
        for start, spec in ((20, spec_left), (150, spec_right)):
            if i < len(spec) and spec[i] != ".":
                faces.append((start + int(drift * (i % 60)), 30, spec[i]))
        film.append(faces)
    return film


def write_film(path, film, rate=30) -> None:
    """A film file without loss, so that its first pixels still say which frame they are."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 240, 120, "bgr0"
        for i, faces in enumerate(film):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(paint(faces, i), "rgb24")))
        container.mux(stream.encode())


def write_picture(path, faces, index=0) -> None:
    """A PNG of one frame."""
    from PIL import Image

    Image.fromarray(paint(faces, index)).save(path)
