"""How a recipe's accuracy falls as faces get harder to read, beside another's: Markdown from two judgements.

    tronie evaluate MODEL prepared/rafdb --folds rafdb-train --fold 0 --robustness --out NEW     and the same for OLD
    python benchmarks/accuracy/robustness.py NEW OLD --names static-2 static-1 > benchmarks/accuracy/robustness.md

MODEL was trained by the shipped recipes without fold 0. Of untouched faces the paired difference is given as well.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tronie.core.errors import SourceError, TronieError
from tronie.train.compare import compare_models


def judged(folder: Path) -> tuple[dict[str, Any], dict[tuple[str, float], dict[str, Any]]]:
    """Scores of untouched faces, and each level of each hardship, of the one source in ``folder``."""
    path = folder / "evaluation.json"
    if not path.is_file():
        raise SourceError(f"{path} is not there: write it with `tronie evaluate … --robustness --out {folder}`.")
    found = json.loads(path.read_text(encoding="utf-8"))
    if len(found["sources"]) != 1 or "robustness" not in found:
        raise SourceError(f"{path} holds no robustness of one source: give `tronie evaluate` one, and --robustness.")
    (name,) = found["sources"]
    return found["sources"][name], {(h["corruption"], h["level"]): h for h in found["robustness"][name]}


def shown(interval: dict[str, float]) -> str:
    """``0.847 [0.833, 0.861]``."""
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("new", type=Path, help="what `tronie evaluate --robustness --out` wrote")
    parser.add_argument("old", type=Path, help="the same of the model before")
    parser.add_argument("--names", nargs=2, default=["new", "old"])
    args = parser.parse_args()
    (whole, levels), (_, before) = judged(args.new), judged(args.old)
    new, old = args.names
    print(f"# Robustness of {new}'s recipe on RAF-DB's fold 0\n")
    print("    tronie evaluate MODEL prepared/rafdb --folds rafdb-train --fold 0 --robustness --out NEW    # and OLD")
    print(f"    python benchmarks/accuracy/robustness.py NEW OLD --names {new} {old}\n")
    print(f"MODEL was trained by the shipped recipes without fold 0. {whole['rows']:,} faces (rows {whole['hash']}),")
    print(f"read with their mirror image. Estimate [95 % interval]; last columns: {old}'s recipe on the same faces.\n")
    print(f"Untouched: accuracy {shown(whole['scores']['war'])}, mean recall {shown(whole['scores']['uar'])}.\n")
    for found in compare_models(args.old, args.new):
        if found.score in ("war", "uar"):
            name = {"war": "Accuracy", "uar": "Mean recall"}[found.score]
            gap = [f"{100 * getattr(found.difference, edge):+.1f}" for edge in ("value", "low", "high")]
            print(f"{name} of {new} minus {old}, paired, in points: {gap[0]} [{gap[1]}, {gap[2]}].\n")
    print(f"| what | level | accuracy | mean recall | {old}: accuracy | mean recall |")
    print("| --- | --- | --- | --- | --- | --- |")
    for (name, level), found in levels.items():
        then = before[name, level]
        print(
            f"| {name} | {level:g} {found['unit']} | {shown(found['war'])} | {shown(found['uar'])} | "
            f"{then['war']['value']:.3f} | {then['uar']['value']:.3f} |"
        )


if __name__ == "__main__":
    try:
        main()
    except TronieError as error:
        sys.exit(str(error))
