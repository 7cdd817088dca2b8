"""The PyTorch replica: its gradient is autograd's, its update is the documented rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness.backends.torch_flat import trainable
from harness.backends.torch_layers import build
from harness.backends.torch_native import TorchModel, TorchTraining
from harness.backends.torch_replica import TorchReplica
from harness.backends.torch_shipped import shipped_workload
from harness.protocols import GradientAveraging
from harness.suite.cell import Cell
from harness.workloads.data import Dataset, load_digits, make_synthetic
from harness.workloads.initial import initial_weights
from harness.workloads.layers import LSTM, parameters_of
from harness.workloads.shipped import MODELS

SMALL = ("fnn", "cnn", "rnn")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits()


def replica_of(data: Dataset, workload: str = "fnn", **fields: Any) -> TorchReplica:
    cell = Cell.model_validate({"workload": workload, "strategy": "serial", **fields})
    return TorchReplica(cell, shipped_workload(cell, data), rank=0, local_rank=0)


def samples(data: Dataset, first: int, last: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(data.train.inputs[first:last]), torch.from_numpy(data.train.targets[first:last])


def plain(workload: str, dataset: Dataset) -> nn.Module:
    """The same model as a user would hold it: parameters of their own, the initial weights copied in."""
    layers = MODELS[workload].layers(dataset.num_categories)
    model = build(layers, dataset.input_shape)
    initial = initial_weights(parameters_of(layers, dataset.input_shape), 0)
    with torch.no_grad():
        for (_, parameter), values in zip(trainable(model), initial, strict=True):
            parameter.copy_(torch.from_numpy(values))
    return model


@pytest.mark.parametrize("workload", SMALL)
def test_gradient_is_autograds(digits: Dataset, workload: str) -> None:
    replica, model = replica_of(digits, workload), plain(workload, digits)
    for _ in range(2):  # the second shows that nothing of the first is left in it
        gradient, loss = replica.gradient(samples(digits, 0, 16))
    expected = nn.functional.cross_entropy(
        model(torch.from_numpy(digits.train.inputs[:16])), torch.from_numpy(digits.train.targets[:16])
    )
    expected.backward()
    by_autograd = torch.cat(
        [parameter.grad.flatten() for _, parameter in trainable(model) if parameter.grad is not None]
    )
    assert float(loss) == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(gradient, by_autograd, rtol=1e-5, atol=1e-7)
    assert float(gradient.norm()) > 0.1


def test_merge_by_merges_what_the_function_makes_and_gives_a_copy_of_that(digits: Dataset) -> None:
    replica = replica_of(digits)
    before = replica.weights()
    given = replica.merge_by(lambda weights, others: 2 * weights + others, torch.ones_like(before))
    assert torch.equal(given, 2 * before + 1)
    given.zero_()  # the caller's
    assert torch.equal(replica.weights(), 2 * before + 1)
    others = torch.ones_like(before)
    assert replica.merge_by(lambda weights, others: others, others) is not others
    replica.merge_by(lambda weights: weights).zero_()
    assert torch.equal(replica.weights(), others)


def test_weights_are_a_copy_and_set_weights_reaches_the_model(digits: Dataset) -> None:
    replica = replica_of(digits)
    before = replica.weights()
    batch = samples(digits, 0, 8)
    _, first = replica.gradient(batch)
    replica.set_weights(before * 0)
    _, zeroed = replica.gradient(batch)
    assert float(zeroed) == pytest.approx(np.log(10), rel=1e-6)  # all classes alike
    assert float(before.abs().sum()) > 0
    replica.set_weights(before)
    assert float(replica.gradient(batch)[1]) == float(first)


def test_what_is_put_aside_lies_in_room_made_before_and_stays_as_it_was(digits: Dataset) -> None:
    replica = replica_of(digits)
    assert replica.make_room(2) == 2
    weights = replica.weights()
    aside = replica.put_aside(weights)
    assert aside.data_ptr() != weights.data_ptr()
    replica.local_step(samples(digits, 0, 4))
    assert torch.equal(replica.taken_back(aside), weights)


def test_update_is_heavy_ball_with_weight_decay(digits: Dataset) -> None:
    # w = 2, g = 1, η = 0.1, μ = 0.5, λ = 0.25
    # v = 1 + 0.5 = 1.5, Δ = −0.15, w = 1.85;   v = 0.75 + 1 + 0.4625 = 2.2125, Δ = −0.22125
    replica = replica_of(digits, learning_rate=0.1, momentum=0.5, weight_decay=0.25)
    ones = torch.ones_like(replica.weights())
    replica.set_weights(2 * ones)
    torch.testing.assert_close(replica.update(ones), -0.15 * ones)
    torch.testing.assert_close(replica.weights(), 2 * ones)  # update only says what to add
    replica.set_weights(1.85 * ones)
    torch.testing.assert_close(replica.update(ones), -0.22125 * ones)


def test_rate_is_outside_the_velocity(digits: Dataset) -> None:
    # v = 1, Δ = −0.1;  then η = 0.2: v = 0.5 + 1 = 1.5, Δ = −0.3
    replica = replica_of(digits, learning_rate=0.1, momentum=0.5)
    ones = torch.ones_like(replica.weights())
    torch.testing.assert_close(replica.update(ones), -0.1 * ones)
    replica.set_learning_rate(0.2)
    torch.testing.assert_close(replica.update(ones), -0.3 * ones)


def test_local_step_follows_torchs_own_sgd(digits: Dataset) -> None:
    replica = replica_of(digits, learning_rate=0.05, momentum=0.9, weight_decay=0.01)
    model = plain("fnn", digits)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    images, labels = torch.from_numpy(digits.train.inputs), torch.from_numpy(digits.train.targets)
    for first in range(0, 320, 32):
        replica.local_step(samples(digits, first, first + 32))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[first : first + 32]), labels[first : first + 32]).backward()
        optimizer.step()
    theirs = nn.utils.parameters_to_vector(model.parameters()).detach()
    torch.testing.assert_close(replica.weights(), theirs, rtol=1e-4, atol=1e-6)


def test_reset_forgets_the_velocity(digits: Dataset) -> None:
    replica = replica_of(digits)
    initial = replica.weights()
    ones = torch.ones_like(initial)
    first = replica.update(ones)
    replica.descend(ones)
    replica.reset(initial)
    assert torch.equal(replica.weights(), initial)
    assert torch.equal(replica.update(ones), first)


class Unwrapped:
    """The native fabric of one worker, which counts the steps that it was asked for."""

    def __init__(self) -> None:
        self.num_steps = 0

    def distribute(self, model: TorchModel, averaging: GradientAveraging) -> TorchTraining:
        fabric = self

        class Counted(TorchTraining):
            def update(self) -> None:
                fabric.num_steps += 1
                super().update()

        return Counted(model, averaging)


@pytest.mark.parametrize("passes", [1, 2])
def test_reset_ends_a_begun_pass_and_gives_exactly_the_weights_asked_for(digits: Dataset, passes: int) -> None:
    replica, fabric = replica_of(digits), Unwrapped()
    replica.average_gradients_over(fabric, GradientAveraging(backward_passes_per_step=passes))  # type: ignore[arg-type]
    initial = replica.weights()
    for _ in range(5):
        replica.native_step(samples(digits, 0, 8))
    assert not torch.equal(replica.weights(), initial)
    replica.reset(initial)
    assert fabric.num_steps == {1: 5, 2: 3}[passes]
    assert torch.equal(replica.weights(), initial)


def test_evaluate_is_over_the_held_out_set_and_leaves_the_weights(digits: Dataset) -> None:
    replica, model = replica_of(digits, "cnn"), plain("cnn", digits)
    kept = replica.weights()
    with torch.no_grad():
        scores = model(torch.from_numpy(digits.test.inputs))
    labels = torch.from_numpy(digits.test.targets)
    loss, accuracy = replica.evaluate(kept.clone())
    assert loss == pytest.approx(nn.functional.cross_entropy(scores, labels).item(), rel=1e-5)
    assert accuracy == pytest.approx((scores.argmax(1) == labels).double().mean().item())
    uniform, _ = replica.evaluate(kept * 0)
    assert uniform == pytest.approx(np.log(10), rel=1e-6)
    assert torch.equal(replica.weights(), kept)


def test_second_bias_of_the_lstm_stays_zero_and_is_no_parameter(digits: Dataset) -> None:
    replica = replica_of(digits, "rnn")
    modules = build(MODELS["rnn"].layers(10), (1, 8, 8))
    assert replica.num_parameters == 512 * 8 + 512 * 128 + 512 + 1290
    assert [name for name, _ in trainable(modules) if "bias_hh" in name] == []
    model = replica._model.module
    for step in range(3):
        gradient, _ = replica.gradient(samples(digits, step * 8, step * 8 + 8))
        replica.descend(gradient)
    (second,) = [values for name, values in model.named_parameters() if name.endswith("bias_hh_l0")]
    assert torch.equal(second, torch.zeros_like(second))


def test_lstm_is_the_textbooks() -> None:
    """c ← σ(f)·c + σ(i)·tanh(g), h ← σ(o)·tanh(c), gates in the order i, f, g, o, in float64 NumPy."""
    layer, shape = LSTM(units=3), (4, 5)
    kernel, recurrent, bias = (values.astype(np.float64) for values in initial_weights(layer.parameters(shape), 0))
    sequence = np.random.default_rng(0).normal(size=shape)
    hidden = state = np.zeros(3)
    for row in sequence:
        i, f, g, o = np.split(kernel @ row + recurrent @ hidden + bias, 4)
        state = state / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        hidden = np.tanh(state) / (1 + np.exp(-o))
    model = build((layer,), shape).double()
    with torch.no_grad():
        for (_, parameter), values in zip(trainable(model), (kernel, recurrent, bias), strict=True):
            parameter.copy_(torch.from_numpy(values))
        found = model(torch.from_numpy(sequence)[None])
    np.testing.assert_allclose(found[0].numpy(), hidden, rtol=1e-12)


@pytest.mark.parametrize(("workload", "count"), [("resnet18", 11_181_642), ("vgg16", 33_638_218)])
def test_large_models_build_and_train_at_a_small_image_size(workload: str, count: int) -> None:
    data = make_synthetic(num_samples=4, size=32, channels=3, num_classes=10)
    shape = {"name": "synthetic", "num_samples": 64, "size": 32, "channels": 3, "num_classes": 10}
    replica = replica_of(data, workload, dataset=shape)
    assert replica.num_parameters == count
    before = replica.weights()
    gradient, loss = replica.gradient(samples(data, 0, 2))
    replica.descend(gradient)
    assert np.isfinite(float(loss))
    assert float((replica.weights() - before).abs().max()) > 0


@pytest.mark.parametrize(("optimizer", "num_vectors"), [("sgd", 3), ("adam", 4)])
def test_tensor_bytes_are_weights_gradient_and_what_the_optimizer_keeps(
    digits: Dataset, optimizer: str, num_vectors: int
) -> None:
    """One vector of momentum, or two of moments; beside them no more than a count of steps."""
    made = replica_of(digits, optimizer=optimizer)
    made.local_step(samples(digits, 0, 16))
    vector_bytes = 4 * made.num_parameters
    assert num_vectors * vector_bytes <= made.tensor_bytes() <= num_vectors * vector_bytes + 8


def test_peak_gpu_memory_is_unknown_on_a_cpu(digits: Dataset) -> None:
    assert replica_of(digits).peak_gpu_bytes() is None
