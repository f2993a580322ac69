"""From the table to users: lines of Redis' ACL file, a selector for each thing that is done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from deploy.redis.services import SERVICES, Service, senders_to, senders_to_any
from shared.bus import names

#: Said by every client: to log in, to choose a database, to send several commands as one.
_CONNECTION = "+auth +hello +ping +select +multi +exec +discard"
#: Lets go of what all readers have settled.
_TRIMMING = "+eval +exists +xinfo|groups +xpending +xtrim"
#: What a group's one reader does with its stream.
_GROUP = "+xgroup|create +xreadgroup +xack +xclaim +xpending"
#: What kombu does to put a message into a queue.
_QUEUE = "+lpush +llen +sadd"
#: What kombu does besides: take messages, hold them, give back those of dead workers, settle.
_WORK = (
    "+brpop +rpush +zadd +zrange +zrem +hset +hget +hdel +watch +unwatch "
    "+set +get +del +evalsha +script|load"
)

#: In the place of a node's name in a pattern.
ANY = "*"


def user_name(service: str, node: str) -> str:
    """Return the name of a service's user."""
    return f"{service}.{node}"


def users(node: str, passwords: dict[str, str], *, nodes: str = "") -> Iterator[str]:
    """Yield the lines of one node's users, or of a fleet's; *passwords* is by service.

    *nodes* is a pattern of the nodes whose streams they may touch: of *node* alone by default.

    Redis is given hashes: whoever reads the file can't log in with what is there.
    """
    for service in SERVICES:
        digest = hashlib.sha256(passwords[service.name].encode()).hexdigest()
        rules = " ".join(f"({selector})" for selector in selectors(service, nodes or node))
        name = user_name(service.name, node)
        yield f"user {name} on #{digest} resetkeys resetchannels -@all {_CONNECTION} {rules}"


def administrator(password: str) -> Iterator[str]:
    """Yield the lines for whoever looks after Redis; without a password nobody gets in."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    # Off, so that nobody can be it. It keeps its rights, for Redis reads its own file of what was
    # appended as this user, and would leave out what was done in a transaction.
    yield "user default off resetpass ~* &* +@all"
    yield f"user admin on #{digest} ~* &* +@all"
    # Answers to a health check, and to nothing else.
    yield "user probe on nopass resetkeys resetchannels -@all +ping"


def selectors(service: Service, node: str) -> Iterator[str]:
    """Yield what a service may do: commands, then the keys they may touch."""
    name = service.name
    yield f"+set +get ~{names.generation(node)}"
    yield f"+xread +xdel +del ~{names.replies(node, name, '*')}"
    for owner in service.sends_to:
        yield f"+xadd ~{names.commands(node, owner)}"
    if service.serves:
        yield from _serving(name, node)
    for owner in service.follows:
        changes = names.changes(node, owner)
        yield f"{_GROUP} ~{changes}"
        yield f"+xadd ~{names.dead(changes)}"
    for owner in service.watches:
        yield f"+xread +xinfo|stream ~{names.changes(node, owner)}"
    yield from _fleet(service)
    yield from _telling(service, node)
    yield from _jobs(service, node)


def _serving(name: str, node: str) -> Iterator[str]:
    commands = names.commands(node, name)
    yield f"{_GROUP} +xdel +xlen ~{commands}"
    yield f"+xadd ~{names.dead(commands)}"
    for sender in senders_to(name):
        yield f"+xadd +expire ~{names.replies(node, sender, '*')}"
    for sender in senders_to_any(name):
        yield f"+xadd +expire ~{names.replies(ANY, sender, '*')}"


def _fleet(service: Service) -> Iterator[str]:
    leases = [f"~{names.lease(name)}" for name in service.takes_leases]
    commands = [f"~{names.commands(ANY, owner)}" for owner in service.sends_to_any]
    if leases:
        yield f"+eval +get +set +del {' '.join(leases)}"
        # Sent in the same step in which the lease is looked at.
        yield f"+eval {' '.join([*commands, *leases])}"
    if commands:
        yield f"+xadd {' '.join(commands)}"
    for owner in service.watches_any:
        yield f"+xread +xinfo|stream ~{names.changes(ANY, owner)}"
    if service.reads_progress_any:
        yield f"+xread ~{names.progress(ANY, '*')}"


def _telling(service: Service, node: str) -> Iterator[str]:
    changes = names.changes(node, service.name)
    if service.publishes:
        yield f"+xadd {_TRIMMING} ~{changes}"
    if service.relays:
        epoch = names.epoch(node, service.name)
        yield f"+xadd +xinfo|stream {_TRIMMING} +del +get +set ~{changes} ~{epoch}"
    if service.tells_progress:
        yield f"+xadd +expire ~{names.progress(node, '*')}"
    if service.reads_progress:
        yield f"+xread ~{names.progress(node, '*')}"


def _jobs(service: Service, node: str) -> Iterator[str]:
    keys = f"~wherry:{node}:celery:*"
    if service.works_off_jobs:
        yield f"{_QUEUE} {_WORK} {keys}"
    elif service.queues_jobs:
        yield f"{_QUEUE} {keys}"
