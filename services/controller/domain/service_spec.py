"""What a service's spec must be, refused in swarm's words."""

from __future__ import annotations

import re

from services.controller.domain import constraint
from shared import errdefs
from shared.contracts.swarm import GRPC_CODE, RestartPolicy, ServiceSpec, UpdateConfig
from shared.oci import reference

_NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")
_LONGEST_NAME = 63


def check(spec: ServiceSpec) -> None:
    """Raise InvalidArgument for a spec that no service can have."""
    _check_name(spec.name)
    constraint.parse(spec.constraints)
    _check_restart(spec.restart)
    _check_update(spec.update)
    _check_update(spec.rollback)
    plugin_name(spec)


def check_change(old: ServiceSpec, new: ServiceSpec) -> None:
    """Raise for an update that is another service rather than another spec."""
    if old.name != new.name:
        raise errdefs.Unimplemented(
            "renaming services is not supported", detail={GRPC_CODE: "Unimplemented"}
        )


def plugin_name(spec: ServiceSpec) -> str:
    """Return what the service's plugin is called on each node; raises InvalidArgument.

    Without a name of its own it is called by its remote reference.
    """
    try:
        reference.parse(spec.plugin.remote)
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f'error parsing remote reference "{spec.plugin.remote}": {error.message}'
        ) from error
    try:
        return reference.local_name(spec.plugin.remote, spec.plugin.name)[1]
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f'error parsing plugin name "{spec.plugin.name}": {error.message}'
        ) from error


def _check_name(name: str) -> None:
    if not name:
        raise _invalid("meta: name must be provided")
    if not _NAME.fullmatch(name):
        raise _invalid("name must be valid as a DNS name component")
    if len(name) > _LONGEST_NAME:
        raise _invalid(f"name must be {_LONGEST_NAME} characters or fewer")


def _check_restart(policy: RestartPolicy | None) -> None:
    if policy is None:
        return
    if policy.delay_ns < 0:
        raise _invalid("TaskSpec: restart-delay cannot be negative")
    if policy.window_ns < 0:
        raise _invalid("TaskSpec: restart-window cannot be negative")


def _check_update(config: UpdateConfig | None) -> None:
    if config is None:
        return
    if config.delay_ns < 0:
        raise _invalid("TaskSpec: update-delay cannot be negative")
    if config.monitor_ns < 0:
        raise _invalid("TaskSpec: update-monitor cannot be negative")
    if not 0 <= config.max_failure_ratio <= 1:
        raise _invalid("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1")


def _invalid(text: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(text, detail={GRPC_CODE: "InvalidArgument"})
