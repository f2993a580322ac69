"""The steps of the demo, in the order in which they are shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from deploy.demo import leftovers, processes, screen, span_tree
from deploy.demo.failure import DemoFailed
from deploy.demo.node import Node
from deploy.demo.otlp import Receiver
from deploy.demo.plugin_calls import PluginCallError, Questioner, Tally, VolumePlugin

SOURCE = Path(__file__).parents[1] / "plugins" / "quota-volume"
PLUGIN = "quota-volume"
SOCKET = "quota.sock"
VOLUME = "scratch"
QUOTA_MIB = 8
NOTE = "written before the crash"

#: Answers of the plugin that are waited for while nothing of Wherry runs.
_ANSWERS_ALONE = 50
_ANSWERS_LIMIT_S = 30.0
_TRACE_LIMIT_S = 10.0
_IN_THE_TRACE = frozenset({"wherry-gateway", "wherry-store", "wherry-executor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The plugin while it runs: its process, its socket, its volume on the host."""

    pid: int
    socket: Path
    volume: Path


def play(node: Node, receiver: Receiver) -> None:
    """Show everything; raises DemoFailed at the first thing that is not as it should be."""
    began_s = time.time()
    build_plugin(node)
    start_node(node)
    install_plugin(node)
    running = use_volume(node)
    with Questioner(running.socket, VOLUME) as questioner:
        kill_everything(node, running, questioner)
        come_back(node, running)
        judge(questioner.tally, running)
    show_events(node, began_s)
    show_trace(receiver)
    take_down(node)


def build_plugin(node: Node) -> None:
    """Build the sample plugin: a config.json and a rootfs with one static binary."""
    screen.headline("Build a plugin: volumes in memory, each with a quota")
    node.run("make", "--silent", "-C", str(SOURCE), "context", f"OUT={_context(node)}")
    node.run("ls", "-l", str(_context(node)), str(_context(node) / "rootfs"))


def start_node(node: Node) -> None:
    """Start a node and let Docker's own CLI speak to it."""
    screen.headline("Start a node: a private Redis and four services, in a folder of their own")
    node.wherry("up")
    screen.remark(f"The docker CLI finds it by DOCKER_HOST=unix://{node.socket}")
    node.docker(
        "version",
        "--format",
        "client {{.Client.Version}}, server {{.Server.Version}} on {{.Server.Platform.Name}}",
    )


def install_plugin(node: Node) -> None:
    """Create and enable the plugin."""
    screen.headline("Create the plugin and enable it")
    node.docker("plugin", "create", PLUGIN, str(_context(node)))
    node.docker("plugin", "enable", PLUGIN)
    node.docker("plugin", "ls")


def use_volume(node: Node) -> Running:
    """Make a volume, fill it to its quota and leave a note in it."""
    screen.headline("Use it: make a volume of 8 MiB and write to it")
    status = node.get(f"/wherry/v1/plugins/{PLUGIN}")["status"]
    socket = Path(status["socket_dir"]) / SOCKET
    screen.remark(f"The plugin is process {status['pid']} and listens at {socket}")
    with VolumePlugin(socket) as plugin:
        _call(plugin, "Create", Name=VOLUME, Opts={"size": f"{QUOTA_MIB}m"})
        _call(plugin, "Mount", Name=VOLUME, ID="demo")
    volume = _on_the_host(node)
    (volume / "note").write_text(NOTE)
    screen.remark(f"On the host it is {volume}")
    said = node.refused(
        "dd", "if=/dev/zero", "of=big", "bs=1M", f"count={2 * QUOTA_MIB}", cwd=volume
    )
    if "No space left on device" not in said:
        raise DemoFailed("dd failed for another reason than the quota")
    node.run("df", "-h", "--output=fstype,size,used,avail", ".", cwd=volume)
    return Running(pid=int(status["pid"]), socket=socket, volume=volume)


def kill_everything(node: Node, running: Running, questioner: Questioner) -> None:
    """Kill all of Wherry and Redis, and see that the plugin goes on."""
    screen.headline("Kill -9 everything: the services, their parent, Redis")
    screen.remark("From here on the plugin is asked VolumeDriver.Get every 20 ms.")
    _await_answers(questioner)
    for process in _kill_all_of_wherry(node):
        screen.remark(f"killed {process.pid:>7}  {process.title}")
    _await_answers(questioner)
    node.refused("docker", "plugin", "ls")
    _show(questioner.tally, running)


def come_back(node: Node, running: Running) -> None:
    """Start the node again and see that it took the plugin up."""
    screen.headline("Bring the node back: it takes up the plugin that runs")
    node.wherry("up")
    node.docker("plugin", "ls")
    pid = node.get(f"/wherry/v1/plugins/{PLUGIN}")["status"]["pid"]
    if pid != running.pid:
        raise DemoFailed(f"the plugin is process {pid} now; it was {running.pid} before the kill")
    node.run("cat", "note", cwd=running.volume)


def judge(tally: Tally, running: Running) -> None:
    """Say how the plugin fared in all this time; raises DemoFailed if a call was lost."""
    _show(tally, running)
    if tally.failures:
        raise DemoFailed(f"the plugin failed {tally.failures} times; {tally.last_failure}")


def show_events(node: Node, began_s: float) -> None:
    """Show what Docker's event stream kept of all this."""
    screen.headline("The events of this demo, kept across the crash")
    until = f"{time.time():.3f}"
    said = node.docker("events", "--since", f"{began_s:.3f}", "--until", until)
    for action in ("create", "enable"):
        if f"plugin {action} " not in said:
            raise DemoFailed(f"the event of the plugin's {action} is missing")


def show_trace(receiver: Receiver) -> None:
    """Show the trace of the enable across the services."""
    screen.headline("The trace of the enable, from the HTTP request to runc")
    spans = receiver.trace_of("/enable", _IN_THE_TRACE, within_s=_TRACE_LIMIT_S)
    screen.output(span_tree.render(spans))
    if missing := _IN_THE_TRACE - {span.service for span in spans}:
        raise DemoFailed(f"the trace lacks spans of {', '.join(sorted(missing))}")


def take_down(node: Node) -> None:
    """Remove the plugin, stop the node and look for anything that is left."""
    screen.headline("Take it all down; nothing is left")
    node.docker("plugin", "disable", PLUGIN)
    node.docker("plugin", "rm", PLUGIN)
    node.wherry("down")
    if left := leftovers.find(node.folder, node.cgroup):
        raise DemoFailed(f"left behind: {left}")
    screen.remark("No process, no mount, no cgroup and no socket of this node is left.")


def _context(node: Node) -> Path:
    return node.folder / "context"


def _call(plugin: VolumePlugin, method: str, **arguments: object) -> None:
    screen.command(f"POST /VolumeDriver.{method} {arguments}")
    try:
        screen.output(str(plugin.call(method, **arguments)))
    except PluginCallError as error:
        raise DemoFailed(str(error)) from error


def _on_the_host(node: Node) -> Path:
    found = {Path(mount) for mount in leftovers.mounts_below(node.folder)}
    for mount in found:
        if mount.name == VOLUME:
            return mount
    raise DemoFailed(f"volume {VOLUME} did not propagate to the host: see /proc/self/mountinfo")


def _kill_all_of_wherry(node: Node) -> list[processes.Process]:
    """Kill all of the node but its plugin and what holds it; return who was killed."""
    killed: list[processes.Process] = []
    while True:
        spared = processes.in_cgroup(node.cgroup)
        doomed = [p for p in processes.using(node.folder) if p not in spared]
        if not doomed:
            return killed
        processes.kill(doomed)
        killed += doomed


def _await_answers(questioner: Questioner) -> None:
    wanted = questioner.tally.answers + _ANSWERS_ALONE
    if not questioner.wait_for(wanted, within_s=_ANSWERS_LIMIT_S):
        raise DemoFailed(f"the plugin no longer answers: {questioner.tally.last_failure}")


def _show(tally: Tally, running: Running) -> None:
    screen.remark(
        f"The plugin, still process {running.pid}: {tally.answers} answers, {tally.failures} "
        f"failures, the slowest took {tally.slowest_ms:.0f} ms"
    )
