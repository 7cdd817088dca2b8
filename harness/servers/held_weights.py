"""The weights that a server holds, and the rules by which a pushed update changes them.

    sum         w ← w + a
    sgd         w ← w + ρ a
    momentum    v ← μ v + a;  w ← w + ρ v
    adagrad     s ← s + a²;   w ← w + ρ a / (√s + ε)

    a → what a worker pushes: the sum of what its optimizer would add to the weights; ρ → rate, μ → momentum,
    v → velocity, s → square_sum, ε → EPSILON

Buffers, which stand behind the weights, get what is pushed of them, whatever the rule; one that began above 0
everywhere, as variances do, stays what it was where that would take it below. What is pushed may be late: others have
moved the buffer meanwhile.

A worker without momentum pushes a = −η Σ g, so these are the rules of Dean et al. over gradients, but that a rate η
which changes stands inside v and s. Adagrad asks nothing of the size of a: its ρ is in units of the weights.

Source: Dean et al., "Large Scale Distributed Deep Networks" (NIPS 2012), section 4.1; over updates instead of
gradients: Reddi et al., "Adaptive Federated Optimization" (arXiv 2003.00295), algorithm 2.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.protocols import ServerRule, hold_positive

Array = NDArray[Any]  # of float32; in tests of float64

EPSILON = 1e-10


class _Rule(Protocol):
    def apply(self, weights: Array, update: Array) -> None:
        """Changes the weights, in place."""
        ...


class _Sum:
    def apply(self, weights: Array, update: Array) -> None:
        weights += update


class _SGD:
    def __init__(self, rule: ServerRule) -> None:
        self._rate = rule.rate

    def apply(self, weights: Array, update: Array) -> None:
        weights += self._rate * update


class _Momentum:
    def __init__(self, rule: ServerRule, like: Array) -> None:
        self._rate, self._momentum = rule.rate, rule.momentum
        self._velocity = np.zeros_like(like)

    def apply(self, weights: Array, update: Array) -> None:
        self._velocity *= self._momentum
        self._velocity += update
        weights += self._rate * self._velocity


class _Adagrad:
    def __init__(self, rule: ServerRule, like: Array) -> None:
        self._rate = rule.rate
        self._square_sum = np.zeros_like(like)

    def apply(self, weights: Array, update: Array) -> None:
        self._square_sum += update * update
        weights += self._rate * update / (np.sqrt(self._square_sum) + EPSILON)


class HeldWeights:
    """One server's part. first: the place of its first value in the whole vector."""

    def __init__(self, weights: Array, rule: ServerRule, *, first: int = 0) -> None:
        self.weights = weights
        num_values = weights.size if rule.num_parameters is None else rule.num_parameters - first
        self._num_parameters = min(max(num_values, 0), weights.size)
        self._rule = _rule_of(rule, weights[: self._num_parameters])
        place = first + self._num_parameters  # of its first buffer
        self._began_positive = tuple((max(begin - place, 0), max(end - place, 0)) for begin, end in rule.began_positive)

    def apply(self, update: Array) -> None:
        ruled = self._num_parameters
        with np.errstate(all="ignore"):  # that weights have diverged, the loss of their workers says
            self._rule.apply(self.weights[:ruled], update[:ruled])
            moves = update[ruled:].copy()
            hold_positive(moves, self.weights[ruled:], self._began_positive)
            self.weights[ruled:] += moves


def num_kept_vectors(rule: ServerRule) -> int:
    """Beside the weights, each of their size at most."""
    return 1 if rule.name in ("momentum", "adagrad") else 0


def _rule_of(rule: ServerRule, like: Array) -> _Rule:
    match rule.name:
        case "sum":
            return _Sum()
        case "sgd":
            return _SGD(rule)
        case "momentum":
            return _Momentum(rule, like)
        case "adagrad":
            return _Adagrad(rule, like)
    raise ValueError(f"server rule: {rule.name!r}; allowed: sum, sgd, momentum, adagrad")
