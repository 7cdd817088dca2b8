"""What every optimizer promises (harness/optimizers/optimizer.py), tried in NumPy and beside the torch class it names.

    from harness.testing import check_optimizer
    from my_optimizers import Lion

    def test_lion_keeps_its_promises():
        check_optimizer(Lion)
        check_optimizer(Lion, {"beta1": 0.8}, rests_without_gradient=False)  # where its formula moves all the same

What it computes is its own test's to say: three steps worked by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.optimizers.optimizer import Hyperparameters, Optimizer
from harness.registry import OPTIMIZERS
from harness.testing.expectation import expect, expect_same
from harness.testing.optimizer_steps import by_formula, deltas

DECAYS = (0.0, 0.05)
SIZE = 3
RATE = 0.1
PRECISION = 1e-12


def check_optimizer(
    optimizer: str | type[Optimizer[Any]],
    options: Mapping[str, Any] | None = None,
    *,
    momentum: float = 0.0,
    rests_without_gradient: bool = True,
) -> None:
    """Raises AssertionError where the optimizer breaks a promise.

    optimizer: its class, or its name in a suite. rests_without_gradient: whether by its formula weights that never had
    a gradient, and do not decay, stay where they are.
    """
    kind = OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer
    given = kind.Options.model_validate(dict(options or {}))
    label = " ".join([kind.__name__, *(f"{name}={value}" for name, value in (options or {}).items())])
    for weight_decay in DECAYS:
        made = kind(given, Hyperparameters(momentum=momentum, weight_decay=weight_decay))
        for dtype in (np.float32, np.float64):
            _check_slots(made, np.zeros(SIZE, dtype), f"{label} in {dtype.__name__}")
            _check_update(made, dtype, f"{label} in {dtype.__name__}")
        if getattr(kind, "torch_class", None):
            _check_against_torch(made, weight_decay, label)
    if rests_without_gradient:
        _check_rest(kind(given, Hyperparameters(momentum=momentum)), label)


def _check_slots(optimizer: Optimizer[Any], zeros: NDArray[Any], label: str) -> None:
    slots = optimizer.initial_slots(zeros)
    expect(
        len(slots) == optimizer.num_slots,
        of=f"initial_slots of {label}",
        expected=f"{optimizer.num_slots} vectors",
        found=len(slots),
        rule="`num_slots` is how many vectors it keeps beside the weights",
    )
    _expect_own_memory(slots, [zeros], f"initial_slots of {label}")
    _expect_vectors(slots, zeros, f"initial_slots of {label}")


def _check_update(optimizer: Optimizer[Any], dtype: type[np.floating[Any]], label: str) -> None:
    """Twice the same call: an optimizer that kept something would answer otherwise."""
    gradient, weights = np.array([1, -2, 3], dtype), np.ones(SIZE, dtype)
    old_slots = optimizer.initial_slots(np.zeros(SIZE, dtype))
    given = [gradient, weights, *old_slots]
    before = [array.copy() for array in given]
    of = f"update of {label}"
    delta, slots = optimizer.update(gradient, weights, old_slots, RATE, 0)
    expect_same(given, before, rtol=0, of=of, expected="what it was given unchanged", rule="`update` changes none")
    again, slots_again = optimizer.update(gradient, weights, old_slots, RATE, 0)
    rule = "it keeps nothing between steps: the slots are the caller's"
    expect_same([delta, *slots], [again, *slots_again], rtol=0, of=of, expected="the same again", rule=rule)
    _expect_vectors([delta, *slots], gradient, of)
    _expect_own_memory(slots, [gradient, weights], of)
    expect(
        len(slots) == optimizer.num_slots,
        of=of,
        expected=f"{optimizer.num_slots} new slots",
        found=len(slots),
        rule="it gives as many slots as it took",
    )


def _expect_vectors(vectors: Sequence[NDArray[Any]], like: NDArray[Any], of: str) -> None:
    for vector in vectors:
        expect(
            (vector.shape, vector.dtype) == (like.shape, like.dtype),
            of=of,
            expected=f"vectors of shape {like.shape} in {like.dtype}",
            found=f"{vector.shape} in {vector.dtype}",
            rule="a step stays in the precision of its gradient",
        )


def _expect_own_memory(slots: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]], of: str) -> None:
    held = [*others, *slots]
    shared = any(np.shares_memory(one, other) for index, one in enumerate(held) for other in held[:index])
    expect(
        not shared,
        of=of,
        expected="slots in memory of their own",
        found="two that share some",
        rule="gradient and weights are overwritten at the next step, slots outlive it",
    )


def _check_rest(optimizer: Optimizer[Any], label: str) -> None:
    zeros = np.zeros(SIZE)
    slots = optimizer.initial_slots(zeros)
    for step in range(3):
        delta, slots = optimizer.update(zeros, np.ones(SIZE), slots, RATE, step)
        expect(
            not delta.any(),
            of=f"update of {label} without a gradient, step {step}",
            expected="0",
            found=delta.tolist(),
            rule="no gradient, no decay, no change (rests_without_gradient=False: not this one)",
        )


def _check_against_torch(optimizer: Optimizer[Any], weight_decay: float, label: str) -> None:
    from harness.testing import against_torch

    of, theirs = f"{label}, weight decay {weight_decay:g}, (step, weight)", f"torch.optim.{optimizer.torch_class}"
    rule = "`torch_class` with `torch_arguments` computes what `update` does"
    own = deltas(by_formula(optimizer))
    found = deltas(against_torch.over_parameters(optimizer, weight_decay))
    # Their Δ is a difference of weights of about 1, known to 10⁻¹⁶.
    expect_same(own, found, rtol=PRECISION, atol=1e-14, of=of, expected=f"that of {theirs}", rule=rule)
    for fused in _kernels(optimizer, theirs, label):
        found = deltas(against_torch.over_zeros(optimizer, **fused))
        expected = f"what {theirs}{' (fused)' if fused else ''} leaves in a vector of zeros"
        expect_same(own, found, rtol=PRECISION, atol=0, of=of, expected=expected, rule=rule)


def _kernels(optimizer: Optimizer[Any], theirs: str, label: str) -> list[dict[str, bool]]:
    """Arguments that choose among PyTorch's ways to compute it."""
    from harness.testing import against_torch

    has_fused = against_torch.has_fused(optimizer)
    expect(
        has_fused == optimizer.torch_has_fused,
        of=f"torch_has_fused of {label}",
        expected=str(has_fused),
        found=optimizer.torch_has_fused,
        rule=f"it says whether {theirs} takes `fused`",
    )
    return [{}, {"fused": True}] if has_fused else [{}]
