"""Docker's operations that are served: what each takes and answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from services.gateway.domain.docker_openapi.schemas import (
    BOOLEAN,
    INTEGER,
    STRING,
    Schema,
    array,
    nullable,
    ref,
)

_TEXT: Final = "text/plain"
_TAR: Final = "application/x-tar"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A body, or nothing that is known of it."""

    schema: Schema
    media_type: str = _JSON
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    #: Parameters of the query; those in *needed* must be said.
    query: dict[str, tuple[Schema, str]] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    #: Headers beside those that all requests may have.
    headers: dict[str, str] = field(default_factory=dict)
    body: Content | None = None
    #: The status of success; None where there is none, since the operation only refuses.
    status: int | None = 200
    answer: Content | None = None


_FILTERS: Final = {"filters": (STRING, 'JSON of a map to lists, `{"name": ["a"]}`')}
_FORCE: Final = {"force": (BOOLEAN, "although it is in use")}
_REMOTE: Final = (STRING, "the reference at its registry")
_VERSION: Final = {"version": (INTEGER, "`Version.Index` of what is changed")}
_LOGIN: Final = {"X-Registry-Auth": "base64url of AuthConfig as JSON"}
_PRIVILEGES: Final = Content(schema=nullable(array(ref("PluginPrivilege"))))
_LINES: Final = Content(schema=ref("ProgressMessage"))
_OK: Final = Content(schema=STRING, media_type=_TEXT)


def _list(name: str) -> Content:
    return Content(schema=array(ref(name)))


def _one(name: str, *, is_required: bool = False) -> Content:
    return Content(schema=ref(name), is_required=is_required)


def _get(path: str, summary: str, answer: Content | None, **query: tuple[Schema, str]) -> Operation:
    return Operation(method="GET", path=path, summary=summary, answer=answer, query=query)


def _refused(method: str, path: str, summary: str) -> Operation:
    return Operation(method=method, path=path, summary=summary, status=None)


_SYSTEM: Final = (
    Operation(method="OPTIONS", path="/{path}", summary="Say yes, to any path"),
    _get("/_ping", "Say that the API answers", _OK),
    Operation(method="HEAD", path="/_ping", summary="Say that the API answers"),
    _get("/version", "Tell which engine this is", _one("SystemVersion")),
    _get("/info", "Tell the state of the node", _one("SystemInfo")),
    _get(
        "/events",
        "Stream events, a line of JSON each",
        _one("EventMessage"),
        since=(STRING, "Unix seconds, with a fraction if need be"),
        until=(STRING, "the same; without it the stream does not end"),
        **_FILTERS,
    ),
    _get(
        "/system/df",
        "Tell what takes room on the disk",
        _one("DiskUsage"),
        type=(array(STRING), "`volume`, `image`, `container`, `build-cache`; all without it"),
    ),
    Operation(
        method="POST",
        path="/auth",
        summary="Check a login at its registry",
        body=_one("AuthConfig", is_required=True),
        answer=_one("AuthResponse"),
    ),
)
_PLUGINS: Final = (
    _get("/plugins", "List plugins", _list("Plugin"), **_FILTERS),
    _get("/plugins/{name}/json", "Show a plugin", _one("Plugin")),
    Operation(
        method="GET",
        path="/plugins/privileges",
        summary="Tell what a plugin at a registry needs to be granted",
        query={"remote": _REMOTE},
        needed=frozenset({"remote"}),
        headers=_LOGIN,
        answer=_PRIVILEGES,
    ),
    Operation(
        method="POST",
        path="/plugins/pull",
        summary="Install a plugin from a registry; progress is the answer",
        query={"remote": _REMOTE, "name": (STRING, "what it is to be called here")},
        needed=frozenset({"remote"}),
        headers=_LOGIN,
        body=_PRIVILEGES,
        answer=_LINES,
    ),
    Operation(
        method="POST",
        path="/plugins/create",
        summary="Create a plugin of config.json and rootfs in a tar, packed by gzip or not",
        query={"name": (STRING, "what it is to be called")},
        needed=frozenset({"name"}),
        body=Content(schema=STRING, media_type=_TAR, is_required=True),
        status=204,
    ),
    Operation(
        method="POST",
        path="/plugins/{name}/set",
        summary="Change settings of a plugin that is disabled",
        body=Content(schema=array(STRING)),
        status=204,
    ),
    Operation(
        method="POST",
        path="/plugins/{name}/enable",
        summary="Start a plugin",
        query={"timeout": (INTEGER, "seconds to become ready; 0: the node's default")},
        needed=frozenset({"timeout"}),
    ),
    Operation(method="POST", path="/plugins/{name}/disable", summary="Stop a plugin", query=_FORCE),
    Operation(
        method="POST",
        path="/plugins/{name}/push",
        summary="Push a plugin to where its name says; progress is the answer",
        headers=_LOGIN,
        answer=_LINES,
    ),
    Operation(
        method="POST",
        path="/plugins/{name}/upgrade",
        summary="Replace a plugin that is disabled; progress is the answer",
        query={"remote": _REMOTE},
        needed=frozenset({"remote"}),
        headers=_LOGIN,
        body=_PRIVILEGES,
        answer=_LINES,
    ),
    Operation(method="DELETE", path="/plugins/{name}", summary="Remove a plugin", query=_FORCE),
)
_VOLUMES: Final = (
    _get("/volumes", "List volumes", _one("VolumeListResponse"), **_FILTERS),
    _get("/volumes/{name}", "Show a volume", _one("Volume")),
    Operation(
        method="POST",
        path="/volumes/create",
        summary="Create a volume, an anonymous one without a name",
        body=_one("VolumeCreateOptions"),
        status=201,
        answer=_one("Volume"),
    ),
    Operation(
        method="POST",
        path="/volumes/prune",
        summary="Remove local volumes that nobody uses",
        query=_FILTERS,
        answer=_one("VolumePruneResponse"),
    ),
    _refused("PUT", "/volumes/{name}", "Refuse: only a swarm's volumes can be changed"),
    Operation(
        method="DELETE",
        path="/volumes/{name}",
        summary="Remove a volume",
        query=_FORCE,
        status=204,
    ),
)
_SWARM: Final = (
    _get(
        "/services",
        "List services of plugins",
        _list("Service"),
        status=(BOOLEAN, "count their tasks"),
        **_FILTERS,
    ),
    Operation(
        method="POST",
        path="/services/create",
        summary="Create a service of plugins",
        headers=_LOGIN,
        body=_one("ServiceSpec", is_required=True),
        status=201,
        answer=_one("ServiceCreateResponse"),
    ),
    _get(
        "/services/{name}",
        "Show a service",
        _one("Service"),
        insertDefaults=(BOOLEAN, "with what nobody said as it will be"),
    ),
    Operation(
        method="POST",
        path="/services/{name}/update",
        summary="Give a service another spec",
        query={
            **_VERSION,
            "rollback": (STRING, "`previous`: to the spec before"),
            "registryAuthFrom": (STRING, "`spec` or `previous-spec`"),
        },
        needed=frozenset(_VERSION),
        headers=_LOGIN,
        body=_one("ServiceSpec", is_required=True),
        answer=_one("ServiceUpdateResponse"),
    ),
    Operation(method="DELETE", path="/services/{name}", summary="Remove a service"),
    _get("/tasks", "List tasks of services of plugins", _list("Task"), **_FILTERS),
    _get("/tasks/{name}", "Show a task", _one("Task")),
    _refused("GET", "/services/{name}/logs", "Refuse: dockerd has no logs of plugins"),
    _refused("GET", "/tasks/{name}/logs", "Refuse: dockerd has no logs of plugins"),
    _get("/nodes", "List the nodes of the fleet", _list("Node"), **_FILTERS),
    _get("/nodes/{name}", "Show a node", _one("Node")),
    Operation(
        method="POST",
        path="/nodes/{name}/update",
        summary="Set a node's labels and availability",
        query=_VERSION,
        needed=frozenset(_VERSION),
        body=_one("NodeSpec", is_required=True),
    ),
    Operation(method="DELETE", path="/nodes/{name}", summary="Forget a node", query=_FORCE),
    _refused("GET", "/swarm", "Refuse: there is no swarm"),
    _refused("GET", "/swarm/unlockkey", "Refuse: there is no swarm"),
    _refused("POST", "/swarm/update", "Refuse: there is no swarm"),
    _refused("POST", "/swarm/leave", "Refuse: there is no swarm"),
    _refused("POST", "/swarm/unlock", "Refuse: there is no swarm"),
    _refused("POST", "/swarm/init", "Refuse: nodes on one Redis are a fleet without more ado"),
    _refused("POST", "/swarm/join", "Refuse: nodes on one Redis are a fleet without more ado"),
)
OPERATIONS: Final = (*_SYSTEM, *_PLUGINS, *_VOLUMES, *_SWARM)
