"""Both ways to a gradient's vector, on the CPU: f = (w0 · a)² + 3 b, w0 = (1, 2), a = (2, 1)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backends.torch_gradients import AddedInto, Gathered, Gradients, gradients_of

NUM_MOVING = 2


@pytest.fixture
def parameters() -> list[nn.Parameter]:
    """(2,), a scalar, and one that the loss does not depend on."""
    return [nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor(5.0)), nn.Parameter(torch.ones(1, 2))]


@pytest.fixture(params=[AddedInto, Gathered])
def gradients(request: pytest.FixtureRequest, parameters: list[nn.Parameter]) -> Gradients:
    made: Gradients = request.param(parameters, NUM_MOVING)
    return made


def backward(parameters: list[nn.Parameter]) -> None:
    pair, scalar, _ = parameters
    ((pair @ torch.tensor([2.0, 1.0])) ** 2 + 3 * scalar).backward()  # 2 · 4 · (2, 1), 3


def test_vector_is_the_gradient_and_zeros(gradients: Gradients, parameters: list[nn.Parameter]) -> None:
    gradients.begin()
    backward(parameters)
    assert gradients.vector().tolist() == [16.0, 8.0, 3.0, 0.0, 0.0, 0.0, 0.0]


def test_vector_is_the_sum_over_passes(gradients: Gradients, parameters: list[nn.Parameter]) -> None:
    gradients.begin()
    backward(parameters)
    backward(parameters)
    assert gradients.vector().tolist() == [32.0, 16.0, 6.0, 0.0, 0.0, 0.0, 0.0]


def test_begin_forgets_what_was(gradients: Gradients, parameters: list[nn.Parameter]) -> None:
    backward(parameters)
    gradients.begin()
    backward(parameters)
    assert gradients.vector().tolist() == [16.0, 8.0, 3.0, 0.0, 0.0, 0.0, 0.0]


def test_first_parameter_is_left_out(gradients: Gradients, parameters: list[nn.Parameter]) -> None:
    gradients.begin(num_left_out=1)
    backward(parameters)
    assert gradients.vector(num_left_out=1).tolist() == [3.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", [AddedInto, Gathered])
def test_sparse_gradients_of_an_embedding_are_made_dense(kind: type[AddedInto | Gathered]) -> None:
    table = nn.Embedding(3, 2, sparse=True)
    gradients = kind([table.weight], 0)
    gradients.begin()
    table(torch.tensor([2, 0, 2])).sum().backward()
    assert gradients.vector().tolist() == [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]


def test_cpu_has_them_added_into_the_vector(parameters: list[nn.Parameter]) -> None:
    assert isinstance(gradients_of(parameters, NUM_MOVING), AddedInto)
