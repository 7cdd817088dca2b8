"""The Pythons of this machine that hvdbench runs on, and its analysis half tried with each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.bootstrap.pins import CONSTRAINTS, ROOT
from harness.bootstrap.pythons import PYTHONS
from tests.release.installed import LIMIT_S, install, make_environment

# What needs neither a framework nor Horovod, whose build takes ten minutes a Python: the rest is `make test`'s.
ANALYSIS_HALF = ("tests/suite", "tests/records", "tests/analysis", "tests/report")
TESTS_LIMIT_S = 1200


def interpreters(environ: Mapping[str, str]) -> dict[str, Path]:
    """By version, `3.12`: of each the first that runs. One that is not activated, pyenv has on the PATH and refuses."""
    found = {}
    for version in (".".join(map(str, each)) for each in PYTHONS):
        running = next((path for path in _candidates(version, environ) if _runs(path, version)), None)
        if running is not None:
            found[version] = running
    return found


def _candidates(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    for folder in filter(None, environ.get("PATH", "").split(os.pathsep)):
        yield Path(folder, f"python{version}")
    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))


def _runs(python: Path, version: str) -> bool:
    if not python.exists():
        return False
    command = [python, "-c", "import ensurepip, sys; print('{}.{}'.format(*sys.version_info))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    return done.stdout.strip() == version


def try_analysis_half(python: Path, prefix: Path) -> None:
    """Its tests, in an environment made of the pins. Raises CalledProcessError where one fails."""
    made = make_environment(python, prefix)
    install(made, "-c", CONSTRAINTS, *_requirements())
    command = [made, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *ANALYSIS_HALF]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=TESTS_LIMIT_S)


def _requirements() -> list[str]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def others(found: Mapping[str, Path]) -> dict[str, Path]:
    """Without the version that runs this, whose tests are all of them."""
    this = ".".join(map(str, sys.version_info[:2]))
    return {version: path for version, path in found.items() if version != this}
