"""`hvdbench export RESULTS`: the data, for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.arguments import ResultsArgument, refuse


def export(
    results: ResultsArgument,
    file_format: Annotated[str, typer.Option("--format", metavar="csv|parquet|json")] = "csv",
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="instead of standard output")] = None,
) -> None:
    """The tidy frame, one row a run."""
    from harness.analysis.export import FORMATS, written
    from harness.analysis.loading import read
    from harness.progress import show_cautions
    from harness.records.results_folder import writing_to

    if file_format not in FORMATS:
        refuse(f"--format {file_format}: no such format; allowed: {', '.join(FORMATS)}")
    found = read(results, ("runs",))
    show_cautions(found.cautions)
    content = written(found.frames["runs"], file_format)
    if out is None:
        with writing_to(Path("standard output"), "-o"):
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
    else:
        with writing_to(out, "-o"):
            out.write_bytes(content)
