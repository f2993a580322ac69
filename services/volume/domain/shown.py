"""A volume as it is shown: its record, and what its driver says."""

from __future__ import annotations

from collections.abc import Iterable

from services.volume.domain.answer import Found
from services.volume.domain.record import Holder, VolumeRecord
from shared.contracts.volume import Volume


def volume(record: VolumeRecord, found: Found, holders: Iterable[Holder] = ()) -> Volume:
    """Return a volume that was created here."""
    return Volume(
        name=record.name,
        driver=record.driver,
        scope=record.scope,
        mountpoint=found.mountpoint,
        created_at_ns=found.created_at_ns,
        labels=record.labels,
        options=record.options,
        status=dict(found.status),
        holders=tuple(holder.owner for holder in holders),
    )


def stranger(driver: str, scope: str, found: Found) -> Volume:
    """Return a volume that only its driver knows."""
    return Volume(
        name=found.name,
        driver=driver,
        scope=scope,
        mountpoint=found.mountpoint,
        created_at_ns=found.created_at_ns,
        status=dict(found.status),
    )
