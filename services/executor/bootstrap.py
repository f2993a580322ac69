"""Puts the executor together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import shutil
from typing import Final

from prometheus_client import REGISTRY

from services.executor.adapters.bundles import BundleFolders
from services.executor.adapters.cgroups import HostCgroups
from services.executor.adapters.clock import SystemClock
from services.executor.adapters.conmon import Conmon
from services.executor.adapters.exec import RuncExecs
from services.executor.adapters.inotify import FolderEvents
from services.executor.adapters.kept_logs import KeptLogs
from services.executor.adapters.logs import LogFiles
from services.executor.adapters.mounts import HostMounts
from services.executor.adapters.one_call import OneCall
from services.executor.adapters.own_places import OwnPlaces
from services.executor.adapters.pidfd import PidfdProcesses
from services.executor.adapters.programs import find_program
from services.executor.adapters.ps import ProcpsPs
from services.executor.adapters.runc import RuncRuntime
from services.executor.adapters.sealed_program import SealedProgram
from services.executor.adapters.secrets import SecretFolders
from services.executor.adapters.sockets import UnixSockets
from services.executor.config import ExecutorConfig
from services.executor.entrypoints.bus import commands
from services.executor.entrypoints.metrics import ContainerMetrics
from services.executor.entrypoints.streams import streams
from services.executor.ports import Host
from services.executor.service.executor import Executor
from shared.bus.ports import Publisher
from shared.bus.redis_bus import RedisBus
from shared.contracts.health import Check
from shared.runc_ctl import Runc
from shared.sealing import SECRETS, NodeOpener
from shared.streams import StreamServer
from shared.version import VERSION

#: Services that subscribe to what the executor publishes.
READERS: Final = ("store",)


async def serve(config: ExecutorConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run the executor until *stop* is set; its containers go on."""
    host = build_host(config)
    executor = build(config, host, bus)
    REGISTRY.register(ContainerMetrics(executor))
    await executor.restore()
    bus.serve(
        commands(executor),
        # Starts wait for their containers: a batch of them must not hold up a stop.
        concurrency=256,
        checks=lambda: _checks(config),
        version=VERSION,
    )
    bus.read_by(READERS)
    bus.on_reconnect(executor.announce)  # runs at the first connection as well
    server = StreamServer(config.layout.stream_socket, streams(executor))
    await server.open()
    await bus.open()
    await stop.wait()
    await bus.close()
    await server.close()
    await executor.close()


def build(config: ExecutorConfig, host: Host, publisher: Publisher) -> Executor:
    """Construct the executor; nothing is opened or started."""
    return Executor(host, publisher, log_check_interval_s=config.log_check_interval_s)


def build_host(config: ExecutorConfig) -> Host:
    """Construct the adapters; raises Unavailable when runc or conmon is not installed."""
    layout = config.layout
    chosen = config.runtimes.chosen
    runc = find_program(chosen.path, "WHERRY_RUNC")
    client = Runc(command=runc, root=layout.state_root, extra_args=chosen.args)
    cgroups = HostCgroups(layout=layout)
    events = FolderEvents()
    return Host(
        supervisor=Conmon(
            layout=layout,
            conmon=find_program(config.conmon, "WHERRY_CONMON"),
            runc=runc,
            runtime_args=chosen.args,
            cgroups=cgroups,
            one_call=OneCall(client),
            sealed=SealedProgram(runc),
        ),
        runtime=RuncRuntime(runc=client),
        processes=PidfdProcesses(),
        # Of its own: who follows a log wants more of the same folder.
        bundles=BundleFolders(
            layout=layout,
            events=FolderEvents(),
            own=OwnPlaces(own=config.own_places, open_to_all=(config.node.root / "volumes",)),
        ),
        sockets=UnixSockets(layout=layout, events=events),
        mounts=HostMounts(layout=layout, data_root=config.node.root),
        cgroups=cgroups,
        logs=LogFiles(
            layout=layout,
            max_bytes=config.log_max_bytes,
            kept=KeptLogs(root=config.node.root / "output"),
            events=events,
        ),
        secrets=SecretFolders(
            layout=layout, root=config.node.root, opener=NodeOpener(config.node.root, SECRETS)
        ),
        ps=ProcpsPs(),
        execs=RuncExecs(layout=layout, runc=client, cgroups=cgroups),
        clock=SystemClock(),
    )


async def _checks(config: ExecutorConfig) -> tuple[Check, ...]:
    return tuple(
        Check(name=program, ok=shutil.which(program) is not None, message="must be installed")
        for program in (config.runtimes.chosen.path, config.conmon)
    )
