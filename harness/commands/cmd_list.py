"""`hvdbench list`: what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.arguments import refuse


def list_(
    what: Annotated[str, typer.Argument(metavar="workloads|strategies|suites")],
) -> None:
    """What there is, one line each."""
    from harness.catalogue import CATALOGUES
    from harness.progress import console

    if what not in CATALOGUES:
        refuse(f"list {what}: no such list; allowed: {', '.join(CATALOGUES)}")
    lines = list(CATALOGUES[what]())
    width = max((len(name) for name, _ in lines), default=0)
    for name, about in lines:
        console().print(f"{name:{width}}  {about}", highlight=False, markup=False, soft_wrap=True)
