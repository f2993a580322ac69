"""The steps of the demo around a registry: push, install, upgrade."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from deploy.demo import screen, volume
from deploy.demo.failure import DemoFailed
from deploy.demo.node import Node
from deploy.demo.registry import Registry
from deploy.demo.volume import PLUGIN

NOTE = "written before the upgrade"
#: What a volume gets that asks for no size, in the second version.
DEFAULT_SIZE = "16m"


def publish(node: Node, registry: Registry, context: Path) -> None:
    """Push two versions of the plugin, and keep none of them here."""
    screen.headline("Push the plugin to a registry, in two versions")
    screen.remark(f"The registry, a docker-registry, listens at {registry.authority}")
    node.docker("plugin", "disable", PLUGIN)
    node.docker("plugin", "rm", PLUGIN)
    _push(node, _remote(registry, 1), context)
    screen.remark(f"In the second version the default of DEFAULT_SIZE is {DEFAULT_SIZE}")
    _push(node, _remote(registry, 2), _second_version(context))


def install(node: Node, registry: Registry) -> None:
    """Install the first version and leave a note in a volume of it."""
    screen.headline("Install it from there and use it")
    remote = _remote(registry, 1)
    node.docker("plugin", "install", "--alias", PLUGIN, "--grant-all-permissions", remote)
    running = volume.make(node)
    (running.volume / "note").write_text(NOTE)


def upgrade(node: Node, registry: Registry) -> None:
    """Upgrade to the second version and see that the volume's data stayed."""
    screen.headline("Upgrade it; the volume stays")
    node.docker("plugin", "disable", PLUGIN)
    options = ("--grant-all-permissions", "--skip-remote-check")
    node.docker("plugin", "upgrade", *options, PLUGIN, _remote(registry, 2))
    node.docker("plugin", "enable", PLUGIN)
    said = node.docker("plugin", "inspect", "--format", "{{.Settings.Env}}", PLUGIN)
    if f"DEFAULT_SIZE={DEFAULT_SIZE}" not in said:
        raise DemoFailed("the plugin is not of the second version")
    running = volume.mount(node)
    if node.run("cat", "note", cwd=running.volume) != NOTE:
        raise DemoFailed("the volume lost its data")


def _push(node: Node, remote: str, context: Path) -> None:
    node.docker("plugin", "create", remote, str(context))
    node.docker("plugin", "push", remote)
    node.docker("plugin", "rm", remote)


def _remote(registry: Registry, version: int) -> str:
    return f"{registry.authority}/{PLUGIN}:{version}"


def _second_version(context: Path) -> Path:
    second = Path(shutil.copytree(context, context.with_name("context-2")))
    path = second / "config.json"
    config = json.loads(path.read_text())
    (variable,) = (env for env in config["env"] if env["name"] == "DEFAULT_SIZE")
    variable["value"] = DEFAULT_SIZE
    path.write_text(json.dumps(config))
    return second
