"""The rate of a step: warm-up, then the schedule."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.optimizers.schedules import (
    ConstantSchedule,
    CosineSchedule,
    Schedule,
    ScheduledLearningRate,
    StepSchedule,
)


def rate_of(**fields: Any) -> ScheduledLearningRate:
    """Ten steps an epoch, ten epochs."""
    neutral: dict[str, Any] = {
        "base": 0.1,
        "scaled": 0.1,
        "schedule": ConstantSchedule(),
        "warmup_epochs": 0.0,
        "warmup_from": "base",
        "steps_per_epoch": 10.0,
        "num_steps": 100,
    }
    return ScheduledLearningRate(**{**neutral, **fields})


def test_warm_up_grows_from_base_or_from_zero() -> None:
    from_base = rate_of(scaled=0.4, warmup_epochs=2.0)
    from_zero = rate_of(scaled=0.4, warmup_epochs=2.0, warmup_from="zero")
    steps = [0, 5, 10, 20, 99]
    assert [from_base.at(step) for step in steps] == pytest.approx([0.1, 0.175, 0.25, 0.4, 0.4])
    assert [from_zero.at(step) for step in steps] == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.4])


def test_cosine_falls_to_its_final_share() -> None:
    # quarters of the way: ½ (1 + cos 45°) = 0.8536, ½, 0.1464; of which 0.9, beside the 0.1 that stay
    rate = rate_of(schedule=CosineSchedule(final_share=0.1))
    expected = [0.1, 0.01 + 0.09 * 0.853553391, 0.055, 0.01 + 0.09 * 0.146446609, 0.01]
    assert [rate.at(step) for step in (0, 25, 50, 75, 100)] == pytest.approx(expected)
    assert rate_of(schedule=CosineSchedule()).at(100) == 0


def test_cosine_begins_after_the_warm_up() -> None:
    rate = rate_of(schedule=CosineSchedule(), scaled=0.4, warmup_epochs=2.0)
    assert rate.at(10) == pytest.approx(0.25)  # half-way from 0.1 to 0.4
    assert [rate.at(step) for step in (20, 60, 100)] == pytest.approx([0.4, 0.2, 0.0])


def test_cosine_of_a_training_that_is_all_warm_up_is_never_reached() -> None:
    rate = rate_of(schedule=CosineSchedule(), warmup_epochs=10.0, warmup_from="zero")
    assert rate.at(99) == pytest.approx(0.099)
    assert rate.at(100) == 0


def test_step_falls_at_every_multiple_though_rounding_is_a_little_short() -> None:
    rate = rate_of(schedule=StepSchedule(every_epochs=0.1, factor=0.5), steps_per_epoch=10.0)
    assert [rate.at(step) for step in range(5)] == pytest.approx([0.1 * 0.5**step for step in range(5)])


def test_step_schedule_falls_every_few_epochs() -> None:
    rate = rate_of(schedule=StepSchedule(every_epochs=3, factor=0.5))
    assert [rate.at(step) for step in (0, 29, 30, 59, 60, 99)] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.0125]


def test_step_schedule_counts_epochs_from_the_start() -> None:
    rate = rate_of(schedule=StepSchedule(every_epochs=3, factor=0.5), scaled=0.4, warmup_epochs=2.0)
    assert [rate.at(step) for step in (10, 20, 29, 30)] == pytest.approx([0.25, 0.4, 0.4, 0.2])


def test_schedules_are_read_by_name() -> None:
    read = TypeAdapter(Schedule).validate_python
    assert read({"name": "constant"}) == ConstantSchedule()
    assert read({"name": "cosine", "final_share": 0.01}) == CosineSchedule(final_share=0.01)
    assert read({"name": "step", "every_epochs": 30}) == StepSchedule(every_epochs=30, factor=0.1)
    with pytest.raises(ValidationError, match="'constant', 'cosine', 'step'"):
        read({"name": "exponential"})
    with pytest.raises(ValidationError, match="every_epochs: no such key; allowed: name, final_share"):
        read({"name": "cosine", "every_epochs": 3})
