"""Settings: nested frozen dataclasses hold the numbers, TOML files and ``--set`` only override them.

Whatever a file says is checked against the fields' own types before anything runs: an unknown key is an error that
names the nearest one, a wrong type is an error that says what is expected. Field types may be ``bool``, ``int``,
``float``, ``str``, ``Path``, ``Literal[...]``, ``tuple[...]``, ``Mapping[str, ...]``, dataclasses, ``Any`` and unions
of these with None. TOML has no null: None is written as the word ``"none"``.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tronie.core.errors import SettingError
from tronie.core.files import read_bytes
from tronie.core.words import shortened

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)

_NONE = "none"
_LARGEST = 1 << 20  # bytes of a settings file
_DEEPEST = 32  # tables and lists in one another
_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
}


def build(kind: type[Settings], data: Mapping[str, Any], where: str = "") -> Settings:
    """Make the dataclass ``kind`` from plain ``data`` (as TOML gives it); missing keys keep their defaults.

    ``where`` is the dotted place of ``data`` in its file, for messages. Raises SettingError for an unknown key (with
    the nearest one), a value of the wrong type, a missing key without default, and whatever the dataclass itself
    refuses.
    """
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in fields:
            raise SettingError(f"Unknown setting '{shortened(_at(where, key))}'.{_hint(kind, key, where)}")
        values[key] = _check(hints[key], value, _at(where, key))
    for name, field in fields.items():
        bare = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if bare and name not in values:
            expected = _word(hints[name])
            raise SettingError(f"Setting '{_at(where, name)}' is missing and has no default: give {expected}.")
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        raise SettingError(f"Settings{f' in [{where}]' if where else ''} are impossible: {error}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain data. Raises SettingError if it is missing or not TOML (with line and column)."""
    text = read_bytes(path, most=_LARGEST, error=SettingError)
    try:
        return _bounded(tomllib.loads(text.decode("utf-8-sig").replace("\r\n", "\n")))
    except (ValueError, RecursionError) as error:
        raise SettingError(f"Settings file {path} is not TOML that is read here: {_said(error)}.") from error


def _said(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return shortened(" ".join(str(error).split()), 200)


def _bounded(data: dict[str, Any]) -> dict[str, Any]:
    """``data``, unless it is too deep or a number too large: ValueError."""
    left: list[tuple[Any, int]] = [(data, 1)]
    while left:
        value, depth = left.pop()
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"its number {shortened(hex(value), 24)} has more than 64 bits")
        if isinstance(value, (dict, list)):
            left += [(inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value)]
    return data


def override(data: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of ``data`` with ``assignments`` (``"a.b=value"``, the later ones winning) put into it.

    An entry of a list of tables is named by its number: ``train.0.share=0.5``.
    A value is read as TOML (``3``, ``1e-3``, ``true``, ``[1, 2]``, ``"text"``); what is no TOML is taken as text, so
    that ``encoder=resnet18`` needs no quotes. Raises SettingError for an assignment without a key or an ``=``.
    """
    result = _copy(data)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise SettingError(f"'{assignment}' sets nothing: write it as name=value or part.name=value.")
        table: Any = result
        for depth, part in enumerate(parts[:-1], 1):
            table = table.setdefault(part, {}) if isinstance(table, dict) else table[int(part)]
            listed = isinstance(table, list) and depth < len(parts) - 1  # an entry is changed within, not replaced
            if not (isinstance(table, dict) or (listed and _places(table, parts[depth]))):
                what = f"a list of {len(table)}: count from 0" if isinstance(table, list) else "a single value"
                raise SettingError(f"'{assignment}' reaches into '{'.'.join(parts[:depth])}', which is {what}.")
        table[parts[-1]] = _value(text.strip())
    return result


def _places(entries: list[Any], part: str) -> bool:
    """Whether ``part`` counts to one of ``entries``."""
    return part.isdecimal() and int(part) < len(entries)


def as_dict(settings: DataclassInstance) -> dict[str, Any]:
    """Plain data that :func:`build` turns back into equal settings. Values are checked and brought to their types."""
    checked = build(type(settings), _plain(settings))
    plain: dict[str, Any] = _plain(checked)
    return plain


def to_toml(data: Mapping[str, Any]) -> str:
    """``data`` as TOML text: values first, then one ``[table]`` per nested mapping."""
    return "\n".join(_tables(data, ())).strip() + "\n"


def settings_hash(settings: DataclassInstance) -> str:
    """12 hex digits that change when any value does: the start of the SHA-256 of the settings' canonical JSON.

    Equal settings have equal hashes: ``1`` in a float field counts as ``1.0``, and the order of keys does not matter.
    """
    return values_hash(as_dict(settings))


def values_hash(values: Mapping[str, Any]) -> str:
    """:func:`settings_hash` of settings that are plain values already."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _check(kind: Any, value: Any, where: str) -> Any:
    """``value`` brought to the type ``kind``, or a SettingError."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _check_union(inner, value, where)
    if origin is Literal:
        if value in inner and not isinstance(value, bool):
            return value
    elif dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, kind):
            return value
        if isinstance(value, Mapping):
            return build(kind, value, where)
    elif origin is tuple:
        return _check_tuple(kind, value, where)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
            return {k: _check(inner[1], v, _at(where, k)) for k, v in value.items()}
    elif kind is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < 2**63:
            return float(value)
    elif kind is Path and isinstance(value, str):
        return Path(value)
    elif isinstance(value, int) and abs(value) >= 2**63:
        pass  # more than an array holds
    elif isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise _wrong(kind, value, where)


def _check_union(inner: tuple[Any, ...], value: Any, where: str) -> Any:
    optional = type(None) in inner
    if optional and (value is None or value == _NONE):
        return None
    kinds = [k for k in inner if k is not type(None)]
    if len(kinds) == 1:
        return _check(kinds[0], value, where)
    for kind in kinds:
        try:
            return _check(kind, value, where)
        except SettingError:
            continue
    raise _wrong(Union[tuple(inner)], value, where)  # noqa: UP007  # a union made at run time


def _check_tuple(kind: Any, value: Any, where: str) -> tuple[Any, ...]:
    inner = get_args(kind)
    if not isinstance(value, (list, tuple)):
        raise _wrong(kind, value, where)
    if len(inner) == 2 and inner[1] is Ellipsis:
        inner = (inner[0],) * len(value)
    if len(inner) != len(value):
        raise _wrong(kind, value, where)
    return tuple(_check(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(inner, value, strict=True)))


def _wrong(kind: Any, value: Any, where: str) -> SettingError:
    hint = ""
    if get_origin(kind) is Literal and isinstance(value, str):
        near = difflib.get_close_matches(value, [str(c) for c in get_args(kind)], 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
    return SettingError(f"Setting '{where}' must be {_word(kind)}, not {_shown(value)}.{hint}")


def _shown(value: Any) -> str:
    """``value`` in a message, which is read by a person: its beginning, where it is long."""
    try:
        return shortened(repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits; a list in itself
        return f"such a {type(value).__name__}"


def _word(kind: Any) -> str:
    """What a person calls a type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(f'"{_NONE}"' if k is type(None) else _word(k) for k in inner)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return f"a list, each item {_word(inner[0])}"
        return f"a list of {len(inner)} items ({'; '.join(map(_word, inner))})"
    if dataclasses.is_dataclass(kind) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return "a table of settings"
    return _WORDS.get(kind, str(getattr(kind, "__name__", kind)))


def _hint(kind: type[DataclassInstance], key: str, where: str) -> str:
    """The nearest key at this place; or where in the nested settings a key of that very name lives."""
    near = difflib.get_close_matches(key, [f.name for f in dataclasses.fields(kind) if f.init], 1)
    if near:
        return f" Did you mean '{_at(where, near[0])}'?"
    elsewhere = [path for path in _paths(kind) if path.rpartition(".")[2] == key]
    if elsewhere:
        return f" Did you mean '{_at(where, elsewhere[0])}'?"
    return f" Known here: {', '.join(f.name for f in dataclasses.fields(kind) if f.init)}."


def _paths(kind: type[DataclassInstance], before: str = "") -> list[str]:
    """Dotted names of all settings below a dataclass."""
    hints, found = get_type_hints(kind), []
    for field in dataclasses.fields(kind):
        path = _at(before, field.name)
        found.append(path)
        for inner in (hints[field.name], *get_args(hints[field.name])):
            if isinstance(inner, type) and dataclasses.is_dataclass(inner):
                found += _paths(inner, path)
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return value.as_posix()
    return _NONE if value is None else value


def _copy(data: Mapping[str, Any]) -> dict[str, Any]:
    def deep(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _copy(value)
        return [deep(entry) for entry in value] if isinstance(value, list) else value

    return {key: deep(value) for key, value in data.items()}


def _value(text: str) -> Any:
    try:
        return _bounded(tomllib.loads(f"value = {text}"))["value"]
    except (ValueError, RecursionError):
        return text


def _tables(data: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"[{'.'.join(map(_key, path))}]"] if path else []
    lines += [f"{_key(k)} = {_toml(v)}" for k, v in data.items() if not isinstance(v, Mapping)]
    for key, value in data.items():
        if isinstance(value, Mapping):
            lines += ["", *_tables(value, (*path, key))]
    return lines


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _toml(name)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if value is None:
        return f'"{_NONE}"'
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
