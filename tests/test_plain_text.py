"""Text of others, cleaned."""

from __future__ import annotations

import math
import sys
import unicodedata
import xml.etree.ElementTree as ET

import pytest

from harness.plain_text import (
    all_shown,
    on_its_side,
    one_line,
    per_second,
    places_of,
    plain_value,
    rounded_up,
    shortened,
    shown,
)


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


@pytest.mark.parametrize(
    ("value", "bar", "places", "shown_as"),
    [
        (0.97996, 0.98, 3, 0.979),
        (0.98004, 0.98, 3, 0.981),
        (0.9796, 0.9797, 3, 0.979),  # 0.980 would be beyond
        (0.97, 0.98, 3, 0.97),
        (0.98, 0.98, 3, 0.98),
        (1 - 1e-15, 1.0, 3, 1 - 1e-15),  # but for errors of floating point
        (0.0304, 0.03, 3, 0.031),
        (1.04e-5, 1e-5, 6, 1.1e-5),
        (12345.6, 12300.0, -2, 12400.0),
        (math.inf, 0.1, 3, math.inf),
        (0.1, math.nan, 3, 0.1),
    ],
)
def test_value_beside_a_bar_is_rounded_to_no_other_side_of_it(
    value: float, bar: float, places: int, shown_as: float
) -> None:
    assert on_its_side(value, bar, places) == pytest.approx(shown_as, rel=1e-15)


def test_places_are_those_of_so_many_significant_digits() -> None:
    assert [places_of(value, 3) for value in (0.0123, -0.5, 4.57, 12345.6)] == [4, 3, 2, -2]
    assert [places_of(value, 3) for value in (0.0, math.inf)] == [3, 3]


def test_what_is_rounded_up_is_no_less() -> None:
    assert [rounded_up(value) for value in (0.021333, 12345.6, 0.07)] == [0.0214, 12400.0, 0.07]
    assert rounded_up(2.0**-13, 6) == 0.000122071


def test_value_of_a_setting_is_said_in_one_way() -> None:
    assert [plain_value(value) for value in (0.1, 20.0, 2, "adam", None, (1, 2.0))] == [
        *("0.1", "20", "2", "adam", "none", "1,2")
    ]
