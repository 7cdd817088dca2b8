"""No test is left out without a word: the end of a run says what this machine lacks, and what was not asked for."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from harness.backends.triton_first import import_triton
from harness.bootstrap.horovod_wheel import kept_source
from harness.bootstrap.mpi import version_of
from harness.bootstrap.pins import ROOT
from harness.bootstrap.toolkit import find_toolkit
from harness.doctor import may_mount, network_lab
from harness.launchers.horovodrun import mpirun
from harness.records.setting_names import is_recorded
from harness.run.core_locks import LOCKS_VARIABLE
from harness.run.mpi_support import mpi_obstacle
from harness.worker.cores import num_physical
from harness.worker.machine_description import describe_machine
from harness.worker.process import PINNING_VARIABLE
from harness.workloads.data import HOW_TO_GET_FASHION, find_fashion_mnist
from tests.commit_line import commits, repository
from tests.lab import slurm
from tests.quotas import quota_parent
from tests.report import browser
from tests.surroundings import leaving_nothing

__all__ = ["commits", "repository"]  # fixtures of all tests


def has_open_mpi() -> bool:
    """Whether Horovod for PyTorch was built for the MPI that would start it, and that is Open MPI."""
    started_by = mpirun()
    return started_by is not None and mpi_obstacle("torch") is None and "Open MPI" in version_of(started_by)


NEEDS: dict[str, tuple[str, Callable[[], bool], str | None]] = {  # marker: (what, whether it is here, how to get it)
    "gpu": ("a CUDA GPU", lambda: bool(describe_machine().gpus), "a machine with one"),
    "needs_chromium": ("Chromium", browser.is_installed, browser.INSTALL),
    "needs_two_cores": ("a second core", lambda: len(os.sched_getaffinity(0)) >= 2, "a machine with two"),
    "needs_two_physical_cores": (
        "a second physical core",
        lambda: num_physical(os.sched_getaffinity(0)) >= 2,
        "a machine with two",
    ),
    "needs_checkout": ("a git checkout", lambda: (ROOT / ".git").exists(), "git clone"),
    "needs_horovod_source": (
        "the source archive of Horovod, which a build keeps",
        lambda: kept_source(os.environ).exists(),
        "make setup where its wheel is not cached",
    ),
    "needs_open_mpi": ("Horovod for PyTorch over Open MPI", has_open_mpi, "make setup where no other MPI is loaded"),
    "needs_ccache": ("ccache", lambda: shutil.which("ccache") is not None, "apt-get install ccache"),
    "nvcc": ("a CUDA toolkit", lambda: find_toolkit(os.environ) is not None, "NVIDIA's, with nvcc on the PATH"),
    "needs_fashion_mnist": ("Fashion-MNIST", lambda: find_fashion_mnist() is not None, HOW_TO_GET_FASHION),
    "needs_quotas": ("control groups that can be given a CPU quota", lambda: quota_parent() is not None, "root"),
    "needs_root": ("root", lambda: os.geteuid() == 0, "sudo"),
    "needs_mounts": ("the right to mount", may_mount, "root, in a container --privileged"),
    "needs_slurm": ("Slurm", slurm.is_installed, slurm.INSTALL),
    "lab": ("a network lab", lambda: network_lab().present, network_lab().mend),
}
NOT_ASKED_FOR = {  # marker: what such tests do, and what runs them
    "lab": "run over several emulated hosts, as root: make lab",
    "gpu": "run on a CUDA GPU: make gpu",
    "nvcc": "set up for CUDA, in 15 minutes and without a GPU: python -m pytest -m nvcc tests/bootstrap",
}
# Other work on the machine is no fault of the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")
import_triton()  # before the conftest.py of a folder, or a test, imports TensorFlow
_LACKING = pytest.StashKey[dict[str, list[str]]]()
_NUM_LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    # What is captured is no terminal, whatever a CI service says, and as wide as its lines, whatever a shell exports.
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        os.environ.pop(name, None)
    # Nor is a setting of whoever starts the tests one of theirs: records and checks would tell of it. Tests of other
    # hosts and of GPUs, which are asked for by name, may need what leads to these.
    if config.getoption("markexpr") not in ("gpu", "lab"):
        for name in [name for name in os.environ if is_recorded(name) or name == PINNING_VARIABLE]:
            del os.environ[name]
    os.environ[LOCKS_VARIABLE] = tempfile.mkdtemp(prefix="hvdbench-locks-")  # tests measure nothing: they do not wait
    # Who started the tests in the background of a script has them ignore Ctrl-C, and with them what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for marker, (what, _, _) in NEEDS.items():
        config.addinivalue_line("markers", f"{marker}: runs where there is {what}")
    config.stash[_NUM_LEFT_OUT] = Counter()
    config.stash[_LACKING] = {marker: [] for marker, (_, is_here, _) in NEEDS.items() if not is_here()}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    with leaving_nothing():
        yield


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name of a case of bytes: they hold the time where they are an archive, and two processes would differ in it."""
    return argname if isinstance(val, bytes) else None


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ.pop(LOCKS_VARIABLE), ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Of several processes that run tests, each collects them all; the one that writes the summary collects none."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = config.stash[_LACKING], dict(config.stash[_NUM_LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if "left_out" in getattr(node, "workeroutput", {}):  # not where it died
        lacking, num_left_out = node.workeroutput["left_out"]
        node.config.stash[_LACKING] = lacking
        node.config.stash[_NUM_LEFT_OUT] = Counter(num_left_out)


@pytest.hookimpl(trylast=True)  # when those that were not asked for are out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker, not_run in config.stash[_LACKING].items():
        for item in items:
            if item.get_closest_marker(marker):
                not_run.append(item.nodeid)
                item.add_marker(pytest.mark.skip(reason=f"needs {NEEDS[marker][0]}"))


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        item.config.stash[_NUM_LEFT_OUT].update(marker for marker in NOT_ASKED_FOR if item.get_closest_marker(marker))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    num_left_out = config.stash[_NUM_LEFT_OUT]
    if num_left_out:
        terminalreporter.section("what was not asked for")
    for marker, num_tests in num_left_out.items():
        terminalreporter.line(f"{num_tests} tests {NOT_ASKED_FOR[marker]}")
    lacking = config.stash[_LACKING]
    if not lacking:
        return
    terminalreporter.section("what this machine lacks")
    for marker, not_run in lacking.items():
        what, _, how = NEEDS[marker]
        cost = f"{len(not_run)} tests were not run" if not_run else "none of these tests needs it"
        terminalreporter.line(f"{what}: {cost}; to have it: {how}")
        for nodeid in not_run:
            terminalreporter.line(f"  {nodeid}")
