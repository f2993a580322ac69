"""The steps of the demo, in the order in which they are shown."""

from __future__ import annotations

import time
from pathlib import Path

from deploy.demo import leftovers, processes, publishing, screen, span_tree, volume
from deploy.demo.failure import DemoFailed
from deploy.demo.node import Node
from deploy.demo.otlp import Receiver
from deploy.demo.plugin_calls import Questioner, Tally
from deploy.demo.registry import Registry
from deploy.demo.volume import PLUGIN, VOLUME, Running

SOURCE = Path(__file__).parents[1] / "plugins" / "quota-volume"
QUOTA_MIB = 8
NOTE = "written before the crash"

#: Answers of the plugin that are waited for while nothing of Wherry runs.
_ANSWERS_ALONE = 50
_ANSWERS_LIMIT_S = 30.0
_TRACE_LIMIT_S = 10.0
_IN_THE_TRACE = frozenset({"wherry-gateway", "wherry-store", "wherry-executor"})


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
    show_trace(receiver)
    with Registry(node.folder / "registry") as registry:
        publishing.publish(node, registry, _context(node))
        publishing.install(node, registry)
        publishing.upgrade(node, registry)
    show_events(node, began_s)
    take_down(node)


def build_plugin(node: Node) -> None:
    """Build the sample plugin: a config.json and a rootfs with one static binary."""
    screen.headline("Build a plugin: volumes in memory, each with a quota")
    node.run("make", "--silent", "-C", str(SOURCE), "context", f"OUT={_context(node)}")
    node.run("ls", "-l", str(_context(node)), str(_context(node) / "rootfs"))


def start_node(node: Node) -> None:
    """Start a node and let Docker's own CLI speak to it."""
    screen.headline("Start a node: a private Redis and five services, in a folder of their own")
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
    running = volume.make(node, size=f"{QUOTA_MIB}m")
    screen.remark(f"The plugin is process {running.pid} and listens at {running.socket}")
    (running.volume / "note").write_text(NOTE)
    said = node.refused(
        "dd", "if=/dev/zero", "of=big", "bs=1M", f"count={2 * QUOTA_MIB}", cwd=running.volume
    )
    if "No space left on device" not in said:
        raise DemoFailed("dd failed for another reason than the quota")
    node.run("df", "-h", "--output=fstype,size,used,avail", ".", cwd=running.volume)
    return running


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


def show_trace(receiver: Receiver) -> None:
    """Show the trace of the enable across the services."""
    screen.headline("The trace of the enable, from the HTTP request to runc")
    spans = receiver.trace_of("/enable", _IN_THE_TRACE, within_s=_TRACE_LIMIT_S)
    screen.output(span_tree.render(spans))
    if missing := _IN_THE_TRACE - {span.service for span in spans}:
        raise DemoFailed(f"the trace lacks spans of {', '.join(sorted(missing))}")


def show_events(node: Node, began_s: float) -> None:
    """Show what Docker's event stream kept of all this."""
    screen.headline("The events of this demo, kept across the crash")
    until = f"{time.time():.3f}"
    said = node.docker("events", "--since", f"{began_s:.3f}", "--until", until)
    for action in ("create", "enable", "pull"):
        if f"plugin {action} " not in said:
            raise DemoFailed(f"the event of the plugin's {action} is missing")


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
