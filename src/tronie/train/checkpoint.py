"""Everything a run needs to go on, in one file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import torch

from tronie.core.atomic import replacing, unwritable
from tronie.core.errors import SourceError
from tronie.methods.method import Method, load_state
from tronie.train.log import LOG, read_log
from tronie.train.sample_weights import Decided

LAST, SAMPLES = "last.pt", "samples.csv"


def save(
    folder: Path, method: Method, average: Method, optimizer: torch.optim.Optimizer, decided: Decided, epochs: int
) -> None:
    """Write ``last.pt`` after so many finished epochs; whole or not at all, so a killed run keeps the one before."""
    state = {
        "model": method.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rows": decided.state(),
        "epoch": epochs,
    }
    with replacing(folder / LAST) as temporary:
        torch.save(state, temporary)


def read(path: Path) -> dict[str, Any]:
    """A checkpoint, read without running anything it may contain. Raises SourceError."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise SourceError(f"There is no {path}: the run has not finished an epoch.") from None
    except Exception as error:  # torch raises several unrelated types for a damaged file
        raise SourceError(f"{path} cannot be read ({type(error).__name__}): remove it to begin again.") from error
    return state


def restore(folder: Path, method: Method, average: Method, optimizer: torch.optim.Optimizer, decided: Decided) -> int:
    """Go on from ``last.pt``: returns how many epochs are done, 0 where there is none. Raises ModelError, SourceError.

    What was logged of an epoch that was not saved is taken back: it is going to run again.
    """
    epochs = 0
    if (folder / LAST).is_file():
        state = read(folder / LAST)
        load_state(method, state["model"])
        load_state(average, state["average"])
        optimizer.load_state_dict(state["optimizer"])
        if "rows" in state:  # checkpoints of the first form have none
            decided.restore(state["rows"])
        epochs = int(state["epoch"])
    return epochs


def ready(folder: Path, epochs: int) -> None:
    """Make the folder, and take log lines and decisions of epoch ``epochs`` and later back. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    lines = [line for line in read_log(folder) if line["epoch"] < epochs]
    if (folder / LOG).is_file():
        with replacing(folder / LOG) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if (folder / SAMPLES).is_file():
        with (folder / SAMPLES).open(encoding="utf-8", newline="") as file:
            head, *rows = list(csv.reader(file)) or [[]]
        with replacing(folder / SAMPLES) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *(r for r in rows if int(r[0]) < epochs)])
