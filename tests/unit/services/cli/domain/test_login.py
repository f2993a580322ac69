"""Which login of Docker's config is taken for a registry."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from services.cli.domain.login import find, from_helper, helper_of

_AUTHS: dict[str, Any] = {
    "auths": {
        "https://index.docker.io/v1/": {"auth": "hub"},
        "host:5000": {"auth": "ours", "identitytoken": "i", "email": "e"},
        "https://other.example/v1/": {"auth": "other"},
        "kept.example": {},
    },
    "credsStore": "pass",
    "credHelpers": {"gcr.example": "gcr"},
}


@pytest.mark.parametrize(
    ("domain", "auth", "server"),
    [
        ("docker.io", "hub", "https://index.docker.io/v1/"),
        ("host:5000", "ours", "host:5000"),
        ("other.example", "other", "https://other.example/v1/"),
    ],
)
def test_a_login_is_found_by_its_host(domain: str, auth: str, server: str) -> None:
    """The CLI's keys are addresses of several forms; the login says which host it is for."""
    login = find(_AUTHS, domain)
    assert (login.fields["auth"], login.fields["serveraddress"]) == (auth, server)
    assert not login.note


def test_the_header_has_what_a_registry_needs() -> None:
    """Tokens are passed on, and what is no secret is not."""
    header = base64.urlsafe_b64decode(find(_AUTHS, "host:5000").header)
    assert json.loads(header) == {
        "auth": "ours",
        "identitytoken": "i",
        "serveraddress": "host:5000",
    }


@pytest.mark.parametrize(
    ("domain", "helper"),
    [("kept.example", "pass"), ("docker.io", "hub"), ("gcr.example", "gcr"), ("host:5000", "pass")],
)
def test_a_registry_has_its_helper(domain: str, helper: str) -> None:
    """One named for the registry goes before the one for all; Docker Hub has its own name."""
    config = {**_AUTHS, "credHelpers": {"gcr.example": "gcr", "https://index.docker.io/v1/": "hub"}}
    assert helper_of(config, domain) == helper


@pytest.mark.parametrize("config", [{}, {"credsStore": 5}, {"credHelpers": ["x"]}])
def test_no_helper_is_none(config: dict[str, Any]) -> None:
    """What names no helper is passed over."""
    assert helper_of(config, "host") == ""


def test_a_helper_tells_a_password_or_a_token() -> None:
    """A user of this name has no password: the secret is a token."""
    password = from_helper(b'{"ServerURL":"x","Username":"u","Secret":"s"}', "docker.io")
    token = from_helper(b'{"ServerURL":"x","Username":"<token>","Secret":"t"}', "host")

    assert password.fields == {
        "username": "u",
        "password": "s",
        "serveraddress": "https://index.docker.io/v1/",
    }
    assert token.fields == {"identitytoken": "t", "serveraddress": "host"}


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"Username":"u","Secret":5}'])
def test_what_is_no_login_is_refused(answer: bytes) -> None:
    """Anything else that a helper says is an error."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_helper(answer, "host")


@pytest.mark.parametrize("config", [{}, {"auths": None}, {"auths": {"host": 5}}, {"auths": []}])
def test_nothing_known_is_anonymous(config: dict[str, Any]) -> None:
    """Without a login there is nothing to send and nothing to say."""
    login = find(config, "host")
    assert (login.fields, login.note) == ({}, "")


def test_repr_shows_nothing() -> None:
    """A login that ends in a traceback shows nothing of itself."""
    assert "ours" not in repr(find(_AUTHS, "host:5000"))
