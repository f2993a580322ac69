"""Whiteouts: the entries of a layer that take away what layers below it brought."""

from __future__ import annotations

import os
from typing import Final

from shared import errdefs
from shared.oci.root import Root

_PREFIX: Final = ".wh."
_META_PREFIX: Final = ".wh..wh."
_OPAQUE: Final = ".wh..wh..opq"
#: Bytes that a path takes beside its characters.
_OF_EACH: Final = 128


class Whiteouts:
    """The whiteouts of one layer, and the memory of what is the layer's own."""

    def __init__(self, root: Root, limit: int) -> None:
        """Remember paths in at most *limit* bytes of memory, about."""
        self._root = root
        self._own: set[str] = {""}
        self._limit = self._left = limit

    def apply(self, path: str) -> bool:
        """Act on *path* if it is a whiteout, else remember it; say which it was."""
        folder, _, name = path.rpartition("/")
        if not name.startswith(_PREFIX):
            self._remember(path)
            return False
        if name == _OPAQUE:
            self._clear(folder)
        elif not name.startswith(_META_PREFIX):  # AUFS kept its own books under that name
            self._remove(folder, name.removeprefix(_PREFIX))
        return True

    def _remember(self, path: str) -> None:
        while path not in self._own:
            self._own.add(path)
            self._left -= len(path) + _OF_EACH
            path = path.rpartition("/")[0]
        if self._left < 0:
            raise errdefs.InvalidArgument(
                "the archive's paths, and those of the folders between them, take more than "
                f"{self._limit} bytes"
            )

    def _remove(self, folder: str, name: str) -> None:
        if name in ("", ".", ".."):
            raise errdefs.InvalidArgument(
                f"invalid whiteout {_PREFIX + name!r} in {folder!r}: it names nothing below it"
            )
        self._root.remove(f"{folder}/{name}" if folder else name)

    def _clear(self, folder: str) -> None:
        """Remove all below *folder* that this layer did not bring."""
        pending = [folder]
        while pending:
            path = pending.pop()
            for name, is_folder in self._children(path):
                child = f"{path}/{name}" if path else name
                if child not in self._own:
                    self._root.remove(child)
                elif is_folder:
                    pending.append(child)

    def _children(self, path: str) -> list[tuple[str, bool]]:
        """List what *path* holds, and which of it are folders, symlinks to one apart."""
        try:
            folder = self._root.folder(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            with os.scandir(fd) as found:
                return [(item.name, item.is_dir(follow_symlinks=False)) for item in found]
        finally:
            os.close(fd)
