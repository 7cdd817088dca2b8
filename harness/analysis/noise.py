"""How much each of several entrants spreads, where a handful of launches alone hardly tells.

With three seeds an entrant's own variance is off by a factor of ten now and then; the mean over all entrants hides one
that spreads more than the others. Between them: each own variance is drawn towards a common one, the harder the more
alike the entrants spread. If s² estimates σ² with d degrees of freedom, and the entrants' 1/σ² scatter as chi-squared
with d₀ degrees around 1/s₀², the best estimate of σ² is

    (d₀·s₀² + d·s²) / (d₀ + d),  with d₀ + d degrees of freedom.

d₀ and s₀² follow from mean and variance of log s² over the entrants (`prior_freedom`, `prior`). Where these vary no
more than chance has it, d₀ is infinite: all have the pooled variance.

Source: Smyth, "Linear models and empirical Bayes methods for assessing differential expression", Statistical
Applications in Genetics and Molecular Biology 3:3 (2004), section 6.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_LEAST = 1e-4  # of the pooled variance: no entrant's own is taken to be smaller, or its logarithm would say all


def moderated(squares: Floats, freedoms: Floats) -> tuple[Floats, float]:
    """Variances, and their degrees of freedom; from each entrant's sum of squares and its degrees of freedom."""
    freedom = float(freedoms.sum())
    pooled = float(squares.sum()) / freedom
    own = np.maximum(squares / freedoms, _LEAST * pooled)
    prior_freedom, prior = _prior(own, freedoms) if pooled > 0 and len(own) > 2 else (math.inf, pooled)
    if math.isinf(prior_freedom):
        return np.full(len(own), pooled), freedom
    drawn = (prior_freedom * prior + freedoms * own) / (prior_freedom + freedoms)
    return drawn, min(prior_freedom + float(freedoms.min()), freedom)


def _prior(variances: Floats, freedoms: Floats) -> tuple[float, float]:
    """(d₀, s₀²); an infinite d₀ where the variances scatter no more than chance has it."""
    halves = freedoms / 2
    logs = np.log(variances) - special.digamma(halves) + np.log(halves)
    excess = float(logs.var(ddof=1) - special.polygamma(1, halves).mean())
    if excess <= 0:
        return math.inf, math.nan
    half = _inverse_trigamma(excess)
    return 2 * half, math.exp(float(logs.mean()) + float(special.digamma(half)) - math.log(half))


def _inverse_trigamma(value: float) -> float:
    """By Newton's method on 1/trigamma, which is nearly a line: it converges from below."""
    found = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, found))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, found))
        found += step
        if abs(step) < 1e-9 * found:
            break
    return found
