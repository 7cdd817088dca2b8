"""Cells as tests want them: one, and any that is possible."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from harness.protocols import takes_scaled_rate
from harness.registry import STRATEGIES, frameworks_of
from harness.suite.cell import Cell

FNN = {"workload": "fnn", "strategy": "serial"}
NUM_LAYERS = {"fnn": 3, "cnn": 4, "rnn": 2}


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """Any cell that is possible."""
    strategy = draw(st.sampled_from(sorted(STRATEGIES)))
    scalings = ["none", "linear", "sqrt"] if takes_scaled_rate(STRATEGIES[strategy]) else ["none"]
    workload = draw(st.sampled_from(sorted(NUM_LAYERS)))
    fields: dict[str, Any] = {
        "workload": workload,
        "strategy": {"name": strategy, **draw(_options(strategy, NUM_LAYERS[workload]))},
        "framework": draw(st.sampled_from(frameworks_of(STRATEGIES[strategy]))),
        "workers": 1 if strategy == "serial" else draw(st.integers(2 if strategy in ("gossip", "ad-psgd") else 1, 8)),
        "controller": draw(st.sampled_from(STRATEGIES[strategy].needs.controllers or ("gloo", "mpi"))),
        "batch_size": draw(st.integers(1, 1437 // 8)),
        "learning_rate": draw(st.floats(0, 10, exclude_min=True)),
        "momentum": draw(st.floats(0, 1, exclude_max=True)),
        "lr_scaling": draw(st.sampled_from(scalings)),
        "warmup_epochs": draw(st.floats(0, 100)),
        "target": draw(st.none() | st.floats(0, 1, exclude_min=True)),
        "seed": draw(st.integers(0, 2**32)),
    }
    if draw(st.booleans()):
        fields["dataset"] = {"name": "synthetic", "size": draw(st.integers(8, 64))}
    return Cell.model_validate(fields)


def _options(strategy: str, num_layers: int) -> st.SearchStrategy[dict[str, Any]]:
    period = st.integers(1, 100)
    by_strategy: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "local-sgd": st.fixed_dictionaries({}, optional={"period": period, "mpi_yield_when_idle": st.booleans()}),
        "post-local-sgd": st.fixed_dictionaries({"switch_epoch": st.floats(0, 1e6)}, optional={"period": period}),
        "slow-momentum": st.fixed_dictionaries(
            {"outer": st.sampled_from(["slow", "nesterov"])}, optional={"period": period, "keep": st.floats(0, 1)}
        ),
        "neuron-wise": st.fixed_dictionaries(
            {"paces": period | st.lists(period, min_size=num_layers, max_size=num_layers)}
        ),
        "delayed-averaging": st.fixed_dictionaries(
            {"merge": st.sampled_from(["delta", "mix", "pullback"]), "period": period},
            optional={"keep": st.floats(0, 1)},
        ),
        "allreduce": st.fixed_dictionaries(
            {}, optional={"compression": st.just("fp16"), "cycle_time_ms": st.just(3.5)}
        ),
    }
    return by_strategy.get(strategy, st.just({}))
