"""Puts the gateway together, serves until told to stop, takes it apart in order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.gateway.adapters.archives import FolderArchives
from services.gateway.adapters.changes import StreamChanges
from services.gateway.adapters.content import DiskContent
from services.gateway.adapters.engine_id import read_engine_id
from services.gateway.adapters.host import LinuxMachine, read_host
from services.gateway.adapters.left_out import LeftOutFile
from services.gateway.adapters.listening import listening, take_all_descriptors
from services.gateway.adapters.programs import InstalledPrograms
from services.gateway.adapters.progress import StreamFollower
from services.gateway.adapters.server import serve_all
from services.gateway.adapters.spool import FolderSpool
from services.gateway.adapters.streams import ExecutorStreams
from services.gateway.adapters.tokens import TokensOnDisk
from services.gateway.adapters.traces import FolderTraces
from services.gateway.adapters.vault import NodeVault
from services.gateway.config import GatewayConfig
from services.gateway.domain import api_version
from services.gateway.domain.host import Host
from services.gateway.domain.rate import RateLimit
from services.gateway.domain.system_info import Engine
from services.gateway.entrypoints import metrics
from services.gateway.entrypoints.access import Guarded
from services.gateway.entrypoints.admission import Admitted
from services.gateway.entrypoints.app import App
from services.gateway.entrypoints.audit import Audited, told
from services.gateway.entrypoints.bounds import Bounded
from services.gateway.entrypoints.disk_usage import DiskUsageRoutes
from services.gateway.entrypoints.dispatch import Dispatch
from services.gateway.entrypoints.events import EventRoutes
from services.gateway.entrypoints.http import Application, Scope
from services.gateway.entrypoints.idempotency import Keyed
from services.gateway.entrypoints.late_app import LateApp
from services.gateway.entrypoints.plugins import PluginRoutes
from services.gateway.entrypoints.ready import ReadyAnswers
from services.gateway.entrypoints.registry import RegistryRoutes
from services.gateway.entrypoints.router import Router
from services.gateway.entrypoints.swarm import SwarmRoutes
from services.gateway.entrypoints.system import SystemRoutes
from services.gateway.entrypoints.volumes import VolumeRoutes
from services.gateway.entrypoints.wherry_health import HealthFirst
from services.gateway.ports import Programs, Publisher, Sender, Vault
from services.gateway.service.access import Access
from services.gateway.service.admission import Admission
from services.gateway.service.archives import Archives
from services.gateway.service.audit import AuditTrail
from services.gateway.service.diffs import Diffs
from services.gateway.service.execs import PluginExecs
from services.gateway.service.feed import Feed
from services.gateway.service.fleet import Services
from services.gateway.service.health import NodeHealth
from services.gateway.service.job_watch import JobWatch
from services.gateway.service.jobs import Jobs
from services.gateway.service.leftovers import Leftovers
from services.gateway.service.logs import PluginLogs
from services.gateway.service.look import PluginLook
from services.gateway.service.recent_events import RecentEvents
from services.gateway.service.references import References
from services.gateway.service.registries import Registries
from services.gateway.service.replica import Replica
from services.gateway.service.secrets import NodeSecrets
from services.gateway.service.upgrades import Upgrades
from services.gateway.service.verbs import CREATE_LIMIT_S, Verbs
from services.gateway.service.visibility import Visibility
from services.gateway.service.volumes import Volumes
from shared import errdefs
from shared.bus.redis_bus import RedisBus
from shared.contracts.event import EventPublished
from shared.contracts.store import PluginChanged
from shared.metrics import endpoint
from shared.metrics.node import NodeMetrics
from shared.node.runtimes import STOCK
from shared.version import VERSION

if TYPE_CHECKING:
    from services.gateway.service.authorization import Authorization

#: Services that subscribe to what the gateway publishes, the audit.
READERS: Final = ("event",)
#: How long verbs in hand may go on when the gateway stops; their owners finish them anyway.
_GRACE_S: Final = 10
#: The executor's only one.
_CGROUP_DRIVER: Final = "cgroupfs"


async def serve(config: GatewayConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Serve until *stop* is set; raises errdefs when a socket is taken."""
    access = _access(config)
    take_all_descriptors()
    with listening(config.node.socket, config.listening) as sockets:
        changes = StreamChanges(
            bus=bus,
            owner="store",
            model=PluginChanged,
            is_known=lambda epoch, revision: replica.inventory.contains(epoch, revision),
        )
        replica = Replica(sender=bus, changes=changes)
        published = StreamChanges(bus=bus, owner="event", model=EventPublished, is_traced=True)
        volumes = Volumes(
            sender=bus,
            create_timeout_s=config.volume_create_timeout_s,
            call_timeout_s=config.volume_call_timeout_s,
            list_timeout_s=config.volume_list_timeout_s,
        )
        feed = Feed(
            sender=bus,
            changes=published,
            positions=lambda: (replica.inventory.newest, *volumes.reached),
        )
        spool = FolderSpool(config.node.root / "staging", limit=config.context_limit)
        spool.prepare(stale_s=CREATE_LIMIT_S)
        programs = InstalledPrograms(_programs(config))
        vault = NodeVault(config.node.root)
        jobs = Jobs(sender=bus, vault=vault)
        streams = ExecutorStreams(socket=config.node.exec_root / "executor.sock")
        logs = PluginLogs(replica=replica, streams=streams)
        look = PluginLook(sender=bus, replica=replica)
        execs = PluginExecs(sender=bus, replica=replica, streams=streams)
        visibility = Visibility(replica=replica, feed=feed)
        watch = JobWatch(jobs=jobs, follower=StreamFollower(bus), visibility=visibility)
        upgrades = Upgrades(sender=bus, vault=vault)
        gateway = Gateway(
            config=config,
            access=access,
            host=read_host(),
            sender=bus,
            publisher=bus,
            replica=replica,
            feed=feed,
            spool=spool,
            programs=programs,
            vault=vault,
            jobs=jobs,
            watch=watch,
            logs=logs,
            look=look,
            volumes=volumes,
            execs=execs,
            is_stopping=stop.is_set,
            archives=Archives(
                sender=bus,
                replica=replica,
                content=DiskContent(config.node.root / "content"),
                spool=FolderArchives(config.node.root, limit=config.context_limit),
            ),
            upgrades=upgrades,
        )
        bus.read_by(READERS)
        bus.on_reconnect(replica.refresh_soon)
        await bus.open()
        try:
            async with _showing_metrics(config), asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(work)
                    for work in (
                        replica.run(),
                        feed.run(),
                        _look_later(programs, replica),
                        Leftovers(sender=bus, spool=spool).run(),
                        _close(stop, feed, watch, look, logs, execs, upgrades),
                    )
                ]
                async with _authorizing(config, replica) as authorization:
                    app, ready = gateway.app(authorization)
                    await serve_all(app, sockets, stop=stop, grace_s=_GRACE_S, ready=ready)
                for task in background:
                    task.cancel()
        finally:
            await bus.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The parts that routes are made of."""

    config: GatewayConfig
    access: Access
    host: Host
    sender: Sender
    publisher: Publisher
    replica: Replica
    feed: Feed
    spool: FolderSpool
    programs: Programs
    vault: Vault
    jobs: Jobs
    watch: JobWatch
    logs: PluginLogs
    look: PluginLook
    volumes: Volumes
    execs: PluginExecs
    archives: Archives
    #: Tells whether the gateway is to end: what is live on pages ends then.
    is_stopping: Callable[[], bool]
    upgrades: Upgrades

    def app(self, authorization: Authorization | None = None) -> tuple[App, ReadyAnswers | None]:
        """Return the ASGI application, and what answers plain reads before it.

        *authorization* is asked about every request, so that none is answered before it.
        """
        verbs = Verbs(
            sender=self.sender,
            visibility=Visibility(replica=self.replica, feed=self.feed),
            spool=self.spool,
            ready_timeout_s=self.config.ready_timeout_s,
            stop_grace_s=self.config.stop_grace_s,
            volumes=self.volumes,
            shutdown_timeout_s=self.config.shutdown_timeout_s,
        )
        registries = Registries(sender=self.sender, vault=self.vault)
        routes = (
            *self._system().routes(),
            *PluginRoutes(replica=self.replica, verbs=verbs).routes(),
            *self._registry(registries).routes(),
            *EventRoutes(feed=self.feed).routes(),
            *VolumeRoutes(volumes=self.volumes).routes(),
            *DiskUsageRoutes(volumes=self.volumes).routes(),
            *SwarmRoutes(services=Services(sender=self.sender, vault=self.vault)).routes(),
        )
        health = NodeHealth(
            sender=self.sender,
            replica=self.replica,
            node=self.config.node.name,
            authorization=authorization,
        )
        late = LateApp(lambda: self._extension(verbs, registries, health))
        extension = Keyed(HealthFirst(late, health))
        # What the console does is asked of the API as clients ask it, past the same doors.
        console = LateApp(lambda: self._console(verbs, health, lambda: api))
        router = Router(routes)
        served: Application = Bounded(Dispatch(router, extension, console))
        if authorization:
            # Outside the bound: a body too long to be shown is refused in Docker's words.
            served = _authorized(served, authorization)
        api = self._behind_the_door(served)
        is_traced = self.config.are_reads_traced
        ready = ReadyAnswers(router, self._mark, is_recorded=is_traced)
        return App(api, are_reads_traced=is_traced), None if authorization else ready

    def _mark(self) -> Hashable:
        """Return what changes whenever the answer to a plain read may."""
        return self.replica.inventory.taken_in, self.programs.are_known

    def _behind_the_door(self, served: Application) -> Application:
        trail = AuditTrail(publisher=self.publisher, clock_ns=time.time_ns, clock=time.monotonic)

        async def refused(scope: Scope, status: int) -> None:
            address = (scope.get("client") or ("socket",))[0]
            await trail.refuse(told(trail, scope), status, address)

        admission = Admission(
            places=self.config.changes_in_hand,
            waiting=self.config.changes_waiting,
            patience_s=self.config.changes_patience_s,
            clock=time.monotonic,
        )
        metrics.describe_admission(lambda: admission.in_hand, lambda: admission.waiting)
        # Behind the door, which knows who comes; before the audit, which a flood would fill.
        served = Admitted(Audited(served, trail), admission)
        return Guarded(served, self.access, refused=refused)

    def _registry(self, registries: Registries) -> RegistryRoutes:
        return RegistryRoutes(
            replica=self.replica, registries=registries, jobs=self.jobs, watch=self.watch
        )

    def _system(self) -> SystemRoutes:
        node = self.config.node
        engine = Engine(
            engine_id=read_engine_id(node.root),
            node=node.name,
            root=str(node.root),
            cgroup_driver=_CGROUP_DRIVER,
            host=self.host,
            tcp=_exposed(self.config),
            registry_mirrors=self.config.registry_mirrors,
            insecure_registries=self.config.insecure_registries,
            proxies=self.config.proxies,
            labels=self.config.labels,
            is_experimental=self.config.is_experimental,
            is_live_restore=self.config.is_live_restore,
            is_debug=self.config.is_debug,
            runtimes=self.config.runtimes,
        )
        metrics.describe(engine, lambda: self.feed.listeners)
        return SystemRoutes(
            engine=engine,
            programs=self.programs,
            machine=LinuxMachine(),
            replica=self.replica,
            feed=self.feed,
        )

    def _console(
        self, verbs: Verbs, health: NodeHealth, api: Callable[[], Application]
    ) -> Application:
        # Imported when it is needed: few gateways have a browser for a client.
        from services.gateway.entrypoints.ui.application import Frame
        from services.gateway.entrypoints.ui.inner_api import InnerApi
        from services.gateway.entrypoints.ui.node import Links
        from services.gateway.entrypoints.ui.routes import ConsoleParts

        parts = ConsoleParts(
            frame=Frame(node=self.config.node.name, version=VERSION),
            facts=self._facts(),
            links=Links(grafana=self.config.grafana_url, jaeger=self.config.jaeger_url),
            replica=self.replica,
            feed=self.feed,
            recent=RecentEvents(sender=self.sender),
            references=self._references(),
            logs=self.logs,
            verbs=verbs,
            jobs=self.jobs,
            traces=FolderTraces(self.config.node.root),
            upgrades=self.upgrades,
            health=health,
            services=Services(sender=self.sender, vault=self.vault),
            api=InnerApi(api=api),
            closed=self.is_stopping,
        )
        return parts.application()

    def _facts(self) -> dict[str, str]:
        node, programs = self.config.node, self.programs.found
        return {
            "System": self.host.operating_system,
            "Kernel": self.host.kernel_version,
            "Architecture": self.host.machine,
            "Processors": str(self.host.cpus),
            "Speaks as": f"Docker {api_version.ENGINE}, API {api_version.CURRENT}",
            "Socket": str(node.socket),
            "Data": str(node.root),
            **{name: found.version for name, found in programs.items()},
        }

    def _references(self) -> References:
        return References(sender=self.sender, ready_timeout_s=self.config.ready_timeout_s)

    def _extension(self, verbs: Verbs, registries: Registries, health: NodeHealth) -> Application:
        # Imported when it is needed: FastAPI costs a third of a second.
        from services.gateway.entrypoints.wherry import Extension
        from services.gateway.entrypoints.wherry_archives import ArchiveExtension
        from services.gateway.entrypoints.wherry_audit import AuditExtension
        from services.gateway.entrypoints.wherry_diff import DiffExtension
        from services.gateway.entrypoints.wherry_exec import ExecExtension
        from services.gateway.entrypoints.wherry_jobs import JobExtension
        from services.gateway.entrypoints.wherry_logs import LogExtension
        from services.gateway.entrypoints.wherry_look import LookExtension
        from services.gateway.entrypoints.wherry_node import NodeExtension
        from services.gateway.entrypoints.wherry_references import ReferenceExtension
        from services.gateway.entrypoints.wherry_secrets import SecretExtension
        from services.gateway.entrypoints.wherry_traces import TraceExtension
        from services.gateway.entrypoints.wherry_upgrades import UpgradeExtension
        from services.gateway.entrypoints.wherry_volumes import VolumeExtension

        extension = Extension(
            config=self.config,
            host=self.host,
            programs=self.programs,
            replica=self.replica,
            feed=self.feed,
            verbs=verbs,
            health=health,
            jobs=JobExtension(
                replica=self.replica, registries=registries, jobs=self.jobs, watch=self.watch
            ),
            node=NodeExtension(
                sender=self.sender, metrics=NodeMetrics.of(self.config.node.exec_root)
            ),
            references=ReferenceExtension(references=self._references()),
            logs=LogExtension(logs=self.logs),
            look=LookExtension(look=self.look),
            volumes=VolumeExtension(volumes=self.volumes),
            execs=ExecExtension(execs=self.execs),
            archives=ArchiveExtension(archives=self.archives, jobs=self.jobs),
            audit=AuditExtension(sender=self.sender),
            secrets=SecretExtension(secrets=NodeSecrets(sender=self.sender, vault=self.vault)),
            diffs=DiffExtension(diffs=Diffs(replica=self.replica, registries=registries)),
            traces=TraceExtension(traces=FolderTraces(self.config.node.root)),
            upgrades=UpgradeExtension(upgrades=self.upgrades),
        )
        return extension.application()


def _access(config: GatewayConfig) -> Access:
    """Return what lets requests in; raises InvalidArgument for tokens that can't be read."""
    tokens = TokensOnDisk(
        config.tokens or config.node.root / "tokens.json", is_named=config.tokens is not None
    )
    tokens.check()
    limit = config.rate_limit
    requests = RateLimit(per_second=limit, burst=max(1.0, 2 * limit)) if limit else None
    return Access(tokens=tokens, clock=time.monotonic, requests=requests)


@contextlib.asynccontextmanager
async def _showing_metrics(config: GatewayConfig) -> AsyncIterator[None]:
    """Show the node's metrics on their own address, if there is one, while the block runs."""
    if config.metrics is None:
        yield
        return
    render = NodeMetrics.of(config.node.exec_root).render
    async with endpoint.on_tcp(config.metrics.host, config.metrics.port, render):
        yield


async def _look_later(programs: InstalledPrograms, replica: Replica) -> None:
    """Have programs tell their versions once reads are answered: starting them takes a while."""
    with contextlib.suppress(errdefs.Unavailable):
        await replica.ready()
    await programs.known()


@contextlib.asynccontextmanager
async def _authorizing(
    config: GatewayConfig, replica: Replica
) -> AsyncIterator[Authorization | None]:
    """Give the chain of authorization plugins, if there is one, and take it apart at the end."""
    if not config.authorization_plugins:
        yield None
        return
    # Imported when it is needed: few nodes need it, and it brings an HTTP client.
    from services.gateway.service.authorization import Authorization
    from shared.plugin_rpc.endpoints import Endpoints
    from shared.plugin_rpc.legacy import LegacyPlugins
    from shared.plugin_rpc.lookup import Lookup

    endpoints, left_out = Endpoints(), LeftOutFile(config.node.exec_root)
    lookup = Lookup(
        resolve=lambda name: replica.inventory.resolve(name).plugin,
        managed=lambda: [entry.plugin for entry in replica.inventory.entries.values()],
        endpoints=endpoints,
        legacy=LegacyPlugins(config.legacy_plugins, endpoints),
    )
    try:
        yield Authorization(
            config.authorization_plugins,
            replica=replica,
            lookup=lookup,
            left_out=left_out,
            limit_s=config.authorization_timeout_s,
        )
        left_out.close()
    finally:
        await endpoints.close()


def _authorized(served: Application, authorization: Authorization) -> Application:
    from services.gateway.entrypoints.authorization import Authorized

    return Authorized(served, authorization)


async def _close(
    stop: asyncio.Event,
    feed: Feed,
    watch: JobWatch,
    look: PluginLook,
    logs: PluginLogs,
    execs: PluginExecs,
    upgrades: Upgrades,
) -> None:
    await stop.wait()
    upgrades.close()
    feed.close()
    watch.close()
    look.close()
    await logs.close()
    await execs.close()


def _programs(config: GatewayConfig) -> tuple[tuple[str, str], ...]:
    programs = (("runc", config.runtimes.by_name[STOCK].path), ("conmon", config.conmon))
    return (*programs, ("redis", "redis-server")) if config.node.private_redis else programs


def _exposed(config: GatewayConfig) -> tuple[str, ...]:
    """Return the addresses where nothing is encrypted."""
    if config.listening.tls:
        return ()
    return tuple(f"{address.host}:{address.port}" for address in config.listening.tcp)
