"""A metrics plugin for tests, built of one C file: it passes the node's metrics on over TCP."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx

from tests.support.containers import compile_program
from tests.support.plugin_context import file, folder, tar_of

_SOURCE = Path(__file__).parent / "programs" / "metrics_plugin.c"


class MetricsPlugin:
    """The plugin's context, and what it shows once it runs."""

    def __init__(self, work: Path) -> None:
        self.program = compile_program(work, _SOURCE).read_bytes()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def context(self, capability: str = "docker.metricscollector/1.0") -> bytes:
        """Return the plugin as a tar."""
        config = {
            "description": "passes the metrics of the node on",
            "entrypoint": ["/metrics-plugin"],
            "interface": {"types": [capability], "socket": "metrics.sock"},
            "network": {"type": "host"},
            "env": [{"name": "PORT", "value": str(self.port)}],
        }
        return tar_of(
            folder("rootfs"),
            file("rootfs/metrics-plugin", self.program, mode=0o755),
            file("config.json", json.dumps(config).encode()),
        )

    def ask(self) -> httpx.Response:
        """Ask the plugin for the metrics that it passes on."""
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10)
