"""A service: what is kept of it, and what people make of it."""

from __future__ import annotations

from services.controller.domain import service_spec
from shared import errdefs
from shared.contracts.message import Value
from shared.contracts.swarm import GRPC_CODE, Service, ServiceSpec, UpdateState, UpdateStatus


class Progress(Value):
    """How far the rolling update under way is."""

    #: Nodes that had another spec when it began.
    total: int
    #: Tasks that it made, by id, and when the last one was made.
    tasks: tuple[str, ...] = ()
    last_at_ns: int = 0
    #: Those of them that failed before they had lasted.
    failed: tuple[str, ...] = ()


class ServiceRecord(Value):
    """All that the controller keeps of a service."""

    service: Service
    progress: Progress | None = None

    @property
    def spec(self) -> ServiceSpec:
        """Return what is wished."""
        return self.service.spec


def created(service_id: str, spec: ServiceSpec, now_ns: int) -> ServiceRecord:
    """Return a new service; raises InvalidArgument for a spec that none can have."""
    service_spec.check(spec)
    service = Service(
        service_id=service_id, version=1, created_at_ns=now_ns, updated_at_ns=now_ns, spec=spec
    )
    return ServiceRecord(service=service)


def updated(record: ServiceRecord, version: int, spec: ServiceSpec, now_ns: int) -> ServiceRecord:
    """Return a service with another spec; raises Conflict when it has changed since *version*."""
    _require_version(record, version)
    service_spec.check(spec)
    service_spec.check_change(record.spec, spec)
    return _with(record, now_ns, spec=spec, previous_spec=record.spec, update_status=None)


def rolled_back(record: ServiceRecord, version: int, now_ns: int) -> ServiceRecord:
    """Return a service with its previous spec, because a person asked for it."""
    _require_version(record, version)
    if record.service.previous_spec is None:
        raise errdefs.Conflict(
            f"service {record.service.service_id} does not have a previous spec",
            detail={GRPC_CODE: "FailedPrecondition"},
        )
    return rolling_back(record, "manually requested rollback", now_ns)


def rolling_back(record: ServiceRecord, why: str, now_ns: int) -> ServiceRecord:
    """Return a service that goes back to its previous spec."""
    status = UpdateStatus(state=UpdateState.ROLLBACK_STARTED, message=why, started_at_ns=now_ns)
    return _with(
        record,
        now_ns,
        spec=record.service.previous_spec or record.spec,
        previous_spec=record.spec,
        update_status=status,
    )


def in_update(
    record: ServiceRecord, status: UpdateStatus, progress: Progress | None, now_ns: int
) -> ServiceRecord:
    """Return a service whose update is somewhere else; its spec stays."""
    changed = _with(record, now_ns, update_status=status)
    return changed.model_copy(update={"progress": progress})


def _require_version(record: ServiceRecord, version: int) -> None:
    if record.service.version != version:
        raise errdefs.Conflict(
            f"update out of sequence: the service is at version {record.service.version}, not at "
            f"{version}: look at it again, then update what you see",
            detail={GRPC_CODE: "Unknown"},
        )


def _with(record: ServiceRecord, now_ns: int, **changes: object) -> ServiceRecord:
    version = record.service.version + 1
    service = record.service.model_copy(
        update={**changes, "version": version, "updated_at_ns": now_ns}
    )
    return ServiceRecord(service=service)
