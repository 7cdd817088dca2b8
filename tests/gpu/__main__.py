"""`python -m tests.gpu [FILE]`: the harness' measured loop over a bare one, ResNet-18 on a GPU; a minute or two.

The two sides take turns of a few seconds in one process, so that the card is as warm for one as for the other. FILE
keeps what was found, as JSON, with the card and the versions.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from harness.run.versions import installed_versions, revision
from harness.suite.cell import Cell
from harness.worker.machine_description import describe_machine
from tests.gpu.bare_loop import BareLoop
from tests.gpu.replicas import prepare
from tests.perf.figure import Figure
from tests.perf.harness_loop import harness_loop

BAR = 0.98
NUM_TURNS = 5  # of each side
TURN_S = 2.0
CALIBRATION_STEPS = 16
IMAGES = {"name": "synthetic", "num_samples": 512, "size": 224, "channels": 3, "num_classes": 1000}
BATCH_SIZE = {"float32": 64, "bf16": 128}


def main() -> int:
    if not torch.cuda.is_available():
        print("tests.gpu: PyTorch sees no CUDA GPU; wanted: a machine with one", file=sys.stderr)
        return 2
    print(f"{torch.cuda.get_device_name()}, {installed_versions()}, commit {revision()}", flush=True)
    kept = {"machine": describe_machine().model_dump(), "versions": installed_versions(), "revision": revision()}
    figures = []
    for precision in BATCH_SIZE:
        speeds = measured(resnet18(precision))
        figures.append(figure(precision, speeds))
        print(figures[-1], flush=True)
        kept[precision] = {**speeds, "batch_size": BATCH_SIZE[precision], "ratio": figures[-1].median}
        if sys.argv[1:]:
            Path(sys.argv[1]).write_text(json.dumps(kept, indent=1))
    return 0 if all(each.holds for each in figures) else 1


def resnet18(precision: str) -> Cell:
    fields = {"workload": "resnet18", "dataset": IMAGES, "strategy": "serial", "device": "gpu", "evaluations": 0}
    return Cell.model_validate({**fields, "precision": precision, "batch_size": BATCH_SIZE[precision]})


def measured(cell: Cell) -> dict[str, list[float]]:
    """Images/s of each side, turn by turn, once both are warm."""
    prepare(cell.device)
    bare = BareLoop(cell)
    bare.samples_per_s(CALIBRATION_STEPS)
    num_steps = max(CALIBRATION_STEPS, int(bare.samples_per_s(CALIBRATION_STEPS) * TURN_S / cell.batch_per_worker))
    harness = harness_loop(cell, time.perf_counter, num_steps)
    harness()
    sides = {"harness": harness, "bare": lambda: bare.samples_per_s(num_steps)}
    found: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(NUM_TURNS):
        for side in sorted(sides, reverse=bool(turn % 2)):
            found[side].append(sides[side]())
    return found


def figure(precision: str, found: dict[str, list[float]]) -> Figure:
    ratios = tuple(ours / bare for ours, bare in zip(found["harness"], found["bare"], strict=True))
    return Figure(what=f"resnet18 in {precision}: harness over a bare PyTorch loop, images/s", values=ratios, bar=BAR)


if __name__ == "__main__":
    sys.exit(main())
