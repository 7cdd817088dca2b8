"""Drawings as parts of a page: a fraction of the bytes of Matplotlib's SVG, with the page's colours and shared styles.

Coordinates are rounded, a shape that repeats is drawn once and used, styles are classes that all drawings of a page
share, and elements that say nothing go.
"""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from harness.report.palette import on_page
from harness.report.svg_paths import begin_and_shape, decimal, from_point_to_point

_HREF = "{http://www.w3.org/1999/xlink}href"
_OF_A_DOCUMENT = ("width", "height", "version", "id")
_COORDINATES = ("x", "y", "width", "height")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_AFTER_A_SIGN = re.compile(r"([:;,]) +")
_MIN_SHARED = 24  # letters of a path: a shorter one costs less than its use
LINES = "lines"  # class of a text of several


@dataclass(frozen=True, kw_only=True)
class PageDrawing:
    """An <svg> element, and the style sheet that it needs: declarations by class."""

    markup: Markup
    styles: Mapping[str, str]


def for_page(drawing: str, *, name: str) -> PageDrawing:
    """Of a whole document. name: unique on the page.

    What is marked as safe here is serialized from a tree: text in it is escaped.
    """
    root = ET.fromstring(drawing)
    for attribute in _OF_A_DOCUMENT:
        root.attrib.pop(attribute, None)
    _Compaction(prefix=f"d{_digest(name)}").of(root)
    styles = _styles_of(root)
    root.set("aria-hidden", "true")
    return PageDrawing(markup=Markup(ET.tostring(root, encoding="unicode").replace(" />", "/>")), styles=styles)


def _styles_of(root: ET.Element) -> dict[str, str]:
    """Takes the styles out of the tree, by the classes that stand in their places."""
    styles = {}
    for element in root.iter():
        if style := element.attrib.pop("style", ""):
            name = f"s{_digest(style)}"
            styles[name] = style
            element.set("class", name)
    return styles


def _digest(text: str) -> str:
    """Six letters: for hundreds of names, one in ten thousand pages has two alike."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:6].lower()


@dataclass(kw_only=True)
class _Compaction:
    prefix: str  # of ids
    ids: dict[str, str] = field(default_factory=dict)  # old to new, of those that are referred to

    def of(self, root: ET.Element) -> None:
        for element in root.iter():
            for value in element.attrib.values():
                for old in _REFERENCE.findall(value):
                    self._id(old)
            if _HREF in element.attrib:
                self._id(element.attrib[_HREF][1:])
        self._simplify(root)
        self._share_shapes(root)

    def _id(self, old: str) -> str:
        return self.ids.setdefault(old, f"{self.prefix}-{len(self.ids)}")

    def _simplify(self, parent: ET.Element) -> None:
        """All below the parent, from the leaves up: an element that says nothing gives way to what is in it."""
        kept: list[ET.Element] = []
        for child in parent:
            self._simplify(child)
            self._rewrite(child)
            kept += _what_it_says(child)
        parent.tag, parent.tail = parent.tag.rpartition("}")[2], None
        if parent.tag not in {"text", "title"}:
            parent.text = None
        parent[:] = kept

    def _rewrite(self, element: ET.Element) -> None:
        attributes = element.attrib
        old = attributes.pop("id", "")
        if old in self.ids:
            attributes["id"] = self.ids[old]
        if old.startswith("text_") and len(element) > 1:
            attributes["class"] = LINES
        if target := attributes.pop(_HREF, None):
            attributes["href"] = f"#{self._id(target[1:])}"
        for name in ("clip-path", "style"):
            if name in attributes:
                attributes[name] = self._rewritten(attributes[name])
        for name in _COORDINATES:
            if name in attributes:
                attributes[name] = decimal(float(attributes[name]))
        if "d" in attributes:
            attributes["d"] = from_point_to_point(attributes["d"])

    def _rewritten(self, value: str) -> str:
        return on_page(_REFERENCE.sub(self._renamed, _AFTER_A_SIGN.sub(r"\1", value)))

    def _renamed(self, reference: re.Match[str]) -> str:
        return f"url(#{self._id(reference[1])})"

    def _share_shapes(self, root: ET.Element) -> None:
        """Paths of one shape, wherever they begin, become uses of one definition."""
        paths = [(path, *begin_and_shape(path.attrib["d"])) for path in root.iter("path") if "id" not in path.attrib]
        counts = Counter(shape for *_, shape in paths)
        shared = {shape: self._id(shape) for shape, n in counts.items() if n > 1 and len(shape) >= _MIN_SHARED}
        for path, x, y, shape in paths:
            if shape in shared:
                del path.attrib["d"]
                path.tag, path.attrib = "use", {"href": f"#{shared[shape]}", "x": x, "y": y, **path.attrib}
        if shared:
            defs = ET.Element("defs")
            defs.extend(ET.Element("path", {"id": name, "d": f"M0 0{shape}"}) for shape, name in shared.items())
            root.insert(0, defs)


def _what_it_says(element: ET.Element) -> list[ET.Element]:
    is_empty = (element.tag in {"defs", "g"} and not len(element)) or (
        element.tag == "path" and "d" not in element.attrib
    )
    if is_empty or element.tag in {"metadata", "style"}:
        return []
    is_plain = element.tag == "g" and not element.attrib and element[0].tag != "title"
    return list(element) if is_plain else [element]
