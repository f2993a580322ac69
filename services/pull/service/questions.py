"""Short questions to registries, answered while somebody waits."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from services.pull.domain.plugin_image import PluginImage
from services.pull.ports import Archives, Registries
from services.pull.service.credentials import open_auth
from services.pull.service.resolving import Resolver
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.job import Sealed
from shared.contracts.pull import (
    Archived,
    ArchivedPlugin,
    DescribeArchive,
    DescribePlugin,
    GetPrivileges,
    LoggedIn,
    LogIn,
    Privileges,
    RemotePlugin,
)
from shared.oci import layout, privileges, reference
from shared.oci.descriptor import Descriptor
from shared.sealing import Opener, seal

#: How containerd, and so Docker, calls an image in a layout.
_IMAGE_NAME: Final = "io.containerd.image.name"
#: Stands for the name that a person is yet to give.
_NAMELESS: Final = "plugin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The handlers of GetPrivileges and LogIn."""

    registries: Registries
    archives: Archives
    resolver: Resolver
    opener: Opener

    async def get_privileges(self, command: GetPrivileges, _delivery: Delivery) -> Privileges:
        """Return what a plugin asks for; raises the registry's error. Changes nothing."""
        needed = privileges.compute((await self._image(command)).config)
        return Privileges(privileges=tuple(privilege.to_dict() for privilege in needed))

    async def describe_plugin(self, command: DescribePlugin, _delivery: Delivery) -> RemotePlugin:
        """Return what a plugin is; raises the registry's error. Changes nothing."""
        image = await self._image(command)
        return RemotePlugin(
            config=image.config_bytes.decode(),
            manifest_digest=image.manifest_descriptor.digest,
            layer_digests=tuple(layer.digest for layer in image.layers),
            resolved_digest=image.resolved,
        )

    async def _image(self, command: GetPrivileges | DescribePlugin) -> PluginImage:
        ref = reference.parse(command.remote).with_default_tag()
        auth = open_auth(self.opener, command.credentials, command.subject)
        repository = self.registries.repository(ref, auth=auth, meta_headers=command.meta_headers)
        return await self.resolver.fetch(repository, ref, await repository.resolve())

    async def describe_archive(self, command: DescribeArchive, _delivery: Delivery) -> Archived:
        """Return the plugins of an archive; raises InvalidArgument where there is none."""
        async with self.archives.brought(command.archive_id) as entries:
            described = [await self._described(entry, archive) for entry, archive in entries]
        plugins = tuple(one for one in described if one is not None)
        if not plugins:
            raise errdefs.InvalidArgument("this archive holds no plugin; images are not loaded")
        return Archived(plugins=plugins)

    async def _described(self, entry: Descriptor, archive: Registries) -> ArchivedPlugin | None:
        name = _reference_of(entry)
        ref = reference.parse(name or _NAMELESS).with_default_tag()
        resolver = self.resolver.apart()
        repository = archive.repository(ref, auth={}, meta_headers={})
        try:
            image = await resolver.fetch(repository, ref, await repository.resolve())
        except errdefs.InvalidArgument as error:
            if "reason" in error.detail:
                return None  # something else that lies beside plugins, such as a signature
            raise
        needed = privileges.compute(image.config)
        return ArchivedPlugin(
            digest=entry.digest, name=name, privileges=tuple(one.to_dict() for one in needed)
        )

    async def log_in(self, command: LogIn, _delivery: Delivery) -> LoggedIn:
        """Check credentials; raises the registry's error. Changes nothing."""
        auth = open_auth(self.opener, command.credentials, command.subject)
        login = await self.registries.log_in(command.server_address, auth)
        token = login.identity_token
        sealed = _sealed(token, command.answer_key, command.subject) if token else None
        return LoggedIn(status=login.status, identity_token=sealed)


def _reference_of(entry: Descriptor) -> str:
    """Return what an archive calls an entry; nothing for a bare tag, which names no plugin."""
    called = entry.annotations.get(_IMAGE_NAME) or entry.annotations.get(layout.REF_NAME, "")
    if "/" not in called and ":" not in called:
        return ""
    try:
        return reference.parse(called).with_default_tag().familiar
    except errdefs.InvalidArgument:
        return ""


def _sealed(token: str, answer_key: str, subject: str) -> Sealed:
    try:
        key = base64.b64decode(answer_key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errdefs.InvalidArgument("the key to answer to is not base64") from error
    return seal(key, token.encode(), subject)
