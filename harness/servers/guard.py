"""Who may speak to a server between machines: whoever shows what its address says. ZeroMQ refuses all others."""

from __future__ import annotations

import secrets
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from harness.fabrics.shard_wire import USER, CurveKeys, Token

_DOMAIN = "shard"


class Guard:
    """Of the sockets of one context: made before they are bound, closed before the context is."""

    def __init__(self, context: zmq.Context[Any]) -> None:
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()

    def ask_for_token(self, socket: Any) -> Token:
        made = Token(token=secrets.token_hex(16))
        self._authenticator.configure_plain(domain=_DOMAIN, passwords={USER: made.token})
        socket.plain_server, socket.zap_domain = True, _DOMAIN.encode()
        return made

    def ask_for_keys(self, socket: Any) -> CurveKeys:
        """CURVE: what is sent is encrypted, and of no use to whoever sends it again."""
        server_public, server_secret = zmq.curve_keypair()
        worker_public, worker_secret = zmq.curve_keypair()
        self._authenticator.configure_curve_callback(domain=_DOMAIN, credentials_provider=_Known(worker_public))
        socket.curve_server, socket.zap_domain = True, _DOMAIN.encode()
        socket.curve_publickey, socket.curve_secretkey = server_public, server_secret
        return CurveKeys(
            server_public=server_public.decode(),
            worker_public=worker_public.decode(),
            worker_secret=worker_secret.decode(),
        )

    def close(self) -> None:
        self._authenticator.stop()


class _Known:
    """Knows one key, as the authenticator asks."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def callback(self, domain: str, key: bytes) -> bool:
        return key == self._key
