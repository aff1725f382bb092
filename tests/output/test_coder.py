"""Human coders' files in the shapes that people have."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.errors import SourceError
from tronie.core.span import Span
from tronie.output import elan
from tronie.output.coder import read_spans
from tronie.output.textgrid import read

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2020-01-01T00:00:00+01:00" FORMAT="2.8" VERSION="2.8">
 <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///f.mp4" MIME_TYPE="video/mp4" {origin}/></HEADER>
 <TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2"/>
  <TIME_SLOT TIME_SLOT_ID="ts3"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/></TIME_ORDER>
 <TIER TIER_ID="Anna" LINGUISTIC_TYPE_REF="t">
  <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>happy</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4"><ANNOTATION_VALUE>  </ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
 </TIER>
 <TIER TIER_ID="Anna-sure" PARENT_REF="Anna" LINGUISTIC_TYPE_REF="t">
  <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2"><ANNOTATION_VALUE>very</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
 </TIER>
</ANNOTATION_DOCUMENT>"""  # noqa: E501


@pytest.mark.parametrize(("origin", "shift"), [("", 0.0), ('TIME_ORIGIN="5000"', 5.0)])
def test_elan_with_loose_slots_symbolic_tiers_and_an_origin(tmp_path, origin, shift) -> None:
    path = tmp_path / "coder.eaf"
    path.write_text(EAF.format(origin=origin))
    assert read_spans(path) == [
        Span("Anna", 1.0 + shift, 2.0 + shift, "happy"),
        Span("Anna-sure", 3.0 + shift, 4.0 + shift, "very"),
    ]


SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
2
"IntervalTier"
"Anna"
0
2.5
2
0
1.5
""
1.5
2.5
"say ""cheese"" 7"
"TextTier"
"clicks"
0
2.5
1
0.5
"click"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_praats_short_form_in_its_encodings(tmp_path, encoding) -> None:
    path = tmp_path / "coder.TextGrid"
    path.write_bytes(SHORT.encode(encoding))
    assert read_spans(path) == [Span("Anna", 1.5, 2.5, 'say "cheese" 7')]


@pytest.mark.parametrize(
    "content",
    [
        "person,start,end,label\nAnna,1.5,2.5,happy\nAnna,2.5,65,sad\n",
        "Begin Time;End Time;Tier;Annotation\n00:00:01.500;0:02.5;Anna;happy\n2.5;00:01:05.000;Anna;sad\n\n",
        "tier\tonset\tduration\tcode\nAnna\t1.5\t1\thappy\nAnna\t2.5\t62.5\tsad\n",
    ],
)
def test_csv_in_three_dialects(tmp_path, content) -> None:
    path = tmp_path / "coder.csv"
    path.write_text(content, encoding="utf-8-sig")
    assert read_spans(path) == [Span("Anna", 1.5, 2.5, "happy"), Span("Anna", 2.5, 65.0, "sad")]


def test_a_track_number_is_the_person_of_that_number(tmp_path) -> None:
    path = tmp_path / "coder.csv"
    path.write_text("track,start,end,label\n3,0,1,happy\n")
    assert read_spans(path) == [Span("person 3", 0.0, 1.0, "happy")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.eaf", b"<x/>", "its root is <x>"),
        ("a.eaf", b"no xml", "damaged"),
        ("a.eaf", b"", "damaged"),
        ("a.TextGrid", b"hello", "does not begin with ooTextFile"),
        ("a.TextGrid", SHORT[:90].encode(), "ends too early"),
        ("a.TextGrid", SHORT.replace("1.5", "x", 1).encode(), "a number was expected"),
        ("a.TextGrid", SHORT.replace("1.5", '"' + "x" * 9000 + '"', 1).encode(), "x" * 59 + "…'"),
        ("a.csv", b"start,end\n1,2\n", "no column 'label'"),
        ("a.csv", b"start,label\n1,x\n", "neither a column 'end'"),
        ("a.csv", b"start,end,label\n1,x,happy\n", "line 2: 'x' cannot stand in column 'end'"),
        ("a.csv", b"start,end,label\n1\n", "line 2: 1 cells for 3 columns"),
        ("a.csv", b"\xff\xfe\xff", "neither UTF-8"),
        ("a.doc", b"", "no coder's file"),
        ("a.csv", None, "There is no file"),
    ],
)
def test_files_that_are_none(tmp_path, name, content, words) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        read_spans(path)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda s: (SHORT[:60] + s).encode("utf-8", "replace")))
def test_praat_from_anything_ends_in_spans_or_a_valueerror(data) -> None:
    with suppress(ValueError):
        assert all(isinstance(span, Span) for span in read(data))


def eaf(slots: int, *, valued: bool = True, chain: bool = False) -> bytes:
    """A document with so many time slots and annotations; only the first and the last slot valued, or all."""
    order = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{i}"' + f' TIME_VALUE="{i * 100}"' * (valued or i in (0, slots - 1)) + "/>"
        for i in range(slots)
    )
    said = "".join(
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{i}" TIME_SLOT_REF1="ts{i}" TIME_SLOT_REF2="ts{i + 1}">'
        "<ANNOTATION_VALUE>joy</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
        for i in range(slots - 1)
    )
    if chain:
        said += "".join(
            f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r{i}" ANNOTATION_REF="r{i + 1}">'
            "<ANNOTATION_VALUE>x</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
            for i in range(slots)
        ).replace(f'"r{slots}"', '"a0"')
    return (
        f'<ANNOTATION_DOCUMENT><TIME_ORDER>{order}</TIME_ORDER><TIER TIER_ID="A">{said}</TIER></ANNOTATION_DOCUMENT>'
    ).encode()


@pytest.mark.parametrize(("valued", "chain"), [(True, False), (False, False), (True, True)])
def test_a_long_session_of_elan_is_read_in_linear_time(valued, chain) -> None:
    """20,000 slots took for ever; a coded hour has as many."""
    began = time.process_time()
    found = elan.read(eaf(20_000, valued=valued, chain=chain))
    assert time.process_time() - began < 20  # 0.3 s
    assert len(found) == 19_999 + 20_000 * chain
    assert found[7].start == pytest.approx(0.7) and found[7].end == pytest.approx(0.8)
    assert not chain or found[-1] == Span("A", 0.0, 0.1, "x") == found[19_999]


BOMB = "<!DOCTYPE a [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12)) + "]>"


@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        '<!DOCTYPE a [<!ENTITY a11 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
        "<!DOCTYPE a>",
        "<!DOCTYPE a [<!ENTITY a11 '" + "x" * 100_000 + "'>]>",
    ],
)
def test_entities_are_neither_grown_nor_fetched(tmp_path, head) -> None:
    (tmp_path / "a.eaf").write_text(f"{head}<ANNOTATION_DOCUMENT>{'&a11;' * 1000}</ANNOTATION_DOCUMENT>")
    with pytest.raises(SourceError, match="declares a document type"):
        read_spans(tmp_path / "a.eaf")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("<a>" * 100_000, "nested more than 64"),
        ("<ANNOTATION_DOCUMENT>&x;</ANNOTATION_DOCUMENT>", "no XML"),
        ('<?xml version="1.0" encoding="rot13"?><a/>', "no XML"),
        ("", "no XML"),
        ("<a/><b/>", "no XML"),
        (eaf(3).decode().replace('"100"', '"1e999"'), "the time 1e999 is none"),
        (eaf(3).decode().replace('"100"', '"nan"'), "the time nan is none"),
        (eaf(3).decode().replace('"100"', '"' + "9" * 5000 + '"'), "is none of a film"),
        (eaf(3).decode().replace('"100"', '""'), "could not convert"),
    ],
)
def test_elan_documents_that_are_none_of_a_film(tmp_path, words, says) -> None:
    (tmp_path / "a.eaf").write_text(words)
    with pytest.raises(SourceError, match=says) as caught:
        read_spans(tmp_path / "a.eaf")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("number", ["1e999", "1" * 5000, "1e9", "-1e300"])
def test_praats_numbers_are_times_of_a_film(tmp_path, number) -> None:
    for was in ("2.5", "\n2\n"):
        (tmp_path / "a.TextGrid").write_text(SHORT.replace(was, was.replace(was.strip(), number), 1))
        with pytest.raises(SourceError, match="is no time of a film"):
            read_spans(tmp_path / "a.TextGrid")
