"""Tells who waits that something appeared in a folder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from asyncinotify import Inotify, Mask

_APPEARED = Mask.CREATE | Mask.MOVED_TO


class FolderEvents:
    """One inotify instance for all who wait: Linux grants a user 128 of them.

    It stays once it was needed: to close one, the kernel takes up to 20 ms.
    """

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        #: Who waits, by watch descriptor.
        self._waiting: dict[int, asyncio.Event] = {}

    @contextlib.contextmanager
    def watching(self, folder: Path) -> Iterator[asyncio.Event]:
        """Hold an event that is set whenever something appears in the folder.

        One at a time may watch a folder.
        """
        inotify = self._open()
        watch = inotify.add_watch(folder, _APPEARED)
        appeared = self._waiting[watch.wd] = asyncio.Event()
        try:
            yield appeared
        finally:
            del self._waiting[watch.wd]
            with contextlib.suppress(OSError):  # the folder was removed, and its watch with it
                inotify.rm_watch(watch)

    def _open(self) -> Inotify:
        if self._inotify is None:
            self._inotify = Inotify(sync_timeout=0)
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._drain, self._inotify)
        return self._inotify

    def _drain(self, inotify: Inotify) -> None:
        while (event := inotify.sync_get()) is not None:
            appeared = self._waiting.get(event.watch.wd) if event.watch else None
            if appeared is not None:
                appeared.set()
            elif Mask.Q_OVERFLOW in event.mask:
                for each in self._waiting.values():
                    each.set()
