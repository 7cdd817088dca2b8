"""`hvdbench claims`: the claims of a suite, tested one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.arguments import (
    CoresOption,
    HostsOption,
    LaunchArgsOption,
    NoPinOption,
    OwnLaunchOption,
    ResultsOption,
    confine,
    read_setting,
    read_suite,
)
from harness.commands.endings import EXIT_FAILED, interruptible


def claims(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="a suite with claims, e.g. suites/claims.yaml")],
    results: ResultsOption = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="where the page goes; reports/<suite> unless given"),
    ] = None,
    no_run: Annotated[bool, typer.Option("--no-run", help="judge the records that there are, start nothing")] = False,
    hosts: HostsOption = None,
    launch_args: LaunchArgsOption = "",
    cores: CoresOption = None,
    no_pin: NoPinOption = False,
    own_launch: OwnLaunchOption = False,
) -> None:
    """Run what is missing of a suite's experiments and say of each of its claims whether it holds.

    The rules stand in the suite and are laid down before the launches, which record them.
    """
    from harness.claims.claims_command import claims as decided
    from harness.run.existing import require_no_launch

    if not no_run:
        require_no_launch("claims", own_launch=own_launch, allowed="--no-run, or hvdbench run SUITE")
    confine(cores, no_pin=no_pin)
    loaded = read_suite(suite, only="")
    setting = read_setting(loaded, results, hosts=hosts, hostfile=None, launch_args=launch_args, cores=cores)
    with interruptible():
        found = decided(suite, loaded, setting, out or Path("reports") / loaded.name, runs=not no_run)
    if found.num_failed:
        raise typer.Exit(EXIT_FAILED)
