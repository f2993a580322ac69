"""ports.SecretFolders: a tmpfs for each container, so that secrets never reach a disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.executor.adapters.mounts import mount_tmpfs, unmount_folder
from services.executor.domain.layout import Layout
from shared import errdefs, sealing
from shared.contracts.sealed import SealedSecret, subject_of

#: What all secrets of one container may have together.
_SIZE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFolders:
    """Opens what was sealed to the node's key, and puts it where only the container looks."""

    layout: Layout
    root: Path
    opener: sealing.NodeOpener

    def prepare(
        self, container_id: str, secrets: Sequence[SealedSecret], *, uid: int, gid: int
    ) -> None:
        """Put secrets on a tmpfs of the container's; none makes none.

        Raises InvalidArgument for one that does not open.
        """
        folder = self.layout.bundle(container_id).secrets
        if not secrets:
            return
        opened = {one.name: self._opened(one) for one in secrets}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unmount_folder(folder)
        mount_tmpfs(folder, size_bytes=_SIZE_BYTES, mode=0o755)
        for name, value in opened.items():
            _write(folder / name, value, uid=uid, gid=gid)

    def values(self, container_id: str) -> tuple[bytes, ...]:
        """Return what a container was given, for as long as it is there."""
        folder = self.layout.bundle(container_id).secrets
        try:
            return tuple(path.read_bytes() for path in folder.iterdir())
        except FileNotFoundError:
            return ()

    def rotate(self) -> None:
        """Take a new key; what was sealed to the one before can still be opened."""
        self.opener.rotate()

    def reseal(self, secret: SealedSecret) -> SealedSecret:
        """Return a secret sealed to the present key."""
        key = sealing.read_public_key(self.root, sealing.SECRETS)
        box = sealing.seal(key, self._opened(secret), subject_of(secret.name))
        return SealedSecret(name=secret.name, sealed=box)

    def _opened(self, secret: SealedSecret) -> bytes:
        try:
            return self.opener.open(secret.sealed, subject_of(secret.name))
        except errdefs.InvalidArgument as error:
            raise errdefs.InvalidArgument(
                f"secret {secret.name} does not open: the node's keys are not those that it was "
                "sealed to. Give it its value again: `wherry secret create --replace "
                f"{secret.name}`"
            ) from error


def _write(path: Path, value: bytes, *, uid: int, gid: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    with os.fdopen(fd, "wb") as file:
        file.write(value)
        os.fchown(fd, uid, gid)
