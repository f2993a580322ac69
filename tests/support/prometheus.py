"""Debian's Prometheus, as a child of the test on a free loopback port."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.node import eventually
from tests.support.registry import free_port

_RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "wherry.rules.yml"


class Prometheus:
    """Reads one node each second, with our rules; a context manager that leaves nothing."""

    def __init__(self, target: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wherry-prometheus-"))
        self._target = target
        self._address = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=f"http://{self._address}/api/v1", timeout=30)

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        config = self.folder / "prometheus.json"  # YAML takes JSON
        config.write_text(json.dumps(self._config()))
        argv = [
            *("prometheus", f"--config.file={config}", f"--web.listen-address={self._address}"),
            f"--storage.tsdb.path={self.folder / 'data'}",
        ]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            eventually(self._is_ready, f"Prometheus answers; look at {self.folder / 'log'}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill it and remove its folder."""
        self._end()
        shutil.rmtree(self.folder)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return what an expression is now; one that can't be evaluated fails the test."""
        answer = self._get("/query", query=expr)
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        result = answer["data"]["result"]
        return result if isinstance(result, list) else [result]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the rules that it has read."""
        return [rule for group in self._get("/rules")["data"]["groups"] for rule in group["rules"]]

    def _get(self, path: str, **params: str) -> dict[str, Any]:
        return dict(self._http.get(path, params=params).json())

    def _end(self) -> None:
        self._http.close()
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        try:
            return bool(self._http.get("/query", params={"query": "1"}).status_code == 200)
        except httpx.TransportError:
            return False

    def _config(self) -> Mapping[str, Any]:
        return {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(_RULES)],
            "scrape_configs": [
                {"job_name": "wherry", "static_configs": [{"targets": [self._target]}]}
            ],
        }
