"""Where the API is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.domain.listening import Listening, TcpAddress, Tls
from shared import errdefs

_TLS = {"WHERRY_TLS_CERT": "/c", "WHERRY_TLS_KEY": "/k"}


def test_several_kinds() -> None:
    """Sockets, addresses and what was handed over stand side by side."""
    listening = Listening.from_env(
        {
            "WHERRY_HOST": "unix:///a, tcp://localhost:5,fd://",
            "WHERRY_LISTEN_FDS": "2",
            "WHERRY_SOCKET_GROUP": "wheel",
        }
    )
    assert listening == Listening(
        tcp=(TcpAddress(host="127.0.0.1", port=5),),
        unix=(Path("/a"),),
        inherited=2,
        group="wheel",
    )


def test_beyond_loopback_clients_show_a_certificate() -> None:
    """Whoever reaches the API is root, so encryption alone does not open it to others."""
    env = {"WHERRY_HOST": "tcp://0.0.0.0:2376", **_TLS}
    with pytest.raises(errdefs.InvalidArgument, match="only to clients with a certificate"):
        Listening.from_env(env)

    listening = Listening.from_env({**env, "WHERRY_TLS_CA": "/ca"})

    assert listening.tcp == (TcpAddress(host="0.0.0.0", port=2376),)
    assert listening.tls == Tls(certificate=Path("/c"), key=Path("/k"), authority=Path("/ca"))


def test_half_of_tls_is_refused() -> None:
    """A certificate without its key would only fail later."""
    with pytest.raises(errdefs.InvalidArgument, match="belong together"):
        Listening.from_env({"WHERRY_TLS_CERT": "/c"})
