"""One worker's model in PyTorch: a workload's module and data, trained as a vector or natively."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from harness.backends.host_room import HostRoom
from harness.backends.library_draws import seed_of
from harness.backends.torch_cuda import CudaRecorder, HostCopies, gpu_settings, prepare_gpu
from harness.backends.torch_data import evaluation_batch_size, held_out_data, training_data
from harness.backends.torch_draws import draws_aside, restart_draws
from harness.backends.torch_flat import FlatModel, check_parameters, moved_buffers
from harness.backends.torch_native import TorchModel, TorchTraining
from harness.backends.torch_neurons import neurons_of
from harness.backends.torch_objective import Objective
from harness.backends.torch_optimizer import flat_optimizer, native_optimizer, state_of
from harness.backends.torch_rows import RowGradients
from harness.optimizers.clipping import clipped
from harness.protocols import Batches, GradientAveraging, NativeFabric, Neurons, RowTable, Share, Stretches, UsedRows
from harness.suite.cell import Cell
from harness.workloads.own import Batch, OwnWorkload, WorkloadError


def prepare(*, num_threads: int, num_workers: int = 1, gpus: Sequence[int] = ()) -> None:
    """Once a process. gpus: those of its workers (one: PyTorch's workers are processes), its device from then on.

    Raises ValueError where there is none.
    """
    torch.set_num_threads(num_threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 is float32
    if gpus:
        prepare_gpu(gpus[0])


class TorchReplica:
    """Implements harness.protocols.Replica, and RowReplica where the shipped model looks rows up.

    The workload's model is its own from then on.

    Raises WorkloadError where the workload cannot be trained.
    """

    def __init__(self, cell: Cell, workload: OwnWorkload, *, rank: int, local_rank: int) -> None:
        self._cell, self._workload, self._rank = cell, workload, rank
        self._moves_buffers = cell.moves_buffers(rank)
        self._device = (  # `prepare` has chosen it
            torch.device("cuda", torch.cuda.current_device()) if cell.device == "gpu" else torch.device("cpu")
        )
        self._host_copies = HostCopies(self._device) if cell.device == "gpu" else None
        self._room = HostRoom()
        self._train = training_data(cell, workload, self._device)
        self._test = held_out_data(cell, workload, self._device)
        self._objective = Objective(cell, workload, self._device)
        self._model = self._flattened()
        self._optimizer = flat_optimizer(cell, workload, self._model)
        self._clip_norm, self._learning_rate = cell.clip_norm, cell.learning_rate
        self._native: TorchTraining | None = None
        self._restart_draws()

    def _flattened(self) -> FlatModel:
        module = self._workload.model
        if not isinstance(module, torch.nn.Module):
            raise WorkloadError(f"model: is {type(module).__name__}; wanted: an nn.Module")
        check_parameters(module)
        module.to(self._device)
        if not module.training:
            module.train()  # parts of a module in training that are not in it are so on purpose
        moved: list[str] = []
        if next(module.buffers(), None) is not None:
            with self._draws_aside():
                batch = self._train.first(self._cell.batch_per_worker)
                moved = moved_buffers(module, lambda: self._objective.loss(module, batch))
        return FlatModel(module, moved)

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        return self._train.batches(share, order)

    @property
    def has_own_order(self) -> bool:
        return self._train.has_own_order

    def weights(self) -> torch.Tensor:
        return self._model.read()

    def make_room(self, num_vectors: int) -> int:
        if self._host_copies is None:
            self._room.make(num_vectors, like=self.weights().numpy())
        else:
            self._host_copies.make_room(num_vectors, like=self.weights())
        return num_vectors

    def put_aside(self, vector: torch.Tensor) -> torch.Tensor:
        if self._host_copies is None:
            return torch.from_numpy(self._room.of(vector.numpy()))
        return self._host_copies.of(vector)

    def taken_back(self, aside: torch.Tensor) -> torch.Tensor:
        return aside.to(self._device)

    def set_weights(self, vector: torch.Tensor) -> None:
        self._model.write(vector)

    def joined(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(parts))

    def merge(self, vector: torch.Tensor) -> None:
        self._model.merge(vector)

    def merge_by(self, merged: Callable[..., torch.Tensor], *vectors: torch.Tensor) -> torch.Tensor:
        return self._model.merge_by(merged, *vectors)

    def gradient(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        self._model.gradients.begin()
        loss = self._objective.backward(self._model.module, batch)
        return self._model.gradients.vector(), loss

    def row_table(self) -> RowTable:
        return self._row_gradients.table

    def rows_of(self, batch: Batch) -> torch.Tensor:
        return batch[0].flatten()

    def gradient_at(self, batch: Batch, used: UsedRows) -> tuple[UsedRows, torch.Tensor]:
        return self._row_gradients.of(batch, used)

    def plain_update(self, gradient: UsedRows) -> UsedRows:
        rate = -self._learning_rate
        return UsedRows(rows=gradient.rows, values=gradient.values * rate, rest=gradient.rest * rate)

    @cached_property
    def _row_gradients(self) -> RowGradients:
        return RowGradients(self._model, self._objective)

    def update(self, gradient: torch.Tensor) -> torch.Tensor:
        return self._model.with_moves(self._delta(gradient), counts=self._moves_buffers)

    def descend(self, gradient: torch.Tensor) -> None:
        self._model.weights.add_(self._delta(gradient))

    def _delta(self, gradient: torch.Tensor) -> torch.Tensor:
        """Δ of the parameters; buffers have none."""
        gradient = self._model.of_parameters(gradient)
        if self._clip_norm is not None:
            gradient = clipped(gradient, self._clip_norm, torch.linalg.vector_norm(gradient))
        return self._optimizer.delta(gradient, self._model.weights, self._learning_rate)

    def statistics(self) -> torch.Tensor:
        return torch.cat([kept.flatten() for kept in self._optimizer.state()])

    def set_statistics(self, vector: torch.Tensor) -> None:
        state = self._optimizer.state()
        for kept, values in zip(state, vector.split([kept.numel() for kept in state]), strict=True):
            kept.copy_(values.view_as(kept))

    def local_step(self, batch: Batch) -> torch.Tensor:
        gradient, loss = self.gradient(batch)
        self.descend(gradient)
        return loss

    def average_gradients_over(
        self, fabric: NativeFabric[TorchModel, TorchTraining], averaging: GradientAveraging
    ) -> None:
        if self._native is None:
            model = TorchModel(
                module=self._model.module,
                optimizer=native_optimizer(self._cell, self._workload, self._model.parameters),
                loss=self._objective.loss,
                move_into=self._model.move_into,
                clip_norm=self._clip_norm,
                accumulation=self._cell.accumulation,
                leaves_unused=self._leaves_unused,
            )
            self._native = fabric.distribute(model, averaging)

    def _leaves_unused(self) -> bool:
        """Whether the loss of a batch does not depend on every parameter, by a pass that leaves no trace."""
        kept = self.weights()
        batch = self._train.first(self._cell.batch_per_worker // self._cell.accumulation)
        loss = self._objective.loss(self._model.module, batch)
        gradients = torch.autograd.grad(loss, self._model.parameters, allow_unused=True)
        self.reset(kept)
        return any(gradient is None for gradient in gradients)

    def native_step(self, batch: Batch) -> torch.Tensor:
        assert self._native is not None, "average_gradients_over comes first"
        return self._native.step(batch, self._learning_rate)

    def set_learning_rate(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate

    def reset(self, vector: torch.Tensor) -> None:
        if self._native is not None:
            self._native.forget()  # first: it may take a step
        self.set_weights(vector)
        self._model.restart_counters()
        self._optimizer = flat_optimizer(self._cell, self._workload, self._model)
        self._restart_draws()

    def _restart_draws(self) -> None:
        """Of dropout, of samples that are made when asked for, and the like: each worker's are its own."""
        restart_draws(self._draws_seed)

    @property
    def _draws_seed(self) -> int:
        return seed_of(self._cell.seed, self._rank)

    def _draws_aside(self) -> AbstractContextManager[None]:
        """Draws are the same each time and leave no trace on those of training."""
        return draws_aside(self._draws_seed, self._device)

    def evaluate(self, vector: torch.Tensor) -> tuple[float, float]:
        with self._model.evaluating(vector), self._draws_aside():
            batches = self._test.in_order(evaluation_batch_size(self._cell))
            return self._objective.evaluate(self._model.module, batches)

    @property
    def num_held_out(self) -> int:
        return self._test.num_samples

    def synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def recorder(self) -> CudaRecorder | None:
        return CudaRecorder(self._device) if self._device.type == "cuda" else None

    def restart_peak(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def peak_gpu_bytes(self) -> int | None:
        return torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else None

    def tensor_bytes(self) -> int:
        module = self._model.module
        state = self._optimizer.state() if self._native is None else state_of(self._native.optimizer)
        storages = [tensor.untyped_storage() for tensor in (*module.parameters(), *module.buffers(), *state)]
        held_bytes = {storage.data_ptr(): storage.nbytes() for storage in storages}  # views of one vector count once
        return sum(held_bytes.values()) + sum(parameter.nbytes for parameter in self._model.parameters)

    def to_numpy(self, vector: torch.Tensor) -> NDArray[np.float32]:
        return vector.cpu().numpy()

    def from_numpy(self, values: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device)

    def matrices(self) -> list[tuple[int, int]]:
        shapes = [parameter.shape for parameter in self._model.parameters]
        return [(shape[0], shape[1:].numel()) if shape else (1, 1) for shape in shapes]

    def neurons(self) -> Neurons:
        return neurons_of(self._model.module)

    @property
    def num_parameters(self) -> int:
        return self._model.num_parameters

    @property
    def began_positive(self) -> Stretches:
        return self._model.began_positive

    def settings(self) -> dict[str, str]:
        of_gpu = gpu_settings(self._device) if self._device.type == "cuda" else {}
        return {"torch.num_threads": str(torch.get_num_threads()), **of_gpu}
