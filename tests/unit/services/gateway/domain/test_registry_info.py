"""What info says of registries."""

from __future__ import annotations

from services.gateway.domain.registry_info import registries


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
