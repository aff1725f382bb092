"""The figures of the shipped model's recipe on RAF-DB's fold 0 and FERPlus' valid part, and its temperature.

    python benchmarks/accuracy/fold0.py MODEL PREPARED --out benchmarks/accuracy/fold0

MODEL is a model folder trained by the shipped recipes with fold 0 held out (`tronie train baseline-static`, then
`baseline-static-finish`, then `tronie export`); PREPARED is the root of the prepared sets. Faces are read as the
chain reads photos: aligned by the package's own aligner, with their mirror image. The temperature is fitted on fold 0;
fold 0's own calibration figures use temperatures fitted without the row's part (five parts, twins together).
Writes the figures (JSON, no pictures) and prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tronie.metrics.calibration import cross_fitted, fit_temperature, softmax
from tronie.metrics.folds import stratified_folds
from tronie.models.folder import Model, load_folder
from tronie.train.exported import Cut, judge, open_bench
from tronie.train.scores import Evaluation, evaluate, plain

PARTS = 5


def fold0(model: Model, prepared: Path, cut: Cut) -> tuple[Evaluation, float]:
    """Fold 0 with cross-fitted temperatures; and the temperature that fits all of it."""
    bench = open_bench(prepared / "rafdb", "rafdb", model.labels, folds="rafdb-train", fold=0)
    _, answered = judge(model, bench, cut)
    logits = np.log(np.maximum(answered.probability, 1e-12)) * model.info.temperature
    parts = stratified_folds(bench.truth, bench.manifest.group, PARTS)
    probability = cross_fitted(logits, bench.truth, parts)
    found = evaluate(probability, bench.truth, model.labels.names, bench.manifest.hash(), groups=bench.manifest.group)
    return found, fit_temperature(logits, bench.truth)


def ferplus(model: Model, prepared: Path, cut: Cut, temperature: float) -> Evaluation:
    """FERPlus' valid part against the leading vote, with fold 0's temperature."""
    bench = open_bench(prepared / "ferplus", "ferplus", model.labels, split="valid")
    _, answered = judge(model, bench, cut)
    logits = np.log(np.maximum(answered.probability, 1e-12)) * model.info.temperature
    rows = bench.manifest
    return evaluate(softmax(logits / temperature), bench.truth, model.labels.names, rows.hash(), groups=rows.group)


def main(folder: Path, prepared: Path, out: Path) -> None:
    """Judge, write, print."""
    model = load_folder(folder)
    print("| data | door | faces | accuracy | mean recall | macro F1 | calibration error | NLL |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    content: dict[str, object] = {"model": model.hash}
    temperature = 1.0
    for cut in ("aligned", "whole"):
        found, fitted = fold0(model, prepared, cut)
        temperature = fitted if cut == "aligned" else temperature
        for name, e in (("rafdb/fold0", found), ("ferplus/valid", ferplus(model, prepared, cut, temperature))):
            content[f"{name}/{cut}"] = plain(e)
            shown = [e.scores[s] for s in ("war", "uar", "macro_f1", "calibration_error", "nll")]
            cells = " | ".join(f"{i.value:.3f} [{i.low:.3f}, {i.high:.3f}]" for i in shown)
            print(f"| {name} | {cut} | {e.rows} | {cells} |", flush=True)
            if cut == "aligned":
                print("recall:", {k: round(v["recall"], 3) for k, v in e.per_class.items()})
    content["temperature"] = temperature
    content["info"] = asdict(model.info) | {"scores": {}}
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"temperature {temperature:.4f}; written: {out / 'evaluation.json'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/accuracy/fold0"))
    given = parser.parse_args()
    main(given.model, given.prepared, given.out)
