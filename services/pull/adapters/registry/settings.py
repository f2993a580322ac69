"""What an operator decides: the limits of every exchange, and which registry is what."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_LOOPBACK: tuple[IPNetwork, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long, how big and how often; what a registry sends is never trusted to end by itself."""

    #: Until a TCP connection stands.
    dial_s: float = 30.0
    #: Until TLS stands on it.
    tls_s: float = 10.0
    #: From the end of a request to the end of the answer's head: a registry that copies a big
    #: blob into its storage says nothing meanwhile.
    answer_s: float = 300.0
    #: A body, either way, of which nothing moves for so long is given up.
    stall_s: float = 60.0
    #: Slower than this over a span of stall_s is as good as stalled.
    min_rate_bytes_per_s: int = 1024
    #: How long an unused connection is kept.
    idle_s: float = 30.0
    #: Connections to one host at a time; a request beyond waits for one.
    connections_per_host: int = 16
    #: What one connection reads ahead of its reader.
    read_buffer_bytes: int = 512 << 10
    #: A blob arrives in pieces of at least this, its last one apart.
    chunk_bytes: int = 256 << 10
    #: Status line and headers of an answer together.
    head_bytes: int = 64 << 10
    #: Docker's own limit, 4 x 1048 x 1048.
    manifest_bytes: int = 4_393_216
    #: Answers that are neither manifest nor blob: tokens, tag lists.
    answer_bytes: int = 4 << 20
    #: What is read of an answer that reports an error.
    error_bytes: int = 16 << 10
    redirects: int = 10
    #: Tags and referrers come in pages.
    pages: int = 1000
    #: Sends of one request, the first one included.
    attempts: int = 6
    backoff_base_s: float = 0.25
    backoff_cap_s: float = 10.0
    #: A registry that asks for a longer pause (Retry-After) is not waited for.
    retry_after_cap_s: float = 60.0
    #: A blob that moved by this much since it last broke has earned all its attempts again.
    resume_progress_bytes: int = 1 << 20
    #: What a token without expires_in lives, by the token specification.
    token_default_s: float = 60.0
    #: A token is renewed so long before its end.
    token_leeway_s: float = 5.0
    #: Tokens kept; the ones that expire first go first.
    tokens: int = 512
    #: Blobs up to it are tried in the very request that begins an upload.
    upload_at_once_bytes: int = 16 << 10
    #: Blobs beyond it are uploaded in pieces of this size, each of which can be resumed.
    upload_chunk_bytes: int = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Which registries have mirrors, which may be spoken to without TLS, and whom to trust."""

    #: Docker Hub's mirrors, in the order they are asked (`registry-mirrors`).
    mirrors: tuple[str, ...] = ()
    #: Registries, ``host[:port]``, spoken to over unverified TLS or plain HTTP.
    insecure: frozenset[str] = frozenset()
    #: The same for registries that are named by an address.
    insecure_networks: tuple[IPNetwork, ...] = _LOOPBACK
    #: A folder ``host[:port]`` a registry, as Docker reads it.
    certificates: Path = Path("/etc/docker/certs.d")

    def is_insecure(self, authority: str) -> bool:
        """Say whether ``host[:port]`` may be spoken to without verified TLS.

        Names are not resolved: whoever answers for DNS would decide who gets passwords.
        """
        host = host_of(authority)
        if authority in self.insecure or host in self.insecure or host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.insecure_networks)


def host_of(authority: str) -> str:
    """Return the host of ``host[:port]``, an IPv6 address without its brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]
