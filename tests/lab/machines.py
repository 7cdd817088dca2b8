"""Several hosts on one machine: each a set of namespaces (network, processes, mounts, hostname) with its own sshd.

    head ──┬── lab1        head has the bridge; commands are started on it
           └── lab2

A host sees neither the others' processes nor this machine's: what ends a process there would end it on a cluster. The
file system is shared, as a cluster's results folder is. The network interface is called lab0 everywhere: horovodrun
takes one name for all hosts, the launching one included.

Nothing outlives the process that builds a lab, even one killed outright: hosts die with it, the kernel ends all
processes of a host whose first one is gone, and links go with their last process. Nothing of the user's is written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

INTERFACE = "lab0"
NETWORK = "10.77.0"
HEAD_ADDRESS = f"{NETWORK}.254"
STARTING_TAKES_AT_MOST_S = 60.0
ADMIN_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

# sshd is a host's first process. It wants a folder in /run, which is made in a /run of the host's own.
FIRST_PROCESS = """
hostname "$1"
mount --bind "$2/hosts" /etc/hosts
mount -t tmpfs tmpfs /run
mkdir /run/sshd
exec "$(command -v sshd)" -D -e -f "$2/sshd_config" -o PidFile="$2/$1.pid"
"""
SSHD_CONFIG = """
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
StrictModes no
PasswordAuthentication no
UsePAM no
"""
SSH_CONFIG = """
IdentityFile {folder}/key
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile /dev/null
"""
SSH = """#!/bin/sh
exec {ssh} -F {folder}/ssh_config "$@"
"""


class LabError(Exception):
    """A lab that cannot be built; the message has what the failing tool said."""


@dataclass(frozen=True, kw_only=True)
class Host:
    name: str
    address: str
    pid: int  # of its first process, as this machine sees it

    def bytes_sent(self) -> int:
        """What has left its interface so far."""
        lines = Path(f"/proc/{self.pid}/net/dev").read_text().splitlines()
        counters = next(line.split(":")[1].split() for line in lines if line.strip().startswith(f"{INTERFACE}:"))
        return int(counters[8])

    def processes(self) -> list[psutil.Process]:
        """All that run on it, beside its sshd."""
        namespace = Path(f"/proc/{self.pid}/ns/pid").readlink()
        found = []
        for process in psutil.process_iter():
            try:
                if Path(f"/proc/{process.pid}/ns/pid").readlink() == namespace and process.name() != "sshd":
                    found.append(process)
            except (OSError, psutil.NoSuchProcess):
                continue  # gone meanwhile, or not to be looked at, which none of a lab's is
        return found


@dataclass(frozen=True, kw_only=True)
class Lab:
    folder: Path
    head: Host
    hosts: tuple[Host, ...]

    @property
    def listed(self) -> str:
        """The hosts as -H takes them."""
        return ",".join(f"{host.name}:1" for host in self.hosts)

    def argv(self, *command: str | Path) -> list[str]:
        """The command as started on the head, in this process' working directory."""
        enter = ["nsenter", f"--target={self.head.pid}", "--net", "--uts", "--pid", "--mount", f"--wdns={Path.cwd()}"]
        return [*enter, "--", *map(str, command)]

    def environ(self) -> dict[str, str]:
        """For commands on the head: the lab's ssh and this Python's tools come first, ~ is a folder of the lab's."""
        path = [self.folder / "bin", Path(sys.executable).parent, ADMIN_PATH]
        return {**os.environ, "PATH": os.pathsep.join(map(str, path)), "HOME": str(self.folder / "home")}


@contextmanager
def network_lab(num_hosts: int = 2, *, rate: str | None = None) -> Iterator[Lab]:
    """A lab, gone after the block. rate: of each host's link in each direction, as tc takes it. Raises LabError."""
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        addresses = {"head": HEAD_ADDRESS, **{f"lab{n}": f"{NETWORK}.{n}" for n in range(1, num_hosts + 1)}}
        _write_files(folder, addresses)
        head = stack.enter_context(_host("head", HEAD_ADDRESS, folder, _cores()))
        _ip(head, "link", "add", INTERFACE, "type", "bridge")
        _set_up(head)
        hosts = []
        for index, (name, address) in enumerate(list(addresses.items())[1:]):
            host = stack.enter_context(_host(name, address, folder, _cores()[index::num_hosts] or _cores()))
            _connect(host, head, rate)
            hosts.append(host)
        yield Lab(folder=folder, head=head, hosts=tuple(hosts))


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that goes away with this process, killed outright or not: a shell waits for its end."""
    folder = Path(tempfile.mkdtemp(prefix="hvdbench-lab-"))
    wait_and_remove = ["sh", "-c", 'cat; rm -rf "$0"', str(folder)]
    with subprocess.Popen(wait_and_remove, stdin=subprocess.PIPE, start_new_session=True):
        yield folder


def _write_files(folder: Path, addresses: dict[str, str]) -> None:
    for name in ("key", "host_key"):
        _call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    (folder / "known_hosts").write_text(f"* {(folder / 'host_key.pub').read_text()}")
    known = {"localhost": "127.0.0.1", **addresses}
    (folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in known.items()))
    (folder / "sshd_config").write_text(SSHD_CONFIG.format(folder=folder))
    (folder / "ssh_config").write_text(SSH_CONFIG.format(folder=folder))
    (folder / "home").mkdir()
    (folder / "bin").mkdir()
    ssh = folder / "bin" / "ssh"  # ssh reads the user's own files whatever HOME says, unless told otherwise
    ssh.write_text(SSH.format(folder=folder, ssh=shutil.which("ssh")))
    ssh.chmod(0o755)


@contextmanager
def _host(name: str, address: str, folder: Path, cores: Sequence[int]) -> Iterator[Host]:
    """A host without links. cores: that its processes run on."""
    argv = ["setpriv", "--pdeathsig=KILL", "taskset", "--cpu-list", ",".join(map(str, cores))]
    argv += ["unshare", "--net", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child"]
    argv += ["sh", "-euc", FIRST_PROCESS, "sh", name, str(folder)]
    log = folder / f"{name}.log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={"PATH": ADMIN_PATH},
            start_new_session=True,  # a terminal's Ctrl-C is not for hosts
        ) as parent,
    ):
        try:
            _wait_for(folder / f"{name}.pid", parent, log)
            (first,) = psutil.Process(parent.pid).children()
            yield Host(name=name, address=address, pid=first.pid)
        finally:
            _end(parent)


def _end(parent: subprocess.Popen[bytes]) -> None:
    """Kills the host's first process, if it has come to that: `parent` ends when no process of the host is left."""
    if parent.poll() is None:
        unshare = psutil.Process(parent.pid)
        for process in unshare.children() or [unshare]:
            process.kill()


def _wait_for(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTING_TAKES_AT_MOST_S
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"{log.stem} did not start: {log.read_text().strip()}")
        time.sleep(0.02)


def _connect(host: Host, head: Host, rate: str | None) -> None:
    port = f"to-{host.name}"
    _ip(head, "link", "add", port, "type", "veth", "peer", "name", INTERFACE, "netns", str(host.pid))
    _ip(head, "link", "set", port, "master", INTERFACE, "up")
    _set_up(host)
    if rate is not None:
        for end, device in ((head, port), (host, INTERFACE)):
            shape = ["rate", rate, "burst", "64kb", "latency", "50ms"]
            _in_network_of(end, "tc", "qdisc", "add", "dev", device, "root", "tbf", *shape)


def _set_up(host: Host) -> None:
    _ip(host, "address", "add", f"{host.address}/24", "dev", INTERFACE)
    for device in ("lo", INTERFACE):
        _ip(host, "link", "set", device, "up")


def _ip(host: Host, *args: str) -> None:
    _in_network_of(host, "ip", *args)


def _in_network_of(host: Host, *command: str) -> None:
    _call("nsenter", f"--target={host.pid}", "--net", *command)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": ADMIN_PATH}, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
