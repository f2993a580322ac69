"""Errors in dockerd's words."""

from __future__ import annotations

from collections.abc import Iterable

from shared import errdefs


def prefixed(prefix: str, error: errdefs.Error) -> errdefs.Error:
    """Return an error of the same class that says what it was for."""
    # Not by type(error): a subclass of a library's may take other arguments.
    wire = error.to_wire()
    return errdefs.from_wire({**wire, "message": f"{prefix}: {error.message}"})


def no_such_volume(name: str) -> errdefs.NotFound:
    """Return the error for a name that no driver knows."""
    return errdefs.NotFound("no such volume", detail={"volume": name})


def in_use(name: str, owners: Iterable[str]) -> errdefs.Conflict:
    """Return the error that tells who has a volume mounted."""
    return errdefs.Conflict(
        f"volume is in use - [{', '.join(owners)}]", detail={"volume": name, "owners": [*owners]}
    )


def name_taken(name: str, why: str) -> errdefs.Conflict:
    """Return the error for a name that another driver has, or may have."""
    return errdefs.Conflict(f"{why}: volume name must be unique", detail={"volume": name})


def unchecked(name: str, driver: str, error: errdefs.Error) -> errdefs.Error:
    """Return the error for a driver that could not be asked for a volume."""
    return prefixed(f'error while checking if volume "{name}" exists in driver "{driver}"', error)
