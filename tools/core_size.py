"""Say how large a core installation is, and fail where it is above the budget or holds what it must not.

    python tools/core_size.py            (with the Python of an environment in which Tronie is installed)

Counts the files of Tronie and of everything its core dependencies need, compiled bytecode included, whatever else
the environment holds. Exit code 1 above BUDGET or where a barred package would come with the core.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

BUDGET = 480.0
"""MB (10^6 bytes), site-packages without pip."""

BARRED = ("torch", "scipy", "pandas", "matplotlib", "scikit-learn")


def needs(package: Distribution) -> list[str]:
    """Names of the distributions that a plain install of ``package`` brings here, extras left out."""
    found = []
    for requirement in package.requires or []:
        name, _, marker = requirement.partition(";")
        if "extra" not in marker:
            found.append(re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0])
    return found


def closure(name: str) -> dict[str, Distribution]:
    """``name`` and everything it needs, by normalised name. What a marker leaves out on this machine is absent."""
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        key = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if key in found:
            continue
        try:
            found[key] = distribution(key)
        except PackageNotFoundError:
            continue
        waiting += needs(found[key])
    return found


def megabytes(package: Distribution) -> float:
    """Size of a distribution's files on disk."""
    files = {Path(str(package.locate_file(file))).resolve() for file in package.files or []}
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def main() -> int:
    """Print the total and the largest parts; returns the exit code."""
    parts = closure("tronie")
    if "tronie" not in parts:
        print("Tronie is not installed for this Python: run python -m pip install . first.")
        return 2
    if not any(str(file).endswith("tronie/__init__.py") for file in parts["tronie"].files or []):
        print("Tronie is installed as a link to its source: run python -m pip install . to measure what ships.")
        return 2
    sizes = {name: megabytes(package) for name, package in parts.items()}
    total = sum(sizes.values())
    largest = [*sorted(sizes, key=lambda name: -sizes[name])[:5], "tronie"]
    shown = ", ".join(f"{name} {sizes[name]:.0f}" for name in dict.fromkeys(largest))
    print(f"core size: {total:.0f} MB in {len(parts)} packages (budget {BUDGET:.0f} MB): {shown}")
    barred = [name for name in BARRED if name in parts]
    if barred:
        print(f"The core must not need {', '.join(barred)}: move it to an extra.")
    if total > BUDGET:
        print(f"The core is {total - BUDGET:.0f} MB above its budget.")
    return 1 if barred or total > BUDGET else 0


if __name__ == "__main__":
    sys.exit(main())
