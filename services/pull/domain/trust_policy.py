"""Which plugins must be signed, and by whom: a mode and keys for each prefix of repositories."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.pull.domain.public_key import PublicKey
from shared import errdefs
from shared.oci import reference
from shared.oci.reference import DEFAULT_DOMAIN, Reference

#: Docker Hub answers to all of these.
_HUB: Final = frozenset(
    {DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)
_HTTPS_PORT: Final = 443
#: Two components, so that no prefix is taken for one of Docker's official names.
_BELOW: Final = "x/x"


class TrustMode(StrEnum):
    """What becomes of a plugin without a valid signature."""

    #: It is pulled, and nobody looks for one.
    IGNORE = "ignore"
    #: It is pulled, and whoever follows the pull is told.
    WARN = "warn"
    #: It is refused.
    REQUIRE = "require"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRule:
    """What holds for the repositories below *prefix*, as ``normalised_prefix`` returns it."""

    prefix: str
    mode: TrustMode
    keys: tuple[PublicKey, ...] = ()
    #: The signature must name the repository, and the tag if it names one.
    match_reference: bool = False

    def covers(self, repository: str) -> bool:
        """Say whether the rule is about a repository."""
        return covers(self.prefix, repository)


#: Where no rule covers a repository.
_NO_RULE: Final = TrustRule(prefix="", mode=TrustMode.IGNORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """All rules of a node."""

    #: Where it was read from.
    source: str
    rules: tuple[TrustRule, ...] = ()

    def rule_for(self, ref: Reference) -> TrustRule:
        """Return the rule with the longest prefix that covers the repository of *ref*."""
        repository = repository_of(ref)
        covering = [rule for rule in self.rules if rule.covers(repository)]
        return max(covering, key=lambda rule: len(rule.prefix), default=_NO_RULE)


def covers(prefix: str, repository: str) -> bool:
    """Say whether a repository is the prefix or below it: ``a/b`` is not below ``a/bc``."""
    return not prefix or f"{repository}/".startswith(f"{prefix}/")


def repository_of(ref: Reference) -> str:
    """Return the one name of a repository, however its registry's host was written."""
    return f"{_host(ref.domain)}/{ref.path}"


def normalised_prefix(text: str) -> str:
    """Return a prefix in the form of ``repository_of``; the empty one covers all.

    Raises InvalidArgument for one that could never be what was meant.
    """
    if not text:
        return ""
    try:
        ref = reference.parse(f"{text.removesuffix('/')}/{_BELOW}")
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"{text!r} is no prefix of repositories ({error.message}): write a registry's host, "
            "and below it whole parts of a path, such as registry.example/team"
        ) from error
    # A name without a host is one of Docker Hub, by rules that few know by heart.
    if ref.domain == DEFAULT_DOMAIN and _host(text.partition("/")[0]) != DEFAULT_DOMAIN:
        raise errdefs.InvalidArgument(
            f"{text!r} names no registry: write {DEFAULT_DOMAIN}/{text} for Docker Hub's, else the "
            "registry's host first"
        )
    return repository_of(ref).removesuffix(_BELOW).rstrip("/")


def _host(domain: str) -> str:
    host, colon, port = domain.lower().rpartition(":")
    if not colon or port.endswith("]"):  # an IPv6 address without a port
        host, port = domain.lower(), ""
    number = int(port) if port else _HTTPS_PORT
    host = DEFAULT_DOMAIN if host in _HUB and number == _HTTPS_PORT else host
    return host if number == _HTTPS_PORT else f"{host}:{number}"
