"""Kinds of data beside a frame (``av.sidedata.sidedata.Type``), newer ones than PyAV names included.

FFmpeg gives more kinds with each version (8.0: the EXIF of a JPEG). PyAV reads all that lies beside a frame at once and
raises ValueError for a kind that it has no name for, so that such a film could not even be asked for its orientation.
"""

from __future__ import annotations

from typing import Any

from av.sidedata.sidedata import Type

_MANY = 256
"""Numbers that are given a name; FFmpeg 8.1 has 32 kinds."""


def _name_newer_kinds() -> None:
    for number in range(_MANY):
        if number not in Type._value2member_map_:
            kind: Any = object.__new__(Type)
            kind._name_, kind._value_ = f"KIND_{number}", number
            Type._value2member_map_[number] = kind


_name_newer_kinds()

__all__ = ["Type"]
