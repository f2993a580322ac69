"""Puts the pull service together, runs it until told to stop, takes it apart in order."""

from __future__ import annotations

import asyncio
import os
import platform

from services.pull.adapters.archive import DiskArchives
from services.pull.adapters.content import DiskContent
from services.pull.adapters.limits import Limits
from services.pull.adapters.privilege_file import PrivilegeFile
from services.pull.adapters.registries import ClientRegistries
from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.settings import Hosts
from services.pull.adapters.trust_file import TrustFile
from services.pull.adapters.workplace import DiskWorkplaces
from services.pull.config import PullConfig
from services.pull.domain import platforms
from services.pull.entrypoints import bus as tables
from services.pull.entrypoints.jobs import WorkerThread, add_task
from services.pull.ports import PrivilegePolicies, Registries, TrustPolicies
from services.pull.service.credentials import CredentialKey
from services.pull.service.flights import Flights
from services.pull.service.pulling import Pulling
from services.pull.service.pushing import Pushing
from services.pull.service.questions import Questions
from services.pull.service.resolving import Resolver
from services.pull.service.running import JobRunner
from services.pull.service.succession import Succession
from services.pull.service.trust import Trust
from shared import errdefs
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.health import Check
from shared.jobs.app import make_app
from shared.jobs.queue import JobQueue
from shared.sealing import NodeOpener
from shared.version import VERSION


async def serve(config: PullConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run until *stop* is set; raises errdefs when keys or settings can't be used."""
    opener = NodeOpener(config.node.root)
    policies = _policies(config)
    limits = _limits(config)
    client = Registry(limits=limits.registry, hosts=_hosts(config), env=config.proxies)
    workplaces = DiskWorkplaces(config.node.root / "work", jobs=config.jobs, limits=limits.unpacked)
    try:
        await _serve(config, bus, stop, opener, ClientRegistries(client), policies, workplaces)
    finally:
        await client.aclose()
        workplaces.close()


async def _serve(
    config: PullConfig,
    bus: RedisBus,
    stop: asyncio.Event,
    opener: NodeOpener,
    registries: Registries,
    policies: TrustPolicies,
    workplaces: DiskWorkplaces,
) -> None:
    resolver = Resolver(machine=platforms.of_machine(platform.machine()))
    questions = Questions(
        registries=registries,
        archives=DiskArchives(config.node.root),
        resolver=resolver,
        opener=opener,
    )
    trust = Trust(policies=policies, registries=registries)
    privilege_file = PrivilegeFile(config.privilege_policy)
    privilege_file.current()  # a bad one stops the start
    runner = _runner(config, bus, opener, registries, resolver, trust, privilege_file, workplaces)
    app = make_app(redis_url=config.node.redis_url, node=config.node.name)
    add_task(app, runner, asyncio.get_running_loop())
    worker = WorkerThread(app, name=f"pull@{config.node.name}", concurrency=config.jobs)

    async def checks() -> tuple[Check, ...]:
        return (Check(name="worker", ok=worker.is_ready),)

    bus.serve(
        tables.commands(questions, CredentialKey(opener=opener)), checks=checks, version=VERSION
    )
    await bus.open()
    worker.start()
    queue = JobQueue(redis_url=config.node.redis_url, node=config.node.name)
    taking_up = asyncio.create_task(Succession(sender=bus, queue=queue).run())
    try:
        await _until(stop, worker)
    finally:
        taking_up.cancel()
        await asyncio.wait([taking_up])
        await queue.close()
        runner.stop()
        await worker.stop()
        await bus.close()


def _runner(
    config: PullConfig,
    bus: RedisBus,
    opener: NodeOpener,
    registries: Registries,
    resolver: Resolver,
    trust: Trust,
    policies: PrivilegePolicies,
    workplaces: DiskWorkplaces,
) -> JobRunner:
    content = DiskContent(config.node.root / "content")
    return JobRunner(
        sender=bus,
        pulling=Pulling(
            registries=registries,
            archives=DiskArchives(config.node.root),
            content=content,
            resolver=resolver,
            trust=trust,
            policies=policies,
            flights=Flights(),
            layers_at_once=config.transfers,
        ),
        pushing=Pushing(registries=registries, content=content, blobs_at_once=config.transfers),
        workplaces=workplaces,
        opener=opener,
        open_progress=lambda job_id: Progress(bus=bus, job_id=job_id),
        worker=f"pull-{os.getpid()}",
    )


async def _until(stop: asyncio.Event, worker: WorkerThread) -> None:
    """Wait to be told to stop; raises Internal when the worker ends by itself."""
    waiting = [asyncio.create_task(event.wait()) for event in (stop, worker.ended)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    if not stop.is_set():
        raise errdefs.Internal("the Celery worker ended by itself: look at the log above")


def _policies(config: PullConfig) -> TrustFile:
    """Return the policy's file, read once: a bad one stops the start."""
    named = config.trust_policy
    policies = TrustFile(named or config.node.root / "trust.json", must_exist=named is not None)
    policies.current()
    return policies


def _limits(config: PullConfig) -> Limits:
    try:
        return Limits.of(config.limits)
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(f"WHERRY_PULL_LIMITS: {error.message}") from error


def _hosts(config: PullConfig) -> Hosts:
    return Hosts(
        mirrors=config.mirrors,
        insecure=config.insecure_hosts,
        insecure_networks=(*Hosts().insecure_networks, *config.insecure_networks),
    )
