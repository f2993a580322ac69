"""How what a job staged becomes a plugin's files: a pull makes one, an upgrade replaces one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.store import ports
from services.store.domain import (
    consent,
    declaration,
    handover,
    job,
    requirements,
    status,
    upgrading,
)
from services.store.domain.job import JobRecord
from services.store.domain.operation import Change, Unit, Unsynced
from services.store.domain.plugin_config import config_of, settings_of
from services.store.service import leftovers
from services.store.service.garbage import Garbage
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.job import CommitPlugin, JobKind
from shared.contracts.plugin import Consent, Plugin
from shared.contracts.store import Changed
from shared.oci import go_json, networks, settings_merge
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import initial_settings, with_env
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The last step of a pull or an upgrade: a plugin is wholly what it was, or what it becomes."""

    inventory: PluginInventory
    lanes: Lanes
    folders: ports.Folders
    content: ports.Content
    garbage: Garbage
    clock: ports.Clock
    #: Called when a root file system was committed that is not on the disk yet.
    sync_soon: Callable[[], None]
    #: Called when blobs may have become garbage.
    collect_soon: Callable[[], None]
    #: Called with the job of an upgrade that is to go on without its worker.
    go_on: Callable[[str], None]

    async def commit(self, command: CommitPlugin, delivery: Delivery) -> Changed:
        """Make the job's staged files the plugin's, and end the job in the same transaction.

        Of the upgrade of an enabled plugin it ends only the worker's part.
        """
        record = job.require(self.inventory.job(command.job_id), command.job_id, command.token)
        plugin_id = record.job.plugin_id or ""
        lane = record.job.name if record.job.kind is JobKind.PULL else plugin_id
        own = job.lane(command.job_id)
        async with self.lanes.hold(lane, delivery.deadline_ns), self.lanes.hold(own):
            record = job.require(self.inventory.job(command.job_id), command.job_id, command.token)
            if record.job.cancelled:
                raise job.was_cancelled(record)
            make = self._install if record.job.kind is JobKind.PULL else self._upgrade
            async with self.garbage.kept_out():
                await self.content.commit_staged(command.job_id, command.blobs)
                return await make(record, command, delivery.message_id)

    async def undo_installs(self) -> tuple[str, ...]:
        """Put files back that were moved for a job that was not committed; return those jobs."""
        undone = []
        for record in self.inventory.live_jobs():
            plugin_id = record.job.plugin_id or ""
            is_staged = record.handover is None
            is_moved = is_staged and record.job.kind in (JobKind.PULL, JobKind.UPGRADE)
            rootfs = job.rootfs(record)
            if is_moved and await self.folders.put_back(record.job.job_id, plugin_id, rootfs):
                undone.append(record.job.job_id)
        return tuple(undone)

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
        unit = Unit(
            changes=(Change.of(plugin, job.pulled(record, self.clock())),),
            job=job.done(record, self.clock()),
            unsynced=Unsynced(plugin_id=plugin_id, rootfs=plugin.rootfs),
            answers=message_id,
        )
        try:
            await self.folders.install(command.job_id, plugin_id, plugin.rootfs, is_synced=False)
            committed = await self.inventory.commit(unit)
        except BaseException:
            # A full disk may have refused the half of it.
            if self.inventory.get(plugin_id) is None:
                await self.folders.bury(plugin_id)
            raise
        self.sync_soon()
        await self.folders.discard(command.job_id)
        return committed.changed

    async def _upgrade(self, record: JobRecord, command: CommitPlugin, message_id: str) -> Changed:
        plugin = self.inventory.require(record.job.plugin_id or "", record.job.name)
        upgraded = _upgraded(plugin, record, command, self.clock())
        unit = (self._hand_over if plugin.enabled else self._replace)(record, plugin, upgraded)
        try:
            await self.folders.install(
                command.job_id,
                plugin.plugin_id,
                upgraded.rootfs,
                is_synced=unit.unsynced is None,
            )
            committed = await self.inventory.commit(dataclasses.replace(unit, answers=message_id))
        except BaseException:
            # A commit that was cut short may have happened all the same: then its files stay.
            if upgraded.rootfs not in self.inventory.rootfs(plugin.plugin_id):
                await self.folders.put_back(command.job_id, plugin.plugin_id, upgraded.rootfs)
            raise
        if plugin.enabled:
            self.go_on(command.job_id)
        else:
            self.sync_soon()
            await leftovers.clear(self.folders, command.job_id, plugin)
            self.collect_soon()
        return committed.changed

    def _replace(self, record: JobRecord, plugin: Plugin, upgraded: Plugin) -> Unit:
        """Return what makes a plugin that is stopped its new version."""
        changed = Change.of(status.stopped(upgraded), job.pulled(record, self.clock()))
        return Unit(
            changes=(changed,),
            job=job.done(record, self.clock(), replaced=plugin),
            unsynced=Unsynced(plugin_id=upgraded.plugin_id, rootfs=upgraded.rootfs),
        )

    def _hand_over(self, record: JobRecord, plugin: Plugin, upgraded: Plugin) -> Unit:
        """Return what begins to replace a plugin that runs: the journal, with a container's id."""
        handover.require_allowed(record.request.strategy, plugin)
        handover.require_allowed(record.request.strategy, upgraded, is_new=True)
        self._require_met(upgraded)
        decided = upgrading.handed_over(record, plugin, upgraded, self.clock())
        begun = status.upgrading(status.counted(plugin), upgrading.upgrading(decided))
        return Unit(changes=(Change.of(begun),), job=decided)

    def _require_met(self, upgraded: Plugin) -> None:
        """Raise Conflict while the new version requires what is not ready: it could not start."""
        others = (p for p in self.inventory.all() if p.plugin_id != upgraded.plugin_id)
        unmet = requirements.first_unmet(upgraded, (upgraded, *others))
        if unmet is not None:
            raise errdefs.Conflict(
                f"plugin {upgraded.name} cannot be upgraded: {unmet.why}",
                detail={"plugin": upgraded.name},
            )


def _upgraded(plugin: Plugin, record: JobRecord, command: CommitPlugin, now_ns: int) -> Plugin:
    config = _parse(command.config, plugin.name)
    if record.request.restore is not None:
        return _restored(plugin, record, command, config)
    merged = settings_merge.merge(config_of(plugin), settings_of(plugin), config)
    if record.request.swarm_service_id:
        # What a service no longer names is as the config has it.
        merged = merged.model_copy(update={"env": initial_settings(config).env})
    changes = {
        **_content(command, config),
        "reference": record.job.remote,
        "rootfs": job.rootfs(record),
        "settings": with_env(merged, record.request.env).to_dict(),
        "grant": consent.requested(config, record.request.privileges, Consent.UPGRADED, now_ns),
    }
    return consent.after_upgrade(plugin, plugin.model_copy(update=changes))


def _restored(
    plugin: Plugin, record: JobRecord, command: CommitPlugin, config: PluginConfig
) -> Plugin:
    """Return a plugin as it was before: its settings, its grant and its signers come back."""
    before = record.request.restore or plugin
    return plugin.model_copy(
        update={
            **_content(command, config),
            "reference": before.reference,
            "rootfs": job.rootfs(record),
            "settings": before.settings,
            "grant": before.grant,
            "signers": before.signers,
        }
    )


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
