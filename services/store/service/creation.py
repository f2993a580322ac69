"""Create a plugin from a context that a client built."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.store import ports
from services.store.domain import consent, declaration, status
from services.store.domain.operation import Change, Unit
from services.store.service.garbage import Garbage
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.plugin import Consent, Plugin
from shared.contracts.store import Changed, CreatePlugin
from shared.oci import go_json, media_types, networks, privileges, reference
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.plugin_config import PluginConfig, PluginConfigRootfs
from shared.oci.settings import initial_settings
from shared.tasks.lanes import Lanes

#: Stamped into the config of a plugin that is created, as dockerd stamps its own.
_DOCKER_VERSION = "28.3.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """The verb that makes a plugin of a folder with config.json and rootfs."""

    inventory: PluginInventory
    lanes: Lanes
    folders: ports.Folders
    content: ports.Content
    garbage: Garbage
    clock: ports.Clock
    #: Called when blobs may have become garbage.
    collect_soon: Callable[[], None]

    async def create(self, command: CreatePlugin, delivery: Delivery) -> Changed:
        """Create a plugin; whatever fails, or dies half-way, leaves nothing."""
        try:
            name = _local_name(command.name)
            async with self.lanes.hold(name, delivery.deadline_ns):
                if self.inventory.is_taken(name):
                    raise errdefs.AlreadyExists(
                        f"plugin {name} already exists", detail={"plugin": name}
                    )
                self.inventory.require_free(name)
                async with self.garbage.kept_out():
                    return await self._create(name, command, delivery)
        finally:
            await self.folders.drop_context(Path(command.context_path))

    async def _create(self, name: str, command: CreatePlugin, delivery: Delivery) -> Changed:
        plugin_id = secrets.token_hex(32)
        try:
            plugin = await self._stage(plugin_id, name, Path(command.context_path))
            await self.folders.install(plugin_id, plugin_id, plugin.rootfs)
            committed = await self.inventory.commit(
                Unit(
                    changes=(Change.of(plugin, status.fact(plugin, "create", self.clock())),),
                    answers=delivery.message_id,
                )
            )
        except BaseException:
            await self._clear(plugin_id)
            raise
        return committed.changed

    async def _stage(self, plugin_id: str, name: str, context: Path) -> Plugin:
        unpacked = await self.folders.unpack_context(context, plugin_id)
        config = _config(unpacked)
        networks.require_available(config, name)
        extension = declaration.parse(unpacked.config)
        config_blob = await self.content.put(extension.add_to(config.to_json()))
        manifest = _manifest(config_blob, unpacked.layer)
        manifest_blob = await self.content.put(manifest.to_json())
        now_ns = self.clock()
        return Plugin(
            plugin_id=plugin_id,
            name=name,
            reference=name,
            enabled=False,
            config=config.to_dict(),
            extension=extension,
            settings=initial_settings(config).to_dict(),
            config_digest=config_blob.digest,
            manifest_digest=manifest_blob.digest,
            layer_digests=(unpacked.layer.digest,),
            # Who makes a plugin consents to what its config asks for, as dockerd has it.
            grant=consent.granted(privileges.compute(config), Consent.CREATED, now_ns),
            created_at_ns=now_ns,
        )

    async def _clear(self, plugin_id: str) -> None:
        # A commit that was cut short may have happened all the same: then its files stay.
        if self.inventory.get(plugin_id) is None:
            await self.folders.discard(plugin_id)
            await self.folders.bury(plugin_id)
            self.collect_soon()


def _local_name(raw: str) -> str:
    try:
        named = reference.parse(raw)
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"failed to parse reference {raw}: {error.message}", docker_unclassed=True
        ) from error
    if named.digest is not None:
        raise errdefs.InvalidArgument(
            "canonical references are not permitted", docker_unclassed=True
        )
    return named.with_default_tag().familiar


def _config(unpacked: ports.UnpackedContext) -> PluginConfig:
    try:
        config = PluginConfig.from_json(unpacked.config)
    except go_json.GoJSONError as error:
        raise errdefs.InvalidArgument(
            f"failed to parse config: {error}", docker_unclassed=True
        ) from error
    rootfs = PluginConfigRootfs(type="layers", diff_ids=(unpacked.diff_id,))
    return config.model_copy(update={"rootfs": rootfs, "docker_version": _DOCKER_VERSION})


def _manifest(config: ports.Blob, layer: ports.Blob) -> Manifest:
    return Manifest(
        media_type=media_types.DOCKER_MANIFEST,
        config=_descriptor(media_types.DOCKER_PLUGIN_CONFIG, config),
        layers=(_descriptor(media_types.DOCKER_LAYER_GZIP, layer),),
    )


def _descriptor(media_type: str, blob: ports.Blob) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest(blob.digest), size=blob.size)
