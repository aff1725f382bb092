"""``tronie predict`` at the terminal."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tronie.cli.archive import Sharing, into_folder
from tronie.cli.common import STOPPED, JsonOut, Quiet, Reading, interruptible, say, tell
from tronie.cli.options import refuse_for_photos
from tronie.core.atomic import ensure_writable
from tronie.core.errors import SettingError, SourceError

if TYPE_CHECKING:
    from tronie.core.timeline import Timeline
    from tronie.pipeline.analyser import Analyser
    from tronie.pipeline.results import Results

DEFAULT, ALONE = Reading(), Sharing()


def predict(
    *sources: str,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    reading: Reading = DEFAULT,
    sharing: Sharing = ALONE,
    baseline: Literal["model", "person"] = "model",
    csv_safe: bool = False,
    json: bool = False,
    quiet: Quiet = False,
) -> int:
    """Read pictures and films: who shows which expression, from when to when.

    Parameters
    ----------
    sources
        Pictures, films, folders, or patterns such as 'photos/*.jpg'.
    out
        Where to write: a table (.csv, .json, .parquet), or a folder for a table per film, one of all photos, one of all
        segments, and a ledger (jobs.jsonl).
    baseline
        Compare faces in films with the average neutral face (model) or with the same person's own (person).
    csv_safe
        Write an apostrophe before text that a spreadsheet would run as a formula (a table .csv only).
    json
        Print one JSON document instead of a table.
    quiet
        Print nothing but errors.
    """
    from tronie.core.timeline import Timeline
    from tronie.core.timeline_io import write_json
    from tronie.pipeline.analyser import Analyser
    from tronie.pipeline.results import Results, is_folder
    from tronie.pipeline.settings import Settings
    from tronie.video.sources import passed_over

    folder = out if out is not None and is_folder(out) else None
    if folder is None and sharing != ALONE:
        raise SettingError("--jobs, --engine and --no-resume are for a folder of results: give one with --out FOLDER.")
    if csv_safe and (out is None or folder is not None or out.suffix.lower() != ".csv"):
        raise SettingError("--csv-safe is for one table: give its name with --out TABLE.csv.")
    refuse_for_photos(sources, reading, baseline)
    results = Results(out, csv_safe=csv_safe) if out is not None and folder is None else None
    printer = Printer(json=json, quiet=quiet)
    with interruptible() as stopped:
        if folder is not None:
            ensure_writable(folder / "jobs.jsonl")
        settings = Settings(
            detector=reading.detector,
            fps=reading.fps,
            provider=reading.provider,
            baseline=baseline,
            video_track=reading.video_track,
        )
        analyser = Analyser(reading.model, settings=settings)
        if folder is not None:
            return into_folder(sources, folder, analyser, sharing, reading.model, stopped, json=json, quiet=quiet)
        written = _work(sources, analyser, results, printer, stopped)
    if printer.passed and not quiet:
        say(passed_over(printer.passed))
    if json:
        write_json(Timeline.concat(printer.kept or [Timeline.empty(analyser.labels, analyser.provenance)]), JsonOut())
    if stopped.is_set():
        say("Stopped. " + ("What was done is saved." if written else "What was done is above."))
        return STOPPED
    return SourceError.exit_code if printer.failed else 0


def _work(
    sources: Sequence[str], analyser: Analyser, results: Results | None, printer: Printer, stopped: threading.Event
) -> list[Path]:
    """Do source after source; what is done is printed and saved, whatever comes in between. Returns the files."""
    from tronie.cli.progress import bar
    from tronie.pipeline.predict import predict_each

    written: list[Path] = []
    try:
        with bar(hidden=printer.quiet) as report:
            for name, timeline in predict_each(
                sources, analyser, report=report, stop=stopped.is_set, passed=printer.passed.append
            ):
                try:
                    if results is not None:
                        results.add(timeline)
                finally:
                    printer.add(name, timeline)
    finally:
        try:
            written = results.close() if results is not None else []
        finally:
            printer.close(written)
    return written


class Printer:
    """Prints films as they are done and pictures together at the end; warnings go to standard error."""

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self.kept: list[Timeline] = []  # for the JSON document, or the pictures
        self.failed = 0
        self.passed: list[str] = []
        self._said: set[str] = set()
        self._json, self.quiet = json, quiet

    def add(self, name: str, timeline: Timeline) -> None:
        """Print one source's film, or keep its pictures for the end."""
        from tronie.output.text import film_text

        for warning in timeline.warnings:
            if warning not in self._said:  # photos all get the same
                say(f"Warning: {warning}")
        self._said.update(timeline.warnings)
        self.failed += not timeline.looked
        if self._json or (timeline.looked and timeline.looked[0].kind == "image"):
            self.kept.append(timeline)
        elif timeline.looked and not self.quiet:
            tell(film_text(timeline), end="\n\n", flush=True)

    def close(self, written: Sequence[Path]) -> None:
        """Print the pictures, and say which files were written."""
        from tronie.output.text import pictures_text

        if self.quiet:
            return
        if self.kept and not self._json:
            tell(pictures_text(self.kept))
        if written:
            say("Written: " + ", ".join(map(str, written)))
