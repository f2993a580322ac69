"""Puts the parent together and runs it until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator

from services.parent.adapters.forks import ForkedService
from services.parent.adapters.list_probe import ListProbe
from services.parent.adapters.locks import LockFiles
from services.parent.adapters.processes import PidfdProcesses
from services.parent.adapters.redis_server import RedisServer
from services.parent.config import FIRST, ParentConfig
from services.parent.domain.head_start import HeadStart
from services.parent.ports import Unit
from services.parent.service.supervision import Supervision
from services.parent.service.takeover import Takeover
from shared.node.folders import make_roots
from shared.node.lock import ServiceLock


def run(config: ParentConfig) -> None:
    """Keep the node's processes running until SIGTERM, SIGINT or SIGHUP.

    Raises Conflict when a parent already runs.
    """
    make_roots(config.node)
    # Two locks: nodes with exec roots of their own may name one data root by mistake.
    locks = [
        ServiceLock(path)
        for path in (config.node.lock_path("parent"), config.node.root / "parent.lock")
    ]
    for lock in locks:
        lock.acquire()
    processes = PidfdProcesses()
    processes.listen()
    _supervise(config, processes)
    for lock in locks:
        lock.release()


def _supervise(config: ParentConfig, processes: PidfdProcesses) -> None:
    redis = RedisServer(node=config.node)
    takeover = Takeover(
        adopts=lambda name: name == redis.name and config.node.private_redis and redis.answers(),
        locks=LockFiles(node=config.node),
        processes=processes,
        grace_s=config.grace_s,
    )
    names = (*(service.name for service in reversed(config.services)), redis.name)
    supervision = Supervision(
        tuple(_units(config, redis)),
        adopted=takeover.all(names),
        take_over=takeover.one,
        processes=processes,
        backoff=config.backoff,
        clock=time.monotonic,
        grace_s=config.grace_s,
        head_start=_head_start(config, redis.name),
    )
    supervision.run()


def _head_start(config: ParentConfig, redis: str) -> HeadStart:
    """Have those that answer reads start before the others, on a node that has them."""
    first = {service.name for service in config.services}.intersection(FIRST)
    # A plugin that guards the node would be asked about a question that nobody has sent.
    if config.is_guarded or len(first) < len(FIRST):
        return HeadStart()
    probe = ListProbe(config.node.socket, time.monotonic)
    return HeadStart(names=frozenset({redis, *first}), is_used=probe.is_answered)


def _units(config: ParentConfig, redis: RedisServer) -> Iterator[Unit]:
    if config.node.private_redis:
        yield redis
    for service in config.services:
        yield ForkedService(name=service.name, module=service.module)
