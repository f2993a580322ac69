"""A service's life: settings, lock, telemetry, then its own loop until SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import setproctitle
import structlog

from shared import errdefs, telemetry
from shared.bus.redis_bus import RedisBus
from shared.metrics import endpoint, exposition
from shared.metrics.node import service_socket
from shared.node.config import NodeConfig
from shared.node.folders import make_roots
from shared.node.lock import ServiceLock
from shared.node.rest import give_back_at_rest
from shared.node.service_manager import told_by_loop

C = TypeVar("C")
#: Runs a service until the event is set: registers its handlers, opens the bus, closes it.
Serve = Callable[[C, RedisBus, asyncio.Event], Awaitable[None]]

log = structlog.get_logger()


def run_service(
    service: str,
    load: Callable[[NodeConfig, Mapping[str, str]], C],
    serve: Serve[C],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Run *service* until SIGTERM or SIGINT and return the process's exit status.

    *load* makes the service's own configuration of the node's and the environment.
    """
    setproctitle.setproctitle(f"wherry-{service}")
    telemetry.set_up_logs(service)
    try:
        node = NodeConfig.from_env(os.environ, service)
        make_roots(node)
        telemetry.set_up_logs(service, node=node.name)
        config = load(node, os.environ)
        lock = ServiceLock(node.lock_path(service))
        lock.acquire()
        telemetry.set_up_traces(service, node.name, node.root)
    except errdefs.Error as error:
        return _refused(service, error)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_until_told(service, node, config, serve))
    except errdefs.Error as error:
        return _refused(service, error)
    finally:
        telemetry.shut_down()
        lock.release()
    return 0


def _refused(service: str, error: errdefs.Error) -> int:
    print(f"wherry {service}: {error.message}", file=sys.stderr)  # noqa: T201 - for a person
    return 1


@asynccontextmanager
async def _showing_metrics(service: str, node: NodeConfig, bus: RedisBus) -> AsyncIterator[None]:
    """Show the service's metrics while the block runs; it runs without them if need be."""

    async def render() -> str:
        await bus.measure()
        return exposition.of_service(service)

    async with AsyncExitStack() as stack:
        path = service_socket(node.exec_root, service)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            await stack.enter_async_context(endpoint.on_unix_socket(path, render))
        except OSError as error:
            log.warning("metrics not shown", path=str(path), reason=str(error))
        yield


async def _until_told(service: str, node: NodeConfig, config: C, serve: Serve[C]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bus = RedisBus(
        url=node.redis_url,
        node=node.name,
        service=service,
        served_by={"executor": node.executor},
    )
    log.info("starting", service=service, pid=os.getpid(), node=node.name)
    async with (
        _showing_metrics(service, node, bus),
        told_by_loop(os.environ, os.getpid()) as tell_ready,
    ):
        bus.server.on_change(tell_ready)
        resting = asyncio.create_task(give_back_at_rest())
        try:
            await serve(config, bus, stop)
        finally:
            resting.cancel()
    log.info("stopped", service=service)
