"""`python -m tests.release dist`: makes the source archive and the wheel."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.bootstrap.pins import ROOT
from tests.release.dist import build


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("command", choices=["dist"])
    parser.add_argument("-o", dest="folder", type=Path, default=ROOT / "dist", help="where both go")
    options = parser.parse_args()
    for path in build(ROOT, options.folder):
        print(path)


if __name__ == "__main__":
    main()
