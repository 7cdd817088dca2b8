"""`hvdbench doctor`: what this machine lacks."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.arguments import refuse


def doctor(
    download: Annotated[
        str | None,
        typer.Option(metavar="DATASET", help="fetch fashion-mnist, movielens-100k or cifar-10, checked by its hash"),
    ] = None,
) -> None:
    """What this machine can run, what is missing, and the command that mends it."""
    from harness.doctor import examine
    from harness.progress import show_diagnostics
    from harness.workloads.datasets import DOWNLOADS

    if download is not None:
        if download not in DOWNLOADS:
            refuse(f"--download {download}: no such data set; allowed: {', '.join(DOWNLOADS)}")
        DOWNLOADS[download]()
    show_diagnostics(examine())
