"""Strategies whose steps leave a trace: what the host called of CUDA, and when. `strategy: profiled.py:Serial`

The second `setup` is training's; warm-up has had the first. From then to `finish`, torch.profiler looks on.
"""

from __future__ import annotations

import os
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function

from harness.strategies.allreduce import Allreduce as _Allreduce
from harness.strategies.delayed_averaging import DelayedAveraging as _DelayedAveraging
from harness.strategies.local_sgd import AllreduceFlat as _AllreduceFlat
from harness.strategies.serial import Serial as _Serial

TRACE_VARIABLE = "HVDBENCH_TEST_TRACE"  # the file to write
STEP = "hvdbench step"


class _Profiled:
    _num_setups = 0
    _profiler: Any = None

    def setup(self, replica: Any, fabric: Any) -> None:
        super().setup(replica, fabric)  # type: ignore[misc]
        self._num_setups += 1
        if self._num_setups == 2:
            self._profiler = profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])
            self._profiler.start()

    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        with record_function(STEP):
            return super().step(replica, fabric, batch)  # type: ignore[misc]

    def finish(self, replica: Any, fabric: Any) -> None:
        super().finish(replica, fabric)  # type: ignore[misc]
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler.export_chrome_trace(os.environ[TRACE_VARIABLE])


class Serial(_Profiled, _Serial): ...


class Allreduce(_Profiled, _Allreduce): ...


class AllreduceFlat(_Profiled, _AllreduceFlat): ...


class DelayedAveraging(_Profiled, _DelayedAveraging): ...
