"""A node's key pairs on disk: `<root>/keys/<name>.key`, for root alone, and `<name>.pub`.

`<name>.key.old` is the key before the last rotation: what was sealed to it can still be opened.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from shared import errdefs
from shared.sealing.box import Opener, new_key, public_bytes

#: What credentials on their way to the pull service are sealed to.
CREDENTIALS: Final = "seal"
#: What plugins' secrets are sealed to; the executor's.
SECRETS: Final = "secrets"


def load_or_make_key(root: Path, name: str = CREDENTIALS) -> bytes:
    """Return a private key of the node, made and on disk before it returns where there is none.

    Safe to repeat, and for two processes at once: one key wins. Raises Unavailable where the
    disk fails, InvalidArgument for a file that holds no key.
    """
    folder = root / "keys"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            _write_new(folder / f"{name}.key", new_key(), mode=0o600)
        key = (folder / f"{name}.key").read_bytes()
        _replace(folder / f"{name}.pub", public_bytes(key), mode=0o644)
    except OSError as error:
        raise errdefs.Unavailable(f"cannot keep the node's keys in {folder}: {error}") from error
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"{folder / name}.key: {error.message}; delete the file to have a new one made"
        ) from error
    return key


def load_keys(root: Path, name: str = CREDENTIALS) -> tuple[bytes, ...]:
    """Return a private key of the node as `load_or_make_key` does, then the one before it."""
    key = load_or_make_key(root, name)
    try:
        return key, (root / "keys" / f"{name}.key.old").read_bytes()
    except FileNotFoundError:
        return (key,)
    except OSError as error:
        raise errdefs.Unavailable(f"cannot read {name}.key.old: {error.strerror}") from error


def rotate_key(root: Path, name: str = CREDENTIALS) -> None:
    """Put a new key in the place of a node's, and keep that one as the old.

    A crash at any moment leaves the present key and the one before it: what is sealed to the
    public key meanwhile can be opened. Raises Unavailable where the disk fails.
    """
    folder = root / "keys"
    before = load_or_make_key(root, name)
    try:
        _replace(folder / f"{name}.key.old", before, mode=0o600)
        key = new_key()
        _replace(folder / f"{name}.key", key, mode=0o600)
        _replace(folder / f"{name}.pub", public_bytes(key), mode=0o644)
    except OSError as error:
        raise errdefs.Unavailable(f"cannot rotate the key in {folder}: {error}") from error


def read_public_key(root: Path, name: str = CREDENTIALS) -> bytes:
    """Return a public key of the node; raises Unavailable while its owner has made none."""
    path = root / "keys" / f"{name}.pub"
    try:
        return path.read_bytes()
    except OSError as error:
        raise errdefs.Unavailable(
            f"the node's public key {path} is missing; start the service that makes it: pull "
            "for credentials, executor for secrets"
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


class NodeOpener(Opener):
    """Opens what was sealed to a key of the node, its present one or the one before."""

    def __init__(self, root: Path, name: str = CREDENTIALS) -> None:
        """Make the key where there is none; raises as `load_or_make_key` does."""
        super().__init__(*load_keys(root, name))
        self._root, self._name = root, name

    def rotate(self) -> None:
        """Take a new key; what was sealed to the one before can still be opened."""
        rotate_key(self._root, self._name)
        self.use(*load_keys(self._root, self._name))
