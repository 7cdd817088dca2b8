"""What every strategy promises (harness/protocols/strategy.py), tried on a quadratic with workers in threads.

    from harness.testing import check_equal, check_strategy
    from my_strategies import Gossip

    def test_gossip_keeps_its_promises():
        check_strategy(Gossip)
        check_strategy(Gossip, {"pull": 0.5}, equals_serial=False)  # throws own steps away

    def test_gossip_with_everybody_is_local_sgd():
        check_equal(Gossip, {"peers": "all"}, "local-sgd", {"period": 1}, workers=4)

A strategy is its class or a name as a suite has it: `local-sgd`, `my_strategies.py:Gossip`. What it reads like on paper
is its own test's to say: three steps worked by hand, with `harness.testing.thread_workers.train`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.protocols import EvaluatedModel, Strategy
from harness.registry import checked_strategy, strategy_of
from harness.testing.expectation import expect, expect_same
from harness.testing.quadratic import Quadratic, random_problem
from harness.testing.thread_workers import Trained, stream, train

NUM_SAMPLES, BATCH_SIZE, NUM_WORKERS, NUM_STEPS = 48, 3, 2, 24
WARM_UPS = (5, 7)  # steps; a period that divides both would hide what is left
ROUNDING = 1e-12  # sums in another order; 0 asks for the same bits


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A strategy with its options, and what messages call it."""

    kind: type[Strategy[Any]]
    options: Mapping[str, Any]
    label: str

    @classmethod
    def of(cls, strategy: str | type[Strategy[Any]], options: Mapping[str, Any] | None) -> _Case:
        """Raises ExtensionError where it is no strategy."""
        if isinstance(strategy, str):
            name, kind = strategy, strategy_of(strategy)
        else:
            name, kind = strategy.__name__, checked_strategy(strategy.__name__, strategy)
        given = dict(options or {})
        label = " ".join([name, *(f"{option}={value}" for option, value in given.items())])
        return cls(kind=kind, options=given, label=label)

    @property
    def is_judged_by_the_mean(self) -> bool:
        return self.kind.evaluated == EvaluatedModel.MEAN_OF_WORKERS


def standard_problem(**changes: Any) -> Quadratic:
    """With momentum and weight decay, so that state which a worker keeps can be seen."""
    settings = {"momentum": 0.9, "weight_decay": 0.01, "learning_rate": 0.02}
    return random_problem(num_samples=NUM_SAMPLES, **{**settings, **changes})


def train_on_stream(
    problem: Quadratic,
    strategy: str | type[Strategy[Any]],
    options: Mapping[str, Any] | None = None,
    *,
    workers: int = NUM_WORKERS,
    batch_size: int = BATCH_SIZE,
    steps: int = NUM_STEPS,
    identical_data: bool = False,
    warm_up_steps: int = 0,
) -> Trained:
    """Trains on the stream of samples, shared out; identical_data: every worker sees what one alone would."""
    sharing = 1 if identical_data else workers
    share = stream(num_samples=len(problem.optima), batch_size=batch_size, num_workers=sharing)
    return train(
        problem,
        strategy,
        options,
        workers=workers,
        steps=steps,
        batch_of=(lambda rank, step: share(0, step)) if identical_data else share,
        steps_per_epoch=len(problem.optima) / (workers * batch_size),
        warm_up_steps=warm_up_steps,
    )


def check_strategy(
    strategy: str | type[Strategy[Any]],
    options: Mapping[str, Any] | None = None,
    *,
    equals_serial: bool = True,
    tolerance: float = ROUNDING,
) -> None:
    """Raises AssertionError where the strategy breaks a promise, and ExtensionError where it is none.

    equals_serial: whether it computes what `serial` does where workers have nothing to disagree about; false for one
    that throws own steps away or amplifies them even then. tolerance: of these comparisons; 0 asks for the same bits.
    """
    case = _Case.of(strategy, options)
    run = partial(train_on_stream, standard_problem(), case.kind, case.options)
    takes_several = (case.kind.needs.max_workers or NUM_WORKERS) >= NUM_WORKERS
    workers = NUM_WORKERS if takes_several else 1
    trained = run(workers=workers)
    _expect_same_run(trained, run(workers=workers), of=case.label, rule="the same run twice gives the same bits")
    _check_snapshots(trained, case)
    if case.is_judged_by_the_mean:
        _check_merges(trained, case)
    for steps in range(1, NUM_STEPS // 2 + 1):
        _check_finished(run(workers=workers, steps=steps), case, steps, tolerance)
    for steps in WARM_UPS:
        warmed = run(workers=workers, warm_up_steps=steps)
        rule = "`setup` starts afresh: a warm-up leaves no trace"
        _expect_same_run(trained, warmed, of=f"{case.label} after a warm-up of {steps} steps", rule=rule)
    if equals_serial:
        _check_equals_serial(case, with_twins=takes_several, tolerance=tolerance)


def check_equal(
    strategy_a: str | type[Strategy[Any]],
    options_a: Mapping[str, Any] | None,
    strategy_b: str | type[Strategy[Any]],
    options_b: Mapping[str, Any] | None,
    *,
    workers: int = NUM_WORKERS,
    problem: Quadratic | None = None,
    tolerance: float = ROUNDING,
) -> None:
    """Raises AssertionError where the two do not take the same path: a strategy's degenerate case.

    problem: None for one with momentum and weight decay. tolerance: 0 asks for the same bits.
    """
    a, b = _Case.of(strategy_a, options_a), _Case.of(strategy_b, options_b)
    one, other = (
        train_on_stream(problem or standard_problem(), case.kind, case.options, workers=workers) for case in (a, b)
    )
    rule = f"with {workers} workers they are said to be the same"
    for what in ("paths", "final"):
        expect_same(
            getattr(one, what),
            getattr(other, what),
            rtol=tolerance,
            of=f"{what} of {a.label}, (worker, step, weight)",
            expected=f"that of {b.label}",
            rule=rule,
        )


def _expect_same_run(one: Trained, other: Trained, *, of: str, rule: str) -> None:
    for what in ("paths", "final", "losses"):
        expect_same(
            getattr(other, what), getattr(one, what), rtol=0, of=f"{what} of {of}", expected="the same", rule=rule
        )


def _check_snapshots(trained: Trained, case: _Case) -> None:
    expect_same(
        trained.paths_later,
        trained.paths,
        rtol=0,
        of=f"snapshots of {case.label}, (worker, step, weight)",
        expected="what they were when they were taken",
        rule="`snapshot` gives a copy, which later steps leave alone",
    )


def _check_merges(trained: Trained, case: _Case) -> None:
    expect(
        case.kind.needs.has_collectives,
        of=case.label,
        expected="a capability with collectives",
        found=f"needs {case.kind.needs.name}",
        rule=f"it is judged by the {case.kind.evaluated}, which is made by an average",
    )
    expect(
        min(trained.num_merges) > 0,
        of=f"{case.label}, {NUM_STEPS} steps",
        expected="a call of Replica.merge",
        found="none",
        rule="averaged weights go into the replica by `merge`, around which it is measured how far workers are apart; "
        f"give options under which it averages within {NUM_STEPS} steps",
    )


def _check_finished(trained: Trained, case: _Case, steps: int, tolerance: float) -> None:
    """Whatever the number of steps at which training ends."""
    of = f"{case.label} after {steps} steps and `finish`"
    expect(
        not any(trained.num_under_way),
        of=of,
        expected="nothing under way",
        found=trained.num_under_way,
        rule="`finish` ends what is under way",
    )
    if not case.is_judged_by_the_mean:
        expect_same(
            trained.final,
            trained.final[[0] * len(trained.final)],
            rtol=tolerance,
            of=f"snapshots of {of}, (worker, weight)",
            expected="rank 0's on every worker",
            rule=f"it is judged by the {case.kind.evaluated}, of which rank 0's copy is taken",
        )


def _check_equals_serial(case: _Case, *, with_twins: bool, tolerance: float) -> None:
    """One worker; and two of the same data, but where updates are added up in one set of weights."""
    problem = standard_problem()
    serial = train_on_stream(problem, "serial", workers=1)
    runs = {"one worker": train_on_stream(problem, case.kind, case.options, workers=1)}
    if with_twins and case.kind.evaluated != EvaluatedModel.SHARED:
        runs["identical data"] = train_on_stream(problem, case.kind, case.options, identical_data=True)
    for where, trained in runs.items():
        for what in ("paths", "final", "losses"):
            expected = getattr(serial, what)
            expect_same(
                getattr(trained, what),
                expected[[0] * len(getattr(trained, what))],
                rtol=tolerance,
                of=f"{what} of {case.label} with {where}, (worker, step, weight)",
                expected="that of serial",
                rule="workers with nothing to disagree about train as serial does (equals_serial=False: not this one)",
            )
