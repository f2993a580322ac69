"""Docker's routes about services, tasks and nodes, over a stand-in for the controller."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared import errdefs
from shared.contracts.message import Done
from shared.contracts.node import (
    Availability,
    Fleet,
    ListNodes,
    Node,
    NodeDescription,
    NodeState,
    RemoveNode,
    UpdateNode,
    node_id,
)
from shared.contracts.swarm import (
    GRPC_CODE,
    CreateService,
    GetService,
    ListServices,
    ListTasks,
    PluginSpec,
    RemoveService,
    RestartPolicy,
    Service,
    ServiceCreated,
    ServiceList,
    ServiceReply,
    ServiceSpec,
    ServiceStatus,
    Task,
    TaskList,
    TaskState,
    TaskStatus,
    UpdateConfig,
    UpdateService,
    UpdateState,
    UpdateStatus,
)
from tests.support.gateway_app import AppWorld

BODY = {
    "Name": "s",
    "Labels": {"a": "b"},
    "TaskTemplate": {
        "Runtime": "plugin",
        "PluginSpec": {
            "Name": "p",
            "remote": "a/p:v1",
            "Privileges": [{"Name": "network", "Value": ["host"]}],
            "Env": ["A=1"],
        },
        "Placement": {"Constraints": ["node.role==manager"]},
        "RestartPolicy": {"Condition": "on-failure", "Delay": 7_000_000_000},
    },
    "UpdateConfig": {"Parallelism": 2, "FailureAction": "rollback", "MaxFailureRatio": 0.5},
}
SPEC = ServiceSpec(
    name="s",
    labels={"a": "b"},
    plugin=PluginSpec(
        name="p",
        remote="a/p:v1",
        privileges=({"Name": "network", "Description": "", "Value": ["host"]},),
        env=("A=1",),
    ),
    constraints=("node.role==manager",),
)
SERVICE = Service(
    service_id="service1",
    version=3,
    created_at_ns=1_700_000_000_500_000_000,
    updated_at_ns=1_700_000_000_500_000_000,
    spec=SPEC,
    status=ServiceStatus(running=1, desired=2),
)
NODE = Node(
    name="n1",
    state=NodeState.READY,
    version="0.1",
    joined_at_ns=1,
    state_since_ns=1,
    seal_key="key-of-n1",
    labels={"zone": "x"},
    description=NodeDescription(architecture="x86_64", cpus=2, labels={"e": "f"}),
)
FLEET = Fleet(active="n1", nodes=(NODE, NODE.model_copy(update={"name": "n2", "labels": {}})))
TASK = Task(
    task_id="task1",
    version=2,
    created_at_ns=1,
    updated_at_ns=1,
    service_id="service1",
    node_id=NODE.node_id,
    spec=SPEC,
    desired_state=TaskState.RUNNING,
    status=TaskStatus(state=TaskState.RUNNING, timestamp_ns=1, container_id="c-1", pid=7),
)


@pytest.fixture
def fleet(world: AppWorld) -> AppWorld:
    """Have the controller know a service with a task, on the first of two nodes."""
    world.sender.answers |= {
        ListNodes: FLEET,
        ListServices: ServiceList(services=(SERVICE,)),
        GetService: ServiceReply(service=SERVICE),
        ListTasks: TaskList(tasks=(TASK,)),
        CreateService: lambda command: ServiceCreated(service_id=command.service_id),
        UpdateService: ServiceReply(service=SERVICE),
        RemoveService: Done(),
        UpdateNode: FLEET,
        RemoveNode: Done(),
    }
    return world


def _sent(world: AppWorld, kind: type[Any]) -> Any:
    (found,) = (command for command in world.sender.sent if isinstance(command, kind))
    return found


async def test_create(fleet: AppWorld) -> None:
    """Keys are read in any case; what was not said has swarm's defaults."""
    response = await fleet.client.post("/v1.51/services/create", json=BODY)

    assert response.status_code == 201
    command = _sent(fleet, CreateService)
    assert response.json() == {"ID": command.service_id, "Warnings": None}
    assert len(command.service_id) == 25
    assert command.spec.plugin == SPEC.plugin
    assert command.spec.restart == RestartPolicy(condition="on-failure", delay_ns=7 * 10**9)
    assert command.spec.update == UpdateConfig(
        parallelism=2, failure_action="rollback", max_failure_ratio=0.5
    )
    assert command.credentials is None


async def test_a_login_is_sealed_to_the_active_controller(fleet: AppWorld) -> None:
    """It is bound to the service, and is nowhere else in the message."""
    login = base64.urlsafe_b64encode(b'{"username":"u","password":"secret"}').decode()

    await fleet.client.post("/services/create", json=BODY, headers={"X-Registry-Auth": login})

    command = _sent(fleet, CreateService)
    key, subject, secret = command.credentials.box.split("|")
    assert (key, subject) == ("key-of-n1", f"service/{command.service_id}")
    assert json.loads(secret)["password"] == "secret"
    bare = command.model_copy(update={"credentials": None})
    assert "secret" not in bare.model_dump_json()


async def test_what_plugins_have_no_use_for_is_said(fleet: AppWorld) -> None:
    """It is no error, and is not kept in silence either."""
    template = {**BODY["TaskTemplate"], "Resources": {"Limits": {"MemoryBytes": 1}}}  # type: ignore[dict-item] # the body is JSON

    response = await fleet.client.post("/services/create", json={**BODY, "TaskTemplate": template})

    (warning,) = response.json()["Warnings"]
    assert warning.startswith("TaskTemplate.Resources is not kept")


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"Mode": {"Replicated": {}}}, 400, "plugins must not use replicated mode"),
        ({"TaskTemplate": {"Runtime": "plugin"}}, 400, "plugin spec must be set"),
        ({"TaskTemplate": {"ContainerSpec": {}}}, 501, "Wherry runs no containers"),
        ({"TaskTemplate": {"Runtime": "attachment"}}, 400, "unsupported runtime"),
        ({"UpdateConfig": {"Order": "x"}}, 400, "unrecognized update order x"),
        (
            {"UpdateConfig": {"FailureAction": "x"}},
            400,
            "unrecognized update failure action x",
        ),
        ({"Name": 1}, 400, "invalid JSON: json: cannot unmarshal number"),
    ],
)
async def test_what_is_no_service_is_refused(
    fleet: AppWorld, changes: dict[str, Any], status: int, text: str
) -> None:
    """Status and text are dockerd's, where it has them."""
    response = await fleet.client.post("/services/create", json={**BODY, **changes})

    assert response.status_code == status
    assert text in response.json()["message"]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (
            errdefs.AlreadyExists("name conflicts", detail={GRPC_CODE: "AlreadyExists"}),
            409,
            "rpc error: code = AlreadyExists desc = name conflicts",
        ),
        (
            errdefs.Conflict("update out of sequence", detail={GRPC_CODE: "Unknown"}),
            500,
            "rpc error: code = Unknown desc = update out of sequence",
        ),
        (
            errdefs.Conflict("no previous", detail={GRPC_CODE: "FailedPrecondition"}),
            400,
            "rpc error: code = FailedPrecondition desc = no previous",
        ),
        (errdefs.NotFound("service x not found"), 404, "service x not found"),
        (errdefs.Unavailable("no controller is active yet"), 503, "no controller is active yet"),
    ],
)
async def test_errors_of_swarmkit_are_told_as_dockerd_tells_them(
    fleet: AppWorld, error: errdefs.Error, status: int, text: str
) -> None:
    """Swarmkit's code stands before the text, and decides about the status."""
    fleet.sender.answers[CreateService] = error

    response = await fleet.client.post("/services/create", json=BODY)

    assert (response.status_code, response.json()["message"]) == (status, text)


async def test_services_of_plugins_are_shown_to_those_who_ask(fleet: AppWorld) -> None:
    """By the runtime, as in dockerd, or by naming one."""
    assert (await fleet.get("/services")).json() == []
    for shown in ('{"runtime":["plugin"]}', '{"name":["s"]}', '{"id":{"serv":true}}'):
        (service,) = (await fleet.get("/services", filters=shown, status="true")).json()
        assert service["ServiceStatus"] == {
            "RunningTasks": 1,
            "DesiredTasks": 2,
            "CompletedTasks": 0,
        }
    for hidden in (
        '{"runtime":["container"]}',
        '{"runtime":["plugin"],"mode":["replicated"]}',
        '{"runtime":["plugin"],"label":["a=c"]}',
        '{"name":["t"]}',
    ):
        assert (await fleet.get("/services", filters=hidden)).json() == []
    assert (await fleet.get("/services", filters='{"x":["y"]}')).status_code == 400


async def test_inspect_a_service(fleet: AppWorld) -> None:
    """All of Docker's keys, with defaults only for those who ask for them."""
    shown = (await fleet.get("/services/s")).json()

    assert shown == {
        "ID": "service1",
        "Version": {"Index": 3},
        "CreatedAt": "2023-11-14T22:13:20.5Z",
        "UpdatedAt": "2023-11-14T22:13:20.5Z",
        "Spec": {
            "Name": "s",
            "Labels": {"a": "b"},
            "TaskTemplate": {
                "PluginSpec": {
                    "name": "p",
                    "remote": "a/p:v1",
                    "privileges": [{"name": "network", "value": ["host"]}],
                    "env": ["A=1"],
                },
                "Placement": {"Constraints": ["node.role==manager"]},
                "ForceUpdate": 0,
                "Runtime": "plugin",
            },
            "Mode": {"Global": {}},
        },
        "Endpoint": {"Spec": {}},
    }
    filled = (await fleet.get("/services/s", insertDefaults="1")).json()["Spec"]
    assert filled["UpdateConfig"] == {
        "Parallelism": 1,
        "FailureAction": "pause",
        "Monitor": 5_000_000_000,
        "MaxFailureRatio": 0.0,
        "Order": "stop-first",
    }
    assert (await fleet.get("/services/s", insertDefaults="x")).status_code == 400


async def test_an_update_and_a_rollback_show(fleet: AppWorld) -> None:
    """The last update's state, and the spec before."""
    status = UpdateStatus(state=UpdateState.COMPLETED, message="done", started_at_ns=0)
    changed = SERVICE.model_copy(
        update={
            "previous_spec": SPEC,
            "update_status": status.model_copy(update={"completed_at_ns": 10**9}),
        }
    )
    fleet.sender.answers[GetService] = ServiceReply(service=changed)

    shown = (await fleet.get("/services/s")).json()

    assert shown["PreviousSpec"]["Name"] == "s"
    assert shown["UpdateStatus"] == {
        "State": "completed",
        "StartedAt": "1970-01-01T00:00:00Z",
        "CompletedAt": "1970-01-01T00:00:01Z",
        "Message": "done",
    }


async def test_update(fleet: AppWorld) -> None:
    """A version is named; a rollback goes back to the spec before."""
    response = await fleet.client.post("/services/s/update?version=3", json=BODY)
    assert (response.status_code, response.json()) == (200, {"Warnings": None})
    command = _sent(fleet, UpdateService)
    assert (command.name, command.version, command.rollback) == ("service1", 3, False)

    fleet.sender.calls.clear()
    await fleet.client.post("/services/s/update?version=3&rollback=previous", json=BODY)
    assert _sent(fleet, UpdateService).rollback

    response = await fleet.client.post("/services/s/update?version=x", json=BODY)
    assert response.status_code == 400
    assert response.json()["message"].startswith("invalid service version 'x': strconv.ParseUint")
    response = await fleet.client.post("/services/s/update?version=3&registryAuthFrom=x", json=BODY)
    assert response.json()["message"] == "invalid registryAuthFrom 'x'"


async def test_remove(fleet: AppWorld) -> None:
    """It answers 200 without a body."""
    response = await fleet.client.delete("/services/s")

    assert (response.status_code, response.content) == (200, b"")
    assert _sent(fleet, RemoveService).name == "s"


async def test_tasks(fleet: AppWorld) -> None:
    """Hidden like their services, found by service, node, state and their own id."""
    assert (await fleet.get("/tasks")).json() == []
    for shown in (
        '{"runtime":["plugin"]}',
        '{"service":["s"]}',
        '{"service":["s"],"node":["n1"],"desired-state":["running"]}',
        '{"id":["task"]}',
        '{"service":["s"],"_up-to-date":["true"]}',
    ):
        (task,) = (await fleet.get("/tasks", filters=shown)).json()
        assert task["ID"] == "task1"
    for hidden in (
        '{"service":["s"],"node":["n2"]}',
        '{"service":["s"],"desired-state":["ready"]}',
    ):
        assert (await fleet.get("/tasks", filters=hidden)).json() == []
    refused = await fleet.get("/tasks", filters='{"service":["x"]}')
    assert (refused.status_code, refused.json()["message"]) == (404, "service x not found")
    refused = await fleet.get("/tasks", filters='{"desired-state":["x"]}')
    assert (refused.status_code, refused.json()["message"]) == (
        500,
        "Invalid desired-state filter: 'x'",
    )


async def test_inspect_a_task(fleet: AppWorld) -> None:
    """By id, the beginning of it, or swarm's name."""
    for name in ("task1", "ta", f"s.{NODE.node_id}.task1"):
        task = (await fleet.get(f"/tasks/{name}")).json()
        assert task["Status"]["ContainerStatus"] == {
            "ContainerID": "c-1",
            "PID": 7,
            "ExitCode": 0,
        }
        assert (task["DesiredState"], task["Volumes"]) == ("running", None)
        assert task["Spec"]["PluginSpec"]["remote"] == "a/p:v1"
        assert task["Spec"]["ContainerSpec"] == {"Image": "a/p:v1", "Env": ["A=1"]}
    assert (await fleet.get("/tasks/x")).status_code == 404


async def test_nodes(fleet: AppWorld) -> None:
    """The node of the active controller is the manager, and its leader."""
    first, second = (await fleet.get("/nodes")).json()

    assert first["ID"] == node_id("n1")
    assert first["ManagerStatus"] == {"Leader": True, "Reachability": "reachable"}
    assert first["Spec"] == {"Labels": {"zone": "x"}, "Role": "manager", "Availability": "active"}
    assert first["Description"] == {
        "Hostname": "n1",
        "Platform": {"Architecture": "x86_64", "OS": "linux"},
        "Resources": {"NanoCPUs": 2_000_000_000, "MemoryBytes": 0},
        "Engine": {"EngineVersion": "0.1", "Labels": {"e": "f"}},
        "TLSInfo": {},
    }
    assert second["Spec"]["Role"] == "worker"
    assert "ManagerStatus" not in second
    assert (await fleet.get("/nodes/n2")).json() == second


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ('{"role":["manager"]}', ["n1"]),
        ('{"name":["n"]}', ["n1", "n2"]),
        ('{"node.label":["zone=x"]}', ["n1"]),
        ('{"label":["e"]}', ["n1", "n2"]),
        ('{"membership":["pending"]}', []),
    ],
)
async def test_filters_of_nodes(fleet: AppWorld, filters: str, expected: list[str]) -> None:
    """`label` is an engine's, `node.label` what people set."""
    shown = (await fleet.get("/nodes", filters=filters)).json()

    assert [one["Description"]["Hostname"] for one in shown] == expected


async def test_update_a_node(fleet: AppWorld) -> None:
    """Labels and availability; the role is nobody's to set."""
    wish = {"Labels": {"a": "b"}, "Role": "worker", "Availability": "drain"}

    response = await fleet.client.post("/nodes/n2/update?version=1", json=wish)

    assert (response.status_code, response.content) == (200, b"")
    assert _sent(fleet, UpdateNode) == UpdateNode(
        name="n2", revision=1, labels={"a": "b"}, availability=Availability.DRAIN
    )
    for changes, status, text in (
        ({"Role": "boss"}, 400, 'invalid Role: "boss"'),
        ({"Availability": "x"}, 400, 'invalid Availability: "x"'),
        ({"Role": "manager"}, 501, "cannot be made a manager"),
    ):
        refused = await fleet.client.post("/nodes/n2/update?version=1", json={**wish, **changes})
        assert refused.status_code == status
        assert text in refused.json()["message"]


async def test_remove_a_node(fleet: AppWorld) -> None:
    """With force it need not be down."""
    assert (await fleet.client.delete("/nodes/n2?force=1")).status_code == 200

    assert _sent(fleet, RemoveNode) == RemoveNode(name="n2", force=True)


async def test_there_is_no_swarm(fleet: AppWorld) -> None:
    """The text is dockerd's; beginning one is not there."""
    response = await fleet.get("/swarm")
    assert response.status_code == 503
    assert response.json()["message"].startswith("This node is not a swarm manager.")
    assert (await fleet.client.post("/swarm/init")).status_code == 501
    left = await fleet.client.post("/swarm/leave")
    assert left.json()["message"] == "This node is not part of a swarm"


@pytest.mark.parametrize(("kind", "known"), [("services", "s"), ("tasks", "task1")])
async def test_there_are_no_logs_of_plugins(fleet: AppWorld, kind: str, known: str) -> None:
    """The text is dockerd's, and so is the order: streams, then the name, then what it is."""
    unasked = await fleet.get(f"/{kind}/{known}/logs")
    refused = await fleet.get(f"/{kind}/{known}/logs", stderr="1")
    fleet.sender.answers[GetService] = errdefs.NotFound("service x not found")
    unknown = await fleet.get(f"/{kind}/x/logs", stdout="1")

    assert unasked.status_code == 500
    assert unasked.json()["message"] == "Bad parameters: you must choose at least one stream"
    assert refused.status_code == 500
    assert refused.json()["message"] == (
        "error making log selector: logs only supported on container tasks"
    )
    assert unknown.status_code == 404
