"""Paths that plugins name, on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.plugin_rpc import scope
from tests.support.gateway import plugin

_HOME = Path("/d/plugins/a")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/mnt/v1", "propagated-mount/v1"),
        ("/mnt", "propagated-mount"),
        ("/mnt/../etc", "rootfs/etc"),
        ("/mntx/v1", "rootfs/mntx/v1"),
        ("/data/v1", "rootfs/data/v1"),
        ("data/v1", "rootfs/data/v1"),
        ("//data", "rootfs/data"),
        ("/../../../etc/shadow", "rootfs/etc/shadow"),
        ("/mnt/../../../../etc/shadow", "rootfs/etc/shadow"),
        ("/", "rootfs"),
        ("", "rootfs"),
    ],
)
def test_paths_of_a_managed_plugin(path: str, expected: str) -> None:
    """A path lies below the propagated mount or the root file system, and nowhere else."""
    mounted = plugin(config={"PropagatedMount": "/mnt"})
    assert scope.host_path(mounted, path, _HOME) == _HOME / expected


def test_without_a_propagated_mount() -> None:
    """Without a propagated mount all paths lie in the root file system."""
    plain = plugin(config={"PropagatedMount": ""})
    assert scope.host_path(plain, "/mnt/v1", _HOME) == _HOME / "rootfs/mnt/v1"


def test_paths_of_a_legacy_plugin() -> None:
    """A legacy plugin runs on the host, and so its paths are the host's."""
    assert scope.host_path(None, "/mnt/v1", _HOME) == Path("/mnt/v1")
