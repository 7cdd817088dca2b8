"""Hosts and slots, as the command line and a hostfile give them."""

from __future__ import annotations

import getpass
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.arguments import read_hosts
from harness.launchers.hosts import (
    Host,
    HostsError,
    _addresses,
    parse_hosts,
    placement,
    read_hostfile,
    require_distinct,
    this_machine,
)
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


@pytest.mark.parametrize(
    "text", ["a:0", "a:-1", "a:b", "a:2:3", "a b", "a,,b", ":2", "a:2,", "a:²", "-v", "a;b", "a:" + 5000 * "9"]
)
def test_list_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HostsError) as caught:
        parse_hosts(text)
    assert f"-H {text}" in str(caught.value)
    assert str(caught.value).endswith("allowed: name:slots,name:slots")


def test_hosts_without_a_name_are_a_mistake() -> None:
    """An empty variable in a script, which must not put everything on this machine."""
    with pytest.raises(HostsError, match="-H '': '' is no host; allowed: name:slots,name:slots"):
        read_hosts("", None)


@given(st.lists(st.sampled_from(["n1", "n2.cluster", "n3"]), min_size=1, max_size=20))
def test_names_without_a_number_count_a_slot_each(named: list[str]) -> None:
    """As in $PBS_NODEFILE; in the order in which hosts are first named."""
    expected = tuple(Host(name=name, slots=named.count(name)) for name in dict.fromkeys(named))
    assert parse_hosts(",".join(named)) == expected
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(named))
        file.flush()
        assert read_hostfile(Path(file.name)) == expected


def test_host_with_slots_named_twice_is_refused(tmp_path: Path) -> None:
    """Two hosts would be one, and a cell over two hosts would stay on one without a word."""
    with pytest.raises(HostsError, match="-H a:2,b:2,a:1: 'a' stands twice; allowed: each host once"):
        parse_hosts("a:2,b:2,a:1")
    path = tmp_path / "hosts"
    for content in ("a\na slots=2\n", "a slots=2\na\n", "a:2\na slots=2\n"):
        path.write_text(content)
        with pytest.raises(HostsError, match="'a' stands twice"):
            read_hostfile(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a slots=2 # the new one\n#b slots=2\nc#\n", "a:2,c"),
        (b"a slots=2 max_slots=4\nb max-slots = 4\nc  slots=1\tmax_slots=1\n", "a:2,b,c"),
        (b"a:4\nb:2 # MPICH\n", "a:4,b:2"),
        (b"\xef\xbb\xbfa slots=2\r\nb\r\n", "a:2,b"),
        ("a slots=2\nb\n".encode("utf-16"), "a:2,b"),
        (b"# Gr\xfc\xdfe\na slots=2\n", "a:2"),
        (f"{getpass.getuser()}@a slots=2\n".encode(), "a:2"),
    ],
    ids=["comments", "max_slots", "colons", "mark", "utf-16", "latin-1", "own-name"],
)
def test_hostfile_is_taken_as_people_have_it(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(content)
    assert read_hostfile(path) == parse_hosts(expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names no host; allowed: lines `name slots=2`"),
        (b"# nothing\n\n", "names no host"),
        (b"a slots=0\n", "'a slots=0' is no host"),
        (b"a:2 slots=2\n", "is no host"),
        (b"a slots=2 max_slots=1\n", "'a slots=2 max_slots=1' has more slots than max_slots"),
        (b"\xff\n", "is no host"),
        (b"somebody@a slots=2\n", "horovodrun takes no user; allowed: a, with `Host a` and `User somebody` in"),
        (b"fe80::1 slots=2\n", "is no host: horovodrun takes no IPv6 address, give it a name in /etc/hosts; allowed"),
        (b"[2001:db8::7]:2\n", "horovodrun takes no IPv6 address"),
    ],
)
def test_hostfile_that_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(content)
    with pytest.raises(HostsError) as caught:
        read_hostfile(path)
    assert str(caught.value).startswith(f"--hostfile {path}: ")
    assert message in str(caught.value)


def test_one_machine_under_two_names_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"n1": "192.0.2.1", "n1.cluster": "192.0.2.1", "n2": "192.0.2.2", "localhost": "127.0.0.1", "me": "::1"}

    def resolved(name: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        if name not in known:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[name], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    _addresses.cache_clear()
    require_distinct(parse_hosts("n1,n2,unknown,other"))
    for pair, address in (("n1.cluster,n1", "192.0.2.1"), ("localhost,me", "this machine")):
        named = parse_hosts(pair)
        with pytest.raises(HostsError, match=rf"{named[0].name} and {named[1].name} are one machine \({address}\)"):
            require_distinct(named)
    assert [host.is_this_machine for host in parse_hosts("n1,me,localhost,unknown")] == [False, True, True, False]
    _addresses.cache_clear()


def test_hostfile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostsError, match=r"--hostfile .*/none: unreadable \("):
        read_hostfile(tmp_path / "none")


def test_this_machine_has_a_slot_a_core() -> None:
    assert this_machine() == (Host(name="localhost", slots=len(os.sched_getaffinity(0))),)


def cell_of(workers: int, on_hosts: int) -> Cell:
    few = {"workload": "fnn", "strategy": "allreduce", "batch_size": 8}  # of a data set's 1437, whatever the workers
    return Cell.model_validate({**few, "workers": workers, "hosts": on_hosts})


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
