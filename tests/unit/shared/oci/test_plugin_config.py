"""Docker's plugin config.json, read and written as Go does."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from shared.oci import go_json
from shared.oci.go_struct import GoTypeError
from shared.oci.plugin_config import PluginConfig, PluginInterfaceType

USABLE = b"""{"description":"d","interface":{"types":["docker.volumedriver/1.0"],
"socket":"plugin.sock"},"entrypoint":["/bin/p"],"network":{"type":"host"},
"propagatedMount":"/mnt","mounts":[{"name":"state","source":"/data","destination":"/state",
"type":"bind","options":["rbind"],"settable":["source"]}],
"env":[{"name":"DEBUG","value":"0","settable":["value"]}],
"args":{"name":"args","settable":["value"],"value":["-v"]},
"linux":{"capabilities":["CAP_SYS_ADMIN"],
"devices":[{"name":"fuse","path":"/dev/fuse","settable":["path"]}]}}"""

# Captured from a Docker daemon's answer to inspect.
CAPTURED = (
    '{"Args":{"Description":"","Name":"","Settable":null,"Value":null},'
    '"Description":"sshFS plugin for Docker","DockerVersion":"20.10.24+dfsg1",'
    '"Documentation":"https://docs.docker.com/engine/extend/plugins/",'
    '"Entrypoint":["/docker-volume-sshfs"],'
    '"Env":[{"Description":"","Name":"DEBUG","Settable":["value"],"Value":"0"}],'
    '"Interface":{"Socket":"sshfs.sock","Types":["docker.volumedriver/1.0"]},'
    '"IpcHost":false,"Linux":{"AllowAllDevices":false,"Capabilities":["CAP_SYS_ADMIN"],'
    '"Devices":[{"Description":"","Name":"","Path":"/dev/null","Settable":null}]},'
    '"Mounts":[{"Description":"","Destination":"/mnt/state","Name":"state","Options":["rbind"],'
    '"Settable":["source"],"Source":"/tmp/","Type":"bind"}],"Network":{"Type":"host"},'
    '"PidHost":false,"PropagatedMount":"/mnt/volumes","User":{},"WorkDir":"",'
    f'"rootfs":{{"diff_ids":["sha256:{"ab" * 32}"],"type":"layers"}}}}'
)


def test_keys_match_in_any_case() -> None:
    """A config written in lower case binds at every level."""
    config = PluginConfig.from_json(USABLE)

    assert config.interface.socket == "plugin.sock"
    assert config.interface.types == (
        PluginInterfaceType(prefix="docker", capability="volumedriver", version="1.0"),
    )
    assert config.mounts is not None
    assert (config.mounts[0].source, config.mounts[0].settable) == ("/data", ("source",))
    assert config.linux.devices is not None
    assert config.linux.devices[0].path == "/dev/fuse"
    assert config.propagated_mount == "/mnt"
    assert config.args.value == ("-v",)


def test_what_docker_wrote_is_written_again_byte_for_byte() -> None:
    """Key order, omitted fields and null slices are Docker's."""
    assert PluginConfig.from_json(CAPTURED.encode()).to_json().decode() == CAPTURED + "\n"


def test_an_empty_config_has_gos_zero_values() -> None:
    """Nil slices are null, and the version and rootfs are left out."""
    assert PluginConfig.from_json(b"{}").to_dict() == {
        "Args": {"Description": "", "Name": "", "Settable": None, "Value": None},
        "Description": "",
        "Documentation": "",
        "Entrypoint": None,
        "Env": None,
        "Interface": {"Socket": "", "Types": None},
        "IpcHost": False,
        "Linux": {"AllowAllDevices": False, "Capabilities": None, "Devices": None},
        "Mounts": None,
        "Network": {"Type": ""},
        "PidHost": False,
        "PropagatedMount": "",
        "User": {},
        "WorkDir": "",
    }


def test_empty_slices_stay_empty_and_pointers_null() -> None:
    """An empty list is not nil, and a null source stays null."""
    config = PluginConfig.from_json(
        b'{"Mounts":[{"Source":null}],"Env":[],"User":{"UID":7},"Interface":{"Types":[]}}'
    )
    written = config.to_dict()

    assert written["Env"] == []
    assert written["Interface"]["Types"] == []
    assert written["Mounts"][0]["Source"] is None
    assert written["User"] == {"UID": 7}


def test_null_and_unknown_keys_are_tolerated() -> None:
    """Null leaves a zero value at every level; what is unknown is ignored."""
    config = PluginConfig.from_json(
        b'{"Linux":null,"Mounts":[null],"Entrypoint":[null],"Description":null,"x":{"y":1}}'
    )

    assert config.linux.devices is None
    assert config.mounts is not None
    assert config.mounts[0].source is None
    assert config.entrypoint == ("",)
    assert PluginConfig.from_json(b"null") == PluginConfig()


def test_of_keys_that_differ_in_case_the_last_counts() -> None:
    """Go assigns keys as they come."""
    assert PluginConfig.from_json(b'{"Description":"a","description":"b"}').description == "b"


@pytest.mark.parametrize(
    ("text", "prefix", "capability", "version", "written"),
    [
        ("docker.volumedriver/1.0", "docker", "volumedriver", "1.0", "docker.volumedriver/1.0"),
        (".docker.dummy/1.0/", ".docker", "dummy", "1.0/", ".docker.dummy/1.0/"),
        ("docker.authz", "docker", "authz", "", "docker.authz/"),
        ("a.b.c/v.1", "a.b", "c", "v.1", "a.b.c/v.1"),
        ("dummy/1", "", "dummy", "1", ".dummy/1"),
        ("", "", "", "", "./"),
    ],
)
def test_interface_types_split_as_docker_splits_them(
    text: str, prefix: str, capability: str, version: str, written: str
) -> None:
    """The last dot before the first slash ends the prefix; a missing slash means no version."""
    parsed = PluginInterfaceType.parse(text)

    assert (parsed.prefix, parsed.capability, parsed.version) == (prefix, capability, version)
    assert str(parsed) == written


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"Interface":{"Types":[1]}}', '"1" is not a plugin interface type'),
        (b'{"Interface":{"Types":[null]}}', '"null" is not a plugin interface type'),
        (
            b'{"Interface":{"Types":[{"a":"b"}]}}',
            r'"{\"a\":\"b\"}" is not a plugin interface type',
        ),
        (b"{}{", "invalid character '{' after top-level value"),
        (b"", "unexpected end of JSON input"),
        (b"[]", "json: cannot unmarshal array into Go value of type types.PluginConfig"),
        (
            b'{"description":1}',
            (
                "json: cannot unmarshal number into Go struct field "
                "PluginConfig.Description of type string"
            ),
        ),
        (
            b'{"linux":{"allowAllDevices":"x"}}',
            (
                "json: cannot unmarshal string into Go struct field "
                "PluginConfigLinux.Linux.AllowAllDevices of type bool"
            ),
        ),
        (
            b'{"env":{}}',
            (
                "json: cannot unmarshal object into Go struct field "
                "PluginConfig.Env of type []types.PluginEnv"
            ),
        ),
        (
            b'{"mounts":["x"]}',
            (
                "json: cannot unmarshal string into Go struct field "
                "PluginConfig.Mounts of type types.PluginMount"
            ),
        ),
        (
            b'{"entrypoint":[true]}',
            (
                "json: cannot unmarshal bool into Go struct field "
                "PluginConfig.Entrypoint of type string"
            ),
        ),
        (
            b'{"user":{"UID":-1}}',
            (
                "json: cannot unmarshal number -1 into Go struct field "
                "PluginConfigUser.User.UID of type uint32"
            ),
        ),
        (
            b'{"user":{"UID":1.5}}',
            (
                "json: cannot unmarshal number 1.5 into Go struct field "
                "PluginConfigUser.User.UID of type uint32"
            ),
        ),
    ],
)
def test_bad_configs_are_refused_in_gos_words(data: bytes, message: str) -> None:
    """Malformed JSON and wrong types give the text of encoding/json."""
    with pytest.raises(go_json.GoJSONError) as raised:
        PluginConfig.from_json(data)

    assert str(raised.value) == message


def test_a_type_fault_is_told_from_a_syntax_fault() -> None:
    """A wrong type has an error class of its own."""
    with pytest.raises(GoTypeError):
        PluginConfig.from_json(b'{"IpcHost":1}')


def test_a_config_crosses_a_pydantic_message_unchanged() -> None:
    """As a field of another model it is written in Docker's keys and read back equal."""

    class Message(BaseModel):
        config: PluginConfig

    message = Message(config=PluginConfig.from_json(USABLE))
    wire = message.model_dump_json()

    assert json.loads(wire)["config"]["Interface"]["Types"] == ["docker.volumedriver/1.0"]
    assert Message.model_validate_json(wire) == message
