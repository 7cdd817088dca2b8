"""What a workload asks of its model: what comes out for a sample, the metric that judges it, what a sample is called.

    classify    logits (classes,) for a label              loss: cross-entropy              metric: accuracy
    rate        a rating, and what its rows cost (cost,)   loss: squared error and costs    metric: RMSE
    continue    logits (T, kinds) for the next character   loss: cross-entropy              metric: the same
    act         a policy and a value of a state            loss: actor's and critic's       metric: mean return

Each framework has a TaskLoss of every task whose targets are given, in harness/backends/*_tasks.py. What acting is
trained on it makes itself: harness/workloads/rollouts.py, harness/backends/*_acting.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from harness.workloads.metric import ACCURACY, Metric

RMSE = Metric(name="RMSE", unit="stars", better="lower", bounds=(0.0, None))
RETURN = Metric(name="mean return", unit="", better="higher", bounds=(None, None))  # an environment has its own
NATS = Metric(name="cross-entropy", unit="nats/character", better="lower", bounds=(0.0, None))


def _as_it_is(mean_score: float) -> float:
    return mean_score


@dataclass(frozen=True, kw_only=True)
class Task:
    name: Literal["classify", "rate", "continue", "act"]
    metric: Metric
    sample_unit: str
    finish: Callable[[float], float] = _as_it_is  # the metric, of the mean score


CLASSIFY = Task(name="classify", metric=ACCURACY, sample_unit="image")
RATE = Task(name="rate", metric=RMSE, sample_unit="rating", finish=math.sqrt)
CONTINUE = Task(name="continue", metric=NATS, sample_unit="window")
ACT = Task(name="act", metric=RETURN, sample_unit="frame")


@dataclass(frozen=True, kw_only=True)
class TaskLoss:
    """A task in one framework: functions of what the model gives for a batch, and of the batch's targets."""

    loss: Callable[[Any, Any], Any]  # the mean over the batch, which training makes small
    evaluate: Callable[[Any, Any], tuple[Any, Any]]  # loss, without costs of weights, and score, as the backend sums up
