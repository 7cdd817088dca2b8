"""Names of settings that are recorded, of the environment and of a launch, and which of them matter to Horovod alone,
or to its launches over MPI alone.

An allow-list: no secret and no address gets into a record by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LAUNCH, LAUNCH_ARGS, HOSTS = "launch", "--launch-args", "hosts"  # of a launch, not of the environment
PINNING = "pinning"  # likewise: off where workers are not bound to cores
MPI = "mpi"  # likewise: which one and its version, where no package of `versions` tells
DRIVER = "driver"  # of the GPUs, among the settings that a worker tells of its own machine

# Beginnings of names, by whom they are read: Horovod on GPUs; GPUs; one framework alone; what MPI sends with, and NCCL
# over a network; MPI alone; every process; and those that reach others by Horovod.
_OF_HOROVOD_ON_GPUS = ("HOROVOD_NUM_NCCL_STREAMS", "HOROVOD_DISABLE_NVTX_RANGES")
_OF_GPUS = (
    *("NCCL_", "CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_", "TORCH_CUDNN_", "TORCH_NCCL_", "TORCH_BLAS_", "TF_GPU_"),
    *("TF_FORCE_GPU_", "TF_CUDNN_", *_OF_HOROVOD_ON_GPUS),
)
_OF_FRAMEWORK = {"torch": ("TORCH", "PYTORCH_"), "tensorflow": ("TF_", "XLA_FLAGS")}
_OF_TRANSPORTS = ("UCX_", "FI_", "PSM2_", "PSM3_")
_OF_MPI = (
    *(f"OMPI_MCA_{part}" for part in ("allocator", "bml", "btl", "coll", "common", "hwloc", "mpool", "mtl", "opal")),
    *(f"OMPI_MCA_{part}" for part in ("osc", "pml", "rcache", "rmaps", "topo", "mpi_leave_pinned", "mpi_yield_")),
    *("HOROVOD_MPI_THREADS_DISABLE", "PRTE_MCA_hwloc", "PRTE_MCA_rmaps", "MPIR_CVAR_", "MPICH_", "MV2_"),
    *(f"I_MPI_{part}" for part in ("ADJUST_", "ASYNC_PROGRESS", "FABRICS", "OFI_", "PIN", "SHM", "SPIN_", "WAIT_MODE")),
)
_OF_ALL = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "ATEN_", "ONEDNN_", "DNNL_"),
    *("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "TCMALLOC_", "MIMALLOC_", "PYTHONMALLOC", "PYTHONOPTIMIZE"),
    *("PYTHONDEVMODE", "PYTHONTRACEMALLOC", "PYTHON_GIL", "PYTHON_JIT"),
    *("TORCHDYNAMO_", "TORCHINDUCTOR_", "TORCH_COMPILE_", "TF_CPU_", "TF_MKL_", "TF_ONEDNN_", "NPY_"),
    *("TORCH_DISTRIBUTED_DEBUG", "TORCH_LOGS", "TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_VMODULE"),
    *("TORCH_CUDNN_", "TORCH_ALLOW_", "TORCH_NCCL_", "TORCH_BLAS_", "PYTORCH_", "GLOO_SOCKET_"),
    *("TF_NUM_", "TF_ENABLE_", "TF_DISABLE_", "TF_GPU_", "TF_FORCE_GPU_", "TF_CUDNN_", "TF_XLA_", "TF_DETERMINISTIC_"),
    *("XLA_FLAGS", "CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_", "CUDA_MODULE_LOADING", "CUBLAS_", "CUDNN_"),
    *("NVIDIA_TF32_OVERRIDE", "NCCL_"),
)
_OF_HOROVOD = (
    *("HOROVOD_ADASUM_", "HOROVOD_AUTOTUNE", "HOROVOD_BATCH_D2D_", "HOROVOD_CACHE_CAPACITY", "HOROVOD_CCL_"),
    *("HOROVOD_CYCLE_TIME", "HOROVOD_DISABLE_GROUP_FUSION", "HOROVOD_ENABLE_", "HOROVOD_FUSION_THRESHOLD"),
    *("HOROVOD_HIERARCHICAL_", "HOROVOD_THREAD_AFFINITY", "HOROVOD_TIMELINE"),
    *("HOROVOD_TORUS_", "HOROVOD_STALL_CHECK_DISABLE", "HOROVOD_CPU_OPERATIONS", "HOROVOD_GLOO_IFACE"),
    *("HOROVOD_DYNAMIC_PROCESS_SETS", "HOROVOD_ELASTIC", "HOROVOD_LOG_LEVEL"),
    *(*_OF_HOROVOD_ON_GPUS, *_OF_TRANSPORTS, *_OF_MPI),
)
_CHANGES_NO_SPEED = re.compile(
    r"(?:MV2_COMM_WORLD|TORCHINDUCTOR_REDIS|TORCH_LOGS)_.*|.*(_HOSTNAME|_HOSTFILE|"
    r"_HOME|_PATH|_DIR|_ROOT|_FILE|_FILENAME|_VERSION|_LOG|_LOGDIR|_LOG_LEVEL|_DEBUG|_DEBUG_SUBSYS|_VERBOSE|_WARN"
    r"|_oversubscribe|_DISPLAY_ENV|_COMM_ID|_KEY|_TOKEN|_SECRET|_PASSWORD)"
)
# Named as what changes none, but they may check or write at each step; or the files say how NCCL sends.
_CHANGES_SPEED = {
    *("NCCL_CONF_FILE", "NCCL_GRAPH_FILE", "NCCL_TOPO_FILE", "NCCL_TUNER_CONFIG_PATH"),
    *("HOROVOD_LOG_LEVEL", "NCCL_DEBUG", "TORCH_COMPILE_DEBUG", "TORCH_DISTRIBUTED_DEBUG", "TF_CPP_MAX_VLOG_LEVEL"),
    *("NCCL_DEBUG_SUBSYS", "UCX_LOG_LEVEL", "FI_LOG_LEVEL", "MKL_VERBOSE", "ONEDNN_VERBOSE", "DNNL_VERBOSE"),
}
_OF_INTERFACES = re.compile(
    r".*(_IFACE|_IFNAME|_IF_INCLUDE|_IF_EXCLUDE|_NET_DEVICES|_HCA)|--network-interfaces?", re.IGNORECASE
)


# scikit-learn sets these in every process that imports it; they are about forks and second copies of a library.
_SET_BY_IMPORTS = {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}


def is_recorded(name: str) -> bool:
    """Whether it is a variable of the environment that may change speed."""
    is_meant = name.startswith((*_OF_ALL, *_OF_HOROVOD)) and name not in _SET_BY_IMPORTS
    return is_meant and (name in _CHANGES_SPEED or not _CHANGES_NO_SPEED.fullmatch(name))


def names_interfaces(name: str) -> bool:
    """Whether the value of this variable or option says over which network: a name or an address, of which a digest is
    recorded."""
    return _OF_INTERFACES.fullmatch(name) is not None


def is_of_horovod(name: str) -> bool:
    """Whether it matters only to workers that reach each other by Horovod."""
    return name in (LAUNCH, LAUNCH_ARGS, HOSTS, MPI) or name.startswith(_OF_HOROVOD)


def is_of_others(name: str, framework: str, device: str) -> bool:
    """Whether it matters only to another framework than this, or to another device."""
    of_others = [prefix for each, prefixes in _OF_FRAMEWORK.items() if each != framework for prefix in prefixes]
    return name.startswith((*of_others, *(() if device == "gpu" else _OF_GPUS)))


def is_of_mpi(name: str, device: str) -> bool:
    """Whether it matters only to those of them, on this device, that do so over MPI."""
    return name == MPI or name.startswith(_OF_MPI if device == "gpu" else (*_OF_MPI, *_OF_TRANSPORTS))


def of_horovod(settings: Mapping[str, str], device: str) -> dict[str, str]:
    """Without those that matter over MPI alone."""
    return {name: value for name, value in settings.items() if is_of_horovod(name) and not is_of_mpi(name, device)}


def of_mpi(settings: Mapping[str, str], device: str) -> dict[str, str]:
    return {name: value for name, value in settings.items() if is_of_mpi(name, device)}


def of_all(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if not is_of_horovod(name)}


def differing(settings: Iterable[Mapping[str, str]]) -> list[str]:
    """`HOROVOD_CYCLE_TIME (50; not set)` for each setting in which these differ."""
    listed = list(settings)
    names = sorted({name for each in listed for name in each})
    values = {name: sorted({each.get(name, "not set") for each in listed}) for name in names}
    return [f"{name} ({'; '.join(found)})" for name, found in values.items() if len(found) > 1]
