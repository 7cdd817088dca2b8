"""`hvdbench run SUITE`: what is missing of a suite, in launches of its own or inside one."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.arguments import (
    AgainOption,
    ControllerOption,
    CoresOption,
    HostfileOption,
    HostsOption,
    LaunchArgsOption,
    NoPinOption,
    OnlyOption,
    OwnLaunchOption,
    RepeatsOption,
    ResultsOption,
    SuiteArgument,
    confine,
    read_again,
    read_setting,
    read_suite,
    refuse,
)
from harness.commands.endings import EXIT_FAILED, interruptible


def run(
    suite: SuiteArgument,
    results: ResultsOption = None,
    only: OnlyOption = "",
    repeats: RepeatsOption = None,
    controller: ControllerOption = None,
    hosts: HostsOption = None,
    hostfile: HostfileOption = None,
    launch_args: LaunchArgsOption = "",
    again: AgainOption = None,
    cores: CoresOption = None,
    no_pin: NoPinOption = False,
    own_launch: OwnLaunchOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check everything, start nothing")] = False,
) -> None:
    """Run what is missing of a suite; the same command goes on after any interruption.

    Started inside a launch (horovodrun -np 4 hvdbench run ..., mpirun, srun), it runs the suite's collective cells of
    that size in the launched processes, and rank 0 records.
    """
    from harness.plain_text import one_line
    from harness.progress import console, show_cautions, show_matrix, watching
    from harness.run.existing import launch_around, require_fitting, run_inside
    from harness.run.feasible import cautions, first_obstacle
    from harness.run.runner import run_suite

    confine(cores, no_pin=no_pin)
    loaded = read_suite(suite, only=only, repeats=repeats, controller=controller)
    once_more = read_again(again)
    around = launch_around(own_launch=own_launch)
    inside = around is not None
    if inside and (hosts is not None or hostfile is not None or launch_args or cores is not None):
        refuse(
            f"-H, --hostfile, --launch-args, --cores: not inside a launch ({around}), which has placed its workers "
            "already; where it is none, --own-launch starts one"
        )
    setting = read_setting(
        loaded,
        results,
        hosts=hosts,
        hostfile=hostfile,
        launch_args=launch_args,
        cores=cores,
        again=once_more,
        is_existing=inside,
    )
    if inside and not dry_run:
        with interruptible():
            raise typer.Exit(run_inside(loaded, setting.folder, again=once_more))
    if inside:
        require_fitting(loaded)
    elif obstacle := first_obstacle(loaded.cells, setting.hosts):
        refuse(f"{suite}: {obstacle}")
    show_cautions(cautions(loaded.cells))
    if dry_run:
        show_matrix(loaded, setting)
        return
    with interruptible(), watching(loaded, setting) as watcher:
        summary = run_suite(loaded, setting, watcher)
    console().print(one_line(summary.in_words(setting.folder.path)), highlight=False, markup=False, soft_wrap=True)
    if summary.num_failed:
        raise typer.Exit(EXIT_FAILED)
