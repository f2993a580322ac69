"""Paths resolved in a root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.oci.root import Root, sync_file_system


def same(fd: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(fd), path.stat())


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_paths_are_resolved_inside(tmp_path: Path) -> None:
    """Plain folders, and absolute and climbing links, are found below the root."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "abs").symlink_to("/a/b")
    (tmp_path / "a/climb").symlink_to("../../../../a")
    with Root(tmp_path) as root:
        assert same(root.folder(""), tmp_path)
        assert same(root.folder("a/b"), tmp_path / "a/b")
        assert same(root.folder("abs"), tmp_path / "a/b")
        assert same(root.folder("a/climb/b"), tmp_path / "a/b")


def test_magic_links_lead_nowhere(tmp_path: Path) -> None:
    """A link of /proc, which names an open file and not a path, is not followed."""
    with Root("/proc") as root, pytest.raises(OSError, match="Too many levels"):
        root.folder("self/root")


def test_missing_folders_are_made(tmp_path: Path) -> None:
    """All parents that are missing come to be, inside links too."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("/real")
    with Root(tmp_path) as root:
        assert same(root.make_folder("link/x/y"), tmp_path / "real/x/y")


def test_a_dangling_link_is_no_folder(tmp_path: Path) -> None:
    """Nothing is made where a link leads nowhere."""
    (tmp_path / "link").symlink_to("nowhere")
    with Root(tmp_path) as root, pytest.raises(NotADirectoryError):
        root.make_folder("link/x")

    assert not (tmp_path / "nowhere").exists()


def test_remove_forgets_what_it_removed(tmp_path: Path) -> None:
    """After a tree is gone its path leads to what took its place."""
    (tmp_path / "a/b").mkdir(parents=True)
    with Root(tmp_path) as root:
        root.folder("a/b")
        root.remove("a")
        root.remove("a")
        (tmp_path / "a").mkdir()
        assert same(root.folder("a"), tmp_path / "a")
        with pytest.raises(FileNotFoundError):
            root.folder("a/b")


def test_descriptors_are_bounded_and_closed(tmp_path: Path) -> None:
    """However many folders are asked for, few stay open, and none after the end."""
    before = open_descriptors()
    with Root(tmp_path) as root:
        for number in range(300):
            root.make_folder(f"d{number}")
        assert open_descriptors() <= before + 65
        assert same(root.folder("d0"), tmp_path / "d0")

    assert open_descriptors() == before


def test_very_deep_paths_are_made(tmp_path: Path) -> None:
    """Depth is bounded by the path's length alone."""
    with Root(tmp_path) as root:
        root.make_folder("/".join(["a"] * 1500))
        root.remove("a/a")

    assert [path.name for path in (tmp_path / "a").iterdir()] == []


def test_a_file_system_can_be_synced(tmp_path: Path) -> None:
    """Syncing what exists works, and what does not is an error."""
    sync_file_system(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_file_system(tmp_path / "missing")
