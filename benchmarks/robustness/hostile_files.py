"""Files that the campaign (``hostile.py``) damages, by kind, and how each kind is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tronie.core.errors import SettingError, SourceError


def pictures() -> list[bytes]:
    """One small picture in every format and mode that is read, without a face."""
    import io

    from PIL import Image

    rng = np.random.default_rng(0)
    plain = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = [
        ("JPEG", plain, {"exif": exif}),
        ("JPEG", plain.convert("L"), {"progressive": True}),
        ("JPEG", plain.convert("CMYK"), {}),
        ("PNG", plain, {}),
        ("PNG", plain.convert("P"), {}),
        ("PNG", plain.convert("RGBA"), {}),
        ("PNG", plain.convert("L").convert("I"), {}),
        ("GIF", plain, {"save_all": True, "append_images": [plain, plain]}),
        ("BMP", plain, {}),
        ("TIFF", plain, {"compression": "tiff_lzw"}),
        ("TIFF", plain.convert("F"), {}),
        ("WEBP", plain, {}),
        ("PPM", plain, {}),
        ("ICO", plain, {}),
        ("AVIF", plain, {}),
        ("JPEG2000", plain, {}),
    ]
    seeds = []
    for name, picture, options in made:
        out = io.BytesIO()
        try:
            picture.save(out, name, **options)
        except (OSError, KeyError, ValueError):  # a Pillow without that format
            continue
        seeds.append(out.getvalue())
    return seeds


def films(folder: Path) -> list[bytes]:
    """A third of a second of noise in the containers that people have."""
    import av

    seeds = []
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(8)]
    for name, codec in (
        ("a.mp4", "libx264"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.avi", "mpeg4"),
        ("a.mov", "mjpeg"),
        ("a.ts", "mpeg2video"),
        ("a.mpg", "mpeg1video"),
        ("a.flv", "flv"),
        ("a.gif", "gif"),
        ("a.nut", "ffv1"),
        ("a.y4m", "wrapped_avframe"),
    ):
        try:
            with av.open(str(folder / name), "w") as container:
                stream = container.add_stream(codec, rate=25)
                stream.width, stream.height = 64, 48
                stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
                for frame in frames:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
                container.mux(stream.encode())
            seeds.append((folder / name).read_bytes())
        except (av.error.FFmpegError, OSError, ValueError):  # a library without that codec
            continue
    return seeds


def graph() -> bytes:
    """A tiny network that has the inputs and outputs of a model, as ONNX."""
    from onnx import TensorProto as T
    from onnx import helper as h

    rng = np.random.default_rng(0)
    weights = h.make_tensor("w", T.FLOAT, [12, 3], rng.normal(size=36).astype(np.float32).tolist())
    shape = h.make_tensor("shape", T.INT64, [2], [-1, 12])
    nodes = [
        h.make_node("Cast", ["faces"], ["x"], to=T.FLOAT),
        h.make_node("Reshape", ["x", "shape"], ["flat"]),
        h.make_node("MatMul", ["flat", "w"], ["logits"]),
    ]
    nodes += [h.make_node("Identity", ["flat"], ["feature"])]
    whole = h.make_graph(
        nodes,
        "tiny",
        [h.make_tensor_value_info("faces", T.UINT8, ["n", 2, 2, 3])],
        [
            h.make_tensor_value_info("logits", T.FLOAT, ["n", 3]),
            h.make_tensor_value_info("feature", T.FLOAT, ["n", 12]),
        ],
        [weights, shape],
    )
    return _bytes(whole)


def temporal_graph() -> bytes:
    """The second graph of a tiny video model: clips of 4 frames of 12 numbers to logits, and where it looked."""
    from onnx import TensorProto as T
    from onnx import helper as h

    rng = np.random.default_rng(0)
    weights = h.make_tensor("w", T.FLOAT, [12, 3], rng.normal(size=36).astype(np.float32).tolist())
    nodes = [
        h.make_node("ReduceMean", ["clips"], ["mean"], axes=[1], keepdims=0),
        h.make_node("MatMul", ["mean", "w"], ["logits"]),
        h.make_node("Abs", ["logits"], ["where"]),
    ]
    whole = h.make_graph(
        nodes,
        "tiny",
        [h.make_tensor_value_info("clips", T.FLOAT, ["n", 4, 12])],
        [h.make_tensor_value_info("logits", T.FLOAT, ["n", 3]), h.make_tensor_value_info("where", T.FLOAT, ["n", 3])],
        [weights],
    )
    return _bytes(whole)


def _bytes(whole: Any) -> bytes:
    import onnx
    from onnx import helper as h

    model = h.make_model(whole, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


INFO = {
    "name": "tiny",
    "labels": ["anger", "happiness", "neutral"],
    "graph": "encoder.onnx",
    "graph_sha256": "",
    "size": 2,
    "frames": 1,
    "temperature": 1.3,
    "calibrated": "nothing",
    "licence": "none",
    "seen": ["nothing"],
    "scores": {"accuracy": [0.5, 0.4, 0.6]},
    "made_by": "hand",
    "format": 1,
    "segments": {"a": 1.0, "b": 0.1, "fitted_on": "x", "offsets": {"anger": 0.1}, "settings": {}},
}
CLIP = {
    "graph": "temporal.onnx",
    "graph_sha256": "",
    "frames": 4,
    "width": 12,
    "each": 1,
    "looks": 2,
    "window": 1.0,
    "hop": 0.5,
    "encoder": "tiny",
}
"""What makes :data:`INFO` a video model's."""


class Reader:
    """Reads the damaged files of one kind; ``read`` returns a word for what became of a file."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.text = kind in ("tables", "settings")
        self.seeds: list[bytes] = []
        self.read: Callable[[bytes, int], str] = getattr(self, f"_{kind}")
        getattr(self, f"_begin_{kind}")()

    def _begin_pictures(self) -> None:
        from tronie.pipeline.analyser import Analyser

        self.seeds, self.analyser = pictures(), Analyser()

    def _pictures(self, data: bytes, number: int) -> str:
        from tronie.video.image import read_image

        image = read_image(data)
        assert image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
        if number % 10 or image.size > 3_000_000:  # the whole chain on a tenth of them, and on nothing large
            return "read"
        return said_of(self.analyser.analyse(image))

    def _begin_films(self) -> None:
        from tronie.pipeline.analyser import Analyser

        self.seeds, self.analyser = films(self.folder), Analyser()

    def _films(self, data: bytes, number: int) -> str:
        path = self.folder / "film.bin"
        path.write_bytes(data)
        # A film that claims to last for years is no hang: thousands of frames of it are proof enough.
        asked = iter(range(10**9))
        return said_of(self.analyser.analyse(path_as_film(path), stop=lambda: next(asked) >= 2000))

    def _begin_clips(self) -> None:
        self._graph, self._temporal = graph(), temporal_graph()
        info = INFO | {"segments": None, "clip": CLIP}
        self._info = json.dumps(info, indent=1).encode()
        self.seeds = [self._temporal, self._info]

    def _clips(self, data: bytes, number: int) -> str:
        from tronie.models.folder import load_folder

        temporal, info = (self._temporal, data) if data.lstrip()[:1] == b"{" else (data, self._info)
        (self.folder / "encoder.onnx").write_bytes(self._graph)
        (self.folder / "temporal.onnx").write_bytes(temporal)
        for written in (self._graph, temporal):  # in this order they stand in model.json
            info = info.replace(b'"graph_sha256": ""', b'"graph_sha256": "' + sha256(written) + b'"', 1)
        (self.folder / "model.json").write_bytes(info)
        model = load_folder(self.folder)
        crops = np.full((5, model.size, model.size, 3), 100, np.uint8)
        answers = [model.predict(crops)] + ([model.predict_clip(crops)] if model.clip is not None else [])
        return "read" if all(np.isfinite(one).all() for one in answers) else "read, not finite"

    def _begin_models(self) -> None:
        self._graph = graph()
        self.seeds = [self._graph, json.dumps(INFO, indent=1).encode()]

    def _models(self, data: bytes, number: int) -> str:
        from tronie.models.folder import load_folder

        # Whoever means harm writes the right hash: the graph itself is what must be survived.
        given = data if data[:1] != b"{" and data.lstrip()[:1] != b"{" else None
        encoder = self._graph if given is None else given
        (self.folder / "encoder.onnx").write_bytes(encoder)
        info = json.dumps(INFO).encode() if given is not None else data
        info = re.sub(rb'"graph_sha256": "[^"]*"', b'"graph_sha256": "' + sha256(encoder) + b'"', info, count=1)
        (self.folder / "model.json").write_bytes(info)
        model = load_folder(self.folder)
        answers = model.predict(np.full((2, model.size, model.size, 3), 100, np.uint8))
        return "read" if np.isfinite(answers).all() else "read, not finite"

    def _begin_tables(self) -> None:
        from tronie.core.labels import LabelSet
        from tronie.core.manifest import Manifest
        from tronie.core.timeline import Provenance, Timeline

        labels = LabelSet(("anger", "happiness", "neutral"))
        empty = Timeline.empty(labels, Provenance("m", "0" * 12, {"fps": None}, "1" * 12, "0.1.0"))
        columns: dict[str, Any] = {name: np.arange(4) / 8 for name in empty.columns}
        for name in ("source", "label", "model", "settings", "version"):
            columns[name] = np.array(["neutral"] * 4, object)
        columns |= {"frame": np.arange(4), "track": np.zeros(4, int), "usable": np.ones(4, bool)}
        timeline = Timeline(columns, labels, empty.provenance)
        timeline.save(self.folder / "t.csv")
        timeline.save(self.folder / "t.json")
        Manifest(
            np.array(["a", "b"]),
            np.array(["a.png", "b.npz::3"]),
            np.array([0, 1]),
            labels,
            votes=np.ones((2, 3)),
            root=self.folder,
        ).save(self.folder / "m.csv")
        (self.folder / "own.csv").write_text("path,label,split,fold,valence\na.png,anger,train,0,0.5\nb.png,joy,,,\n")
        (self.folder / "names.csv").write_text("track,name\n0,Anna\n1,Ben\n")
        self._sidecar = (self.folder / "t.meta.json").read_bytes()
        for name in ("a.png", "b.png"):
            (self.folder / name).touch()
        self._names = ("t.csv", "t.json", "m.csv", "own.csv", "names.csv", "t.meta.json")
        self.seeds = [bytes([i]) + (self.folder / name).read_bytes() for i, name in enumerate(self._names)]

    def _tables(self, data: bytes, number: int) -> str:
        from tronie.core.manifest import Manifest
        from tronie.core.people import read_names
        from tronie.core.timeline import Timeline
        from tronie.datasets import csvfile
        from tronie.output.coder import read_spans

        which, data = (self._names[data[0] % len(self._names)], data[1:]) if data else ("t.csv", b"")
        path = self.folder / ("t.csv" if which == "t.meta.json" else which)
        (self.folder / which).write_bytes(data)
        (self.folder / "t.meta.json").write_bytes(data if which == "t.meta.json" else self._sidecar)
        readers: list[Callable[[Path], Any]] = {
            "m.csv": [Manifest.load, csvfile.read],
            "own.csv": [csvfile.read],
            "names.csv": [read_names],
        }.get(which, [lambda p: Timeline.load(p).segments(), read_spans])
        answers = []
        for read in readers:
            try:
                read(path)
                answers.append("read")
            except (SourceError, SettingError) as error:
                answers.append(shape(error))
        return " / ".join(answers)

    def _begin_settings(self) -> None:
        from tronie.train.recipe import recipes

        root = Path(__file__).parents[2] / "src" / "tronie" / "recipes"
        self.seeds = [(root / f"{name}.toml").read_bytes() for name in recipes()]

    def _settings(self, data: bytes, number: int) -> str:
        from tronie.train.recipe import read_recipe

        path = self.folder / "recipe.toml"
        path.write_bytes(data)
        read_recipe(path)
        return "read"


def sha256(data: bytes) -> bytes:
    """Hex digest of a graph, as model.json holds it."""
    return hashlib.sha256(data).hexdigest().encode()


def path_as_film(path: Path) -> Any:
    """A source that is a film whatever its bytes look like."""
    from tronie.video.sources import Source

    return Source(path, "video", "film.bin")


def said_of(timeline: Any) -> str:
    """What came of reading something without a face."""
    false = [name for name, usable in zip(timeline["label"], timeline["usable"], strict=True) if usable]
    if any(name != "uncertain" for name in false):
        return "FALSE ANSWER"
    return "read" if not timeline.warnings else f"read, warned: {shape(timeline.warnings[0])}"


def shape(error: object) -> str:
    """A sentence without what changes from file to file."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|/\S+|\d+(\.\d+)?", "#", str(error))[:120]
