"""The command line. Imports late: `hvdbench --help` answers at once, and the analysis half needs no framework.

Exit codes: 0 all well; 1 failed cells (run, compare) or a regression (check); 2 wrong usage or a broken suite or
results folder, said in one message, or a check that broke; 3 inconclusive or incomparable (check).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from harness.arguments import EXIT_USAGE, say
from harness.commands.cmd_check import check
from harness.commands.cmd_claims import claims
from harness.commands.cmd_compare import compare
from harness.commands.cmd_doctor import doctor
from harness.commands.cmd_export import export
from harness.commands.cmd_history import history
from harness.commands.cmd_list import list_
from harness.commands.cmd_new import workload
from harness.commands.cmd_parity import parity
from harness.commands.cmd_report import report
from harness.commands.cmd_run import run
from harness.commands.cmd_setup import setup
from harness.commands.cmd_show import show
from harness.commands.cmd_tune import tune
from harness.commands.endings import EXIT_INTERRUPTED, in_words, is_the_users

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
new.command()(workload)
COMMANDS: dict[str, Callable[..., None]] = {  # as `--help` lists them
    "run": run,
    "compare": compare,
    "tune": tune,
    "claims": claims,
    "show": show,
    "list": list_,
    "report": report,
    "export": export,
    "parity": parity,
    "doctor": doctor,
    "setup": setup,
    "check": check,
    "history": history,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


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
        if not is_the_users(error):
            raise
        say(in_words(error))
        _forget_what_is_unwritten()
        sys.exit(EXIT_USAGE)
    sys.exit(0)


def _forget_what_is_unwritten() -> None:
    """Python tries once more as it ends, and its own words and exit code would stand for ours."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
