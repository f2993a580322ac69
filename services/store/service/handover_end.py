"""How a handover is over: the new version stays, or the old one is back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from services.store import ports
from services.store.domain import handover, job, status
from services.store.domain.handover import Handover
from services.store.domain.job import JobRecord
from services.store.service import leftovers
from services.store.service.handover_journal import HandoverJournal
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverEnd:
    """The commit that ends the job, and what follows it; called in the plugin's lane."""

    folders: ports.Folders
    journal: HandoverJournal
    clock: ports.Clock
    #: Called when blobs may have become garbage.
    collect_soon: Callable[[], None]
    #: Hands the plugin back to its supervisor.
    hand_back: Callable[[str], None]

    async def stays(self, record: JobRecord, old: Plugin, plugin: Plugin, *facts: Fact) -> None:
        """Commit that the new version stays as *plugin*, and delete the files of the *old* one."""
        job_id = record.job.job_id
        over = functools.partial(job.done, now_ns=self.clock(), replaced=old)
        changed = await self.journal.end(job_id, over, plugin, *facts)
        await self._clear(job_id, old)
        await self.journal.tell_done(job_id, changed)

    async def is_back(
        self, record: JobRecord, journal: Handover, plugin: Plugin, *, is_running: bool
    ) -> None:
        """Commit that the old version stays as *plugin*, and delete the files of the new one."""
        job_id, now_ns = record.job.job_id, self.clock()
        failure = handover.failure(journal, is_running=is_running)
        fact = status.fact(plugin, "rollback", now_ns, error=failure.message)
        over = functools.partial(job.failed, error=failure.to_wire(), now_ns=now_ns)
        await self.journal.end(job_id, over, plugin, fact)
        await self._clear(job_id, journal.new)
        await self.journal.tell_failed(job_id, failure)

    async def _clear(self, job_id: str, gone: Plugin) -> None:
        """Delete a version's files, and hand the plugin back; a crash leaves both to the start."""
        await leftovers.clear(self.folders, job_id, gone)
        self.collect_soon()
        self.hand_back(gone.plugin_id)
