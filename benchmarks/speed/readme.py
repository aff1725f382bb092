"""The README's speed table, made from ``peers.json`` and ``budgets.json`` beside this.

python benchmarks/speed/readme.py                      (prints it)
python benchmarks/speed/readme.py --update README.md   (puts it between the two markers)
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- speed: begin (benchmarks/speed/readme.py) -->", "<!-- speed: end -->"


def block(peers: list[dict[str, Any]], budgets: list[dict[str, Any]]) -> str:
    """The table of all that ran, the first row ours, and a line of what else was measured."""
    ours = peers[0]
    lines = [
        "| CPU-ms a frame | 640×360 | 1080p | 20 faces | of 20 found | changes of label (6 right) | labels kept |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in peers:
        if "error" in one:
            continue
        spent = [f"{one[key]['cpu']:.0f}{_ratio(one, ours, key)}" for key in ("360p", "1080p", "crowd")]
        reads = [str(one["changes"]), f"{100 * one['steady']['held']:.0f} %"] if "changes" in one else ["–", "–"]
        name = f"**{one['name']}**" if one is ours else one["name"]
        name += f", model {one['model']}" if "model" in one else ""
        lines.append(f"| {name} | " + " | ".join([*spent, str(one["found"]), *reads]) + " |")
    told = "; ".join(f"{row['what']} {row['shown']}" for row in budgets if row["readme"] and row["value"] is not None)
    return "\n".join([*lines, "", f"Also: {told}." if told else ""]).rstrip() + "\n"


def _ratio(one: dict[str, Any], ours: dict[str, Any], key: str) -> str:
    return "" if one is ours else f" (×{one[key]['cpu'] / ours[key]['cpu']:.1f})"


def updated(text: str, made: str) -> str:
    """``text`` with ``made`` between the markers. Raises ValueError where they are not there once each."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the markers are missing: write {BEGIN} and {END} where the table belongs")
    return re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: f"{BEGIN}\n{made}{END}", text, flags=re.DOTALL)


def main() -> int:
    """Print the block, or write it into a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", type=Path)
    given = parser.parse_args()
    read = [json.loads((HERE / name).read_text(encoding="utf-8")) for name in ("peers.json", "budgets.json")]
    made = block(*read)
    if given.update is None:
        print(made, end="")
        return 0
    try:
        given.update.write_text(updated(given.update.read_text(encoding="utf-8"), made), encoding="utf-8")
    except ValueError as error:
        print(f"{given.update}: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
