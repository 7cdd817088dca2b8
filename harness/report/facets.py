"""By what a reader narrows the page: problem, strategy, workers and framework.

Everything that is of some of them says so in tokens, a letter for which of the four and a number for its value; the
page's script hides what is of another value than the one chosen. Without a script all is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from harness.analysis.comparable import Pool
from harness.analysis.contests import Contest
from harness.report.anchors import slug
from harness.report.table_cells import TableCell

_COLUMNS = {"problem": "p", "strategy": "s", "workers": "w", "framework": "f"}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the four, with its values as tokens and words."""

    name: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Facets:
    """Of a whole page: the tokens of all values, by column."""

    tokens: Mapping[str, Mapping[Any, str]]

    @property
    def choices(self) -> Iterator[Choice]:
        """Those with something to choose."""
        for name, tokens in self.tokens.items():
            if len(tokens) > 1:
                yield Choice(name=name, options=tuple((token, str(value)) for value, token in tokens.items()))

    def of_pool(self, pool: Pool) -> PoolFacets:
        """Recipes that were tuned go by their labels; what was made of them may be called otherwise."""
        called = pd.concat([pool.launches, pool.trials.assign(shown_as=pool.trials["label"])])
        shown = called.drop_duplicates(["problem", "shown_as"]).set_index(["problem", "shown_as"])
        return PoolFacets(tokens=self.tokens, series=shown[["strategy", "framework"]].to_dict("index"))


@dataclass(frozen=True, kw_only=True)
class PoolFacets:
    """Of one pool, which knows its series."""

    tokens: Mapping[str, Mapping[Any, str]]
    series: Mapping[Any, Mapping[Any, Any]]  # by problem and the name that is shown

    def of_row(self, row: Mapping[str, TableCell]) -> Markup:
        """An attribute of a table's row, by those of its first columns that it has; empty where it has none."""
        known = {name: row[name].text for name in _COLUMNS if name in row}
        found = self.series.get((known.get("problem"), known.pop("strategy", None)), {})
        return self._attribute({**known, **found, **known})  # its own framework, where it says one

    def of_launch(self, launch: Mapping[str, Any]) -> Markup:
        """Likewise of what is said of one alone."""
        return self._attribute({name: launch[name] for name in _COLUMNS})

    def of_contest(self, contest: Contest) -> Markup:
        first = contest.launches.iloc[0]
        return self._attribute({"problem": first["problem"], "framework": first["framework"]})

    def of_name(self, name: str) -> Markup:
        """Likewise of what is called after a problem: a contest, an aim, the end of a file's name."""
        said = slug(name)
        mine = [problem for problem in self.tokens["problem"] if said.startswith(slug(problem))]
        return self._attribute({"problem": max(mine, key=len)} if mine else {})

    def _attribute(self, values: Mapping[Any, Any]) -> Markup:
        found = (self.tokens[name].get(str(value)) for name, value in values.items())
        tokens = " ".join(token for token in found if token)
        return Markup(f' data-of="{tokens}"' if tokens else "")  # letters and numbers of ours


def facets_of(pools: Sequence[Pool]) -> Facets:
    def values(column: str) -> Iterable[Any]:
        return sorted({value for pool in pools for value in pool.launches[column].unique()})

    return Facets(
        tokens={
            column: {str(value): f"{letter}{number}" for number, value in enumerate(values(column))}
            for column, letter in _COLUMNS.items()
        }
    )
