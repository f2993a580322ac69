"""A node's key pair on disk: `<root>/keys/seal.key`, for root alone, and `seal.pub`."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from shared import errdefs
from shared.sealing.box import new_key, public_bytes

_PRIVATE: Final = "seal.key"
_PUBLIC: Final = "seal.pub"


def load_or_make_key(root: Path) -> bytes:
    """Return the node's private key, made and on disk before it returns where there is none.

    Safe to repeat, and for two processes at once: one key wins. Raises Unavailable where the
    disk fails, InvalidArgument for a file that holds no key.
    """
    folder = root / "keys"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            _write_new(folder / _PRIVATE, new_key(), mode=0o600)
        key = (folder / _PRIVATE).read_bytes()
        _replace(folder / _PUBLIC, public_bytes(key), mode=0o644)
    except OSError as error:
        raise errdefs.Unavailable(f"cannot keep the node's keys in {folder}: {error}") from error
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"{folder / _PRIVATE}: {error.message}; delete the file to have a new one made"
        ) from error
    return key


def read_public_key(root: Path) -> bytes:
    """Return the node's public key; raises Unavailable while the pull service has made none."""
    path = root / "keys" / _PUBLIC
    try:
        return path.read_bytes()
    except OSError as error:
        raise errdefs.Unavailable(
            f"the node's public key {path} is missing; start the pull service, which makes it"
        ) from error


def _write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Make a file that is whole from the first; raises FileExistsError where there is one."""
    if path.exists():
        raise FileExistsError(path)
    staged = _stage(path, data, mode)
    try:
        os.link(staged, path)
        _sync_folder(path.parent)
    finally:
        staged.unlink()


def _replace(path: Path, data: bytes, *, mode: int) -> None:
    if path.exists() and path.read_bytes() == data:
        return
    _stage(path, data, mode).replace(path)
    _sync_folder(path.parent)


def _stage(path: Path, data: bytes, mode: int) -> Path:
    staged = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.write(fd, data)
        os.fchmod(fd, mode)  # whatever the umask says
        os.fsync(fd)
    finally:
        os.close(fd)
    return staged


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
