"""Environment variables that shape a Horovod that is built: a wheel is known by all of them.

Read off setup.py, CMakeLists.txt and cmake/ of its source archive, whose hash horovod_source.py states. Variables that
are not here act when Horovod runs, name a tool that does not show in the wheel (HOROVOD_CMAKE), or are set by the build
itself (HOROVOD_WITH_PYTORCH and the like; of a WITH and a WITHOUT, CMake heeds the WITHOUT).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.bootstrap.checks import SetupError

WITHOUT_MPI = "HOROVOD_WITHOUT_MPI"
_ON_GPUS = (  # what has Horovod built for GPUs; the first stands for all others
    *("HOROVOD_GPU_OPERATIONS", "HOROVOD_GPU_ALLREDUCE", "HOROVOD_GPU_ALLGATHER"),
    *("HOROVOD_GPU_BROADCAST", "HOROVOD_GPU_ALLTOALL", "HOROVOD_GPU_REDUCESCATTER"),
)
_KNOWN = {"HOROVOD_CPU_OPERATIONS": ("GLOO", "MPI", "CCL"), **dict.fromkeys(_ON_GPUS, ("NCCL", "MPI"))}
# Horovod's own, and where its torch is from: they hold for later set-ups of an environment, too.
OPTIONS = (
    "TORCH_INDEX",
    *("HOROVOD_WITHOUT_GLOO", WITHOUT_MPI, "HOROVOD_WITHOUT_PYTORCH", "HOROVOD_WITHOUT_TENSORFLOW"),
    *("HOROVOD_CPU_OPERATIONS", "CCL_ROOT", "CCL_CONFIGURATION"),
    *("HOROVOD_GPU", *_ON_GPUS, "HOROVOD_ALLOW_MIXED_GPU_IMPL"),
    *("HOROVOD_CUDA_HOME", "HOROVOD_ROCM_HOME", "HOROVOD_BUILD_CUDA_CC_LIST", "HOROVOD_BUILD_ARCH_FLAGS"),
    *("HOROVOD_NCCL_HOME", "HOROVOD_NCCL_INCLUDE", "HOROVOD_NCCL_LIB", "HOROVOD_NCCL_LINK"),
    *("HOROVOD_WITH_NVTX", "HOROVOD_WITHOUT_NVTX", "HOROVOD_NVTX_INCLUDE"),
    *("HOROVOD_DEBUG", "HOROVOD_LOCAL_VERSION", "HOROVOD_SKIP_COMPILE"),
)
# What CMake and torch find compilers, flags, headers, libraries and a toolkit by. Modules and conda set them in one
# shell and not in the next: they are never remembered, and nothing is set up anew for them.
_TOOLCHAIN = (
    *("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CUDACXX", "CUDAFLAGS", "CUDAHOSTCXX", "CUDAARCHS"),
    *("NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS", "CUDA_HOME", "CUDA_PATH", "CUDAToolkit_ROOT"),
    *("CMAKE_PREFIX_PATH", "CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH"),
)


def require_known_values(environ: Mapping[str, str]) -> None:
    """Raises SetupError: the build would pass over `gloo`, and end at `nccl` after minutes."""
    for name, known in _KNOWN.items():
        if environ.get(name) and environ[name] not in known:
            raise SetupError(f"{name}={environ[name]}: no such operations; allowed: {', '.join(known)}")


def options_set(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of OPTIONS that say something."""
    return {name: environ[name] for name in OPTIONS if environ.get(name)}


def shaping(environ: Mapping[str, str]) -> list[str]:
    """All that acts, as `NAME=value`. What is not set leaves no trace: an option that is new leaves old keys alone."""
    return [f"{name}={environ[name]}" for name in (*OPTIONS, *_TOOLCHAIN) if environ.get(name)]


def asks_for_gpus(environ: Mapping[str, str]) -> str | None:
    """The variable that does, as it stands there; None where Horovod is wanted for the CPU."""
    return next((f"{name}={environ[name]}" for name in _ON_GPUS if environ.get(name)), None)
