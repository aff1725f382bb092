"""Every budget as a row of ``budgets.md``: what is allowed, what was measured, and the command that does it again.

    python benchmarks/speed/budgets.py [--data FOLDER] [--minutes 10] [--installed PYTHON] [--checked FILE.json]

``--installed`` is the Python of an environment made by ``python -m pip install .``, whose size is counted;
``--checked`` is what ``tronie selfcheck SAMPLES --out FILE.json`` wrote (several may be given). CPU-ms are process
time of one thread: the least of several runs, which comes nearest to a quiet machine, and in brackets the median.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import stages

import tronie
from tronie.models.catalog import SHIPPED

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "benchmarks" / "accuracy"))

import crowd  # noqa: E402  # benchmarks/accuracy/crowd.py

COMMAND = "`python benchmarks/speed/budgets.py`"


@dataclass(frozen=True)
class Budget:
    """One row: ``most`` is the limit that ``value`` is held to (``least`` where more is better); None: not measured."""

    what: str
    budget: str
    value: float | None
    shown: str
    command: str = COMMAND
    most: float | None = None
    least: float | None = None
    readme: bool = False
    """Whether the README's line says it."""

    @property
    def verdict(self) -> str:
        """Kept, missed or not measured in this run."""
        if self.value is None:
            return "not measured in this run"
        over = self.most is not None and self.value > self.most
        under = self.least is not None and self.value < self.least
        return "**missed**" if over or under else "kept"


def film(name: str, data: Path, what: str, most: float, aim: float) -> Budget:
    """The whole chain on one film."""
    spent = stages.timed(stages.whole, data / "samples" / name, tronie.Analyser())
    return Budget(what, f"≤ {most:g} CPU-ms, aim {aim:g}", min(spent), _least(spent), most=most)


def model() -> Budget:
    """One face of a batch."""
    spent = stages.face()
    return Budget("one face through the model, batches of 32", "≤ 4 CPU-ms, aim 2", min(spent), _least(spent), most=4)


def people(data: Path) -> list[Budget]:
    """Twenty small faces in one picture, searched whole."""
    picture, places = crowd.compose(crowd.london(data), 0)
    spent, faces = stages.searched(picture)
    hits, wrong = crowd.found(faces, places)
    return [
        Budget("20 faces in 1080p, full search and chain", "≤ 120 CPU-ms", min(spent), _least(spent), most=120),
        Budget("… of the 20 found", "all 20, none wrong", hits - wrong, f"{hits}, {wrong} wrong", least=20),
    ]


def photo(picture: Path) -> Budget:
    """A cold command."""
    spent = stages.photo(picture)
    text = f"{min(spent):.2f} ({sorted(spent)[len(spent) // 2]:.2f}) CPU-s"
    return Budget("photo, cold command", "≤ 1.0 CPU-s", min(spent), text, most=1.0, readme=True)


def memory(source: Path, minutes: float) -> list[Budget]:
    """Peak memory of a short and a long film."""
    short, long = stages.memory(source, minutes)
    grown = (long - short) / (minutes * 0.9)
    command = f"`python benchmarks/speed/budgets.py --minutes {minutes:g}`"
    return [
        Budget(f"memory, film of {minutes:g} min", "≤ 700 MB", long, f"{long:.0f} MB", command, most=700, readme=True),
        Budget("… growth per minute of film", "flat", grown, f"{grown:+.1f} MB", command, most=2),
    ]


def bundled() -> Budget:
    """The model that ships."""
    size = sum(file.stat().st_size for file in (SHIPPED / "default").iterdir()) / 1e6
    return Budget("bundled model folder", "≤ 12 MB", size, f"{size:.1f} MB", most=12)


def installed(python: Path | None) -> Budget:
    """The size of the core install, without what it must not hold."""
    said, size = "", None
    if python is not None:
        done = subprocess.run([str(python), str(ROOT / "tools" / "core_size.py")], capture_output=True, text=True)
        found = re.search(r"core size: (\d+) MB", done.stdout)
        size = float(found[1]) if found else None
        said = f"{size:.0f} MB" if size is not None else done.stdout.strip()
    return Budget(
        "core install, without torch and SciPy", "≤ 480 MB", size, said, "`python tools/core_size.py`", most=480
    )


def tests(minutes: float | None) -> Budget:
    """How long the default tests took."""
    shown = "" if minutes is None else f"{minutes:.1f} min"
    return Budget("default tests, two cores", "≤ 10 min", minutes, shown, "`make test`", most=10)


def steady(files: list[Path]) -> list[Budget]:
    """What the self-checks of the samples say."""
    rows = []
    command = "`tronie selfcheck SAMPLES --out FILE.json`"
    photos = ("image", "photos, labels kept when moved, rescaled, mirrored or re-compressed", 0.97)
    films = ("video", "films, time that keeps its label when re-compressed, thinned or begun later", 0.90)
    for kind, what, least in (photos, films):
        found = [one for file in files if kind in (one := json.loads(file.read_text()))["totals"]]
        totals = [one["totals"][kind] for one in found]
        seen, same = sum(t["all"] for t in totals), sum(t["same"] for t in totals)
        value = same / seen if seen else None
        shown = "" if value is None else f"{100 * value:.1f} % {_of_what(kind, seen, found)}"
        rows.append(Budget(what, f"≥ {100 * least:.0f} %", value, shown, command, least=least, readme=True))
    return rows


def _of_what(kind: str, seen: float, found: list[dict[str, Any]]) -> str:
    """Of how many faces, or how much time, a share is, and by which model."""
    variations = len({row["variation"] for one in found for row in one["rows"] if row["kind"] == kind})
    models = ", ".join(sorted({one["model"] for one in found}))
    if kind == "image":
        return f"of {seen:.0f} ({seen / variations:.0f} faces in {variations} variations; model {models})"
    return f"of {seen:.0f} s ({variations} variations together; model {models})"


def _least(spent: list[float]) -> str:
    return f"{min(spent):.1f} ({sorted(spent)[len(spent) // 2]:.1f}) CPU-ms"


def page(rows: list[Budget], load: str) -> str:
    """The table as Markdown."""
    lines = ["| what | budget | measured | | command |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {r.what} | {r.budget} | {r.shown or '–'} | {r.verdict} | {r.command} |" for r in rows]
    head = (__doc__ or "").splitlines()[2].strip()
    return f"""# Budgets

```
{head}
```

Every frame is answered. Process time of one thread: the least of several runs, in brackets the median. Films and
pictures are samples that stay outside the repository; stage by stage: [README.md](README.md).
{load}

{chr(10).join(lines)}
"""


def main() -> None:
    """Measure everything and write ``budgets.md`` and ``budgets.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=crowd.DATA)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--installed", type=Path)
    parser.add_argument("--checked", type=Path, nargs="*", default=[])
    parser.add_argument("--tests", type=float, help="minutes that `make test` took, where it was run")
    parser.add_argument("--out", type=Path, default=HERE / "budgets.md")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    samples = given.data / "samples"
    begun = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    rows = [
        model(),
        film("single_face.mp4", given.data, "640×360 frame, one face, whole chain with decoding", 12, 8),
        film("acted_happy_1080p.mp4", given.data, "1080p frame, one face, whole chain with decoding", 22, 15),
        *people(given.data),
        photo(samples / "astronaut_nasa.jpg"),
        *(memory(samples / "single_face.mp4", given.minutes) if given.minutes else []),
        bundled(),
        installed(given.installed),
        *steady(given.checked),
        tests(given.tests),
    ]
    ended = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    cores = os.cpu_count()
    load = f"{cores} cores; load average {begun:.0f} when it began, {ended:.0f} when it ended (1 is our own)."
    given.out.write_text(page(rows, load), encoding="utf-8")
    given.out.with_suffix(".json").write_text(
        json.dumps([vars(row) for row in rows], ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    print(given.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
