"""Makes a root file system ready, without ever following a link inside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.executor.domain.init_layer import ENTRIES, Kind
from shared.contracts.executor import ContainerLink

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def prepare(rootfs: Path, links: Iterable[ContainerLink] = ()) -> None:
    """Put the entries of Docker's init layer, and *links*, in place; safe to repeat.

    Files and links that stand where a folder or an entry must be are unlinked first, as Docker
    does: a link there would lead runc's mounts elsewhere.
    """
    root = os.open(rootfs, _FOLDER)
    try:
        added = ((link.path.lstrip("/"), Kind.LINK, link.target) for link in links)
        for path, kind, target in (*ENTRIES, *added):
            *parents, name = path.split("/")
            with _descend(root, parents) as folder:
                _put(folder, name, kind, target)
    finally:
        os.close(root)


@contextlib.contextmanager
def _descend(root: int, parents: list[str]) -> Iterator[int]:
    folder = os.dup(root)
    try:
        for name in parents:
            _put(folder, name, Kind.FOLDER, "")
            below = os.open(name, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def _put(folder: int, name: str, kind: Kind, target: str) -> None:
    # Linux refuses to unlink a folder: what stays is a folder.
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(name, dir_fd=folder)
    with contextlib.suppress(FileExistsError):
        match kind:
            case Kind.FOLDER:
                os.mkdir(name, 0o755, dir_fd=folder)
            case Kind.FILE:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755, dir_fd=folder))
            case Kind.LINK:
                os.symlink(target, name, dir_fd=folder)
