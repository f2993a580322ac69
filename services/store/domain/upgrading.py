"""A job's record in the phases of the upgrade of an enabled plugin."""

from __future__ import annotations

from typing import Any

from services.store.domain import handover, job, status
from services.store.domain.handover import Handover
from services.store.domain.job import JobRecord
from shared import errdefs
from shared.contracts.executor import Container
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact
from shared.contracts.upgrade import UpgradePhase, Upgrading

#: How long an upgrade asks again where a part that it starts the new version with is away.
_PATIENCE_S = 120.0


def handed_over(record: JobRecord, plugin: Plugin, new: Plugin, now_ns: int) -> JobRecord:
    """Return an upgrade whose worker is done: *plugin*, which is enabled, is to become *new*."""
    phase = handover.first_phase(record.request.strategy)
    journal = Handover(
        strategy=record.request.strategy,
        old=plugin,
        new=new,
        container_id=status.next_container_id(plugin),
        due_ns=due_ns(record, phase, now_ns),
    )
    return _with(record, phase, journal)


def in_phase(record: JobRecord, phase: UpgradePhase, **changes: Any) -> JobRecord:
    """Return an upgrade in another phase; *changes* are to its journal."""
    journal = journal_of(record).model_copy(update=changes)
    return _with(record, phase, journal)


def is_watched(record: JobRecord, container: Container | None) -> bool:
    """Tell whether a new version that was started in *container* has to last before it counts."""
    is_known = container is not None and not handover.is_undecided(container)
    return record.request.monitor_s > 0 or not is_known


def next_phase(record: JobRecord, *, is_watched: bool) -> UpgradePhase:
    """Return what follows the upgrade's present phase, which went well."""
    strategy = journal_of(record).strategy
    phase = handover.next_phase(strategy, record.job.phase or UpgradePhase.PREFETCH)
    if phase is UpgradePhase.MONITOR and not is_watched:
        return handover.next_phase(strategy, phase)
    return phase


def due_ns(record: JobRecord, phase: UpgradePhase, now_ns: int) -> int:
    """Return when a phase that begins now is over at the latest; 0 for one without a limit."""
    limit_s = {
        UpgradePhase.START: _PATIENCE_S,
        UpgradePhase.MONITOR: record.request.monitor_s,
        UpgradePhase.DRAIN: record.request.drain_s,
    }
    return now_ns + int(limit_s[phase] * 1e9) if phase in limit_s else 0


def upgrading(record: JobRecord) -> Upgrading:
    """Return what the plugin's record shows of its upgrade."""
    journal, phase = journal_of(record), record.job.phase or UpgradePhase.PREFETCH
    return Upgrading(
        job_id=record.job.job_id,
        strategy=journal.strategy,
        phase=phase,
        beside=handover.beside(journal, phase),
    )


def line(record: JobRecord) -> str:
    """Return what whoever follows an upgrade is told when its phase begins."""
    match record.job.phase:
        case UpgradePhase.STOP:
            return "Stopping the old version"
        case UpgradePhase.START if upgrading(record).beside is not None:
            return "Starting the new version beside the old one"
        case UpgradePhase.START:
            return "Starting the new version"
        case UpgradePhase.SWAP:
            return "Making the new version the one that is called"
        case UpgradePhase.MONITOR:
            return f"Watching whether the new version lasts for {record.request.monitor_s:g} s"
        case UpgradePhase.DRAIN:
            return f"Draining the old version, for {record.request.drain_s:g} s at most"
        case UpgradePhase.ROLLBACK:
            why = errdefs.from_wire(journal_of(record).error or {})
            return f"Putting the old version back: {why.message}"
        case _:
            return "Removing the old version"


def upgrade_facts(record: JobRecord, now_ns: int) -> tuple[Fact, Fact]:
    """Return what happened when the new version has taken the old one's place."""
    journal = journal_of(record)
    upgraded = status.fact(
        journal.new,
        "upgrade",
        now_ns,
        strategy=journal.strategy,
        reference=journal.new.reference,
        digest=journal.new.manifest_digest,
        replaced=journal.old.manifest_digest,
    )
    return job.pulled(record, now_ns), upgraded


def _with(record: JobRecord, phase: UpgradePhase, journal: Handover) -> JobRecord:
    shown = record.job.model_copy(update={"phase": phase})
    return record.model_copy(update={"job": shown, "handover": journal})


def journal_of(record: JobRecord) -> Handover:
    """Return the journal of an upgrade that is decided."""
    if record.handover is None:
        raise errdefs.Internal(f"job {record.job.job_id} has no journal of a handover")
    return record.handover
