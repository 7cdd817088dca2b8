"""Columns that say what ran and where: its cell, in words where these read better, its tuning, its machine."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from harness.analysis.cell_words import fields_in_words
from harness.analysis.scores import metric_columns
from harness.records.interruptions import others_share
from harness.records.machines import kernels_of, python_of
from harness.records.record import Record, Tuning
from harness.records.setting_names import of_all, of_horovod, of_mpi
from harness.records.software import (
    GPU_DRIVER,
    HOROVOD_MPI,
    HOROVOD_NCCL,
    NOT_TOLD,
    build_of,
    libraries_of_gpus,
    libraries_of_pytorch,
    nccl_of_horovod,
    of_packages,
    versions_of,
)
from harness.records.stored_cell import StoredCell
from harness.suite.fields import FIELDS

_CELL_FIELDS = tuple(name for name, known in FIELDS.items() if known.is_column)


def what_ran(record: Record, results: str) -> dict[str, Any]:
    """results: name of the folder the record lies in."""
    return {
        "run": record.id,
        "results": results,
        "suite": record.suite,
        "question": record.question or None,
        **_tuning(record.tuning),
        "rules": _listed(record.rules.digests) if record.rules else None,
        "rules_commit": record.rules.commit if record.rules else None,
        "key": record.key,
        "group": record.group,
        "status": record.status,
        "reason": record.reason,
        "log_tail": record.log_tail,
        "started_at": datetime.fromisoformat(record.started_at),
        "wall_s": record.wall_s,
        "num_lost": float(len(record.lost_ranks)),
        **_cell(record.cell),
        "num_parameters": record.num_parameters,
        "num_held_out": record.num_held_out,
        "evaluated_model": record.evaluated_model,
        "worker_kind": "threads" if record.workers_are_threads else "processes",
        "launcher": record.launcher,
        **_machine(record),
        **_software(record),
        "weights_sha256": record.weights_sha256,
        "initial_sha256": record.initial_sha256,
    }


def cores_of(cell: StoredCell) -> int:
    """One for each thread of each worker, each process that makes its batches, and each server beside them."""
    return int(cell["workers"]) * (int(cell["threads"]) + int(cell["loader_workers"])) + cell.num_servers


def _cell(cell: StoredCell) -> dict[str, Any]:
    return {
        **{name: cell[name] for name in _CELL_FIELDS},
        **fields_in_words(cell),
        "problem": cell.problem,
        "label": cell.series,
        **metric_columns(cell.metric),
        "sample_unit": cell.sample_unit,
        "workload_code": cell["own"]["code"] if cell["own"] else None,
        "num_servers": cell.num_servers,
        "cores": cores_of(cell),
        "num_gpus": cell["workers"] if cell["device"] == "gpu" else 0,
        "global_batch_size": cell.global_batch_size,
        "scaled_learning_rate": math.nan if cell.scaled_learning_rate is None else cell.scaled_learning_rate,
    }


def _tuning(tuning: Tuning | None) -> dict[str, Any]:
    is_trial = tuning is not None and tuning.trial is not None
    return {
        "tuning_budget": math.nan if tuning is None else float(tuning.budget),
        "study": tuning.study if tuning else None,
        "trial": float(tuning.trial) if tuning and tuning.trial is not None else math.nan,
        "search_space": "; ".join(f"{name} {said}" for name, said in tuning.space.items())
        if tuning and is_trial
        else None,
        "at_edge": ", ".join(tuning.at_edge) if tuning and is_trial else None,
    }


def _machine(record: Record) -> dict[str, Any]:
    machine = record.machine
    return {
        "fingerprint": machine.fingerprint,
        "cpu": machine.cpu,
        "machine_kinds": machine.num_kinds,
        "num_cores": machine.num_cores,
        "num_machines": _num_machines(record),
        "gpus": ", ".join(machine.gpus),
        "load_1min": machine.load_1min,
        "others_share": others_share(record),
    }


def _num_machines(record: Record) -> float:
    """Hosts that are one machine by several names are one; NaN where records do not tell."""
    kernels = set(kernels_of(record.workers).values())
    return float(len(kernels)) if kernels and None not in kernels else math.nan


def _software(record: Record) -> dict[str, Any]:
    """With the settings of environment and launch."""
    device = record.cell["device"]
    return {
        "python": python_of(record.machine) or None,
        "versions": _listed(of_packages(record.versions)),
        "gpu_driver": versions_of(record).get(GPU_DRIVER, NOT_TOLD) if device == "gpu" else "",
        "gpu_libraries": _listed(libraries_of_gpus(record)),
        "torch_libraries": _listed(libraries_of_pytorch(record)),
        "horovod_nccl": nccl_of_horovod(record).get(HOROVOD_NCCL, ""),
        "horovod_mpi": build_of(record).get(HOROVOD_MPI, ""),
        "revision": record.revision,
        "measuring": record.measuring,
        "command": " ".join(record.command),
        "settings": _listed(record.workers[0].settings) if record.workers else None,
        "process_settings": _listed(of_all(record.settings)),
        "horovod_settings": _listed(of_horovod(record.settings, device)),
        "mpi_settings": _listed(of_mpi(record.settings, device)),
    }


def _listed(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(values.items()))
