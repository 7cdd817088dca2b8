"""In which circumstances two arms differ, and which has what."""

from __future__ import annotations

from collections.abc import Mapping

from harness.records.software import HOROVOD_MPI, HOROVOD_NCCL, LIBRARIES_OF_GPUS, OF_PYTORCH

# Older harnesses do not tell of these, and some only workers that lived: who has none of a line may have any of it.
_NOT_ALWAYS_TOLD = (LIBRARIES_OF_GPUS, *((name,) for name in (HOROVOD_MPI, HOROVOD_NCCL, *OF_PYTORCH)))


def differences_of_arms(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    """`torch: A has 2.12.0, B has none` for each package of another version, or setting of another value."""
    untold = {name for line in _NOT_ALWAYS_TOLD if not (a.keys() & line and b.keys() & line) for name in line}
    return [
        f"{name}: A has {a.get(name, 'none')}, B has {b.get(name, 'none')}"
        for name in sorted((a.keys() | b.keys()) - untold)
        if a.get(name) != b.get(name)
    ]
