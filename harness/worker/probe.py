"""A dry step of a user's workload: `python -m harness.worker.probe NAME FRAMEWORK FOLDER ANSWER PARENT`.

Makes the workload, takes the gradient of one batch, evaluates once, and writes what it found to the file ANSWER, as
JSON: `own`, `recipe` and `framework`; or `fault`, a message with the user's own line and what is wanted. Standard
output is the user's. Asked by suite/own_facts.py, in the process PARENT: once that is gone, this one ends too.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from harness import registry
from harness.backends.triton_first import import_triton
from harness.extensions import (
    WORKLOADS,
    ExtensionError,
    code_digest,
    in_their_words,
    line_of,
    load_extension,
    their_line,
)
from harness.protocols import Replica, Share
from harness.records.run_files import write_atomically
from harness.strict import describe
from harness.suite.cell import Cell
from harness.worker import process
from harness.workloads.making import make_own
from harness.workloads.own import OwnWorkload, WorkloadError

_WATCH_EVERY_S, _EXIT_ORPHANED = 0.5, 70


def main() -> None:
    name, framework, folder, answer, parent = sys.argv[1:6]
    threading.Thread(target=_end_after, args=(int(parent),), daemon=True).start()
    process.prepare(num_threads=1)
    import_triton()  # before a user's file imports TensorFlow
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a dry step leaves the GPUs to whoever trains on them
    try:
        found = json.dumps(probed(name, framework or None, folder or None))
    except (Exception, SystemExit) as error:
        found = json.dumps({"fault": _in_words(name, error)})
    write_atomically(Path(answer), found)


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    os._exit(_EXIT_ORPHANED)


def probed(name: str, framework: str | None, folder: str | None) -> dict[str, Any]:
    """What the cells of this workload have to say of it.

    Raises ExtensionError where it is not made, and WorkloadError, with the user's own line, where it cannot be trained.
    """
    made = make_own(name, folder, framework)
    try:
        return _probed(made, name, folder)
    except (Exception, SystemExit) as error:
        said = describe(error) if isinstance(error, ValidationError) else in_their_words(error)
        if their_line(error) is None:
            function = load_extension(name, folder, group=WORKLOADS)
            said = f"{_line_of(made, said.partition(':')[0], function)}: {said}"
        raise WorkloadError(said) from error


def _line_of(made: OwnWorkload, part: str, function: Any) -> str:
    """`mine.py, line 12`: where the part that a message begins with is written, or the function that makes them all."""
    return line_of(getattr(made, part, None)) or line_of(function) or "its maker"


def _probed(made: OwnWorkload, name: str, folder: str | None) -> dict[str, Any]:
    if made.num_samples == 0:
        raise WorkloadError("train: no samples; wanted: at least one")
    own = {
        "metric": made.metric.model_dump(mode="json"),
        "sample_unit": made.sample_unit,
        "num_samples": made.num_samples,
    }
    digest = code_digest(name, folder, group=WORKLOADS)
    fields = {"workload": name, "folder": folder, "framework": made.framework, "strategy": "serial", "seed": 0}
    cell = Cell.model_validate({**fields, "own": {**own, "code": digest}, "recipe": made.recipe})
    replica = registry.load(registry.REPLICAS[cell.framework])(cell, made, rank=0, local_rank=0)
    _dry_step(cell, replica)
    return {"own": own | _of_neurons(replica), "recipe": made.recipe, "framework": made.framework}


def _of_neurons(replica: Replica) -> dict[str, Any]:
    """In how many layers they are, or which layer's are not known: of no matter but to who moves some at a time."""
    try:
        return {"num_layers": replica.neurons().num_layers}
    except WorkloadError as error:
        return {"unknown_neurons": str(error)}


def _dry_step(cell: Cell, replica: Replica) -> None:
    """Raises WorkloadError where a step or an evaluation gives no number."""
    share = Share(num_workers=1, rank=0, batch_size=cell.batch_per_worker, seed=cell.seed)
    with closing(replica.batches(share)) as batches:
        gradient, loss = replica.gradient(batches.at(0))
    if not math.isfinite(float(loss)):
        raise WorkloadError(f"loss: {float(loss)} on the first batch; wanted: a finite number")
    if not np.isfinite(replica.to_numpy(gradient)).all():
        raise WorkloadError("loss: its gradient on the first batch is not finite; wanted: finite numbers")
    _, score = replica.evaluate(replica.weights())
    low, high = cell.metric.limits
    if not math.isfinite(score):
        raise WorkloadError(f"score: {score:g} before training; wanted: a finite number")
    if not low <= score <= high:
        raise WorkloadError(
            f"score: {score:g} before training; wanted: {low:g} to {high:g}, as the metric {cell.metric.name} says"
        )
    if cell.optimizer == "own":
        _try_optimizer(replica, gradient)


def _try_optimizer(replica: Replica, gradient: Any) -> None:
    """Raises WorkloadError where an optimizer of the user's cannot make a step."""
    try:
        replica.descend(gradient)
    except Exception as error:
        if their_line(error) is not None:
            raise
        raise WorkloadError(f"optimizer: cannot make a step: {in_their_words(error)}") from error


def _in_words(name: str, error: BaseException) -> str:
    if isinstance(error, WorkloadError):
        return f"{name}: {error}"
    return str(error) if isinstance(error, ExtensionError) else f"{name}: {in_their_words(error)}"


if __name__ == "__main__":
    main()
