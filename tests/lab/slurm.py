"""Slurm on a lab: its controller on the head, a node on each other host, munge on all. It ends with the hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.lab.machines import ADMIN_PATH, STARTING_TAKES_AT_MOST_S, Host, Lab, LabError

DAEMONS = ("munged", "slurmctld", "slurmd")
PMIX = "*/pmix2/lib/libpmix.so"  # in /usr/lib, by the name that Debian's Slurm loads it
INSTALL = "apt-get install slurmctld slurmd slurm-client munge libpmix-dev"
CPUS_OF_A_NODE = 4  # whatever the machine has: how many tasks it takes

CONF = """
ClusterName=lab
SlurmctldHost=head({head_address})
SlurmUser=root
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
TmpFS={folder}/tmp-%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
JobAcctGatherType=jobacct_gather/none
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
KillWait=5
{nodes}
PartitionName=lab Nodes=ALL Default=YES
"""
NODE = "NodeName={name} NodeAddr={address} CPUs={cpus}"
MUNGE = (
    "mkdir -p /run/munge && exec munged --force --key-file={folder}/munge.key --socket=/run/munge/munge.socket.2 "
    "--pid-file=/run/munge/munged.pid --log-file=/run/munge/munged.log --seed-file=/run/munge/munged.seed"
)


def is_installed() -> bool:
    has_daemons = all(shutil.which(daemon, path=ADMIN_PATH) for daemon in DAEMONS)
    return has_daemons and any(Path("/usr/lib").glob(PMIX))


def start_slurm(lab: Lab) -> dict[str, str]:
    """The environment in which commands on the head reach it, once all nodes are idle. Raises LabError."""
    folder = lab.folder / "slurm"
    for own in ("state", *(f"tmp-{host.name}" for host in lab.hosts)):  # PMIx wants a folder that is a node's own
        (folder / own).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    nodes = (NODE.format(name=host.name, address=host.address, cpus=CPUS_OF_A_NODE) for host in lab.hosts)
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(folder=folder, head_address=lab.head.address, nodes="\n".join(nodes)))
    for host in (lab.head, *lab.hosts):
        _on(host, lab, MUNGE.format(folder=folder))
    _on(lab.head, lab, f"exec slurmctld -f {conf}")
    for host in lab.hosts:
        _on(host, lab, f"exec slurmd -f {conf} -N {host.name}")
    environ = {**lab.environ(), "SLURM_CONF": str(conf)}
    _wait_for_nodes(lab, environ, folder)
    return environ


def _on(host: Host, lab: Lab, script: str) -> None:
    """By ssh, so that what is started has the host's cores."""
    argv = lab.argv("ssh", host.name, script)
    done = subprocess.run(argv, env=lab.environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{host.name}: {script}: {done.stderr.strip()}")


def _wait_for_nodes(lab: Lab, environ: dict[str, str], folder: Path) -> None:
    deadline = time.monotonic() + STARTING_TAKES_AT_MOST_S
    argv = lab.argv("sinfo", "--noheader", "--states=idle", "--format=%D")
    while True:
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
        if done.stdout.strip() == str(len(lab.hosts)):
            return
        if time.monotonic() > deadline:
            raise LabError(f"Slurm did not start: {done.stderr}{(folder / 'slurmctld.log').read_text()}")
        time.sleep(0.1)
