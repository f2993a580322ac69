"""The lease by which a volume holds its plugin."""

from __future__ import annotations

from urllib.parse import quote

from services.volume.domain.record import VolumeRecord
from shared import errdefs
from shared.contracts.reference import GetMode, GetPlugin, OwnerKind

#: As `shared.contracts.reference` and managed plugins spell it.
CAPABILITY = "volumedriver"
#: A volume whose service does not come back holds its plugin no longer than this.
TTL_S = 24 * 3600
#: Time between two renewals: several may fail.
RENEW_EVERY_S = TTL_S / 8

_LONGEST_OWNER = 255
#: What needs no escape in an owner's id, which has no slash.
_PLAIN = " !\"#$&'()*+,-.:;<=>?@[\\]^_`{|}~"


def owner(record: VolumeRecord) -> str:
    """Return whom the lease is in the name of; raises InvalidArgument for a name too long."""
    name = quote(record.name, safe=_PLAIN)
    if len(name) > _LONGEST_OWNER:
        raise errdefs.InvalidArgument(
            f"volume name is too long: a plugin's volume has at most {_LONGEST_OWNER} characters"
        )
    return f"{OwnerKind.VOLUME}/{name}"


def acquire(record: VolumeRecord) -> GetPlugin:
    """Return the command that acquires the lease, or renews it."""
    return GetPlugin(
        name=record.driver,
        capability=CAPABILITY,
        mode=GetMode.ACQUIRE,
        owner=owner(record),
        ttl_s=TTL_S,
    )


def release(record: VolumeRecord) -> GetPlugin:
    """Return the command that releases it."""
    return GetPlugin(name=record.driver, mode=GetMode.RELEASE, owner=owner(record))
