"""The peers' figures as Markdown: ``peers.md`` whole, and the short block for the README."""

from __future__ import annotations

from typing import Any

HEAD = """# Beside the peers

```
python benchmarks/speed/peers/install.py
python benchmarks/speed/peers/compare.py{options}
```

Same run, same machine, same decoded frames (decoding is in no figure), one contestant at a time. CPU-ms are process
time of all threads for one frame, the least of the runs; in brackets, times as much as Tronie. Other work ran on the
machine, so read ratios, not absolutes. Every contestant answers every frame; Tronie's figures hold the whole chain to
the smoothed timeline. Environments and what was repaired in them: [install.py](peers/install.py).
"""

NOTES = """
- *640×360* and *1080p*: one face, the first frames of a film. *20 faces*: 1080p, small faces (55 to 75 pixels), each
  picture answered by itself, as a photo.
- *changes of label*: of the one face in sight, over a clip in which three people after each other go from neutral to a
  smile and back, so 6 are right (2 each); then after a majority filter of one second.
- *labels kept*: what share of the faces keeps its label when four photos are moved, rescaled, mirrored or re-compressed
  (what `tronie selfcheck` does); *lost*: not found any more; *new*: found only then. Each contestant is compared with
  itself, so one that finds few faces has few to lose. "uncertain" counts as a label.
- memory is the peak of the process after the 1080p clip; wall-ms are those of a busy machine and say little.
"""


def peers_table(measured: list[dict[str, Any]], options: str = "") -> str:
    """The whole page; ``options`` are those of the run."""
    head = HEAD.replace("{options}", options and f" {options}")
    return f"{head}\n{speed_rows(measured)}\n{steady_rows(measured)}{NOTES}"


def speed_rows(measured: list[dict[str, Any]]) -> str:
    """CPU, wall, memory, faces."""
    ours = measured[0]
    lines = [
        "| | 640×360, CPU-ms | 1080p, CPU-ms | 20 faces, CPU-ms | of 20 found | wall-ms at 640×360 | memory, MB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in measured:
        if "error" in one:
            lines.append(f"| {named(one)} | did not run: {one['error'].replace('|', '/')} | | | | | |")
            continue
        cells = [f"{one[key]['cpu']:.1f}{_ratio(one, ours, key)}" for key in ("360p", "1080p", "crowd")]
        tail = [str(one["found"]), f"{one['360p']['wall']:.1f}", f"{one['1080p']['peak']:.0f}"]
        lines.append(f"| {named(one)} | " + " | ".join([*cells, *tail]) + " |")
    return "\n".join(lines) + "\n"


def steady_rows(measured: list[dict[str, Any]]) -> str:
    """Changes of label and labels kept, of those that read expressions."""
    lines = [
        "| | changes of label (6 are right) | after a 1 s majority | labels kept | lost | new |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in measured:
        if "changes" not in one:
            continue
        steady = one["steady"]
        share = f"{100 * steady['held']:.1f} % of {steady['all']:.0f}" if steady["all"] else "–"
        tail = f"{share} | {steady['lost']:.0f} | {steady['extra']:.0f}"
        lines.append(f"| {named(one)} | {one['changes']} | {one['filtered']} | {tail} |")
    return "\n".join(lines) + "\n"


def named(one: dict[str, Any]) -> str:
    """A contestant and what is to be said of it."""
    note = one.get("note")
    if "model" in one:
        return f"**{one['name']}**, model {one['model']}"
    return f"**{one['name']}**" if note is None else f"{one['name']} ({note})"


def _ratio(one: dict[str, Any], ours: dict[str, Any], key: str) -> str:
    return "" if one is ours else f" (×{one[key]['cpu'] / ours[key]['cpu']:.1f})"
