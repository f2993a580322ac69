"""Tells who waits that something happened in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from asyncinotify import Inotify, Mask

APPEARED = Mask.CREATE | Mask.MOVED_TO
WRITTEN = APPEARED | Mask.MODIFY


class FolderEvents:
    """One inotify instance for all who wait: Linux grants a user 128 of them.

    It stays once it was needed: to close one, the kernel takes up to 20 ms.
    """

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        #: Who waits, by watch descriptor: one per folder.
        self._waiting: dict[int, set[asyncio.Event]] = {}

    @contextlib.contextmanager
    def watching(self, folder: Path, what: Mask = APPEARED) -> Iterator[asyncio.Event]:
        """Hold an event that is set whenever *what* happens in the folder.

        All who watch one folder at a time want the same of it.
        """
        inotify = self._open()
        watch = inotify.add_watch(folder, what)
        waiting = self._waiting.setdefault(watch.wd, set())
        happened = asyncio.Event()
        waiting.add(happened)
        try:
            yield happened
        finally:
            waiting.discard(happened)
            if not waiting:
                del self._waiting[watch.wd]
                with contextlib.suppress(OSError):  # the folder was removed, its watch with it
                    inotify.rm_watch(watch)

    def _open(self) -> Inotify:
        if self._inotify is None:
            self._inotify = Inotify(sync_timeout=0)
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._drain, self._inotify)
        return self._inotify

    def _drain(self, inotify: Inotify) -> None:
        while (event := inotify.sync_get()) is not None:
            if Mask.Q_OVERFLOW in event.mask:
                told = [*itertools.chain(*self._waiting.values())]
            else:
                told = [*self._waiting.get(event.watch.wd, ())] if event.watch else []
            for happened in told:
                happened.set()
