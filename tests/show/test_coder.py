"""Human coders' files in the shapes that people have."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tronie.core.errors import SourceError
from tronie.core.span import Span
from tronie.show.coder import read_spans
from tronie.show.textgrid import read

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
        Span("Anna", 1.0 + shift, 2.0 + shift, "happy"), Span("Anna-sure", 3.0 + shift, 4.0 + shift, "very"),
    ]  # fmt: skip


SHORT = '''File type = "ooTextFile"
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
'''


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_praats_short_form_in_its_encodings(tmp_path, encoding) -> None:
    path = tmp_path / "coder.TextGrid"
    path.write_bytes(SHORT.encode(encoding))
    assert read_spans(path) == [Span("Anna", 1.5, 2.5, 'say "cheese" 7')]


@pytest.mark.parametrize("content", [
    "person,start,end,label\nAnna,1.5,2.5,happy\nAnna,2.5,65,sad\n",
    "Begin Time;End Time;Tier;Annotation\n00:00:01.500;0:02.5;Anna;happy\n2.5;00:01:05.000;Anna;sad\n\n",
    "tier\tonset\tduration\tcode\nAnna\t1.5\t1\thappy\nAnna\t2.5\t62.5\tsad\n",
])  # fmt: skip
def test_csv_in_three_dialects(tmp_path, content) -> None:
    path = tmp_path / "coder.csv"
    path.write_text(content, encoding="utf-8-sig")
    assert read_spans(path) == [Span("Anna", 1.5, 2.5, "happy"), Span("Anna", 2.5, 65.0, "sad")]


def test_a_track_number_is_the_person_of_that_number(tmp_path) -> None:
    path = tmp_path / "coder.csv"
    path.write_text("track,start,end,label\n3,0,1,happy\n")
    assert read_spans(path) == [Span("person 3", 0.0, 1.0, "happy")]


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.eaf", b"<x/>", "its root is <x>"), ("a.eaf", b"no xml", "damaged"), ("a.eaf", b"", "damaged"),
    ("a.TextGrid", b"hello", "does not begin with ooTextFile"), ("a.TextGrid", SHORT[:90].encode(), "ends too early"),
    ("a.TextGrid", SHORT.replace("1.5", "x", 1).encode(), "a number was expected"),
    ("a.csv", b"start,end\n1,2\n", "no column 'label'"), ("a.csv", b"start,label\n1,x\n", "neither a column 'end'"),
    ("a.csv", b"start,end,label\n1,x,happy\n", "line 2: 'x' cannot stand in column 'end'"),
    ("a.csv", b"start,end,label\n1\n", "line 2: 1 cells for 3 columns"),
    ("a.csv", b"\xff\xfe\xff", "neither UTF-8"), ("a.doc", b"", "no coder's file"), ("a.csv", None, "There is no file"),
])  # fmt: skip
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
