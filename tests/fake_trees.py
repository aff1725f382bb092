"""Data sets in their official layouts, with drawn pictures of nobody.

Each function writes one below a folder and returns what its reader must find: ``{id: (label or "", split)}``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

Rows = dict[str, tuple[str, str]]

RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
VOTED = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
FER = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
AFFECT = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
CK = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")


def drawn(seed: int, height: int, width: int) -> np.ndarray:
    """A picture of its own: smooth blobs, so that JPEG keeps it and no two are alike."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def draw(path: Path, seed: int, height: int = 100, width: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), drawn(seed, height, width or height))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def rafdb(root: Path) -> Rows:
    rows: Rows = {}
    listed = []
    for split, number in (("train", 9), ("test", 5)):
        for i in range(1, number + 1):
            code = i % 7 + 1
            listed.append(f"{split}_{i:05d}.jpg {code}")
            draw(root / f"basic/Image/aligned/{split}_{i:05d}_aligned.jpg", 100 * number + i)
            draw(root / f"basic/Image/original/{split}_{i:05d}.jpg", 100 * number + i, 130, 170)
            rows[f"rafdb/{split}_{i:05d}"] = (RAF[code - 1], split)
    write(root / "basic/EmoLabel/list_patition_label.txt", "\n".join(listed) + "\n")
    return rows


def rafdb_compound(root: Path) -> Rows:
    names = {1: "happily surprised", 8: "fearfully surprised", 11: "disgustedly surprised"}
    rows: Rows = {}
    listed = []
    for i, (split, code) in enumerate([("train", 1), ("train", 8), ("test", 11)], 1):
        listed.append(f"{split}_{i:04d}.jpg {code}")
        draw(root / f"compound/Image/aligned/{split}_{i:04d}_aligned.jpg", i)
        rows[f"rafdb-compound/{split}_{i:04d}"] = (names[code], split)
    write(root / "compound/EmoLabel/list_patition_label.txt", "\r\n".join(listed))
    return rows


def rafdb_pack(root: Path) -> Rows:
    root.mkdir(parents=True, exist_ok=True)
    pictures = [cv2.imencode(".jpg", drawn(i, 100, 100))[1].ravel() for i in range(4)]
    name = np.array([f"train_{i + 1:05d}" for i in range(4)])
    np.savez(root / "rafdb_train.npz", blob=np.concatenate(pictures), label=np.array([4, 0, 6, 3], np.uint8), name=name,
             offsets=np.cumsum([0, *map(len, pictures)]), label_names=np.array(RAF))  # fmt: skip
    return {f"rafdb/{n}": (RAF[c], "train") for n, c in zip(name.tolist(), (4, 0, 6, 3), strict=True)}


# FER2013's label, ten votes, and what the paper's majority rule makes of them ("" for none). Usage is dealt in turn.
FACES: list[tuple[str, tuple[int, ...], str]] = [
    ("happiness", (0, 10, 0, 0, 0, 0, 0, 0, 0, 0), "happiness"),
    ("anger", (4, 0, 0, 1, 3, 2, 0, 0, 0, 0), ""),  # 4 of the 9 that are left
    ("fear", (1, 0, 1, 1, 0, 0, 6, 1, 0, 0), "fear"),  # four slips dropped
    ("sadness", (0, 0, 0, 3, 0, 0, 0, 0, 7, 0), ""),  # mostly unknown
    ("disgust", (0, 0, 0, 0, 0, 2, 0, 8, 0, 0), "contempt"),
    ("neutral", (0, 0, 0, 0, 0, 0, 0, 0, 0, 10), ""),  # not a face: it has no name in the list
    ("surprise", (0, 0, 5, 0, 0, 0, 5, 0, 0, 0), ""),  # one against the other
    ("anger", (0, 0, 0, 0, 9, 1, 0, 0, 0, 0), "anger"),
    ("neutral", (6, 0, 0, 4, 0, 0, 0, 0, 0, 0), "neutral"),
]
USAGE = (("Training", "train"), ("PublicTest", "valid"), ("PrivateTest", "test"))


def _named(i: int) -> str:
    return "" if FACES[i][1][9] == 10 else f"fer{i:07d}.png"


def fer2013_csv(root: Path) -> Rows:
    root.mkdir(parents=True, exist_ok=True)
    rows: Rows = {}
    with (root / "fer2013.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["emotion", "pixels", "Usage"])
        for i, (label, _, _) in enumerate(FACES):
            grey = cv2.cvtColor(drawn(i, 48, 48), cv2.COLOR_BGR2GRAY)
            out.writerow([FER.index(label), " ".join(map(str, grey.ravel())), USAGE[i % 3][0]])
            rows[f"fer2013/row{i:05d}"] = (label, USAGE[i % 3][1])
    return rows


def ferplus_csv(root: Path) -> Rows:
    fer2013_csv(root)
    with (root / "fer2013new.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["Usage", "Image name", *VOTED])
        for i, (_, votes, _) in enumerate(FACES):
            out.writerow([USAGE[i % 3][0], _named(i), *votes])
    return {f"fer2013/fer{i:07d}": (label, USAGE[i % 3][1]) for i, (_, _, label) in enumerate(FACES) if label}


def ferplus_folders(root: Path, box: bool = True) -> Rows:
    for number, folder in enumerate(("FER2013Train", "FER2013Valid", "FER2013Test")):
        lines = []
        for i, (_, votes, _) in enumerate(FACES):
            if i % 3 == number and _named(i):
                draw(root / folder / _named(i), i, 48)
                between = '"(0, 0, 48, 48)",' if box else ""
                lines.append(f"{_named(i)},{between}{','.join(map(str, votes))}")
        write(root / folder / "label.csv", "\n".join(lines) + "\n")
    return {f"fer2013/fer{i:07d}": (label, USAGE[i % 3][1]) for i, (_, _, label) in enumerate(FACES) if label}


def ferplus_pack(root: Path) -> Rows:
    root.mkdir(parents=True, exist_ok=True)
    pictures = [cv2.imencode(".webp", drawn(i, 48, 48))[1].ravel() for i in range(len(FACES))]
    votes = np.array([v if v[9] < 10 else (-1,) * 10 for _, v, _ in FACES], np.int8)
    words = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    np.savez(root / "fer2013_ferplus_train_valid.npz", blob=np.concatenate(pictures), ferplus_votes=votes,
             offsets=np.cumsum([0, *map(len, pictures)]), split=np.array([USAGE[i % 2][1] for i in range(len(FACES))]),
             fer2013_label=np.array([FER.index(f) for f, _, _ in FACES], np.uint8), fer2013_names=np.array(words),
             dup_group=np.array([0, 1, 2, 3, 4, 5, 6, 7, 7], np.int32), vote_names=np.array(VOTED))  # fmt: skip
    return {f"fer2013/pack{i:05d}": (label, USAGE[i % 2][1]) for i, (_, _, label) in enumerate(FACES) if label}


def affectnet_csv(root: Path) -> Rows:
    rows: Rows = {}
    head = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for listing, split, codes in (("training.csv", "train", range(11)), ("validation.csv", "test", range(8))):
        lines = [head] if split == "train" else []  # a copy without the names
        for code in codes:
            picture = f"{code}/{split}{code}.jpg"
            draw(root / "Manually_Annotated_Images" / picture, 20 * len(codes) + code, 90 + code)
            affect = "0.25,-0.5" if code < 8 else "-2,-2"
            lines.append(f"{picture},1,2,80,80,10.5;20.25;30,{code},{affect}")
            if code < 8:
                rows[f"affectnet/Manually_Annotated_Images/{code}/{split}{code}"] = (AFFECT[code], split)
        write(root / listing, "\n".join(lines) + "\n")
    return rows


def affectnet_npy(root: Path) -> Rows:
    rows: Rows = {}
    for folder, split in (("train_set", "train"), ("val_set", "test")):
        for code in range(8):
            name = str(code * 7 + (split == "test"))
            draw(root / folder / "images" / f"{name}.jpg", 50 * len(folder) + code, 224)
            (root / folder / "annotations").mkdir(exist_ok=True)
            for kind, value in (("exp", str(code)), ("val", "0.25"), ("aro", "-0.5"), ("lnd", "1.0")):
                np.save(root / folder / "annotations" / f"{name}_{kind}.npy", np.array(value))
            rows[f"affectnet/{folder}/images/{name}"] = (AFFECT[code], split)
    return rows


# Subject, sequence, number of frames, code of the Emotion file (None: there is none), lines of the FACS file.
SEQUENCES = [("S005", "001", 6, 3, ((9, 4), (17, 0))), ("S010", "002", 5, 7, ((1, 3), (2, 3), (25, 2))),
             ("S010", "004", 4, 2, ((14, 2),)), ("S999", "001", 5, None, ((4, 1),))]  # fmt: skip


def ckplus_tree(root: Path, sequences: Sequence[tuple] = SEQUENCES) -> None:
    for subject, sequence, number, code, units in sequences:
        seed = 100 * int(subject[1:] + sequence)
        where, stem = f"{subject}/{sequence}", f"{subject}_{sequence}_"
        for frame in range(1, number + 1):
            draw(root / f"cohn-kanade-images/{where}/{stem}{frame:08d}.png", seed + frame, 49, 64)
            points = "\n".join(f"   {3.5 * i:.7e}   {frame:.7e}" for i in range(68))
            write(root / f"Landmarks/{where}/{stem}{frame:08d}_landmarks.txt", points + "\n")
        write(root / f"cohn-kanade-images/{where}/.DS_Store", "")
        (root / f"Emotion/{where}").mkdir(parents=True)
        if code is not None:
            write(root / f"Emotion/{where}/{stem}{number:08d}_emotion.txt", f"   {code:.7e}\n")
        facs = "".join(f"   {unit:.7e}   {intensity:.7e}\n" for unit, intensity in units)
        write(root / f"FACS/{where}/{stem}{number:08d}_facs.txt", facs)


def ckplus(root: Path) -> Rows:
    ckplus_tree(root)
    rows: Rows = {}
    for subject, sequence, number, code, _ in SEQUENCES:
        if code is not None:
            for frame in (1, *range(number - 2, number + 1)):
                rows[f"ckplus/{subject}_{sequence}_{frame:08d}"] = ("neutral" if frame == 1 else CK[code], "")
    return rows


def ckplus_sequences(root: Path) -> Rows:
    ckplus_tree(root)
    return {f"ckplus/{s}_{q}": (CK[code], "") for s, q, _, code, _ in SEQUENCES if code is not None}


def jaffe(root: Path) -> Rows:
    rows: Rows = {}
    names = {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral", "SA": "sadness"}
    for number, (subject, code) in enumerate((s, c) for s in ("KA", "YM", "KL") for c in names):
        draw(root / f"jaffe/{subject}.{code}1.{number}.tiff", number, 256)
        rows[f"jaffe/{subject}.{code}1.{number}"] = (names[code], "")
    write(root / "jaffe/README", "The photos.")
    return rows


def folder(root: Path) -> Rows:
    rows: Rows = {}
    for number, (part, split) in enumerate((("train", "train"), ("val", "valid"))):
        for other, label in enumerate(("happy", "grumpy")):
            for i in range(3):
                draw(root / part / label / f"{i}.png", 100 * number + 10 * other + i, 40)
                rows[f"{part}/{label}/{i}"] = (label, split)
        write(root / part / "happy" / "notes.txt", "Not a picture.")
    (root / "train" / ".ipynb_checkpoints").mkdir()
    return rows


def csvfile(root: Path) -> Rows:
    lines = ["path,label,split,subject,votes_sad,votes_happy,au_12,valence"]
    for i, label in enumerate(("happy", "sad", "")):
        draw(root / f"faces/{i}.png", i, 40)
        lines.append(f"faces/{i}.png,{label},Val,anna,{i},{3 - i},{0.5 if i else ''},{i / 4}")
    write(root / "table.csv", "\n".join(lines) + "\n")
    return {"faces/0": ("happy", "valid"), "faces/1": ("sad", "valid"), "faces/2": ("", "valid")}


def _seven(rows: Rows) -> Rows:
    return {i: row for i, row in rows.items() if row[0] != "contempt"}


FAKES: dict[str, dict[str, Callable[[Path], Rows]]] = {
    "rafdb": {"official": rafdb, "pack": rafdb_pack},
    "rafdb-compound": {"official": rafdb_compound},
    "ferplus": {"tables": ferplus_csv, "folders": ferplus_folders, "pack": ferplus_pack},
    "ferplus7": {"tables": lambda root: _seven(ferplus_csv(root)), "pack": lambda root: _seven(ferplus_pack(root))},
    "fer2013": {"table": fer2013_csv},
    "affectnet8": {"csv": affectnet_csv, "npy": affectnet_npy},
    "affectnet7": {"csv": lambda root: _seven(affectnet_csv(root)), "npy": lambda root: _seven(affectnet_npy(root))},
    "ckplus": {"official": ckplus},
    "ckplus-sequences": {"official": ckplus_sequences},
    "jaffe": {"official": jaffe},
    "folder": {"parts": folder},
    "csv": {"table": csvfile},
}
"""Every registered data set in every layout its reader knows."""
