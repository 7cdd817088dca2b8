"""Contrasts of the page and of its drawings, light and dark, by the formula of WCAG 2.2."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from harness.protocols import EvaluatedModel
from harness.report import palette
from harness.report.palette import COLOURS, PHASES, SHADES, on_page
from harness.report.style import strategy_looks

TEXT, MARK = 4.5, 3.0
ALIKE = 8.0  # of colours: no more than so far apart
HARNESS = Path(palette.__file__).parents[1]
GROUNDS = ("card", "band")  # of drawings; page and warnings have text alone


def luminance(colour: str) -> float:
    """Relative, from 0 to 1. Source: WCAG 2.2, definition of relative luminance."""
    return dot((0.2126, 0.7152, 0.0722), linear(colour))


def linear(colour: str) -> list[float]:
    """Its red, green and blue in proportion to light."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


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


def lab(rgb: Sequence[float]) -> tuple[float, float, float]:
    """Lightness, and how red and yellow it is, of linear parts. Source: CIE 1976 L*a*b*, white D65."""
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = (
        share ** (1 / 3) if (share := dot(row, rgb) / sum(row)) > 0.008856 else 7.787 * share + 16 / 116 for row in rows
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def dot(weights: Sequence[float], parts: Sequence[float]) -> float:
    return sum(weight * part for weight, part in zip(weights, parts, strict=True))


# Of linear red, green and blue. Source: Machado et al., A physiologically-based model for simulation of color vision
# deficiency, IEEE TVCG 15 (2009) 1291, severity 1.0.
VISIONS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def difference(one: str, other: str, vision: str) -> float:
    """Distance in L*a*b*: 2.3 is just noticeable."""
    seen = (lab([min(1.0, max(0.0, dot(row, linear(colour)))) for row in VISIONS[vision]]) for colour in (one, other))
    return math.dist(*seen)


def test_difference_is_as_the_standard_has_it() -> None:
    assert lab(linear("#ffffff")) == pytest.approx((100, 0, 0), abs=0.02)
    assert difference("#000000", "#ffffff", "tritan") == pytest.approx(100, abs=0.1)
    assert difference("#ff0000", "#00ff00", "normal") == pytest.approx(170.55, abs=0.1)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_strategies_of_a_family_are_told_apart_by_every_kind_of_colour_vision(mode: str, vision: str) -> None:
    by_light = {colour.light: colour for colour in COLOURS.values()}
    replicated, averaged = EvaluatedModel.REPLICATED, EvaluatedModel.MEAN_OF_WORKERS
    for model, strategies in ((replicated, ["allreduce", "allreduce-flat", "torch-ddp"]),
                              (averaged, ["delayed-averaging", "local-sgd"])):  # fmt: skip
        found = strategy_looks(pd.DataFrame({"strategy": strategies, "evaluated_model": model}))
        colours = [getattr(by_light[look.colour], mode) for look in found.values()]
        for one, other in itertools.combinations(colours, 2):
            assert difference(one, other, vision) >= ALIKE, (one, other)


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
