"""Text of others, cleaned."""

from __future__ import annotations

import sys
import unicodedata
import xml.etree.ElementTree as ET

import pytest

from harness.plain_text import all_shown, one_line, per_second, shortened, shown


def test_shown_has_neither_colours_nor_controls_and_keeps_its_lines() -> None:
    assert shown("\x1b[1;31mred\x1b[0m\n\tand\x07 \x9b2J\x7f") == "red\n\tand\ufffd \ufffd2J\ufffd"
    assert shown("漢字 é 😀 × √") == "漢字 é 😀 × √"


def test_shown_turns_no_direction_of_writing() -> None:
    assert shown("a\u202egnp.exe\u2066") == "a\ufffdgnp.exe\ufffd"


def test_shown_of_every_character_may_stand_in_xml_and_on_a_terminal() -> None:
    text = shown("".join(map(chr, range(sys.maxunicode + 1))))
    assert {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs")} == {"\t", "\n", "\r"}
    ET.fromstring(f"<a>{text.replace('&', '').replace('<', '')}</a>".encode())


def test_all_shown_reaches_every_text_and_key() -> None:
    assert all_shown({"a\x00": [{"b": "\x1b"}, 1, None]}) == {"a\ufffd": [{"b": "\ufffd"}, 1, None]}


def test_one_line_is_one_line() -> None:
    assert one_line("a\r\nb\x1b[2J\u2028c\ud800") == "a b [2J c\ufffd"


def test_shortened_keeps_both_ends() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abcdef…ijk"


@pytest.mark.parametrize(
    ("sample_units", "said"),
    [
        (["image", "image"], "images/s"),
        (["token"], "tokens/s"),
        (["image", "token"], "samples/s"),
        ([""], "samples/s"),
        (["a\nb"], "a bs/s"),
    ],
)
def test_rate_is_in_the_sample_unit_that_all_share(sample_units: list[str], said: str) -> None:
    assert per_second(sample_units) == said
