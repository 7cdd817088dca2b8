"""What PyTorch has on CUDA alone: the device's own time, copies beside training, libraries and their settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.protocols import Loss


def prepare_gpu(index: int) -> None:
    """Makes a visible GPU the process' own. Workers beyond the last begin again at the first, for `staging: host`.

    As in TensorFlow, cuDNN tries at its first use what is fastest. Raises ValueError where PyTorch sees none.
    """
    num_visible = torch.cuda.device_count()
    if not num_visible:
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU alone"
        raise ValueError(f"device: gpu, but PyTorch {torch.__version__}, {built}, sees none; allowed: cpu")
    torch.cuda.set_device(index % num_visible)
    torch.backends.cudnn.benchmark = True


def gpu_settings(device: torch.device) -> dict[str, str]:
    """For the record: the GPU, the libraries that it works with, and how."""
    found = {
        "gpu": torch.cuda.get_device_name(device),
        "cuda": torch.version.cuda,
        "cudnn": _dotted(torch.backends.cudnn.version()),
        "torch.nccl": ".".join(map(str, torch.cuda.nccl.version())) if torch.distributed.is_nccl_available() else None,
        "tf32": _on(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32),
        "cudnn.autotune": _on(torch.backends.cudnn.benchmark),
        "cudnn.deterministic": _on(torch.backends.cudnn.deterministic),
        "step_times": "CUDA events",
    }
    return {name: value for name, value in found.items() if value is not None}


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"


def _dotted(version: int | None) -> str | None:
    """cuDNN's 91002 is 9.10.2; until version 8, 8902 is 8.9.2."""
    if version is None:
        return None
    major, rest = divmod(version, 10_000 if version >= 90_000 else 1000)
    return ".".join(map(str, (major, *divmod(rest, 100))))


class CudaRecorder:
    """Implements harness.protocols.Recorder by events in the stream that training uses."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.current_stream(device)

    def moment(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record(self._stream)
        return event

    def seconds_between(
        self, firsts: Sequence[torch.cuda.Event], lasts: Sequence[torch.cuda.Event]
    ) -> NDArray[np.float64]:
        pairs = zip(firsts, lasts, strict=True)
        return np.array([first.elapsed_time(last) / 1000 for first, last in pairs], np.float64)

    def gathered(self, losses: Sequence[Loss]) -> torch.Tensor:
        """A scalar by itself takes 512 bytes of the device."""
        return torch.stack([torch.as_tensor(loss, device=self._stream.device) for loss in losses])

    def values(self, gathered: torch.Tensor) -> NDArray[np.float64]:
        values: NDArray[np.float64] = gathered.double().cpu().numpy()
        return values


class HostCopies:
    """Copies of vectors in the host's page-locked memory, which the device makes while training goes on."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)

    def make_room(self, num_vectors: int, like: torch.Tensor) -> None:
        """Locking pages halts the device; PyTorch keeps those that it has locked once."""
        rooms: list[Any] = [torch.empty_like(like, device="cpu", pin_memory=True) for _ in range(num_vectors)]
        del rooms

    def of(self, vector: torch.Tensor) -> torch.Tensor:
        """There once the device is synchronised."""
        copy = torch.empty_like(vector, device="cpu", pin_memory=True)
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            copy.copy_(vector, non_blocking=True)
        vector.record_stream(self._stream)  # its memory is another's only after that
        return copy
