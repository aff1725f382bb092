"""CLIP's tokenizer: byte-pair encoding of lower-cased words (Sennrich et al., ACL 2016; Radford et al., ICML 2021).

Its vocabulary is no part of this package: it lies beside the checkpoint, as OpenAI's ``bpe_simple_vocab_16e6.txt.gz``
or as Hugging Face's ``vocab.json`` with ``merges.txt``, or ``tokenizer.json``.
"""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from tronie.core.errors import ModelError
from tronie.core.files import read_json

OPENAI = "bpe_simple_vocab_16e6.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"
# letters, single digits, runs of other signs; the authors' pattern, written for the standard library
_PIECES = re.compile(r"'(?:s|t|re|ve|m|ll|d)|[^\W\d_]+|\d|(?:[^\s\w]|_)+")


def _byte_signs() -> dict[int, str]:
    """A printable sign for each byte, in the vocabulary's order: what is printable stands for itself."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}


class Tokenizer:
    """Texts to numbers. ``vocabulary``: sign sequence → number; ``merges``: pairs in the order they are merged in."""

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self.vocabulary, self.rank = vocabulary, {pair: i for i, pair in enumerate(merges)}
        self.signs = _byte_signs()

    def encode(self, text: str, most: int) -> list[int]:
        """Numbers of ``text`` between start and end, at most ``most`` in all; what is longer is cut."""
        clean = " ".join(html.unescape(text).lower().split())
        pieces = ["".join(self.signs[b] for b in piece.encode()) for piece in _PIECES.findall(clean)]
        inner = [self.vocabulary[part] for piece in pieces for part in self._merge(piece)]
        return [self.vocabulary[START], *inner[: most - 2], self.vocabulary[END]]

    def _merge(self, piece: str) -> list[str]:
        parts = [*piece[:-1], piece[-1] + "</w>"]
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            best = min(pairs, key=lambda pair: self.rank.get(pair, len(self.rank)))
            if best not in self.rank:
                break
            merged, i = [], 0
            while i < len(parts):
                both = tuple(parts[i : i + 2]) == best
                merged.append("".join(best) if both else parts[i])
                i += 2 if both else 1
            parts = merged
        return parts


def find_tokenizer(folder: Path, tokens: int) -> Tokenizer:
    """The tokenizer whose files lie in ``folder``, for a network of ``tokens`` tokens. Raises ModelError."""
    try:
        if (folder / OPENAI).is_file():
            lines = gzip.decompress((folder / OPENAI).read_bytes()).decode().split("\n")
            made = _from_merges(_pairs(lines[1 : tokens - 2 * 256 - 2 + 1]))
        elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
            merges = _pairs(line for line in lines if not line.startswith("#version"))
            made = Tokenizer(read_json(folder / "vocab.json", error=ModelError), merges)
        elif (folder / "tokenizer.json").is_file():
            model = read_json(folder / "tokenizer.json", error=ModelError)["model"]
            merges = _pairs(m if isinstance(m, str) else " ".join(m) for m in model["merges"])
            made = Tokenizer(model["vocab"], merges)
        else:
            raise ModelError(
                f"CLIP's vocabulary is missing in {folder}: put OpenAI's {OPENAI} there, or Hugging "
                "Face's vocab.json and merges.txt."
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"CLIP's vocabulary in {folder} cannot be read ({error}): fetch its files again.") from error
    if len(made.vocabulary) > tokens or not {START, END} <= made.vocabulary.keys():
        raise ModelError(
            f"The vocabulary in {folder} is not that of this checkpoint: {len(made.vocabulary)} tokens "
            f"for a network of {tokens}. Put the right files beside it."
        )
    return made


def _pairs(lines: Iterable[str]) -> list[tuple[str, str]]:
    found = []
    for line in lines:
        if line.strip():
            first, second = line.split()  # a ValueError where it is no pair
            found.append((first, second))
    return found


def _from_merges(merges: list[tuple[str, str]]) -> Tokenizer:
    """OpenAI's order of numbers: bytes, bytes that end a word, merged pairs, start, end."""
    signs = list(_byte_signs().values())
    every = [*signs, *(f"{sign}</w>" for sign in signs), *("".join(pair) for pair in merges), START, END]
    return Tokenizer({token: i for i, token in enumerate(every)}, merges)
