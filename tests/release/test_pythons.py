"""A Python counts that runs, not one that a name on the PATH promises."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.release.pythons import interpreters, others

THIS = ".".join(map(str, sys.version_info[:2]))


def test_shim_of_a_version_that_is_not_activated_is_passed_over(tmp_path: Path) -> None:
    shims, pyenv = tmp_path / "shims", tmp_path / "pyenv" / "versions" / f"{THIS}.7" / "bin"
    for folder in (shims, pyenv):
        folder.mkdir(parents=True)
    shim = shims / f"python{THIS}"
    shim.write_text("#!/bin/sh\necho command not found >&2\nexit 127\n")
    shim.chmod(0o755)
    (pyenv / f"python{THIS}").symlink_to(sys.executable)
    environ = {"PATH": str(shims), "PYENV_ROOT": str(tmp_path / "pyenv")}
    assert interpreters(environ) == {THIS: pyenv / f"python{THIS}"}
    assert others(interpreters(environ)) == {}


def test_no_python_is_found_where_there_is_none(tmp_path: Path) -> None:
    assert interpreters({"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)}) == {}
