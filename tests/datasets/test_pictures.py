from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from tronie.core.errors import SourceError
from tronie.datasets import ferplus, rafdb
from tronie.datasets.pictures import read_picture


def test_a_pack_gives_the_encoded_pixels(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.ferplus_pack(tmp_path)
    manifest = ferplus.read_fer2013(tmp_path)
    for row in (0, 8):
        encoded = cv2.imencode(".webp", fakes.drawn(row, 48, 48))[1]
        wanted = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        assert np.abs(read_picture(manifest, row).astype(int) - wanted).max() <= 2  # two decoders


def test_a_table_gives_its_grey_values(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.fer2013_csv(tmp_path)
    manifest = ferplus.read_fer2013(tmp_path)
    for row in (0, 3, 8):
        grey = cv2.cvtColor(fakes.drawn(row, 48, 48), cv2.COLOR_BGR2GRAY)
        np.testing.assert_array_equal(read_picture(manifest, row), np.repeat(grey[:, :, None], 3, 2))


def test_a_replaced_pack_is_opened_anew(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.rafdb_pack(tmp_path)
    manifest = rafdb.read(tmp_path)
    before = read_picture(manifest, 1)
    pack = tmp_path / "rafdb_train.npz"
    with np.load(pack) as old:
        z = {k: old[k] for k in old.files}
    encoded = cv2.imencode(".jpg", fakes.drawn(99, 100, 100))[1].ravel()
    z |= {"blob": np.concatenate([encoded, encoded]), "offsets": np.array([0, len(encoded), 2 * len(encoded)])}
    np.savez(pack, **z)
    os.utime(pack, ns=(1, 1))
    assert not np.array_equal(read_picture(manifest, 1), before)
    with pytest.raises(SourceError, match=r"'rafdb/train_00004' .*picture 3.*holds 2 pictures"):
        read_picture(manifest, 3)
    pack.unlink()
    with pytest.raises(SourceError, match="of row 'rafdb/train_00001' cannot be opened"):
        read_picture(manifest, 0)


def test_damage_names_row_and_picture(fakes: ModuleType, tmp_path: Path) -> None:
    fakes.fer2013_csv(tmp_path)
    manifest = ferplus.read_fer2013(tmp_path)
    text = (tmp_path / "fer2013.csv").read_text().replace(" ", "", 40)
    (tmp_path / "fer2013.csv").write_text(text)
    with pytest.raises(SourceError, match=r"'fer2013/row00000' .*picture 0.*line 2 holds no 48 x 48 grey values"):
        read_picture(manifest, 0)
    assert read_picture(manifest, 1).shape == (48, 48, 3)
