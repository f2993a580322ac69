from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pull.adapters.registry.credentials import Credentials, canonical_host
from services.pull.adapters.registry.endpoints import Endpoint
from shared import errdefs

_HUB = Endpoint(scheme="https", authority="registry-1.docker.io")


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("https://Registry.Example.com/v2/", "registry.example.com"),
        ("registry.example.com:443", "registry.example.com"),
        ("http://localhost:5000", "localhost:5000"),
        ("docker.io.example.com", "docker.io.example.com"),
        ("[::1]:5000", "[::1]:5000"),
        ("", ""),
    ],
)
def test_addresses_of_a_registry_have_one_form(server: str, host: str) -> None:
    """What people and Docker's CLI write for a registry is made one."""
    assert canonical_host(server) == host


@pytest.mark.parametrize(
    ("server", "endpoint", "may"),
    [
        ("https://index.docker.io/v1/", _HUB, True),
        ("docker.io", Endpoint(scheme="https", authority="mirror.local", is_mirror=True), False),
        ("mirror.local", Endpoint(scheme="https", authority="mirror.local", is_mirror=True), True),
        ("r.example.com", Endpoint(scheme="https", authority="r.example.com"), True),
        ("r.example.com", Endpoint(scheme="https", authority="r.example.com:443"), True),
        ("r.example.com", Endpoint(scheme="https", authority="r.example.com:444"), False),
        ("r.example.com", Endpoint(scheme="https", authority="example.com"), False),
        ("r.example.com", Endpoint(scheme="http", authority="r.example.com"), False),
        (
            "r.example.com",
            Endpoint(scheme="http", authority="r.example.com", is_insecure=True),
            True,
        ),
        ("", _HUB, False),
    ],
)
def test_only_the_host_they_are_for_may_see_them(
    server: str, endpoint: Endpoint, *, may: bool
) -> None:
    """A login goes to its own host, and over plain http only where that is configured."""
    login = Credentials(server=server, username="u", password="p")

    assert endpoint.may_see(login) is may


def test_a_login_without_a_host_is_bound_to_the_first_that_asks() -> None:
    """Clients may leave the address out; one that is there is never replaced."""
    anywhere = Credentials(server="", username="u", password="p")

    bound = anywhere.bound_to("r.example.com")

    assert bound.is_for("r.example.com")
    assert bound.bound_to("other.example.com") is bound


@given(secret=st.text(min_size=8))
def test_nothing_shows_a_secret(secret: str) -> None:
    """Neither repr nor str nor the fingerprint tells what a login is made of."""
    secret = f"<{secret}>"
    login = Credentials(
        server="r.example.com",
        username=secret,
        password=secret,
        identity_token=secret,
        registry_token=secret,
    )

    for shown in (repr(login), str(login), f"{login}", repr([login]), repr(login.fingerprint)):
        assert secret not in shown


def test_an_auth_config_is_read_as_docker_does() -> None:
    """User and password may come as one base64 value; what can't be read is anonymous."""
    auth = base64.b64encode(b"robin:cuc:koo").decode()

    found = Credentials.from_auth_config({"auth": auth, "serveraddress": "r.example.com"})

    assert found == Credentials(server="r.example.com", username="robin", password="cuc:koo")
    for broken in ({}, {"auth": "?"}, {"auth": 7}, {"username": "robin"}, {"auth": "/w=="}):
        assert Credentials.from_auth_config(broken) is None


@pytest.mark.parametrize("token", ["tök€n", "to\r\nken"])
def test_a_registry_token_that_is_none_is_refused(token: str) -> None:
    """What no header can hold is told before anything is asked, and not shown."""
    with pytest.raises(errdefs.InvalidArgument, match="registry token") as caught:
        Credentials.from_auth_config({"registrytoken": token})
    assert token not in caught.value.message


def test_fingerprints_tell_logins_apart() -> None:
    """Two logins share tokens only if they are the same in all parts."""
    one = Credentials(server="r", username="ab", password="c")

    assert one.fingerprint == Credentials(server="r", username="ab", password="c").fingerprint
    assert one.fingerprint != Credentials(server="r", username="a", password="bc").fingerprint
    assert one.fingerprint != Credentials(server="s", username="ab", password="c").fingerprint
