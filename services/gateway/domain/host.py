"""What is known of the machine and of the programs on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The version and commit of a program that the node runs."""

    version: str
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What stays true of the machine while the gateway runs."""

    kernel_version: str
    operating_system: str
    os_version: str
    #: As uname says it, such as `x86_64`.
    machine: str
    #: As Go says it, such as `amd64`.
    arch: str
    cpus: int
    memory_bytes: int
    cgroup_version: str
    #: Which limits the kernel offers, by the keys of Docker's info.
    limits: dict[str, bool]
