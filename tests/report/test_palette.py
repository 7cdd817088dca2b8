"""Contrasts of the page and of its drawings, light and dark, by the formula of WCAG 2.2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.report import palette
from harness.report.palette import COLOURS, PHASES, SHADES, on_page

TEXT, MARK = 4.5, 3.0
HARNESS = Path(palette.__file__).parents[1]
GROUNDS = ("card", "band")  # of drawings; page and warnings have text alone


def luminance(colour: str) -> float:
    """Relative, from 0 to 1. Source: WCAG 2.2, definition of relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: str, ground: str, alpha: float) -> str:
    parts = [
        round(alpha * int(colour[place : place + 2], 16) + (1 - alpha) * int(ground[place : place + 2], 16))
        for place in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


def test_contrast_is_as_the_standard_has_it() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_from_every_ground(mode: str) -> None:
    of = {name: getattr(colour, mode) for name, colour in COLOURS.items()}
    texts = [(text, ground) for text in ("ink", "muted", "accent") for ground in ("page", *GROUNDS)]
    for text, ground in (*texts, ("warn", "warn-ground")):
        assert contrast(of[text], of[ground]) >= TEXT, (text, ground)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_marks_stand_out_from_every_ground(mode: str) -> None:
    shades = [getattr(shade, mode) for each in SHADES.values() for shade in each]
    for ground in GROUNDS:
        on = getattr(COLOURS[ground], mode)
        assert min(contrast(shade, on) for shade in (*shades, getattr(COLOURS["muted"], mode))) >= MARK
    card = getattr(COLOURS["card"], mode)
    assert min(contrast(phase, card) for phase in PHASES.values()) >= MARK


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_lines_in_grey_stand_out_from_cards(mode: str) -> None:
    grey, card = (getattr(COLOURS[name], mode) for name in ("muted", "card"))
    assert contrast(mixed(grey, card, palette.GREY_ALPHA), card) >= MARK


def test_numbers_in_bars_and_verdicts_stand_out() -> None:
    assert min(contrast(phase, "#ffffff") for phase in PHASES.values()) >= TEXT
    grounds = re.findall(r"\.verdict\.\w+ \{ background: (#\w{6}); \}", (HARNESS / "claims/claims.css").read_text())
    assert len(grounds) == 4
    assert min(contrast(ground, "#fefefe") for ground in grounds) >= TEXT


def test_every_colour_of_a_drawing_is_one_variable_of_the_page() -> None:
    light = [colour.light for colour in COLOURS.values()]
    assert len(set(light)) == len(light)
    assert not set(PHASES.values()) & set(light)  # white numbers stand on them on either ground
    assert on_page(f"fill:{palette.INK};stroke:#123456") == "fill:var(--ink);stroke:#123456"


def test_no_colour_of_the_page_stands_beside_the_palette() -> None:
    assert re.findall(r"#[0-9a-f]{3,8}\b", (HARNESS / "report/page.css").read_text()) == []
