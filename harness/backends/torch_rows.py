"""The gradient of a batch in the rows that it uses, in PyTorch: they are given, not looked up."""

from __future__ import annotations

import torch

from harness.backends.torch_flat import FlatModel
from harness.backends.torch_layers import LookUp
from harness.backends.torch_objective import Objective
from harness.protocols import RowTable, UsedRows
from harness.workloads.own import Batch


class RowGradients:
    """Of a model whose first parameter is the table that its look-up layer has."""

    def __init__(self, model: FlatModel, objective: Objective) -> None:
        self._model, self._objective = model, objective
        self._look_up = next(layer for layer in model.module.modules() if isinstance(layer, LookUp))
        self.table = RowTable(num_rows=self._look_up.num_embeddings, width=self._look_up.embedding_dim)

    def of(self, batch: Batch, used: UsedRows) -> tuple[UsedRows, torch.Tensor]:
        self._model.weights[self.table.size :].copy_(used.rest)
        self._model.gradients.begin(num_left_out=1)
        values = used.values.requires_grad_()
        self._look_up.given = values
        try:
            loss = self._objective.backward(self._model.module, batch)
        finally:
            self._look_up.given = None
        rest = self._model.gradients.vector(num_left_out=1)
        return UsedRows(rows=used.rows, values=values.grad, rest=rest), loss
