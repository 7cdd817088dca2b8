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
    repository: Annotated[
        Path | None, typer.Option(metavar="DIR", help="whose order of commits holds; default: the harness' checkout")
    ] = None,
) -> None:
    """Throughput and time to target over commits, with change points marked. Advisory: only `check` convicts."""
    from harness.check.check_command import show_history

    show_history(results, output, repository)
