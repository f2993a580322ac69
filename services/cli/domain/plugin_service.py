"""Services of plugins as Docker's API shows them, and what a person wishes of one."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.cli.domain.table import aligned

_HEADINGS = ("SERVICE", "ID", "RUNNING", "PLUGIN", "REFERENCE", "UPDATE")
_TASK_HEADINGS = ("NODE", "ID", "STATE", "DESIRED", "REFERENCE", "ERROR")
_SHORT_ID = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceWish:
    """What is to be so; None, or nothing, stays as it is."""

    remote: str = ""
    plugin_name: str | None = None
    #: Docker's privileges, in lower-case keys; None: those that it has.
    privileges: Sequence[Mapping[str, Any]] | None = None
    env: Sequence[str] = ()
    env_removed: Sequence[str] = ()
    constraints: Sequence[str] = ()
    constraints_removed: Sequence[str] = ()
    enabled: bool | None = None
    update: Mapping[str, Any] | None = None
    force: bool = False


def made(name: str, wish: ServiceWish) -> dict[str, Any]:
    """Return the spec of a new service."""
    template = {"Runtime": "plugin", "PluginSpec": {}}
    return changed({"Name": name, "TaskTemplate": template}, wish)


def changed(spec: Mapping[str, Any], wish: ServiceWish) -> dict[str, Any]:
    """Return a service's spec as it is to be."""
    new = dict(copy.deepcopy(spec))
    template = new["TaskTemplate"]
    _change_plugin(template["PluginSpec"], wish)
    placement = template.setdefault("Placement", {})
    kept = [c for c in placement.get("Constraints") or () if c not in wish.constraints_removed]
    placement["Constraints"] = [*kept, *(c for c in wish.constraints if c not in kept)]
    if wish.force:
        template["ForceUpdate"] = template.get("ForceUpdate", 0) + 1
    if wish.update:
        new["UpdateConfig"] = {**(new.get("UpdateConfig") or {"Parallelism": 1}), **wish.update}
    return new


def listed(services: Sequence[Mapping[str, Any]]) -> str:
    """Write services as a table."""
    return "\n".join(aligned([_HEADINGS, *map(_row, services)]))


def tasks_listed(tasks: Sequence[Mapping[str, Any]], nodes: Mapping[str, str]) -> str:
    """Write tasks as a table, by node, the newest first; *nodes* are names by id."""
    newest = sorted(tasks, key=lambda one: str(one["CreatedAt"]), reverse=True)
    ordered = sorted(newest, key=lambda one: nodes.get(one["NodeID"], one["NodeID"]))
    rows = (_task_row(one, nodes.get(one["NodeID"], one["NodeID"])) for one in ordered)
    return "\n".join(aligned([_TASK_HEADINGS, *rows]))


def _change_plugin(plugin: dict[str, Any], wish: ServiceWish) -> None:
    if wish.remote:
        plugin["remote"] = wish.remote
    if wish.plugin_name is not None:
        plugin["name"] = wish.plugin_name
    if wish.privileges is not None:
        plugin["privileges"] = list(wish.privileges)
    if wish.enabled is not None:
        plugin["disabled"] = not wish.enabled
    said = {line.partition("=")[0] for line in (*wish.env, *wish.env_removed)}
    kept = [line for line in plugin.get("env") or () if line.partition("=")[0] not in said]
    plugin["env"] = [*kept, *wish.env]


def _row(service: Mapping[str, Any]) -> tuple[str, ...]:
    spec, status = service["Spec"], service.get("ServiceStatus") or {}
    plugin = spec["TaskTemplate"]["PluginSpec"]
    return (
        spec["Name"],
        service["ID"][:_SHORT_ID],
        f"{status.get('RunningTasks', 0)}/{status.get('DesiredTasks', 0)}",
        plugin.get("name") or plugin["remote"],
        plugin["remote"],
        (service.get("UpdateStatus") or {}).get("State", "-"),
    )


def _task_row(task: Mapping[str, Any], node: str) -> tuple[str, ...]:
    status = task["Status"]
    return (
        node,
        task["ID"][:_SHORT_ID],
        status["State"],
        task["DesiredState"],
        task["Spec"]["PluginSpec"]["remote"],
        status.get("Err") or "-",
    )
