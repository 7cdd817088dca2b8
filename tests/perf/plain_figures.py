"""Figures as plain seaborn draws them: `python -m tests.perf.plain_figures REPORT FOLDER`.

As many as that report has, of its curves, each as SVG and as PNG, on as many cores as it takes itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt

from harness.report.figures import MAX_PROCESSES


def main() -> None:
    report, folder = map(Path, sys.argv[1:])
    folder.mkdir(exist_ok=True)
    mpl.use("agg")
    sns.set_theme(style="whitegrid")
    curves = _curves(report / "data")
    workloads = list(curves["workload"].unique())
    tasks = [
        (curves[curves["workload"] == workloads[number % len(workloads)]], folder / drawn.stem)
        for number, drawn in enumerate(sorted((report / "figures").glob("*.svg")))
    ]
    with multiprocessing.get_context("fork").Pool(min(MAX_PROCESSES, len(os.sched_getaffinity(0)))) as pool:
        pool.starmap(_draw, tasks)


def _curves(data: Path) -> pd.DataFrame:
    runs = pd.read_parquet(data / "runs.parquet", columns=["run", "workload", "strategy", "workers"])
    return pd.read_parquet(data / "curve.parquet", columns=["run", "step", "score"]).merge(runs, on="run")


def _draw(curves: pd.DataFrame, path: Path) -> None:
    figure, axes = plt.subplots(layout="constrained")
    sns.lineplot(curves, x="step", y="score", hue="strategy", style="workers", errorbar="sd", ax=axes)
    for suffix in (".svg", ".png"):
        figure.savefig(path.with_suffix(suffix))
    plt.close(figure)


if __name__ == "__main__":
    main()
