"""`hvdbench compare TARGET`: the whole comparison of one workload, planned to fit the minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.arguments import (
    AgainOption,
    CoresOption,
    HostsOption,
    NoPinOption,
    OwnLaunchOption,
    confine,
    listed,
    read_again,
    read_hosts,
)
from harness.commands.endings import EXIT_FAILED, interruptible


def compare(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="cnn, my_training.py:make, package.module:make")],
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="of a shipped workload; digits unless given")
    ] = None,
    framework: Annotated[
        str | None, typer.Option(metavar="torch|tensorflow", help="where there is a choice; torch,tensorflow for both")
    ] = None,
    strategies: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="instead of all but a framework's own")
    ] = None,
    workers: Annotated[str | None, typer.Option(metavar="N,M,...", help="1 and 2, or 1 and the hosts' slots")] = None,
    repeats: Annotated[
        int | None, typer.Option(help="launches of each cell, 5 unless given; 3 are kept at least")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="that it may take, 20 unless given")] = None,
    epochs: Annotated[float | None, typer.Option(help="instead of the workload's own")] = None,
    hosts: HostsOption = None,
    cores: CoresOption = None,
    no_pin: NoPinOption = False,
    own_launch: OwnLaunchOption = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="where all of it goes; compare/<target> unless given"),
    ] = None,
    again: AgainOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="plan anew; what was there is kept")] = False,
) -> None:
    """Which strategy trains this soonest? Plans a comparison that fits the minutes, runs it, reports and answers.

    The plan is a suite file that is kept, to be edited and run again; interrupted, the same command goes on.
    """
    from harness.compare.compare_command import compare as compared
    from harness.compare.comparison_folder import ComparisonFolder
    from harness.compare.request import request_of, title_of
    from harness.run.existing import require_no_launch

    require_no_launch("compare", own_launch=own_launch)
    confine(cores, no_pin=no_pin)
    once_more = read_again(again)
    available = read_hosts(hosts, cores=cores)
    request = request_of(
        target,
        available,
        dataset=dataset,
        framework=framework,
        strategies=listed(strategies),
        workers=listed(workers),
        repeats=repeats,
        minutes=minutes,
        epochs=epochs,
        hosts=hosts,
    )
    title = title_of(request)
    with interruptible():
        folder = ComparisonFolder(out or Path("compare") / title, title)
        summary = compared(request, folder, available, fresh=fresh, again=once_more)
    if summary.num_failed:
        raise typer.Exit(EXIT_FAILED)
