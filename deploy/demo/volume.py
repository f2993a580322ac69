"""The sample plugin's volume, made and mounted over the plugin's own socket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.demo import leftovers, screen
from deploy.demo.failure import DemoFailed
from deploy.demo.node import Node
from deploy.demo.plugin_calls import PluginCallError, VolumePlugin

PLUGIN = "quota-volume"
SOCKET = "quota.sock"
VOLUME = "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The plugin while it runs: its process, its socket, its volume on the host."""

    pid: int
    socket: Path
    volume: Path


def make(node: Node, **options: str) -> Running:
    """Make the volume with *options* and mount it."""
    _call(node, "Create", Name=VOLUME, Opts=options)
    return mount(node)


def mount(node: Node) -> Running:
    """Mount the volume, which is there."""
    _call(node, "Mount", Name=VOLUME, ID="demo")
    pid, socket = _seen(node)
    volume = _on_the_host(node)
    screen.remark(f"On the host it is {volume}")
    return Running(pid=pid, socket=socket, volume=volume)


def _call(node: Node, method: str, **arguments: object) -> None:
    _, socket = _seen(node)
    screen.command(f"POST /VolumeDriver.{method} {arguments}")
    try:
        with VolumePlugin(socket) as plugin:
            screen.output(str(plugin.call(method, **arguments)))
    except PluginCallError as error:
        raise DemoFailed(str(error)) from error


def _seen(node: Node) -> tuple[int, Path]:
    """Return the plugin's pid and socket."""
    status = node.get(f"/wherry/v1/plugins/{PLUGIN}")["status"]
    return int(status["pid"]), Path(status["socket_dir"]) / SOCKET


def _on_the_host(node: Node) -> Path:
    found = {Path(mount) for mount in leftovers.mounts_below(node.folder)}
    for path in found:
        if path.name == VOLUME:
            return path
    raise DemoFailed(f"volume {VOLUME} did not propagate to the host: see /proc/self/mountinfo")
