"""Writes a file to begin with; the templates lie beside this module, linted and type-checked like all else."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from harness.sources import hides_installed

_UNFIT = re.compile(r"""[:"'\\\x00-\x1f]""")  # for the name of code, or for the file's own docstring

TEMPLATES = {"torch": "torch_workload.py", "keras": "keras_workload.py"}


class NewFileError(Exception):
    """A file that is not written; the message says why and what would be."""


def write_workload(file: Path, framework: str) -> None:
    """Raises NewFileError rather than overwrite anything."""
    if framework not in TEMPLATES:
        raise NewFileError(f"--framework {framework}: no such template; allowed: {', '.join(TEMPLATES)}")
    if file.suffix != ".py":
        raise NewFileError(f"{file}: no Python file; allowed: a name that ends in .py")
    if _UNFIT.search(file.name):
        raise NewFileError(f"{file}: a name with colons, quotes or backslashes; allowed: one without")
    if hides_installed(file):
        raise NewFileError(f"{file}: would hide the module {file.stem} from what imports it; allowed: another name")
    template = (Path(__file__).parent / TEMPLATES[framework]).read_text(encoding="utf-8")
    text = template.replace("FILE:make", name_to_type(file.name))
    try:
        with file.open("x", encoding="utf-8") as sink:
            sink.write(text)
    except FileExistsError:
        raise NewFileError(f"{file}: is there already, and is not overwritten; allowed: another name") from None
    except OSError as error:
        raise NewFileError(f"{file}: cannot be written ({error.strerror}); allowed: a place that can be") from None


def name_to_type(file: str | Path) -> str:
    """The workload in that file, as a shell takes it."""
    return shlex.quote(f"{file}:make")
