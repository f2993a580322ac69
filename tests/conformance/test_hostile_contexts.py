"""Tars made to reach out of their plugin's folder."""

from __future__ import annotations

import contextlib
import os
import tarfile
from pathlib import Path

import pytest

from tests.support.node import Node
from tests.support.plugin_context import Entry, file, folder, special, tar_of

_CONFIG = file("config.json", b'{"description": "hostile"}')


def _post(node: Node, *entries: Entry) -> tuple[int, str]:
    context = tar_of(_CONFIG, folder("rootfs"), *entries)
    answer = node.http.post("/plugins/create", params={"name": "hostile"}, content=context)
    return answer.status_code, answer.json()["message"] if answer.content else ""


def _rootfs(node: Node) -> Path:
    plugin_id = str(node.get("/plugins/hostile/json")["Id"])
    return node.root / "plugins" / plugin_id / "rootfs"


@pytest.mark.parametrize(
    "entries",
    [
        [special("rootfs/out", tarfile.LNKTYPE, link="../../../../../../../../etc/passwd")],
        [special("rootfs/out", tarfile.LNKTYPE, link="rootfs/../../../store/store.db")],
        [
            special("rootfs/way", tarfile.SYMTYPE, link="/tmp"),
            special("rootfs/out", tarfile.LNKTYPE, link="rootfs/way/nothing-there"),
        ],
    ],
    ids=["above the rootfs", "above by the rootfs", "through a symlink"],
)
def test_a_hard_link_out_of_the_rootfs_is_refused(node: Node, entries: list[Entry]) -> None:
    """A hard link whose target lies outside is an error, and nothing of the tar stays."""
    status, message = _post(node, *entries)

    assert status >= 400
    assert "out" in message
    node.wait_for_files(set())
    assert node.get("/plugins") == []


def test_names_with_dots_stay_inside(node: Node, tmp_path: Path) -> None:
    """Names are cleaned first: what points above the tar's top is no part of its rootfs."""
    up = "../" * 12

    status, message = _post(
        node,
        file(f"rootfs/{up}{tmp_path}/escaped", b"x"),
        file(f"{up}{tmp_path}/escaped", b"x"),
        file(f"rootfs/a/../../../{tmp_path}/escaped", b"x"),
    )

    assert list(tmp_path.iterdir()) == []
    if status == 204:
        assert list(_rootfs(node).rglob("escaped")) == []
    else:
        assert message
        node.wait_for_files(set())


def test_absolute_names_are_below_the_top(node: Node, tmp_path: Path) -> None:
    """A leading slash means the top of the tar, never the host's root."""
    status, _ = _post(node, file("/rootfs/inside", b"x"), file(f"{tmp_path}/escaped", b"x"))

    assert status == 204
    assert (_rootfs(node) / "inside").read_bytes() == b"x"
    assert list(tmp_path.iterdir()) == []


def test_a_symlink_is_never_followed_out(node: Node, tmp_path: Path) -> None:
    """An entry behind a symlink to a host folder is written inside, or refused."""
    status, message = _post(
        node,
        special("rootfs/way", tarfile.SYMTYPE, link=str(tmp_path)),
        file("rootfs/way/escaped", b"x"),
    )

    assert list(tmp_path.iterdir()) == []
    assert status == 204 or "way" in message


def test_a_symlink_in_place_of_the_rootfs_is_not_followed(node: Node, tmp_path: Path) -> None:
    """A rootfs that is a symlink writes nothing where it points."""
    context = tar_of(
        _CONFIG,
        special("rootfs", tarfile.SYMTYPE, link=str(tmp_path)),
        file("rootfs/escaped", b"x"),
    )

    node.http.post("/plugins/create", params={"name": "hostile"}, content=context)

    assert list(tmp_path.iterdir()) == []


def test_a_symlink_to_anywhere_is_kept_as_it_is(node: Node) -> None:
    """A symlink that nobody writes through is fine: it means the plugin's own root."""
    assert _post(node, special("rootfs/etc", tarfile.SYMTYPE, link="/etc"))[0] == 204

    assert str((_rootfs(node) / "etc").readlink()) == "/etc"


def test_a_device_node_can_not_be_used_by_others(node: Node) -> None:
    """A device of the tar lies, if at all, where only root can reach it."""
    zero = special("rootfs/zero", tarfile.CHRTYPE, device=(1, 5))

    status, message = _post(node, zero)

    if status == 204:
        assert (node.root / "plugins").stat().st_mode & 0o077 == 0
    else:
        assert "zero" in message


_WATCHED = ("/etc", "/boot", "/home", "/opt", "/srv")
#: Tests beside this one put certificates there.
_LEFT_OUT = "/etc/docker"


def _host() -> dict[str, tuple[int, int, int, int]]:
    """Return what tells whether files of the host were made, changed or taken away."""
    found = {}
    for top in _WATCHED:
        for folder_, folders, files in os.walk(top):
            if folder_.startswith(_LEFT_OUT):
                continue
            for name in (*folders, *files):
                path = os.path.join(folder_, name)  # noqa: PTH118 - many of them
                with contextlib.suppress(OSError):
                    status = os.lstat(path)
                    found[path] = (
                        *(status.st_ino, status.st_mode),
                        *(status.st_size, status.st_ctime_ns),
                    )
    return found


def test_the_host_is_as_it_was_after_hostile_archives(node: Node, tmp_path: Path) -> None:
    """Outside the data root no file is made, changed or taken away, whatever a tar holds."""
    up = "../" * 16
    before, entries = _host(), list(tmp_path.iterdir())
    tars: list[list[Entry]] = [
        [file(f"rootfs/{up}etc/wherry-was-here", b"x"), file(f"{up}etc/wherry-was-here", b"x")],
        [file("/etc/wherry-was-here", b"x"), file(f"/{tmp_path}/here", b"x")],
        [special("rootfs/e", tarfile.SYMTYPE, link="/etc"), file("rootfs/e/passwd", b"x")],
        [special("rootfs/e", tarfile.SYMTYPE, link=f"{up}etc"), file("rootfs/e/x/y", b"x")],
        [special("rootfs/p", tarfile.LNKTYPE, link=f"{up}etc/passwd"), file("rootfs/p", b"x")],
        [special("rootfs/.wh..wh..opq", tarfile.SYMTYPE, link="/etc")],
        [file(f"rootfs/{up}etc/.wh.passwd", b"")],
        [special("rootfs/sda", tarfile.BLKTYPE, device=(254, 0)), file("rootfs/sda", b"x")],
    ]

    for number, hostile in enumerate(tars):
        _post(node, *hostile)
        node.http.delete("/plugins/hostile", params={"force": "1"})
        assert list(tmp_path.iterdir()) == entries, number

    changed = {path for path, state in _host().items() if before.get(path) != state}
    assert changed == set()
    assert before.keys() <= _host().keys()


def test_the_node_is_well_after_all_that(node: Node) -> None:
    """A hostile tar harms neither the node nor the plugin that comes after it."""
    _post(node, special("rootfs/out", tarfile.LNKTYPE, link="../../../../etc/passwd"))

    assert _post(node, file("rootfs/fine", b"x")) == (204, "")
    assert node.get("/wherry/v1/health")["healthy"]
