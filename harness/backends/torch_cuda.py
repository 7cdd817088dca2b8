"""What is PyTorch's on CUDA alone: time on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from harness.protocols import Loss


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

    def values(self, losses: Sequence[Loss]) -> NDArray[np.float64]:
        """In one copy from the device."""
        stacked = torch.stack([torch.as_tensor(loss, device=self._stream.device) for loss in losses])
        return stacked.double().cpu().numpy()
