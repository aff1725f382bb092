"""Data sets in their official layouts, with drawn pictures of nobody.

Each function writes one below a folder and returns what its reader must find: ``{id: (label or "", split)}``.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import av
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


def film(path: Path, seed: int, frames: int = 4, height: int = 48, width: int = 64) -> None:
    """A film of one drawn picture that grows brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream({".avi": "mjpeg", ".flv": "flv"}.get(path.suffix, "mpeg4"), rate=25)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if path.suffix == ".avi" else "yuv420p"
        for i in range(frames):
            image = np.clip(drawn(seed, height, width).astype(int) + 8 * i, 0, 255).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        out.mux(stream.encode())


def frames(folder: Path, seed: int, number: int = 12, side: int = 64) -> None:
    """A folder of frames whose names sort by number only."""
    for i in range(1, number + 1):
        draw(folder / f"{i}.jpg", 1000 * seed + i, side)


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
    np.savez(
        root / "rafdb_train.npz",
        blob=np.concatenate(pictures),
        label=np.array([4, 0, 6, 3], np.uint8),
        name=name,
        offsets=np.cumsum([0, *map(len, pictures)]),
        label_names=np.array(RAF),
    )
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
    np.savez(
        root / "fer2013_ferplus_train_valid.npz",
        blob=np.concatenate(pictures),
        ferplus_votes=votes,
        offsets=np.cumsum([0, *map(len, pictures)]),
        split=np.array([USAGE[i % 2][1] for i in range(len(FACES))]),
        fer2013_label=np.array([FER.index(f) for f, _, _ in FACES], np.uint8),
        fer2013_names=np.array(words),
        dup_group=np.array([0, 1, 2, 3, 4, 5, 6, 7, 7], np.int32),
        vote_names=np.array(VOTED),
    )
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
SEQUENCES = [
    ("S005", "001", 6, 3, ((9, 4), (17, 0))),
    ("S010", "002", 5, 7, ((1, 3), (2, 3), (25, 2))),
    ("S010", "004", 4, 2, ((14, 2),)),
    ("S999", "001", 5, None, ((4, 1),)),
]


def ckplus_tree(root: Path, sequences: Sequence[tuple] = SEQUENCES) -> None:
    for subject, sequence, number, code, units in sequences:
        seed = 100 * int(subject[1:] + sequence)
        where, stem = f"{subject}/{sequence}", f"{subject}_{sequence}_"
        for frame in range(1, number + 1):
            draw(root / f"cohn-kanade-images/{where}/{stem}{frame:08d}.png", seed + frame, 49, 64)
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


WILD = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
FERV = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
FERV_WORDS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
MAFW = ("anger", "sadness", "neutral", "contempt", "anxiety", "helplessness", "disappointment")
MIXED = ("anger_disgust", "sadness", "fear_surprise_anxiety")


def _five_folds(number: int, write_list: Callable[[str, int, list[int]], None]) -> None:
    """Clips 1 … number: clip n is tested by fold (n - 1) % 5 + 1 and learnt from in the others."""
    for fold in range(1, 6):
        tested = [n for n in range(1, number + 1) if (n - 1) % 5 + 1 == fold]
        write_list("test", fold, tested)
        write_list("train", fold, [n for n in range(1, number + 1) if n not in tested])


def dfew_lists(root: Path, names: str = "set_{1}.csv", first: int = 1) -> Rows:
    """Fourteen clips in five folds; ``first`` is the code of happiness."""

    def write_list(part: str, fold: int, clips: list[int]) -> None:
        rows = "".join(f"{n:05d},{(n - 1) % 7 + first}\n" for n in clips)
        folder = root / f"EmoLabel_DataSplit/{part}(single-labeled)"
        write(folder / names.format(part, fold), f"video_name,label\n{rows}")

    _five_folds(14, write_list)
    return {f"dfew/{n:05d}": (WILD[(n - 1) % 7], "") for n in range(1, 15)}


def votes_of(clip: int) -> list[int]:
    """Ten votes: seven for the clip's label, two and one for others."""
    votes = [0] * 7
    for step, cast in ((0, 7), (1, 2), (3, 1)):
        votes[(clip - 1 + step) % 7] += cast
    return votes


def sheet(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """An .xlsx table: words shared, but for one that stands in its cell; numbers as they are, zeros left out."""
    words = sorted({c for row in rows for c in row if isinstance(c, str)})
    lines = []
    for r, row in enumerate(rows, 1):
        cells = []
        for column, value in zip("ABCDEFGHI", row, strict=False):
            if isinstance(value, str):
                inline = value == words[-1]
                inside = f"<is><t>{value}</t></is>" if inline else f"<v>{words.index(value)}</v>"
                cells.append(f'<c r="{column}{r}" t="{"inlineStr" if inline else "s"}">{inside}</c>')
            elif value != 0:
                cells.append(f'<c r="{column}{r}"><v>{value}</v></c>')
        lines.append(f'<row r="{r}">{"".join(cells)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as book:
        inside = f"<sheetData>{''.join(lines)}</sheetData>"
        book.writestr("xl/worksheets/sheet1.xml", f"<worksheet {space}>{inside}</worksheet>")
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{''.join(f'<si><t>{w}</t></si>' for w in words)}</sst>")


def dfew(root: Path) -> Rows:
    head = ["order", "1happy", "2sad", "3neutral", "4angry", "5surprise", "6disgust", "7fear", "annotation"]
    sheet(root / "Annotation/annotation.xlsx", [head, *([n, *votes_of(n), (n - 1) % 7 + 1] for n in range(1, 15))])
    for n in range(1, 15):
        frames(root / f"Clip/clip_224x224/{n:05d}", n)
    return dfew_lists(root)


def dfew_films(root: Path) -> Rows:
    """Another copy: films in parts, names without zeros, labels from 0, votes as CSV."""
    head = "order,1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear,annotation"
    lines = [f"{n},{','.join(map(str, votes_of(n)))},{(n - 1) % 7 + 1}" for n in range(1, 15)]
    write(root / "DFEW/Annotation/annotation.csv", "\n".join([head, *lines]) + "\n")
    for n in range(1, 15):
        film(root / f"DFEW/Clip/original/part_{n % 2 + 1}/{n}.mp4", n)
    return dfew_lists(root / "DFEW", "{0}_set_{1}.csv", 0)


def ferv39k(root: Path, listing: str = "4_setups/All_scenes/{}_All.csv", head: str = "") -> Rows:
    rows: Rows = {}
    number = 0
    for part in ("train", "test"):
        lines = [head] if head else []
        for scene in ("Action", "War"):
            for code, word in enumerate(FERV):
                clip = f"{scene}/{word}/{1 if part == 'train' else 2:04d}"
                number += 1
                frames(root / "2_ClipsforFaceCrop" / clip, number, 3)
                lines.append(f"{clip},{code}" if head else f"{clip} {word}")
                rows[f"ferv39k/{clip}"] = (FERV_WORDS[code], part)
        write(root / listing.format(part), "\n".join(lines) + "\n")
    return rows


def _mafw(root: Path, kind: str, words: Sequence[str], clip: Callable[[Path, int], None]) -> Rows:
    def write_list(part: str, fold: int, clips: list[int]) -> None:
        rows = "\r\n".join(f"{n:05d}.mp4 {words[n % len(words)]}" for n in clips)
        write(root / f"Train & Test Set/{kind}/no_caption/set_{fold}/{part}.txt", rows)

    _five_folds(10, write_list)
    for n in range(1, 11):
        clip(root / "data", n)
    return {f"mafw/{n:05d}": (words[n % len(words)], "") for n in range(1, 11)}


def mafw(root: Path) -> Rows:
    return _mafw(root, "single", MAFW, lambda data, n: film(data / f"clips/{n:05d}.mp4", n))


def mafw_frames(root: Path) -> Rows:
    return _mafw(root / "MAFW", "single", MAFW, lambda data, n: frames(data / f"frames/{n:05d}", n, 3))


def mafw_compound(root: Path) -> Rows:
    return _mafw(root, "compound", MIXED, lambda data, n: film(data / f"clips/{n:05d}.mp4", n))


CREMA = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
# Clip, answers to the picture alone, who leads by the summary.
CREMA_CLIPS = [
    ("1001_DFA_ANG_XX", "AAAD", "A"),
    ("1001_IEO_HAP_LO", "NNHH", "H:N"),
    ("1018_TAI_SAD_MD", "SS", "S"),
    ("1019_TAI_NEU_XX", "NNN", "N"),
    ("1040_ITH_SAD_X", "FF", "F"),
    ("1091_WSI_FEA_HI", "FFS", "F"),
    ("1091_WSI_DIS_HI", "", "D"),
]


def crema_d(root: Path) -> Rows:
    answers = ['"","localid","queryType","clipName","respEmo"']
    summary = ['"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"']
    rows: Rows = {}
    for n, (name, cast, leading) in enumerate(CREMA_CLIPS):
        film(root / f"VideoFlash/{name}.flv", n)
        told = f"{name}X" if name.endswith("_X") else name
        answers += [f'"{len(answers)}","p",2,"{told}","{letter}"' for letter in cast]
        answers += [f'"{len(answers)}","p",1,"{told}","N"', f'"{len(answers)}","p",2,"{told}","X"']
        summary.append(f'"{n + 1}","{told}","N","60","{leading}","70","A:N","50:40"')
        rows[f"crema-d/{told}"] = (CREMA[name[9:12]], "")
    film(root / "VideoFlash/practice.flv", 99)
    write(root / "finishedResponses.csv", "\n".join(answers) + "\n")
    write(root / "processedResults/summaryTable.csv", "\n".join(summary) + "\n")
    return rows


RAV = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")


def ravdess(root: Path) -> Rows:
    rows: Rows = {}
    for n, (code, intensity, actor) in enumerate([(1, 1, 1), (2, 1, 1), (3, 2, 4), (4, 1, 5), (5, 2, 24), (8, 1, 24)]):
        key = f"01-{code:02d}-{intensity:02d}-01-02-{actor:02d}"
        for modality in (1, 2) if n % 2 else (1,):  # with sound; every other one without, too
            film(root / f"Video_Speech_Actor_{actor:02d}/Actor_{actor:02d}/{modality:02d}-{key}.mp4", 10 * n + modality)
        rows[f"ravdess/{key}"] = (RAV[code - 1], "")
    film(root / "Video_Song_Actor_01/Actor_01/02-02-05-02-02-01-01.mp4", 98)
    write(root / "Actor_01/03-01-01-01-01-01-01.wav", "sound alone")
    return rows


def video_folder(root: Path) -> Rows:
    rows: Rows = {}
    for n, (part, split, label) in enumerate(
        (p, s, c) for p, s in (("train", "train"), ("val", "valid")) for c in ("happy", "grumpy")
    ):
        film(root / part / label / "one.mp4", 10 * n)
        film(root / part / label / "more/two.avi", 10 * n + 1)
        frames(root / part / label / "three", n + 1)
        for name in ("one", "more/two", "three"):
            rows[f"{part}/{label}/{name}"] = (label, split)
    return rows


def csv_of_clips(root: Path) -> Rows:
    film(root / "films/a.mp4", 1)
    frames(root / "cut.up/b.1", 2)
    write(root / "clips.csv", "path,label,subject\nfilms/a.mp4,happy,anna\ncut.up/b.1/,sad,otto\n")
    return {"films/a": ("happy", ""), "cut.up/b.1": ("sad", "")}


def face_points(seed: int, number: int) -> np.ndarray:
    """``(number, 68, 2)`` int: eyes apart, a face that drifts; rows of points lie where iBUG's do, roughly."""
    rng = np.random.default_rng(seed)
    base = rng.integers(-40, 40, (68, 2)) + np.array([300, 200])
    base[36:48] = np.repeat([[260, 180], [340, 180]], 6, 0) + rng.integers(-4, 5, (12, 2))
    return base + rng.integers(-2, 3, (number, 68, 2)).cumsum(0)


TRACKS = ("02-01-01-01-01-01-01", "02-01-05-02-02-01-01", "02-01-08-01-02-02-06", "02-01-03-02-01-01-20")


def ravdess_tracks(root: Path) -> Rows:
    root.mkdir(parents=True, exist_ok=True)
    clips = [face_points(i, 5 + i) for i in range(len(TRACKS))]
    steps = [np.diff(c, axis=0, prepend=0).reshape(len(c), 136) for c in clips]
    code = [int(name[6:8]) - 1 for name in TRACKS]
    names = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
    np.savez(
        root / "ravdess_tracks_train.npz",
        delta=np.concatenate(steps).T.astype(np.int16),
        offsets=np.cumsum([0, *map(len, clips)]),
        name=np.array([f"{n}.mp4" for n in TRACKS]),
        label=np.array(code, np.uint8),
        label_names=np.array(names),
        intensity=np.array([int(n[9:11]) for n in TRACKS], np.int8),
        actor=np.array([int(n[-2:]) for n in TRACKS], np.int8),
    )
    return {f"ravdess/{n[3:]}": (names[c], "train") for n, c in zip(TRACKS, code, strict=True)}


def _clip_pack(path: Path, lengths: Sequence[int], side: int, **columns: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [
        cv2.imencode(".jpg", drawn(1000 * c + i, side, side))[1].ravel()
        for c, n in enumerate(lengths)
        for i in range(n)
    ]
    np.savez(
        path,
        blob=np.concatenate(pictures),
        offsets=np.cumsum([0, *map(len, pictures)]),
        clip_start=np.cumsum([0, *lengths]),
        **columns,
    )


def acted_clips(root: Path) -> Rows:
    """Two actors, one sentence, six codes, 4 frames."""
    names = ("neutral", "sadness", "happiness", "surprise", "fear or disgust", "anger")
    code = np.tile(np.arange(6, dtype=np.uint8), 2)
    _clip_pack(
        root / "acted_clips_train.npz",
        [4] * 12,
        112,
        label=code,
        actor=np.repeat([1, 2], 6).astype(np.uint8),
        sentence=np.full(12, 3, np.uint8),
        label_names=np.array(names),
    )
    return {f"acted-clips/{a:02d}-3-{c}": (names[c], "train") for a in (1, 2) for c in range(6)}


def film_clips(root: Path) -> Rows:
    rated = np.array([[1.0, 9.0, 2.0], [5.0, 6.0, 4.0], [8.2, 3.0, 7.0]], np.float32)
    _clip_pack(
        root / "data/film_clips_va_train.npz",
        [3, 1, 5],
        128,
        clip_id=np.array([1, 2, 40]),
        valence_arousal_stress=rated,
    )
    return {f"film-clips/{i:03d}": ("", "train") for i in (1, 2, 40)}


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
    "dfew": {"frames": dfew, "films": dfew_films},
    "ferv39k": {"official": ferv39k, "annotation": lambda root: ferv39k(root, "Annotation/{}.csv", "path,id")},
    "mafw": {"films": mafw, "frames": mafw_frames},
    "mafw-compound": {"films": mafw_compound},
    "crema-d": {"official": crema_d},
    "ravdess": {"official": ravdess},
    "ravdess-tracks": {"pack": ravdess_tracks},
    "acted-clips": {"pack": acted_clips},
    "film-clips": {"pack": film_clips},
    "folder": {"parts": folder},
    "video-folder": {"parts": video_folder},
    "csv": {"table": csvfile, "clips": csv_of_clips},
}
"""Every registered data set in every layout its reader knows."""
