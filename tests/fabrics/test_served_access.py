"""Who reaches a server: at the address that it tells, with the launch's token or keys, on one machine of its user."""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
import zmq

from harness.fabrics import shard_channel
from harness.fabrics.served_torch import ServedTorch
from harness.fabrics.shard_client import ShardClient, ShardError, address_of
from harness.fabrics.shard_wire import (
    FRAME_BYTES,
    PING_NUMBER,
    CurveKeys,
    Kind,
    Reply,
    ShardAddress,
    Token,
    tell_address,
)
from harness.records.run_files import shard_path
from harness.servers import door
from tests.command import LIMIT_S
from tests.fabrics.served_workers import SUM, in_threads, served
from tests.open_files import num_open_files


def test_server_is_reached_at_the_address_that_it_tells(tmp_path: Path) -> None:
    with served(tmp_path, 1, 1, host="127.0.0.2"):
        assert address_of(tmp_path, 0).endpoint.startswith("tcp://127.0.0.2:")
        assert in_threads(1, tmp_path, lambda made: made.serve(torch.ones(2), SUM).tolist()) == [[1, 1]]


def test_address_is_for_the_eyes_of_this_user_alone(tmp_path: Path) -> None:
    tell_address(tmp_path, 0, ShardAddress(endpoint="tcp://there:1", credentials=Token(token="secret")))
    assert stat.S_IMODE(shard_path(tmp_path, 0).stat().st_mode) == 0o600


def asked_with(address: ShardAddress, *, deadline_s: float = 1.0, rank: int = 0) -> None:
    """One PING. Raises ShardError."""
    client = ShardClient(address, index=0, rank=rank, deadline_s=deadline_s)
    try:
        client.answer_to(client.ask(Kind.PING))
    finally:
        client.close()


def test_server_of_this_machine_answers_no_other_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path, 1, 1):
        asked_with(address_of(tmp_path, 0), deadline_s=LIMIT_S)
        with monkeypatch.context() as patched:
            patched.setattr(door, "is_of_this_user", lambda connected: False)
            with pytest.raises(ShardError, match="has not answered for 1 s"):
                asked_with(address_of(tmp_path, 0))
        asked_with(address_of(tmp_path, 0), deadline_s=LIMIT_S)


def test_who_is_no_worker_hears_so(tmp_path: Path) -> None:
    with served(tmp_path, 1, 2), pytest.raises(ShardError, match="refused: worker '7'; wanted: 0 to 1"):
        asked_with(address_of(tmp_path, 0), deadline_s=LIMIT_S, rank=7)


@contextmanager
def listening() -> Iterator[tuple[socket.socket, ShardAddress]]:
    """Somebody who has the place of a server."""
    name = f"hvdbench-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        yield listener, ShardAddress(endpoint=f"unix:@{name}", credentials=Token(token="any"))


def test_worker_of_this_machine_hears_no_other_users_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor tells it anything: it says so at once, and has gone."""
    monkeypatch.setattr(shard_channel, "is_of_this_user", lambda connected: False)
    with listening() as (listener, address):
        before = num_open_files()
        with pytest.raises(ShardError, match=rf"^server 0 \({address.endpoint}\) is another user's$"):
            asked_with(address, deadline_s=LIMIT_S)
        assert num_open_files() == before
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(1) == b""


@pytest.mark.parametrize("failing", ["__init__", "connect"])
def test_server_that_cannot_be_reached_is_named(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where SELinux or Landlock is against it."""

    def not_permitted(*_: Any) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with listening() as (_, address), monkeypatch.context() as patched:
        before = num_open_files()
        patched.setattr(socket.socket, failing, not_permitted)
        why = rf"^server 0 \({address.endpoint}\) cannot be reached: \[Errno 1\] Operation not permitted$"
        with pytest.raises(ShardError, match=why):
            asked_with(address, deadline_s=LIMIT_S)
        assert num_open_files() == before


def test_worker_takes_one_descriptor_of_a_reply_and_leaves_none_open() -> None:
    with listening() as (listener, address):
        channel = shard_channel.LocalChannel(address, rank=0, send_limit_s=LIMIT_S, receive_limit_s=LIMIT_S)
        accepted, _ = listener.accept()
        with accepted:
            before = num_open_files()
            socket.send_fds(accepted, [Reply(number=1).packed()], [accepted.fileno(), listener.fileno()])
            received = channel.receive()
            assert received is not None
            assert received.descriptor is not None
            os.close(received.descriptor)
            assert num_open_files() == before
        channel.close()


def test_worker_leaves_no_descriptor_open_that_it_has_not_asked_for() -> None:
    """With an answer that nobody waits for, with one of which no file is a part, with a refusal."""
    with listening() as (listener, address):
        client = ShardClient(address, index=0, rank=0, deadline_s=LIMIT_S)
        accepted, _ = listener.accept()
        with accepted:
            before = num_open_files()
            number = client.ask(Kind.COUNT)
            refusal = Reply(number=PING_NUMBER, is_refused=True)
            for reply in (Reply(number=PING_NUMBER), Reply(number=number, count=7), refusal):
                socket.send_fds(accepted, [reply.packed()], [listener.fileno()])
            answer = client.answer_to(number)
            assert (answer.reply.count, answer.descriptor, num_open_files()) == (7, None, before)
            with pytest.raises(ShardError, match="refused"):
                client.answer_to(client.ask(Kind.MAP))
            assert num_open_files() == before
        client.close()


def test_server_that_takes_nothing_is_given_up() -> None:
    with listening() as (_, address):
        client = ShardClient(address, index=0, rank=0, deadline_s=1.0)
        with pytest.raises(ShardError, match="has not answered for 1 s"):
            deque(map(client.ask, itertools.repeat(Kind.CLAIM)), maxlen=0)
        client.close()


def test_process_of_this_user_is_known_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.geteuid()
    for one in socket.socketpair():
        with one:
            assert shard_channel.is_of_this_user(one)
            with monkeypatch.context() as patched:
                patched.setattr(os, "geteuid", lambda: own + 1)
                assert not shard_channel.is_of_this_user(one)


def test_server_that_was_gone_before_a_worker_came_is_silent() -> None:
    nobody = ShardAddress(endpoint="unix:@hvdbench-nobody", credentials=Token(token="any"))
    with pytest.raises(ShardError, match=r"server 0 \(unix:@hvdbench-nobody\) has not answered for 1 s"):
        asked_with(nobody)


_ASKING = """
import sys
from harness.fabrics.shard_client import ShardClient
from harness.fabrics.shard_wire import Kind, ShardAddress
client = ShardClient(ShardAddress.model_validate_json(sys.argv[1]), index=0, rank=0, deadline_s=1.0)
client.answer_to(client.ask(Kind.PING))
"""


def test_server_that_hangs_is_given_up_by_a_worker_that_takes_turns() -> None:
    """Whoever is stopped and continued, again and again, still comes to the end of what it waits for."""
    with listening() as (_, address):
        command = [sys.executable, "-c", _ASKING, address.model_dump_json()]
        with subprocess.Popen(command, stderr=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}) as asking:
            until = time.monotonic() + LIMIT_S
            while asking.poll() is None and time.monotonic() < until:
                asking.send_signal(signal.SIGSTOP)
                time.sleep(0.02)
                asking.send_signal(signal.SIGCONT)
                time.sleep(0.02)
            asking.kill()
            assert asking.stderr is not None
            assert b"has not answered for 1 s" in asking.stderr.read()


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_server_answers_none_without_its_token(tmp_path: Path, host: str | None) -> None:
    with served(tmp_path, 1, 1, host=host):
        address = address_of(tmp_path, 0)
        with pytest.raises(ShardError, match=rf"server 0 \({address.endpoint}\) has not answered for 1 s"):
            asked_with(address.model_copy(update={"credentials": Token(token="another")}))


def with_keys_of_ones_own(keys: CurveKeys) -> CurveKeys:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    return keys.model_copy(update={"worker_public": public, "worker_secret": secret})


def test_server_that_encrypts_answers_none_without_its_keys(tmp_path: Path) -> None:
    with served(tmp_path, 1, 1, host="127.0.0.1", is_encrypted=True):
        address = address_of(tmp_path, 0)
        assert isinstance(address.credentials, CurveKeys)
        asked_with(address, deadline_s=LIMIT_S)
        for credentials in (with_keys_of_ones_own(address.credentials), Token(token="any")):
            with pytest.raises(ShardError, match="has not answered for 1 s"):
                asked_with(address.model_copy(update={"credentials": credentials}))


def test_what_is_sent_encrypted_is_the_same(tmp_path: Path) -> None:
    """In frames of their bound at most: two and a rest of one value."""
    num_values = 2 * FRAME_BYTES // 4 + 1

    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.arange(num_values, dtype=torch.float32) % 1000, SUM)
        after = made.push_pull(torch.ones(num_values)).wait()
        return after[[0, FRAME_BYTES // 4, -1]].tolist(), made.settings()["server.transport"]

    with served(tmp_path, 1, 1, host="127.0.0.1", is_encrypted=True):
        assert in_threads(1, tmp_path, work) == [([1.0, 577.0, 153.0], "tcp, encrypted")]
