"""ports.Boot: the kernel's id of this start of the host, beside the one that was noted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from shared import disk

#: Another one after every start of the host.
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFile:
    """Keeps the id in a file of the data root."""

    path: Path
    boot_id: Path = _BOOT_ID

    def is_another(self) -> bool:
        """Tell whether the host was started anew since the note; without one it was not."""
        try:
            return self.path.read_text() != self.boot_id.read_text()
        except FileNotFoundError:
            return False

    async def note(self) -> None:
        """Note this start, on disk before it returns; a repeat writes nothing."""
        await asyncio.to_thread(self._note)

    def _note(self) -> None:
        now = self.boot_id.read_text()
        if self.path.exists() and self.path.read_text() == now:
            return
        new = self.path.with_suffix(".new")
        with disk.full_disk_named(self.path.parent):
            new.write_text(now)
            disk.sync_file(new)
            new.rename(self.path)
            disk.sync_file(self.path.parent)
