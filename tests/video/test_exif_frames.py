"""Motion JPEG whose pictures carry EXIF, as some cameras write it: data beside a frame that PyAV has no name for."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tronie.video.reader import VideoReader


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_film_of_pictures_with_exif_is_shown_as_they_are(tmp_path: Path, orientation: int) -> None:
    picture = np.full((32, 48, 3), 60, np.uint8)
    picture[:16, :24] = 220  # one bright corner
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", exif=exif, quality=95)
    path = tmp_path / "camera.mjpg"
    path.write_bytes(encoded.getvalue() * 3)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(encoded)))
    with VideoReader(path) as reader:
        images = [frame.image for frame in reader]
    assert len(images) == 3
    for image in images:
        assert image.shape == shown.shape
        assert np.abs(image.astype(int) - shown).mean() < 6
