"""The executor's messages: which handler each goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.executor.service.executor import Executor
from shared.bus.ports import CommandHandler
from shared.contracts import executor as messages
from shared.contracts import secret
from shared.contracts.message import Command


def commands(executor: Executor) -> Mapping[type[Command[Any]], CommandHandler]:
    """Return the handler of each command."""
    return {
        messages.StartContainer: executor.start_container,
        messages.StopContainer: executor.stop_container,
        messages.CheckContainer: executor.check_container,
        messages.SignalContainer: executor.signal_container,
        messages.DeleteContainer: executor.delete_container,
        messages.DiscardContainer: executor.discard_container,
        messages.GetContainer: executor.get_container,
        messages.ListContainers: executor.list_containers,
        messages.DeleteLog: executor.delete_log,
        messages.ListProcesses: executor.look.list_processes,
        messages.MeasureContainers: executor.look.measure,
        messages.GetExec: executor.execs.get_exec,
        messages.ResizeExec: executor.execs.resize_exec,
        messages.SignalExec: executor.execs.signal_exec,
        messages.UnmountTree: executor.unmount_tree,
        messages.ClearLeftovers: executor.clear_leftovers,
        secret.RotateExecutorKey: executor.secret_key.rotate,
        secret.ResealSecrets: executor.secret_key.reseal,
        messages.ReleaseNode: executor.release_node,
    }
