"""The benchmarks there are, modules with `figures()`; `python -m tests.perf.benchmarks NAME` measures one of them.

Imported late: none has another's framework loaded. Asked to end, it ends what it has started, and then itself.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import NoReturn

from tests.perf.figure import Figure

BENCHMARKS = (
    *("torch_loops", "tensorflow_loops", "launches"),
    *("servers", "environments", "overhead", "reports", "checks"),
)
EXIT_MISSED, EXIT_INTERRUPTED = 3, 130
_ASKING = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    for number in _ASKING:
        signal.signal(number, _interrupt)
    figures: list[Figure] = importlib.import_module(f"tests.perf.{sys.argv[1]}").figures()
    for figure in figures:
        print(figure, flush=True)
    return 0 if all(figure.holds for figure in figures) else EXIT_MISSED


def _interrupt(number: int, frame: object) -> NoReturn:
    """Once: what is on its way out is not interrupted again, by Ctrl-C and then by the parent's end."""
    for asking in _ASKING:
        signal.signal(asking, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
