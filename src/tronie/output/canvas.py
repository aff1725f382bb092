"""A picture of one size for a film whose pictures change theirs: each is fitted into it, between black bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from tronie.core.face import Pixels
from tronie.core.timeline import Timeline

Size = tuple[int, int]
"""Height and width in pixels."""
_TOUCH_S = 2e-6  # times in a table are rounded to microseconds


class Canvas:
    """The largest of a film's picture sizes, and where pictures of the others lie in it.

    ``sizes`` are ``(time, size)`` of the first picture of every stretch of one size, in order.
    """

    def __init__(self, sizes: Sequence[tuple[float, Size]]) -> None:
        self.size = max((size for _, size in sizes), key=lambda size: size[0] * size[1])
        self._starts = np.array([time for time, _ in sizes])
        self._sizes = np.array([size for _, size in sizes])

    def place(self, image: Pixels) -> Pixels:
        """``image`` as large as it fits, in the middle."""
        height, width = image.shape[:2]
        if (height, width) == self.size:
            return image
        scale, left, top = self._fit(height, width)
        tall, wide = round(height * scale), round(width * scale)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        placed = np.zeros((*self.size, 3), np.uint8)
        placed[top : top + tall, left : left + wide] = cv2.resize(image, (wide, tall), interpolation=how)
        return placed

    def moved(self, timeline: Timeline) -> Timeline:
        """The rows with their boxes where :meth:`place` puts the faces."""
        stretch = np.searchsorted(self._starts, timeline["time"] + _TOUCH_S, "right") - 1
        fits = np.array([self._fit(*size) for size in self._sizes])[np.maximum(stretch, 0)]
        scale, left, top = fits.T
        columns = {
            "x": timeline["x"] * scale + left,
            "y": timeline["y"] * scale + top,
            "width": timeline["width"] * scale,
            "height": timeline["height"] * scale,
        }
        return replace(timeline, columns={**timeline.columns, **columns})

    def _fit(self, height: int, width: int) -> tuple[float, int, int]:
        """By what a picture is enlarged, and its left and upper edge."""
        scale = min(self.size[0] / height, self.size[1] / width)
        return scale, (self.size[1] - round(width * scale)) // 2, (self.size[0] - round(height * scale)) // 2
