"""How what a job staged becomes a plugin's files: a pull's install, an upgrade's swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.store import ports
from services.store.domain import consent, declaration, job, status, upgrade
from services.store.domain.job import JobRecord, Swap
from services.store.domain.operation import Change, Unit
from services.store.service.inventory import PluginInventory
from services.store.service.lanes import Lanes
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.job import CommitPlugin, JobKind
from shared.contracts.plugin import Consent, Plugin
from shared.contracts.store import Changed, Fact
from shared.oci import go_json, networks, reference
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import Settings, initial_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The last step of a pull or an upgrade; once decided it is finished, whoever dies."""

    inventory: PluginInventory
    lanes: Lanes
    folders: ports.Folders
    clock: ports.Clock
    #: Called when blobs may have become garbage.
    collect_soon: Callable[[], None]

    async def commit(self, command: CommitPlugin, delivery: Delivery) -> Changed:
        """Make the job's staged files the plugin's, and end the job in the same transaction."""
        record = job.require(self.inventory.job(command.job_id), command.job_id, command.token)
        plugin_id = record.job.plugin_id or ""
        lane = record.job.name if record.job.kind is JobKind.PULL else plugin_id
        own = job.lane(command.job_id)
        async with self.lanes.hold(lane, delivery.deadline_ns), self.lanes.hold(own):
            record = job.require(self.inventory.job(command.job_id), command.job_id, command.token)
            if record.job.cancelled and record.swap is None:
                raise job.was_cancelled(record)
            if record.job.kind is JobKind.PULL:
                return await self._install(record, command, delivery.message_id)
            record = await self._decide(record, command)
            return await self.finish_swap(record, delivery.message_id)

    async def finish_swap(self, record: JobRecord, message_id: str | None = None) -> Changed:
        """Exchange the root file systems, if that is still to be done, and commit the record."""
        swap = record.swap
        if swap is None:
            raise errdefs.Internal(f"job {record.job.job_id} has nothing to swap")
        plugin_id = swap.plugin.plugin_id
        await self.folders.exchange(record.job.job_id, plugin_id, swap.new_inode)
        plugin = consent.filled(swap.plugin, self.clock())
        committed = await self.inventory.commit(
            Unit(
                changes=(Change.of(plugin, self._pulled(record)),),
                job=job.done(record, self.clock()),
                answers=message_id,
            )
        )
        await self.folders.discard(record.job.job_id)
        self.collect_soon()
        return committed.changed

    async def undo_installs(self) -> None:
        """Put files back that were moved for a pull that was never committed."""
        for record in self.inventory.jobs():
            plugin_id = record.job.plugin_id or ""
            if record.is_live and self.inventory.get(plugin_id) is None:
                await self.folders.put_back(record.job.job_id, plugin_id)

    async def _install(self, record: JobRecord, command: CommitPlugin, message_id: str) -> Changed:
        plugin_id = record.job.plugin_id or ""
        config = _parse(command.config, record.job.name)
        now_ns = self.clock()
        plugin = Plugin(
            plugin_id=plugin_id,
            name=record.job.name,
            reference=record.job.remote,
            enabled=False,
            **_content(command, config),
            settings=initial_settings(config).to_dict(),
            grant=consent.requested(config, record.request.privileges, Consent.PULLED, now_ns),
            created_at_ns=now_ns,
        )
        await self.folders.install(command.job_id, plugin_id)
        unit = Unit(
            changes=(Change.of(plugin, self._pulled(record)),),
            job=job.done(record, self.clock()),
            answers=message_id,
        )
        try:
            committed = await self.inventory.commit(unit)
        except BaseException:
            if self.inventory.get(plugin_id) is None:
                await self.folders.bury(plugin_id)
            raise
        await self.folders.discard(command.job_id)
        return committed.changed

    async def _decide(self, record: JobRecord, command: CommitPlugin) -> JobRecord:
        """Commit what the plugin becomes: from here on the upgrade only goes forward."""
        if record.swap is not None:
            return record
        plugin = self.inventory.require(record.job.plugin_id or "", record.job.name)
        if plugin.enabled:
            raise errdefs.Conflict(
                f"plugin must be disabled before upgrading: plugin {plugin.name} is enabled"
            )
        swap = Swap(
            plugin=_upgraded(plugin, record, command, self.clock()),
            new_inode=await self.folders.inode(command.job_id),
        )
        decided = record.model_copy(update={"swap": swap})
        await self.inventory.commit(Unit(job=decided))
        return decided

    def _pulled(self, record: JobRecord) -> Fact:
        """Return dockerd's event of a pull or an upgrade: its actor is the remote reference."""
        return Fact(
            action="pull",
            actor_id=reference.parse(record.job.remote).familiar,
            attributes={"name": record.job.name},
            time_ns=self.clock(),
        )


def _upgraded(plugin: Plugin, record: JobRecord, command: CommitPlugin, now_ns: int) -> Plugin:
    config = _parse(command.config, plugin.name)
    merged = upgrade.merge(
        PluginConfig.from_go(plugin.config), Settings.from_go(plugin.settings), config
    )
    changes = {
        **_content(command, config),
        "reference": record.job.remote,
        "settings": merged.to_dict(),
        "grant": consent.requested(config, record.request.privileges, Consent.UPGRADED, now_ns),
    }
    upgraded = consent.after_upgrade(plugin, plugin.model_copy(update=changes))
    return status.stopped(upgraded)


def _content(command: CommitPlugin, config: PluginConfig) -> dict[str, Any]:
    return {
        "config": config.to_dict(),
        "extension": declaration.parse(command.config.encode()),
        "config_digest": command.config_digest,
        "manifest_digest": command.manifest_digest,
        "layer_digests": command.layer_digests,
        "signers": command.signers,
    }


def _parse(text: str, name: str) -> PluginConfig:
    try:
        config = PluginConfig.from_json(text.encode())
    except go_json.GoJSONError as error:
        raise errdefs.InvalidArgument(f"failed to parse config: {error}") from error
    networks.require_available(config, name)
    return config
