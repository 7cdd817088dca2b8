"""`hvdbench parity`: whether both frameworks train the same thing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.arguments import MOST_SEED, OwnLaunchOption, refuse
from harness.commands.endings import EXIT_FAILED


def parity(
    workload: Annotated[
        str | None,
        typer.Argument(metavar="[WORKLOAD]", help="every parameter of this one; file.py:make(framework) for your own"),
    ] = None,
    dataset: Annotated[str | None, typer.Option(metavar="NAME", help="only this data set")] = None,
    optimizer: Annotated[str | None, typer.Option(metavar="NAME", help="instead of the workload's own")] = None,
    native: Annotated[
        bool, typer.Option("--native", help="two workers by Horovod's own optimizer, in each of its settings")
    ] = False,
    own_launch: OwnLaunchOption = False,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="of weights and batches")] = 0,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="keeps the figures there too, for `report`")
    ] = None,
) -> None:
    """How far PyTorch and TensorFlow differ on the same weights and batches; exit code 1 when a bar is missed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's remarks on this CPU are no part of the table
    from pydantic import ValidationError

    from harness.parity.table import ParityError, show_parity
    from harness.run.existing import require_no_launch
    from harness.strict import describe

    if native:
        require_no_launch("parity --native", own_launch=own_launch, allowed="the same command outside of it")
    try:
        agree = show_parity(workload, dataset, seed, results, optimizer=optimizer, native=native)
    except ParityError as error:
        refuse(f"parity: {error}")
    except ValidationError as error:
        refuse(f"parity: {describe(error)}")
    if not agree:
        raise typer.Exit(EXIT_FAILED)
