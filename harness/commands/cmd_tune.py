"""`hvdbench tune SUITE`: as many trials for each strategy, and the suite of the best of them."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.arguments import (
    MOST_SEED,
    CoresOption,
    HostfileOption,
    HostsOption,
    LaunchArgsOption,
    NoPinOption,
    OwnLaunchOption,
    ResultsOption,
    SuiteArgument,
    confine,
    read_setting,
    read_suite,
    refuse,
)
from harness.commands.endings import EXIT_FAILED, interruptible


def tune(
    suite: SuiteArgument,
    budget: Annotated[
        int,
        typer.Option(
            min=2, max=10_000, help="trials of each strategy, workload and number of workers, the recipe's among them"
        ),
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="of the trials' draws and launches")] = 0,
    results: ResultsOption = None,
    hosts: HostsOption = None,
    hostfile: HostfileOption = None,
    launch_args: LaunchArgsOption = "",
    cores: CoresOption = None,
    no_pin: NoPinOption = False,
    own_launch: OwnLaunchOption = False,
) -> None:
    """Give each strategy of a suite as many trials over the same ranges, and write the tuned suite beside it.

    Interrupted, the same command goes on; several may be at it.
    """
    from harness.progress import show_cautions
    from harness.run.existing import require_no_launch
    from harness.run.feasible import cautions, first_obstacle
    from harness.suite.shipped_suites import suite_file
    from harness.tuning.ledger import require_optuna
    from harness.tuning.tune_command import TuneRequest, tuned_results
    from harness.tuning.tune_command import tune as tuned

    require_no_launch("tune", own_launch=own_launch)
    shipped = suite_file(suite)
    if shipped != suite:
        refuse(
            f"tune {suite}: lies with hvdbench, and the tuned suite is written beside it; allowed: a copy of your own "
            f"(mkdir -p {suite.parent} && cp {shipped} {suite})"
        )
    confine(cores, no_pin=no_pin)
    require_optuna()
    loaded = read_suite(suite, only="")
    setting = read_setting(
        loaded,
        results or tuned_results(loaded),
        hosts=hosts,
        hostfile=hostfile,
        launch_args=launch_args,
        cores=cores,
    )
    obstacle = first_obstacle(loaded.cells, setting.hosts)
    if obstacle:
        refuse(f"{suite}: {obstacle}")
    show_cautions(cautions(loaded.cells))
    with interruptible():
        if not tuned(TuneRequest(path=suite, suite=loaded, budget=budget, seed=seed), setting):
            raise typer.Exit(EXIT_FAILED)
