"""What a cell asks of a Horovod that already runs, in a launch that others made."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from harness.fabrics import horovod
from harness.fabrics.horovod import YIELDS, apply_settings
from harness.protocols import HorovodOptions


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """None of whoever runs the tests."""
    made: dict[str, str] = {}
    monkeypatch.setattr(horovod, "os", SimpleNamespace(environ=made))
    return made


def test_options_are_put_into_the_environment_before_horovod_runs(environ: dict[str, str]) -> None:
    options = HorovodOptions(cycle_time_ms=7, mpi_yield_when_idle=False)
    apply_settings(options, controller="mpi", initialized=False)
    assert environ == {YIELDS: "0", "HOROVOD_CYCLE_TIME": "7.0"}


@pytest.mark.parametrize(
    ("controller", "of_launch", "in_force", "found"),
    [
        ("mpi", {YIELDS: "1"}, True, "with 1"),
        ("mpi", {}, True, "without it"),  # oversubscribed, or by a file of Open MPI's
        ("mpi", {YIELDS: "0"}, False, None),
        ("mpi", {}, False, None),  # as Open MPI does where nobody says anything
        ("mpi", {}, None, None),  # another MPI
        ("gloo", {YIELDS: "1"}, True, None),
    ],
)
def test_core_that_a_launch_gives_away_is_refused_to_whom_wants_it_kept(
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    controller: str,
    of_launch: dict[str, str],
    in_force: bool | None,
    found: str | None,
) -> None:
    monkeypatch.setattr(horovod, "yields_when_idle", lambda: in_force)
    environ.update(of_launch)
    apply_settings(HorovodOptions(), controller=controller, initialized=True)
    options = HorovodOptions(mpi_yield_when_idle=False)
    if found is None:
        apply_settings(options, controller=controller, initialized=True)
        return
    said = f"options.mpi_yield_when_idle: {YIELDS}=0 is asked for, but Horovod already runs {found}; allowed: set so"
    with pytest.raises(ValueError, match=re.escape(said)):
        apply_settings(options, controller=controller, initialized=True)


@pytest.mark.parametrize(("set_to", "is_met"), [("7", True), ("7.0", True), ("5", False), (None, False)])
def test_cycle_time_of_a_launch_is_compared_as_a_number(
    environ: dict[str, str], set_to: str | None, is_met: bool
) -> None:
    if set_to is not None:
        environ["HOROVOD_CYCLE_TIME"] = set_to
    options = HorovodOptions(cycle_time_ms=7)
    if is_met:
        apply_settings(options, controller="gloo", initialized=True)
        return
    with pytest.raises(ValueError, match=r"options\.cycle_time_ms: HOROVOD_CYCLE_TIME=7\.0 is asked for, but Horovod"):
        apply_settings(options, controller="gloo", initialized=True)
