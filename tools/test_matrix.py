"""The tests under what differs from machine to machine: threads, instruction sets, order, draws, locale, real data.

    python tools/test_matrix.py                       make test-matrix: the default tests under every setting
    python tools/test_matrix.py --only AVX2 tests/nn  those settings whose name contains AVX2, and some tests alone

Prints a line a setting, then the tests that failed; ends with 1 if any did.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Setting:
    """Variables of the environment and options of pytest under which the tests run."""

    name: str
    variables: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


def _drawn(seed: int) -> Setting:
    return Setting(f"other order and draws: {seed}", options=(f"--draw={seed}", f"--hypothesis-seed={seed}"))


SETTINGS = (
    Setting("as it is"),
    Setting("OMP_NUM_THREADS=1", {"OMP_NUM_THREADS": "1"}),
    Setting("OMP_NUM_THREADS=2", {"OMP_NUM_THREADS": "2"}),
    Setting("AVX2 in PyTorch", {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
    Setting("OPENBLAS_CORETYPE=Haswell", {"OPENBLAS_CORETYPE": "Haswell"}),
    _drawn(1),
    _drawn(2),
    Setting("LC_ALL=C", {"LC_ALL": "C"}),
    Setting("no real data", {"TRONIE_DATA": str(ROOT / "no-such-folder")}),
)


@dataclass(frozen=True)
class Result:
    """How many tests ended how, which ones badly, and the seconds of a clock on the wall."""

    passed: int
    failed: tuple[str, ...]
    skipped: int
    seconds: float


def run(setting: Setting, arguments: list[str]) -> Result:
    """Run pytest under ``setting``. What other settings set is unset in its environment."""
    varied = {name for one in SETTINGS for name in one.variables}
    environment = {k: v for k, v in os.environ.items() if k not in varied} | setting.variables
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *setting.options, *arguments]
        begun = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        seconds = time.monotonic() - begun
        if not report.is_file():  # pytest did not come to its end: say all it said
            return Result(0, (f"pytest ended with {done.returncode}:\n{done.stdout}",), 0, seconds)
        return read(report, seconds)


def read(report: Path, seconds: float) -> Result:
    """Count what a JUnit report tells."""
    passed, failed, skipped = 0, [], 0
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Result(passed, tuple(failed), skipped, seconds)


def main() -> int:
    """Run the settings, one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="settings whose name contains this")
    parser.add_argument("--jobs", default="auto", help="processes of pytest-xdist, four at most; 0: none")
    parser.add_argument("tests", nargs="*", help="tests to run, by default all that are not slow")
    given = parser.parse_args()
    workers = [] if given.jobs == "0" else ["-n", given.jobs, "--maxprocesses=4", "--dist=loadfile"]
    arguments = [*workers, *given.tests]
    bad = 0
    print("| setting | passed | failed | skipped | seconds |\n| --- | --- | --- | --- | --- |", flush=True)
    for setting in SETTINGS:
        if given.only not in setting.name:
            continue
        found = run(setting, arguments)
        print(f"| {setting.name} | {found.passed} | {len(found.failed)} | {found.skipped} | {found.seconds:.0f} |")
        print("".join(f"  {one}\n" for one in found.failed), end="", flush=True)
        bad += len(found.failed) + (found.passed == 0)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
