"""What all pages have in common, without a page around it."""

from __future__ import annotations

import pandas as pd
import pytest
from jinja2 import TemplateNotFound
from markupsafe import Markup

from harness.report.base_page import page_environment, style_of, write_figures
from harness.report.style import Panel


def panel(name: str, **styles: str) -> Panel:
    data = pd.DataFrame({"estimate": [1.5]})
    return Panel(name=name, alt="", svg=Markup(""), styles=styles, svg_file=b"<svg/>", png=b"png", data=data)


def test_style_has_what_drawings_share_once():
    both = [panel("one", sb="fill:red", sa="stroke:none"), panel("other", sa="stroke:none")]
    sheet, *rules = style_of(page_environment(), both).rpartition("\n.sa")
    assert sheet.startswith(":root {")
    assert "".join(rules) == "\n.sa{stroke:none}\n.sb{fill:red}"


def test_templates_of_a_package_stand_before_the_shared_ones():
    assert page_environment("harness.claims").get_template("claims.html").name == "claims.html"
    with pytest.raises(TemplateNotFound):
        page_environment().get_template("claims.html")


def test_figures_are_three_files_each(tmp_path):
    write_figures([panel("one"), panel("other")], tmp_path / "figures")
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        *("one.svg", "one.png", "one.csv"),
        *("other.svg", "other.png", "other.csv"),
    }
    assert (tmp_path / "figures" / "one.csv").read_text() == "estimate\n1.5\n"
