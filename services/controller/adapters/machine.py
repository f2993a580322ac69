"""What a node says of its machine."""

from __future__ import annotations

import os
from collections.abc import Iterable

from shared.contracts.node import NodeDescription


def describe(labels: Iterable[str]) -> NodeDescription:
    """Return the machine's description.

    *labels* are texts `key=value`, the last of a key counts.
    """
    pairs = (line.partition("=") for line in labels)
    return NodeDescription(
        architecture=os.uname().machine,
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        labels={key: value for key, equals, value in pairs if equals},
    )
