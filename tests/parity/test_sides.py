"""A user's model in two frameworks: the weights of the one carried into the other, by the user's own function.

In PyTorch's place stands a replica that is known to be right, of a model with PyTorch's layout of kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import registry
from harness.backends.tensorflow_replica import TensorFlowReplica
from harness.parity import table
from harness.parity.measure import parity
from harness.parity.table import ParityError, show_parity
from harness.records.parity_record import Difference
from harness.suite.cell import Cell
from harness.workloads import KerasWorkload
from harness.workloads.own import WorkloadError
from tests.backends.keras_models import cell_of, workload_of

Arrays = Mapping[str, Any]
ROWS = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)


class Transposed(keras.layers.Layer):
    """x · Wᵀ + b, of W (out, in)."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.weight = self.add_weight(shape=(units, 3), name="weight")
        self.bias = self.add_weight(shape=(units,), initializer="ones", name="bias")

    def call(self, inputs: Any) -> Any:
        return tf.matmul(inputs, self.weight, transpose_b=True) + self.bias


def mean_square(model: Any, batch: Any) -> Any:
    return tf.reduce_mean(tf.square(model(batch[0])))


def score(model: Any, batch: Any) -> Any:
    return tf.reduce_mean(tf.square(model(batch[0])), axis=1)


def of(model: keras.Model, **changes: Any) -> KerasWorkload:
    given: dict[str, Any] = {"loss": mean_square, "score": score, "batch_size": 4, "learning_rate": 0.1}
    return workload_of(model, ROWS, **{**given, **changes})


def torch_like(cell: Cell) -> Any:
    keras.utils.set_random_seed(1)
    layer = Transposed(2)
    workload = of(keras.Sequential([keras.Input((3,)), layer]))
    parameters = [
        SimpleNamespace(shape=tuple(variable.shape), requires_grad=True) for variable in (layer.weight, layer.bias)
    ]
    named = list(zip(("0.weight", "0.bias"), parameters, strict=True))
    return SimpleNamespace(workload=workload, model=SimpleNamespace(named_parameters=lambda: named))


def replica_of_it(cell: Cell, stand_in: Any, *, rank: int, local_rank: int) -> TensorFlowReplica:
    return TensorFlowReplica(cell, stand_in.workload, rank=rank, local_rank=local_rank)


_FROM_TORCH: list[Callable[[Arrays], list[Any]] | None] = []


def keras_one(cell: Cell) -> KerasWorkload:
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    return of(model, from_torch=_FROM_TORCH[-1])


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Difference]]:
    here = __name__
    monkeypatch.setitem(registry.WORKLOADS, "torch", f"{here}:torch_like")
    monkeypatch.setitem(registry.REPLICAS, "torch", f"{here}:replica_of_it")
    monkeypatch.setitem(registry.WORKLOADS, "tensorflow", f"{here}:keras_one")

    def differences(from_torch: Callable[[Arrays], list[Any]] | None, **fields: Any) -> list[Difference]:
        _FROM_TORCH.append(from_torch)
        return parity(cell_of(of(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])), **fields))

    return differences


def transposed(parameters: Arrays) -> list[Any]:
    return [parameters["0.weight"].T, parameters["0.bias"]]


def missed(differences: list[Difference]) -> list[str]:
    return [each.kind for each in differences if not each.holds]


@pytest.mark.parametrize("optimizer", registry.OPTIMIZERS)
def test_carried_weights_give_the_same_score_gradients_and_losses(
    compared: Callable[..., list[Difference]], optimizer: str
) -> None:
    differences = compared(transposed, optimizer=optimizer, learning_rate=0.01)
    assert missed(differences) == []
    assert [each.kind for each in differences] == ["score", "first loss", "gradient", "gradient", "losses"]
    assert differences[0].of == "error"
    assert "kernel" in differences[2].of


def test_weights_that_are_carried_wrongly_are_found_out(compared: Callable[..., list[Difference]]) -> None:
    def mistaken(parameters: Arrays) -> list[Any]:
        return [parameters["0.weight"].reshape(3, 2), parameters["0.bias"]]

    assert {"score", "first loss", "gradient", "losses"} <= set(missed(compared(mistaken)))


@pytest.mark.parametrize(
    ("from_torch", "message"),
    [
        (None, "from_torch: missing in the KerasWorkload; wanted: a function"),
        (lambda parameters: [parameters["0.bias"]], "from_torch: gives 1 arrays; wanted: 2"),
        (
            lambda parameters: [parameters["0.weight"], parameters["0.bias"]],
            r"from_torch: gives shape \(2, 3\) for .*kernel; wanted: \(3, 2\)",
        ),
    ],
)
def test_what_carries_nothing_right_is_named(
    compared: Callable[..., list[Difference]], from_torch: Any, message: str
) -> None:
    with pytest.raises(WorkloadError, match=message):
        compared(from_torch)


def test_table_of_own_code_names_it(
    compared: Callable[..., list[Difference]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workload = of(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    own = {"code": "0" * 16, "metric": workload.metric, "sample_unit": "row", "num_samples": 16}
    facts = {"own": own, "recipe": workload.recipe, "framework": "torch"}
    monkeypatch.setattr(table, "own_facts", lambda name, folder, framework: facts)
    _FROM_TORCH.append(transposed)
    assert show_parity("own.py:make", None, 0, optimizer="adamw")
    assert "own.py:make, adamw" in capsys.readouterr().out
    _FROM_TORCH.append(None)
    with pytest.raises(ParityError, match=r"own\.py:make: from_torch: missing"):
        show_parity("own.py:make", None, 0)
