"""The sample volume plugin as a process in a mount namespace of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SOURCE = Path(__file__).parents[2] / "deploy" / "plugins" / "quota-volume"


def eventually(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait until *condition* holds; fail the test after *within_s* seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A mount namespace that lives as long as its holder process."""

    pid: int

    def enter(self, *argv: str) -> list[str]:
        """Return the command line that runs *argv* inside."""
        return ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--", *argv]

    def path(self, inside: Path) -> Path:
        """Return where a path of the namespace is seen from here."""
        return Path(f"/proc/{self.pid}/root{inside}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A running plugin and how to talk to it."""

    process: subprocess.Popen[bytes]
    socket: Path
    #: what it wrote to stdout and stderr
    out: Path
    errors: Path

    def client(self) -> httpx.Client:
        """Return a new client of the plugin."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        return httpx.Client(transport=transport, base_url="http://plugin")

    def call(self, method: str, **arguments: object) -> dict[str, Any]:
        """Call a method of VolumeDriver and return its answer."""
        with self.client() as client:
            answer = client.post(f"/VolumeDriver.{method}", json=arguments)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def error(self, method: str, **arguments: object) -> str:
        """Call a method and return the error it answers with, "" for none."""
        return str(self.call(method, **arguments)["Err"])

    def terminate(self) -> int:
        """End the process as the engine does and return its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=20)


def answers(path: Path) -> bool:
    """Say whether something accepts connections at *path*."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Kill *process*, if it still runs, when the block is left."""
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=20)
