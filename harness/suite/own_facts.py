"""What a user's workload is, found by a dry step in a process of its own before anything is launched.

So a file that does not import, a loss that is no scalar or data that are empty cost one message, and the command line
never imports a framework.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from harness.extensions import WORKLOADS, ExtensionError, code_digest
from harness.module_process import module_argv, module_environ
from harness.registry import REPLICAS

PROBE = "harness.worker.probe"  # answers in a file: {"own": ..., "recipe": ..., "framework": ...} or {"fault": ...}
_LIMIT_S = 300.0


def own_facts(name: str, folder: str | None, framework: str | None) -> dict[str, Any]:
    """The fields of a cell that follow from the workload of that name: `own`, `recipe` and `framework`.

    framework: the one asked for; None leaves the choice to the workload. Raises ExtensionError that says, with the
    user's own line, what is wrong and what is wanted.
    """
    if framework not in (None, *REPLICAS):
        raise ExtensionError(f"{name}: framework: {framework!r}; allowed: {', '.join(REPLICAS)}")
    digest = code_digest(name, folder, group=WORKLOADS)
    facts: dict[str, Any] = json.loads(_probed(name, folder, framework, digest))
    return {**facts, "own": {**facts["own"], "code": digest}}


@cache
def _probed(name: str, folder: str | None, framework: str | None, digest: str) -> str:
    """Asked once a process for the same code."""
    with tempfile.TemporaryDirectory() as place:
        answer = Path(place, "answer.json")
        arguments = [name, framework or "", folder or "", str(answer), str(os.getpid())]
        done = _run(module_argv(PROBE, *arguments), name)
        if not answer.exists():
            why = " ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"
            raise ExtensionError(f"{name}: a dry step of it broke: {why}")
        said = answer.read_text(encoding="utf-8")
    if "fault" in (found := json.loads(said)):
        raise ExtensionError(found["fault"])
    return said


def _run(command: list[str], name: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            env={**os.environ, **module_environ(os.environ)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # what their code prints
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExtensionError(f"{name}: a dry step took over {_LIMIT_S:g} s; wanted: less data") from None
