"""What all pages share: a head whose policy keeps them off the network (base.html), a style, figures as files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from harness.analysis.export import csv_of
from harness.markdown import escape_markdown
from harness.report.palette import COLOURS, on_page
from harness.report.style import Panel

_SHARED = "harness.report"


def page_environment(*packages: str) -> Environment:
    """Templates of these packages, and those that all pages share. What goes into an .html is escaped."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in (*packages, _SHARED)]),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["markdown"] = escape_markdown
    environment.filters["on_page"] = on_page
    environment.globals["colours"] = COLOURS
    return environment


def style_of(environment: Environment, panels: Iterable[Panel]) -> str:
    """The sheet of all pages, then one rule a line for what these drawings share."""
    rules = {name: style for panel in panels for name, style in panel.styles.items()}
    sheet = environment.get_template("page.css").render().strip()
    return "\n".join([sheet, *(f".{name}{{{style}}}" for name, style in sorted(rules.items()))])


def write_figures(panels: Iterable[Panel], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for panel in panels:
        (folder / f"{panel.name}.svg").write_bytes(panel.svg_file)
        (folder / f"{panel.name}.png").write_bytes(panel.png)
        (folder / f"{panel.name}.csv").write_text(csv_of(panel.data), encoding="utf-8")
