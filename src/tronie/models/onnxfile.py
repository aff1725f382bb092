"""Walk through the bytes of an ONNX graph, before ONNX Runtime sees them, and refuse what reaches out of them.

ONNX is protobuf. A tensor may say that its values lie in another file (``external_data``); ONNX Runtime would open it,
from the current directory where the graph comes as bytes, and the hash of the graph would say nothing of it. So every
place where the format lets a tensor stand is visited, whatever the order and number of its fields. What the walk does
not know is refused: it must not read a graph otherwise than ONNX Runtime does.

Format: protobuf.dev/programming-guides/encoding and onnx/onnx.proto (ONNX 1.23, IR version 13).
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 100  # protobuf's own limit of messages in one another
_FIXED = {_FIXED64: 8, _FIXED32: 4}

# What stands in each message: by number of the field either "" for plain values, or the message that it holds.
_PLAIN = ""
_MESSAGES: dict[str, dict[int, str]] = {
    "model": dict.fromkeys((1, 2, 3, 4, 5, 6, 8, 14, 26), _PLAIN) | {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph", 3: _PLAIN, 4: _PLAIN},
    "graph": dict.fromkeys((2, 10, 11, 12, 13, 14, 16), _PLAIN) | {1: "node", 5: "tensor", 15: "sparse"},
    "node": dict.fromkeys((1, 2, 3, 4, 6, 7, 8, 9, 10), _PLAIN) | {5: "attribute"},
    "attribute": dict.fromkeys((1, 2, 3, 4, 7, 8, 9, 13, 14, 15, 20, 21), _PLAIN)
    | {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": dict.fromkeys((*range(1, 15), 16), _PLAIN),
    "sparse": {1: "tensor", 2: "tensor", 3: _PLAIN},
    "function": dict.fromkeys((1, 4, 5, 6, 8, 9, 10, 12, 13, 14), _PLAIN) | {7: "node", 11: "attribute"},
}
_OP_TYPE = ("node", 4)
_EXTERNAL_DATA, _DATA_LOCATION = ("tensor", 13), ("tensor", 14)
_COMPILED = b"EPContext"  # a node whose compiled code an accelerator's provider reads from a file of any name
_UNFIT = "is not a graph that ONNX Runtime can run"
_ORT_FORMAT = b"ORTM"  # at byte 4 of ONNX Runtime's own format, which it takes instead of ONNX where it sees this


def check_self_contained(data: bytes) -> None:
    """Raise ValueError, half a sentence, unless ``data`` is one ONNX model with all that it needs inside."""
    if data[4:8] == _ORT_FORMAT:
        raise ValueError("is not a graph in the format ONNX, but in ONNX Runtime's own")
    left = [("model", 0, len(data), 0)]
    graphs = 0
    while left:
        message, begin, end, depth = left.pop()
        if depth > _DEEPEST:
            raise ValueError(f"{_UNFIT} (nested more than {_DEEPEST} levels deep)")
        for number, value in _fields(data, begin, end):
            inner = _MESSAGES[message].get(number)
            if inner is None:
                raise ValueError(f"{_UNFIT} (its {message} has an unknown field, {number})")
            if inner:
                if not isinstance(value, tuple):
                    raise ValueError(f"{_UNFIT} (a {inner} in its {message} is a number)")
                left.append((inner, *value, depth + 1))
                graphs += inner == "graph"
            else:
                _check_plain(data, (message, number), value)
    if not graphs:
        raise ValueError(f"{_UNFIT} (it is empty)")


def _check_plain(data: bytes, place: tuple[str, int], value: int | tuple[int, int] | None) -> None:
    if place == _EXTERNAL_DATA or (place == _DATA_LOCATION and value != 0):
        raise ValueError("keeps weights in another file")
    if place == _OP_TYPE and isinstance(value, tuple) and data[slice(*value)] == _COMPILED:
        raise ValueError("keeps compiled code in another file")


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int | tuple[int, int] | None]]:
    """Number and value of each field of a message: a whole number, begin and end of bytes, None for a fixed number."""
    while at < end:
        tag, at = _varint(data, at, end, 5)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError(f"{_UNFIT} (no field has such a number)")
        if kind == _VARINT:
            value, at = _varint(data, at, end, 10)
            yield number, value
        elif kind == _BYTES:
            length, at = _varint(data, at, end, 5)
            if length > end - at:
                raise ValueError(f"{_UNFIT} (it is cut short)")
            yield number, (at, at + length)
            at += length
        elif kind in _FIXED:
            at += _FIXED[kind]
            if at > end:
                raise ValueError(f"{_UNFIT} (it is cut short)")
            yield number, None
        else:
            raise ValueError(f"{_UNFIT} (no field has such a type)")


def _varint(data: bytes, at: int, end: int, most: int) -> tuple[int, int]:
    """A whole number of at most so many bytes, seven bits each and the lowest first, and where it ends."""
    value = 0
    for place in range(most):
        if at >= end:
            raise ValueError(f"{_UNFIT} (it is cut short)")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at
    raise ValueError(f"{_UNFIT} (a number is too long)")
