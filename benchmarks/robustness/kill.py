"""kill -9 at random moments of a film: the table must be that of an uninterrupted run, and little is read twice.

    python benchmarks/robustness/kill.py FILM [--minutes 10 --moments 20 --fps 5]

The film's packets are looped to ``--minutes``. One run is left alone; the other is killed at ``--moments`` random
moments of the film (seeded) and begun again each time with the same command. Every frame that the decoder gives and
every frame that the chain is handed is logged by its film time, so that what was read twice is counted, not estimated.
Writes kill.md.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import av

from tronie.video.decode import Decoder
from tronie.video.reader import VideoReader, probe


def looped(film: Path, minutes: float, target: Path) -> None:
    """The film's packets over and over, unchanged, until ``minutes`` are full."""
    with av.open(str(target), "w") as out:
        base, stream = 0, None
        while base == 0 or base * stream.time_base < minutes * 60:
            with av.open(str(film)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                end = 0
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.pts, packet.dts, packet.stream = packet.pts + base, packet.dts + base, stream
                    out.mux(packet)
                base += end


def logged(log: Path) -> None:
    """Let every frame that is decoded (d) or handed out (f) leave a line in ``log``, unbuffered."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    decoded, handed = Decoder.frames, VideoReader.__next__

    def frames(self):  # type: ignore[no-untyped-def]
        for ticks, frame in decoded(self):
            os.write(handle, b"d %.6f\n" % (ticks * self.tick))
            yield ticks, frame

    def following(self):  # type: ignore[no-untyped-def]
        frame = handed(self)
        os.write(handle, b"f %.6f\n" % frame.time)
        return frame

    Decoder.frames, VideoReader.__next__ = frames, following  # type: ignore[method-assign]


def job(film: str, out: str, fps: str, log: str) -> int:
    """The command, with its frames logged."""
    from tronie import cli

    logged(Path(log))
    return cli.main(["predict", film, "--out", out, "--fps", fps, "--quiet"])


def last(log: Path) -> float:
    """Film time of the newest frame handed to the chain."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - 400, 0))
            found = [line for line in file.read().splitlines()[1:] if line.startswith(b"f ") and len(line) > 7]
    except OSError:
        return 0.0
    return float(found[-1][2:]) if found else 0.0


def run(film: Path, out: Path, fps: float, log: Path) -> subprocess.Popen[bytes]:
    """Begin the command in a process of its own."""
    return subprocess.Popen([sys.executable, __file__, "--job", str(film), str(out), str(fps), str(log)])


def read_twice(logs: list[Path]) -> list[tuple[float, float]]:
    """Per restart: seconds of film handed out again, and decoded again (from the keyframe), in film time."""
    reached, answers = 0.0, []
    for log in logs:
        times: dict[str, list[float]] = {"d": [], "f": []}
        for line in log.read_text().splitlines():
            kind, _, value = line.partition(" ")
            if "." in value:
                times[kind].append(float(value))
        if reached and times["f"]:
            # The decoder's first frame comes when the film is opened, before the chain goes to its place.
            decoded = [t for before, t in zip(times["d"], times["d"][1:], strict=False) if t > 1.0 or before > 1.0]
            start = min(decoded) if decoded else times["f"][0]
            answers.append((max(reached - times["f"][0], 0.0), max(reached - start, 0.0)))
        reached = max([reached, *times["f"]])
    return answers


def main() -> None:
    """Run both, compare, and write the table."""
    if sys.argv[1:2] == ["--job"]:
        raise SystemExit(job(*sys.argv[2:6]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--fps", type=float, default=5)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = folder / f"film{given.film.suffix}"
        looped(given.film, given.minutes, film)
        assert run(film, folder / "whole", given.fps, folder / "whole.log").wait() == 0
        rng = random.Random(given.seed)
        length = given.minutes * 60
        moments = sorted(rng.uniform(0, length) for _ in range(given.moments))
        logs, kills = [], 0
        for number, moment in enumerate(moments):
            logs.append(folder / f"{number}.log")
            process = run(film, folder / "killed", given.fps, logs[-1])
            while process.poll() is None and last(logs[-1]) < moment:
                time.sleep(0.003)
            time.sleep(rng.random() * 0.05)
            process.kill()
            kills += process.wait() == -9
        logs.append(folder / "last.log")
        assert run(film, folder / "killed", given.fps, logs[-1]).wait() == 0
        names = sorted(p.name for p in (folder / "whole").iterdir() if p.is_file() and p.name != "jobs.jsonl")
        same = [n for n in names if (folder / "whole" / n).read_bytes() == (folder / "killed" / n).read_bytes()]
        rows = (folder / "whole" / "film.csv").read_bytes().count(b"\n") - 1
        twice = read_twice(logs)
        handed, decoded = [a for a, _ in twice], [b for _, b in twice]
        info = probe(film)
    command = "python benchmarks/robustness/kill.py " + " ".join(Path(a).name if "/" in a else a for a in sys.argv[1:])
    text = f"""# kill -9 at random moments of a film

`{command}`

| what | measured |
| --- | --- |
| film | {given.film.name} looped to {given.minutes:g} minutes, {info.width}x{info.height} |
| frames looked at | {given.fps:g} a second |
| rows | {rows:,} |
| killed by SIGKILL, of so many moments | {kills} of {given.moments} (seed {given.seed}) |
| files the same to the byte ({", ".join(names)}) | {len(same)} of {len(names)} |
| film read twice after a kill, at most | {max(handed):.1f} s (median {median(handed):.1f} s) |
| film decoded twice, with the way from the keyframe, at most | {max(decoded):.1f} s |
| budget | 10 s plus one group of pictures |
"""
    given.out.write_text(text, encoding="utf-8")
    print(text)
    if len(same) != len(names):
        raise SystemExit("The tables differ.")


if __name__ == "__main__":
    main()
