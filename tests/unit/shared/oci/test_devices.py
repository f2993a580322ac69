"""Host devices by path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared import errdefs
from shared.oci.devices import DeviceNode, resolve_devices


def test_a_node_is_looked_up() -> None:
    """A device path becomes the node with its numbers and mode."""
    (node,) = resolve_devices(["/dev/null"])

    assert (node.path, node.type, node.major, node.minor) == ("/dev/null", "c", 1, 3)
    assert node.to_spec()["fileMode"] == Path("/dev/null").stat().st_mode & 0o7777
    assert node.to_rule() == {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}


def test_a_symlink_is_the_node_it_leads_to(tmp_path: Path) -> None:
    """The target's node is given under the name that was asked for."""
    link = tmp_path / "disk"
    link.symlink_to("/dev/zero")

    (node,) = resolve_devices([str(link)])

    assert (node.path, node.minor) == (str(link), 5)


def test_a_folder_is_all_its_nodes(tmp_path: Path) -> None:
    """Nodes at every depth are given under the folder's name; other files are passed over."""
    real = tmp_path / "real"
    (real / "sub").mkdir(parents=True)
    (real / "file").write_text("x")
    os.mknod(real / "a", 0o20600, os.makedev(1, 3))
    os.mknod(real / "sub" / "b", 0o20600, os.makedev(1, 5))
    (tmp_path / "alias").symlink_to(real)

    nodes = resolve_devices([str(tmp_path / "alias")])

    assert [node.path for node in nodes] == [f"{tmp_path}/alias/a", f"{tmp_path}/alias/sub/b"]
    assert all(isinstance(node, DeviceNode) for node in nodes)


@pytest.mark.parametrize(
    ("path", "shown", "reason"),
    [
        (None, '""', "no path is configured"),
        ("/dev/no-such", '"/dev/no-such"', "no such file or directory"),
        ("/etc/passwd", '"/etc/passwd"', "not a device node"),
    ],
)
def test_what_is_no_device_is_refused_in_dockers_words(
    path: str | None, shown: str, reason: str
) -> None:
    """A null, absent or ordinary path gives Docker's text and not a crash."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        resolve_devices(["/dev/null", path])

    assert raised.value.message == (
        f"error gathering device information while adding custom device {shown}: {reason}"
    )


def test_a_symlink_loop_is_refused(tmp_path: Path) -> None:
    """A link that leads to itself is an error, not a crash."""
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(errdefs.InvalidArgument, match="symbolic links"):
        resolve_devices([str(tmp_path / "loop")])


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """A folder without a device gives the container nothing, so it is an error."""
    with pytest.raises(errdefs.InvalidArgument, match="not a device node"):
        resolve_devices([str(tmp_path)])
