"""Programs that are asked something that they answer at once: what they are, or whether they can do a thing."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

# A second as a rule. A compiler that waits for a licence and an interpreter on a file server that is gone never answer.
ANSWER_LIMIT_S = 60


def answer(command: Sequence[str | Path], given: str = "") -> subprocess.CompletedProcess[str] | None:
    """None where it cannot be started or does not answer in time. given: what it reads."""
    try:
        return subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
