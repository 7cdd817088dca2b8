"""`hvdbench history RESULTS`: figures over commits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.arguments import ResultsArgument


def history(
    results: ResultsArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="where figure and table go")] = Path(
        "reports/history"
    ),
) -> None:
    """Throughput and time to target over commits, with change points marked. Advisory: only `check` convicts."""
    from harness.check.check_command import show_history

    show_history(results, output)
