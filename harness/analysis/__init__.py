"""From records to tidy frames and honest statistics, with pandas alone: no framework is imported.

from harness.analysis import load, load_all
runs = load("results/quick")        # one row a run; harness/analysis/columns.py says what each column holds
results = load_all("results/quick") # .runs, .workers, .windows, .curve, .staleness
"""

from __future__ import annotations

from harness.analysis.export import export
from harness.analysis.loading import Results, load, load_all

__all__ = ["Results", "export", "load", "load_all"]
