from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tronie.metrics.duplicates import DISTANCE, close_pairs, perceptual_hash, twin_groups

SEEDS = st.integers(0, 2**32)


def apart(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(np.unpackbits(a ^ b).sum())


def crowd(seed: int, n: int = 30) -> NDArray[np.uint8]:
    """Random hashes, some of them copied with up to 80 bits flipped."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (n, 256), dtype=np.uint8)
    for i in range(1, n, 2):
        bits[i] = bits[rng.integers(0, i)]
        bits[i, rng.permutation(256)[: rng.integers(0, 81)]] ^= 1
    return np.packbits(bits, axis=1)


def slow_groups(hashes: NDArray[np.uint8], distance: int) -> list[int]:
    """First member of each row's connected component, by spreading until nothing changes."""
    group = list(range(len(hashes)))
    while True:
        spread = [
            min(group[j] for j in range(len(hashes)) if apart(hashes[i], hashes[j]) <= distance)
            for i in range(len(hashes))
        ]
        if spread == group:
            return group
        group = spread


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(0, 100), st.integers(1, 40))
def test_groups_are_connected_components(seed: int, distance: int, block: int) -> None:
    hashes = crowd(seed)
    assert twin_groups(hashes, distance, block).tolist() == slow_groups(hashes, distance)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(0, 100), st.integers(1, 40))
def test_close_pairs_are_all_pairs_within_the_distance(seed: int, distance: int, block: int) -> None:
    hashes, others = crowd(seed)[:17], crowd(seed)[11:]
    found = {(int(i), int(j)) for pairs in close_pairs(hashes, others, distance, block) for i, j in pairs}
    assert found == {(i, j) for i in range(17) for j in range(19) if apart(hashes[i], others[j]) <= distance}


def test_opposite_hashes_are_256_bits_apart() -> None:
    hashes = np.array([[0] * 32, [255] * 32], np.uint8)
    assert len(np.concatenate(list(close_pairs(hashes, hashes, 255)))) == 2
    assert len(np.concatenate(list(close_pairs(hashes, hashes, 256)))) == 4


def drawn(seed: int, size: int = 100) -> NDArray[np.uint8]:
    """A picture of soft blobs."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def hashed(*pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return perceptual_hash(np.stack([cv2.resize(p, (32, 32), interpolation=cv2.INTER_AREA) for p in pictures]))


def test_the_hash_is_a_slow_cosine_transform_about_its_median() -> None:
    grey = np.random.default_rng(3).integers(0, 256, (32, 32), dtype=np.uint8)
    spot = np.arange(32) + 0.5
    terms = [
        float((grey * np.outer(np.cos(np.pi * spot * u / 32), np.cos(np.pi * spot * v / 32))).sum())
        for u in range(1, 17)
        for v in range(1, 17)
    ]
    wanted = np.packbits(np.array(terms) > np.median(terms))
    assert perceptual_hash(grey[None])[0].tolist() == wanted.tolist()


def test_treated_copies_are_twins_and_strangers_are_not() -> None:
    plain = [drawn(seed) for seed in range(40)]
    for picture in plain[:10]:
        packed = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE)
        brighter = cv2.convertScaleAbs(picture, alpha=0.7, beta=40)
        smaller = cv2.resize(cv2.resize(picture, (48, 48), interpolation=cv2.INTER_AREA), (100, 100))
        codes = hashed(picture, np.asarray(packed), np.asarray(brighter), np.asarray(smaller))
        assert max(apart(codes[0], code) for code in codes[1:]) <= DISTANCE
    assert len(set(twin_groups(hashed(*plain)).tolist())) == len(plain)


def test_no_pictures_no_groups() -> None:
    assert len(twin_groups(np.empty((0, 32), np.uint8))) == 0
