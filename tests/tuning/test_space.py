"""Spaces: what of a strategy is searched, and which cells lie in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.cell import Cell
from harness.tuning.space import Space, space_of
from harness.tuning.tuning_error import TuningError
from tests.own_strategy import OWN_STRATEGY, write_own_strategy

FNN = {"workload": "fnn", "epochs": 5, "workers": 2}


def space(strategy: Any, *, tune: dict[str, Any] | None = None, **changes: Any) -> Space:
    recipe = Cell.model_validate({**FNN, "strategy": strategy, **changes})
    return space_of(recipe, (recipe.learning_rate, recipe.learning_rate), tune or {})


RATE = ["learning_rate", "momentum"]


@pytest.mark.parametrize(
    ("strategy", "changes", "searched"),
    [
        ("hogwild", {}, RATE),  # whose rate may not grow with its workers
        ({"name": "hogwild", "sparse": True}, {"workload": "mf", "momentum": 0}, ["learning_rate"]),
        ("allreduce", {}, [*RATE, "lr_scaling"]),
        ("allreduce", {"workers": 1}, RATE),  # where scaling changes nothing
        ("allreduce", {"optimizer": "adam"}, ["learning_rate", "lr_scaling"]),
        ("local-sgd", {}, [*RATE, "lr_scaling", "period"]),
        ("delayed-averaging", {}, [*RATE, "lr_scaling", "period", "delay"]),
        ({"name": "delayed-averaging", "merge": "mix"}, {}, [*RATE, "lr_scaling", "period", "delay", "keep"]),
        ({"name": "delayed-averaging", "merge": "pullback"}, {}, [*RATE, "lr_scaling", "period", "pull"]),
        ({"name": "hogwild-averaging", "workers_per_group": 1}, {}, [*RATE, "period", "delay"]),
        ("hogwild-averaging", {}, RATE),  # of one group, which is hogwild
        ("slow-momentum", {}, [*RATE, "lr_scaling", "period", "outer_rate", "outer_momentum", "delay"]),
        ("downpour", {}, [*RATE, "push_every"]),
        ("elastic", {}, [*RATE, "lr_scaling", "period", "pull"]),
    ],
)
def test_space_has_what_the_strategy_takes(strategy: Any, changes: dict[str, Any], searched: list[str]) -> None:
    assert [axis.name for axis in space(strategy, **changes).axes] == searched


SPACES = [
    space(strategy)
    for strategy in (
        *("allreduce", "local-sgd", "delayed-averaging", "slow-momentum", "hogwild", "downpour", "elastic"),
        {"name": "delayed-averaging", "merge": "pullback"},
    )
]


@given(st.sampled_from(SPACES), st.lists(st.floats(0, 0.999), min_size=8, max_size=8))
def test_cell_of_a_point_lies_at_that_point(one: Space, shares: list[float]) -> None:
    values = {axis.name: axis.at(share) for axis, share in zip(one.axes, shares, strict=False)}
    cell = one.cell_at(values)
    if cell is None:
        return
    found = one.values_of(cell)
    for axis in one.axes:
        if axis.unit is None:  # a multiple of a period is rounded to whole steps
            assert found[axis.name] == values[axis.name]
    assert (cell.seed, cell.epochs) == (one.recipe.seed, one.recipe.epochs)


def test_delay_is_a_share_of_the_period_and_fetches_follow_pushes() -> None:
    averaging, downpour = space("delayed-averaging"), space("downpour")
    recipe = averaging.values_of(averaging.recipe)
    assert (recipe["period"], recipe["delay"]) == (4, 1.0)
    cell = averaging.cell_at({**recipe, "period": 16, "delay": 0.25})
    assert cell is not None
    assert (cell.options.period, cell.options.delay) == (16, 4)  # type: ignore[attr-defined]
    pushing = downpour.cell_at({**downpour.values_of(downpour.recipe), "push_every": 8})
    assert pushing is not None
    assert (pushing.options.push_every, pushing.options.fetch_every) == (8, 8)  # type: ignore[attr-defined]


def test_what_follows_changes_with_what_is_searched() -> None:
    assert "fetch_every" in space("downpour").changing - {axis.name for axis in space("downpour").axes}
    assert "base_batch_size" in space("allreduce", lr_scaling="linear").changing
    assert "base_batch_size" not in space("hogwild").changing


def test_none_stands_for_what_the_strategy_makes_of_it() -> None:
    elastic = space("elastic")  # 0.9 over two workers
    assert elastic.values_of(elastic.recipe)["pull"] == pytest.approx(0.45)
    assert elastic.in_words["pull"] == "0.0500 to 0.500 (log)"


def test_strategy_that_would_never_exchange_is_no_point() -> None:
    """Each of two workers takes 18 steps of 32 samples in 0.8 epochs of 1437."""
    local = space("local-sgd", epochs=0.8)
    values = local.values_of(local.recipe)
    assert local.cell_at({**values, "period": 18}) is not None
    assert local.cell_at({**values, "period": 19}) is None


def own_space(folder: Path, told: str, workers: int) -> Space:
    """Of local-sgd as a user writes it, which tells so of its first exchange."""
    write_own_strategy(folder, told)
    return space(OWN_STRATEGY, folder=str(folder), workers=workers)


def test_point_at_which_a_users_strategy_does_not_tell_when_it_exchanges_is_named(tmp_path: Path) -> None:
    with pytest.raises(TuningError) as refused:
        own_space(tmp_path, "self.period // (self.period == 8)", 2)
    assert str(refused.value) == (
        "fnn · digits · mine.py:Mine period=1 · torch · 2×1 cpu · gloo: strategy: mine.py:Mine: Choices."
        "first_exchange: mine.py, line 4: ZeroDivisionError: integer division or modulo by zero"
    )


@pytest.mark.parametrize("told", ["0", "None", "8 // (plan.num_workers - 1)", "plan.num_steps + 1"])
def test_one_worker_has_nobody_to_exchange_with(tmp_path: Path, told: str) -> None:
    """Whatever its strategy tells, as where it runs."""
    mine = own_space(tmp_path, told, workers=1)
    assert mine.cell_at(mine.values_of(mine.recipe)) is not None


def test_rate_that_is_not_scaled_needs_no_base() -> None:
    scaled = space("allreduce", lr_scaling="linear", base_batch_size=8)
    cell = scaled.cell_at({**scaled.values_of(scaled.recipe), "lr_scaling": "none"})
    assert cell is not None
    assert (cell.lr_scaling, cell.base_batch_size) == ("none", None)


def test_ranges_of_the_suite_hold_instead_of_those_declared() -> None:
    narrow = space("allreduce", tune={"learning_rate": [0.01, 0.5], "lr_scaling": ["none", "linear"]})
    assert narrow.in_words["learning_rate"] == "0.0100 to 0.500 (log)"
    assert narrow.in_words["lr_scaling"] == "none or linear"


def test_end_of_the_suites_own_range_is_an_edge_where_more_is_allowed() -> None:
    """Momentum may be 0 and a delay a whole period: nothing lies beyond these, and much beyond 0.5."""
    own = {"momentum": [0.5, 0.95], "delay": [0, 0.5]}
    for tune, edges in ((own, ["momentum", "delay"]), ({}, [])):
        found = space({"name": "delayed-averaging", "period": 8, "delay": 4}, tune=tune)
        values = found.values_of(found.recipe)
        ends = {name: {axis.name: axis for axis in found.axes}[name] for name in ("momentum", "delay")}
        assert found.at_edge({**values, "momentum": ends["momentum"].low, "delay": ends["delay"].high}) == edges


def test_space_without_the_recipes_point_is_refused() -> None:
    elsewhere = space("local-sgd", tune={"period": [16, 64]})
    with pytest.raises(TuningError, match=r"period: 8 is not in the space, 16\.0 to 64\.0 \(log\).*tune: \{period: "):
        elsewhere.values_of(elsewhere.recipe)


@pytest.mark.parametrize(
    ("tune", "said"),
    [
        ({"learning_rate": [1, 0.1]}, r"tune\.learning_rate: \[1, 0\.1\]; allowed: \[LOW, HIGH\], two numbers above 0"),
        ({"learning_rate": [0, 0.1]}, r"two numbers above 0"),
        ({"learning_rate": [0.1, float("inf")]}, r"two numbers above 0"),
        ({"learning_rate": [0.1, 10**400]}, r"two numbers above 0"),  # as YAML reads it, and no float holds
        ({"momentum": [0, 1]}, r"tune\.momentum: \[0, 1\]; allowed: \[LOW, HIGH\], two numbers below 1"),
        ({"momentum": ["a", "b"]}, r"tune\.momentum"),
        ({"lr_scaling": ["cubic"]}, r"tune\.lr_scaling: \['cubic'\]; allowed: some of none, linear, sqrt"),
        ({"lr_scaling": [["none"]]}, r"tune\.lr_scaling: \[\['none'\]\]; allowed: some of none, linear, sqrt"),
    ],
)
def test_range_that_is_none_is_refused(tune: dict[str, Any], said: str) -> None:
    with pytest.raises(TuningError, match=said):
        space("allreduce", tune=tune)
