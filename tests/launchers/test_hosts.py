"""Hosts and slots, as the command line and a hostfile give them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.launchers.hosts import Host, HostsError, parse_hosts, placement, read_hostfile, this_machine
from harness.suite.cell import Cell

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
hosts = st.lists(
    st.builds(lambda name, slots: Host(name=name, slots=slots), names, st.integers(1, 1000)),
    min_size=1,
    max_size=5,
    unique_by=lambda host: host.name,
).map(tuple)


@given(hosts)
def test_list_is_read_back(named: tuple[Host, ...]) -> None:
    assert parse_hosts(",".join(f"{host.name}:{host.slots}" for host in named)) == named


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hosts, st.sampled_from(["{} slots={}", "  {}\tslots = {}  ", "# a comment\n\n{} slots={}"]))
def test_hostfile_is_read_back(tmp_path: Path, named: tuple[Host, ...], line: str) -> None:
    path = tmp_path / "hosts"
    path.write_text("\n".join(line.format(host.name, host.slots) for host in named))
    assert read_hostfile(path) == named


def test_host_without_slots_has_one(tmp_path: Path) -> None:
    assert parse_hosts("a,b:2") == (Host(name="a", slots=1), Host(name="b", slots=2))
    path = tmp_path / "hosts"
    path.write_text("a\nb slots=2\n")
    assert read_hostfile(path) == parse_hosts("a,b:2")


@given(st.text(max_size=20))
def test_any_text_is_hosts_or_refused(text: str) -> None:
    try:
        found = parse_hosts(text)
    except HostsError as error:
        assert "; allowed: " in str(error)  # noqa: PT017  (either is right)
    else:
        assert all(host.name and host.slots >= 1 for host in found)


@pytest.mark.parametrize("text", ["", "a:0", "a:-1", "a:b", "a:2:3", "a b", "a,,b", ":2", "a:2,", "a:²", "-v", "a;b"])
def test_list_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HostsError) as caught:
        parse_hosts(text)
    assert f"-H {text}" in str(caught.value)
    assert str(caught.value).endswith("allowed: name:slots,name:slots")


def test_host_named_twice_is_refused(tmp_path: Path) -> None:
    """Two hosts would be one, and a cell over two hosts would stay on one without a word."""
    with pytest.raises(HostsError, match="-H a:2,b:2,a:1: 'a' stands twice; allowed: each host once"):
        parse_hosts("a:2,b:2,a:1")
    path = tmp_path / "hosts"
    path.write_text("a\na slots=2\n")
    with pytest.raises(HostsError, match="'a' stands twice"):
        read_hostfile(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names no host; allowed: lines `name slots=2`"),
        (b"# nothing\n\n", "names no host"),
        (b"a slots=0\n", "'a slots=0' is no host"),
        (b"a:2\n", "'a:2' is no host"),
        (b"a slots=2 max_slots=4\n", "is no host"),
        (b"\xff\n", "unreadable"),
    ],
)
def test_hostfile_that_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(content)
    with pytest.raises(HostsError) as caught:
        read_hostfile(path)
    assert str(caught.value).startswith(f"--hostfile {path}: ")
    assert message in str(caught.value)


def test_hostfile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostsError, match=r"--hostfile .*/none: unreadable \("):
        read_hostfile(tmp_path / "none")


def test_this_machine_has_a_slot_a_core() -> None:
    assert this_machine() == (Host(name="localhost", slots=len(os.sched_getaffinity(0))),)


def cell_of(workers: int, on_hosts: int) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": "allreduce", "workers": workers, "hosts": on_hosts})


@given(hosts, st.integers(1, 6), st.integers(1, 8))
def test_placement_puts_the_same_number_on_the_first_hosts_or_refuses(
    named: tuple[Host, ...], on_hosts: int, each: int
) -> None:
    cell = cell_of(on_hosts * each, on_hosts)
    fits = on_hosts <= len(named) and all(host.slots >= each for host in named[:on_hosts])
    try:
        placed = placement(cell, named)
    except HostsError:
        assert not fits
    else:
        assert fits
        assert [(host.name, host.slots) for host in placed] == [(host.name, each) for host in named[:on_hosts]]


@pytest.mark.parametrize(
    ("workers", "on_hosts", "message"),
    [
        (
            3,
            1,
            "workers: 3 on a; allowed: up to its 2 slots; `hosts` in the suite shares them out, "
            "`hvdbench run -H a:3` says that it may take more",
        ),
        (3, 3, r"hosts: 3; allowed: up to 2 \(a, b\); `hvdbench run -H` or --hostfile names more"),
        (3, 2, "workers: 3 do not divide among 2 hosts"),
    ],
)
def test_placement_says_what_is_allowed(workers: int, on_hosts: int, message: str) -> None:
    with pytest.raises(HostsError, match=message):
        placement(cell_of(workers, on_hosts), parse_hosts("a:2,b:2"))
