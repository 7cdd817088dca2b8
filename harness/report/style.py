"""How figures look: a hue and a shape a family of strategies, one size of panel, the same on screen, in print and on a
phone. A strategy has one colour and one shape on all of a page.

A panel is drawn at about the width it is shown at, so that its text is readable on a phone; the page lays panels out.
Colours are those of palette.py, for which a page has its variables.
"""

from __future__ import annotations

import io
import re
import textwrap
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import matplotlib as mpl

mpl.use("Agg")  # no display; before anything else of matplotlib is imported

import pandas as pd
import seaborn as sns
from markupsafe import Markup, escape
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from harness.analysis.families import Family, families_of
from harness.plain_text import one_line, shortened
from harness.report.glyphs import DRAWN_TEXT, boxes_for_missing_glyphs
from harness.report.palette import GRID, GROUND, INK, MUTED, SHADES
from harness.report.svg_for_page import for_page
from harness.report.svg_text import svg_of

_MARKS = {  # of a family
    Family.SYNCHRONOUS: "s",
    Family.AVERAGING: "^",
    Family.ASYNCHRONOUS: "o",
    Family.REFERENCE: "D",
    Family.OTHER: "X",
}
Dash = Literal["-"] | tuple[int, tuple[float, ...]]
Fill = Literal["full", "left", "bottom", "right"]  # which half of a mark has the colour

_SHADES = {"allreduce": 0, "allreduce-flat": 1, "torch-ddp": 2, "delayed-averaging": 0, "local-sgd": 1, "hogwild": 0}
_DASHES: tuple[Dash, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
_FILLS: tuple[Fill, ...] = ("full", "left", "bottom", "right")

WIDTH_IN, HEIGHT_IN = 4.6, 3.0
_TITLE_WIDTH, _MAX_TITLE = 52, 104  # letters of a line, and of all lines
_HINT = "hint-"
_PNG_DPI = 150
_PNG_BY = {"compress_type": zlib.Z_RLE}  # most of a drawing are runs of one colour: less work, and smaller files
_RC: dict[Any, Any] = {
    **DRAWN_TEXT,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.facecolor": "none",
    "figure.facecolor": GROUND,
    "text.hinting": "none",  # text as wide in the layout as it is drawn
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.08,
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """Colour and marker are a strategy's. Its variants differ in their lines, where there are none in their marks."""

    colour: str
    marker: str
    dash: Dash = "-"
    fill: Fill = "full"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One drawing and its data. `svg` is for a page with these styles, by class; `svg_file` and `png` stand alone."""

    name: str
    alt: str
    svg: Markup
    styles: Mapping[str, str]
    svg_file: bytes
    png: bytes
    data: pd.DataFrame


def strategy_looks(runs: pd.DataFrame) -> dict[str, Look]:
    """By strategy, of all on a page (columns strategy and evaluated_model): hue and marker by family, shade by strategy
    as long as there are enough."""
    found, num_others = {}, dict.fromkeys(Family, 0)
    for strategy, family in families_of(runs).items():
        if strategy not in _SHADES:
            num_others[family] += 1
        shade = _SHADES.get(strategy, -num_others[family])  # those without one of their own from the end on
        shades = SHADES[family]
        found[strategy] = Look(colour=shades[shade % len(shades)].light, marker=_MARKS[family])
    return found


def looks(series: pd.DataFrame, of_strategies: Mapping[str, Look]) -> dict[str, Look]:
    """By series, from columns series and strategy: its strategy's, dash and fill by variant of it."""
    pairs = series[["strategy", "series"]].drop_duplicates().sort_values(["strategy", "series"])
    return {
        str(name): replace(
            of_strategies[str(strategy)],
            dash=_DASHES[position % len(_DASHES)],
            fill=_FILLS[position % len(_FILLS)],
        )
        for strategy, rows in pairs.groupby("strategy")
        for position, name in enumerate(rows["series"])
    }


@contextmanager
def themed() -> Iterator[None]:
    """Seaborn's theme with ours on top, for the drawings inside the block only."""
    with mpl.rc_context(), sns.axes_style("whitegrid"), mpl.rc_context(_RC):
        yield


@contextmanager
def canvas(*, height_in: float = HEIGHT_IN) -> Iterator[tuple[Canvas, Axes]]:
    """A fresh panel, outside pyplot's registry so that nothing piles up."""
    figure = Canvas(figsize=(WIDTH_IN, height_in))
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    yield figure, axes


def lay_out(figure: Canvas) -> None:
    """Finds room for all that is drawn by now."""
    engine = figure.get_layout_engine()
    assert engine is not None
    with boxes_for_missing_glyphs():
        engine.execute(figure)


def titled(figure: Canvas, title: str) -> None:
    """At the left edge of the panel, not of the axes: there is room for long names."""
    words = textwrap.fill(shortened(one_line(title), _MAX_TITLE), _TITLE_WIDTH)
    figure.suptitle(words, x=0.01, ha="left", fontsize=10, fontweight="bold", color=INK)


def hint(artist: Artist, words: str) -> None:
    """What a pointer over it shows. Kept as hexadecimal digits in the artist's id until the drawing is finished."""
    artist.set_gid(_HINT + one_line(words).encode().hex())


def _with_hints(drawing: str) -> str:
    """Ids that are hints become titles of their groups."""

    def title(found: re.Match[str]) -> str:
        return f"<g><title>{escape(bytes.fromhex(found[1]).decode())}</title>"

    return re.sub(rf'<g id="{_HINT}([0-9a-f]+)">', title, drawing)


def finished(figure: Canvas, *, name: str, alt: str, data: pd.DataFrame) -> Panel:
    picture = io.BytesIO()
    lay_out(figure)
    figure.set_layout_engine("none")  # settled, once
    with boxes_for_missing_glyphs():
        # The canvas itself: `savefig` would draw everything once more for each format to find its layout.
        drawn = _with_hints(svg_of(figure))
        figure.set_dpi(_PNG_DPI)
        FigureCanvasAgg(figure).print_png(picture, pil_kwargs=_PNG_BY)  # type: ignore[no-untyped-call]
    shown = for_page(drawn, name=name)
    return Panel(
        name=name,
        alt=alt,
        svg=shown.markup,
        styles=shown.styles,
        svg_file=drawn.encode(),
        png=picture.getvalue(),
        data=data,
    )
