"""Decisions over mount tables."""

from __future__ import annotations

from pathlib import PurePath

from services.executor.domain import mount_table

_TABLE = r"""
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 27 0:28 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
43 27 254:0 /data /data rw,relatime shared:2 - ext4 /dev/vda rw
44 43 0:48 / /data/a rw shared:4 - tmpfs tmpfs rw,size=64k
45 44 0:49 / /data/a/b rw shared:5 master:7 - tmpfs tmpfs rw
46 44 0:50 / /data/a rw - tmpfs tmpfs rw
47 43 254:0 /elsewhere /data/with\040space rw - ext4 /dev/vda rw
48 43 254:0 /data/p /data/p rw shared:9 - ext4 /dev/vda rw
""".strip()
MOUNTS = mount_table.parse(_TABLE)


def test_a_line_is_read_with_its_escapes_and_propagation() -> None:
    """Blanks in paths are escaped in the table; only `shared:` makes a mount a shared one."""
    assert MOUNTS[6].path == PurePath("/data/with space")
    assert [mount.mount_id for mount in MOUNTS if mount.shared] == [43, 44, 45, 48]
    assert "freezer" in MOUNTS[1].super_options


def test_unmounting_goes_deepest_first_and_last_made_first() -> None:
    """Of what lies at one path, the mount on top goes first."""
    order = mount_table.deepest_first(MOUNTS, PurePath("/data"))

    assert [mount.mount_id for mount in order] == [45, 48, 47, 46, 44, 43]


def test_a_neighbour_with_the_same_beginning_is_not_below() -> None:
    """/data2 does not lie below /data, nor /data/ab below /data/a."""
    mounts = mount_table.parse(
        "9 1 0:1 / /data2 rw - tmpfs t rw\n8 1 0:2 / /data/ab rw - tmpfs t rw"
    )

    assert mount_table.deepest_first(mounts, PurePath("/data/a")) == []


def test_the_mount_seen_at_a_path_is_the_last_one() -> None:
    """A mount hides what was mounted there before."""
    seen = mount_table.at(MOUNTS, PurePath("/data/a"))

    assert seen is not None
    assert seen.mount_id == 46
    assert mount_table.at(MOUNTS, PurePath("/data/nothing")) is None


def test_a_bind_on_itself_is_told_from_other_mounts() -> None:
    """A mount that shows what was there anyway is ours to undo; a disk or another bind is not."""
    own = {mount.mount_id for mount in MOUNTS if mount_table.is_bind_on_itself(MOUNTS, mount)}

    assert own == {43, 48}
