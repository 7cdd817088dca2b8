"""`hvdbench show SUITE`: what `run` would do, and how long that takes."""

from __future__ import annotations

from harness.arguments import (
    ControllerOption,
    CoresOption,
    HostfileOption,
    HostsOption,
    LaunchArgsOption,
    NoPinOption,
    OnlyOption,
    RepeatsOption,
    ResultsOption,
    SuiteArgument,
    confine,
    read_setting,
    read_suite,
)


def show(
    suite: SuiteArgument,
    results: ResultsOption = None,
    only: OnlyOption = "",
    repeats: RepeatsOption = None,
    controller: ControllerOption = None,
    hosts: HostsOption = None,
    hostfile: HostfileOption = None,
    launch_args: LaunchArgsOption = "",
    cores: CoresOption = None,
    no_pin: NoPinOption = False,
) -> None:
    """The expanded matrix of a suite, what is done of it, and how long the rest may take.

    Done is what `run` with the same options would not run again.
    """
    from harness.progress import show_cautions, show_matrix
    from harness.run.feasible import cautions

    confine(cores, no_pin=no_pin)
    loaded = read_suite(suite, only=only, repeats=repeats, controller=controller)
    show_cautions(cautions(loaded.cells))
    show_matrix(
        loaded,
        read_setting(loaded, results, hosts=hosts, hostfile=hostfile, launch_args=launch_args, cores=cores),
    )
