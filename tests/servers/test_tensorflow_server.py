"""TensorFlow's own server as a process: what it leaves for the record."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from harness.module_process import module_argv
from harness.records.machine_failures import is_the_machines
from harness.records.results_folder import ResultsFolder
from harness.records.run_files import CELL_FILE
from harness.run.run_folder import run_folder
from tests.command import LIMIT_S


@pytest.mark.parametrize(("kind", "role"), [("ps", "server"), ("worker", "worker")])
def test_server_whose_port_another_has_says_so(tmp_path: Path, kind: str, role: str) -> None:
    """It fails for what the machine lacked."""
    pytest.importorskip("tensorflow")
    with run_folder(ResultsFolder(tmp_path)) as run_dir, socket.create_server(("", 0)) as another:
        (run_dir / CELL_FILE).write_text(json.dumps({"workers": 1, "threads": 1}))
        cluster = {kind: [f"127.0.0.1:{another.getsockname()[1]}"]}
        config = json.dumps({"cluster": cluster, "task": {"type": kind, "index": 0}})
        argv = module_argv("harness.servers.tensorflow_server", str(run_dir))
        environ = {**os.environ, "TF_CONFIG": config}
        done = subprocess.run(argv, env=environ, capture_output=True, timeout=LIMIT_S, check=False)
        reason = (run_dir / f"error-{role}-0").read_text()
    assert done.returncode == 1
    assert reason == f"{role} 0: UnknownError: Could not start gRPC server"
    assert is_the_machines(reason)
