"""The command line. Imports late: `hvdbench --help` answers at once, and the analysis half needs no framework.

Exit codes: 0 all well; 1 failed cells (run, compare) or a regression (check); 2 wrong usage or a broken suite or
results folder, said in one message, or a check that broke; 3 inconclusive or incomparable (check).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from harness.arguments import (
    EXIT_USAGE,
    ControllerOption,
    CoresOption,
    HostfileOption,
    HostsOption,
    LaunchArgsOption,
    NoPinOption,
    OnlyOption,
    OwnLaunchOption,
    RepeatsOption,
    ResultsArgument,
    ResultsOption,
    SuiteArgument,
    confine,
    listed,
    read_again,
    read_setting,
    read_suite,
    refuse,
    say,
)

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130

app = typer.Typer(
    name="hvdbench",
    help="Which way of updating shared weights trains your model soonest?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
new = typer.Typer(help="A file to begin with.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(new, name="new")


@app.command()
def run(
    suite: SuiteArgument,
    results: ResultsOption = None,
    only: OnlyOption = "",
    repeats: RepeatsOption = None,
    controller: ControllerOption = None,
    hosts: HostsOption = None,
    hostfile: HostfileOption = None,
    launch_args: LaunchArgsOption = "",
    again: Annotated[
        str | None, typer.Option(metavar="changed|all", help="what was done with other settings or versions, or all")
    ] = None,
    cores: CoresOption = None,
    no_pin: NoPinOption = False,
    own_launch: OwnLaunchOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check everything, start nothing")] = False,
) -> None:
    """Run what is missing of a suite; the same command goes on after any interruption.

    Started inside a launch (horovodrun -np 4 hvdbench run ..., mpirun, srun), it runs the suite's collective cells of
    that size in the launched processes, and rank 0 records.
    """
    from harness.progress import console, show_cautions, show_matrix, watching
    from harness.run.existing import launch_around, run_inside
    from harness.run.feasible import cautions, first_obstacle
    from harness.run.runner import run_suite

    confine(cores, no_pin=no_pin)
    loaded = read_suite(suite, only=only, repeats=repeats, controller=controller)
    once_more = read_again(again)
    around = launch_around(own_launch=own_launch)
    inside = around is not None
    if inside and not dry_run and (hosts is not None or hostfile is not None or launch_args or cores is not None):
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
        with _interruptible():
            raise typer.Exit(run_inside(loaded, setting.folder, again=once_more))
    obstacle = first_obstacle(loaded.cells, None if inside else setting.hosts)
    if obstacle:
        refuse(f"{suite}: {obstacle}")
    show_cautions(cautions(loaded.cells))
    if dry_run:
        show_matrix(loaded, setting)
        return
    with _interruptible(), watching(loaded, setting) as watcher:
        summary = run_suite(loaded, setting, watcher)
    console().print(summary.in_words(setting.folder.path), highlight=False, soft_wrap=True)
    if summary.num_failed:
        raise typer.Exit(EXIT_FAILED)


@app.command()
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
    fresh: Annotated[bool, typer.Option("--fresh", help="plan anew; what was there is kept")] = False,
) -> None:
    """Which strategy trains this soonest? Plans a comparison that fits the minutes, runs it, reports and answers.

    The plan is a suite file that is kept, to be edited and run again; interrupted, the same command goes on.
    """
    from harness.compare.compare_command import compare as compared
    from harness.compare.comparison_folder import ComparisonFolder
    from harness.compare.request import request_of, title_of
    from harness.run.existing import launch_around

    around = launch_around(own_launch=own_launch)
    if around:
        refuse(
            f"compare: starts its launches itself; inside a launch ({around}), allowed: hvdbench run SUITE; "
            "where it is none, --own-launch"
        )
    confine(cores, no_pin=no_pin)
    request = request_of(
        target,
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
    with _interruptible():
        summary = compared(request, ComparisonFolder(out or Path("compare") / title, title), fresh=fresh)
    if summary.num_failed:
        raise typer.Exit(EXIT_FAILED)


@new.command()
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


@app.command()
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


@app.command(name="list")
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


@app.command()
def report(
    results: ResultsArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="where the report goes")] = Path("report"),
) -> None:
    """The comparison report: a page that needs no network, its figures as files, the data they draw."""
    from harness.progress import console
    from harness.report import write_report

    page = write_report(results, out)
    console().print(f"{page}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def export(
    results: ResultsArgument,
    file_format: Annotated[str, typer.Option("--format", metavar="csv|parquet|json")] = "csv",
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="instead of standard output")] = None,
) -> None:
    """The tidy frame, one row a run."""
    from harness.analysis.export import FORMATS, written
    from harness.analysis.loading import read
    from harness.progress import show_cautions
    from harness.records.results_folder import writing_to

    if file_format not in FORMATS:
        refuse(f"--format {file_format}: no such format; allowed: {', '.join(FORMATS)}")
    found = read(results, ("runs",))
    show_cautions(found.cautions)
    content = written(found.frames["runs"], file_format)
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        with writing_to(out, "-o"):
            out.write_bytes(content)


@app.command(name="parity")
def parity_(
    workload: Annotated[
        str | None,
        typer.Argument(metavar="[WORKLOAD]", help="every parameter of this one; file.py:make(framework) for your own"),
    ] = None,
    dataset: Annotated[str | None, typer.Option(metavar="NAME", help="only this data set")] = None,
    optimizer: Annotated[str | None, typer.Option(metavar="NAME", help="instead of the workload's own")] = None,
    native: Annotated[
        bool, typer.Option("--native", help="two workers by Horovod's own optimizer, in each of its settings")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="of weights and batches")] = 0,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="keeps the figures there too, for `report`")
    ] = None,
) -> None:
    """How far PyTorch and TensorFlow differ on the same weights and batches; exit code 1 when a bar is missed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's remarks on this CPU are no part of the table
    from pydantic import ValidationError

    from harness.parity.table import ParityError, show_parity
    from harness.strict import describe

    try:
        agree = show_parity(workload, dataset, seed, results, optimizer=optimizer, native=native)
    except ParityError as error:
        refuse(f"parity: {error}")
    except ValidationError as error:
        refuse(f"parity: {describe(error)}")
    if not agree:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def doctor(
    download: Annotated[
        str | None, typer.Option(metavar="DATASET", help="fetch fashion-mnist or movielens-100k, checked by its hash")
    ] = None,
) -> None:
    """What this machine can run, what is missing, and the command that mends it."""
    from harness.doctor import examine
    from harness.progress import show_diagnostics
    from harness.workloads.datasets import DOWNLOADS

    if download is not None:
        if download not in DOWNLOADS:
            refuse(f"--download {download}: no such data set; allowed: {', '.join(DOWNLOADS)}")
        DOWNLOADS[download]()
    show_diagnostics(examine())


@app.command()
def check(
    suite: Annotated[Path | None, typer.Argument(metavar="[SUITE]", help="its cells are run by both arms")] = None,
    a: Annotated[
        str, typer.Option("--a", metavar="ARM", help="the baseline: here, ref=main, python=PATH, env:X=1")
    ] = "",
    b: Annotated[str, typer.Option("--b", metavar="ARM", help="the candidate, likewise; parts joined by commas")] = "",
    baseline: Annotated[Path | None, typer.Option(metavar="RESULTS", help="instead: stored results ...")] = None,
    candidate: Annotated[Path | None, typer.Option(metavar="RESULTS", help="... held against others")] = None,
    settings: Annotated[
        Path | None, typer.Option("--gates", metavar="SUITE", help="for stored results: the suite whose gates hold")
    ] = None,
    only: OnlyOption = "",
    time_budget: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="start no further pair after it")
    ] = None,
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="where pairs are kept")] = Path(
        "results/check"
    ),
    cores: CoresOption = None,
    no_pin: NoPinOption = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="where the files for CI go")
    ] = None,
) -> None:
    """Is B slower, hungrier or less accurate than A? Exit 0 no, 1 yes, 2 could not run, 3 cannot tell.

    Runs both arms in random, interleaved pairs and confirms what looks worse with fresh ones; interrupted, the same
    command goes on. With --baseline and --candidate it compares what is stored: it screens, and never convicts.
    """
    with _break_is_no_regression():
        from harness.check.check_command import check_arms, check_stored

        if baseline or candidate:
            if not (baseline and candidate) or suite or a or b:
                refuse("check: allowed: SUITE --a ARM --b ARM, or --baseline RESULTS --candidate RESULTS")
            gates = read_suite(settings, only="").check if settings else None
            raise typer.Exit(check_stored(baseline, candidate, gates, output))
        if not (suite and a and b):
            refuse("check: needs SUITE --a ARM --b ARM, or --baseline RESULTS --candidate RESULTS; see check --help")
        confine(cores, no_pin=no_pin)
        loaded = read_suite(suite, only=only)
        with _interruptible():
            raise typer.Exit(check_arms(suite, loaded, a, b, results=results, output=output, time_budget_s=time_budget))


@app.command()
def history(
    results: ResultsArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="where figure and table go")] = Path(
        "reports/history"
    ),
) -> None:
    """Throughput and time to target over commits, with change points marked. Advisory: only `check` convicts."""
    from harness.check.check_command import show_history

    show_history(results, output)


def main() -> NoReturn:
    """The `hvdbench` command."""
    from harness.terminal import take_any_text

    take_any_text(sys.stdout, sys.stderr)
    try:
        app()
    except SystemExit as ending:
        if ending.code == EXIT_INTERRUPTED:  # which Typer makes of Ctrl-C
            say("interrupted: finished records are safe, the same command goes on")
        raise
    except Exception as error:
        if not _is_the_users(error):
            raise
        say(f"{error.filename}: {error.strerror}" if isinstance(error, PermissionError) else str(error))
        sys.exit(EXIT_USAGE)
    sys.exit(0)


def _is_the_users(error: Exception) -> bool:
    """Errors with a message for the user, imported only when there is one, and places that the user may not look at."""
    from harness.check.worktree import ArmError
    from harness.compare.request import CompareError
    from harness.launchers.hosts import HostsError
    from harness.records.results_folder import ResultsError
    from harness.suite.suite import SuiteError
    from harness.templates.new_file import NewFileError
    from harness.workloads.data import DatasetError

    known = (SuiteError, ResultsError, HostsError, DatasetError, ArmError, CompareError, NewFileError)
    return isinstance(error, (PermissionError, *known))


@contextmanager
def _break_is_no_regression() -> Iterator[None]:
    """Python's own exit code for an exception is 1, which says "regression" here."""
    try:
        yield
    except Exception as error:
        if isinstance(error, typer.Exit) or _is_the_users(error):
            raise
        traceback.print_exc()
        refuse(
            f"check: broke, and says nothing about B: {type(error).__name__}: {error} "
            "(traceback above; the same command goes on with the pairs that are finished)"
        )


@contextmanager
def _interruptible() -> Iterator[None]:
    """A SIGTERM ends the block as Ctrl-C does: workers are stopped, nothing half done is recorded."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
