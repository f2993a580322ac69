"""How what a job staged becomes a plugin's files: a pull makes one, an upgrade replaces one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.store import ports
from services.store.domain import consent, declaration, job, status, upgrade
from services.store.domain.job import JobRecord
from services.store.domain.operation import Change, Unit
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.job import CommitPlugin, JobKind
from shared.contracts.plugin import Consent, Plugin
from shared.contracts.store import Changed, Fact
from shared.oci import go_json, networks, reference
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import Settings, initial_settings, with_env
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The last step of a pull or an upgrade: a plugin is wholly what it was, or what it becomes."""

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
            if record.job.cancelled:
                raise job.was_cancelled(record)
            if record.job.kind is JobKind.PULL:
                return await self._install(record, command, delivery.message_id)
            return await self._upgrade(record, command, delivery.message_id)

    async def undo_installs(self) -> None:
        """Put files back that were moved for a pull or an upgrade that was never committed."""
        for record in self.inventory.jobs():
            plugin_id = record.job.plugin_id or ""
            if record.is_live and record.job.kind is not JobKind.PUSH:
                await self.folders.put_back(record.job.job_id, plugin_id, job.rootfs(record))

    async def _install(self, record: JobRecord, command: CommitPlugin, message_id: str) -> Changed:
        plugin_id = record.job.plugin_id or ""
        config = _parse(command.config, record.job.name)
        now_ns = self.clock()
        plugin = Plugin(
            plugin_id=plugin_id,
            name=record.job.name,
            reference=record.job.remote,
            rootfs=job.rootfs(record),
            enabled=False,
            **_content(command, config),
            settings=with_env(initial_settings(config), record.request.env).to_dict(),
            grant=consent.requested(config, record.request.privileges, Consent.PULLED, now_ns),
            created_at_ns=now_ns,
            swarm_service_id=record.request.swarm_service_id,
        )
        await self.folders.install(command.job_id, plugin_id, plugin.rootfs)
        try:
            return await self._end(record, plugin, message_id)
        except BaseException:
            if self.inventory.get(plugin_id) is None:
                await self.folders.bury(plugin_id)
            raise

    async def _upgrade(self, record: JobRecord, command: CommitPlugin, message_id: str) -> Changed:
        plugin = self.inventory.require(record.job.plugin_id or "", record.job.name)
        if plugin.enabled:
            raise errdefs.Conflict(
                f"plugin must be disabled before upgrading: plugin {plugin.name} is enabled"
            )
        upgraded = status.stopped(_upgraded(plugin, record, command, self.clock()))
        await self.folders.install(command.job_id, plugin.plugin_id, upgraded.rootfs)
        try:
            changed = await self._end(record, upgraded, message_id)
        except BaseException:
            # A commit that was cut short may have happened all the same: then its files stay.
            now = self.inventory.get(plugin.plugin_id)
            if now is not None and now.rootfs != upgraded.rootfs:
                await self.folders.put_back(command.job_id, plugin.plugin_id, upgraded.rootfs)
            raise
        await self.folders.drop_rootfs(plugin.plugin_id, plugin.rootfs)
        self.collect_soon()
        return changed

    async def _end(self, record: JobRecord, plugin: Plugin, message_id: str) -> Changed:
        """Commit what the plugin has become, and the end of its job, in one transaction."""
        committed = await self.inventory.commit(
            Unit(
                changes=(Change.of(plugin, self._pulled(record)),),
                job=job.done(record, self.clock()),
                answers=message_id,
            )
        )
        await self.folders.discard(record.job.job_id)
        return committed.changed

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
        "rootfs": job.rootfs(record),
        "settings": with_env(merged, record.request.env).to_dict(),
        "grant": consent.requested(config, record.request.privileges, Consent.UPGRADED, now_ns),
    }
    return consent.after_upgrade(plugin, plugin.model_copy(update=changes))


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
