"""Which trials a study has: the recipe's own point, then quasi-random ones, known before any of them is run.

No trial depends on how another went, so a strategy that is slow, crashes or is tuned by several `hvdbench` at a time
gets the same ones: Halton's sequence, scrambled by the seed.

Source: the external tuning ruleset of AlgoPerf (Dahl et al., arXiv 2306.07179; DOCUMENTATION.md of its repository,
mlcommons/algorithmic-efficiency): quasi-random points of one search space for all workloads, tuned for each workload by
itself, the best being the one that reaches the target soonest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from scipy.stats import qmc

from harness.records.record import Tuning
from harness.suite.cell import Cell
from harness.suite.suite import Suite
from harness.tuning.space import Space, Values, space_of
from harness.tuning.tuning_error import TuningError

SAMPLER = "quasi-random"
SEEDS_FROM = 1_000_000  # of trials: apart from those that are judged, which count from 0
_MOST_DRAWS = 200  # for a trial: a space that has so few possible points is none


@dataclass(frozen=True, kw_only=True)
class Trial:
    number: int  # 0 is the recipe's
    cell: Cell
    values: Values


@dataclass(frozen=True, kw_only=True)
class Study:
    """All trials of one strategy, workload and number of workers."""

    space: Space
    trials: tuple[Trial, ...]

    @property
    def name(self) -> str:
        """The group of its recipe, which no other study of a suite has."""
        return self.space.recipe.group

    def origins(self, budget: int, seed: int) -> Iterator[tuple[str, Tuning]]:
        """What the record of each trial says of it, by the key of its cell."""
        for trial in self.trials:
            yield (
                trial.cell.key,
                Tuning(
                    budget=budget,
                    sampler=SAMPLER,
                    seed=seed,
                    study=self.name,
                    trial=trial.number,
                    space=self.space.in_words,
                    at_edge=self.space.at_edge(trial.values),
                ),
            )


def studies_of(suite: Suite, *, budget: int, seed: int) -> list[Study]:
    """One for each strategy, workload and number of workers that is evaluated. Raises TuningError."""
    recipes = [recipe for recipe in _recipes(suite) if recipe.evaluations]
    if not recipes:
        raise TuningError(
            f"{suite.name}: nothing of its cells is evaluated, so there is nothing to tune by; allowed: evaluations of "
            "1 or more, and data whose labels mean something"
        )
    spaces = [space_of(recipe, _rates(recipe, recipes), suite.tune) for recipe in recipes]
    _require_used(suite, spaces)
    _require_distinct(spaces)
    _require_picked(suite, spaces)
    return [Study(space=space, trials=tuple(_trials(space, budget, seed))) for space in spaces]


def unjudged_of(suite: Suite) -> list[Cell]:
    """Recipes that have no study: nothing of them is evaluated."""
    return [recipe for recipe in _recipes(suite) if not recipe.evaluations]


def _recipes(suite: Suite) -> list[Cell]:
    """Its cells but for the seed, by name."""
    return sorted({cell.group: cell for cell in suite.cells if cell.seed == 0}.values(), key=_by_name)


def _by_name(cell: Cell) -> tuple[str, int, str]:
    return cell.title, cell.workers, cell.group


def _rates(recipe: Cell, recipes: Sequence[Cell]) -> tuple[float, float]:
    """The least and the greatest of those that solve the same problem in the same way: one range for all of them."""
    alike = [cell for cell in recipes if (cell.problem, cell.optimizer) == (recipe.problem, recipe.optimizer)]
    rates = [cell.learning_rate for cell in alike]
    return min(rates), max(rates)


def _require_used(suite: Suite, spaces: Sequence[Space]) -> None:
    """A range of the suite's that no space has is a mistake."""
    known = {axis.name for space in spaces for axis in space.axes}
    for name in suite.tune:
        if name not in known:
            raise TuningError(f"{suite.name}: tune.{name}: no cell searches it; allowed: {', '.join(sorted(known))}")


def _require_distinct(spaces: Sequence[Space]) -> None:
    """Two points of a suite that differ only in what is searched would be tuned into one another."""
    seen: dict[str, Cell] = {}
    for space in spaces:
        other = seen.setdefault(space.what_is_tuned, space.recipe)
        if other is not space.recipe:
            names = ", ".join(axis.name for axis in space.axes)
            raise TuningError(
                f"{space.recipe.title}: stands twice but for what is tuned ({names}): as {other.strategy_label} with "
                f"learning_rate {other.learning_rate:g} too; allowed: one recipe for each strategy, workload and "
                "number of workers"
            )


def _require_picked(suite: Suite, spaces: Sequence[Space]) -> None:
    """A claim that picks its cells by what is searched would find none of them in the tuned suite."""
    searched = {space.recipe.group: space.changing for space in spaces}
    for claim in suite.claims:
        of_cells = (searched.get(cell.group, set()) for case in claim.cases for cell in case.cells)
        changing: set[str] = set().union(*of_cells)
        if found := sorted(claim.rule.picks_by & changing):
            raise TuningError(
                f"{suite.name}: claims.rules.{claim.name} picks cells by {', '.join(found)}, which tuning changes; "
                "allowed: fields and options that it leaves alone"
            )


def _trials(space: Space, budget: int, seed: int) -> Iterator[Trial]:
    recipe = space.recipe.with_seed(SEEDS_FROM + seed)
    yield Trial(number=0, cell=recipe, values=space.values_of(space.recipe))
    drawn = _possible(space, seed, most=budget * _MOST_DRAWS)
    number = 0
    for number, (values, cell) in enumerate(islice(drawn, budget - 1), start=1):
        yield Trial(number=number, cell=cell.with_seed(SEEDS_FROM + seed), values=values)
    if number < budget - 1:
        raise TuningError(
            f"{space.recipe.title}: {number} of {budget * _MOST_DRAWS} points of the space can run, and {budget - 1} "
            "are needed; allowed: narrower ranges in the suite, tune: {NAME: [LOW, HIGH]}"
        )


def _possible(space: Space, seed: int, *, most: int) -> Iterator[tuple[Values, Cell]]:
    """Points that cells can have, each cell once."""
    seen = {space.recipe.group}
    for shares in _shares(len(space.axes), seed, most):
        values = {axis.name: axis.at(share) for axis, share in zip(space.axes, shares, strict=True)}
        cell = space.cell_at(values)
        if cell is not None and cell.group not in seen:
            seen.add(cell.group)
            yield values, cell


def _shares(num_axes: int, seed: int, most: int) -> Iterator[list[float]]:
    """Points of the unit cube, as they are asked for."""
    sequence = qmc.Halton(d=num_axes, rng=seed)
    for _ in range(most):
        yield sequence.random(1)[0].tolist()
