"""Damaged and hostile files by the thousand: pictures, films, model folders, tables, settings.

    python benchmarks/robustness/hostile.py [--pictures 10000 --films 1000 --graphs 300 …]

Each file is read as the package reads it, in a process of its own kind that is watched from outside: one that dies is
a *crash*, one that takes more than ``--limit`` CPU-seconds over a file a *hang*, an exception that is no TronieError a
*traceback*. The files hold no face, so any row that says an expression is a *false answer*. A program that is started,
a neighbour that is opened, a file written outside the folder and a connection are *reached out*. Bytes are damaged for
the first kinds (``mutate.py``), structure for the others (``structured.py``). Of bytes, what gives an answer that was
not heard before is kept and damaged further (guided by answers, where coverage would cost too much). Everything is
seeded; what went wrong is kept beside the table with its bytes. Writes hostile.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hostile_files import Reader, shape
from mutate import mutated
from outside import Guard
from structured import KINDS as STRUCTURED

from tronie.core.errors import ModelError, SettingError, SourceError, TronieError
from tronie.core.words import printable

DAMAGED = ("pictures", "films", "models", "tables", "settings", "clips")
KINDS = (*DAMAGED, *STRUCTURED)
VERDICTS = ("crash", "hang", "traceback", "false answer", "reached out")
MEMORY = 6 << 30
"""Address space of a worker in bytes: a file that claims terabytes must be refused, not obeyed."""
SILENT = 300.0
"""Seconds after which a worker that uses no CPU time counts as hanging too; long, because a machine may be busy."""


def worker(kind: str, seed: int, start: int, count: int, limit: float) -> None:
    """Read files ``start`` to ``count``, each for at most ``limit`` CPU-seconds, and print JSON lines about them."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)  # what the libraries say of damage is no concern of ours
    with tempfile.TemporaryDirectory() as name:
        folder, private = Path(name, "work"), Path(name, "private")
        folder.mkdir()
        private.mkdir()
        for place in (folder, private):
            for neighbour in ("secret.bin", "secret.mp4", "secret.png", "secret.csv"):
                (place / neighbour).write_bytes(bytes(400))
        reader: Any = STRUCTURED[kind](folder) if kind in STRUCTURED else Reader(kind, folder)
        print(json.dumps({"ready": kind}), file=out, flush=True)
        corpus, heard = list(getattr(reader, "seeds", ())), set[str]()
        guard: Guard | None = None
        for number in range(start, count):
            rng = np.random.default_rng([seed, KINDS.index(kind), number])
            if kind in STRUCTURED:
                data = reader.make(rng)
            else:
                data = mutated(corpus if rng.random() < 0.3 else reader.seeds, rng, text=reader.text)
            os.chdir(private)  # where a library would look for a name without a folder
            print(json.dumps({"begin": number}), file=out, flush=True)
            began = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, limit)  # ends the process when the file has cost so much
            word, known = attempt(reader, data, number)
            signal.setitimer(signal.ITIMER_PROF, 0)
            if guard is None:  # what is imported late has been imported with the first file
                guard = Guard(folder, (folder, private))
                word, known = attempt(reader, data, number)
            if reached := guard.seen():
                word, known = "reached out", "; ".join(reached)
            if kind in DAMAGED and known not in heard and len(corpus) < 500 and len(data) < 50_000:
                heard.add(known)
                corpus.append(data)
            bad = data.hex() if word in VERDICTS else ""
            print(
                json.dumps(
                    {
                        "end": number,
                        "word": word,
                        "said": known,
                        "seconds": time.process_time() - began,
                        "bytes": bad[:20_000],
                    }
                ),
                file=out,
                flush=True,
            )


def attempt(reader: Reader, data: bytes, number: int) -> tuple[str, str]:
    """Read one file: the verdict, and what was said."""
    try:
        said = reader.read(data, number)
    except (SourceError, ModelError, SettingError) as error:
        return "refused", shape(error)
    except TronieError as error:
        return "traceback", f"{type(error).__name__}: {error}"
    except Exception as error:
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        return "traceback", f"{type(error).__name__}: {shape(error)} at {Path(place.filename).name}:{place.lineno}"
    return ("false answer" if "FALSE ANSWER" in said else "read" if said.startswith("read") else "refused"), said


def lines(process: subprocess.Popen[bytes], patience: float) -> Iterator[dict[str, Any] | None]:
    """What a worker prints, line by line; None where it is silent for so many seconds."""
    assert process.stdout is not None
    rest = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], patience)
        if not ready:
            yield None
            return
        piece = os.read(process.stdout.fileno(), 1 << 16)
        if not piece:
            return
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield json.loads(line)


def campaign(kind: str, seed: int, count: int, limit: float) -> dict[str, Any]:
    """Read ``count`` files; a worker that dies or hangs is noted and another one goes on behind that file."""
    words, said = Counter[str](), Counter[str]()
    bad: list[dict[str, Any]] = []
    at, slowest = 0, 0.0
    while at < count:
        arguments = [sys.executable, __file__, "--worker", kind, str(seed), str(at), str(count), str(limit)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        begun: int | None = None
        hung = False
        for line in lines(process, SILENT):
            if line is None:
                hung = True
                break
            if "begin" in line:
                begun = int(line["begin"])
            if "end" in line:
                begun, at = None, int(line["end"]) + 1
                words[line["word"]] += 1
                said[line["said"]] += 1
                slowest = max(slowest, float(line["seconds"]))
                if line["word"] in VERDICTS:
                    bad.append({"kind": kind, **line})
        process.kill()
        code = process.wait()
        if at < count:
            if begun is None:
                raise SystemExit(f"The worker for {kind} does not start (exit code {code}).")
            hung = hung or code == -signal.SIGPROF
            words["hang" if hung else "crash"] += 1
            bad.append({"kind": kind, "end": begun, "word": "hang" if hung else f"crash ({code})"})
            at = begun + 1
    return {"kind": kind, "count": count, "words": words, "answers": len(said), "slowest": slowest, "bad": bad}


def report(done: list[dict[str, Any]], command: str, seed: int, limit: float) -> str:
    """The table."""
    text = [
        "# Hostile input",
        "",
        f"`{command}`",
        "",
        f"Seed {seed}; at most {limit:g} CPU-s and {MEMORY >> 30} GiB of address space for a file.",
        "",
        "| files | damaged | refused in one sentence | read all the same | different answers | slowest, CPU-s | "
        + " | ".join(VERDICTS)
        + " |",
        "|" + " --- |" * (6 + len(VERDICTS)),
    ]
    for one in done:
        words = one["words"]
        cells = [
            one["kind"],
            *(f"{n:,}" for n in (one["count"], words["refused"], words["read"], one["answers"])),
            f"{one['slowest']:.1f}",
            *(str(words[v]) for v in VERDICTS),
        ]
        text.append(f"| {' | '.join(cells)} |")
    for bad in [b for one in done for b in one["bad"]][:40]:
        text += ["", f"- {bad['kind']} {bad['end']}: {bad['word']} {printable(bad.get('said', ''))[:300]}"]
    return "\n".join(text) + "\n"


def main() -> None:
    """Run the campaign, or one worker of it."""
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], *map(int, sys.argv[3:6]), float(sys.argv[6]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        few = 1_000 if kind in DAMAGED else 300
        parser.add_argument(f"--{kind}", type=int, default=10_000 if kind == "pictures" else few)
    parser.add_argument("--only-structured", action="store_true", help="leave out the kinds that damage bytes")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--limit", type=float, default=20.0, help="CPU-seconds for one file")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    given = parser.parse_args()
    done = []
    for kind in KINDS:
        if kind in DAMAGED and given.only_structured:
            continue
        if count := getattr(given, kind):
            done.append(campaign(kind, given.seed, count, given.limit))
            words = dict(done[-1]["words"])
            print(kind, words, [(b["end"], b["word"], b.get("said", "")) for b in done[-1]["bad"]][:8], flush=True)
            (given.out.with_suffix(".bad.json")).write_text(json.dumps([b for one in done for b in one["bad"]]))
    if not any(one["bad"] for one in done):
        given.out.with_suffix(".bad.json").unlink(missing_ok=True)
    command = "python benchmarks/robustness/hostile.py " + " ".join(sys.argv[1:])
    given.out.write_text(report(done, command.strip(), given.seed, given.limit), encoding="utf-8")


if __name__ == "__main__":
    main()
