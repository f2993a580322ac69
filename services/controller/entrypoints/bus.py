"""The controller's messages: which handler each goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.controller.service.service import Controller
from shared.bus.ports import CommandHandler
from shared.contracts import batch, node, swarm
from shared.contracts.message import Command


def commands(controller: Controller) -> Mapping[type[Command[Any]], CommandHandler]:
    """Return the handler of each command; all are the active controller's to handle."""
    active = controller.forwarding.active
    return {
        node.Heartbeat: active(controller.nodes.heard),
        node.ListNodes: active(controller.nodes.list),
        node.UpdateNode: active(controller.nodes.update),
        node.RemoveNode: active(controller.nodes.remove),
        node.ListRows: active(controller.following.list),
        swarm.CreateService: active(controller.services.create),
        swarm.UpdateService: active(controller.services.update),
        swarm.RemoveService: active(controller.services.remove),
        swarm.GetService: active(controller.services.get),
        swarm.ListServices: active(controller.services.list),
        swarm.ListTasks: active(controller.services.list_tasks),
        batch.CreateBatch: active(controller.batches.create),
        batch.ListBatches: active(controller.batches.list),
        batch.WatchBatch: active(controller.batches.watch),
        batch.PauseBatch: active(controller.batches.pause),
        batch.ResumeBatch: active(controller.batches.resume),
        batch.CancelBatch: active(controller.batches.cancel),
        batch.RollBackBatch: active(controller.batches.roll_back),
    }
