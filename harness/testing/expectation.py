"""How the checks of this package say what is wrong: what was expected, what was found, which rule that breaks."""

from __future__ import annotations

from typing import Any

import numpy as np


def expect(holds: bool, *, of: str, expected: str, found: object, rule: str) -> None:
    """Raises AssertionError where it does not hold. of: what was looked at."""
    if not holds:
        raise AssertionError(f"{of}: expected {expected}, found {found}. Rule: {rule}")


def expect_same(
    one: Any, other: Any, *, rtol: float, of: str, expected: str, rule: str, atol: float | None = None
) -> None:
    """Raises AssertionError where arrays differ by more than rtol of the other's size and atol, which is rtol too
    unless it is given; 0 asks for the same bits."""
    same_shape = np.shape(one) == np.shape(other)
    expect(same_shape, of=of, expected=f"{expected}, of shape {np.shape(other)}", found=np.shape(one), rule=rule)
    if np.allclose(one, other, rtol=rtol, atol=rtol if atol is None else atol):
        return
    apart = np.nan_to_num(np.abs(np.asarray(one) - np.asarray(other)), nan=np.inf)
    place = tuple(int(index) for index in np.unravel_index(int(np.argmax(apart)), apart.shape))
    raise AssertionError(f"{of}: expected {expected}, found a difference of {apart.max():.3g} at {place}. Rule: {rule}")
