"""The spans of a batch: one of each time it goes on, and one of each job of a plugin below it."""

from __future__ import annotations

from opentelemetry import trace

from services.controller.domain.batch import BatchRecord, ItemRecord
from shared import errdefs
from shared.contracts.batch import ItemState
from shared.telemetry import lasting
from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.controller")


def planning(batch_id: str) -> Opened:
    """Open the span of the questions that a plan takes."""
    return opened(_tracer, "plan batch", attributes={"wherry.batch": batch_id})


def batch_rests(record: BatchRecord, now_ns: int) -> None:
    """Tell that a batch goes on no more, unless somebody says so."""
    attributes = {"wherry.batch": record.batch_id, "wherry.batch.state": record.state.value}
    lasting.end(record.span, "batch", now_ns, attributes)


def plugin_ended(begun: ItemRecord, ended: ItemRecord, now_ns: int) -> None:
    """Tell that a job has a plugin in its hands no more, and what became of it."""
    planned = begun.planned
    attributes: dict[str, str | int] = {
        "wherry.batch": begun.batch_id,
        "wherry.plugin": planned.name,
        "wherry.node": planned.node,
        "wherry.job.id": planned.job_id,
        "wherry.job.attempt": planned.attempt,
    }
    name = "upgrade plugin" if begun.state is ItemState.UPGRADING else "roll back plugin"
    lasting.end(begun.span, name, now_ns, attributes, _error(ended))


def _error(ended: ItemRecord) -> errdefs.Error | None:
    if ended.planned.error is None or ended.state in (ItemState.UPGRADED, ItemState.ROLLED_BACK):
        return None
    return errdefs.from_wire(ended.planned.error)
