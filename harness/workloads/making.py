"""Calls the function that makes a user's workload, and sees that it made one."""

from __future__ import annotations

import inspect
from typing import Any

from harness.extensions import WORKLOADS, ExtensionError, in_their_words, line_of, load_extension
from harness.workloads.own import KerasWorkload, OwnWorkload, TorchWorkload

_WANTED: dict[str, type[OwnWorkload]] = {"torch": TorchWorkload, "tensorflow": KerasWorkload}


def make_own(name: str, folder: str | None, framework: str | None) -> OwnWorkload:
    """The workload that the function of that name makes; of this framework, where one is given.

    Raises ExtensionError: with the user's own line where it fails, with what is wanted where it makes something else.
    """
    function = load_extension(name, folder, group=WORKLOADS)
    arguments = _arguments(name, function, framework)
    try:
        made = function(**arguments)
    except (Exception, SystemExit) as error:
        raise ExtensionError(f"{name}: {in_their_words(error)}") from error
    wanted: tuple[type[OwnWorkload], ...] = (
        (TorchWorkload, KerasWorkload) if framework is None else (_WANTED[framework],)
    )
    if not isinstance(made, wanted):
        names = " or a ".join(kind.__name__ for kind in wanted)
        fault = f"returned {type(made).__name__}; wanted: a {names} of harness.workloads"
        raise ExtensionError(f"{_place(name, function)}: {fault}")
    return made


def _place(name: str, function: Any) -> str:
    """`my_training.py:make: my_training.py, line 12`."""
    line = line_of(function)
    return name if line is None else f"{name}: {line}"


def _arguments(name: str, function: Any, framework: str | None) -> dict[str, str]:
    """`framework`, where the function takes it; a default of its own holds where none is asked for."""
    if not callable(function):
        raise ExtensionError(f"{name}: is {type(function).__name__}; wanted: a function that returns a workload")
    parameters = inspect.signature(function).parameters
    needed = [known for known, parameter in parameters.items() if parameter.default is parameter.empty]
    if set(needed) - {"framework"}:
        wanted = "wanted: no argument, or one named framework"
        raise ExtensionError(f"{_place(name, function)}: takes {', '.join(needed)}; {wanted}")
    if "framework" not in parameters or (framework is None and "framework" not in needed):
        return {}
    return {"framework": framework or "torch"}
