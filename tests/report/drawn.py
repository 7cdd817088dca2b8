"""A figure of hand-made records, without the page around it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from harness.analysis import load_all
from harness.analysis.comparable import pools
from harness.records.record import Record
from harness.report.judged import judged_contests
from harness.report.material import Figure, Material, material
from harness.report.style import Panel, strategy_looks, themed
from tests.analysis.handmade import folder_of


def material_of(tmp_path: Path, runs: Iterable[Record]) -> Material:
    results = load_all(folder_of(runs, tmp_path))
    (pool,) = pools(results.runs)
    return material(results, pool, judged_contests([pool])[0], [], strategy_looks(results.runs), "")


def drawn(figure: Callable[[Material], Figure], given: Material) -> pd.DataFrame:
    """The data of its only panel."""
    with themed():
        (panel,) = figure(given).panels
    return panel.data


def hints(panel: Panel) -> set[str]:
    """What a pointer over its parts shows."""
    titles = ET.fromstring(panel.svg).iter("title")
    return {str(title.text).replace("\u00a0", " ") for title in titles}
