"""`python -m tests.release COMMAND`: `dist` makes archive and wheel, `check` tries them, `pythons` other Pythons.

`changelog` adds the section of the version that pyproject.toml states.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from harness.bootstrap.pins import ROOT
from tests.release.changelog import add_section
from tests.release.check import check_release, load_version
from tests.release.dist import build
from tests.release.pythons import interpreters, others, try_analysis_half


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("command", choices=["dist", "check", "changelog", "pythons"])
    parser.add_argument("-o", dest="folder", type=Path, default=ROOT / "dist", help="of dist: where both go")
    options = parser.parse_args()
    if options.command == "dist":
        print(*build(ROOT, options.folder), sep="\n")
    elif options.command == "check":
        check_release()
    elif options.command == "changelog":
        add_section(ROOT, load_version())
    else:
        try_pythons()


def try_pythons() -> None:
    found = others(interpreters(os.environ))
    print(f"pythons: besides this one there are: {', '.join(found) or 'none'}", flush=True)
    for version, python in found.items():
        print(f"pythons: the analysis half with Python {version}, {python}", flush=True)
        with tempfile.TemporaryDirectory(prefix="hvdbench-python-") as scratch:
            try_analysis_half(python, Path(scratch))


if __name__ == "__main__":
    main()
