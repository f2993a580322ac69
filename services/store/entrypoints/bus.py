"""The store's messages: which handler each goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.store.service.store import Store
from shared.bus.ports import CommandHandler, FactHandler
from shared.contracts import capability, executor, job, recovery, reference, secret
from shared.contracts import store as contracts
from shared.contracts.message import Command, Message


def commands(store: Store) -> Mapping[type[Command[Any]], CommandHandler]:
    """Return the handler of each command."""
    guard = store.gate.guard
    return {
        contracts.CreatePlugin: guard(store.creation.create),
        contracts.EnablePlugin: guard(store.lifecycle.enable),
        contracts.DisablePlugin: guard(store.lifecycle.disable),
        contracts.RemovePlugin: guard(store.removal.remove),
        contracts.SetPlugin: guard(store.settings.set),
        contracts.LimitPlugin: guard(store.settings.limit),
        contracts.SupervisePlugin: guard(store.supervision.supervise),
        contracts.GrantPlugin: guard(store.grants.grant),
        contracts.GetInventory: store.node.get_inventory,
        recovery.GetRecovery: store.startup.report,
        contracts.CollectGarbage: store.garbage.collect_for,
        contracts.ShutDownNode: store.node.shut_down,
        reference.GetPlugin: store.references.get,
        reference.ListReferences: store.references.list,
        capability.RegisterHandler: store.registering.handlers.register,
        capability.UnregisterHandler: store.registering.handlers.unregister,
        capability.RegisterRuntimeOption: store.registering.options.register,
        capability.UnregisterRuntimeOption: store.registering.options.unregister,
        capability.ListRegistrations: store.registering.list,
        secret.KeepSecret: store.secrets.keep,
        secret.ListSecrets: store.secrets.list,
        secret.DropSecret: store.secrets.drop,
        secret.RotateSecretKey: store.secrets.rotate,
        job.BeginJob: store.gate.open_only(store.jobs.begin),
        job.GetJob: store.jobs.get,
        job.ListJobs: store.jobs.list,
        job.CancelJob: store.jobs.cancel,
        job.TakeJob: store.jobs.take,
        job.RenewJob: store.jobs.renew,
        job.KeepBlobs: store.jobs.keep_blobs,
        job.CommitBlob: store.jobs.commit_blob,
        job.CommitPlugin: guard(store.installation.commit),
        job.FinishPush: store.jobs.finish,
        job.FailJob: store.jobs.fail,
    }


def facts_of_executor(store: Store) -> Mapping[type[Message], FactHandler]:
    """Return the handler of each fact that the executor publishes."""
    return {
        executor.ContainerExited: store.supervisor.container_exited,
        executor.ContainerObserved: store.supervisor.container_observed,
        executor.ExecutorStarted: store.supervisor.executor_started,
    }
