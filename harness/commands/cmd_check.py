"""`hvdbench check`: whether a change made training worse, as an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from harness.arguments import CoresOption, NoPinOption, OnlyOption, OwnLaunchOption, confine, read_suite, refuse
from harness.commands.endings import interruptible, is_the_users


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
    own_launch: OwnLaunchOption = False,
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
        from harness.run.existing import require_no_launch

        if baseline or candidate:
            if not (baseline and candidate) or suite or a or b:
                refuse("check: allowed: SUITE --a ARM --b ARM, or --baseline RESULTS --candidate RESULTS")
            gates = read_suite(settings, only="").check if settings else None
            raise typer.Exit(check_stored(baseline, candidate, gates, output))
        if not (suite and a and b):
            refuse("check: needs SUITE --a ARM --b ARM, or --baseline RESULTS --candidate RESULTS; see check --help")
        require_no_launch("check", own_launch=own_launch, allowed="the same command outside of it")
        confine(cores, no_pin=no_pin)
        loaded = read_suite(suite, only=only)
        with interruptible():
            raise typer.Exit(check_arms(suite, loaded, a, b, results=results, output=output, time_budget_s=time_budget))


@contextmanager
def _break_is_no_regression() -> Iterator[None]:
    """Python's own exit code for an exception is 1, which says "regression" here."""
    try:
        yield
    except Exception as error:
        if isinstance(error, typer.Exit) or is_the_users(error):
            raise
        traceback.print_exc()
        refuse(
            f"check: broke, and says nothing about B: {type(error).__name__}: {error} "
            "(traceback above; the same command goes on with the pairs that are finished)"
        )
