"""The legend of the figures about one pool: the shape of each family, in the colours of its strategies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from harness.analysis.families import Family, families_of
from harness.report.style import Look

MARK_PATHS = {  # of its marks by Look.marker, within 12 × 12 around 0
    "o": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
    "s": "M-4-4h8v8h-8z",
    "^": "M0-5l5 9h-10z",
    "D": "M0-5.5l5.5 5.5l-5.5 5.5l-5.5-5.5z",
    "X": "M-5-2l3-3l2 2l2-2l3 3l-2 2l2 2l-3 3l-2-2l-2 2l-3-3l2-2z",
}


@dataclass(frozen=True, kw_only=True)
class LegendEntry:
    family: Family
    looks: tuple[Look, ...]  # of its strategies, each colour once


def legend_of(runs: pd.DataFrame, of_strategies: Mapping[str, Look]) -> tuple[LegendEntry, ...]:
    """One entry a family. runs: columns strategy and evaluated_model."""
    by_family: dict[Family, dict[str, Look]] = {}
    for strategy, family in families_of(runs).items():
        look = of_strategies[strategy]
        by_family.setdefault(family, {}).setdefault(look.colour, look)
    return tuple(
        LegendEntry(family=family, looks=tuple(by_family[family].values())) for family in Family if family in by_family
    )
