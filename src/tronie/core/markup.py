"""Read XML that others wrote: no document type, so no entities that grow or name other files, and only so deep."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

_DEEPEST = 64  # elements in one another; ELAN's files and sheets of .xlsx have 8


def parse_xml(data: bytes) -> Element:
    """The root of an XML document, names as ``{namespace}name``. Raises ValueError, half a sentence, for anything else.

    A document type is refused: it is where XML declares entities, of which a few lines grow to gigabytes, or are read
    from another file or address. No format that Tronie reads has one.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, Any]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        builder.start(_named(name), {_named(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_named(name))

    def refuse(*_: Any) -> None:
        raise ValueError("it declares a document type or entities, which such a file does not need")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:
        raise ValueError(f"it is no XML ({error})") from error
    root: Element = builder.close()
    return root


def _named(name: str) -> str:
    return "{" + name if "}" in name else name
