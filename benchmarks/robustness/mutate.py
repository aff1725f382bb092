"""Seeded damage to files, as disks, networks and people with bad intentions do it."""

from __future__ import annotations

import re

import numpy as np

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (
    "",
    "-1",
    "0",
    "1e999",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    '"',
    "'",
    "\x00",
    "\ufeff",
    "99999999999999999999",
    "../../etc/passwd",
    "::",
    "😀",
    "\ud7ff",
    "a" * 5000,
    ",",
    "\n",
    "\r",
    "=",
    "[[",
    "]]",
)


def mutated(seeds: list[bytes], rng: np.random.Generator, *, text: bool) -> bytes:
    """One of ``seeds`` with one to four kinds of damage. ``text``: words and numbers are damaged as well as bytes."""
    data = bytearray(seeds[rng.integers(len(seeds))])
    for _ in range(rng.integers(1, 5)):
        in_words = text and rng.random() < 0.6
        data = bytearray(_worded(bytes(data), rng)) if in_words else _damaged(data, seeds, rng)
    return bytes(data)


def _damaged(data: bytearray, seeds: list[bytes], rng: np.random.Generator) -> bytearray:
    n = len(data)
    if n == 0:
        return bytearray(rng.bytes(8))
    # Headers are short and matter most: half of the damage is done to the first 200 bytes.
    at = int(rng.integers(min(n, 200) if rng.random() < 0.5 else n))
    kind = rng.integers(8)
    if kind == 0:  # single bits
        for _ in range(rng.integers(1, 17)):
            data[rng.integers(n)] ^= 1 << rng.integers(8)
    elif kind == 1:  # noise
        size = int(rng.integers(1, 65))
        data[at : at + size] = rng.bytes(len(data[at : at + size]))
    elif kind == 2:  # cut off
        del data[int(rng.integers(n)) :]
    elif kind == 3:  # a piece is missing
        del data[at : at + int(rng.integers(1, 257))]
    elif kind == 4:  # a piece comes twice
        data[at:at] = data[at : at + int(rng.integers(1, 257))]
    elif kind == 5:  # a number at its limits, of either byte order
        size = int(rng.choice([1, 2, 4]))
        value = int(rng.choice(np.array(_EXTREMES, np.int64))) & ((1 << 8 * size) - 1)
        data[at : at + size] = value.to_bytes(size, "big" if rng.random() < 0.5 else "little")
    elif kind == 6:  # the end of another file
        other = seeds[rng.integers(len(seeds))]
        data = data[:at] + bytearray(other[int(rng.integers(len(other) + 1)) :])
    else:  # emptied
        size = int(rng.integers(1, 129))
        data[at : at + size] = bytes(len(data[at : at + size]))
    return data


def _worded(data: bytes, rng: np.random.Generator) -> bytes:
    """A word or number replaced, a line doubled, dropped or moved."""
    text = data.decode("utf-8", "replace")
    if rng.random() < 0.7:
        found = list(re.finditer(r"[\w.+-]+", text))
        if found:
            one = found[rng.integers(len(found))]
            text = text[: one.start()] + str(_WORDS[rng.integers(len(_WORDS))]) + text[one.end() :]
    else:
        lines = text.splitlines(keepends=True)
        if lines:
            at, to = rng.integers(len(lines), size=2)
            line = lines[at]
            if rng.random() < 0.5:
                del lines[at]
            if rng.random() < 0.6:
                lines.insert(int(to), line)
            text = "".join(lines)
    return text.encode("utf-8", "replace")
