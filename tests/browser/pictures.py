"""Pictures of the console for the documents: `make pictures`, as root, some minutes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.batch_fleet import Fleet
from tests.support.browser import PHONE, browsing
from tests.support.console import ConsolePages, pages_of
from tests.support.node import Node, eventually
from tests.support.plugin_context import ANSWERS, Contexts
from tests.support.redis import RedisServer
from tests.support.registry import RegistryServer

_PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
_WINDOW: Final = (1280, 800)
#: More would be too much to keep beside the documents.
_LIMIT_BYTES: Final = 80_000
_VOLUMES: Final = {"interface": {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"}}
_CRASHES: Final = (*ANSWERS, "stderr=panic: no disk", "delay=300", "exit=3")
_UPGRADED: Final = 16


def main() -> None:
    """Take all pictures anew."""
    _PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, _fleet() as fleet, browsing() as browser:
        contexts = Contexts.compiled(Path(folder))
        fleet.push(contexts)
        _fill(fleet.nodes[0], contexts)
        fleet.install(_UPGRADED)
        with pages_of(fleet.nodes[0], browser) as pages:
            _take(pages, fleet)


@contextlib.contextmanager
def _fleet() -> Iterator[Fleet]:
    """Give two nodes with names that read well."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        registry = stack.enter_context(RegistryServer())
        nodes = tuple(Node(WHERRY_REDIS_URL=redis.url) for _ in range(2))
        for number, node in enumerate(nodes, 1):
            node.name = f"storage-{number}"
            node.cgroup = f"/wherry/{node.name}"
            stack.callback(node.destroy)
            node.start()
        for node in nodes:
            node.wait_healthy()
        yield Fleet(nodes, redis, registry)


def _fill(node: Node, contexts: Contexts) -> None:
    """Have plugins of all kinds: most run, one crashes, one is unhealthy, some are disabled."""
    node.create(
        "acme/nfs:2.1", contexts.tar("print=12", "stderr=slow server", *ANSWERS, **_VOLUMES)
    )
    node.create("acme/gelf:1.4", contexts.tar(*_CRASHES))
    for number in range(24):
        node.create(f"lab/driver-{number}:latest", contexts.tar(**_VOLUMES))
    for name in ("acme/nfs:2.1", "acme/gelf:1.4", *(f"lab/driver-{n}:latest" for n in range(20))):
        with node.client() as http:
            http.post(f"/plugins/{name}/enable", params={"timeout": "30"})
    node.http.put(
        "/wherry/v1/plugins/lab/driver-1:latest/health",
        json={"test": ["CALL", "VolumeDriver.Get"], "interval_s": 1, "retries": 1},
    ).raise_for_status()
    name = "lab/driver-1:latest"
    eventually(lambda: node.status(name)["health"] == "unhealthy", "one is unhealthy")


def _take(pages: ConsolePages, fleet: Fleet) -> None:
    traces = pages.node.get("/wherry/v1/traces", plugin="lab/driver-19:latest")["traces"]
    enable = next(one for one in traces if one["name"].endswith("/enable"))
    names = [f"p{number}" for number in range(_UPGRADED)]
    batch = fleet.begin(selector={"names": names}, update={"parallelism": 2})
    third = _UPGRADED // 3
    eventually(lambda: fleet.counts(batch).get("upgraded", 0) >= third, "a third", limit_s=120)
    fleet.steer(batch, "pause")
    eventually(lambda: fleet.is_settled(batch), "what was under way is over")
    plugin = str(pages.node.plugin("acme/gelf:1.4")["plugin_id"])[:12]
    for theme in ("light", "dark"):
        _picture(pages, "/ui/", f"console-overview-{theme}", theme=theme)
    _picture(pages, f"/ui/upgrades/{batch}", "console-upgrade-light", theme="light")
    _picture(pages, f"/ui/traces/{enable['trace_id']}", "console-trace-dark", theme="dark")
    _picture(
        pages, f"/ui/plugins/{plugin}", "console-plugin-phone-light", theme="light", size=PHONE
    )


def _picture(
    pages: ConsolePages, path: str, name: str, *, theme: str, size: tuple[int, int] = _WINDOW
) -> None:
    pages.browser.prefer(theme)
    pages.browser.size(*size, is_phone=size == PHONE)
    pages.open(path)
    pages.browser.find("main h1")
    file = _PICTURES / f"{name}.png"
    pages.browser.screenshot(file)
    subprocess.run(["pngquant", "--force", "--strip", "--output", file, "128", file], check=True)
    sys.stdout.write(f"{file.name}: {file.stat().st_size} bytes\n")
    assert file.stat().st_size < _LIMIT_BYTES, f"{file} is too large to keep"


if __name__ == "__main__":
    main()
