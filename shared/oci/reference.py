"""Names of things in registries: the grammar and normal form of distribution/reference."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from shared import errdefs
from shared.oci.digest import Digest

DEFAULT_DOMAIN: Final = "docker.io"
DEFAULT_TAG: Final = "latest"
_LEGACY_DOMAIN: Final = "index.docker.io"
_OFFICIAL_PREFIX: Final = "library/"
_MAX_PATH: Final = 255  # characters, without the domain

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?:(?P<domain>{_HOST}(?::[0-9]+)?)/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_ANCHORED_TAG = re.compile(_TAG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A normalised name: *domain* and *path* always, *tag* and *digest* where given."""

    domain: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        return f"{self.name}{self._suffix}"

    @property
    def name(self) -> str:
        """Return the repository with its domain, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """Return the repository as people write it, without tag and digest."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        rest = self.path.removeprefix(_OFFICIAL_PREFIX)
        return self.path if "/" in rest else rest

    @property
    def familiar(self) -> str:
        """Return the shortest form that parses to this reference."""
        return f"{self.familiar_name}{self._suffix}"

    @property
    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag

    @property
    def is_tagged(self) -> bool:
        """Say whether a tag is given."""
        return bool(self.tag)

    @property
    def is_canonical(self) -> bool:
        """Say whether a digest is given."""
        return self.digest is not None

    def with_default_tag(self) -> Reference:
        """Add ``latest`` where neither tag nor digest is given."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def with_tag(self, tag: str) -> Reference:
        """Return the reference under another tag; raises InvalidArgument for a bad one."""
        if not _ANCHORED_TAG.fullmatch(tag):
            raise _unclassed("invalid tag format")
        return replace(self, tag=tag)

    def without_digest(self) -> Reference:
        """Return the reference without its digest."""
        return replace(self, digest=None)


def parse(value: str) -> Reference:
    """Parse what a person wrote into its normal form (``docker.io``, ``library/``).

    Raises InvalidArgument in Docker's words, marked as unclassed (500) for Docker's routes.
    """
    if is_identifier(value):
        raise _unclassed(
            f"invalid repository name ({value}), cannot specify 64-byte hexadecimal strings"
        )
    domain, remainder = _split_domain(value)
    repository = remainder.partition(":")[0]
    if repository.lower() != repository:
        raise _unclassed(
            f"invalid reference format: repository name ({repository}) must be lowercase"
        )
    return _match(f"{domain}/{remainder}")


def parse_remote(value: str) -> Reference:
    """Parse what to fetch: beside a digest a tag says nothing, without one it is ``latest``.

    Raises as parse does.
    """
    ref = parse(value).with_default_tag()
    return replace(ref, tag="") if ref.digest else ref


def local_name(remote: str, alias: str = "") -> tuple[Reference, str]:
    """Return what to fetch and the name to install it under (docker-plugin rules of pull).

    The local name is familiar and always tagged; without an alias it is the remote's own.
    Raises InvalidArgument in Docker's words.
    """
    ref, named = parse_remote(remote), parse(alias or remote)
    if not alias:
        return ref, named.without_digest().with_default_tag().familiar
    if named.digest:
        raise _unclassed("cannot use digest in plugin tag")
    return ref, named.with_default_tag().familiar


def is_identifier(value: str) -> bool:
    """Say whether *value* is a whole id, 64 lower-case hex digits, and so never a name."""
    return _IDENTIFIER.fullmatch(value) is not None


def _split_domain(value: str) -> tuple[str, str]:
    first, slash, rest = value.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, f"{_OFFICIAL_PREFIX}{value}"
    domain, remainder = DEFAULT_DOMAIN, value
    # An upper-case first part can't be a repository, so it is taken for a host.
    if first == "localhost" or "." in first or ":" in first or first.lower() != first:
        domain, remainder = first, rest
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = f"{_OFFICIAL_PREFIX}{remainder}"
    return domain, remainder


def _match(value: str) -> Reference:
    found = _REFERENCE.fullmatch(value)
    if found is None:
        raise _unclassed("invalid reference format")
    if len(found["path"]) > _MAX_PATH:
        raise _unclassed(f"repository name must not be more than {_MAX_PATH} characters")
    return Reference(
        domain=found["domain"] or "",
        path=found["path"],
        tag=found["tag"] or "",
        digest=_digest(found["digest"]),
    )


def _digest(value: str | None) -> Digest | None:
    if value is None:
        return None
    try:
        return Digest(value)
    except errdefs.InvalidArgument as error:
        raise _unclassed(error.message) from error


def _unclassed(message: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(message, docker_unclassed=True)
