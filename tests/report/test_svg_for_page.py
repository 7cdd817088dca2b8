"""Drawings for the page: small, safe, and with ids and styles that fit beside those of others."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from harness.report.style import canvas, themed
from harness.report.svg_for_page import LINES, for_page
from harness.report.svg_text import svg_of

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" viewBox="0 0 9 9">'
)


def compact(content: str):
    return for_page(f"{HEAD}{content}</svg>", name="one")


def test_elements_that_say_nothing_go():
    found = compact(
        '<metadata><a/></metadata><defs><style>*{}</style></defs><g id="axes_1">\n<g><path/><rect x="1.26"/></g></g>'
    )
    assert found.markup == '<svg viewBox="0 0 9 9" aria-hidden="true"><rect x="1.3"/></svg>'


def test_group_with_a_title_stays():
    assert "<g><title>a &lt; b</title><rect/></g>" in compact("<g><title>a &lt; b</title><rect/></g>").markup


def test_styles_are_classes_with_the_variables_of_the_page():
    found = compact('<rect style="fill: #1b1d21; stroke: none"/><rect style="fill: #1b1d21; stroke: none"/>')
    ((name, style),) = found.styles.items()
    assert style == "fill:var(--ink);stroke:none"
    assert found.markup.count(f'<rect class="{name}"/>') == 2


def test_ids_that_are_referred_to_are_unique_on_the_page():
    content = '<clipPath id="p1"><rect/></clipPath><path d="M 1 2 L 3 4" clip-path="url(#p1)" id="unused"/>'
    found = compact(content).markup
    other = for_page(f"{HEAD}{content}</svg>", name="another").markup
    name = ET.fromstring(found).find("clipPath").get("id")
    assert f'<path d="M1 2l2 2" clip-path="url(#{name})"/>' in found
    assert name not in other


def test_shape_that_repeats_is_drawn_once_and_used():
    ring = "M {0} 5 C {0} 6.111 4.222 7.333 3.444 8.555 C 1.1 2.2 3.3 4.4 {0} 5 z"
    found = compact("".join(f'<path d="{ring.format(x)}" style="fill: none"/>' for x in (2.0, 2.0, 2.0)))
    tree = ET.fromstring(found.markup)
    (shape,) = tree.findall("defs/path")
    assert shape.get("d").startswith("M0 0c0 1.1")
    assert [use.get("href") for use in tree.findall("use")] == [f"#{shape.get('id')}"] * 3
    assert {(use.get("x"), use.get("y")) for use in tree.findall("use")} == {("2", "5")}


def test_text_of_a_record_stays_text():
    name = '</text><script>alert(1)</script> style="x" $a$'
    with themed(), canvas() as (figure, axes):
        axes.set_xlabel(name)
        axes.set_ylabel("two\nlines")
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
        found = for_page(svg_of(figure), name="a")
    assert "<script" not in found.markup
    assert not any("x" in style and "style=" in style for style in found.styles.values())
    tree = ET.fromstring(found.markup)
    assert name in [text.text for text in tree.iter("text")]
    (lines,) = [group for group in tree.iter("g") if group.get("class") == LINES]
    assert [text.text for text in lines] == ["two", "lines"]
