"""``tronie train``: a recipe to a run folder, with a model folder in it that ``tronie predict`` takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tronie.core.errors import SettingError
from tronie.core.extras import needing

if TYPE_CHECKING:
    from tronie.train.run import Outcome


def train(
    recipe: str | Path | None = None,
    *,
    data: str | Path = "prepared",
    out: str | Path = "runs",
    assignments: Sequence[str] = (),
    resume: str | Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Train ``recipe`` (a shipped name or a TOML file) on the prepared sets below ``data``; judge and export it.

    ``assignments`` such as ``"loop.epochs=3"`` override the recipe. The run lies in ``out/<date>-<name>-<n>``.
    ``resume`` is a run folder: it goes on after its last finished epoch, by its own recipe. Started by ``torchrun``,
    all processes train together. ``say`` hears a line an epoch, and for a test part its three figures (last epoch,
    chosen by validation, test-best). Raises MissingExtraError without PyTorch, SettingError, SourceError, OutputError.
    """
    with needing("Training"):
        from tronie.train.distributed import join
        from tronie.train.recipe import read_recipe
        from tronie.train.run import execute
    if resume is not None:
        if recipe is not None or assignments:
            raise SettingError("A run goes on by its own recipe: give either a recipe or resume, and no assignments.")
        if not (Path(resume) / "recipe.toml").is_file():
            raise SettingError(f"{resume} is no run folder: it has no recipe.toml.")
        chosen = read_recipe(Path(resume) / "recipe.toml")
    elif recipe is None:
        raise SettingError("Give a recipe: a shipped one (such as baseline-static) or a TOML file.")
    else:
        chosen = read_recipe(recipe, assignments)
    with join() as team:
        folder = team.agreed(run_folder(resume, out, chosen.name) if team.leads else Path())
        outcome = execute(chosen, Path(data), folder, say if team.leads else lambda line: None, team)
        if team.leads:
            from tronie.train.evaluate import write_page
            from tronie.train.log import figures, read_log

            for one in figures(read_log(folder)):
                if one.test:
                    say(str(one))
            write_page(folder)
    return outcome


def run_folder(resume: str | Path | None, out: str | Path, name: str) -> Path:
    """The folder of a run that goes on, or a new one. Raises OutputError."""
    from tronie.train.run import new_folder

    return Path(resume) if resume is not None else new_folder(Path(out), name)
