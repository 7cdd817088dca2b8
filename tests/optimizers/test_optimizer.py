"""What every optimizer promises whoever keeps its slots."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.registry import OPTIMIZERS
from harness.testing import check_optimizer
from tests.optimizers.cases import CASES
from tests.optimizers.steps import made


def test_cases_leave_no_optimizer_out() -> None:
    assert {name for name, _ in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_every_optimizer_keeps_its_promises(name: str, settings: dict[str, Any]) -> None:
    options = {option: value for option, value in settings.items() if option != "momentum"}
    check_optimizer(name, options, momentum=settings.get("momentum", 0.0))


@pytest.mark.parametrize(
    ("name", "takes_momentum", "decouples_decay"),
    [
        ("sgd", True, False),
        ("nesterov", True, False),
        ("adagrad", False, False),
        ("rmsprop", True, False),
        ("adam", False, False),
        ("adamw", False, True),
    ],
)
def test_optimizer_takes_what_its_formula_has(name: str, takes_momentum: bool, decouples_decay: bool) -> None:
    assert (OPTIMIZERS[name].takes_momentum, OPTIMIZERS[name].decouples_decay) == (takes_momentum, decouples_decay)


def test_options_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match=r"eps: no such key; allowed: beta1, beta2, epsilon"):
        made("adam", eps=1e-8)
    with pytest.raises(ValidationError, match="beta2"):
        made("adam", beta2=1.0)
