"""Docker's JSON of services, tasks and nodes: the order and the omissions of its structs."""

from __future__ import annotations

import time
from typing import Any, Final

from shared.contracts.node import Node
from shared.contracts.swarm import (
    PluginSpec,
    RestartPolicy,
    Service,
    ServiceSpec,
    Task,
    TaskStatus,
    UpdateConfig,
    UpdateStatus,
)

_NS: Final = 10**9


def service_object(
    service: Service, *, with_status: bool = False, with_defaults: bool = False
) -> dict[str, Any]:
    """Return Docker's service; *with_defaults*: what nobody said is as it will be."""
    shown: dict[str, Any] = {
        "ID": service.service_id,
        **_meta(service.version, service.created_at_ns, service.updated_at_ns),
        "Spec": _spec(service.spec, with_defaults=with_defaults),
    }
    if service.previous_spec is not None:
        shown["PreviousSpec"] = _spec(service.previous_spec)
    shown["Endpoint"] = {"Spec": {}}
    if service.update_status is not None:
        shown["UpdateStatus"] = _update_status(service.update_status)
    if with_status and service.status is not None:
        shown["ServiceStatus"] = {
            "RunningTasks": service.status.running,
            "DesiredTasks": service.status.desired,
            "CompletedTasks": 0,
        }
    return shown


def task_object(task: Task) -> dict[str, Any]:
    """Return Docker's task."""
    return {
        "ID": task.task_id,
        **_meta(task.version, task.created_at_ns, task.updated_at_ns),
        "Labels": {},
        # `docker service ps` looks at the container of each task, and crashes without one.
        "Spec": {"ContainerSpec": _container(task.spec.plugin), **_task_spec(task.spec)},
        "ServiceID": task.service_id,
        "NodeID": task.node_id,
        "Status": _task_status(task.status),
        "DesiredState": task.desired_state,
        "Volumes": None,
    }


def node_object(node: Node, *, is_manager: bool) -> dict[str, Any]:
    """Return Docker's node."""
    said = node.description
    engine: dict[str, Any] = {"EngineVersion": node.version}
    if said.labels:
        engine["Labels"] = said.labels
    shown: dict[str, Any] = {
        "ID": node.node_id,
        **_meta(node.revision, node.joined_at_ns, node.state_since_ns),
        "Spec": {
            "Labels": node.labels,
            "Role": "manager" if is_manager else "worker",
            "Availability": node.availability,
        },
        "Description": {
            "Hostname": node.name,
            "Platform": {"Architecture": said.architecture, "OS": said.os},
            "Resources": {"NanoCPUs": said.cpus * _NS, "MemoryBytes": said.memory_bytes},
            "Engine": engine,
            "TLSInfo": {},
        },
        "Status": {"State": node.state},
    }
    if said.address:
        shown["Status"]["Addr"] = said.address
    if is_manager:
        shown["ManagerStatus"] = {"Leader": True, "Reachability": "reachable"}
    return shown


def rfc3339(ns: int) -> str:
    """Write a time as Go does: no zeros at the end of a fraction."""
    seconds, fraction = divmod(ns, _NS)
    tail = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{tail}Z"


def _meta(version: int, created_ns: int, updated_ns: int) -> dict[str, Any]:
    return {
        "Version": {"Index": version},
        "CreatedAt": rfc3339(created_ns),
        "UpdatedAt": rfc3339(updated_ns),
    }


def _spec(spec: ServiceSpec, *, with_defaults: bool = False) -> dict[str, Any]:
    update, rollback = spec.update, spec.rollback
    if with_defaults:
        update, rollback = update or UpdateConfig(), rollback or UpdateConfig()
    shown: dict[str, Any] = {
        "Name": spec.name,
        "Labels": spec.labels or {},
        "TaskTemplate": _task_spec(spec, with_defaults=with_defaults),
        "Mode": {"Global": {}},
    }
    if update is not None:
        shown["UpdateConfig"] = _update_config(update)
    if rollback is not None:
        shown["RollbackConfig"] = _update_config(rollback)
    return shown


def _task_spec(spec: ServiceSpec, *, with_defaults: bool = False) -> dict[str, Any]:
    restart = spec.restart or (RestartPolicy() if with_defaults else None)
    shown: dict[str, Any] = {"PluginSpec": _plugin(spec.plugin)}
    if with_defaults:
        shown["Resources"] = {}
    if restart is not None:
        shown["RestartPolicy"] = _restart(restart)
    if spec.constraints:
        shown["Placement"] = {"Constraints": list(spec.constraints)}
    elif with_defaults:
        shown["Placement"] = {}
    return {**shown, "ForceUpdate": spec.force_update, "Runtime": "plugin"}


def _container(plugin: PluginSpec) -> dict[str, Any]:
    return _filled({"Image": plugin.remote, "Env": list(plugin.env)})


def _plugin(plugin: PluginSpec) -> dict[str, Any]:
    granted = [
        _filled({"name": p["Name"], "description": p["Description"], "value": p["Value"]})
        for p in plugin.privileges
    ]
    return _filled(
        {
            "name": plugin.name,
            "remote": plugin.remote,
            "privileges": granted,
            "disabled": plugin.disabled,
            "env": list(plugin.env),
        }
    )


def _restart(policy: RestartPolicy) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Condition": policy.condition,
        "Delay": policy.delay_ns,
        "MaxAttempts": policy.max_attempts,
    }
    return {**shown, "Window": policy.window_ns} if policy.window_ns else shown


def _update_config(config: UpdateConfig) -> dict[str, Any]:
    shown: dict[str, Any] = {"Parallelism": config.parallelism}
    if config.delay_ns:
        shown["Delay"] = config.delay_ns
    return {
        **shown,
        "FailureAction": config.failure_action,
        "Monitor": config.monitor_ns,
        "MaxFailureRatio": config.max_failure_ratio,
        "Order": config.order,
    }


def _update_status(status: UpdateStatus) -> dict[str, Any]:
    shown: dict[str, Any] = {"State": status.state, "StartedAt": rfc3339(status.started_at_ns)}
    if status.completed_at_ns is not None:
        shown["CompletedAt"] = rfc3339(status.completed_at_ns)
    return {**shown, "Message": status.message}


def _task_status(status: TaskStatus) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Timestamp": rfc3339(status.timestamp_ns),
        "State": status.state,
        "Message": status.message,
    }
    if status.error:
        shown["Err"] = status.error
    if status.container_id or status.exit_code:
        shown["ContainerStatus"] = {
            "ContainerID": status.container_id,
            "PID": status.pid,
            "ExitCode": status.exit_code,
        }
    return {**shown, "PortStatus": {}}


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is zero."""
    return {key: value for key, value in values.items() if value}
