"""What X-Registry-Auth and the body of a login say."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from services.gateway.domain.auth_config import AuthConfig
from shared import errdefs


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


_SECRETS = {
    "username": "u",
    "password": "ü>?~",
    "serveraddress": "host:5000",
    "identitytoken": "i",
    "registrytoken": "r",
}


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_all_fields_are_kept(cut: int) -> None:
    """Every field reaches the pull service, with the padding or without."""
    given = _SECRETS | {"email": "e" * cut}
    read = AuthConfig.from_header(_encoded(given).rstrip("="))
    assert json.loads(read.plaintext()) == {key: value for key, value in given.items() if value}
    assert not read.is_anonymous


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "e30=",
        "!!!",
        "ü",
        "AAAA",
        _encoded([1]),
        _encoded("text"),
        _encoded({"username": 5}),
        _encoded({"serveraddress": "host"}),
    ],
)
def test_unreadable_is_anonymous(value: str | None) -> None:
    """What can't be read, or holds no secret, is anonymous, as it is to dockerd."""
    assert AuthConfig.from_header(value).is_anonymous


def test_repr_shows_nothing() -> None:
    """A login that ends in a log or a traceback shows nothing of itself."""
    shown = repr(AuthConfig.from_header(_encoded(_SECRETS)))
    assert shown == "AuthConfig()"


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_wrong_body(body: bytes) -> None:
    """A login's body must be JSON of the right kind; dockerd has no class for that."""
    with pytest.raises(errdefs.InvalidArgument) as caught:
        AuthConfig.from_body(body)
    assert caught.value.docker_unclassed
