"""Redis under Sentinel on this machine: a master, two replicas, three Sentinels."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.node import eventually
from tests.support.registry import free_port

_MASTER = "wherry"
_LIMIT_S = 60.0


class SentinelFleet:
    """Six processes on loopback; a context manager that leaves none of them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wherry-sentinel-"))
        self.redis_ports = [free_port() for _ in range(3)]
        self.sentinel_ports = [free_port() for _ in range(3)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Return the address that names the Sentinels."""
        places = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return f"redis+sentinel://{places}/{_MASTER}/0"

    def __enter__(self) -> Self:
        """Start all, and wait until the Sentinels know one another and the replicas."""
        first, *others = self.redis_ports
        for port in self.redis_ports:
            self.start_redis(port, None if port == first else first)
        for port in self.redis_ports:
            eventually(partial(self._answers, port), f"redis at {port}")
        for port in others:
            eventually(partial(self._follows, port), f"{port} is a replica", limit_s=_LIMIT_S)
        for port in self.sentinel_ports:
            self._start_sentinel(port, first)
        for port in self.sentinel_ports:
            eventually(partial(self._knows_all, port), "Sentinels met", limit_s=_LIMIT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill all and remove the folder."""
        for process in self._processes.values():
            process.kill()
            process.wait(timeout=20)
        shutil.rmtree(self.folder)

    def master(self) -> int:
        """Return the port of the master, as the Sentinels have it."""
        said = self.ask(self.sentinel_ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", _MASTER)
        return int(said.splitlines()[1])

    def kill(self, port: int) -> None:
        """Kill -9 a server."""
        process = self._processes.pop(port)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)

    def wait_for_another_master(self, than: int) -> int:
        """Wait until the Sentinels have made another server the master."""
        eventually(lambda: self.master() != than, "a new master", limit_s=_LIMIT_S)
        port = self.master()
        eventually(lambda: "role:master" in self.ask(port, "INFO", "replication"), "its role")
        return port

    def start_redis(self, port: int, master: int | None) -> None:
        """Start a server, as a replica of a master if one is named."""
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        replica = () if master is None else ("--replicaof", f"127.0.0.1 {master}")
        self._run(
            port,
            *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0"),
            *("--maxmemory-policy", "noeviction", *replica),
        )

    def ask(self, port: int, *words: str) -> str:
        """Run one command with redis-cli; empty when nobody answers."""
        argv = ["redis-cli", "-p", str(port), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.strip()

    def _answers(self, port: int) -> bool:
        return self.ask(port, "PING") == "PONG"

    def _follows(self, port: int) -> bool:
        return "master_link_status:up" in self.ask(port, "INFO", "replication")

    def _start_sentinel(self, port: int, master: int) -> None:
        config = self.folder / f"sentinel-{port}.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor {_MASTER} 127.0.0.1 {master} 2\n"
            f"sentinel down-after-milliseconds {_MASTER} 1000\n"
            f"sentinel failover-timeout {_MASTER} 5000\n"
        )
        self._run(port, "redis-server", str(config), "--sentinel")

    def _knows_all(self, port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            said = self.ask(port, "SENTINEL", "MASTER", _MASTER).splitlines()
            facts = dict(zip(said[::2], said[1::2], strict=False))
            return (facts.get("num-other-sentinels"), facts.get("num-slaves")) == ("2", "2")
        return False

    def _run(self, port: int, *argv: str) -> None:
        with (self.folder / f"{port}.log").open("ab") as log:
            self._processes[port] = subprocess.Popen(argv, stdout=log, stderr=log)
