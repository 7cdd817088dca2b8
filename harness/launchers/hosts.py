"""Hosts and slots, as horovodrun takes them: `-H a:2,b:2` or a hostfile with lines `a slots=2`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from harness.suite.cell import Cell

_IN_LIST = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)(:(?P<slots>[1-9][0-9]*))?")
_IN_FILE = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)(\s+slots\s*=\s*(?P<slots>[1-9][0-9]*))?")


class HostsError(Exception):
    """Hosts that cannot be used; the message says what is wrong and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Host:
    name: str
    slots: int


def this_machine() -> tuple[Host, ...]:
    return (Host(name="localhost", slots=len(os.sched_getaffinity(0))),)


def parse_hosts(text: str) -> tuple[Host, ...]:
    """From `a:2,b:2`; a host without slots has one. Raises HostsError."""
    return _hosts(_IN_LIST, text.split(","), f"-H {text}", "name:slots,name:slots")


def read_hostfile(path: Path) -> tuple[Host, ...]:
    """Lines `name slots=2`; empty lines and those starting with # are passed over. Raises HostsError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HostsError(f"--hostfile {path}: unreadable ({error})") from None
    named = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not named:
        raise HostsError(f"--hostfile {path}: names no host; allowed: lines `name slots=2`")
    return _hosts(_IN_FILE, named, f"--hostfile {path}", "lines `name slots=2`")


def _hosts(pattern: re.Pattern[str], texts: list[str], where: str, allowed: str) -> tuple[Host, ...]:
    hosts: dict[str, Host] = {}
    for text in texts:
        found = pattern.fullmatch(text.strip())
        if found is None:
            raise HostsError(f"{where}: {text!r} is no host; allowed: {allowed}")
        name = found["name"]
        if name in hosts:
            raise HostsError(f"{where}: {name!r} stands twice; allowed: each host once")
        hosts[name] = Host(name=name, slots=int(found["slots"] or 1))
    return tuple(hosts.values())


def placement(cell: Cell, hosts: tuple[Host, ...]) -> tuple[Host, ...]:
    """Where the cell's workers go: the first `cell.hosts` hosts, the same number on each. Raises HostsError."""
    if cell.hosts > len(hosts):
        named = ", ".join(host.name for host in hosts)
        raise HostsError(
            f"{cell.title}: hosts: {cell.hosts}; allowed: up to {len(hosts)} ({named}); "
            "`hvdbench run -H` or --hostfile names more"
        )
    if cell.workers % cell.hosts:
        raise HostsError(f"{cell.title}: workers: {cell.workers} do not divide among {cell.hosts} hosts")
    each = cell.workers // cell.hosts
    chosen = hosts[: cell.hosts]
    for host in chosen:
        if each > host.slots:
            raise HostsError(
                f"{cell.title}: workers: {each} on {host.name}; allowed: up to its {host.slots} slots; "
                f"`hosts` in the suite shares them out, `hvdbench run -H {host.name}:{each}` says that it may take more"
            )
    return tuple(Host(name=host.name, slots=each) for host in chosen)
