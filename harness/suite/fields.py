"""The fields of a cell: the one place that says of each what it means, and what follows from that.

From a field's `Meaning` come its part in a cell's identity, the column of the frame of runs that holds it, and whether
runs that differ in it are different series. Nothing here knows which workloads or strategies there are, so stored
results can be read where none of them is installed.

A field enters the hash that names a cell only where it differs from its neutral value: a new field whose neutral value
is what was before leaves the names of all older cells alone. A neutral value never changes, even where a default does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, SerializeAsAny

from harness.optimizers.optimizer import OptimizerOptions
from harness.optimizers.schedules import ConstantSchedule, Schedule
from harness.protocols import SearchChoice, SearchRange, StrategyOptions
from harness.strict import Strict
from harness.suite.injection import Injection
from harness.suite.meaning import Meaning, meaning_of
from harness.suite.values import OwnFacts, RatingsShape, Rollouts, Slowed, SyntheticShape, TextFile

LEAST_TIME_LIMIT_S = 3.0  # by which ranks can have agreed after which step to stop (worker/time_limit.py)


class CellFields(Strict):
    """Everything that may change a run's outcome. `harness.suite.cell.Cell` checks it against what there is."""

    workload: Annotated[str, Meaning(meaning="model, or the code that makes one")]
    dataset: Annotated[str | None, Meaning(meaning="data set; missing where the workload brings its own")] = None
    synthetic: Annotated[SyntheticShape | None, Meaning(neutral=None, is_column=False)] = None
    ratings: Annotated[
        RatingsShape | None,
        Field(description="of dataset synthetic-ratings"),
        Meaning(neutral=None, is_column=False),
    ] = None
    text: Annotated[TextFile | None, Field(description="of dataset text"), Meaning(neutral=None, is_column=False)] = (
        None
    )
    rollouts: Annotated[
        Rollouts | None,
        Field(description="of datasets cartpole and pendulum"),
        Meaning(neutral=None, is_column=False),
    ] = None
    own: Annotated[OwnFacts | None, Meaning(neutral=None, is_column=False)] = None
    folder: Annotated[
        str | None,
        Field(description="against which paths of code are taken"),
        Meaning(neutral=None, is_column=False, is_private=True),
    ] = None
    wrong_labels: Annotated[
        float,
        Field(ge=0, lt=1),
        Meaning(meaning="share of the training samples whose label is another than theirs, by the seed", neutral=0.0),
    ] = 0.0
    strategy: Annotated[str, Meaning(meaning="strategy")]
    options: Annotated[SerializeAsAny[StrategyOptions], Meaning(neutral={}, is_column=False)] = StrategyOptions()
    strategy_code: Annotated[
        str | None,
        Meaning(meaning="digest of the files of a strategy that is not shipped", neutral=None, splits=True),
    ] = None
    framework: Annotated[
        Literal["torch", "tensorflow"], Meaning(meaning="torch or tensorflow", splits=True, speaks_for_itself=True)
    ] = "torch"
    workers: Annotated[int, Field(ge=1), Meaning(meaning="number of workers")] = 1
    work: Annotated[
        Literal["claimed", "dealt"],
        Meaning(
            meaning="claimed: who is early takes more of the steps, where workers share weights; dealt: as many each",
            neutral="claimed",
            splits=True,
        ),
    ] = "claimed"
    slowed: Annotated[
        Slowed | None,
        Meaning(
            meaning="a worker that is made slower than the others; missing in most launches",
            neutral=None,
            splits=True,
            speaks_for_itself=True,
        ),
    ] = None
    threads: Annotated[
        int,
        Field(ge=1, le=1_024),
        Meaning(meaning="compute threads of each worker", neutral=1, splits=True),
    ] = 1
    hosts: Annotated[int, Field(ge=1), Meaning(meaning="number of hosts", neutral=1, splits=True)] = 1
    device: Annotated[
        Literal["cpu", "gpu"], Meaning(meaning="cpu or gpu", neutral="cpu", splits=True, speaks_for_itself=True)
    ] = "cpu"
    controller: Annotated[
        Literal["gloo", "mpi"] | None,
        Field(validate_default=True),
        Meaning(
            meaning="Horovod's: gloo or mpi; missing for strategies without Horovod",
            neutral=None,
            splits=True,
            speaks_for_itself=True,
        ),
    ] = "gloo"
    batch_size: Annotated[int, Field(ge=1), Meaning(unit="samples", meaning="as the cell gives it", splits=True)]
    batch_per: Annotated[
        Literal["worker", "global"],
        Meaning(
            meaning="what batch_size counts: one worker's batch (weak scaling) or all workers' (strong)",
            neutral="worker",
            splits=True,
        ),
    ] = "worker"
    learning_rate: Annotated[
        float,
        Field(gt=0),
        Meaning(meaning="before scaling", splits=True),
        SearchRange(low=0.1, high=10, scale="log", unit="recipe"),
    ]
    optimizer: Annotated[
        str,
        Meaning(
            meaning="how a gradient becomes an update, with the options that differ from its defaults",
            neutral="sgd",
            splits=True,
            speaks_for_itself=True,
        ),
    ] = "sgd"
    optimizer_options: Annotated[SerializeAsAny[OptimizerOptions], Meaning(neutral={}, is_column=False)] = (
        OptimizerOptions()
    )
    momentum: Annotated[
        float, Field(ge=0, lt=1), Meaning(splits=True), SearchRange(low=0, high=0.99, scale="complement")
    ]
    weight_decay: Annotated[float, Field(ge=0), Meaning(neutral=0.0, splits=True)] = 0.0
    lr_scaling: Annotated[
        Literal["none", "linear", "sqrt"],
        Meaning(
            meaning="how the learning rate grows with the samples of an update: none, linear or sqrt",
            neutral="none",
            splits=True,
        ),
        SearchChoice(),
    ] = "none"
    base_batch_size: Annotated[
        int | None,
        Field(ge=1),
        Meaning(
            unit="samples",
            meaning="of an update, that learning_rate is meant for, where lr_scaling begins; missing: batch_size",
            neutral=None,
            splits=True,
        ),
    ] = None
    warmup_epochs: Annotated[
        float,
        Field(ge=0, le=1_000_000, description="epochs over which the rate grows to its scaled value"),
        Meaning(unit="epochs", meaning="over which it grows", neutral=0.0, splits=True),
    ] = 0.0
    warmup_from: Annotated[
        Literal["base", "zero"],
        Meaning(meaning="where it starts: base, the rate before scaling, or zero", neutral="base", splits=True),
    ] = "base"
    schedule: Annotated[
        Schedule,
        Meaning(
            meaning="of the rate after that: constant, cosine or step, with the options that differ from its defaults",
            neutral={"name": "constant"},
            splits=True,
            speaks_for_itself=True,
        ),
    ] = ConstantSchedule()
    clip_norm: Annotated[
        float | None,
        Field(gt=0),
        Meaning(
            meaning="the longest that an applied gradient may be; missing where none is cut", neutral=None, splits=True
        ),
    ] = None
    accumulation: Annotated[
        int,
        Field(ge=1),
        Meaning(meaning="parts of a batch whose gradients are added up, one after another", neutral=1, splits=True),
    ] = 1
    precision: Annotated[
        Literal["float32", "bf16"],
        Meaning(
            meaning="that layers compute in; weights are float32",
            neutral="float32",
            splits=True,
            speaks_for_itself=True,
        ),
    ] = "float32"
    input: Annotated[
        Literal["resident", "loader"],
        Meaning(
            meaning="resident: all data on the device; loader: batches are made while training goes on",
            neutral="resident",
            splits=True,
        ),
    ] = "resident"
    loader_workers: Annotated[
        int,
        Field(ge=0, le=1_024),
        Meaning(meaning="processes of each worker that make batches, with input loader", neutral=0, splits=True),
    ] = 0
    epochs: Annotated[
        float | None,
        Field(gt=0, le=1_000_000),
        Meaning(
            unit="epochs",
            meaning="of training, shared out among the workers; missing where data are a stream, which has none",
            splits=True,
        ),
    ] = None
    samples: Annotated[
        int | None,
        Field(ge=1, le=10**15),
        Meaning(
            unit="samples",
            meaning="of training, by all workers together, where data are a stream; missing where epochs say it",
            neutral=None,
            splits=True,
        ),
    ] = None
    evaluations: Annotated[
        int,
        Field(ge=0, description="fewer where copies of the weights would take over 1 GiB; the last is at the end"),
        Meaning(meaning="points of the curve", neutral=20, splits=True),
    ] = 60
    evaluation_spacing: Annotated[
        Literal["even", "geometric"],
        Meaning(
            meaning="even; or geometric: each later than the one before by the same factor, 1.05 with 60 of them",
            neutral="even",
            splits=True,
        ),
    ] = "geometric"
    target: Annotated[
        float | None,
        Meaning(meaning="score to reach, by `metric`; missing when the cell sets none", neutral=None, splits=True),
    ] = None
    seed: Annotated[int, Field(ge=0), Meaning(meaning="of the cell: initial weights and order of samples")] = 0
    # Of training: starting has as long (launchers/deadline.py).
    time_limit_s: Annotated[float, Field(ge=LEAST_TIME_LIMIT_S), Meaning(neutral=600.0, is_column=False)] = 600.0
    inject: Annotated[
        Injection | None,
        Meaning(
            meaning="faults put in on purpose to prove the regression check; missing in every other launch",
            neutral=None,
            splits=True,
            speaks_for_itself=True,
        ),
    ] = None


FIELDS: dict[str, Meaning] = {name: meaning_of(field) for name, field in CellFields.model_fields.items()}
SPLITTING = tuple(name for name, known in FIELDS.items() if known.splits)


def column_dtype(name: str) -> str:
    """Of a field's column, as pandas names it."""
    kinds = set(_kinds(CellFields.model_fields[name].annotation))
    if int in kinds and type(None) not in kinds:
        return "int64"
    return "float64" if kinds & {int, float} else "str"


def json_kinds(name: str) -> frozenset[type]:
    """What a field's value may be once it is read from JSON: int, float, str, bool, dict, NoneType."""
    found: set[type] = set()
    for part in _kinds(CellFields.model_fields[name].annotation):
        if isinstance(part, str):
            found.add(str)  # one of a Literal's
        elif isinstance(part, type):
            found.add(dict if issubclass(part, BaseModel) else part)
    return frozenset(found | {int} if float in found else found)


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)
