"""Where on the host a path lies that a plugin has named."""

from __future__ import annotations

import posixpath
from pathlib import Path

from shared.contracts.plugin import Plugin


def host_path(plugin: Plugin | None, path: str, home: Path) -> Path:
    """Return the host's path of a managed plugin's *path*; *home* is the plugin's folder.

    Below the propagated mount it lies in the folder of that mount, else in the root file system;
    `..` leads no higher. Paths of legacy plugins (None) are the host's own. Links are not looked
    at: whoever opens the path must not follow them out of *home*.
    """
    if plugin is None:
        return Path(path)
    inside = _absolute(path)
    propagated = plugin.config.get("PropagatedMount")
    if propagated:
        mount = _absolute(propagated)
        if inside == mount or inside.startswith(mount.rstrip("/") + "/"):
            return home / "propagated-mount" / posixpath.relpath(inside, mount)
    return home / plugin.rootfs / inside.lstrip("/")


def _absolute(path: str) -> str:
    return posixpath.normpath(f"/{path}").replace("//", "/", 1)
