"""Host devices: from a path to the nodes a container is given."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import errdefs
from shared.oci import go_json


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device as the container will see it."""

    #: where it stands inside the container
    path: str
    #: ``c`` or ``b``
    type: str
    major: int
    minor: int
    #: permission bits
    file_mode: int
    uid: int
    gid: int

    def to_spec(self) -> dict[str, Any]:
        """Return the node as the runtime spec's ``linux.devices`` has it."""
        return {
            "path": self.path,
            "type": self.type,
            "major": self.major,
            "minor": self.minor,
            "fileMode": self.file_mode,
            "uid": self.uid,
            "gid": self.gid,
        }

    def to_rule(self) -> dict[str, Any]:
        """Return the cgroup rule that allows the node fully."""
        return {
            "allow": True,
            "type": self.type,
            "major": self.major,
            "minor": self.minor,
            "access": "rwm",
        }


def resolve_devices(paths: Iterable[str | None]) -> tuple[DeviceNode, ...]:
    """Look up every path: a symlink's target, a node, or all nodes of a folder.

    Inside the container they keep the name that was asked for. Raises InvalidArgument, in
    Docker's words and unclassed there (500), for a path that is null, absent or no device.
    """
    return tuple(node for path in paths for node in _resolve(path))


def _resolve(path: str | None) -> tuple[DeviceNode, ...]:
    if not path:
        raise _failure("", "no path is configured")
    try:
        host = Path(path).resolve(strict=True)
    except OSError as error:
        raise _failure(path, _reason(error)) from error
    except RuntimeError as error:  # a symlink loop, before Python 3.13
        raise _failure(path, "too many levels of symbolic links") from error
    nodes = tuple(_walk(host, path) if host.is_dir() else _nodes(host, path))
    if not nodes:
        raise _failure(path, "not a device node")
    return nodes


def _walk(host: Path, inside: str) -> Iterator[DeviceNode]:
    for folder, _, names in os.walk(host):
        for name in sorted(names):
            found = Path(folder, name)
            yield from _nodes(found, str(Path(inside, found.relative_to(host))))


def _nodes(host: Path, inside: str) -> Iterator[DeviceNode]:
    status = host.lstat()
    kind = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return
    yield DeviceNode(
        path=inside,
        type=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        file_mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def _failure(path: str, reason: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(
        "error gathering device information while adding custom device "
        f"{go_json.quote(path)}: {reason}",
        detail={"device": path},
        docker_unclassed=True,
    )
