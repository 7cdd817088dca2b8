"""The data sets there are: what is known of each before it is loaded, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.workloads import cifar, data, ratings, texts
from harness.workloads.cartpole import CartPole
from harness.workloads.data import Dataset
from harness.workloads.layers import Shape
from harness.workloads.metric import Metric
from harness.workloads.pendulum import COSTLIEST_FRAME, Pendulum
from harness.workloads.rollouts import Experience
from harness.workloads.task import ACT, CLASSIFY, CONTINUE, RATE, Task

Options = Mapping[str, Any]  # of a data set that is made to measure, by name; else none


@dataclass(frozen=True, kw_only=True)
class Facts:
    shape: Shape  # of a sample's input
    num_samples: int | None  # to train on; None where they have no end


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Of a data set."""

    about: str
    facts: Callable[[Options], Facts]
    load: Callable[[Options], Dataset | Experience]  # raises DatasetError where it is not at hand
    task: Task = CLASSIFY
    bounds: tuple[float, float] | None = None  # of the task's metric, where it has them from the data
    options: str | None = None  # the cell's field that has them
    usual: Options = field(default_factory=dict)  # where a cell says nothing else
    missing: Callable[[], str | None] = lambda: None  # why it is not at hand, and what mends that

    @property
    def metric(self) -> Metric:
        metric = self.task.metric
        return metric if self.bounds is None else metric.model_copy(update={"bounds": self.bounds})


def _source(shape: Shape, num_samples: int, load: Callable[[], Dataset], **known: Any) -> DataSource:
    """Of one size."""
    facts = Facts(shape=shape, num_samples=num_samples)
    return DataSource(facts=lambda _: facts, load=lambda _: load(), **known)


def _missing(name: str, find: Callable[[], Path | None], how_to_get: str) -> Callable[[], str | None]:
    return lambda: None if find() else f"dataset: {name} is not on this machine: {how_to_get}"


DATASETS = {
    "digits": _source((1, 8, 8), 1437, data.load_digits, about="1,437 + 360 images of 8×8, shipped with scikit-learn"),
    "fashion-mnist": _source(
        (1, 28, 28),
        60_000,
        lambda: data.load_fashion_mnist(data.find_fashion_mnist()),
        about="60,000 + 10,000 images of 28×28",
        missing=_missing("fashion-mnist", data.find_fashion_mnist, data.HOW_TO_GET_FASHION),
    ),
    "cifar-10": _source(
        cifar.SHAPE,
        50_000,
        lambda: cifar.load_cifar(cifar.find_cifar()),
        about="50,000 + 10,000 images of 32×32 in colour, fetched where a user asks for it",
        missing=_missing("cifar-10", cifar.find_cifar, cifar.HOW_TO_GET_CIFAR),
    ),
    "signals": _source(
        (1, 40, 1), 4000, data.load_signals, about="4,000 + 1,000 generated series of 40 values, after MNIST-1D"
    ),
    "synthetic": DataSource(
        about="seeded noise of any size, for throughput and scale",
        facts=lambda size: Facts(shape=(size["channels"], size["size"], size["size"]), num_samples=size["num_samples"]),
        load=lambda size: data.make_synthetic(**size),
        options="synthetic",
    ),
    "synthetic-ratings": DataSource(
        about="seeded ratings of any number of users and items: low rank, biases and noise",
        facts=lambda size: Facts(shape=(2,), num_samples=size["num_samples"]),
        load=lambda size: ratings.make_ratings(**size),
        task=RATE,
        options="ratings",
    ),
    "movielens-100k": _source(
        (2,),
        ratings.NUM_MOVIELENS - ratings.NUM_HELD_OUT_MOVIELENS,
        lambda: ratings.load_movielens(ratings.find_movielens()),
        about="90,000 + 10,000 ratings of 1,682 films by 943 users, fetched where a user asks for it",
        task=RATE,
        missing=_missing("movielens-100k", ratings.find_movielens, ratings.HOW_TO_GET_MOVIELENS),
    ),
    "insteval": _source(
        (2,),
        ratings.NUM_INSTEVAL - ratings.NUM_HELD_OUT_INSTEVAL,
        lambda: ratings.load_insteval(ratings.find_insteval()),
        about="66,079 + 7,342 ratings of 1,128 lecturers by 2,972 students, from the R package lme4",
        task=RATE,
        missing=_missing("insteval", ratings.find_insteval, ratings.HOW_TO_GET_INSTEVAL),
    ),
    "austen": _source(
        (texts.WINDOW,),
        texts.num_to_train_on(texts.NUM_AUSTEN),
        texts.load_austen,
        about='"Pride and Prejudice", 685,000 characters in windows of 64, shipped with hvdbench',
        task=CONTINUE,
    ),
    "text": DataSource(
        about="a file of yours: {name: text, path: book.txt}, seen from the suite's folder",
        facts=lambda file: Facts(shape=(texts.WINDOW,), num_samples=texts.num_to_train_on(file["num_characters"])),
        load=lambda file: texts.load_text(file["path"], file["digest"]),
        task=CONTINUE,
        options="text",
    ),
    "cartpole": DataSource(
        about="a pole on a cart, to be kept upright for 500 frames: equal to gymnasium's CartPole-v1",
        facts=lambda _: Facts(shape=(CartPole.num_observed,), num_samples=None),
        load=lambda how: Experience(CartPole(), **how),
        task=ACT,
        bounds=(0.0, CartPole.most_frames),
        options="rollouts",
    ),
    "pendulum": DataSource(
        about="a rod to be swung up and held upright by a torque, a number: equal to gymnasium's Pendulum-v1",
        facts=lambda _: Facts(shape=(Pendulum.num_observed,), num_samples=None),
        load=lambda how: Experience(Pendulum(), **how),
        task=ACT,
        bounds=(-Pendulum.most_frames * COSTLIEST_FRAME, 0.0),
        options="rollouts",
        usual={"discount": 0.9, "entropy": 1e-3, "reward_scale": 0.1},
    ),
}

# What is fetched only where a user asks for it.
DOWNLOADS: dict[str, Callable[[], object]] = {
    "fashion-mnist": data.download_fashion_mnist,
    "movielens-100k": ratings.download_movielens,
    "cifar-10": cifar.download_cifar,
}


def datasets_for(task: Task) -> list[str]:
    return [name for name, source in DATASETS.items() if source.task is task]
