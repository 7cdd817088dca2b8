"""One worker: `python -m harness.worker.worker RUN_DIR`, started by a launcher on every rank.

Reads `cell.json`, trains, and leaves `part-<rank>.json` (rank 0 also `curve.json`) in RUN_DIR, which all hosts share.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from harness.fabrics.connection import Connection, place_among_workers
from harness.module_process import SAFE_PATH_VARIABLE
from harness.records.run_files import CELL_FILE, ERROR_PREFIX, place_path, write_atomically
from harness.timing.stopwatch import Stopwatch
from harness.worker import cgroup, process
from harness.worker.failure import leave
from harness.worker.gpus import cores_near_workers, driver_settings
from harness.worker.machine_identity import is_beside_parent, machine_id
from harness.worker.parent_watch import die_with_parent

RANKS_HERE_VARIABLE = "HVDBENCH_RANKS_HERE"  # how many ranks, from its own on, a process runs as threads


def main() -> None:
    run_dir = Path(sys.argv[1])
    place = place_among_workers(os.environ)
    if place is None:
        sys.exit("harness.worker.worker: started outside a launch; use `hvdbench run`")
    os.environ.pop(SAFE_PATH_VARIABLE, None)  # horovodrun's: what a user's code starts finds its neighbours
    die_with_parent(run_dir)
    rank, size, local_rank, local_size = place
    ranks_here = int(os.environ.get(RANKS_HERE_VARIABLE, "1"))
    cell_json = (run_dir / CELL_FILE).read_text(encoding="utf-8")
    cell = json.loads(cell_json)
    workers_here = ranks_here * cell["workers"] // size
    num_threads = cell["threads"] * workers_here
    num_cores = num_threads + cell["loader_workers"] * workers_here
    num_here = local_size // ranks_here
    near = cores_near_workers(num_here) if cell["device"] == "gpu" else []
    cores = process.pin(local_rank // ranks_here, num_here, num_cores, near=near)
    process.prepare(num_threads=num_threads)
    _run_all(
        cell_json,
        [
            Connection(
                rank=rank + index,
                size=size,
                local_rank=local_rank + index,
                local_size=local_size,
                run_dir=run_dir,
                workers_here=workers_here,
            )
            for index in range(ranks_here)
        ],
        cores,
    )


def _run_all(cell_json: str, connections: list[Connection], cores: list[int] | None) -> None:
    """The ranks of this process: one as it is, several each in a thread. The first error ends them all."""
    if len(connections) == 1:
        try:
            run_worker(cell_json, connections[0], cores)
        except Exception as error:
            leave(error)
        return
    with ThreadPoolExecutor(len(connections)) as pool:
        ranks = [pool.submit(run_worker, cell_json, connection, cores) for connection in connections]
        for ended in as_completed(ranks):
            failure = ended.exception()
            if failure is not None:
                leave(failure)


def run_worker(cell_json: str, connection: Connection, cores: list[int] | None) -> None:
    """Runs the cell on this rank and writes its part or its error. Imports the framework: threads are set."""
    watch = Stopwatch()
    try:
        _tell_place(connection)
        from harness.suite.cell import Cell
        from harness.worker.rank import run_rank

        run_rank(Cell.model_validate_json(cell_json), connection, cores, watch=watch)
    except (Exception, SystemExit) as error:
        message = f"rank {connection.rank}: {type(error).__name__}: {error}"
        write_atomically(connection.run_dir / f"{ERROR_PREFIX}{connection.rank}", message)
        if isinstance(error, SystemExit):  # a user's code may leave, with 0 even: a failure all the same
            raise RuntimeError(f"left by {message}") from error
        raise


def _tell_place(connection: Connection) -> None:
    """The first rank of each machine does, where one is not the parent's: a launch that crashes counts where it was."""
    is_spread = connection.local_size < connection.size
    if connection.local_rank or (is_beside_parent(connection.run_dir) and not is_spread):
        return
    from harness.records.machines import Place
    from harness.records.setting_names import DRIVER
    from harness.worker.machine_description import describe_machine

    machine = describe_machine(cgroup.unbound_cores())
    place = Place(host=machine_id(), machine=machine, driver=driver_settings().get(DRIVER))
    write_atomically(place_path(connection.run_dir, connection.rank), place.model_dump_json())


if __name__ == "__main__":
    main()
