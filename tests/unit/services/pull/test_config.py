"""The pull service's settings."""

from __future__ import annotations

import ipaddress

import pytest

from services.pull.config import PullConfig
from shared import errdefs
from shared.node.config import NodeConfig


def _load(**env: str) -> PullConfig:
    return PullConfig.load(NodeConfig.from_env({"WHERRY_NODE": "n"}), env)


def test_defaults() -> None:
    """Nothing has to be set."""
    config = _load()
    assert (config.jobs, config.transfers) == (8, 3)
    assert config.mirrors == ()
    assert config.insecure_hosts == frozenset()
    assert config.insecure_networks == ()
    assert config.trust_policy is None
    assert config.privilege_policy is None
    assert config.limits == {}


def test_limits_are_pairs() -> None:
    """Names and numbers, in a list like the others."""
    config = _load(WHERRY_PULL_LIMITS="stall_s=30, unpacked_bytes = 1000")
    assert config.limits == {"stall_s": "30", "unpacked_bytes": "1000"}


def test_registries_are_comma_lists() -> None:
    """Hosts and networks stand side by side, as in Docker's insecure-registries."""
    config = _load(
        WHERRY_REGISTRY_MIRRORS="https://m1.test, https://m2.test",
        WHERRY_INSECURE_REGISTRIES="r.test:5000,10.0.0.0/8",
        HTTPS_PROXY="http://proxy.test",
        no_proxy="r.test",
        HOME="/root",
    )
    assert config.mirrors == ("https://m1.test", "https://m2.test")
    assert config.insecure_hosts == {"r.test:5000"}
    assert config.insecure_networks == (ipaddress.ip_network("10.0.0.0/8"),)
    assert config.proxies == {"HTTPS_PROXY": "http://proxy.test", "no_proxy": "r.test"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WHERRY_PULL_JOBS", "0"),
        ("WHERRY_PULL_JOBS", "many"),
        ("WHERRY_PULL_TRANSFERS", "65"),
        ("WHERRY_INSECURE_REGISTRIES", "10.0.0.0/99"),
        ("WHERRY_TRUST_POLICY", "trust.json"),
        ("WHERRY_PULL_LIMITS", "stall_s"),
        ("WHERRY_PULL_LIMITS", "=3"),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str) -> None:
    """The start stops with the variable's name."""
    with pytest.raises(errdefs.InvalidArgument, match=variable):
        _load(**{variable: value})
