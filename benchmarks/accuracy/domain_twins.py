"""Near-duplicates between the packs, and within a pack between what is kept apart (splits, folds, people, films).

    python benchmarks/accuracy/domain_twins.py DATA CACHE

Two pictures are twins if the project's perceptual hashes differ in few bits: of the pictures as published
(``tronie.metrics.duplicates.DISTANCE``), or of the aligned faces, which sees through another crop of one photo. Aligned
faces of strangers are more alike than pictures are, so those must be closer. Writes row names and distances, no pixels,
to ``benchmarks/accuracy/domains/twins.csv``; ``domain_packs.twin_rows`` reads them.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from domain_packs import FILES, TWINS, Pack, arrays, faces_of, pictures, read_pack
from numpy.typing import NDArray

from tronie.datasets.check import small_grey
from tronie.metrics.duplicates import DISTANCE, close_pairs, perceptual_hash

ALIGNED = 40
"""Bits of 256 that the hashes of twins' aligned faces may differ in. Looked at by eye between packs: see domains.md."""

Hashes = NDArray[np.uint8]


def hashed(name: str, data: Path, cache: Path) -> tuple[Hashes, Hashes]:
    """Hashes ``(n, 32)`` of a pack's pictures and of its aligned faces, kept in CACHE."""
    path = cache / f"{name}.hashes.npz"
    if not path.is_file():
        grey = (
            np.stack([small_grey(p) for p in pictures(arrays(name, data))]),
            np.stack([small_grey(f) for f in faces_of(name, cache)]),
        )
        parts = [np.concatenate([perceptual_hash(g[i : i + 4096]) for i in range(0, len(g), 4096)]) for g in grey]
        np.savez(path, picture=parts[0], aligned=parts[1])
    with np.load(path) as file:
        return file["picture"], file["aligned"]


def kept_apart(one: Pack, other: Pack, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs of rows must not be on both sides of a cut: other packs, other splits, or other people or films."""
    first, second = pairs.T
    if {one.name, other.name} == {"coded-peaks", "coded-sequences"}:  # sequences of the same people
        return one.group[first] != other.group[second]
    if one.name != other.name:
        return np.ones(len(pairs), bool)
    crossing = (one.split[first] != one.split[second]) | (one.group[first] != one.group[second])
    # Where every photo is its own group (FERPlus, contempt) a pair within the same split crosses nothing.
    alone = len(np.unique(one.group)) > 0.9 * len(one)
    return (first < second) & (one.split[first] != one.split[second] if alone else crossing)


def flat(hashes: Hashes) -> NDArray[np.bool_]:
    """Pictures without contrast (black frames): half of the bits are set in the hash of any other."""
    return np.bitwise_count(hashes).sum(1) < 100


def twins(data: Path, cache: Path, distance: int, aligned: int) -> list[tuple[str, str, int, int]]:
    """Pairs of rows with both distances in bits."""
    names = [name for name in FILES if (cache / f"{name}.found.npy").is_file()]  # the packs that were cut
    packs = {name: read_pack(name, data) for name in names}
    hashes = {name: hashed(name, data, cache) for name in names}
    found = []
    for one, other in combinations_with_replacement(names, 2):
        near = [
            pairs
            for kind, most in enumerate((distance, aligned))
            for pairs in close_pairs(hashes[one][kind], hashes[other][kind], most)
        ]
        pairs = np.unique(np.concatenate(near), axis=0)
        pairs = pairs[~(flat(hashes[one][0])[pairs[:, 0]] | flat(hashes[other][0])[pairs[:, 1]])]
        pairs = pairs[kept_apart(packs[one], packs[other], pairs)]
        apart = [np.bitwise_count(hashes[one][k][pairs[:, 0]] ^ hashes[other][k][pairs[:, 1]]).sum(1) for k in (0, 1)]
        found += [(f"{one}/{a}", f"{other}/{b}", int(p), int(q)) for (a, b), p, q in zip(pairs, *apart, strict=True)]
    return found


def main() -> None:
    """Search, write, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--distance", type=int, default=DISTANCE)
    parser.add_argument("--aligned", type=int, default=ALIGNED)
    parser.add_argument("--out", type=Path, default=TWINS)
    given = parser.parse_args()
    found = twins(given.data, given.cache, given.distance, given.aligned)
    given.out.parent.mkdir(exist_ok=True)
    with given.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("first", "second", "picture_bits", "aligned_bits"), *found])
    counts = Counter((a.partition("/")[0], b.partition("/")[0]) for a, b, _, _ in found)
    print("| packs | pairs |\n| --- | --- |")
    print("\n".join(f"| {a}, {b} | {n} |" for (a, b), n in sorted(counts.items())))


if __name__ == "__main__":
    main()
