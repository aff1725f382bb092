"""What an audit leaves on disk: a table of every row, cleaned labels with each change, figures, and the page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tronie.audit.label_quality import Quality, Signals
from tronie.audit.page import Card, Look, audit_page
from tronie.audit.pictures import picture
from tronie.audit.proof import Proof
from tronie.audit.rows import Flaws
from tronie.audit.verdicts import (
    DOUBTFUL,
    DUPLICATE,
    LEAKED,
    UNUSABLE,
    VERDICTS,
    WEAK,
    WRONG,
    Cuts,
    error_table,
    hardness,
    reasons,
)
from tronie.core.atomic import replacing
from tronie.core.errors import SettingError, SourceError
from tronie.core.files import LARGE, read_json
from tronie.core.labels import canonical
from tronie.core.manifest import Manifest
from tronie.core.sheet import opened, text_cells, writer
from tronie.data.prepared import Opened
from tronie.metrics.intervals import Interval
from tronie.metrics.scores import Floats

TABLE, CLEANED, CHANGES, FIGURES, PAGE = "audit.csv", "cleaned.csv", "changes.csv", "audit.json", "audit.html"
_SHOWN = {"wrong": 600, "doubtful": 240, "hard": 120, "unusable": 60, "duplicate": 60, "leaked": 60}
_DECISIONS = ("accept", "reject", "relabel", "drop")


@dataclass(frozen=True, eq=False)
class Audited:
    """An audit of the labelled rows ``rows`` (m,) of ``manifest``.

    ``verdict`` ``(m,)`` as VERDICTS has them; ``share`` of wrong labels with its interval; ``group`` and ``fold``
    ``(m,)``; ``unread`` rows that were left out when faces were cut; ``folder`` where the files lie; ``spans``
    ``(looks, n, 2)`` which part of each clip of the manifest each look saw, None for photos;
    ``told_apart`` how much better than by guessing looks name the given labels.
    """

    manifest: Manifest
    rows: NDArray[np.int64]
    signals: Signals
    quality: Quality
    verdict: NDArray[np.int64]
    flaws: Flaws
    share: Interval
    group: NDArray[np.int64]
    fold: NDArray[np.int64]
    proofs: tuple[Proof, ...]
    unread: list[tuple[str, str]]
    folder: Path
    spans: Floats | None = None
    told_apart: float = 1.0

    @property
    def order(self) -> NDArray[np.int64]:
        """Positions ``(m,)`` with the likeliest wrong label first."""
        return np.argsort(-self.quality.score, kind="stable")

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each verdict; what could not be read at all is unusable."""
        found = np.bincount(self.verdict, minlength=len(VERDICTS)).tolist()
        found[UNUSABLE] += len(self.unread)
        return dict(zip(VERDICTS, found, strict=True))


def write_audit(
    found: Audited,
    opened: Opened | None,
    cuts: Cuts,
    settings: Mapping[str, str],
    decided: Mapping[str, tuple[str, int]],
    *,
    csv_safe: bool = False,
) -> Audited:
    """Lay the audit down in its folder; ``opened`` gives the page its faces, ``decided`` what a person decided.

    ``csv_safe``: no text of ``audit.csv`` and ``changes.csv`` begins as a formula of a spreadsheet does.

    Raises OutputError.
    """
    told = _told(found)
    cleaned, changes = clean(found, cuts, decided, told)
    found.folder.mkdir(parents=True, exist_ok=True)
    _write(found.folder / TABLE, _table(found, told), csv_safe)
    _write(found.folder / CHANGES, [("id", "given", "now", "verdict", "reason"), *changes], csv_safe)
    cleaned.save(found.folder / CLEANED)
    content = figures(found, settings)
    with replacing(found.folder / FIGURES) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    page = audit_page(content, list(_cards(found, opened, told)), settings.get("data", "audit"))
    with replacing(found.folder / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return found


def refuse_other(folder: Path, data: str) -> None:
    """Raise SettingError where ``folder`` holds the audit of other data than ``data``: it is not written over."""
    if not (folder / FIGURES).is_file():
        return
    there = read_json(folder / FIGURES, most=LARGE)
    name = there.get("settings", {}).get("data", data) if isinstance(there, dict) else data
    if name != data:
        raise SettingError(
            f"{folder} holds the audit of {name}: give another folder with --out, or remove that one first."
        )


def _write(path: Path, rows: Sequence[Sequence[Any]], csv_safe: bool) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer(file).writerows(text_cells(row, csv_safe=csv_safe) for row in rows)


def _told(found: Audited) -> list[str]:
    """A reason for each labelled row, flaws of the row itself included."""
    words = reasons(found.signals, found.quality, found.verdict, found.manifest.labels.names)
    ids, flaws = found.manifest.id, found.flaws
    for i, row in enumerate(found.rows.tolist()):
        if found.verdict[i] == UNUSABLE:
            words[i] = flaws.told(row)
        elif found.verdict[i] == LEAKED:
            words[i] = f"Nearly the same picture as {ids[flaws.leaked_to[row]]}, which is of another split. {words[i]}"
        elif found.verdict[i] == DUPLICATE:
            words[i] = f"The same picture as {ids[flaws.duplicate_of[row]]}. {words[i]}"
    return words


def _table(found: Audited, told: Sequence[str]) -> list[Sequence[Any]]:
    s, q, looks, names = found.signals, found.quality, found.signals.agreement, found.manifest.labels.names
    hard, ids, flaws = hardness(s, q), found.manifest.id, found.flaws
    numbers = {
        "p_wrong": q.wrong,
        "p_suggested": q.sure,
        "loss": s.loss,
        "margin": s.margin,
        "support": s.support,
        "agreement": looks.majority,
        "agreement_pairwise": looks.pairwise,
        "agreement_jsd": looks.jsd,
        "entropy": s.entropy,
        "neighbours": s.neighbour_share,
        "hardness": hard,
        "loss_history": s.history,
        "votes_entropy": s.votes_entropy,
    }
    head = (
        "rank",
        "id",
        "split",
        "given",
        "verdict",
        "suggested",
        "confidence",
        *numbers,
        "vote",
        "duplicate_of",
        "leaked_to",
        "fold",
        "group",
        "reason",
    )
    lines: list[Sequence[Any]] = [head]
    sure = np.where(found.verdict == WRONG, q.wrong, 1 - q.wrong)
    for rank, i in enumerate(found.order.tolist(), 1):
        row = int(found.rows[i])
        links = (ids[at] if (at := column[row]) >= 0 else "" for column in (flaws.duplicate_of, flaws.leaked_to))
        cells = ("" if column is None else _cell(column[i]) for column in numbers.values())
        lines.append(
            (
                rank,
                ids[row],
                found.manifest.split[row],
                names[s.label[i]],
                VERDICTS[found.verdict[i]],
                names[q.suggested[i]],
                _cell(sure[i]),
                *cells,
                names[looks.vote[i]],
                *links,
                found.fold[i],
                found.group[i],
                told[i],
            )
        )
    blank = [""] * (len(head) - 6)
    lines += [("", name, "", "", "unusable", *blank, why) for name, why in found.unread]
    return lines


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.5g}"


def read_decisions(path: Path, manifest: Manifest) -> dict[str, tuple[str, int]]:
    """Id → (decision, label or -1) from the CSV that the page exports. Raises SourceError with the line that is wrong.

    "accept" the suggestion, "reject" it and keep the label, "relabel" to the column ``label``, "drop" the row.
    """
    ids, labels = set(manifest.id.tolist()), manifest.labels
    found: dict[str, tuple[str, int]] = {}
    with opened(path, "decisions") as sheet:
        at_id, at_decision = sheet.need("id", "decision")
        at_label = sheet.place("label")
        for line, row in sheet.rows():
            name, said, label = row[at_id], row[at_decision].lower(), "" if at_label is None else row[at_label]
            fits = said == "relabel" and canonical(label) in map(canonical, labels.names)
            if name not in ids or said not in _DECISIONS or (said == "relabel" and not fits):
                raise SourceError(
                    f"The decisions {path}, line {line}: '{name}, {said}, {label}' is not an id of the "
                    f"data, one of {', '.join(_DECISIONS)}, and a label to change to."
                )
            found[name] = (said, labels.index(label) if said == "relabel" else -1)
    return found


def clean(
    found: Audited, cuts: Cuts, decided: Mapping[str, tuple[str, int]], told: Sequence[str]
) -> tuple[Manifest, list[tuple[str, str, str, str, str]]]:
    """The manifest with better labels, and each change (id, given, now or "", verdict, reason).

    A wrong label is changed where the suggestion is sure enough, else taken away; so is that of what is unusable,
    leaked or a duplicate. Rows stay in place, those without a label are not learnt from: the file can stand in for the
    ``manifest.csv`` of the prepared folder. A person's decisions come first. Votes of changed rows are taken out.
    """
    label, names, changes = found.manifest.label.copy(), (*found.manifest.labels.names, ""), []
    gone = np.zeros(len(label), bool)
    for i, row in enumerate(found.rows.tolist()):
        name, verdict, flaws = str(found.manifest.id[row]), int(found.verdict[i]), found.flaws
        suggested, why = int(found.quality.suggested[i]), told[i]
        said, other = decided.get(name, ("", -1))
        keep = bool(said) and said != "drop"
        flawed = verdict == UNUSABLE or flaws.duplicate_of[row] >= 0 or flaws.leaked_to[row] >= 0
        if said == "reject":
            now = int(label[row])
        elif said in ("accept", "relabel"):
            now = suggested if said == "accept" else other
        elif said == "drop" or (flawed and not keep):
            now = -1
        elif verdict == WRONG:
            now = suggested if found.quality.wrong[i] * found.quality.sure[i] >= cuts.sure else -1
        else:
            now = int(label[row])
        if now != label[row]:
            why = f"Decided by a person. {why}" if said else why
            changes.append((name, names[label[row]], names[now], VERDICTS[verdict], why))
            label[row], gone[row] = now, True
    votes = found.manifest.votes
    if votes is not None:
        votes = np.where(gone[:, None], np.float32(np.nan), votes)
    return replace(found.manifest, label=label, votes=votes), changes


def figures(found: Audited, settings: Mapping[str, str]) -> dict[str, Any]:
    """What ``audit.json`` holds: plain numbers only, None where there is none.

    ``share`` (of wrong labels) is None where the audit is too weak to say one.
    """
    names, s, q = found.manifest.labels.names, found.signals, found.quality
    weak = found.told_apart < WEAK
    return {
        "settings": dict(settings),
        "rows": len(found.rows),
        "labels": list(names),
        "looks": s.agreement.looks,
        "told_apart": found.told_apart,
        "weak": weak,
        "hash": found.manifest.hash(),
        "verdicts": found.counts,
        "share": None if weak else asdict(found.share),
        "table": np.round(error_table(s.label, q, len(names)), 2).tolist(),
        "per_label": [
            [
                int((s.label == c).sum()),
                float(q.wrong[s.label == c].sum()),
                int(((s.label == c) & (found.verdict == WRONG)).sum()),
            ]
            for c in range(len(names))
        ],
        "proofs": [
            {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(p).items()} for p in found.proofs
        ],
    }


def _cards(found: Audited, opened: Opened | None, told: Sequence[str]) -> Iterator[Card]:
    """The rows that the page shows, the likeliest wrong first; of each verdict no more than fit."""
    names, left = found.manifest.labels.names, dict(_SHOWN)
    hard = hardness(found.signals, found.quality)
    order = found.order
    doubted = np.isin(found.verdict[order], (DOUBTFUL, WRONG))
    calm = order[~doubted]
    ranked = [*order[doubted], *calm[np.argsort(-hard[calm], kind="stable")]]
    for i in (int(v) for v in ranked):
        verdict = VERDICTS[found.verdict[i]]
        if left.get(verdict, 0) <= 0:
            continue
        left[verdict] -= 1
        row = int(found.rows[i])
        looks = _parts(found, i)
        other = _dissent(found, i)
        yield Card(
            str(found.manifest.id[row]),
            verdict,
            names[found.signals.label[i]],
            names[found.quality.suggested[i]],
            float(found.quality.wrong[i]),
            told[i],
            b"" if opened is None else picture(opened, row, other),
            looks,
        )


def _parts(found: Audited, i: int) -> tuple[Look, ...]:
    """What each look at a clip says of which part of it."""
    if found.spans is None:
        return ()
    names, votes = found.manifest.labels.names, found.signals.looks[:, i].argmax(1)
    spans = found.spans[:, found.rows[i]].tolist()
    return tuple(Look(begin, end, names[vote]) for (begin, end), vote in zip(spans, votes.tolist(), strict=True))


def _dissent(found: Audited, i: int) -> Floats | None:
    """The part of a clip that is read otherwise than most looks read it, and the most surely so; None without one."""
    if found.spans is None:
        return None
    p = found.signals.looks[:, i]
    others = np.flatnonzero(p.argmax(1) != found.signals.agreement.vote[i])
    return found.spans[others[p[others].max(1).argmax()], found.rows[i]] if len(others) else None
