"""What a node says of its machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import structlog

from shared.contracts.node import NodeDescription
from shared.sentinels import Sentinels

log = structlog.get_logger()

_REDIS_PORT: Final = 6379


def describe(labels: Iterable[str], address: str, *, runs_plugins: bool) -> NodeDescription:
    """Return the machine's description.

    *labels* are texts `key=value`, the last of a key counts.
    """
    pairs = (line.partition("=") for line in labels)
    return NodeDescription(
        architecture=os.uname().machine,
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        labels={key: value for key, equals, value in pairs if equals},
        address=address,
        runs_plugins=runs_plugins,
    )


def address_towards(redis_url: str) -> str:
    """Return the address of ours from which Redis, or its Sentinels, are reached; empty: none.

    Nothing is sent: the kernel is asked which way it would take.
    """
    for host, port in _places(redis_url):
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind, protocol) as towards:
                towards.connect(place)
                return str(towards.getsockname()[0])
        except OSError as error:
            log.info("no way to Redis known", host=host, reason=str(error))
    return ""


def _places(redis_url: str) -> Iterable[tuple[str, int]]:
    if sentinels := Sentinels.parse(redis_url):
        return sentinels.places
    parts = urlsplit(redis_url)
    return [(parts.hostname, parts.port or _REDIS_PORT)] if parts.hostname else []
