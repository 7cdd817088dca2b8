"""A buffer that began above 0 is taken nowhere below it by what comes late: here it is all that a replica has.

From 1, its optimum at −1 for two workers, η = ½, in lockstep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.testing.quadratic import NumpyReplica, one_dimensional
from harness.testing.thread_workers import train


@pytest.mark.parametrize(
    ("strategy", "options", "expected"),
    [
        # Δ = −1 and −1: 0, and the second would take it to −1;  Δ = −½ twice
        ("downpour", {}, [0.0, 0.0]),
        # Δ = −1 and −1: worker 0: (0, 1);  worker 1: (½, ½), which Δ would take to −½;  Δ = −¾ twice
        ("ad-psgd", {}, [0.5, 0.5]),
        # step 1: e = 0, x = 0;  step 2: e = −0.45 twice, x̃ = 0.1, x = 0 − ½ + 0.45 = −0.05
        # step 3: e = −0.0675: x̃ = 0.0325, and the second would take it to −0.035
        ("elastic", {"period": 1, "pull": 0.45}, [1.0, 0.1, 0.0325]),
    ],
)
def test_late_update_takes_no_buffer_below_0_that_began_above_it(
    strategy: str, options: dict[str, Any], expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NumpyReplica, "num_parameters", 0)
    monkeypatch.setattr(NumpyReplica, "began_positive", ((0, 1),))
    problem = one_dimensional([-1.0, -1.0], start=np.ones(1))
    done = train(problem, strategy, options, workers=2, steps=len(expected))
    for path in done.path:
        assert path == pytest.approx(expected)
