"""Record what the commands give on real inputs, and compare two records: a rebuilt house must answer as the old one.

    python tools/golden.py record FOLDER [--data DATA]     run the commands into FOLDER (DATA: see TRONIE_DATA)
    python tools/golden.py compare BEFORE AFTER            say where two records differ; exit code 1 if they do

A record holds results computed from research data and is never committed; nor is any float of one processor. Both
records must be made on one machine. Readings (tables, segments, subtitles, ELAN) must be equal to the byte, columns
that name the software aside (SOFTWARE) and columns renamed (RENAMED). What is learnt (an audit's table, a small run's
answers) may differ by rounding: TOLERANCE.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[1]

SOFTWARE = ("model", "settings", "version")
"""Columns whose values name the software that made a row: they change with it, and nothing else does."""

RENAMED: dict[str, str] = {}
"""Columns of tables by their old name: what each is called now."""

LEARNT = ("audit.csv", "answers.csv")
"""Tables of numbers that were learnt: equal up to TOLERANCE."""

TOLERANCE = 1e-3

FILMS = (".mp4", ".mkv", ".webm", ".mov")


def commands(data: Path | None) -> Iterator[tuple[str, list[str]]]:
    """A name and the arguments of each command, in the order in which they run in the record's folder."""
    samples = sorted((REPO / "examples" / "samples").glob("*.jpg"))
    yield "photos", ["predict", *map(str, samples), "--out", "photos.csv"]
    films = [Path("portraits.mp4")]  # relative: tables name their sources
    if data is not None:
        films += sorted(p for p in (data / "samples").iterdir() if p.suffix in FILMS)
        more = sorted(map(str, (data / "samples").glob("*.jpg")))
        yield "more photos", ["predict", *more, "--out", "more_photos.csv"]
    for film in films:
        table = f"{film.stem}.csv"
        yield film.stem, ["predict", str(film), "--fps", "5", "--out", table, "--quiet"]
        for ending in ("eaf", "vtt", "TextGrid", "segments.csv"):
            yield f"{film.stem}.{ending}", ["segments", table, "--out", f"{film.stem}.{ending}"]
    yield "prepare", ["prepare", "folder", "drawn", "--out", "prepared/own", "--folds", "3", "--quiet"]
    yield "audit", ["audit", "prepared/own", "--out", "audited", "--no-pictures", "--quiet"]
    settings = [f"--set=loop.{one}" for one in ("epochs=5", "judge_every=5", "half=false")]
    yield "train", ["train", "own-pictures", "--data", "prepared", "--out", "runs", *settings, "--quiet"]


def record(out: Path, data: Path | None) -> int:
    """Run every command in ``out``; returns 1 where one failed."""
    if out.exists() and any(out.iterdir()):
        print(f"{out} is not empty: give a new folder for the record.", file=sys.stderr)
        return 2
    out.mkdir(parents=True, exist_ok=True)
    python = [sys.executable]
    subprocess.run([*python, str(REPO / "examples" / "make_film.py"), str(out / "portraits.mp4")], check=True)
    subprocess.run([*python, str(REPO / "examples" / "draw_faces.py"), str(out / "drawn"), "8"], check=True)
    failed = 0
    for name, arguments in commands(data):
        began = time.monotonic()
        done = subprocess.run([*python, "-m", "tronie", *arguments], cwd=out, capture_output=True, text=True)
        failed += done.returncode != 0
        last = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        print(f"{name}: exit {done.returncode}, {time.monotonic() - began:.1f} s", *last, flush=True)
    for run in (out / "runs").glob("*/answers.csv"):
        shutil.copy(run, out / "answers.csv")
    shutil.rmtree(out / "runs", ignore_errors=True)
    return int(failed > 0)


def files(folder: Path) -> dict[str, Path]:
    """What a record holds that is compared, by its name in it."""
    kinds = (".csv", ".eaf", ".vtt", ".TextGrid")
    found = (p for p in sorted(folder.rglob("*")) if p.suffix in kinds and "prepared" not in p.parts)
    return {p.relative_to(folder).as_posix(): p for p in found}


def table(path: Path) -> dict[str, list[str]]:
    """Columns of a CSV file under their new names, without those that name the software."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    columns = {RENAMED.get(name, name): [row[i] for row in rows] for i, name in enumerate(head)}
    return {name: column for name, column in columns.items() if name not in SOFTWARE}


def text(path: Path) -> list[str]:
    """Lines of an annotation file, without the date at which it was made and the folder in which the film lay."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [re.sub(r'MEDIA_URL="file:[^"]*/', 'MEDIA_URL="', line) for line in lines if "DATE=" not in line]


def differences(before: Path, after: Path) -> Iterator[str]:
    """A sentence for each difference between two files of one name."""
    if before.suffix != ".csv":
        old, new = text(before), text(after)
        if old != new:
            line = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
            yield f"differs from line {line + 1} on"
        return
    old_table, new_table = table(before), table(after)
    for name in old_table.keys() - new_table.keys():
        yield f"lacks the column {name}"
    for name in old_table.keys() & new_table.keys():
        old, new = old_table[name], new_table[name]
        if old != new and not (before.name in LEARNT and near(old, new)):
            rows = sum(a != b for a, b in zip(old, new, strict=False)) + abs(len(old) - len(new))
            yield f"column {name} differs in {rows} of {len(old)} rows"


def near(old: list[str], new: list[str]) -> bool:
    """Whether two columns are numbers that differ by rounding only."""
    try:
        return len(old) == len(new) and np.allclose(
            np.array([float(v or "nan") for v in old]),
            np.array([float(v or "nan") for v in new]),
            atol=TOLERANCE,
            rtol=TOLERANCE,
            equal_nan=True,
        )
    except ValueError:
        return False


def compare(before: Path, after: Path) -> int:
    """Print where two records differ; 1 if they do."""
    old, new = files(before), files(after)
    told = [f"{name}: missing" for name in old.keys() - new.keys()]
    told += [f"{name}: {what}" for name in old.keys() & new.keys() for what in differences(old[name], new[name])]
    print("\n".join(sorted(told)) or f"{len(old)} files are equal")
    return int(bool(told))


def main(arguments: list[str]) -> int:
    """Record or compare."""
    match arguments:
        case ["record", out, *rest] if rest[:1] in ([], ["--data"]):
            given = rest[1] if rest else os.environ.get("TRONIE_DATA", str(REPO.parent / "shared" / "data"))
            return record(Path(out).resolve(), Path(given) if Path(given).is_dir() else None)
        case ["compare", before, after]:
            return compare(Path(before), Path(after))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
