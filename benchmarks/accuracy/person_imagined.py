"""Is the neutral face that KE2NT imagines a person's own neutral? The films of person.py, with the person held out.

    python benchmarks/accuracy/person_imagined.py acted_clips_train.npz PREPARED/rafdb CACHED [--cache FOLDER]

KE2NT learns from RAF-DB on a frozen encoder's features, which ``cached.py PREPARED/rafdb dlib-resnet29 CACHED`` keeps;
it has seen no acted clip. The person's neutral ``r`` is the mean of what it imagines behind the faces of a film, and a
face is read in three ways: by the cosines of ``feature - r`` with ``words - words[neutral]``, where neutral gets a
cosine chosen on the other actors; with ``r`` moved to where the word neutral lies; and with ``r`` moved to the mean of
the other actors. A clip counts with each seed. Intervals are 95 % bootstraps over actors.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from acted import Clip, packed
from cached import Cache, encoder_of, fit, open_cache, see
from guard import LIKELY
from numpy.typing import NDArray
from person import Right, accuracy_table, films, judged, left_out

from tronie.core.labels import BASIC7
from tronie.data.loader import Rows
from tronie.data.prepared import open_prepared
from tronie.faces.detect import RetinaFace
from tronie.methods.ke2nt import KE2NT, SCALE, KE2NTConfig
from tronie.metrics.calibration import softmax
from tronie.models.catalog import load_model
from tronie.pipeline.settings import Settings
from tronie.train.optim import Optim
from tronie.train.precision import fast_precision

Array = NDArray[np.float64]
SEEDS, EPOCHS = (0, 1, 2), 8
COSINES = [(cosine, 0.0) for cosine in (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5)]
NEUTRAL = BASIC7.neutral
assert NEUTRAL is not None


@dataclass(frozen=True, eq=False)
class Seen:
    """What one trained KE2NT says of each clip: ``feature`` and ``imagined`` (looks, d) by clip; ``words`` (7, d)."""

    feature: dict[int, Array]
    imagined: dict[int, Array]
    words: Array

    def rest(self, film: list[Clip]) -> Array:
        """The person's neutral."""
        return np.asarray(np.concatenate([self.imagined[id(clip)] for clip in film]).mean(0))

    def matched(self, film: list[Clip], moved: Array | float) -> list[Array]:
        """The usual reading of features that are moved."""
        return [softmax(SCALE * cosines(self.feature[id(clip)] - moved, self.words)) for clip in film]

    def change(self, film: list[Clip], neutral: float) -> list[Array]:
        """Changes against the person's neutral, compared with those of the words."""
        r, turned, found = self.rest(film), self.words - self.words[NEUTRAL], []
        for clip in film:
            near = cosines(self.feature[id(clip)] - r, turned)
            near[:, NEUTRAL] = neutral
            found.append(softmax(SCALE * near))
        return found

    def at_the_word(self, film: list[Clip]) -> Array:
        """From the person's neutral to the word, at the same length."""
        r, word = self.rest(film), self.words[NEUTRAL]
        return np.asarray(r - word * np.linalg.norm(r) / np.linalg.norm(word))


def cosines(a: Array, b: Array) -> Array:
    """Cosines ``(n, m)`` of rows; 0 with a row of zeros."""
    lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return np.asarray(a @ b.T / np.maximum(lengths, 1e-9))


@torch.no_grad()
def looked_at(crops: NDArray[np.uint8], faces: NDArray[np.uint8], cache: Cache) -> torch.Tensor:
    """Aligned faces as the frozen encoder sees them, laid out as a cache's clips."""
    encoder, parts = encoder_of(cache.about["encoder"], faces)[0], []
    for start in range(0, len(crops), 64):
        pixels = torch.from_numpy(crops[start : start + 64]).permute(0, 3, 1, 2).float()
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision().bf16):
            parts.append([f.half().numpy() for f in see(encoder, pixels.contiguous(memory_format=torch.channels_last))])
    maps, feature = (np.concatenate(column)[:, None] for column in zip(*parts, strict=True))
    return Cache(cache.manifest, maps, feature, 0, {}).clip(np.arange(len(maps)), np.zeros(len(maps), np.int64))


def taught(seed: int, cache: Cache, faces: NDArray[np.uint8], clips: list[Clip], places: torch.Tensor) -> Seen:
    """KE2NT as its ablation trains it, on all of RAF-DB's training part, and what it says of the clips."""
    torch.manual_seed(seed)
    manifest = cache.manifest.relabel(BASIC7)
    target = np.eye(len(BASIC7), dtype=np.float32)[manifest.label]
    method = KE2NT(BASIC7, KE2NTConfig(encoder="cached:Tail"))
    rows = Rows(faces, np.arange(len(manifest)), target, np.ones(len(manifest), np.float32))
    fit(method, cache, rows, EPOCHS, seed, Optim(ema=0.0, rate=1.5e-3))
    with torch.no_grad():
        output = method(places)
    assert output.neutral is not None
    ends = np.cumsum([len(clip.looks) for clip in clips])[:-1]
    both = [np.split(of.double().numpy(), ends) for of in (output.feature, output.neutral)]
    feature, imagined = ({id(c): part for c, part in zip(clips, of, strict=True)} for of in both)
    return Seen(feature, imagined, method.text.double().numpy())


def ways(seen: Seen, clips: list[Clip]) -> tuple[dict[str, dict[str, Right]], dict[int, tuple[float, float]]]:
    """Every way of reading on every kind of films, and the cosines that were chosen for neutral."""
    kinds = films(clips)
    everyone = {film[0].actor: seen.rest(film) for film in kinds["everything acted"]}
    others = {a: np.mean([r for b, r in everyone.items() if b != a], 0) for a in everyone}
    tried = {
        pair: {kind: judged(some, lambda f, p=pair: seen.change(f, p[0]), BASIC7) for kind, some in kinds.items()}
        for pair in COSINES
    }
    changed, picks = left_out(tried, "everything acted")
    moves = {
        "as it is": lambda film: 0.0,
        "the person's neutral at the word": seen.at_the_word,
        "the person's neutral at other people's": lambda film: seen.rest(film) - others[film[0].actor],
    }
    found = {
        name: {
            kind: judged(some, lambda film, by=by: seen.matched(film, by(film)), BASIC7) for kind, some in kinds.items()
        }
        for name, by in moves.items()
    }
    return found | {"change, compared with the words'": changed}, picks


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("prepared", type=Path, help="RAF-DB as `tronie prepare` wrote it")
    parser.add_argument("cached", type=Path, help="its features, as cached.py wrote them")
    parser.add_argument("--cache", type=Path, help="folder in which found and aligned faces are kept")
    given = parser.parse_args()
    torch.set_num_threads(1)
    crops: list[NDArray[np.uint8]] = []
    clips = packed(given.pack, RetinaFace(), Watching(crops), Settings().usable, given.cache)
    cache, faces = open_cache(given.cached, given.prepared), open_prepared(given.prepared).faces
    places = looked_at(np.concatenate(crops), faces, cache)
    each, picked = zip(*(ways(taught(s, cache, faces, clips, places), clips) for s in SEEDS), strict=True)
    pooled = {name: {kind: joined([one[name][kind] for one in each]) for kind in each[0][name]} for name in each[0]}
    print(f"""# The neutral face that KE2NT imagines

Made by `python benchmarks/accuracy/person_imagined.py {given.pack.name} PREPARED/rafdb CACHED` with KE2NT on
{cache.about["encoder"]}, frozen, {len(SEEDS)} seeds. It reads talking faces badly; one answer for all clips would be
right in {100 / len(LIKELY):.0f} %. Ways and films are those of the script's docstring and of person.md.\n""")
    print(*accuracy_table(pooled), sep="\n")
    counted = Counter(cosine for picks in picked for cosine, _ in picks.values()).most_common()
    print(f"\nCosine chosen for neutral: {', '.join(f'{cosine:g} ({count}x)' for cosine, count in counted)}.")


def joined(parts: list[Right]) -> Right:
    """The clips of all seeds."""
    return Right(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("actor", "code", "right")))


class Watching:
    """The shipped model, which hands over the faces it is shown, in their order."""

    def __init__(self, crops: list[NDArray[np.uint8]]) -> None:
        model = load_model()
        self.name, self.hash, self.labels, self.size = model.name, model.hash, model.labels, model.size
        self._model, self._crops = model, crops

    def predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of the shipped model."""
        self._crops.append(crops)
        return self._model.predict(crops)


if __name__ == "__main__":
    main()
