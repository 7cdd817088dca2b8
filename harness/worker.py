"""One worker: `python -m harness.worker RUN_DIR`, started by a launcher on every rank.

Reads `cell.json`, trains, and leaves `part-<rank>.json` (rank 0 also `curve.json`) in RUN_DIR, which all hosts share.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import resource
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from harness.fabrics.connection import Connection, place_among_workers

PARENT_LOCK = "parent.lock"
CELL_FILE, CURVE_FILE, PROGRESS_FILE = "cell.json", "curve.json", "progress.json"
ERROR_PREFIX = "error-"
WATCH_EVERY_S = 1.0
EXIT_FAILED, EXIT_ORPHANED = 1, 70
RANKS_HERE_VARIABLE = "HVDBENCH_RANKS_HERE"  # how many ranks, from its own on, a process runs as threads
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}  # TensorFlow's remarks on the CPU's instructions; errors still come through


def main() -> None:
    run_dir = Path(sys.argv[1])
    place = place_among_workers(os.environ)
    if place is None:
        sys.exit("harness.worker: started outside a launch; use `hvdbench run`")
    threading.Thread(target=die_with_parent, args=(run_dir / PARENT_LOCK,), daemon=True).start()
    rank, size, local_rank, local_size = place
    ranks_here = int(os.environ.get(RANKS_HERE_VARIABLE, "1"))
    cell_json = (run_dir / CELL_FILE).read_text()
    cell = json.loads(cell_json)
    workers_here = ranks_here * cell["workers"] // size
    num_threads = cell["threads"] * workers_here
    cores = pin(local_rank // ranks_here, local_size // ranks_here, num_threads)
    for name in THREAD_VARIABLES:
        os.environ[name] = str(num_threads)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
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

    def run(connection: Connection) -> None:
        try:
            run_worker(cell_json, connection, cores)
        except Exception as error:
            message = f"rank {connection.rank}: {type(error).__name__}: {error}"
            write_atomically(connection.run_dir / f"{ERROR_PREFIX}{connection.rank}", message)
            raise

    if len(connections) == 1:
        run(connections[0])
        return
    with ThreadPoolExecutor(len(connections)) as pool:
        for ended in as_completed([pool.submit(run, connection) for connection in connections]):
            error = ended.exception()
            if error is not None:
                traceback.print_exception(error)
                sys.stderr.flush()
                os._exit(EXIT_FAILED)  # the other threads may wait for this one for ever


def run_worker(cell_json: str, connection: Connection, cores: list[int] | None) -> None:
    """Runs the cell on this rank and writes its part. The framework is imported here, after threads are set."""
    marks = [("", time.perf_counter())]

    def mark(phase: str) -> None:
        marks.append((phase, time.perf_counter()))

    from harness import registry
    from harness.cell import Cell
    from harness.clock import Clock
    from harness.merges import MergeWatch
    from harness.protocols import EvaluatedModel, TellsStaleness
    from harness.record import WorkerPart
    from harness.sabotage import lowered, with_faults
    from harness.sampling import Sampler, evaluation_steps, plan_of
    from harness.training import (
        Progress,
        Session,
        distances_of,
        evaluate,
        time_averages,
        train,
        warm_up,
        window_steps,
    )
    from harness.workloads.registry import load_dataset

    cell = Cell.model_validate_json(cell_json)
    replica_class = registry.load(registry.REPLICAS[cell.framework])
    fabric_class = registry.load(registry.FABRICS[cell.needs, cell.framework])
    registry.load(registry.PREPARATIONS[cell.framework])(
        num_threads=cell.threads,
        num_workers=connection.workers_here,
        gpus=connection.gpus_here if cell.device == "gpu" else (),
    )
    mark("import")
    dataset = load_dataset(cell.dataset, cell.synthetic.model_dump() if cell.synthetic else None)
    mark("data")
    plan = plan_of(cell, len(dataset.train))
    clock = Clock(window_steps=window_steps(plan))
    fabric = fabric_class(cell, connection, clock)
    mark("connect")
    replica = replica_class(cell, dataset, local_rank=connection.local_rank)
    mark("model")
    strategy = registry.STRATEGIES[cell.strategy](cell.options, plan)
    watch = None
    if strategy.evaluated == EvaluatedModel.MEAN_OF_WORKERS:
        watch = MergeWatch(strategy, num_snapshots=len(evaluation_steps(cell, plan)))
        strategy = watch.as_strategy()
    if cell.inject is not None:
        strategy = with_faults(strategy, cell.inject, plan, rank=fabric.rank)
    session = Session(
        cell=cell,
        plan=plan,
        replica=replica,
        fabric=fabric,
        strategy=strategy,
        sampler=Sampler(
            num_samples=len(dataset.train),
            batch_size=cell.batch_per_worker * (cell.workers // fabric.size),
            num_workers=fabric.size,
            rank=fabric.rank,
            seed=cell.seed,
        ),
    )
    warm_up(session)
    mark("warm-up")

    def report(progress: Progress) -> None:
        if fabric.rank == 0:
            write_atomically(connection.run_dir / PROGRESS_FILE, json.dumps(vars(progress)))

    bytes_before, cpu_before = fabric.bytes_sent, _cpu_s()
    snapshots = train(session, clock, report)
    train_s, cpu_s = clock.now(), _cpu_s() - cpu_before
    peak_rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pss_bytes, gpu_memory_bytes = _pss_bytes(), replica.peak_gpu_bytes()
    num_workers = cell.workers // fabric.size
    share = num_workers / connection.workers_here  # of what can be measured of a process only
    evaluation = evaluate(session, snapshots)
    points = evaluation.points if cell.inject is None else lowered(evaluation.points, cell.inject)
    part = WorkerPart(
        rank=fabric.rank,
        num_workers=num_workers,
        cores=cores,
        startup_s={phase: now - before for (_, before), (phase, now) in itertools.pairwise(marks)},
        windows=clock.windows(bytes_before=bytes_before, waiting_is_known=fabric.waiting_is_known),
        snapshots_s=[snapshot.at_s for snapshot in snapshots],
        train_s=train_s,
        cpu_s=cpu_s * share,
        peak_rss_bytes=round(peak_rss_bytes * share),
        pss_bytes=None if pss_bytes is None else round(pss_bytes * share),
        gpu_memory_bytes=gpu_memory_bytes,
        staleness_counts=fabric.staleness_counts() if isinstance(fabric, TellsStaleness) else None,
        distances=evaluation.distances,
        merges=None if watch is None else distances_of(session, watch.merges),
        average_alone_s=time_averages(session),
        settings={**replica.settings(), **fabric.settings()},
    )
    if fabric.rank == 0:
        curve = {
            "curve": [point.model_dump() for point in points],
            "weights_sha256": evaluation.weights_sha256,
            "num_parameters": replica.num_parameters,
        }
        write_atomically(connection.run_dir / CURVE_FILE, json.dumps(curve))
    write_atomically(part_path(connection.run_dir, fabric.rank), part.model_dump_json())
    fabric.close()


def part_path(run_dir: Path, rank: int) -> Path:
    return run_dir / f"part-{rank}.json"


def write_atomically(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.write_text(text)
    staged.rename(path)


def pin(local_rank: int, local_size: int, num_threads: int) -> list[int] | None:
    """Pins this process to cores of its own, `num_threads` of them; None where the host has too few for all workers."""
    available = sorted(os.sched_getaffinity(0))
    if local_size * num_threads > len(available):
        return None
    cores = available[local_rank * num_threads : (local_rank + 1) * num_threads]
    os.sched_setaffinity(0, cores)
    return cores


def die_with_parent(lock: Path) -> None:
    """Ends this worker once the launching process, which holds the lock as long as it lives, is gone."""
    while True:
        time.sleep(WATCH_EVERY_S)
        try:
            with lock.open() as held:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # the parent lives
        except FileNotFoundError:
            pass  # it has ended the run and cleaned up
        os._exit(EXIT_ORPHANED)


def _pss_bytes() -> int | None:
    """Proportional set size of this process, as Linux tells it."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)


def _cpu_s() -> float:
    used: Any = resource.getrusage(resource.RUSAGE_SELF)
    return float(used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main()
