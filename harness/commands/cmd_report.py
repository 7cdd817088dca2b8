"""`hvdbench report RESULTS`: the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.arguments import ResultsArgument


def report(
    results: ResultsArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="where the report goes")] = Path("report"),
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="OLD", help="an earlier report, or results of before: says what changed since"
        ),
    ] = None,
) -> None:
    """The comparison report: a page that needs no network, its figures as files, the data they draw."""
    from harness.progress import console
    from harness.report import write_report

    page = write_report(results, out, against=against)
    console().print(f"{page}", highlight=False, markup=False, soft_wrap=True)
