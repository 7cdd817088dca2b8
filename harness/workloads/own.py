"""A user's own workload, as a function of theirs makes it: `workload: my_training.py:make`.

    def make():
        ...
        return TorchWorkload(
            model=model,                                                    # an nn.Module
            loss=lambda model, batch: cross_entropy(model(batch[0]), batch[1]),
            score=lambda model, batch: (model(batch[0]).argmax(1) == batch[1]).float(),
            train=TensorDataset(images, labels),
            test=TensorDataset(test_images, test_labels),
            batch_size=32,
            learning_rate=0.05,
            target=0.95,
        )

`make` is called once in every worker, after the framework's random numbers were seeded by the cell's seed; so the
weights that the model is made with are the initial ones, the same on every worker. It may take one argument named
`framework`, `torch` or `tensorflow`, and return a TorchWorkload or a KerasWorkload by it.

What is settled:
buffers        such as batch norm's averages stand behind the parameters in a worker's vector when training moves them:
               averaged with the weights where a strategy averages weights, rank 0's everywhere else, but for
               hogwild-averaging, which averages those of each group's first worker, and tf-parameter-server: there they
               are those of the worker whose step ended last. Delayed averages and the momentum of pullback's anchor
               look ahead, and what servers or peers are told comes late: a buffer that began above 0 everywhere, such
               as a running variance, stays what it was wherever one of these would take it below
tied weights   are one parameter
frozen         parameters that need no gradient stay as they are and are never sent
draws          of dropout come from a generator seeded by (seed, rank); so do those of samples that are drawn when
               asked for, from NumPy's or Python's global generator, and in PyTorch from PyTorch's. Workers that are
               threads of one process (TensorFlow's Hogwild) draw in turn, as it happens: a generator that the data
               hold, or a Stream's own, gives the same each time
streams        a Stream's batches follow from (seed, rank, step); it has no epochs, training takes `samples`
dtypes         parameters and moving buffers are float32; `precision: bf16` computes in less under autocast
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from harness.extensions import ExtensionError
from harness.plain_text import said
from harness.workloads.metric import ACCURACY, Metric
from harness.workloads.rollouts import Experience
from harness.workloads.stream import Stream, numbers_of_rows

Batch = Any  # what the loss takes: a tuple of tensors (B, ...), or what the data yield


_FUNCTIONS = {  # what each is called with
    "loss": "model and batch",
    "score": "model and batch",
    "finish": "the mean score",
    "evaluate": "model and batch",
    "collate": "a list of samples",
    "from_torch": "the torch model's parameters by name",
}


_ENDLESS = (Stream, Experience)


class WorkloadError(ExtensionError):
    """A workload that cannot be trained; the message names the part of it and what is wanted."""


@dataclass(frozen=True, kw_only=True)
class OwnWorkload:
    """What both frameworks' workloads have. Settings are defaults: a suite's cell may say otherwise."""

    framework: ClassVar[str]

    model: Any
    loss: Callable[[Any, Batch], Any]  # of model and batch: the mean over the batch, a scalar
    score: Callable[[Any, Batch], Any]  # of model and batch: one value a sample (B,), whose mean is the metric
    train: Any
    test: Any  # finite
    metric: Metric = ACCURACY
    finish: Callable[[float], float] | None = None  # of the mean score, where the metric is no mean: math.sqrt for RMSE
    evaluate: Callable[[Any, Batch], tuple[Any, Any]] | None = None  # loss and score in one pass, where that is cheaper
    sample_unit: str = "sample"
    samples_per_epoch: int | None = None  # of training data that have no length
    samples: int | None = None  # of training, by all workers together: of a Stream, in the place of epochs
    batch_size: int  # of one worker
    learning_rate: float
    optimizer: str | Mapping[str, Any] | Callable[..., Any] = "sgd"  # a name, {name, options}, or what makes one
    momentum: float = 0.0
    weight_decay: float = 0.0
    epochs: float = 10.0
    target: float | None = None
    input: str = "resident"  # all data on the device, or `loader`: batches are made while training goes on
    loader_workers: int = 0  # processes that make batches, with input loader
    collate: Callable[[list[Any]], Batch] | None = None  # of samples, as DataLoader's

    def __new__(cls, *_: Any, **given: Any) -> Self:
        """Raises WorkloadError for a part that there is none of: the user's line is where it is given."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise WorkloadError(f"{name}: no such part of a {cls.__name__}; allowed: {', '.join(known)}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Raises WorkloadError for a part of the wrong kind; numbers are checked as a suite's are, where cells are."""
        for name, of in _FUNCTIONS.items():
            function = getattr(self, name, None)
            if not callable(function) and not (function is None and name not in ("loss", "score")):
                raise WorkloadError(f"{name}: {said(function)}; wanted: a function of {of}")
        if not isinstance(self.metric, Metric):
            raise WorkloadError(f"metric: {said(self.metric)}; wanted: a Metric of harness.workloads, such as ACCURACY")
        if not (isinstance(self.sample_unit, str) and self.sample_unit.strip()):
            raise WorkloadError(f"sample_unit: {said(self.sample_unit)}; wanted: what a sample is, such as 'image'")
        for name in ("samples_per_epoch", "samples"):
            count = _plain(getattr(self, name))
            if count is not None and (type(count) is not int or count < 1):
                raise WorkloadError(f"{name}: {said(count)}; wanted: an integer from 1 on")
        self._check_stream()
        if not isinstance(self.optimizer, str | Mapping) and not callable(self.optimizer):
            raise WorkloadError(
                f"optimizer: {said(self.optimizer)}; wanted: a name, {{name: ..., option: ...}}, or a function "
                "of the parameters that makes one"
            )
        if not _may_be_data(self.train):
            raise WorkloadError(
                f"train: {said(self.train)}; wanted: the data, a tuple of tensors or arrays, or a data set"
            )

    def _check_stream(self) -> None:
        """Raises WorkloadError for parts that go with data of a number and an end, and those that go with a stream."""
        if not isinstance(self.train, _ENDLESS):
            if self.samples is not None:
                raise WorkloadError("samples: with data that end; wanted: epochs, or a Stream as train")
            return
        if self.samples is None:
            raise WorkloadError("samples: missing, and a Stream has no end; wanted: how many training takes")
        for name in ("samples_per_epoch", "collate"):
            if getattr(self, name) is not None:
                raise WorkloadError(f"{name}: with a Stream, which has no epochs and makes batches; wanted: none")

    def first_of_stream(self, batch_size: int) -> Batch:
        """A batch of `train`, a Stream, to look at. Raises WorkloadError where it has another size than asked for."""
        batch = self.train.first(batch_size)
        found = numbers_of_rows(batch)
        if found != {batch_size}:
            rows = " and ".join(map(str, sorted(found))) or "no"
            raise WorkloadError(
                f"train: a batch of {rows} rows; wanted: at.batch_size in each array, here {batch_size}"
            )
        return batch

    def loss_and_score(self, model: Any, batch: Batch) -> tuple[Any, Any]:
        """Of one batch, as evaluation takes them. Raises WorkloadError where `evaluate` does not give both."""
        if self.evaluate is None:
            return self.loss(model, batch), self.score(model, batch)
        given = self.evaluate(model, batch)
        if not (isinstance(given, tuple) and len(given) == 2):
            raise WorkloadError(f"evaluate: returned {type(given).__name__}; wanted: loss and score, a tuple of two")
        return given

    def finished(self, mean_score: float) -> float:
        """The metric. Raises WorkloadError where `finish` makes no number of the mean score."""
        if self.finish is None:
            return mean_score
        score = _plain(self.finish(mean_score))
        if not isinstance(score, int | float):
            raise WorkloadError(f"finish: returned {type(score).__name__} for {mean_score:g}; wanted: a number")
        return float(score)

    @property
    def num_samples(self) -> int | None:
        """In an epoch; None where there are none, as in a stream. Raises WorkloadError where nothing tells."""
        if isinstance(self.train, _ENDLESS):
            return None
        if self.samples_per_epoch is not None:
            return int(self.samples_per_epoch)
        try:
            return len(self.train[0] if isinstance(self.train, tuple) else self.train)
        except (TypeError, IndexError):
            raise WorkloadError(
                "samples_per_epoch: missing, and the training data have no length; wanted: the samples of an epoch"
            ) from None

    @property
    def recipe(self) -> dict[str, Any]:
        """Defaults of a cell's training settings, by the names of its fields."""
        amount = "samples" if isinstance(self.train, _ENDLESS) else "epochs"
        given: dict[str, Any] = {
            name: _plain(getattr(self, name))
            for name in (
                *("batch_size", "learning_rate", "momentum", "weight_decay", amount, "target"),
                *("input", "loader_workers"),
            )
        }
        return {**given, "optimizer": "own" if callable(self.optimizer) else _plain(self.optimizer)}


def _plain(value: Any) -> Any:
    """A number of NumPy's or of a framework's as Python's; a mapping of such as a dict."""
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    with suppress(ValueError, RuntimeError):  # of several numbers, which are refused as they are
        return value.item() if hasattr(value, "item") else value
    return value


def _may_be_data(value: Any) -> bool:
    if isinstance(value, _ENDLESS):
        return True
    return not isinstance(value, str) and any(hasattr(value, name) for name in ("__len__", "__iter__", "__getitem__"))


@dataclass(frozen=True, kw_only=True)
class TorchWorkload(OwnWorkload):
    """An `nn.Module` and its data.

    train, test: a tuple of tensors (N, ...), a TensorDataset, any map-style dataset (a list of samples is one), or
    (train only) a Stream, or an IterableDataset, of which every worker takes its share: it gives all samples wherever
    and however often it is iterated. optimizer: a name, or a function of the parameters that gives a
    `torch.optim.Optimizer`, whose rate is the cell's; groups with rates of their own keep these in proportion.
    """

    framework: ClassVar[str] = "torch"


@dataclass(frozen=True, kw_only=True)
class KerasWorkload(OwnWorkload):
    """A `keras.Model` and its data, on the TensorFlow backend.

    train, test: a tuple of arrays (N, ...), or (train only) a Stream, or, with input loader, a `tf.data.Dataset` of
    samples, of which every worker takes its share: it is batched here, and shuffles by a seed if at all. loss, score:
    call the model as it is; whether it trains is known. Randomness is Keras', of layers or of SeedGenerators that the
    model holds.
    optimizer: a name, or a function of no argument that gives a `keras.optimizers.Optimizer`, whose rate is the cell's.
    from_torch: the trainable variables, in the order of `model.trainable_variables`, for the parameters of a
    TorchWorkload by name; with it `hvdbench parity` compares the two.
    """

    framework: ClassVar[str] = "tensorflow"
    from_torch: Callable[[Mapping[str, Any]], list[Any]] | None = None
