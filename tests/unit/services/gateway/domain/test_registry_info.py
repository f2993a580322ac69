"""What info says of registries."""

from __future__ import annotations

import pytest

from services.gateway.domain.registry_info import proxies, registries


def test_registries() -> None:
    """Mirrors are Docker Hub's; insecure are hosts, networks and this machine."""
    config = registries(mirrors=("https://m",), insecure=("a:1", "10.0.0.0/8"))["RegistryConfig"]
    assert config["Mirrors"] == ["https://m"]
    assert config["InsecureRegistryCIDRs"] == ["::1/128", "127.0.0.0/8", "10.0.0.0/8"]
    assert config["IndexConfigs"] == {
        "docker.io": {
            "Name": "docker.io",
            "Mirrors": ["https://m"],
            "Secure": True,
            "Official": True,
        },
        "a:1": {"Name": "a:1", "Mirrors": [], "Secure": False, "Official": False},
    }


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://me:pr0xy@proxy:3128", "http://xxxxx:xxxxx@proxy:3128"),
        ("me:p@ss@proxy:3128", "xxxxx:xxxxx@proxy:3128"),
        ("http://me@proxy/", "http://xxxxx:xxxxx@proxy/"),
    ],
)
def test_proxies(address: str, shown: str) -> None:
    """Proxies are shown without their logins, whichever case their variables have."""
    assert proxies({"HTTP_PROXY": address, "no_proxy": "a,b"}) == {
        "HttpProxy": shown,
        "HttpsProxy": "",
        "NoProxy": "a,b",
    }
    assert proxies({"https_proxy": address})["HttpsProxy"] == shown
