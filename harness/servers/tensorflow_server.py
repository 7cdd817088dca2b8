"""One process of TensorFlow's cluster: `python -m harness.servers.tensorflow_server RUN_DIR`, its place in TF_CONFIG.

Serves until the coordinator has written its part of the record, or until the launching process is gone.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harness.protocols import Role
from harness.records.run_files import CELL_FILE
from harness.servers.serving import stay, telling_failure
from harness.worker import process
from harness.worker.parent_watch import die_with_parent

ROLES = {"ps": Role.SERVER, "worker": Role.WORKER}  # by TensorFlow's name for a task


def main() -> None:
    run_dir = Path(sys.argv[1])
    die_with_parent(run_dir)
    process.prepare()
    config = json.loads(os.environ["TF_CONFIG"])
    kind, index = config["task"]["type"], config["task"]["index"]
    with telling_failure(run_dir, role=ROLES[kind], index=index):
        _serve(run_dir, config["cluster"], kind, index)


def _serve(run_dir: Path, cluster: dict[str, list[str]], kind: str, index: int) -> None:
    cell = json.loads((run_dir / CELL_FILE).read_bytes())
    if ROLES[kind] == Role.WORKER:
        process.pin(index, cell["workers"], cell["threads"])

    import tensorflow as tf

    from harness.fabrics.tensorflow_parameter_server import WAITING_CALLS

    pools = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=cell["threads"],
        inter_op_parallelism_threads=cell["workers"] + WAITING_CALLS,
    )
    server = tf.distribute.Server(cluster, job_name=kind, task_index=index, protocol="grpc", config=pools)
    stay(run_dir, role=ROLES[kind], index=index)
    del server
    os._exit(0)  # TensorFlow has no way to stop a server that was asked to serve


if __name__ == "__main__":
    main()
