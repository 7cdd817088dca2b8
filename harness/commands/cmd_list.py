"""`hvdbench list`: what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.arguments import refuse


def list_(
    what: Annotated[str, typer.Argument(metavar="workloads|strategies|suites")],
    strategy: Annotated[str | None, typer.Argument(metavar="[STRATEGY]", help="Its options, one line each.")] = None,
) -> None:
    """What there is, one line each."""
    from harness.catalogue import CATALOGUES, options
    from harness.progress import console
    from harness.registry import STRATEGIES

    if what not in CATALOGUES:
        refuse(f"list {what}: no such list; allowed: {', '.join(CATALOGUES)}")
    if strategy is not None and (what != "strategies" or strategy not in STRATEGIES):
        refuse(f"list {what} {strategy}: allowed: nothing more, or of strategies {', '.join(STRATEGIES)}")
    lines = list(CATALOGUES[what]() if strategy is None else options(strategy))
    width = max((len(name) for name, _ in lines), default=0)
    for name, about in lines:
        console().print(f"{name:{width}}  {about}", highlight=False, markup=False, soft_wrap=True)
