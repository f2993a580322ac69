"""The store's messages: which handler each goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.store.service.creation import Creation
from services.store.service.gate import Gate
from services.store.service.lifecycle import Lifecycle
from services.store.service.node import Node
from services.store.service.removal import Removal
from services.store.service.settings import SettingsChange
from services.store.service.supervisor import Supervisor
from shared.bus.ports import CommandHandler, FactHandler
from shared.contracts import executor, store
from shared.contracts.message import Command, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """All that handles a message."""

    gate: Gate
    creation: Creation
    lifecycle: Lifecycle
    removal: Removal
    settings: SettingsChange
    node: Node
    supervisor: Supervisor

    def commands(self) -> Mapping[type[Command[Any]], CommandHandler]:
        """Return the handler of each command."""
        return {
            store.CreatePlugin: self.gate.guard(self.creation.create),
            store.EnablePlugin: self.gate.guard(self.lifecycle.enable),
            store.DisablePlugin: self.gate.guard(self.lifecycle.disable),
            store.RemovePlugin: self.gate.guard(self.removal.remove),
            store.SetPlugin: self.gate.guard(self.settings.set),
            store.GetInventory: self.node.get_inventory,
            store.ShutDownNode: self.node.shut_down,
        }

    def facts_of_executor(self) -> Mapping[type[Message], FactHandler]:
        """Return the handler of each fact that the executor publishes."""
        return {
            executor.ContainerExited: self.supervisor.container_exited,
            executor.ContainerObserved: self.supervisor.container_observed,
            executor.ExecutorStarted: self.supervisor.executor_started,
        }
