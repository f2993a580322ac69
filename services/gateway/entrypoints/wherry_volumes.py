"""Volumes in use, in /wherry/v1: mounted for an owner, listed, unmounted."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from services.gateway.entrypoints import wherry_models as models
from services.gateway.service.volumes import Volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeExtension:
    """The handlers, and what they need."""

    volumes: Volumes

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        path = "/volumes/{name:path}/mounts"
        router.get(path)(self.list_mounts)
        router.post(path)(self.mount)
        # An owner has no slash, so the rest is the volume's name, whatever it has.
        router.delete(f"{path}/{{owner}}", status_code=204)(self.unmount)
        router.get("/volumes/{name:path}/path")(self.get_path)

    async def list_mounts(self, name: str) -> models.Mounts:
        """Show who has a volume mounted, and where: what a remove is refused for."""
        return models.Mounts(volume=name, mounts=(await self.volumes.mounts(name)).mounts)

    async def mount(self, name: str, wish: models.MountRequest) -> models.MountedVolume:
        """Mount a volume for an owner; a repeat shows the same place."""
        mountpoint = await self.volumes.mount(name, wish.owner)
        return models.MountedVolume(volume=name, owner=wish.owner, mountpoint=mountpoint)

    async def unmount(self, name: str, owner: str) -> None:
        """End an owner's mount; a repeat is fine."""
        await self.volumes.unmount(name, owner)

    async def get_path(self, name: str) -> models.VolumePath:
        """Tell where a volume is on the host, as its driver says."""
        return models.VolumePath(volume=name, mountpoint=await self.volumes.path(name))
