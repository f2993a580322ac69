"""Plugins saved to files, and loaded from what was brought."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from services.cli.domain.archive import Archive, ArchivedPlugin
from services.cli.domain.plugin import Privilege
from services.cli.service.archives import Archives
from shared import errdefs
from tests.support.cli_jobs import FakeApi

_NEEDED = Privilege(name="network", description="d", value=("host",))
_A = ArchivedPlugin(digest="sha256:aa", name="a:v1", privileges=(_NEEDED,))
_B = ArchivedPlugin(digest="sha256:bb", name="", privileges=())


def _archives(api: FakeApi, *, consents: bool = True) -> Archives:
    return Archives(api=api, consent=lambda *_: consents)


def _api(*plugins: ArchivedPlugin) -> FakeApi:
    return FakeApi(archive=Archive(archive_id="x", plugins=plugins))


def test_saved(tmp_path: Path) -> None:
    """The file has all of it, and nothing beside it is left."""
    _archives(FakeApi()).save_to(("p", "q"), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"saved p q"
    assert len(list(tmp_path.iterdir())) == 1


def test_saved_through_a_link(tmp_path: Path) -> None:
    """A link goes on leading where it led; the file there is what is written."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder/file")
    _archives(FakeApi()).save_to(("p",), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder/file").read_bytes() == b"saved p"


def test_saved_to_a_pipe(tmp_path: Path) -> None:
    """What is no file of bytes, such as a device or a pipe, stays what it is and gets them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _archives(FakeApi()).save_to(("p",), pipe)
        assert os.read(fd, 100) == b"saved p"
    finally:
        os.close(fd)
    assert pipe.is_fifo()


@pytest.mark.parametrize("path", [Path(), Path("/")])
def test_saved_to_a_folder(path: Path) -> None:
    """A folder is refused by its name."""
    with pytest.raises(errdefs.InvalidArgument, match=f"cannot write {path}: it is a folder"):
        _archives(FakeApi()).save_to(("p",), path)


@pytest.mark.parametrize("name", ["missing/out", "n" * 300])
def test_no_place(tmp_path: Path, name: str) -> None:
    """A file that can't be written is named."""
    with pytest.raises(errdefs.InvalidArgument, match="cannot write"):
        _archives(FakeApi()).save_to(("p",), tmp_path / name)


def test_loaded() -> None:
    """Each plugin is granted what it needs, under its own name; the archive is dropped."""
    api = _api(_A)
    (begin,) = _archives(api).load(io.BytesIO(b"tar"), (), "")
    begin()
    (body,) = api.loaded
    assert (body["archive_id"], body["digest"], body["remote"]) == ("x", "sha256:aa", "a:v1")
    assert [one["name"] for one in body["privileges"]] == ["network"]
    assert (api.brought, api.dropped) == (b"tar", ["x"])


@pytest.mark.parametrize(
    ("plugins", "names", "alias", "why"),
    [
        ((_A,), ("b:v1",), "", "holds no b:v1"),
        ((_A, _B), (), "c", "--alias names one plugin"),
        ((_B,), (), "", "give it a name with --alias"),
    ],
)
def test_refused(
    plugins: tuple[ArchivedPlugin, ...], names: tuple[str, ...], alias: str, why: str
) -> None:
    """What can't be chosen is told, and the archive is dropped all the same."""
    api = _api(*plugins)
    with pytest.raises(errdefs.InvalidArgument, match=why):
        list(_archives(api).load(io.BytesIO(), names, alias))
    assert (api.loaded, api.dropped) == ([], ["x"])


def test_not_granted() -> None:
    """Without consent nothing is loaded."""
    api = _api(_A)
    with pytest.raises(errdefs.PermissionDenied):
        list(_archives(api, consents=False).load(io.BytesIO(), (), ""))
    assert (api.loaded, api.dropped) == ([], ["x"])


def test_a_name_of_ones_own() -> None:
    """A plugin that the archive has no name for is called by its alias."""
    api = _api(_B)
    (begin,) = _archives(api).load(io.BytesIO(), (), "mine:v1")
    begin()
    assert (api.loaded[0]["remote"], api.loaded[0]["name"]) == ("mine:v1", "mine:v1")
