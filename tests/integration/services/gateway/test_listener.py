"""The sockets that the API is served on."""

from __future__ import annotations

import grp
import os
import resource
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.gateway.adapters.listener import UnixListener, listen_on_tcp
from services.gateway.adapters.listening import take_all_descriptors
from shared import errdefs


@pytest.fixture
def path() -> Iterator[Path]:
    """Give the test a short path."""
    with tempfile.TemporaryDirectory(prefix="wherry-gw-") as name:
        yield Path(name) / "x" / "docker.sock"


def test_mode_and_group(path: Path) -> None:
    """The socket is for root and, where it exists, the group docker."""
    listener = UnixListener(path)
    with listener.open():
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == 0o660
        groups = {group.gr_name: group.gr_gid for group in grp.getgrall()}
        assert status.st_gid == groups.get("docker", os.getgid())
    listener.remove()
    assert not path.exists()


def test_stale_socket_is_replaced(path: Path) -> None:
    """A file that nobody listens behind is no obstacle."""
    UnixListener(path).open().close()
    assert path.exists()
    with UnixListener(path).open(), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_live_socket_is_refused(path: Path) -> None:
    """A socket that another process serves is left alone."""
    with UnixListener(path).open():
        with pytest.raises(errdefs.Conflict, match="another process does"):
            UnixListener(path).open()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_file_is_refused(path: Path) -> None:
    """A file that is no socket is not deleted."""
    path.parent.mkdir()
    path.write_text("keep")
    with pytest.raises(errdefs.Conflict, match="not a socket"):
        UnixListener(path).open()
    assert path.read_text() == "keep"


def test_remove_spares_a_successor(path: Path) -> None:
    """A socket file that somebody else made since stays."""
    first = UnixListener(path)
    first.open().close()
    # Not a number that the file before has just given back.
    keeper = path.with_name("keeper")
    path.rename(keeper)
    with UnixListener(path).open():
        first.remove()
        assert path.exists()


def test_taken_port_is_refused() -> None:
    """A port that is taken is named."""
    with listen_on_tcp("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(errdefs.Conflict, match=f"127.0.0.1:{port}: Address already in use"):
            listen_on_tcp("127.0.0.1", port)


def test_as_many_connections_as_the_host_allows() -> None:
    """Of the two limits of open files the hard one counts, as it does for dockerd."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    try:
        take_all_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
