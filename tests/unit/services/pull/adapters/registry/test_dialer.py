"""Whom a connection is to."""

from __future__ import annotations

import httpx
import pytest

from services.pull.adapters.registry.dialer import Origin
from services.pull.adapters.registry.proxies import Proxies


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("R.example.com", "r.example.com"),
        ("[::1]:5000", "::1"),
        # Python's own encoding would make strasse.example of it, which is somebody else.
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("straße.example", "xn--strae-oqa.example"),
    ],
)
def test_a_host_is_called_as_dns_calls_it(authority: str, host: str) -> None:
    """A name beyond ASCII stays the one that it is, of a proxy as well."""
    assert Origin.of(httpx.URL(f"https://{authority}/v2/")).host == host
    proxy = Proxies.from_env({"HTTP_PROXY": f"http://{authority}"}).http
    assert proxy is not None
    assert proxy.host == host
