"""The README's commands, and how each is tried: a page that shows a command which fails has lied."""

from __future__ import annotations

import re
import shlex
from enum import Enum

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SUITE = re.compile(r"^```yaml\n# (suites/\S+?):.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(hvdbench [^`]+)`")
_SETTINGS = re.compile(r"^([A-Z_]+=(<[^>]*>|\S*)\s+)*")


class Trial(Enum):
    """How a command is tried."""

    RUN = "run where the wheel alone is installed"
    PARSED = "its arguments are read: it trains, which the tests of its command do in short (check.py: one of them)"
    TARGET = "it is a target of the Makefile, and takes minutes to hours"
    ELSEWHERE = "what it starts is no part of hvdbench, and not on every machine"


_OF_HVDBENCH = {
    Trial.RUN: {"list", "show", "new", "report", "export", "doctor", "history"},
    Trial.PARSED: {"run", "compare", "tune", "claims", "check", "parity", "setup"},
}
_PROGRAMS = {
    Trial.TARGET: {"make"},
    Trial.ELSEWHERE: {
        "horovodrun",
        "mpirun",
        "srun",
        "sbatch",
        "qsub",
        "bsub",
        "kubectl",
        "docker",
        "conda",
        "git",
        "pip",
        "source",
        "ssh",
    },
}


def shown(text: str) -> list[str]:
    """Every command of a block, without comment, a continued line joined."""
    lines = "".join(_BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    commands = (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in lines)
    return [command for command in commands if command]


def mentioned(text: str) -> list[str]:
    """Commands of hvdbench in the running text."""
    return _INLINE.findall(text)


def suites(text: str) -> dict[str, str]:
    """By path the suites that the text writes out."""
    return dict(_SUITE.findall(text))


def words(command: str) -> list[str]:
    """Without settings of the environment before it."""
    return shlex.split(_SETTINGS.sub("", command))


def trial(command: str) -> Trial:
    """Raises ValueError for a command of which nobody has said how it is tried."""
    program, *rest = words(command)
    tables = _OF_HVDBENCH if program == "hvdbench" else _PROGRAMS
    name = rest[0] if program == "hvdbench" else program
    for how, names in tables.items():
        if name in names:
            return how
    raise ValueError(f"{command}: say in tests/release/readme.py how {name} is tried")
