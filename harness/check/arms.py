"""What is compared: a git ref, a Python environment, settings, or several of these at once.

ref=main                        this checkout at that commit, in a worktree of its own
python=../new/bin/python        another environment, with this checkout's harness
env:HOROVOD_CYCLE_TIME=5        an environment variable
here                            this checkout as it is
ref=v1.2,env:OMP_PROC_BIND=1    several
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.bootstrap.pins import requirements_of
from harness.check.worktree import ArmError, changed_files, checkout_root, worktree
from harness.fabrics.connection import without_place
from harness.git import without_git
from harness.suite.injection import Injection
from harness.timing.turns import TURN_VARIABLE
from harness.worker.process import is_taken_out
from harness.worker.worker import RANKS_HERE_VARIABLE

ALLOWED = "here, ref=COMMIT, python=PATH, env:NAME=VALUE, several with commas between them"
_NEXT_PART = re.compile(r",(?=here\b|ref=|python=|env:)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_VARIABLES = (
    *("PYTHONPATH", "PYTHONSAFEPATH", "TF_CONFIG", "OMPI_MCA_orte_launch_agent"),
    *("HVDBENCH_RUN", "HVDBENCH_RANK", "HVDBENCH_SIZE", RANKS_HERE_VARIABLE, TURN_VARIABLE),
)


@dataclass(frozen=True, kw_only=True)
class ArmSpec:
    """An arm as it was asked for."""

    text: str
    ref: str | None = None
    python: Path | None = None
    environ: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Arm:
    """An arm that can run cells now."""

    name: str
    python: Path
    root: Path | None  # the checkout whose harness runs; None: the one installed beside `python`
    environ: Mapping[str, str] = field(default_factory=dict)
    injections: Mapping[str, Injection] = field(default_factory=dict)  # by group: the proof of the check alone

    def identity(self) -> str:
        """A digest of all that the arm's timings depend on, as far as files show it."""
        digest = hashlib.sha256(repr((str(self.python), sorted(self.environ.items()))).encode())
        digest.update(repr(sorted((group, fault.model_dump()) for group, fault in self.injections.items())).encode())
        for path in sorted((self.root / "harness").rglob("*.py")) if self.root else []:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def parse_arm(text: str) -> ArmSpec:
    """Raises ArmError for what is no arm."""
    ref: str | None = None
    python: Path | None = None
    environ: dict[str, str] = {}
    for part in _NEXT_PART.split(text.strip()):
        kind, _, value = part.partition("=")
        if kind == "ref" and value and ref is None:
            ref = value
        elif kind == "python" and value and python is None:
            python = _interpreter(text, value)
        elif kind.startswith("env:") and _VARIABLE.fullmatch(name := kind.removeprefix("env:")) and "=" in part:
            if name in environ:
                raise ArmError(f"arm {text!r}: {name} stands twice; allowed: each once")
            _refuse_without_effect(text, name, value)
            environ[name] = value
        elif part != "here":
            raise ArmError(f"arm {text!r}: {part!r} is none; allowed: {ALLOWED}")
    return ArmSpec(text=text.strip(), ref=ref, python=python, environ=tuple(sorted(environ.items())))


def _refuse_without_effect(text: str, name: str, value: str) -> None:
    """What no launch would have as the arm says it. What a cell decides is refused once the cells are known."""
    if name in _OWN_VARIABLES or not without_place({name: value}):
        raise ArmError(f"arm {text!r}: {name} is set by the harness itself; allowed: other variables")
    if is_taken_out(name, value):
        raise ArmError(
            f"arm {text!r}: {name}={value} names cores, and each worker is pinned to its own; allowed: --no-pin, or "
            "places by their kind, such as OMP_PLACES=threads"
        )


def _interpreter(text: str, value: str) -> Path:
    found = shutil.which(value)
    if found is None:
        raise ArmError(f"arm {text!r}: python: {value} is no interpreter that can be run")
    return Path(found).absolute()  # not resolved: a virtual environment's python is a link


@contextmanager
def ready(specs: tuple[ArmSpec, ArmSpec]) -> Iterator[tuple[Arm, Arm]]:
    """Both arms, their worktrees there as long as the block lasts. Raises ArmError."""
    root = checkout_root()
    if root is not None and all(spec.ref for spec in specs):
        _refuse_what_is_in_neither(root)
    with _rooted(specs[0], root) as a, _rooted(specs[1], root) as b:
        yield a, b


@contextmanager
def _rooted(spec: ArmSpec, root: Path | None) -> Iterator[Arm]:
    python = spec.python or Path(sys.executable)
    if spec.ref is None:
        yield Arm(name=spec.text, python=python, root=root, environ=dict(spec.environ))
        return
    with worktree(root, spec.ref) as tree:
        if spec.python is None and root is not None:
            _refuse_other_pins(spec, requirements_of(tree), requirements_of(root))
        yield Arm(name=spec.text, python=python, root=tree, environ=dict(spec.environ))


def _refuse_other_pins(spec: ArmSpec, theirs: frozenset[str], ours: frozenset[str]) -> None:
    """The commit would run in an environment that is not its own, and answer for versions that it never had."""
    if theirs != ours:
        there, here = (", ".join(sorted(pins)[:3]) or "nothing" for pins in (theirs - ours, ours - theirs))
        raise ArmError(
            f"arm {spec.text}: it pins {there} where this checkout pins {here}; give it an environment of its own: "
            f"{spec.text},python=PATH"
        )


def other_suites(suite_file: Path, arms: Sequence[Arm]) -> list[str]:
    """A note for each arm in whose own checkout the suite is another: cells and gates are this checkout's for both."""
    root = checkout_root()
    if root is None or not suite_file.resolve().is_relative_to(root):
        return []
    place, content = suite_file.resolve().relative_to(root), suite_file.read_bytes()
    own = {arm.name: arm.root / place for arm in arms if arm.root is not None}
    return [
        f"{place} is another at {name}: both arms ran this checkout's"
        for name, path in own.items()
        if not path.exists() or path.read_bytes() != content
    ]


def _refuse_what_is_in_neither(root: Path) -> None:
    """Two refs beside uncommitted changes: whoever changed them believes that they are being tested."""
    changed = changed_files(root)
    if changed:
        raise ArmError(
            f"uncommitted changes ({', '.join(changed[:3])}{', ...' if len(changed) > 3 else ''}) are in neither arm: "
            "commit or stash them, or compare with `--b here`"
        )


def environment_of(arm: Arm) -> dict[str, str]:
    """The environment of the arm's processes. An older harness asks git as it finds it."""
    environ = {**without_git(os.environ), **arm.environ}
    if arm.root is not None:
        before = environ.get("PYTHONPATH")
        environ["PYTHONPATH"] = f"{arm.root}{os.pathsep}{before}" if before else str(arm.root)
    return environ
