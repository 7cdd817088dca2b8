"""Values of a cell's fields that have fields of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, model_validator

from harness.strict import Strict
from harness.suite.meaning import Meaning
from harness.workloads.metric import Metric

MOST_VALUES = 2**38  # of data that are made: 1 TiB of float32
_Value = TypeVar("_Value")
_OfCode = Annotated[_Value, Meaning(neutral=None, is_private=True)]


def _require_fitting(num_values: int, in_words: str) -> None:
    """Raises ValueError for data that no machine has room for."""
    if num_values > MOST_VALUES:
        raise ValueError(f"{in_words}: {num_values:,} values; allowed: up to {MOST_VALUES:,}, 1 TiB")


class SyntheticShape(Strict):
    """Size of the synthetic data set: images of size × size × channels."""

    num_samples: int = Field(2048, ge=64)
    size: int = Field(28, ge=8)
    channels: int = Field(1, ge=1)
    num_classes: int = Field(10, ge=2, le=1_000_000)

    @model_validator(mode="after")
    def _check_size(self) -> SyntheticShape:
        _require_fitting(self.num_samples * self.size**2 * self.channels, self.in_words)
        return self

    @property
    def in_words(self) -> str:
        return f"{self.num_samples} of {self.size}×{self.size}×{self.channels}, {self.num_classes} classes"


class RatingsShape(Strict):
    """Size of the synthetic ratings, and how hard they are to tell."""

    users: int = Field(1000, ge=2)
    items: int = Field(1000, ge=2)
    num_samples: int = Field(100_000, ge=64, description="ratings to train on")
    rank: int = Field(4, ge=1, description="factors of the ratings that are told apart")
    noise: float = Field(0.5, ge=0, description="deviation of what no model can tell")

    @model_validator(mode="after")
    def _check_size(self) -> RatingsShape:
        _require_fitting(self.num_samples + (self.users + self.items) * self.rank, self.in_words)
        return self

    @property
    def in_words(self) -> str:
        return f"{self.num_samples} of {self.users}×{self.items}, rank {self.rank}, noise {self.noise:g}"


class Rollouts(Strict):
    """How workers that act learn from it: as in Mnih et al. (arXiv 1602.01783), `value` as is usual since."""

    steps: int = Field(5, ge=1, description="frames of each environment in a batch, and of a return at most")
    discount: float = Field(0.99, gt=0, le=1, description="what a frame later is worth")
    entropy: float = Field(0.01, ge=0, description="weight of the policy's entropy, which is to be large")
    value: float = Field(0.5, gt=0, description="weight of the critic's squared error")
    reward_scale: float = Field(
        1.0, gt=0, description="what rewards are multiplied by to learn from; scores are without"
    )

    @property
    def in_words(self) -> str:
        weights = f"entropy {self.entropy:g}, value {self.value:g}"
        scaled = "" if self.reward_scale == 1 else f", rewards × {self.reward_scale:g}"
        return f"returns of {self.steps} frames, discount {self.discount:g}, {weights}{scaled}"


class TextFile(Strict):
    """A file of text, and what was found in it when it was first asked for."""

    path: Annotated[str, Meaning(is_private=True)]
    digest: str = Field(description="of the text: another text is another cell")
    num_characters: int = Field(ge=1)

    @property
    def in_words(self) -> str:
        return f"{Path(self.path).name}, {self.num_characters} characters"


class OwnFacts(Strict):
    """What a dry step has found a user's workload to be."""

    code: str = Field(description="digest of the files that make it: changed code is another cell")
    metric: Metric
    sample_unit: str
    num_samples: int | None = Field(None, ge=1, description="in an epoch; missing where data have none")
    # To refuse what its model is not for. They follow from the code: no part of a cell's name, and stored nowhere.
    num_layers: _OfCode[int | None] = Field(None, exclude=True, description="whose neurons are known")
    unknown_neurons: _OfCode[str | None] = Field(None, exclude=True, description="of which layer, and what is wanted")


class Slowed(Strict):
    """One worker that is slower than the others, held up between its steps (harness/worker/sabotage.py)."""

    rank: int = Field(ge=0, description="which")
    factor: float = Field(
        gt=1, le=1_000, description="so many times as long each of its steps takes, its waits too; it sleeps"
    )

    def in_words(self) -> str:
        return f"rank {self.rank} slowed {self.factor:g}×"
