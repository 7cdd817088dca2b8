from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from harness.report.conditions import conditions


@pytest.mark.parametrize(
    ("frameworks", "said"),
    [
        (("torch", "torch", "torch"), "1 host, torch, Horovod over gloo"),
        (("torch", "torch", "tensorflow"), "1 host, torch where no other is named, Horovod over gloo"),
        (
            ("tensorflow", "torch", "torch"),
            "1 host, tensorflow for rnn on digits, torch for cnn on digits, Horovod over gloo",
        ),
    ],
)
def test_conditions_say_the_framework_of_problems_whose_name_does_not(frameworks: tuple[str, ...], said: str) -> None:
    """Of an RNN, and of a CNN twice."""
    shared = {"workers": 2, "threads": 1, "hosts": 1, "controller": "gloo", "learning_rate": 0.1, "tuning": "recipe"}
    aims = ("rnn on digits", "cnn on digits", "cnn on digits")
    launches = pd.DataFrame(
        [
            {**shared, "aim": aim, "problem": aim, "series": f"hogwild {framework}", "framework": framework, "seed": 0}
            for aim, framework in zip(aims, frameworks, strict=True)
        ]
    )
    pool: Any = SimpleNamespace(launches=launches)
    assert f", {said}, " in conditions(pool)
