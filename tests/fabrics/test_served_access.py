"""Who reaches a server: at the address that it tells, with the launch's token or keys."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import torch
import zmq

from harness.fabrics.served_torch import ServedTorch
from harness.fabrics.shard_client import ShardClient, ShardError, address_of
from harness.fabrics.shard_wire import FRAME_BYTES, CurveKeys, Kind, ShardAddress, Token, tell_address
from harness.records.run_files import shard_path
from tests.command import LIMIT_S
from tests.fabrics.served_workers import SUM, in_threads, served


def test_server_is_reached_at_the_address_that_it_tells(tmp_path: Path) -> None:
    with served(tmp_path, 1, 1, host="127.0.0.2"):
        assert address_of(tmp_path, 0).endpoint.startswith("tcp://127.0.0.2:")
        assert in_threads(1, tmp_path, lambda made: made.serve(torch.ones(2), SUM).tolist()) == [[1, 1]]


def test_address_is_for_the_eyes_of_this_user_alone(tmp_path: Path) -> None:
    tell_address(tmp_path, 0, ShardAddress(endpoint="ipc://@there", credentials=Token(token="secret")))
    assert stat.S_IMODE(shard_path(tmp_path, 0).stat().st_mode) == 0o600


def asked_with(address: ShardAddress, *, deadline_s: float = 1.0) -> None:
    """One PING. Raises ShardError."""
    context = zmq.Context()
    client = ShardClient(context, address, index=0, rank=0, deadline_s=deadline_s)
    try:
        client.answer_to(client.ask(Kind.PING))
    finally:
        client.close()
        context.term()


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
        return after[[0, FRAME_BYTES // 4, -1]].tolist(), made.settings()["zmq.transport"]

    with served(tmp_path, 1, 1, host="127.0.0.1", is_encrypted=True):
        assert in_threads(1, tmp_path, work) == [([1.0, 577.0, 153.0], "tcp, encrypted")]
