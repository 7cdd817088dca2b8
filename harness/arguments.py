"""Arguments of the command line: their types, and what is made of them or refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from harness.plain_text import one_line

if TYPE_CHECKING:
    from harness.launchers.hosts import Host
    from harness.run.outstanding import Again
    from harness.run.runner import Setting
    from harness.suite.suite import Suite

EXIT_USAGE = 2
MOST_SEED = 10**9  # NumPy's and Keras' have 32 bits, and trials of tuning add a million

SuiteArgument = Annotated[Path, typer.Argument(metavar="SUITE", help="a suite file, e.g. suites/quick.yaml")]
ResultsArgument = Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="folders that `run` wrote")]
ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", metavar="DIR", help="where records go; results/<suite>, or what the suite says"),
]
OnlyOption = Annotated[
    str, typer.Option("--only", metavar="FIELD=VALUE,...", help="only the cells like that: workload=cnn,workers=2")
]
RepeatsOption = Annotated[int | None, typer.Option(min=1, help="launches of each cell, instead of the suite's")]
ControllerOption = Annotated[str | None, typer.Option(metavar="gloo|mpi", help="instead of the suite's")]
HostsOption = Annotated[str | None, typer.Option("-H", "--hosts", metavar="NAME:SLOTS,...", help="as horovodrun's")]
LaunchArgsOption = Annotated[
    str, typer.Option(metavar="ARGS", help="handed on to horovodrun, e.g. '--network-interfaces eth0'")
]
CoresOption = Annotated[
    str | None,
    typer.Option(
        "--cores", metavar="N-M,...", help="measure on these cores; other physical ones are free for another run"
    ),
]
NoPinOption = Annotated[bool, typer.Option("--no-pin", help="leave it to the system on which cores a worker runs")]
AgainOption = Annotated[
    str | None, typer.Option(metavar="changed|all", help="what was done with other settings or versions, or all")
]
OwnLaunchOption = Annotated[
    bool, typer.Option("--own-launch", help="start launches, whatever in the environment looks like one around this")
]
HostfileOption = Annotated[Path | None, typer.Option(help="lines `name slots=2` or `name:2`, or $PBS_NODEFILE")]


def read_suite(path: Path, *, only: str, repeats: int | None = None, controller: str | None = None) -> Suite:
    from harness.suite.shipped_suites import suite_file
    from harness.suite.suite import Suite, SuiteError

    overrides: dict[str, Any] = {}
    if controller is not None:
        if controller not in ("gloo", "mpi"):
            refuse(f"--controller {controller}: no such controller; allowed: gloo, mpi")
        overrides["controller"] = controller
    suite = Suite.load(suite_file(path), repeats=repeats, overrides=overrides)
    conditions = {}
    for part in filter(None, only.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise SuiteError(f"--only {only}: {part!r} is no condition; allowed: FIELD=VALUE,FIELD=VALUE")
        if name.strip() in conditions:
            raise SuiteError(f"--only {only}: {name.strip()} stands twice; allowed: each field once")
        conditions[name.strip()] = value.strip()
    return suite.only(conditions) if conditions else suite


def read_setting(
    suite: Suite,
    results: Path | None,
    *,
    hosts: str | None,
    hostfile: Path | None,
    launch_args: str,
    cores: str | None,
    again: Again | None = None,
    is_existing: bool = False,
) -> Setting:
    """Where and how the suite's launches happen, or would: what is done of it is told by that."""
    from harness.records.results_folder import ResultsFolder
    from harness.run.runner import Setting

    available = read_hosts(hosts, hostfile, cores=cores, is_existing=is_existing)
    return Setting(
        suite=suite.name,
        question=suite.question,
        tuning=suite.tuned,
        rules=suite.rules,
        folder=ResultsFolder(results or suite.results or Path("results") / suite.name),
        hosts=available,
        launch_args=words(launch_args),
        cores=cores,
        is_existing=is_existing,
        again=again,
    )


def read_hosts(
    hosts: str | None, hostfile: Path | None = None, *, cores: str | None = None, is_existing: bool = False
) -> tuple[Host, ...]:
    """As the command names them; else, unless workers are placed already, those of the batch job; else this machine."""
    from harness.launchers.hosts import parse_hosts, read_hostfile, require_distinct, this_machine

    if hosts is not None and hostfile is not None:
        refuse("-H and --hostfile: give one of them")
    if hosts is None and hostfile is None:
        named = () if is_existing else _hosts_of_job()
    else:
        named = read_hostfile(hostfile) if hostfile is not None else parse_hosts(hosts or "")
    require_distinct(named)
    if cores is not None and not all(host.is_this_machine for host in named):
        refuse(f"--cores {cores}: are of this machine; allowed: no other in -H or --hostfile, or of the batch job")
    return named or this_machine()


def _hosts_of_job() -> tuple[Host, ...]:
    """None of a job that has this machine alone: its cores are those that this process may run on, as ever."""
    from harness.launchers.batch_job import batch_job

    job = batch_job(os.environ)
    if job is None or job.is_here_alone:
        return ()
    say(f"hosts: {job.in_words}")
    return job.hosts


def confine(cores: str | None, *, no_pin: bool) -> None:
    """Has this process and all that it starts run on these cores alone, or its workers unbound."""
    from harness.worker.cores import hyperthreads_beside, in_words, listed_cores
    from harness.worker.process import PINNING_OFF, PINNING_VARIABLE

    if no_pin:
        os.environ[PINNING_VARIABLE] = PINNING_OFF
    if cores is None:
        return
    free = os.sched_getaffinity(0)
    try:
        wanted = listed_cores(cores)
    except ValueError:
        wanted = frozenset()
    if not wanted or not wanted <= free:
        refuse(f"--cores {cores}: allowed: of {in_words(free)}, which are free to this process, as in 0-3,8")
    if beside := hyperthreads_beside(wanted, free):
        where = f"--cores {cores}: shares physical cores with {in_words(beside)}, where another hvdbench waits"
        say(f"{where}; {_undivided(free)}")
    os.sched_setaffinity(0, wanted)


def _undivided(free: set[int]) -> str:
    from harness.worker.cores import halves, in_words

    first, second = halves(free)
    return f"{in_words(first)} and {in_words(second)} split none" if second else "there is one physical core here"


def read_again(text: str | None) -> Again | None:
    if text not in (None, "changed", "all"):
        refuse(f"--again {text}: allowed: changed, what was done with other settings or versions; all")
    return cast("Again | None", text)


def listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",")]


def words(launch_args: str) -> list[str]:
    """As a shell takes them: `--mpi-args="--mca btl self,tcp"` is one argument."""
    import shlex

    try:
        return shlex.split(launch_args)
    except ValueError as error:
        refuse(f"--launch-args {launch_args}: {error}; allowed: arguments of horovodrun, quoted as for a shell")


def refuse(message: str) -> NoReturn:
    say(message)
    raise typer.Exit(EXIT_USAGE)


def say(message: str) -> None:
    """To standard error, in one line. Each worker of a launch says it: the first to exit has the others stopped."""
    print(f"hvdbench: {one_line(message)}", file=sys.stderr)
