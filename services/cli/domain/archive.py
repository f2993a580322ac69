"""What is in an archive that was brought to the node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from services.cli.domain.plugin import Privilege
from shared import errdefs


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedPlugin:
    """A plugin in an archive, for the node's machine."""

    digest: str
    #: What the archive calls it; empty where that is no reference.
    name: str
    privileges: tuple[Privilege, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive, and the plugins in it."""

    archive_id: str
    plugins: tuple[ArchivedPlugin, ...]

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's archive."""
        plugins = (
            ArchivedPlugin(
                digest=one["digest"],
                name=one["name"],
                privileges=tuple(map(Privilege.from_json, one["privileges"])),
            )
            for one in shown["plugins"]
        )
        return cls(archive_id=shown["archive_id"], plugins=tuple(plugins))


def chosen(archive: Archive, names: Sequence[str], alias: str) -> tuple[ArchivedPlugin, ...]:
    """Return the plugins to load: those that are named, or all.

    Raises InvalidArgument where one is not there, or would have no name.
    """
    there = ", ".join(one.name or one.digest for one in archive.plugins)
    found = [one for one in archive.plugins if not names or one.name in names]
    missing = set(names).difference(one.name for one in found)
    if missing:
        raise errdefs.InvalidArgument(
            f"the archive holds no {', '.join(sorted(missing))}; it holds {there}"
        )
    if alias and len(found) > 1:
        raise errdefs.InvalidArgument(
            f"--alias names one plugin, and there are {len(found)}: say which of {there}"
        )
    if not alias and any(not one.name for one in found):
        raise errdefs.InvalidArgument(
            "the archive does not say what the plugin is called: give it a name with --alias"
        )
    return tuple(found)
