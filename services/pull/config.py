"""The pull service's settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared import errdefs
from shared.node.config import NodeConfig

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class PullConfig:
    """How much is done at a time, and what an operator says of registries."""

    node: NodeConfig
    #: Jobs at a time.
    jobs: int
    #: Blobs of one job that are on their way at a time.
    transfers: int
    #: Docker Hub's mirrors, in the order they are asked.
    mirrors: tuple[str, ...]
    #: Registries, ``host[:port]``, that may be spoken to without verified TLS.
    insecure_hosts: frozenset[str]
    #: The same by address; loopback always may.
    insecure_networks: tuple[IPNetwork, ...]
    #: HTTP_PROXY and the like, as the environment has them.
    proxies: Mapping[str, str]
    #: Who must have signed what; None: trust.json in the data root, if there is one.
    trust_policy: Path | None
    #: What plugins may need at most; None: anything that is granted.
    privilege_policy: Path | None
    #: Limits of talking to registries and of unpacking that are not the defaults, by name.
    limits: Mapping[str, str]

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> PullConfig:
        """Read WHERRY_PULL_*, _REGISTRY_MIRRORS, _INSECURE_REGISTRIES and the two policies.

        Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Raises InvalidArgument naming
        the variable.
        """
        insecure = _words(env, "WHERRY_INSECURE_REGISTRIES")
        return cls(
            node=node,
            jobs=_count(env, "WHERRY_PULL_JOBS", 8),
            transfers=_count(env, "WHERRY_PULL_TRANSFERS", 3),
            mirrors=_words(env, "WHERRY_REGISTRY_MIRRORS"),
            insecure_hosts=frozenset(word for word in insecure if "/" not in word),
            insecure_networks=tuple(_network(word) for word in insecure if "/" in word),
            proxies={name: value for name, value in env.items() if name.upper() in _PROXIES},
            trust_policy=_path(env, "WHERRY_TRUST_POLICY"),
            privilege_policy=_path(env, "WHERRY_PRIVILEGE_POLICY"),
            limits=_pairs(env, "WHERRY_PULL_LIMITS"),
        )


def _words(env: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in env.get(variable, "").split(",") if word.strip())


def _pairs(env: Mapping[str, str], variable: str) -> Mapping[str, str]:
    pairs = [word.partition("=") for word in _words(env, variable)]
    for name, equals, value in pairs:
        if not name or not equals or not value:
            raise errdefs.InvalidArgument(f"{variable}: {name or value!r} is no name=number")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _count(env: Mapping[str, str], variable: str, default: int) -> int:
    text = env.get(variable) or str(default)
    try:
        count = int(text)
    except ValueError:
        count = 0
    if not 1 <= count <= 64:
        raise errdefs.InvalidArgument(f"{variable}={text}: must be a number from 1 to 64")
    return count


def _path(env: Mapping[str, str], variable: str) -> Path | None:
    text = env.get(variable)
    if not text:
        return None
    if not Path(text).is_absolute():
        raise errdefs.InvalidArgument(f"{variable}={text}: must be an absolute path")
    return Path(text)


def _network(word: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(word)
    except ValueError as error:
        raise errdefs.InvalidArgument(
            f"WHERRY_INSECURE_REGISTRIES: {word} is neither host[:port] nor a network: {error}"
        ) from error
