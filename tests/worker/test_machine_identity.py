"""Hosts by several names may be one machine: records tell both apart."""

from __future__ import annotations

import socket

import pytest

from harness.worker.machine_description import describe_machine
from harness.worker.machine_identity import kernel_id, machine_id


def test_emulated_hosts_are_several_on_one_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    kernels: list[str | None] = []
    for name in ("one", "other"):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        names.append(machine_id.__wrapped__())
        kernels.append(kernel_id())
    assert len(set(names)) == 2
    assert kernels == [describe_machine().kernel] * 2
    assert kernels[0] is not None
