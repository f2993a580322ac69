"""The table: what each service does on the bus. Users are made of it, and nothing else is allowed.

A service that is new, or that sends to one more, says so here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What one service does on the bus."""

    name: str
    #: Whose commands it sends, and so whose replies it reads.
    sends_to: tuple[str, ...] = ()
    #: Whether it takes commands.
    serves: bool = True
    #: How its facts come into its stream: by a relay from its outbox, or as they happen.
    relays: bool = False
    publishes: bool = False
    #: Whose facts it works off, each once.
    follows: tuple[str, ...] = ()
    #: Whose facts it reads as they come, for a copy that it forgets.
    watches: tuple[str, ...] = ()
    #: The same for all nodes on this Redis, not only its own.
    sends_to_any: tuple[str, ...] = ()
    watches_any: tuple[str, ...] = ()
    reads_progress_any: bool = False
    #: Leases that it takes, by which one process of all nodes acts alone.
    takes_leases: tuple[str, ...] = ()
    #: The progress of jobs.
    tells_progress: bool = False
    reads_progress: bool = False
    #: Celery's queue of the node.
    queues_jobs: bool = False
    works_off_jobs: bool = False


SERVICES: Final = (
    Service(
        name="gateway",
        # All, for it asks each how it is.
        sends_to=("store", "executor", "volume", "pull", "controller", "event"),
        serves=False,
        # The audit.
        publishes=True,
        watches=("store", "event"),
        reads_progress=True,
    ),
    Service(
        name="store",
        # The event service has registered for a capability: it is told of each start.
        sends_to=("executor", "event"),
        relays=True,
        follows=("executor",),
        tells_progress=True,
        queues_jobs=True,
    ),
    Service(
        name="pull",
        sends_to=("store",),
        tells_progress=True,
        queues_jobs=True,
        works_off_jobs=True,
    ),
    Service(name="executor", publishes=True),
    Service(
        name="event",
        sends_to=("store",),
        relays=True,
        follows=("store", "volume", "gateway", "controller"),
    ),
    Service(name="volume", sends_to=("store",), relays=True, follows=("store",)),
    Service(
        name="controller",
        sends_to_any=("controller", "store", "pull"),
        relays=True,
        watches_any=("controller", "store"),
        reads_progress_any=True,
        takes_leases=("controller",),
    ),
)


def senders_to(name: str) -> tuple[str, ...]:
    """Return the services of a node that send commands to one of it, and so get its replies."""
    return tuple(service.name for service in SERVICES if name in service.sends_to)


def senders_to_any(name: str) -> tuple[str, ...]:
    """Return the services that send commands to one whatever their node is."""
    return tuple(service.name for service in SERVICES if name in service.sends_to_any)
