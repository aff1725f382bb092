"""``tronie predict … --out FOLDER``: an archive at the terminal."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tronie.cli.common import STOPPED, JsonOut, say, tell
from tronie.core.errors import SourceError

if TYPE_CHECKING:
    from tronie.core.timeline import Timeline
    from tronie.pipeline.analyser import Analyser
    from tronie.pipeline.archive import Job
    from tronie.pipeline.archive_tasks import Outcome

_MANY = 20  # sources from which on each gets a line instead of its segments


@Parameter(name="*")
@dataclass(frozen=True)
class Sharing:
    """Who does the work on an archive (with a folder as --out)."""

    jobs: int = 1
    """Processes that share the work, each on one core."""
    engine: str = "local"
    """"local", or "ray" for a Ray cluster (extra "cluster")."""
    resume: Annotated[bool, Parameter(negative="--no-resume")] = True
    """Continue the work that the folder holds (--no-resume: start again)."""


def into_folder(
    sources: Sequence[str],
    out: Path,
    analyser: Analyser,
    sharing: Sharing,
    model: str,
    stopped: threading.Event,
    *,
    json: bool,
    quiet: bool,
) -> int:
    """Read everything into a folder and print each source as it ends; returns the exit code."""
    from tronie.cli.progress import bar
    from tronie.pipeline.archive import predict_to

    told = _Told(silent=quiet or json)
    with bar(hidden=quiet) as report:
        job = predict_to(
            sources, out, analyser, model=model, heard=told.source, report=report, stop=stopped.is_set, **vars(sharing)
        )
    if json:
        _print_json(job, analyser)
    told.end(job, out, quiet=quiet)
    if job.stopped:
        say("Stopped. What is done is kept; the same command goes on from there.")
        return STOPPED
    return SourceError.exit_code if job.failed else 0


class _Told:
    """What a person hears while the work goes on."""

    def __init__(self, *, silent: bool) -> None:
        self._silent, self._count = silent, 0
        self._said: set[str] = set()

    def source(self, outcome: Outcome, table: Path | None) -> None:
        """One source has ended."""
        from tronie.core.timeline import Timeline
        from tronie.output.text import film_text

        for warning in (outcome.error, *outcome.warnings):
            if warning and warning not in self._said:
                say(f"Warning: {warning}")
        self._said.update(outcome.warnings)
        self._count += 1
        if self._silent or table is None:
            return
        if self._count <= _MANY:
            tell(film_text(Timeline.load(table)), end="\n\n", flush=True)
        else:
            speed = f", {outcome.seconds / outcome.spent:.1f} times film speed" if outcome.spent > 0 else ""
            tell(f"{outcome.source}: {outcome.rows} rows from {outcome.seconds:.0f} s{speed}", flush=True)

    def end(self, job: Job, out: Path, *, quiet: bool) -> None:
        """Everything has ended: the pictures, and where things lie."""
        from tronie.core.timeline import Timeline
        from tronie.output.text import pictures_text
        from tronie.video.sources import passed_over

        photos = out / "photos.csv"
        if not self._silent and job.done and photos in job.written and job.total <= _MANY:
            tell(pictures_text(_apart(Timeline.load(photos))))
        for warning in job.warnings:
            say(f"Warning: {warning}")
        if quiet:
            return
        if job.passed:
            say(passed_over(job.passed))
        if job.before:
            say(f"{job.before} of {job.total} sources had been read before.")
        if job.written and len(job.written) <= _MANY:
            say("Written: " + ", ".join(map(str, job.written)))
        elif job.written:
            say(f"Written: {len(job.written)} tables in {out}.")


def _apart(timeline: Timeline) -> list[Timeline]:
    return [timeline.select(source=one.source) for one in timeline.looked]


def _print_json(job: Job, analyser: Analyser) -> None:
    from tronie.core.timeline import Timeline
    from tronie.core.timeline_io import write_json

    parts = [Timeline.load(table) for table in job.tables.values()]
    parts += [Timeline.load(path) for path in job.written if path.name == "photos.csv"]
    whole = Timeline.concat(parts or [Timeline.empty(analyser.labels, analyser.provenance)])
    said = dict.fromkeys((*whole.warnings, *(one.error for one in job.failed)))
    write_json(replace(whole, warnings=tuple(said)), JsonOut())
