"""What a user's workload is, found by a dry step in a process of its own before anything is launched.

So a file that does not import, a loss that is no scalar or data that are empty cost one message, and the command line
never imports a framework.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

from harness.extensions import WORKLOADS, ExtensionError, code_digest

PROBE = (
    "harness.worker.probe"  # answers with a line of JSON: {"own": ..., "recipe": ..., "framework": ...} or {"fault"}
)
_LIMIT_S = 300.0


def own_facts(name: str, folder: str | None, framework: str | None) -> dict[str, Any]:
    """The fields of a cell that follow from the workload of that name: `own`, `recipe` and `framework`.

    framework: the one asked for; None leaves the choice to the workload. Raises ExtensionError that says, with the
    user's own line, what is wrong and what is wanted.
    """
    digest = code_digest(name, folder, group=WORKLOADS)
    facts: dict[str, Any] = json.loads(_probed(name, folder, framework, digest))
    return {**facts, "own": {**facts["own"], "code": digest}}


@cache
def _probed(name: str, folder: str | None, framework: str | None, digest: str) -> str:
    """Asked once a process for the same code."""
    command = [sys.executable, "-m", PROBE, name, framework or "", folder or ""]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExtensionError(f"{name}: a dry step took over {_LIMIT_S:g} s; wanted: less data") from None
    answer = _last_object(done.stdout)
    if answer is None:
        why = " ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"
        raise ExtensionError(f"{name}: a dry step of it broke: {why}")
    if "fault" in answer:
        raise ExtensionError(str(answer["fault"]))
    return json.dumps(answer)


def _last_object(output: str) -> dict[str, Any] | None:
    """The last line, where it is an object: their code may print before it."""
    try:
        answer = json.loads("".join(output.splitlines()[-1:]))
    except json.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None
