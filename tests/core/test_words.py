"""Nothing that a terminal obeys or hides is printed as it is."""

from __future__ import annotations

import pickle
import unicodedata

import pytest

from tronie.core.errors import SourceError
from tronie.core.words import printable, printable_lines, shortened


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\x9b31m", "\\x9b31m"),
        ("bell\x07", "bell\\x07"),
        ("gnp\u202eexe", "gnp\\u202eexe"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\udcff.mp4", "\\udcff.mp4"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(text, seen) -> None:
    assert printable(text) == seen


@pytest.mark.parametrize("text", ["Müller 1.mp4", "笑顔", "😀👨‍👩‍👧", "می‌خواهم", "é", "a\\x1b", "שלום", ""])
def test_names_of_people_stay_as_they_are(text) -> None:
    assert printable(text) == text == printable_lines(text)


def test_no_letter_of_unicode_is_left_that_is_invisible() -> None:
    invisible = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    joiners = "\u200c\u200d"
    # Marks that shape digits of Arabic, Syriac, Kaithi and Egyptian numbers are seen; they neither hide nor reorder.
    shaping = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
    shaping |= {chr(c) for c in range(0x13430, 0x13440)}
    left = [
        hex(c)
        for c in range(0x110000)
        if unicodedata.category(chr(c)) in invisible
        and printable(chr(c)) == chr(c)
        and chr(c) not in joiners
        and chr(c) not in shaping
    ]
    assert left == []


def test_lines_stay_where_the_program_laid_them_out() -> None:
    assert printable_lines("a\nb\x1b\r\n") == "a\nb\\x1b\\r\n"


def test_long_words_are_cut_in_messages() -> None:
    assert shortened("abc", 3) == "abc" and shortened("abcd", 3) == "ab…" and len(shortened("x" * 5000)) == 60


def test_every_error_is_one_line_that_no_terminal_obeys() -> None:
    said = str(SourceError("a\x1b[2J\r\nb\u202e.mp4 cannot be read: " + "x" * 9000))
    assert said.startswith("a\\x1b[2J\\r\\nb\\u202e.mp4 cannot be read") and len(said) == 5000
    assert str(pickle.loads(pickle.dumps(SourceError("a\nb")))) == "a\\nb"
