"""What is trained: data sets, layers as data, initial weights; and users' own. NumPy only, no framework is known here.

from harness.workloads import ACCURACY, KerasWorkload, Metric, Stream, TorchWorkload  # for a training file of your own
"""

from __future__ import annotations

from harness.workloads.metric import ACCURACY, SHARE, Metric
from harness.workloads.own import KerasWorkload, TorchWorkload
from harness.workloads.stream import Stream

__all__ = ["ACCURACY", "SHARE", "KerasWorkload", "Metric", "Stream", "TorchWorkload"]
