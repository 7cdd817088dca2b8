"""`hvdbench new`: a file to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def workload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="that is written, e.g. my_training.py")],
    framework: Annotated[str, typer.Option(metavar="torch|keras")] = "torch",
) -> None:
    """A training file that runs as it is, with a mark on every line that you will change."""
    from harness.progress import console
    from harness.templates.new_file import name_to_type, write_workload

    write_workload(file, framework)
    console().print(
        f"{file}: runs as it is: hvdbench compare {name_to_type(file)}", highlight=False, markup=False, soft_wrap=True
    )
