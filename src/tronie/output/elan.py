"""ELAN's annotation format, EAF 3.0: segments written, one tier per person; human tiers read.

Format: Max Planck Institute for Psycholinguistics, "ELAN Annotation Format, EAF" (2017), schema EAFv3.0.xsd.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from urllib.parse import unquote
from xml.etree import ElementTree as xml

import numpy as np

from tronie.core.labels import UNCERTAIN
from tronie.core.markup import parse_xml
from tronie.core.span import Span
from tronie.core.words import shortened
from tronie.output.tier import Tier

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE, _VOCABULARY, _LANGUAGE = "expression", "expressions", "und"
_MIME = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
}
_LONGEST = 1e10  # milliseconds: four months, more than any film has
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Media:
    """The film as ELAN links it, in plain letters: ELAN decodes no ``%20`` (``FileUtility.urlToAbsPath``).

    ``url`` is where it lies, ``relative`` its path from the file's folder, beginning with ``./`` or ``../``, or None
    where there is none (another drive). ELAN looks at ``url`` first, then for a neighbour of that name, then at
    ``relative`` (``ElanFrame2.checkMedia``).
    """

    url: str
    relative: str | None


def linked(eaf: PurePath, film: PurePath | str) -> Media:
    """The link from an absolute ``eaf`` to an absolute ``film``; a name alone is that of a neighbour."""
    if isinstance(film, str):
        return Media(f"./{film}", f"./{film}")
    path = film.as_posix()
    url = f"file:{path}" if path.startswith("//") else f"file:///{path.removeprefix('/')}"  # //server/share keeps two
    for up, folder in enumerate(eaf.parents):
        if film.is_relative_to(folder):
            return Media(url, ("../" * up or "./") + film.relative_to(folder).as_posix())
    return Media(url, None)


def document(tiers: Sequence[Tier], labels: Sequence[str], media: Media, written: datetime | None = None) -> bytes:
    """The whole file as UTF-8; ``written`` is now if left out."""
    date = (written or datetime.now(UTC)).isoformat(timespec="seconds")
    root = xml.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "Tronie",
            "DATE": date,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _XSI,
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    cues = [cue for tier in tiers for cue in tier.cues]
    _header(root, media, len(cues))
    slots = {time: f"ts{number}" for number, time in enumerate(sorted({t for c in cues for t in (c.start, c.end)}), 1)}
    order = xml.SubElement(root, "TIME_ORDER")
    for time, slot in slots.items():
        xml.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(time))
    vocabulary = list(dict.fromkeys([*labels, UNCERTAIN, *(cue.segment.label for cue in cues)]))
    place = {label: number for number, label in enumerate(vocabulary)}
    number = 0
    for tier in tiers:
        name = _legal(tier.name)
        about = {"TIER_ID": name, "PARTICIPANT": name, "ANNOTATOR": "Tronie", "LINGUISTIC_TYPE_REF": _TYPE}
        element = xml.SubElement(root, "TIER", about)
        for cue in tier.cues:
            number += 1
            annotation = xml.SubElement(
                xml.SubElement(element, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                {
                    "ANNOTATION_ID": f"a{number}",
                    "TIME_SLOT_REF1": slots[cue.start],
                    "TIME_SLOT_REF2": slots[cue.end],
                    "CVE_REF": f"cve{place[cue.segment.label]}",
                },
            )
            xml.SubElement(annotation, "ANNOTATION_VALUE").text = _legal(cue.segment.label)
    _vocabulary(root, vocabulary)
    xml.indent(root, "  ")
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + bytes(xml.tostring(root, encoding="utf-8")) + b"\n"


def _header(root: xml.Element, media: Media, annotations: int) -> None:
    header = xml.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    about = {"MEDIA_URL": _legal(media.url), "MIME_TYPE": _MIME.get(PurePath(media.url).suffix.lower(), "video/*")}
    if media.relative is not None:
        about["RELATIVE_MEDIA_URL"] = _legal(media.relative)
    xml.SubElement(header, "MEDIA_DESCRIPTOR", about)
    xml.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(annotations)


def _vocabulary(root: xml.Element, labels: Sequence[str]) -> None:
    xml.SubElement(
        root,
        "LINGUISTIC_TYPE",
        LINGUISTIC_TYPE_ID=_TYPE,
        TIME_ALIGNABLE="true",
        GRAPHIC_REFERENCES="false",
        CONTROLLED_VOCABULARY_REF=_VOCABULARY,
    )
    xml.SubElement(
        root,
        "LANGUAGE",
        LANG_ID=_LANGUAGE,
        LANG_DEF="http://cdb.iso.org/lg/CDB-00130975-001",
        LANG_LABEL="undetermined (und)",
    )
    vocabulary = xml.SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=_VOCABULARY)
    xml.SubElement(vocabulary, "DESCRIPTION", LANG_REF=_LANGUAGE).text = "The expression shown, not a feeling felt."
    for number, label in enumerate(labels):
        entry = xml.SubElement(vocabulary, "CV_ENTRY_ML", CVE_ID=f"cve{number}")
        xml.SubElement(entry, "CVE_VALUE", LANG_REF=_LANGUAGE, DESCRIPTION="").text = _legal(label)


def _legal(words: str) -> str:
    """Without the characters that XML 1.0 forbids."""
    return _FORBIDDEN.sub("", words)


def read(data: bytes) -> list[Span]:
    """Every annotation of every tier with its time in the film, in seconds.

    Annotations that hang on others (symbolic tiers) get the times of those. Time slots without a value are spread
    evenly between their neighbours, as ELAN shows them. The first medium's TIME_ORIGIN is added: it says where in
    the film the coder's zero lies. A single medium is the spans' ``source``. Raises ValueError or KeyError for a
    document that is not EAF.
    """
    root = parse_xml(data)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ValueError(f"its root is <{root.tag}>, not <ANNOTATION_DOCUMENT>")
    media = root.findall("HEADER/MEDIA_DESCRIPTOR")
    origin = _milliseconds(media[0].get("TIME_ORIGIN", "0")) if media else 0.0
    source = unquote(media[0].get("MEDIA_URL", "")) if len(media) == 1 else ""
    slots = _slots(root, origin)
    times: dict[str, tuple[float, float]] = {}
    hanging: dict[str, str] = {}
    for annotation in root.iterfind("TIER/ANNOTATION/ALIGNABLE_ANNOTATION"):
        times[annotation.attrib["ANNOTATION_ID"]] = (
            slots[annotation.attrib["TIME_SLOT_REF1"]],
            slots[annotation.attrib["TIME_SLOT_REF2"]],
        )
    for annotation in root.iterfind("TIER/ANNOTATION/REF_ANNOTATION"):
        hanging[annotation.attrib["ANNOTATION_ID"]] = annotation.attrib["ANNOTATION_REF"]
    found = []
    for tier in root.iterfind("TIER"):
        for annotation in tier.iterfind("ANNOTATION/*"):
            start, end = _time_of(annotation.attrib["ANNOTATION_ID"], times, hanging)
            value = " ".join((annotation.findtext("ANNOTATION_VALUE") or "").split())
            if value and end > start:
                found.append(Span(tier.attrib["TIER_ID"], start, end, value, source))
    return found


def _slots(root: xml.Element, origin: float) -> dict[str, float]:
    order = [(slot.attrib["TIME_SLOT_ID"], slot.get("TIME_VALUE")) for slot in root.iterfind("TIME_ORDER/TIME_SLOT")]
    known = [(i, _milliseconds(value)) for i, (_, value) in enumerate(order) if value is not None]
    if order and (not known or known[0][0] > 0):
        raise ValueError("a time slot has no value and no neighbour with one")
    places, values = [place for place, _ in known], [value for _, value in known]
    times = np.interp(np.arange(len(order)), places, values) if known else np.empty(0)
    return {slot: (time + origin) / 1000 for (slot, _), time in zip(order, times.tolist(), strict=True)}


def _milliseconds(words: str) -> float:
    value = float(words)
    if not abs(value) <= _LONGEST:
        raise ValueError(f"the time {shortened(words, 24)} is none of a film")
    return value


def _time_of(annotation: str, times: dict[str, tuple[float, float]], hanging: dict[str, str]) -> tuple[float, float]:
    way = []
    seen = set()
    while annotation not in times:
        if annotation in seen:
            raise ValueError(f"annotation {shortened(annotation)} hangs on itself")
        seen.add(annotation)
        way.append(annotation)
        annotation = hanging[annotation]
    times.update(dict.fromkeys(way, times[annotation]))  # so that a long chain is walked once
    return times[annotation]
