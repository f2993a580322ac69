"""Whether what a container asks of the host would reach what is Wherry's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from services.executor.domain.mount_table import MountPoint, is_within


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder or file of a file system, by whatever path it is reached."""

    device: str
    path: PurePath

    def is_within(self, other: Place) -> bool:
        """Tell whether it is the other, or lies in it."""
        return self.device == other.device and is_within(self.path, other.path)


def place_of(mounts: Sequence[MountPoint], path: PurePath) -> Place | None:
    """Return what is at an absolute path without links; None where nothing is mounted above it."""
    holding = [mount for mount in mounts if is_within(path, mount.path)]
    if not holding:
        return None
    # Of several at one path, the last one made is what is seen.
    deepest = max(enumerate(holding), key=lambda one: (len(one[1].path.parts), one[0]))[1]
    return Place(device=deepest.device, path=deepest.root / path.relative_to(deepest.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A part of what a bind shows: a place, and where below the bind it is."""

    place: Place
    at: PurePath


def shown(mounts: Sequence[MountPoint], source: PurePath) -> list[Shown]:
    """Return all that a recursive bind shows: what is at its source, and is mounted below it."""
    there = place_of(mounts, source)
    parts = [
        Shown(place=Place(device=mount.device, path=mount.root), at=mount.path.relative_to(source))
        for mount in mounts
        if is_within(mount.path, source)
    ]
    return [Shown(place=there, at=PurePath()), *parts] if there else parts


def is_own(
    mounts: Sequence[MountPoint],
    source: PurePath,
    own: Iterable[PurePath],
    open_to_all: Iterable[PurePath] = (),
) -> PurePath | None:
    """Return which of *own* a path is, or lies in; None for none.

    What lies in folders that are *open_to_all* is no secret, though they lie in one of *own*.
    """
    own, open_to_all = tuple(own), tuple(open_to_all)
    if not any(source.is_relative_to(path) for path in open_to_all):
        # Also what is mounted there: a tmpfs of secrets, what a plugin propagates.
        for path in own:
            if source.is_relative_to(path):
                return path
    there = place_of(mounts, source)
    if there is None or _is_within_any(mounts, there, open_to_all):
        return None
    return next((path for path in own if _is_within_any(mounts, there, [path])), None)


def below(
    mounts: Sequence[MountPoint],
    source: PurePath,
    own: Iterable[PurePath],
    open_to_all: Iterable[PurePath] = (),
) -> list[PurePath]:
    """Return where below a bind of *source* something of *own* would be seen, each once."""
    found: dict[PurePath, None] = {}
    for part in shown(mounts, source):
        for path in own:
            place = place_of(mounts, path)
            if place is None:
                continue
            if place.is_within(part.place):
                found[part.at / place.path.relative_to(part.place.path)] = None
            elif part.place.is_within(place) and not _is_within_any(
                mounts, part.place, open_to_all
            ):
                found[part.at] = None
    return list(found)


def _is_within_any(mounts: Sequence[MountPoint], place: Place, paths: Iterable[PurePath]) -> bool:
    others = (place_of(mounts, path) for path in paths)
    return any(other is not None and place.is_within(other) for other in others)
