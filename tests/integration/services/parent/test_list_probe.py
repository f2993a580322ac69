"""The question that a parent asks while the gateway starts."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.parent.adapters.list_probe import ListProbe
from tests.support.node import eventually


@pytest.fixture
def path() -> Iterator[Path]:
    """Give the path of a socket that nobody listens on yet."""
    # Short, as AF_UNIX wants it.
    with tempfile.TemporaryDirectory(prefix="wp-", dir="/tmp") as folder:
        yield Path(folder) / "docker.sock"


@pytest.fixture
def gateway(path: Path) -> Iterator[socket.socket]:
    """Give what listens there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


def test_nobody_is_there(path: Path) -> None:
    """Before the gateway listens nothing is answered, however long that takes."""
    probe = ListProbe(path, iter(range(0, 1000, 100)).__next__)

    assert not any(probe.is_answered() for _ in range(5))


def test_an_answer(path: Path, gateway: socket.socket) -> None:
    """A list was answered once its first byte is there, and not when the gateway listens."""
    probe = ListProbe(path, lambda: 0.0)

    assert not probe.is_answered()
    connection, _ = gateway.accept()
    with connection:
        assert connection.recv(4096).startswith(b"GET /plugins HTTP/1.1\r\n")
        assert not probe.is_answered()
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        eventually(probe.is_answered, "the answer is seen")


def test_a_gateway_that_dies(path: Path, gateway: socket.socket) -> None:
    """A gateway that hangs up is not waited for."""
    probe = ListProbe(path, lambda: 0.0)
    probe.is_answered()
    gateway.accept()[0].close()

    eventually(probe.is_answered, "the end is seen")


def test_an_answer_that_waits(path: Path, gateway: socket.socket) -> None:
    """An answer that takes too long may wait for services that are still to start."""
    now = [0.0]
    probe = ListProbe(path, lambda: now[0])
    probe.is_answered()
    connection, _ = gateway.accept()
    with connection:
        now[0] = 0.9
        assert not probe.is_answered()
        now[0] = 1.0
        assert probe.is_answered()
