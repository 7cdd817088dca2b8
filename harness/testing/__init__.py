"""Checks that authors of strategies, optimizers, workloads and metrics run in tests of their own.

Plain functions, whatever the test runner: they raise AssertionError, which says what was expected, what was found and
which rule that breaks. Each module of this package opens with an example.
"""

from harness.testing.metric_checks import check_metric
from harness.testing.optimizer_checks import check_optimizer
from harness.testing.strategy_checks import check_equal, check_strategy
from harness.testing.workload_checks import check_workload

__all__ = ["check_equal", "check_metric", "check_optimizer", "check_strategy", "check_workload"]
