"""Calls the function that makes a user's workload, and sees that it made one."""

from __future__ import annotations

import inspect
from typing import Any

from harness.extensions import WORKLOADS, ExtensionError, in_their_words, load_extension
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
        raise ExtensionError(f"{name}: returned {type(made).__name__}; wanted: a {names} of harness.workloads")
    return made


def _arguments(name: str, function: Any, framework: str | None) -> dict[str, str]:
    """`framework`, where the function takes it; a default of its own holds where none is asked for."""
    if not callable(function):
        raise ExtensionError(f"{name}: is {type(function).__name__}; wanted: a function that returns a workload")
    parameters = inspect.signature(function).parameters
    needed = [known for known, parameter in parameters.items() if parameter.default is parameter.empty]
    if set(needed) - {"framework"}:
        raise ExtensionError(f"{name}: takes {', '.join(needed)}; wanted: no argument, or one named framework")
    if "framework" not in parameters or (framework is None and "framework" not in needed):
        return {}
    return {"framework": framework or "torch"}
