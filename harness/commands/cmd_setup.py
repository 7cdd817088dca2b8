"""`hvdbench setup --keep`: Horovod for an environment that is there."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from harness.arguments import EXIT_USAGE, refuse


def setup(
    keep: Annotated[
        bool, typer.Option("--keep", help="build Horovod alone, where it is missing for a framework installed here")
    ] = False,
) -> None:
    """Horovod for the frameworks of this environment, of which nothing else is changed."""
    from harness.bootstrap.checks import SetupError
    from harness.bootstrap.keeping import InstalledEnvironment, set_up_keeping

    if not keep:
        refuse("setup: an environment with exact pins is made by make setup, in a checkout; here: setup --keep")
    try:
        set_up_keeping(InstalledEnvironment.of_this_python(), os.environ)
    except (SetupError, OSError) as error:
        print(f"set-up: {error}", file=sys.stderr)  # as make setup does: in lines, since it may show the end of a log
        raise typer.Exit(EXIT_USAGE) from None
