"""Files that are well formed where nobody looks and hostile where it counts: damage that knows the formats.

``mutate.py`` breaks bytes and words; here fields of a graph change places, boxes of a container are spliced, values of
a document change their types, cells and elements are replaced by what no program writes, and whole folders and names
are odd. Each class makes the inputs of one kind, a string of JSON or bytes each, and reads them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from hostile_files import CLIP, INFO, films, graph, path_as_film, pictures, said_of, sha256, shape

from tronie.core.errors import SettingError, SourceError
from tronie.models.onnxfile import _MESSAGES, _fields

Rng = np.random.Generator
ODD_NAMES: list[Any] = [
    *json.loads(r"""[
    "\u001b[2J", "\u001b]0;x\u0007", "a\r\nb", "\u202egnp", "a:b", " ", "-x", "--out", "=1+1", "@x", "+1", "%d",
    "\u00e9", "e\u0301", "\ud83d\ude00", "a'b\"c", "$(touch pwned)", "`touch pwned`", "a;b", "a,b", "*", "[a]",
    "\\", "\u200b", "NUL", "con", "file:", "\udcff", "\u009b31m", "..x", "~", "#", "a\tb", "\u2028", "a|b",
    "http:"
    ]"""),
    "x" * 150,
]
ODD_VALUES: list[Any] = [
    *json.loads(r"""[
    null, true, false, 0, -1, 1, 2147483648, 9223372036854775807, 9223372036854775808, -1180591620717411303424,
    1000000000000000000000000000000, 0.5, -0.0, 1e+308, 1e-320, "", "0", "-1", "nan", "\u001b[2J", "a\nb",
    "\u202e", "\ud800", "../../secret.csv", "/etc/passwd", "\u0000", [], {}, [[]], [null],
    [0, 0, 0, 0, 0, 0, 0, 0],
    {"a": {}}, {"": 1}, "1e999", "uncertain", "neutral", "secret.csv", "secret.bin", ["x", "x", "x"]
    ]"""),
    "x" * 5000,
]
RAW_VALUES: list[Any] = [
    *json.loads(r"""[
    "1e999", "NaN", "-Infinity", "\"\\ud800\"", "{\"a\":1,\"a\":2}", "-0", "0.1e-400", "\"\\u0000\"",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
    ]"""),
    "1" + "0" * 400,
    "[" * 500 + "]" * 500,
    '{"a":' * 200 + "1" + "}" * 200,
    "1" * 5000,
]
_MARK = "@@raw@@"


def pick(rng: Rng, of: Any) -> Any:
    """One of a sequence."""
    return of[int(rng.integers(len(of)))]


def confused(value: Any, rng: Rng) -> str:
    """JSON of ``value`` with one to three of its parts replaced by something of another kind."""
    value = json.loads(json.dumps(value))
    raw = []
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(value, [value]))
        holder, key = pick(rng, places) if places else ([value], 0)
        action = rng.random()
        if action < 0.12 and isinstance(holder, dict):
            del holder[key]
        elif action < 0.24 and isinstance(holder, dict):
            holder[pick(rng, ODD_NAMES)] = holder.pop(key)
        elif action < 0.34 and isinstance(holder, list):
            holder *= int(rng.integers(0, 4))
        elif action < 0.6:
            raw.append(pick(rng, RAW_VALUES))
            holder[key] = _MARK
        elif action < 0.7:
            other, at = pick(rng, places)
            with contextlib.suppress(KeyError, IndexError):
                holder[key] = json.loads(json.dumps(other[at]))
        else:
            holder[key] = pick(rng, ODD_VALUES)
    text = json.dumps(value, ensure_ascii=bool(rng.random() < 0.5), indent=1)
    for one in raw:
        text = text.replace(f'"{_MARK}"', one, 1)
    return text.replace(f'"{_MARK}"', "0")


def _places(value: Any, holder: Any, key: Any = 0, depth: int = 0) -> Any:
    if depth:
        yield holder, key
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in list(inside)[:40]:
        yield from _places(inner, value, name, depth + 1)


class Kind:
    """Inputs of one kind: ``make`` gives one, ``read`` reads it and says what came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begin()

    def begin(self) -> None:
        """Prepare what all inputs are made from."""


class Graphs(Kind):
    """ONNX graphs whose protobuf fields are swapped, doubled, retyped and moved, with tensors that lie elsewhere."""

    def begin(self) -> None:
        """The tiny graph, and fields that point outside."""
        self.seed = graph()
        entry = _field(13, _field(1, b"location") + _field(2, b"secret.bin"))
        turned = _field(13, _field(2, b"secret.bin") + _field(1, b"location"))
        named = b"\x08\x0c\x08\x03\x10\x01" + _field(8, b"w")
        self.outside = [
            named + entry + b"\x70\x01",
            named + turned + b"\x70\x01",
            named + b"\x70\x01" + turned,
            named + turned,
            _field(8, b"w") + b"\x70\x01",
        ]

    def make(self, rng: Rng) -> bytes:
        """A changed graph."""
        data = self.seed
        for _ in range(int(rng.integers(1, 4))):
            data = self._changed("model", data, rng)
        return data if rng.random() < 0.9 else b"\x32\x06" + bytes(2) + b"ORTM" + data

    def _changed(self, message: str, data: bytes, rng: Rng) -> bytes:
        try:
            fields = list(_split(data))
        except ValueError:
            return data
        inner = [i for i, (n, v) in enumerate(fields) if isinstance(v, bytes) and _MESSAGES[message].get(n)]
        if inner and rng.random() < 0.75:
            i = pick(rng, inner)
            number, value = fields[i]
            fields[i] = (number, self._changed(_MESSAGES[message][number], value, rng))
        elif fields:
            self._damage(message, fields, rng)
        return b"".join(_joined(n, v, wide=bool(rng.random() < 0.05)) for n, v in fields)

    def _damage(self, message: str, fields: list[tuple[int, Any]], rng: Rng) -> None:
        i, j = (int(x) for x in rng.integers(len(fields), size=2))
        kind = int(rng.integers(8))
        if kind == 0:
            fields[i], fields[j] = fields[j], fields[i]
        elif kind == 1:
            fields.insert(i, fields[j])
        elif kind == 2:
            del fields[i]
        elif kind == 3:
            fields[i] = (int(pick(rng, (1, 5, 7, 13, 14, 15, 20, 25, 99, 1 << 20))), fields[i][1])
        elif kind == 4:
            fields[i] = (fields[i][0], fields[j][1])
        elif kind == 5:
            fields[i] = (fields[i][0], int(pick(rng, (0, 1, 2, 2**31, 2**63, 2**64 - 1))))
        elif kind == 6:
            fields[i] = (fields[i][0], pick(rng, (b"", b"x" * 5000, b"\xff" * 40, b"EPContext", b"Loop", b"\x1b[2J")))
        else:  # a tensor whose values lie in a neighbour, in some place that holds tensors
            tensor = pick(rng, self.outside)
            places = [n for n, what in _MESSAGES[message].items() if what in ("tensor", "sparse")] or [5]
            number = pick(rng, places)
            fields.insert(i, (number, _field(1, tensor) if _MESSAGES[message].get(number) == "sparse" else tensor))

    def read(self, data: bytes, number: int) -> str:
        """As a model folder with the right hash."""
        from tronie.models.folder import load_folder

        (self.folder / "encoder.onnx").write_bytes(data)
        info = INFO | {"graph_sha256": sha256(data).decode()}
        (self.folder / "model.json").write_text(json.dumps(info))
        model = load_folder(self.folder)
        model.predict(np.full((2, model.size, model.size, 3), 100, np.uint8))
        return "read"


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _split(data: bytes) -> Any:
    for number, value in _fields(data, 0, len(data)):
        if value is not None:
            yield number, data[slice(*value)] if isinstance(value, tuple) else value


def _joined(number: int, value: Any, *, wide: bool) -> bytes:
    if isinstance(value, bytes):
        length = _varint(len(value))
        if wide:
            length = length[:-1] + bytes([length[-1] | 0x80, 0])
        return _varint(number << 3 | 2) + length + value
    return _varint(number << 3) + _varint(value)


PROGRAM = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n(pwned.txt) (w) file dup (x) writestring closefile\n"
    b"(secret.csv) (r) file pop {} loop showpage\n%%EOF\n"
)
LISTS = (
    b"ffconcat version 1.0\nfile secret.mp4\n",
    b"#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    b"[playlist]\nFile1=secret.mp4\n",
    b"<?xml version='1.0'?><MPD><Period><BaseURL>secret.mp4</BaseURL></Period></MPD>",
    b"<svg xmlns='http://www.w3.org/2000/svg'><image href='secret.png'/></svg>",
    b"%PDF-1.4\n",
    b"SIMPLE  =  T" + b" " * 2880,
    b";FFMETADATA1\ntitle=x\n",
    b"# mkvmerge\nsecret.mp4",
    b"RIFF\x00\x00\x00\x00AVI ",
)
ENDINGS = (
    ".jpg",
    ".png",
    ".gif",
    ".tif",
    ".mp4",
    ".mkv",
    ".ts",
    ".avi",
    ".webp",
    ".avif",
    ".ico",
    ".bmp",
    ".ppm",
    ".eps",
    ".fits",
    ".wmf",
    ".bin",
    ".y4m",
    ".h264",
)


class Containers(Kind):
    """Pictures and films whose boxes, chunks and segments are moved, spliced with others, or are programs and lists."""

    def begin(self) -> None:
        """Pictures, films and an analyser."""
        from tronie.pipeline.analyser import Analyser

        made = self.folder / "made"
        made.mkdir(exist_ok=True)
        self.seeds = pictures() + films(made)
        self.analyser = Analyser()

    def make(self, rng: Rng) -> bytes:
        """A file; its first byte chooses the ending of its name."""
        data = pick(rng, self.seeds)
        kind = rng.random()
        if kind < 0.55:
            data = _respliced(data, pick(rng, self.seeds), rng)
        elif kind < 0.7:
            data = pick(rng, (PROGRAM, *LISTS))
        elif kind < 0.85:  # two formats in one
            head = pick(rng, (PROGRAM, *LISTS, pick(rng, self.seeds)[: int(rng.integers(4, 200))]))
            data = head + data if rng.random() < 0.6 else data[: int(rng.integers(4, 64))] + head + data
        else:  # an EPS with a preview in front of it, as DOS had
            head = struct.pack("<4sIIIIIIh", b"\xc5\xd0\xd3\xc6", 30, len(PROGRAM), 0, 0, 0, 0, -1)
            data = head[:30] + PROGRAM
        return bytes([int(rng.integers(len(ENDINGS)))]) + data

    def read(self, data: bytes, number: int) -> str:
        """As a file of that ending, and a picture as bytes."""
        from tronie.video.image import read_image
        from tronie.video.sources import expand

        path = self.folder / f"in{ENDINGS[data[0]]}"
        for old in self.folder.glob("in.*"):
            old.unlink()
        path.write_bytes(data[1:])
        asked = iter(range(10**9))
        told = []
        for read in (lambda: expand(path)[0], lambda: path_as_film(path), lambda: read_image(data[1:])):
            try:
                source = read()
                ended = self.analyser.analyse(source, stop=lambda: next(asked) >= 300)
                told.append(said_of(ended))
            except (SourceError, SettingError) as error:
                told.append(shape(error))
        return "FALSE ANSWER" if "FALSE ANSWER" in told else " / ".join(told)


def _respliced(data: bytes, other: bytes, rng: Rng) -> bytes:
    parts, join = _chunks(data)
    strange, _ = _chunks(other)
    if len(parts) < 2:
        return data[: int(rng.integers(len(data)))] + other[int(rng.integers(len(other))) :]
    for _ in range(int(rng.integers(1, 4))):
        i, j = (int(x) for x in rng.integers(len(parts), size=2))
        action = int(rng.integers(6))
        if action == 0:
            parts[i], parts[j] = parts[j], parts[i]
        elif action == 1:
            parts.insert(i, parts[j])
        elif action == 2 and len(parts) > 2:
            del parts[i]
        elif action == 3:
            parts[i] = pick(rng, strange)
        elif action == 4:
            parts[i] = (parts[i][0], pick(rng, strange)[1])
        else:
            name, body = parts[i]
            value = int(pick(rng, (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x8000)))
            at = int(rng.integers(max(len(body) - 3, 1)))
            parts[i] = (name, body[:at] + struct.pack(">I", value) + body[at + 4 :])
    return join(parts)


def _chunks(data: bytes) -> tuple[list[tuple[bytes, bytes]], Callable[[list[tuple[bytes, bytes]]], bytes]]:
    """Parts of PNG, JPEG, RIFF and MP4, and how they become a file again, lengths and sums put right."""
    if data.startswith(b"\x89PNG"):
        parts, at = [], 8
        while at + 8 <= len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
            at += size + 12
        return (
            parts,
            lambda ps: (
                data[:8]
                + b"".join(
                    struct.pack(">I", len(b)) + n[:4].ljust(4) + b + struct.pack(">I", zlib.crc32(n[:4].ljust(4) + b))
                    for n, b in ps
                )
            ),
        )
    if data.startswith(b"\xff\xd8"):
        parts, at = [], 2
        while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
            size = int.from_bytes(data[at + 2 : at + 4], "big")
            parts.append((data[at : at + 2], data[at + 4 : at + 2 + size]))
            at += 2 + size
        rest = data[at:]
        return (
            parts,
            lambda ps: (
                b"\xff\xd8"
                + b"".join(n[:2].ljust(2) + struct.pack(">H", min(len(b) + 2, 65535)) + b for n, b in ps)
                + rest
            ),
        )
    little = data.startswith(b"RIFF")
    if little or data[4:8] in (b"ftyp", b"jP  "):
        parts, at = [], 12 if little else 0
        while at + 8 <= len(data):
            head = data[at : at + 8]
            name, size = (
                (head[:4], int.from_bytes(head[4:], "little") + 8)
                if little
                else (head[4:], int.from_bytes(head[:4], "big"))
            )
            size = max(size, 8)
            parts.append((name, data[at + 8 : at + size]))
            at += size + (size % 2 if little else 0)
        if little:
            return parts, lambda ps: _riff(data[8:12], ps)
        return parts, lambda ps: b"".join(struct.pack(">I", len(b) + 8) + n[:4].ljust(4) + b for n, b in ps)
    step = max(len(data) // 12, 1)
    return [(b"", data[i : i + step]) for i in range(0, len(data), step)], lambda ps: b"".join(b for _, b in ps)


def _riff(kind: bytes, parts: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(n[:4].ljust(4) + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for n, b in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + kind + body


class Documents(Kind):
    """JSON whose values have other types: model.json, a table's sidecar, a whole table, notes of prepared data."""

    def begin(self) -> None:
        """One of each."""
        self.graph = graph()
        (self.folder / "encoder.onnx").write_bytes(self.graph)
        info = INFO | {"graph_sha256": sha256(self.graph).decode()}
        video = info | {"segments": None, "clip": CLIP | {"graph_sha256": sha256(self.graph).decode()}}
        timeline = table()
        timeline.save(self.folder / "t.csv")
        timeline.save(self.folder / "t.json")
        sidecar, whole = (json.loads((self.folder / n).read_text()) for n in ("t.meta.json", "t.json"))
        judged = {
            "name": "m",
            "model": "m",
            "hash": "0",
            "temperature": 1.0,
            "calibrated": "x",
            "warnings": ["w"],
            "data": {
                "d": {
                    "rows": 3,
                    "scores": {"war": [0.5, 0.4, 0.6]},
                    "labels": ["a", "b"],
                    "confusion": [[1, 0], [0, 2]],
                }
            },
        }
        self.seeds = [
            ("model.json", info),
            ("model.json", video),
            ("t.meta.json", sidecar),
            ("t.json", whole),
            ("prepared.json", {"unread": [["a", "b"]], "missed": ["c"], "cut": "aligned", "size": 112}),
            ("evaluation.json", judged),
        ]

    def make(self, rng: Rng) -> bytes:
        """The file's name, then its content."""
        name, value = pick(rng, self.seeds)
        return f"{name}\n{confused(value, rng)}".encode("utf-8", "surrogatepass")

    def read(self, data: bytes, number: int) -> str:
        """With the reader of that name."""
        from tronie.core.timeline import Timeline
        from tronie.data.prepared import read_note
        from tronie.models.folder import load_folder
        from tronie.train.evaluate import write_page

        head, _, body = data.partition(b"\n")
        name = head.decode()
        (self.folder / name).write_bytes(body)
        if name == "model.json":
            model = load_folder(self.folder)
            model.predict(np.full((2, model.size, model.size, 3), 100, np.uint8))
        elif name == "prepared.json":
            read_note(self.folder)
        elif name == "evaluation.json":
            write_page(self.folder)
        else:
            every(Timeline.load(self.folder / ("t.csv" if name == "t.meta.json" else name)), self.folder)
        return f"read {name}"


def table() -> Any:
    """A small timeline of one film."""
    from tronie.core.labels import LabelSet
    from tronie.core.timeline import Looked, Provenance, Timeline

    labels = LabelSet(("anger", "happiness", "neutral"))
    empty = Timeline.empty(labels, Provenance("m", "0" * 12, {"fps": None}, "1" * 12, "0.1.0"))
    n = 6
    columns: dict[str, Any] = {name: np.arange(n) / 8 for name in empty.columns}
    for name, value in (("source", "film.mp4"), ("model", "0" * 12), ("settings", "1" * 12), ("version", "0.1.0")):
        columns[name] = np.array([value] * n, object)
    columns |= {
        "label": np.array(["anger", "anger", "neutral"] * 2, object),
        "frame": np.arange(n),
        "time": np.arange(n) / 5,
        "duration": np.full(n, 0.2),
        "track": np.zeros(n, int),
        "usable": np.ones(n, bool),
    }
    with contextlib.suppress(TypeError):  # the fields of Looked are those of the version at hand
        looked = (Looked("film.mp4", "video", 0.0, 1.2, n, ()),)
        return Timeline(columns, labels, empty.provenance, looked)
    return Timeline(columns, labels, empty.provenance)


def every(timeline: Any, folder: Path) -> None:
    """Segments of a table, written in each format."""
    from tronie.output.export import ENDINGS as FORMATS
    from tronie.output.export import export
    from tronie.output.text import pictures_text

    timeline.segments()
    for ending in FORMATS:
        with contextlib.suppress(SettingError):  # photos, several films
            export(timeline, folder / f"out{ending}")
    if timeline.looked:
        pictures_text([timeline])


CELLS: list[Any] = [
    *json.loads(r"""[
    "", " ", "-1", "1e999", "nan", "inf", "9999999999999999999", "0x10", "1_000", "1,5", "12:00:00", "10:00:00:12",
    "'", "\"", "\u0000", "\u001b[2J", "a\nb", "=cmd|' /C calc'!A0", "@SUM(A1)", "uncertain", "Happy", " neutral ",
    "\u0663", "\u00bd", "\uff11\uff12", "1e9", "1e300", "TRUE", "true ", "../../secret.csv", "/etc/passwd",
    "C:\\x", "b.npz::99999999999999999999", "\ud800", "-0", "None"
    ]"""),
    "1" * 400,
    "x" * 5000,
]


class Sheets(Kind):
    """Tables with odd cells, columns and encodings, in every place where a person gives one."""

    def begin(self) -> None:
        """One of each table."""
        from tronie.core.manifest import Manifest

        timeline = table()
        timeline.save(self.folder / "t.csv")
        every(timeline, self.folder)
        Manifest(
            np.array(["a", "b"]),
            np.array(["a.png", "b.png"]),
            np.array([0, 1]),
            timeline.labels,
            votes=np.ones((2, 3)),
            root=self.folder,
        ).save(self.folder / "m.csv")
        (self.folder / "own.csv").write_text("path,label,split,fold,valence\na.png,anger,train,0,0.5\nb.png,joy,,,\n")
        (self.folder / "names.csv").write_text("track,name,source\n0,Anna,film.mp4\n")
        (self.folder / "coder.csv").write_text("start,end,label,tier\n0,0.5,anger,A\n0.5,1.2,neutral,A\n")
        for name in ("a.png", "b.png"):
            (self.folder / name).touch()
        self.names = ("t.csv", "out.csv", "m.csv", "own.csv", "names.csv", "coder.csv")
        self.seeds = {name: (self.folder / name).read_text(encoding="utf-8") for name in self.names}
        shutil.copy(self.folder / "t.csv", self.folder / "whole.csv")
        shutil.copy(self.folder / "t.meta.json", self.folder / "whole.meta.json")

    def make(self, rng: Rng) -> bytes:
        """The table's name, then its bytes."""
        name = pick(rng, self.names)
        lines = [line.split(",") for line in self.seeds[name].splitlines()]
        first = int(lines[0][0].startswith("# "))
        for _ in range(int(rng.integers(1, 5))):
            row = lines[int(rng.integers(first, len(lines)))]
            column = int(rng.integers(len(row)))
            action = int(rng.integers(8))
            if action < 4:
                row[column] = str(pick(rng, CELLS))
            elif action == 4:
                row.insert(column, str(pick(rng, CELLS)))
            elif action == 5 and len(row) > 1:
                del row[column]
            elif action == 6:
                lines.insert(first + 1, list(row))
            else:
                for other in lines[first:]:
                    other[column : column + 1] = other[column : column + 1] * int(pick(rng, (0, 2, 300)))
        comma = pick(rng, (",", ",", ",", ";", "\t", "|"))
        text = pick(rng, ("\n", "\n", "\r\n", "\r")).join(comma.join(line) for line in lines)
        text = "\ufeff" * int(rng.random() < 0.1) + text + pick(rng, ("\n", "", "\n\n\n", "\x1a", ",,,\n"))
        code = pick(rng, ("utf-8", "utf-8", "utf-8", "utf-16", "latin-1", "utf-16-be", "cp1252"))
        return name.encode() + b"\n" + text.encode(code, "surrogatepass" if code.startswith("utf") else "replace")

    def read(self, data: bytes, number: int) -> str:
        """With every reader that takes such a table."""
        from tronie.core.manifest import Manifest
        from tronie.core.people import who_is_who
        from tronie.core.timeline import Timeline
        from tronie.datasets import csvfile
        from tronie.output.coder import read_spans
        from tronie.study.compare import compare, compared_text

        head, _, body = data.partition(b"\n")
        path = self.folder / head.decode()
        path.write_bytes(body)
        whole = self.folder / "whole.csv"
        readers: dict[str, tuple[Callable[[], Any], ...]] = {
            "m.csv": (lambda: Manifest.load(path), lambda: csvfile.read(path)),
            "own.csv": (lambda: csvfile.read(path),),
            "names.csv": (lambda: who_is_who(Timeline.load(whole), names=path),),
            "t.csv": (lambda: every(Timeline.load(path), self.folder / "made"),),
        }
        coded = (lambda: read_spans(path), lambda: compared_text(compare(whole, path)))
        told = []
        for read in readers.get(path.name, coded):
            try:
                read()
                told.append("read")
            except (SourceError, SettingError) as error:
                told.append(shape(error))
        return " / ".join(told)


class Coders(Kind):
    """ELAN's and Praat's files with elements, references, times and encodings that no program writes."""

    ODD: ClassVar = (
        "<x/>",
        "<TIER/>",
        '<TIME_SLOT TIME_SLOT_ID="ts1"/>',
        "<!-- -- -->",
        "<![CDATA[x]]>",
        "<?php x ?>",
        "&#0;",
        "&lt;",
        "&x;",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'secret.csv'>]>",
        "<!ENTITY x 'y'>",
        "<a>" * 200,
        "\x00",
        "]]>",
        "<ANNOTATION/>",
        '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a1" ANNOTATION_REF="a1"/></ANNOTATION>',
        '<MEDIA_DESCRIPTOR MEDIA_URL="http://127.0.0.1:9/x" TIME_ORIGIN="1e400"/>',
    )

    def begin(self) -> None:
        """One of each, as Tronie writes them."""
        every(table(), self.folder)
        table().save(self.folder / "whole.csv")
        self.seeds = {e: (self.folder / f"out{e}").read_text(encoding="utf-8") for e in (".eaf", ".TextGrid", ".vtt")}

    def make(self, rng: Rng) -> bytes:
        """The ending, then the file."""
        ending = pick(rng, (".eaf", ".eaf", ".TextGrid", ".vtt"))
        pieces = re.findall(
            r"<[^>]*>|[^<\n]+|\n" if ending == ".eaf" else r"\"[^\"]*\"|[^\s\"]+|\s+", self.seeds[ending]
        )
        for _ in range(int(rng.integers(1, 6))):
            i, j = (int(x) for x in rng.integers(len(pieces), size=2))
            action = int(rng.integers(7))
            if action == 0:
                pieces[i], pieces[j] = pieces[j], pieces[i]
            elif action == 1:
                del pieces[i]
            elif action == 2:
                pieces.insert(i, pieces[j])
            elif action == 3:
                pieces.insert(i, pick(rng, self.ODD))
            elif action == 4:
                pieces[i] = re.sub(
                    r'"[^"]*"', lambda m: f'"{pick(rng, CELLS)}"', pieces[i], count=int(rng.integers(0, 3))
                )
            elif action == 5:
                pieces[i] = re.sub(r"-?\d+(\.\d+)?", lambda m: str(pick(rng, CELLS)), pieces[i], count=1)
            else:
                pieces[i] *= int(pick(rng, (0, 2, 3000)))
        text = "".join(pieces)
        code = pick(rng, ("utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "latin-1", "utf-8-sig"))
        return ending.encode() + b"\n" + text.encode(code, "surrogatepass" if code.startswith("utf") else "replace")

    def read(self, data: bytes, number: int) -> str:
        """As a coder's file, and compared with a table."""
        from tronie.output.coder import read_spans
        from tronie.study.compare import compare, compared_text

        head, _, body = data.partition(b"\n")
        path = self.folder / f"coder{head.decode()}"
        path.write_bytes(body)
        told = []
        for read in (lambda: read_spans(path), lambda: compared_text(compare(self.folder / "whole.csv", path))):
            try:
                read()
                told.append("read")
            except (SourceError, SettingError) as error:
                told.append(shape(error))
        return " / ".join(told)


class Arrays(Kind):
    """NumPy's files with odd headers in archives with odd directories."""

    HEADERS: ClassVar = (
        "|u1",
        "<f4",
        "O",
        "|O",
        "<U9",
        "|V0",
        ">i8",
        "M8[ns]",
        "<c16",
        [("a", "O")],
        [("a", "<f4"), ("b", "<i2")],
        "x",
        None,
        5,
        "<U999999999",
        "|S0",
        "<f2",
        ["<f4"],
    )
    SHAPES: ClassVar = (
        (3,),
        (0,),
        (),
        (1 << 40,),
        (1 << 62, 4),
        (-1,),
        (10**30,),
        (2, 3),
        (1,) * 70,
        "x",
        None,
        [3],
        (3.0,),
        (True,),
    )

    def make(self, rng: Rng) -> bytes:
        """An .npz, or now and then the .npy alone."""
        arrays = [self._array(rng) for _ in range(4)]
        if rng.random() < 0.25:
            return b"Y" + arrays[0]
        out = io.BytesIO()
        method = int(pick(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)))
        import warnings

        with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, array in zip(
                pick(rng, (("blob", "offsets"), ("id", "probability", "labels"), ("delta", "delta"), ("../x", "blob"))),
                arrays,
                strict=False,
            ):
                archive.writestr(f"{name}.npy", array)
        data = bytearray(out.getvalue())
        central = data.rfind(b"PK\x01\x02")
        for _ in range(int(rng.integers(0, 3))):
            at = central + int(pick(rng, (8, 10, 16, 20, 24, 28, 30, 42)))
            data[at : at + 4] = struct.pack("<I", int(pick(rng, (0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 8, 14))))
        return b"Z" + bytes(data)

    def _array(self, rng: Rng) -> bytes:
        header: Any = {
            "descr": pick(rng, self.HEADERS),
            "fortran_order": pick(rng, (False, True, 0, "x")),
            "shape": pick(rng, self.SHAPES),
        }
        if rng.random() < 0.3:
            good = pick(rng, (np.arange(4), np.ones((2, 3), np.float32), np.array(["a", "b"]), np.zeros(99, np.uint8)))
            out = io.BytesIO()
            np.save(out, good)
            return out.getvalue()
        text = repr(header)
        if rng.random() < 0.2:
            text = pick(
                rng,
                ("[" * 3000, "__import__('os').system('touch pwned')", "{}", "{'descr': 1}", text[:-3], text * 2, ""),
            )
        body = text.encode() + b" " * 8 + b"\n"
        return (
            b"\x93NUMPY"
            + bytes([int(pick(rng, (1, 1, 1, 2, 3, 9))), 0])
            + struct.pack("<H", len(body))
            + body
            + rng.bytes(int(rng.integers(0, 64)))
        )

    def read(self, data: bytes, number: int) -> str:
        """Through every reader of such a file."""
        from tronie.audit.probabilities import read_probabilities
        from tronie.core.arrays import npz_names, read_npy, read_npz
        from tronie.core.labels import LabelSet
        from tronie.datasets.pack import load

        path = self.folder / ("a.npz" if data[:1] == b"Z" else "a.npy")
        path.write_bytes(data[1:])
        labels, told = LabelSet(("a", "b", "c")), []
        readers: tuple[Callable[[], Any], ...] = (
            lambda: read_npz(path),
            lambda: npz_names(path),
            lambda: load(path, ("blob", "offsets")),
            lambda: read_probabilities([path], np.array(["a", "b"]), labels),
        )
        for read in readers if data[:1] == b"Z" else (lambda: read_npy(path), lambda: read_npy(path, mapped=True)):
            try:
                read()
                told.append("read")
            except (SourceError, ValueError, OSError) as error:
                told.append(shape(error))
        return " / ".join(told)


class Command(Kind):
    """What runs the whole command: the exit code is a documented one, and nothing printed moves a terminal."""

    CODES: ClassVar = {0, 2, 3, 4, 5, 6}

    def command(self, *arguments: str) -> str:
        """Run it here; returns its exit code and the shape of its last word."""
        from tronie import cli

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(list(arguments))
        words = out.getvalue() + err.getvalue()
        if code not in self.CODES or "bug in Tronie" in words or "Traceback" in words:
            raise AssertionError(f"exit code {code}: {words[-300:]}")
        if raw := re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\ud800-\udfff]", words):
            raise AssertionError(f"{raw[0]!r} reached the terminal: {arguments}")
        shown = "" if "--json" in arguments else out.getvalue()
        false = [line for line in shown.splitlines() if re.search(r"\b(happiness|anger|sadness)\b", line)]
        last = err.getvalue().strip().splitlines()[-1:] or [""]
        return "FALSE ANSWER" if false else f"{'read' if code == 0 else 'refused'} {code} {shape(last[0])}"


class Names(Command):
    """Pictures and films under odd names in folders with odd names, and outputs of odd names."""

    def begin(self) -> None:
        """A picture and a film."""
        made = self.folder / "made"
        made.mkdir(exist_ok=True)
        self.picture, self.film = pictures()[3], films(made)[0]

    def make(self, rng: Rng) -> bytes:
        """The names, as JSON."""
        parts = [str(pick(rng, ODD_NAMES)) + str(pick(rng, ("", "", *ODD_NAMES))) for _ in range(3)]
        ending = str(pick(rng, (".png", ".png", ".mp4", ".PNG", ".csv")))
        out = str(pick(rng, ("", "t.csv", "t.json", "many/", parts[2] + ".csv", parts[2] + "/", "--json")))
        return json.dumps([*parts, ending, out, bool(rng.random() < 0.5)]).encode()

    def read(self, data: bytes, number: int) -> str:
        """Predict, and segments of what was made."""
        folder, name, _, ending, out, whole = json.loads(data)
        home = self.folder / "names"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        os.chdir(home)
        try:
            place = Path(f"./d{folder}")
            place.mkdir()
            file = place / f"{name}{ending}"
            file.write_bytes(self.film if ending == ".mp4" else self.picture)
        except (OSError, ValueError):
            return "refused: no name of a file here"
        where = "" if out in ("", "--json") else out if out[:1] in "tm" else f"./o{out}"
        more = ["--json"] if out == "--json" else ["--out", where] if where else []
        told = self.command("predict", f"./{place if whole else file}", *more)
        if where.endswith(".csv") and Path(where).is_file():
            told += " / " + self.command("segments", where, "--out", "./s.csv")
        return told


class Archives(Command):
    """A folder of results that was edited, moved, cut short and planted with odd files, and then gone on with."""

    def begin(self) -> None:
        """A small archive, read once."""
        made = self.folder / "made"
        made.mkdir(exist_ok=True)
        self.sources = self.folder / "sources"
        self.sources.mkdir()
        (self.sources / "a.png").write_bytes(pictures()[3])
        (self.sources / "b.mp4").write_bytes(films(made)[0])
        self.command("predict", str(self.sources), "--out", f"{self.folder / 'done'}/")

    def make(self, rng: Rng) -> bytes:
        """What is done to it, as JSON: some of file, action, argument."""
        files = sorted(
            p.relative_to(self.folder / "done").as_posix() for p in (self.folder / "done").rglob("*") if p.is_file()
        )
        acts = (
            "cut",
            "empty",
            "gone",
            "folder",
            "pipe",
            "link",
            "loop",
            "confuse",
            "confuse",
            "confuse",
            "swap",
            "cell",
            "bytes",
            "name",
        )
        return json.dumps(
            [[pick(rng, files), pick(rng, acts), int(rng.integers(2**31))] for _ in range(int(rng.integers(1, 4)))]
        ).encode()

    def read(self, data: bytes, number: int) -> str:
        """Go on with it."""
        home = self.folder / "archive"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.folder / "done", home)
        os.chdir(self.folder)
        for name, action, seed in json.loads(data):
            with contextlib.suppress(OSError, ValueError):  # an action before has left nothing to confuse
                self._act(home / name, action, np.random.default_rng(seed))
        more = ["--no-resume"] if number % 7 == 0 else []
        return self.command("predict", str(self.sources), "--out", f"{home}/", *more)

    def _act(self, path: Path, action: str, rng: Rng) -> None:
        if path.is_symlink() or not path.is_file():  # an action before this one made it something else
            return
        whole = path.read_bytes()
        if action in ("gone", "folder", "pipe", "link", "loop"):
            path.unlink()
        if action == "folder":
            path.mkdir()
        elif action == "pipe":
            os.mkfifo(path)
        elif action == "link":
            path.symlink_to(self.folder.parent / "private" / "secret.csv")
        elif action == "loop":
            path.symlink_to(path)
        elif action == "cut":
            path.write_bytes(whole[: int(rng.integers(len(whole) + 1))])
        elif action == "empty":
            path.write_bytes(b"")
        elif action == "bytes":
            path.write_bytes(rng.bytes(64))
        elif action == "swap":
            path.write_bytes(pick(rng, [p for p in sorted(path.parent.rglob("*")) if p.is_file()]).read_bytes())
        elif action == "name":
            (path.parent / f"x{pick(rng, ODD_NAMES).replace('/', '')}.csv").write_bytes(whole)
        elif action == "cell":
            lines = whole.decode("utf-8", "replace").splitlines()
            row = pick(rng, lines or [""]).split(",")
            row[int(rng.integers(len(row)))] = str(pick(rng, CELLS))
            path.write_bytes("\n".join([*lines, ",".join(row), ""]).encode("utf-8", "surrogatepass"))
        elif action == "confuse":
            if path.suffix == ".jsonl":
                lines = whole.decode("utf-8", "replace").splitlines()
                at = int(rng.integers(len(lines)))
                lines[at] = " ".join(confused(json.loads(lines[at]), rng).split("\n"))
                path.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogatepass"))
            elif path.suffix == ".json":
                path.write_bytes(confused(json.loads(whole), rng).encode("utf-8", "surrogatepass"))


KINDS: dict[str, type[Any]] = {
    "graphs": Graphs,
    "containers": Containers,
    "documents": Documents,
    "sheets": Sheets,
    "coders": Coders,
    "arrays": Arrays,
    "names": Names,
    "archives": Archives,
}
