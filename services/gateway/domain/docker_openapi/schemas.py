"""What Docker's routes take and answer, as JSON Schema: named, as the document names them."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

STRING: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
OBJECT: Final[Schema] = {"type": "object"}
NULL: Final[Schema] = {"type": "null"}


def ref(name: str) -> Schema:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def nullable(schema: Schema) -> Schema:
    """Return a schema that null has, too: Go's nil."""
    return {"anyOf": [schema, NULL]}


def mapping(values: Schema) -> Schema:
    """Return the schema of an object with any keys."""
    return {"type": "object", "additionalProperties": values}


def struct(required: dict[str, Schema], **optional: Schema) -> Schema:
    """Return the schema of an object; what else it has is not told."""
    return {
        "type": "object",
        "required": list(required),
        "properties": required | optional,
    }


_STRINGS: Final = array(STRING)
_LABELS: Final = mapping(STRING)
_META: Final = {
    "ID": STRING,
    "Version": struct({"Index": INTEGER}),
    "CreatedAt": STRING,
    "UpdatedAt": STRING,
}
_UPDATE_CONFIG: Final = struct(
    {},
    Parallelism=INTEGER,
    Delay=INTEGER,
    FailureAction={"type": "string", "enum": ["pause", "continue", "rollback"]},
    Monitor=INTEGER,
    MaxFailureRatio=NUMBER,
    Order={"type": "string", "enum": ["stop-first", "start-first"]},
)
_PLUGIN_SPEC: Final = struct(
    {},
    name=STRING,
    remote=STRING,
    disabled=BOOLEAN,
    privileges=array(struct({}, name=STRING, description=STRING, value=_STRINGS)),
    env=_STRINGS,
)
_TASK_SPEC: Final = struct(
    {},
    PluginSpec=_PLUGIN_SPEC,
    Runtime={"type": "string", "enum": ["plugin"]},
    ForceUpdate=INTEGER,
    Placement=struct({}, Constraints=_STRINGS),
    Resources=OBJECT,
    RestartPolicy=struct(
        {},
        Condition={"type": "string", "enum": ["none", "on-failure", "any"]},
        Delay=INTEGER,
        MaxAttempts=INTEGER,
        Window=INTEGER,
    ),
)

SCHEMAS: Final[dict[str, Schema]] = {
    "ErrorResponse": struct({"message": STRING}),
    "PluginPrivilege": struct(
        {"Name": STRING, "Description": STRING, "Value": nullable(_STRINGS)},
    ),
    "Plugin": struct(
        {
            "Id": STRING,
            "Name": STRING,
            "Enabled": BOOLEAN,
            "Settings": struct(
                {
                    "Mounts": nullable(array(OBJECT)),
                    "Env": nullable(_STRINGS),
                    "Args": nullable(_STRINGS),
                    "Devices": nullable(array(OBJECT)),
                }
            ),
            "Config": struct(
                {
                    "Description": STRING,
                    "Documentation": STRING,
                    "Interface": struct(
                        {"Types": nullable(array({})), "Socket": STRING}, ProtocolScheme=STRING
                    ),
                    "Entrypoint": nullable(_STRINGS),
                    "WorkDir": STRING,
                    "Network": struct({"Type": STRING}),
                    "Linux": struct(
                        {
                            "Capabilities": nullable(_STRINGS),
                            "AllowAllDevices": BOOLEAN,
                            "Devices": nullable(array(OBJECT)),
                        }
                    ),
                    "PropagatedMount": STRING,
                    "IpcHost": BOOLEAN,
                    "PidHost": BOOLEAN,
                    "Mounts": nullable(array(OBJECT)),
                    "Env": nullable(array(OBJECT)),
                    "Args": OBJECT,
                },
                rootfs=struct({}, type=STRING, diff_ids=_STRINGS),
            ),
        },
        PluginReference=STRING,
    ),
    "Volume": struct(
        {
            "Name": STRING,
            "Driver": STRING,
            "Mountpoint": STRING,
            "CreatedAt": STRING,
            "Labels": nullable(_LABELS),
            "Options": nullable(_LABELS),
            "Scope": {"type": "string", "enum": ["local", "global"]},
        },
        Status=OBJECT,
        UsageData=struct({"RefCount": INTEGER, "Size": INTEGER}),
    ),
    "VolumeCreateOptions": struct(
        {}, Name=STRING, Driver=STRING, DriverOpts=_LABELS, Labels=_LABELS
    ),
    "VolumeListResponse": struct({"Volumes": array(ref("Volume")), "Warnings": nullable(_STRINGS)}),
    "VolumePruneResponse": struct({"VolumesDeleted": _STRINGS, "SpaceReclaimed": INTEGER}),
    "EventMessage": struct(
        {
            "Type": STRING,
            "Action": STRING,
            "Actor": struct({"ID": STRING, "Attributes": _LABELS}),
        },
        scope={"type": "string", "enum": ["local", "swarm"]},
        time=INTEGER,
        timeNano=INTEGER,
    ),
    "ProgressMessage": struct(
        {},
        status=STRING,
        id=STRING,
        progress=STRING,
        progressDetail=OBJECT,
        aux=OBJECT,
        error=STRING,
        errorDetail=struct({"message": STRING}, code=INTEGER),
    ),
    "SystemVersion": struct(
        {
            "Platform": struct({"Name": STRING}),
            "Components": array(
                struct({"Name": STRING, "Version": STRING, "Details": mapping(STRING)})
            ),
            "Version": STRING,
            "ApiVersion": STRING,
            "MinAPIVersion": STRING,
            "GitCommit": STRING,
            "GoVersion": STRING,
            "Os": STRING,
            "Arch": STRING,
            "KernelVersion": STRING,
            "BuildTime": STRING,
        }
    ),
    "SystemInfo": struct(
        {
            "ID": STRING,
            "Name": STRING,
            "ServerVersion": STRING,
            "OperatingSystem": STRING,
            "OSType": STRING,
            "Architecture": STRING,
            "KernelVersion": STRING,
            "NCPU": INTEGER,
            "MemTotal": INTEGER,
            "DockerRootDir": STRING,
            "CgroupDriver": STRING,
            "CgroupVersion": STRING,
            "Plugins": struct(
                {
                    "Volume": _STRINGS,
                    "Network": nullable(_STRINGS),
                    "Authorization": nullable(_STRINGS),
                    "Log": _STRINGS,
                }
            ),
            "RegistryConfig": OBJECT,
            "Runtimes": mapping(OBJECT),
            "DefaultRuntime": STRING,
            "Swarm": OBJECT,
            "Labels": _STRINGS,
            "Warnings": nullable(_STRINGS),
        }
    ),
    "DiskUsage": struct(
        {
            "LayersSize": INTEGER,
            "Images": nullable(array(OBJECT)),
            "Containers": nullable(array(OBJECT)),
            "Volumes": nullable(array(ref("Volume"))),
            "BuildCache": nullable(array(OBJECT)),
        }
    ),
    "AuthConfig": struct(
        {},
        username=STRING,
        password=STRING,
        email=STRING,
        serveraddress=STRING,
        identitytoken=STRING,
        registrytoken=STRING,
    ),
    "AuthResponse": struct({"Status": STRING, "IdentityToken": STRING}),
    "ServiceSpec": struct(
        {},
        Name=STRING,
        Labels=_LABELS,
        TaskTemplate=_TASK_SPEC,
        Mode=struct({}, Global=OBJECT),
        UpdateConfig=_UPDATE_CONFIG,
        RollbackConfig=_UPDATE_CONFIG,
    ),
    "Service": struct(
        {**_META, "Spec": ref("ServiceSpec"), "Endpoint": OBJECT},
        PreviousSpec=ref("ServiceSpec"),
        UpdateStatus=struct(
            {"State": STRING, "StartedAt": STRING, "Message": STRING}, CompletedAt=STRING
        ),
        ServiceStatus=struct(
            {"RunningTasks": INTEGER, "DesiredTasks": INTEGER, "CompletedTasks": INTEGER}
        ),
    ),
    "ServiceCreateResponse": struct({"ID": STRING, "Warnings": nullable(_STRINGS)}),
    "ServiceUpdateResponse": struct({"Warnings": nullable(_STRINGS)}),
    "Task": struct(
        {
            **_META,
            "Spec": {
                **_TASK_SPEC,
                "properties": {
                    **_TASK_SPEC["properties"],
                    "ContainerSpec": struct({}, Image=STRING, Env=_STRINGS),
                },
            },
            "ServiceID": STRING,
            "NodeID": STRING,
            "Status": struct(
                {"Timestamp": STRING, "State": STRING, "Message": STRING},
                Err=STRING,
                ContainerStatus=struct(
                    {"ContainerID": STRING, "PID": INTEGER, "ExitCode": INTEGER}
                ),
            ),
            "DesiredState": STRING,
        }
    ),
    "NodeSpec": struct(
        {},
        Labels=_LABELS,
        Role={"type": "string", "enum": ["manager", "worker"]},
        Availability={"type": "string", "enum": ["active", "pause", "drain"]},
    ),
    "Node": struct(
        {
            **_META,
            "Spec": ref("NodeSpec"),
            "Description": OBJECT,
            "Status": struct({"State": STRING}),
        },
        ManagerStatus=struct({"Leader": BOOLEAN, "Reachability": STRING}),
    ),
}
