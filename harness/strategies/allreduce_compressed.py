"""Synchronous steps by gradients that are sent compressed, with what is lost added to the next: error feedback.

Every step, worker i:  p_i ← g_i(w) + e_i;  c_i ← C(p_i);  e_i ← p_i − c_i;  ĝ ← mean of the c;  w ← w + Δ(ĝ)

    powersgd   a parameter as a matrix M (n × k) of the p, with Q (k × r) of the last step:
               P ← mean(M Q);  P̂ ← orthonormal P;  Q ← mean(Mᵀ P̂);  ĝ = P̂ Qᵀ;  e_i ← M − P̂ (Mᵀ P̂)ᵀ
               Vogels et al. (arXiv 1905.13727), Algorithms 1 and 2. Vectors, and matrices that it makes no smaller, are
               sent as they are.
    top-k      the k of the p that are largest by amount: their places and values
               Stich et al., "Sparsified SGD with Memory" (arXiv 1809.07599), Algorithm 1
    sign       a bit for each of the p, and a scale for each parameter: mean|p| · sign(p)
               Karimireddy et al. (arXiv 1901.09847), Algorithm 1

In the last two papers p_i ← η g_i + e_i, in units of weights: the same while η stays what it is, without momentum.
The worker's optimizer takes ĝ for its gradient, momentum included, as in a communication hook of PyTorch's DDP; in
PowerSGD's paper momentum is added to the decompressed gradient. Compressing is done on the host, in NumPy.

r → rank, k → share of the weights
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.protocols import (
    COLLECTIVE,
    CollectiveFabric,
    EvaluatedModel,
    HorovodOptions,
    Loss,
    Plan,
    Replica,
    StrategyOptions,
    Topology,
    Vector,
)

Array = NDArray[np.floating[Any]]
Shapes = Sequence[tuple[int, int]]  # of parameters as matrices


class AllreduceCompressedOptions(HorovodOptions):
    compressor: Literal["powersgd", "top-k", "sign"] = Field(
        "powersgd", description="what gradients are made smaller by"
    )
    rank: int = Field(2, ge=1, description="powersgd: of the matrices that are sent (r)")
    share: float = Field(0.01, gt=0, le=1, description="top-k: of the weights whose gradients are sent (k)")
    error_feedback: bool = Field(True, description="what a step leaves out is added to the next one's gradient (e)")

    def check_against(self, topology: Topology) -> None:
        super().check_against(topology)
        if topology.device != "cpu":
            raise ValueError(
                f"device: {topology.device} with strategy allreduce-compressed, which compresses on the host; allowed: "
                "cpu"
            )


class AllreduceCompressed:
    Options: ClassVar[type[StrategyOptions]] = AllreduceCompressedOptions
    needs: ClassVar = COLLECTIVE
    evaluated: ClassVar = EvaluatedModel.REPLICATED

    def __init__(self, options: AllreduceCompressedOptions, plan: Plan) -> None:
        self._options, self._plan = options, plan

    def setup(self, replica: Replica, fabric: CollectiveFabric) -> None:
        replica.set_weights(fabric.broadcast(replica.weights()))
        shapes, num_weights = list(replica.matrices()), len(replica.weights())
        others = num_weights - sum(rows * columns for rows, columns in shapes)  # buffers, whose gradients are 0
        self._compressor = _compressor_of(self._options, [*shapes, (others, 1)] if others else shapes, self._plan.seed)
        self._error: Array | None = None

    def step(self, replica: Replica, fabric: CollectiveFabric, batch: Any) -> Loss:
        gradient, loss = replica.gradient(batch)
        wanted: Array = np.array(gradient)
        if self._error is not None:
            wanted += self._error
        mean, sent = self._compressor.mean(wanted, replica, fabric)
        if self._options.error_feedback:
            self._error = wanted - sent
        replica.descend(replica.from_numpy(mean))
        return loss

    def finish(self, replica: Replica, fabric: CollectiveFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: CollectiveFabric) -> Vector:
        return replica.weights()


class _Compressor(Protocol):
    def mean(self, vector: Array, replica: Replica, fabric: CollectiveFabric) -> tuple[Array, Array]:
        """ĝ, the same on every worker, and what this one has put into it, c_i.  # (P,), (P,)"""
        ...


class _TopK:
    def __init__(self, share: float) -> None:
        self._share = share

    def mean(self, vector: Array, replica: Replica, fabric: CollectiveFabric) -> tuple[Array, Array]:
        num_sent = max(1, round(self._share * len(vector)))
        places = np.sort(np.argpartition(-np.abs(vector), num_sent - 1)[:num_sent]).astype(np.int32)
        sent, mean = np.zeros_like(vector), np.zeros_like(vector)
        sent[places] = vector[places]
        for payload in fabric.gather_bytes(_bytes_of(places, vector[places])):
            mean[payload[: places.nbytes].view(np.int32)] += payload[places.nbytes :].view(vector.dtype)
        return mean / fabric.size, sent


class _Sign:
    def __init__(self, shapes: Shapes) -> None:
        self._sizes = [rows * columns for rows, columns in shapes]

    def mean(self, vector: Array, replica: Replica, fabric: CollectiveFabric) -> tuple[Array, Array]:
        scales = np.array([np.abs(part).mean() for part in _split(vector, self._sizes)], vector.dtype)
        payloads = fabric.gather_bytes(_bytes_of(scales, np.packbits(vector >= 0)))
        signed = [self._read(payload, vector.dtype) for payload in payloads]
        mean: Array = np.mean(signed, axis=0)
        return mean, signed[fabric.rank]

    def _read(self, payload: NDArray[np.uint8], dtype: np.dtype[Any]) -> Array:
        scales_bytes = len(self._sizes) * dtype.itemsize
        scales = np.repeat(payload[:scales_bytes].view(dtype), self._sizes)
        is_positive = np.unpackbits(payload[scales_bytes:], count=len(scales)).astype(bool)
        return np.where(is_positive, scales, -scales)


class _PowerSGD:
    def __init__(self, shapes: Shapes, rank: int, seed: int) -> None:
        self._shapes = shapes
        draws = np.random.default_rng(seed)  # the same on every worker
        self._bases: dict[int, Array] = {  # Q, of those parameters that are compressed
            index: draws.normal(size=(columns, rank))
            for index, (rows, columns) in enumerate(shapes)
            if (rows + columns) * rank < rows * columns
        }

    def mean(self, vector: Array, replica: Replica, fabric: CollectiveFabric) -> tuple[Array, Array]:
        """In two means: of every P, with what is sent as it is, and of every Q."""
        sizes = [rows * columns for rows, columns in self._shapes]
        parts = _split(vector, sizes)
        matrices = {index: parts[index].reshape(self._shapes[index]) for index in self._bases}
        first = [
            matrices[index] @ self._bases[index].astype(vector.dtype) if index in matrices else part
            for index, part in enumerate(parts)
        ]
        means = self._averaged(first, replica, fabric)
        frames = {index: np.linalg.qr(means[index])[0] for index in matrices}
        own = [matrices[index].T @ frames[index] for index in matrices]
        bases = self._averaged(own, replica, fabric) if own else []
        sent = parts.copy()
        for index, own_basis, basis in zip(matrices, own, bases, strict=True):
            self._bases[index] = basis
            means[index] = (frames[index] @ basis.T).ravel()
            sent[index] = (frames[index] @ own_basis.T).ravel()
        return np.concatenate(means), np.concatenate(sent)

    @staticmethod
    def _averaged(arrays: Sequence[Array], replica: Replica, fabric: CollectiveFabric) -> list[Array]:
        """Each array's mean over the workers, sent as one vector."""
        mean: Any = fabric.mean(replica.from_numpy(np.concatenate([array.ravel() for array in arrays])))
        parts = _split(np.array(mean), [array.size for array in arrays])
        return [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]


def _compressor_of(options: AllreduceCompressedOptions, shapes: Shapes, seed: int) -> _Compressor:
    match options.compressor:
        case "top-k":
            return _TopK(options.share)
        case "sign":
            return _Sign(shapes)
        case "powersgd":
            return _PowerSGD(shapes, options.rank, seed)


def _split(vector: Array, sizes: Sequence[int]) -> list[Array]:
    return np.split(vector, np.cumsum(sizes)[:-1])


def _bytes_of(*arrays: NDArray[Any]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(array.tobytes() for array in arrays), np.uint8)
