"""Hosts and slots as people have them: `-H a:2,b:2`, a hostfile of Open MPI or MPICH, a batch system's node list."""

from __future__ import annotations

import codecs
import getpass
import ipaddress
import itertools
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from harness.plain_text import counted
from harness.suite.cell import Cell

_NAME = r"((?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)"
_COUNT = r"[1-9][0-9]{0,8}"
_IN_LIST = re.compile(rf"{_NAME}(:(?P<slots>{_COUNT}))?")
# Open MPI's `a slots=2 max_slots=4`, MPICH's `a:2`; of a batch system, a line a slot.
_IN_FILE = re.compile(
    rf"{_NAME}(:(?P<after_colon>{_COUNT})|\s+slots\s*=\s*(?P<slots>{_COUNT}))?"
    rf"(\s+max[-_]slots\s*=\s*(?P<max_slots>{_COUNT}))?"
)
_HERE = "this machine"
_LIST_ALLOWED = "name:slots,name:slots"
_FILE_ALLOWED = "lines `name slots=2` or `name:2`, or `name` once for each slot"


class HostsError(Exception):
    """Hosts that cannot be used; the message says what is wrong and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Host:
    name: str
    slots: int

    @property
    def is_this_machine(self) -> bool:
        return self.name == "localhost" or _HERE in _addresses(self.name)


def this_machine() -> tuple[Host, ...]:
    return (Host(name="localhost", slots=len(os.sched_getaffinity(0))),)


def unresolved_name() -> str | None:
    """This machine's own, where it cannot be looked up: Horovod's Gloo then dies of a segmentation fault."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return name
    return None


def how_to_resolve(name: str) -> str:
    return f"echo 127.0.0.1 {name} >> /etc/hosts"


def parse_hosts(text: str, *, given_as: str | None = None) -> tuple[Host, ...]:
    """From `a:2,b:2`; a host without slots has one for each time that it is named. Raises HostsError.

    given_as: what a message calls it, unless -H.
    """
    return _hosts(_IN_LIST, text.split(","), given_as or f"-H {text or repr(text)}", _LIST_ALLOWED)


def read_hostfile(path: Path, *, given_as: str | None = None) -> tuple[Host, ...]:
    """The hosts of a file, comments and empty lines passed over. Raises HostsError.

    given_as: what a message calls it, unless --hostfile.
    """
    where = given_as or f"--hostfile {path}"
    try:
        lines = _decoded(path.read_bytes()).splitlines()
    except OSError as error:
        raise HostsError(f"{where}: unreadable ({error})") from None
    named = [line for line in (line.partition("#")[0].strip() for line in lines) if line]
    if not named:
        raise HostsError(f"{where}: names no host; allowed: {_FILE_ALLOWED}")
    return _hosts(_IN_FILE, named, where, _FILE_ALLOWED)


def _decoded(content: bytes) -> str:
    """Editors of other systems write UTF-16, or a byte order mark."""
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf_16 else "utf-8-sig", errors="replace")


def _hosts(pattern: re.Pattern[str], texts: Iterable[str], where: str, allowed: str) -> tuple[Host, ...]:
    slots: dict[str, int] = {}
    counted: set[str] = set()  # named with a number of slots
    for text in texts:
        found = pattern.fullmatch(text.strip())
        if found is None:
            raise HostsError(f"{where}: {text!r} is no host{_why_none(text)}; allowed: {allowed}")
        parts = found.groupdict()
        _require_no_user(parts["user"], parts["name"], where)
        given = parts["slots"] or parts.get("after_colon")
        if parts["name"] in counted or (given and parts["name"] in slots):
            raise HostsError(f"{where}: {parts['name']!r} stands twice; allowed: each host once, or once for each slot")
        if int(given or 1) > int(parts.get("max_slots") or given or 1):
            raise HostsError(f"{where}: {text!r} has more slots than max_slots; allowed: {allowed}")
        if given:
            counted.add(parts["name"])
        slots[parts["name"]] = slots.get(parts["name"], 0) + int(given or 1)
    return tuple(Host(name=name, slots=count) for name, count in slots.items())


def _require_no_user(user: str | None, name: str, where: str) -> None:
    """horovodrun takes none; one's own is who ssh would take anyway."""
    if user is not None and user != _own_name():
        raise HostsError(
            f"{where}: {user}@{name}: horovodrun takes no user; allowed: {name}, with `Host {name}` and `User {user}` "
            "in ~/.ssh/config"
        )


def _own_name() -> str | None:
    """None in a container whose user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def _why_none(text: str) -> str:
    """What is wrong with an address of IPv6, which horovodrun has no way to take."""
    address = re.sub(r"^\[(.*)\](:\d+)?$", r"\1", text.split()[0]) if text.split() else ""
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return ""
    return ": horovodrun takes no IPv6 address, give it a name in /etc/hosts"


def require_distinct(hosts: Iterable[Host]) -> None:
    """Raises HostsError where two names are one machine: a cell over two hosts would stay on it without a word."""
    seen: dict[str, str] = {}
    for host in hosts:
        for address in sorted(_addresses(host.name)):
            other = seen.setdefault(address, host.name)
            if other != host.name:
                raise HostsError(f"hosts: {other} and {host.name} are one machine ({address}); allowed: each host once")


@cache
def _addresses(name: str) -> frozenset[str]:
    """Those of a name, this machine's as one; none where it cannot be resolved, which horovodrun will say."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return frozenset()
    own = {each.address for each in itertools.chain.from_iterable(psutil.net_if_addrs().values())}
    return frozenset(_HERE if each in own or ipaddress.ip_address(each).is_loopback else each for each in found)


def is_elsewhere(cell: Cell, hosts: tuple[Host, ...]) -> bool:
    """Whether one of the cell's workers goes to another machine, or would, if there were enough hosts."""
    return cell.hosts > len(hosts) or not all(host.is_this_machine for host in hosts[: cell.hosts])


def placement(cell: Cell, hosts: tuple[Host, ...]) -> tuple[Host, ...]:
    """Where the cell's workers go: the first `cell.hosts` hosts, the same number on each. Raises HostsError."""
    if cell.hosts > len(hosts):
        named = ", ".join(host.name for host in hosts)
        raise HostsError(
            f"{cell.title}: hosts: {cell.hosts}; allowed: up to {len(hosts)} ({named}); "
            "`hvdbench run -H` or --hostfile names more"
        )
    if cell.workers % cell.hosts:
        raise HostsError(f"{cell.title}: workers: {cell.workers} do not divide among {counted(cell.hosts, 'host')}")
    each = cell.workers // cell.hosts
    chosen = hosts[: cell.hosts]
    for host in chosen:
        if each > host.slots:
            raise HostsError(
                f"{cell.title}: workers: {each} on {host.name}; allowed: up to its {counted(host.slots, 'slot')}; "
                f"`hosts` in the suite shares them out, `hvdbench run -H {host.name}:{each}` says that it may take more"
            )
    return tuple(Host(name=host.name, slots=each) for host in chosen)
