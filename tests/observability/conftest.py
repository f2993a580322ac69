"""A node that is watched while everything is done to it that people do: once for all tests."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.node import Node, eventually, running_node
from tests.support.otlp import Collector
from tests.support.prometheus import Prometheus
from tests.support.quota_volume import SOURCE
from tests.support.registry import PASSWORD, USER, RegistryServer, free_port

#: What the plugin is called on the node.
PLUGIN = "watched"
#: A client's own trace, and words that it brings along.
CLIENT_TRACE = "0af7651916cd43dd8448eb211c80319c"
BAGGAGE = "hunter2-in-baggage"
_TRACEPARENT = f"00-{CLIENT_TRACE}-b7ad6b7169203331-01"
_INSTALL = ("plugin", "install", "--grant-all-permissions")
_UPGRADE = ("plugin", "upgrade", "--grant-all-permissions", "--skip-remote-check")
_HEALTH = {"test": ["CONNECT"], "interval_s": 1.0, "timeout_s": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A node to which everything was done, and what was seen of it."""

    node: Node
    collector: Collector
    prometheus: Prometheus

    @property
    def log(self) -> str:
        """Return what the node has logged."""
        return (self.node.folder / "log").read_text()

    @property
    def lines(self) -> list[dict[str, object]]:
        """Return its log, line by line."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Do everything, and wait until all of it was told."""
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(RegistryServer(has_login=True))
        collector = stack.enter_context(Collector())
        address = f"127.0.0.1:{free_port()}"
        node = stack.enter_context(
            running_node(
                {
                    "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                    "OTEL_BSP_SCHEDULE_DELAY": "100",
                    "WHERRY_METRICS_ADDRESS": address,
                    "WHERRY_STOP_GRACE_S": "1",
                }
            )
        )
        prometheus = stack.enter_context(Prometheus(address))
        seen = Watched(node=node, collector=collector, prometheus=prometheus)
        _do_everything(node, registry, _versions(tmp_path_factory.mktemp("versions")))
        _wait_until_told(seen)
        yield seen
        node.shut_down()
        assert not node.leftovers()


def _versions(folder: Path) -> dict[str, Path]:
    """Build some versions of the sample plugin."""
    first = folder / "v1"
    subprocess.run(["make", "--silent", "-C", SOURCE, "context", f"OUT={first}"], check=True)
    found = {"v1": first}
    for tag in ("v2", "v4"):
        found[tag] = folder / tag
        shutil.copytree(first, found[tag])
        (found[tag] / "rootfs" / "new").write_text(f"of version {tag}")
    return found


def _do_everything(node: Node, registry: RegistryServer, versions: dict[str, Path]) -> None:
    """Log in, push, install, enable, use, crash, restart, upgrade, fail: with the docker CLI."""
    repository = f"{registry.authority}/watched/plugin"
    node.docker("login", "-u", USER, "-p", PASSWORD, registry.authority)
    for tag, context in versions.items():
        node.docker("plugin", "create", f"{repository}:{tag}", str(context))
        node.docker("plugin", "push", f"{repository}:{tag}")
        node.docker("plugin", "rm", f"{repository}:{tag}")
    node.docker(*_INSTALL, "--disable", "--alias", PLUGIN, f"{repository}:v1")
    node.docker("plugin", "enable", PLUGIN)
    _use(node)
    _crash(node)
    node.docker("plugin", "disable", PLUGIN)
    node.docker(*_UPGRADE, PLUGIN, f"{repository}:v2")
    node.docker_fails(*_UPGRADE, PLUGIN, f"{repository}:v3")
    # The CLI asks first what the version needs, and so it is no job that fails there.
    job = {"remote": f"{repository}:v3"}
    answer = node.http.post(f"/plugins/{PLUGIN}/upgrade", params=job, json=[], headers=_login())
    assert "v3: not found" in answer.text
    headers = {"traceparent": _TRACEPARENT, "baggage": f"password={BAGGAGE}"}
    answer = node.http.post(f"/plugins/{PLUGIN}/enable", params={"timeout": "20"}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["wherry-trace-id"] == CLIENT_TRACE
    _upgrade_all(node)


def _upgrade_all(node: Node) -> None:
    """Have all plugins upgraded as one thing."""
    body = {
        "selector": {"enabled": True},
        "target": {"tag": "v4"},
        "update": {"monitor_s": 0.2},
    }
    answer = node.http.post("/wherry/v1/upgrades", json=body, headers=_login())
    assert answer.status_code == 202, answer.text
    path = f"/wherry/v1/upgrades/{answer.json()['batch_id']}"
    eventually(lambda: node.get(path)["upgrade"]["is_over"], "the batch is over", limit_s=60)
    assert node.get(path)["upgrade"]["counts"] == {"upgraded": 1}


def _use(node: Node) -> None:
    node.docker("volume", "create", "-d", PLUGIN, "-o", "size=1m", "data")
    node.mount("data", "somebody")
    node.unmount("data", "somebody")
    node.docker("volume", "rm", "data")
    node.docker("volume", "create", "local-data")
    answer = node.http.put(f"/wherry/v1/plugins/{PLUGIN}/health", json=_HEALTH)
    assert answer.status_code == 200, answer.text
    eventually(lambda: node.status(PLUGIN)["health"] == "healthy", "its health was checked")


def _crash(node: Node) -> None:
    pid = node.status(PLUGIN)["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: node.status(PLUGIN)["pid"] not in (None, pid), "it was started again")
    eventually(lambda: node.status(PLUGIN)["state"] == "running", "it runs again")


def _wait_until_told(seen: Watched) -> None:
    """Wait until each line of the log that names a trace has its spans, and for some scrapes."""
    seen.node.docker("plugin", "ls")
    wanted = {line["trace_id"] for line in seen.lines if line.get("event") == "request"}

    def is_told() -> bool:
        ids = {span.trace_id for span in seen.collector.spans}
        return wanted <= ids and not orphans(seen.collector)

    eventually(is_told, "every trace is whole")
    # A rate needs two looks at a series, and what was done last has made some.
    looks = _looks(seen)
    eventually(lambda: _looks(seen) >= looks + 3, "Prometheus has read the node since")


def _looks(seen: Watched) -> int:
    """Return how often Prometheus has read the node."""
    found = seen.prometheus.query('count_over_time(up{job="wherry"}[1h])')
    return int(found[0]["value"][1]) if found else 0


def orphans(collector: Collector) -> list[str]:
    """Return the names of spans whose parent was never sent, a client's own aside."""
    spans = collector.spans
    known = {span.span_id for span in spans} | {_TRACEPARENT.split("-")[2]}
    return [span.name for span in spans if span.parent_id and span.parent_id not in known]


def _login() -> dict[str, str]:
    login = json.dumps({"username": USER, "password": PASSWORD}).encode()
    return {"X-Registry-Auth": base64.urlsafe_b64encode(login).decode()}


def secrets() -> list[bytes]:
    """Return what must be nowhere: as it was typed, and as it travels."""
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    header = _login()["X-Registry-Auth"].encode()
    return [PASSWORD.encode(), basic, basic.rstrip(b"="), header, BAGGAGE.encode()]
