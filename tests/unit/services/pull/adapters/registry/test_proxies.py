from __future__ import annotations

import pytest

from services.pull.adapters.registry.proxies import Proxies
from shared import errdefs

_ENV = {
    "HTTP_PROXY": "plain.proxy:3128",
    "https_proxy": "https://me:p%40ss@tls.proxy",
    "NO_PROXY": "no.example.com, .only.sub, 10.0.0.0/8, port.example.com:8443, 192.0.2.7",
}


@pytest.mark.parametrize(
    ("scheme", "host", "port", "proxy"),
    [
        ("https", "r.example.com", 443, "tls.proxy"),
        ("http", "r.example.com", 80, "plain.proxy"),
        ("https", "no.example.com", 443, ""),
        ("https", "deep.no.example.com", 443, ""),
        ("https", "notno.example.com", 443, "tls.proxy"),
        ("https", "x.only.sub", 443, ""),
        ("https", "10.1.2.3", 443, ""),
        ("https", "11.1.2.3", 443, "tls.proxy"),
        ("https", "192.0.2.7", 443, ""),
        ("https", "port.example.com", 8443, ""),
        ("https", "port.example.com", 443, "tls.proxy"),
        ("https", "localhost", 443, ""),
        ("https", "127.0.0.1", 443, ""),
        ("http", "::1", 80, ""),
    ],
)
def test_who_is_behind_a_proxy(scheme: str, host: str, port: int, proxy: str) -> None:
    """NO_PROXY holds names with what is below them, addresses, networks; loopback needs none."""
    found = Proxies.from_env(_ENV).between(scheme, host, port)

    assert (found.host if found else "") == proxy


def test_a_proxys_password_is_told_to_the_proxy_alone() -> None:
    """A login in the variable becomes a header, and is shown nowhere."""
    found = Proxies.from_env(_ENV).https

    assert found is not None
    assert found.headers == [(b"Proxy-Authorization", b"Basic bWU6cEBzcw==")]
    assert (found.port, found.is_tls) == (443, True)
    assert "p@ss" not in repr(Proxies.from_env(_ENV))
    assert "bWU6cEBzcw" not in repr(Proxies.from_env(_ENV))


def test_a_star_turns_proxies_off() -> None:
    """NO_PROXY=* means none at all."""
    found = Proxies.from_env({**_ENV, "NO_PROXY": "*"})

    assert found.between("https", "r.example.com", 443) is None


@pytest.mark.parametrize(
    "value",
    [
        "socks5://u:s3cret@h",
        "http://u:s3cret@h:eighty",
        "u:s3cret/@h",
        "http://[::1",
        "xn--a.local",
    ],
)
def test_what_is_no_proxys_address_is_told_by_its_variable(value: str) -> None:
    """What can't be used stops the start, without showing what the variable holds."""
    with pytest.raises(errdefs.InvalidArgument, match="HTTPS_PROXY: must be http") as caught:
        Proxies.from_env({"HTTPS_PROXY": value})
    assert "s3cret" not in caught.value.message
    assert caught.value.__context__ is None  # what httpx says of it may show it
