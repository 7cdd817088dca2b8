"""Drawings as SVG whose text is text: small, searched and selected like any other, read aloud.

Each line says how wide the layout took it for and is set in that width, so that it collides with nothing where the
font that it was laid out in is missing.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

POINTS_PER_INCH = 72
FAMILY = "'DejaVu Sans',Verdana,sans-serif"  # Verdana has nearly the same widths
_MIN_FITTED = 2  # letters


def svg_of(figure: Figure) -> str:
    """A whole document. The figure's layout must be settled."""
    figure.set_dpi(POINTS_PER_INCH)
    width, height = figure.get_size_inches() * POINTS_PER_INCH
    written = io.StringIO()
    told = {"image_dpi": POINTS_PER_INCH, "metadata": {"Date": None, "Creator": None}}
    renderer = _TextRenderer(width, height, written, **told)  # type: ignore[no-untyped-call]
    figure.draw(renderer)
    renderer.finalize()  # type: ignore[no-untyped-call]
    return written.getvalue()


class _TextRenderer(RendererSVG):
    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        """One line, from its left end on. `ismath` is ignored: a $ in a name is a $."""
        style = {
            "font-family": FAMILY,
            "font-size": f"{prop.get_size_in_points():g}px",
            "font-weight": str(prop.get_weight()),
            "fill": to_hex(gc.get_rgb()),
        }
        place = {
            "x": f"{x:.2f}",
            "y": f"{y:.2f}",
            "style": ";".join(f"{name}:{value}" for name, value in style.items()),
        }
        if angle:
            place["transform"] = f"rotate({-angle:g} {x:.2f} {y:.2f})"
        if len(s) >= _MIN_FITTED:
            width, _, _ = self.get_text_width_height_descent(s, prop, False)  # type: ignore[no-untyped-call]
            place["textLength"] = f"{width:.1f}"
        self.writer.element("text", s, attrib=place)  # type: ignore[no-untyped-call]
