"""Settings of the environment and of the launch that change speed, by name, as they take effect on a cell.

What a cell says itself is in its key; its name in the environment has no effect (`decided_by_cell`). Of a path in a
value the last part is kept, of a network interface and of what `-x` hands on a digest.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.bootstrap.mpi import settings_folder, version_of
from harness.fabrics.horovod import YIELDS, wanted_settings
from harness.fabrics.open_mpi import yields_when_idle
from harness.launchers.horovodrun import is_of_this_python, mpirun
from harness.launchers.hosts import Host
from harness.protocols import HorovodOptions
from harness.records.setting_names import (
    HOSTS,
    LAUNCH,
    LAUNCH_ARGS,
    MPI,
    PINNING,
    is_of_mpi,
    is_of_others,
    is_recorded,
    names_interfaces,
    of_all,
)
from harness.run.versions import installed_versions
from harness.suite.cell import Cell
from harness.worker.process import PINNING_OFF, THREAD_VARIABLES, is_taken_out, pins

_SET_BY_HOROVODRUN = ("HOROVOD_CPU_OPERATIONS", "HOROVOD_GLOO_IFACE", "NCCL_SOCKET_IFNAME")  # over Gloo
# Over MPI on the command line of mpirun, which comes before variables: by Horovod, and by launchers/horovodrun.py.
_SET_FOR_MPIRUN = (
    *("OMPI_MCA_pml", "OMPI_MCA_btl", "OMPI_MCA_btl_tcp_if_include"),
    *("OMPI_MCA_hwloc_base_binding_policy", "OMPI_MCA_rmaps_base_mapping_policy"),
)
_OF_OPEN_MPI = "OMPI_MCA_"
_PARAMETERS_AT_HOME, _PARAMETERS_FOR_ALL = Path(".openmpi", "mca-params.conf"), "openmpi-mca-params.conf"
# Of the frameworks, which are asked for what the cell says, and hold to that.
_THREADS_OF_TENSORFLOW = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_TF32_OF_PYTORCH = "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
_MPI_ARGS = "--mpi-args"  # of horovodrun
_HANDS_ON, _HANDED_ON = ("-x", "--x"), "mca_base_env_list"  # of mpirun
_PATH = re.compile(r"(?<![\w./])~?/[^\s,;:=]*")  # a network, 10.0.0.0/24, is none


def launch_settings(
    cell: Cell,
    environ: Mapping[str, str],
    *,
    hosts: Sequence[Host] = (),
    launch_args: Sequence[str] = (),
    existing: bool = False,
) -> dict[str, str]:
    """What holds in a launch of the cell beside what the cell says. existing: the launch was made by others."""
    over_mpi = cell.controller == "mpi"
    environ = {**_of_parameter_files(environ), **environ} if over_mpi else environ
    decided = {*decided_by_cell(cell), *(() if existing else _SET_FOR_MPIRUN)}
    found = {
        name: _digest(value) if names_interfaces(name) else _portable(value)
        for name, value in environ.items()
        if is_recorded(name) and name not in decided and not is_taken_out(name, value) and not _is_unread(name, cell)
    }
    found |= _of_launch(hosts, launch_args, existing) | ({} if pins() else {PINNING: PINNING_OFF})
    found |= _of_mpi() if over_mpi else {}
    found |= _in_force() if existing and over_mpi else {}
    return dict(sorted(found.items())) if cell.needs.uses_horovod else of_all(found)


def _is_unread(name: str, cell: Cell) -> bool:
    """Whether nobody in a launch of the cell goes by it."""
    return is_of_others(name, cell.framework, cell.device) or (
        cell.controller != "mpi" and is_of_mpi(name, cell.device)
    )


def _of_parameter_files(environ: Mapping[str, str]) -> dict[str, str]:
    """What Open MPI reads in the user's home and, where that says nothing, for all users, by the names of the variables
    that come before both."""
    files = (_parameters_for_all(), Path(environ.get("HOME", os.devnull), _PARAMETERS_AT_HOME))
    return {name: value for file in files if file is not None for name, value in _parameters(file)}


def _parameters_for_all() -> Path | None:
    found = mpirun()
    if found is None:
        return None
    # The wheel's mpirun says by OPAL_PREFIX where it lies; its ompi_info, which does not, names where it was built.
    folder = Path(sys.prefix).resolve() / "etc" if _is_package(found) else settings_folder(found)
    return None if folder is None else folder / _PARAMETERS_FOR_ALL


def _parameters(file: Path) -> Iterator[tuple[str, str]]:
    try:
        content = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in content.splitlines():
        name, is_set, value = line.partition("#")[0].partition("=")
        if is_set:
            yield f"{_OF_OPEN_MPI}{name.strip()}", value.strip()


def _of_launch(hosts: Sequence[Host], launch_args: Sequence[str], existing: bool) -> dict[str, str]:
    if existing:
        return {LAUNCH: "existing"}
    said = {}
    if launch_args:
        said[LAUNCH_ARGS] = " ".join(args_in_words(launch_args))
    if not all(host.is_this_machine for host in hosts):
        said[HOSTS] = "named"
    return said


def args_in_words(args: Sequence[str]) -> list[str]:
    """As they may be published: no secret, no interface, no path of this machine."""
    return [_arg_in_words(before, arg) for before, arg in zip(("", *args), args, strict=False)]


def _arg_in_words(before: str, arg: str) -> str:
    """before: the argument before it, which may be the option whose value it is."""
    option, is_joined, value = arg.partition("=")
    if before == _MPI_ARGS:
        return _nested_in_words(arg)
    if names_interfaces(before) or before == _HANDED_ON:
        return _digest(arg)
    if not is_joined:
        return _portable(arg)
    if option == _MPI_ARGS:
        return f"{option}={_nested_in_words(value)}"
    is_secret = before in _HANDS_ON or names_interfaces(option)
    return f"{option}={_digest(value)}" if is_secret else _portable(arg)


def _nested_in_words(args: str) -> str:
    try:
        return " ".join(args_in_words(shlex.split(args)))
    except ValueError:  # quotes that do not end, over which the launch itself stumbles
        return _digest(args)


def _of_mpi() -> dict[str, str]:
    """Of an MPI that is none of this Python's packages, such as a cluster's module."""
    found = mpirun()
    version = "" if found is None or _is_package(found) else _portable(version_of(found))
    return {MPI: version} if version else {}


def _is_package(started_by: Path) -> bool:
    return is_of_this_python(started_by) and "openmpi" in installed_versions()


def _in_force() -> dict[str, str]:
    """What MPI, which others have started before any cell was known, does whatever the cell says."""
    told = yields_when_idle()
    return {} if told is None else {YIELDS: "1" if told else "0"}


def decided_by_cell(cell: Cell) -> dict[str, str]:
    """Variables that mean nothing to a launch of the cell: by name, the field or option of it that is set in place."""
    decided = dict.fromkeys((*THREAD_VARIABLES, *_THREADS_OF_TENSORFLOW), "threads")
    decided[_TF32_OF_PYTORCH] = "precision"
    if cell.controller is not None:
        over_gloo = _SET_BY_HOROVODRUN if cell.controller == "gloo" else ()
        decided |= dict.fromkeys(("HOROVOD_CONTROLLER", *over_gloo), "controller")
    if isinstance(cell.options, HorovodOptions):
        decided |= {name: f"option {option}" for name, (option, _) in wanted_settings(cell.options).items()}
    return decided


def _digest(value: str) -> str:
    return f"digest {hashlib.sha256(value.encode()).hexdigest()[:8]}"


def _portable(value: str) -> str:
    return _PATH.sub(lambda found: found[0].rstrip("/").rpartition("/")[2], value)
