"""What TensorFlow tells of GPUs: which a process takes, the libraries that it works with and their settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

AUTOTUNE_VARIABLE = "TF_CUDNN_USE_AUTOTUNE"  # 0: cuDNN takes what its heuristics say instead of the fastest


def chosen_gpus(indices: Sequence[int]) -> list[Any]:
    """Of those that TensorFlow sees; workers beyond the last begin again at the first, for `staging: host`.

    Raises ValueError where GPUs are asked for and it sees none.
    """
    present = tf.config.list_physical_devices("GPU")
    if indices and not present:
        built = "built for CUDA" if tf.test.is_built_with_cuda() else "built for the CPU alone"
        raise ValueError(f"device: gpu, but TensorFlow {tf.__version__}, {built}, sees none; allowed: cpu")
    return [present[index % len(present)] for index in indices]


def gpu_settings() -> dict[str, str]:
    """For the record, by the names that PyTorch's have (harness/backends/torch_cuda.py)."""
    build = tf.sysconfig.get_build_info()
    details = tf.config.experimental.get_device_details(tf.config.get_visible_devices("GPU")[0])
    known = {
        "gpu": details.get("device_name"),
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "tf32": "on" if tf.config.experimental.tensor_float_32_execution_enabled() else "off",
        "cudnn.autotune": "off" if os.environ.get(AUTOTUNE_VARIABLE) == "0" else "on",
        "cudnn.deterministic": "on" if os.environ.get("TF_DETERMINISTIC_OPS") == "1" else "off",
        "step_times": "the host's clock",
    }
    return {name: value for name, value in known.items() if value is not None}
