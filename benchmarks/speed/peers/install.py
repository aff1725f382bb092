"""Make an environment for every peer, each in a folder of its own outside this repository.

    python benchmarks/speed/peers/install.py [NAME…] [--to FOLDER] [--all]

FOLDER is ``$TRONIE_PEERS`` or ``~/.cache/tronie-peers``. Without names the light ones are made (``mtcnn`` needs 5 GB).
What is there already is left alone; what fails is written down in ``FOLDER/NAME/failed.txt`` and shown in the table.
Python peers get a virtual environment of the Python that runs this; ``human`` and ``face-api`` need ``npm``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(os.environ.get("TRONIE_PEERS") or Path.home() / ".cache" / "tronie-peers")


@dataclass(frozen=True)
class Peer:
    """``pip``: lists of requirements, installed one after the other; ``npm``: packages; ``note``: what was repaired."""

    note: str
    pip: tuple[tuple[str, ...], ...] = ()
    npm: tuple[str, ...] = ()
    heavy: bool = False


TFJS = ("@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0")

PEERS: dict[str, Peer] = {
    # As published it brings OpenCV 5, which has no Haar cascade, and needs pkg_resources, which setuptools 81 dropped.
    "fer": Peer(
        "repaired: opencv < 5, tensorflow-cpu, setuptools < 81",
        (
            ("--no-deps", "fer==25.10.3"),
            ("opencv-python-headless<5", "tensorflow-cpu", "setuptools<81", "pandas", "requests", "tqdm", "pillow"),
        ),
    ),
    "human": Peer("wasm", npm=("@vladmandic/human@3.3.6", *TFJS)),
    "face-api": Peer("wasm", npm=("@vladmandic/face-api@1.7.15", *TFJS)),
    "mediapipe": Peer("detection and mesh; it reads no expression", (("mediapipe==0.10.14",),)),
    "mtcnn": Peer("detection only; facenet-pytorch", (("facenet-pytorch",),), heavy=True),
}


def make(name: str, folder: Path) -> str:
    """Make one environment; returns what to say of it."""
    place, peer = folder / name, PEERS[name]
    if (place / "made.txt").is_file():
        return f"{name}: there already"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    commands: list[list[str]] = []
    if peer.pip:
        python = place / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        commands.append([sys.executable, "-m", "venv", str(place / "venv")])
        commands += [[str(python), "-m", "pip", "install", "--quiet", *wanted] for wanted in peer.pip]
    if peer.npm:
        commands.append(
            [
                shutil.which("npm") or "npm",
                "install",
                "--prefix",
                str(place),
                "--no-fund",
                "--no-audit",
                "--ignore-scripts",
                *peer.npm,
            ]
        )
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True)
            error = "" if done.returncode == 0 else (done.stderr or done.stdout).strip()
        except OSError as problem:
            error = str(problem)
        if error:
            (place / "failed.txt").write_text(error + "\n", encoding="utf-8")
            return f"{name}: failed ({error.splitlines()[-1]})"
    size = sum(f.stat().st_size for f in place.rglob("*") if f.is_file() and not f.is_symlink()) / 1e6
    (place / "made.txt").write_text(f"{size:.0f}\n", encoding="utf-8")
    return f"{name}: {size:.0f} MB"


def main() -> None:
    """Read the arguments and make what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=", ".join(PEERS))
    parser.add_argument("--to", type=Path, default=FOLDER)
    parser.add_argument("--all", action="store_true", help="also what needs several GB")
    given = parser.parse_args()
    for name in given.names or [name for name, peer in PEERS.items() if given.all or not peer.heavy]:
        print(make(name, given.to), flush=True)


if __name__ == "__main__":
    main()
