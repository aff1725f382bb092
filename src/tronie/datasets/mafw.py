"""MAFW (Liu et al., ACM MM 2022): clips from films, television and the web, with eleven labels and mixtures of them.

Of 10,045 clips 9,172 carry a single label and 8,996 one of the 43 that are single labels or common mixtures; each in
five official folds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tronie.core.errors import SourceError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.datasets.about import About
from tronie.datasets.clipfiles import FOLDS, Labelled, by_fold, check_fold, paths_of, there
from tronie.datasets.files import first_of, lines, not_found, one_of

SINGLE = LabelSet(
    (
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
        "surprise",
        "contempt",
        "anxiety",
        "helplessness",
        "disappointment",
    )
)
"""In the paper's order."""
COMPOUND = LabelSet(
    (
        *SINGLE.names,
        *(
            "anger_disgust",
            "anger_sadness",
            "anger_surprise",
            "anger_anxiety",
            "anger_helplessness",
            "disgust_sadness",
            "disgust_surprise",
            "disgust_contempt",
            "disgust_anxiety",
            "disgust_helplessness",
            "disgust_disappointment",
            "fear_sadness",
            "fear_surprise",
            "fear_anxiety",
            "happiness_surprise",
            "happiness_contempt",
            "sadness_surprise",
            "sadness_anxiety",
            "sadness_helplessness",
            "sadness_disappointment",
            "surprise_anxiety",
            "anxiety_helplessness",
            "helplessness_disappointment",
            "anger_disgust_contempt",
            "anger_disgust_anxiety",
            "disgust_anxiety_helplessness",
            "disgust_helplessness_disappointment",
            "fear_sadness_anxiety",
            "fear_surprise_anxiety",
            "sadness_anxiety_helplessness",
            "sadness_helplessness_disappointment",
            "anxiety_helplessness_disappointment",
        ),
    )
)
"""The single labels, then pairs, then triples, each in the order of their parts."""
_SINGLE = (1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182)
_FOLDS = {1: (7333, 1839), 2: (7335, 1837), 3: (7339, 1833), 4: (7340, 1832), 5: (7341, 1831)}
_FOLDS_COMPOUND = {1: (7178, 1818), 2: (7187, 1809), 3: (7198, 1798), 4: (7208, 1788), 5: (7213, 1783)}


def _about(labels: LabelSet, kind: str, counts: int | dict[str, int], folds: dict[int, tuple[int, int]]) -> About:
    return About(
        title=f"MAFW ({kind})",
        labels=labels,
        source="https://mafw-database.github.io/MAFW (by request)",
        licence="non-commercial research only; clips may not be passed on",
        layouts=(
            f"Train & Test Set/{kind}/no_caption/set_1/train.txt and test.txt (1 to 5), and data/clips/00001.mp4 "
            "(or data/frames/00001/*.jpg)",
        ),
        counts={"": counts},
        folds=folds,
    )


ABOUT = _about(SINGLE, "single", dict(zip(SINGLE.names, _SINGLE, strict=True)), _FOLDS)
ABOUT_COMPOUND = _about(COMPOUND, "compound", 8996, _FOLDS_COMPOUND)

_TOPS = ("", "MAFW/")
_LISTS = ("Train & Test Set/", "anno/", "Train_Test_Set/", "")
_CLIPS = ("data/clips/unzip/", "data/clips/", "clips/", "data/frames/", "frames/")


def read(
    root: Path,
    *,
    labels: Literal["single", "compound"] = "single",
    fold: int | None = None,
    clips: Literal["any", "clips", "frames"] = "any",
    skip_missing: bool = False,
) -> Manifest:
    """Clips with one of eleven labels (``labels="compound"``: one of 43), ids ``mafw/00001``.

    Paths are films, or folders of frames; ``clips`` picks one where both lie there. Without ``fold`` every clip comes
    once, and the manifest's folds 0 to 4 are the official ones less 1; ``fold`` 1 to 5 gives the splits train and test
    of that fold.
    Raises SourceError, and SettingError for a wrong option.
    """
    one_of("labels", labels, ("single", "compound"))
    one_of("clips", clips, ("any", "clips", "frames"))
    check_fold(fold)
    about, vocabulary = (ABOUT, SINGLE) if labels == "single" else (ABOUT_COMPOUND, COMPOUND)
    kinds = [f"{top}{home}{labels}/no_caption/" for top in _TOPS for home in _LISTS]
    homes = [f"{top}{home}" for top in _TOPS for home in _CLIPS if clips == "any" or f"{clips}/" in home]
    lists, home = first_of(root, kinds), first_of(root, homes)
    if lists is None or home is None:
        raise not_found(about, root, kinds if lists is None else homes)
    manifest = by_fold("mafw", vocabulary, _read_lists(lists, fold, vocabulary, about), fold)
    return there(root, paths_of(manifest.path.tolist(), home, root), manifest, lists, skip_missing)


def read_compound(
    root: Path, *, fold: int | None = None, clips: Literal["any", "clips", "frames"] = "any", skip_missing: bool = False
) -> Manifest:
    """:func:`read` with ``labels="compound"``. Raises SourceError, and SettingError for a wrong option."""
    return read(root, labels="compound", fold=fold, clips=clips, skip_missing=skip_missing)


def _read_lists(folder: Path, fold: int | None, labels: LabelSet, about: About) -> dict[tuple[str, int], Labelled]:
    """The lists that are needed: lines such as ``01607.mp4 sadness``."""
    found = {}
    for number in FOLDS if fold is None else (fold,):
        for part in ("test",) if fold is None else ("train", "test"):
            path = first_of(folder, [f"set_{number}/{part}.txt"])
            if path is None:
                raise not_found(about, folder, [f"set_{n}/{p}.txt" for n in FOLDS for p in ("train", "test")])
            found[part, number] = dict(_row(path, n, line, labels) for n, line in lines(path))
    return found


def _row(path: Path, line: int, text: str, labels: LabelSet) -> tuple[str, int]:
    name, _, word = text.partition(" ")
    number, label = name.partition(".")[0], word.strip()
    if not number.isdecimal() or label not in labels.names:
        raise SourceError(
            f"{path}, line {line}: '{text}' is not a clip and one of the {len(labels)} labels, as in "
            "'01607.mp4 sadness': download the list again."
        )
    return f"{int(number):05d}", labels.names.index(label)
