"""Launches by `hvdbench run` and the records that they leave."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.worker.cores import in_words as cores_in_words
from tests.command import hvdbench

LIMIT_S = 240
MOST_WORKERS = 2  # of a launch here
ON_GPU = {"workload": "cnn", "dataset": "digits", "device": "gpu", "epochs": 5, "evaluations": 5}


def launched(folder: Path, *blocks: dict[str, Any], environ: dict[str, str] | None = None) -> list[Record]:
    """The records of these blocks of a suite."""
    code, output, errors = run(folder, *blocks, environ=environ)
    assert code <= 1, output + errors  # 1: a launch did not end well, of which there is a record
    return ResultsFolder(folder / "results").load()


def in_words(record: Record) -> str:
    """Why it did not end well; empty where it did."""
    return "" if record.status == "ok" else f"{record.cell.title}: {record.reason}\n{record.log_tail}"


def score(record: Record) -> float:
    """At the end of a launch that ended well."""
    assert in_words(record) == ""
    title = f"{record.cell['strategy']} in {record.cell['precision']}"
    print(f"{title}: accuracy {record.curve[-1].score:.4f}, launch {record.wall_s:.1f} s")
    return record.curve[-1].score


def run(folder: Path, *blocks: dict[str, Any], environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    suite = write_suite(folder, *blocks)
    return hvdbench("run", suite, "--results", folder / "results", *own_cores(), environ=environ, limit_s=LIMIT_S)


def own_cores() -> list[str]:
    """An equal part of the cores for each process of pytest (`-n`), to which launches pin their workers."""
    cores = sorted(os.sched_getaffinity(0))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = len(cores) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = cores[number * size : (number + 1) * size]
    return ["--cores", cores_in_words(own)] if len(own) >= MOST_WORKERS else []


def write_suite(folder: Path, *blocks: dict[str, Any]) -> Path:
    suite = folder / "suite.yaml"
    suite.write_text(json.dumps({"question": "does it run on a GPU?", "matrix": list(blocks)}))
    return suite
