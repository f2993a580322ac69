"""Create: by the CLI, by docker-py, and by raw requests that are wrong in one way each."""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path

import docker
import pytest

from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts, file, folder, tar_of

_HEX = "0" * 64
_NO_HEX = "cannot specify 64-byte hexadecimal strings"
_INVALID = "invalid reference format"
_UNPARSED = "failed to parse reference"
_CONFIG = file("config.json", b'{"description": "foo plugin"}')


def _post(node: Node, name: str, context: bytes) -> tuple[int, str]:
    answer = node.http.post("/plugins/create", params={"name": name}, content=context)
    return answer.status_code, answer.json()["message"] if answer.content else ""


def test_f11_the_cli_creates_a_plugin_of_a_folder(node: Node, tmp_path: Path) -> None:
    """A description and an empty rootfs make a plugin; its name is taken then."""
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "config.json").write_text('{"description": "foo plugin"}')

    assert node.docker("plugin", "create", "foo", str(tmp_path)) == "foo"
    refusal = node.docker_fails("plugin", "create", "foo", str(tmp_path))

    assert refusal == "Error response from daemon: plugin foo:latest already exists"
    assert node.docker("plugin", "ls", "--format", "{{.Name}} {{.Description}}") == (
        "foo:latest foo plugin"
    )


def test_the_cli_may_compress_the_context(node: Node, contexts: Contexts, tmp_path: Path) -> None:
    """`docker plugin create --compress` makes the same plugin."""
    contexts.write(tmp_path)

    node.docker("plugin", "create", "--compress", "small", str(tmp_path))

    assert node.enable("small")["state"] == "running"


def test_docker_py_creates_a_plugin(
    node: Node, docker_py: docker.DockerClient, contexts: Contexts, tmp_path: Path
) -> None:
    """docker-py creates a plugin of a folder, and finds it."""
    contexts.write(tmp_path)

    plugin = docker_py.plugins.create("pie", str(tmp_path))

    assert plugin.name == "pie:latest"
    assert [found.id for found in docker_py.plugins.list()] == [plugin.id]


def test_a_plugin_object_has_dockers_keys(node: Node, contexts: Contexts) -> None:
    """Inspect shows config and settings in Docker's form; keys were read in any case."""
    node.create("obj", contexts.tar(env=[{"name": "A", "value": "1", "settable": ["value"]}]))

    plugin = node.get("/plugins/obj/json")

    assert len(plugin["Id"]) == 64
    assert (plugin["Name"], plugin["Enabled"]) == ("obj:latest", False)
    assert plugin["PluginReference"] == "obj:latest"
    assert plugin["Settings"] == {"Args": [], "Devices": [], "Env": ["A=1"], "Mounts": []}
    config = plugin["Config"]
    assert config["Interface"]["Types"] == ["docker.dummy/1.0"]
    assert config["Env"][0]["Settable"] == ["value"]
    assert config["DockerVersion"] == "28.3.0"
    assert config["rootfs"]["type"] == "layers"
    assert config["rootfs"]["diff_ids"][0].startswith("sha256:")


def test_names_are_completed(node: Node, contexts: Contexts) -> None:
    """A bare name gets a tag, and Docker's own registry goes unsaid."""
    for name in ("docker.io/library/short", "docker.io/a/b:v2", "127.0.0.1:5000/x/y"):
        node.create(name, contexts.tar())

    names = [plugin["Name"] for plugin in node.get("/plugins")]

    assert names == ["127.0.0.1:5000/x/y:latest", "a/b:v2", "short:latest"]


def test_the_same_rootfs_makes_two_plugins(node: Node, contexts: Contexts) -> None:
    """A rootfs equal to that of another plugin is no reason to refuse; each has its own."""
    node.create("one", contexts.tar())
    node.create("two", contexts.tar())
    node.remove("one")

    assert node.enable("two")["state"] == "running"


@pytest.mark.parametrize(
    ("context", "status", "message"),
    [
        (tar_of(_CONFIG), 400, "no rootfs found"),
        (b"", 400, "no rootfs found"),
        (tar_of(folder("rootfs")), 500, "config not found"),
        (
            tar_of(folder("rootfs"), file("config.json", b"{")),
            500,
            "failed to parse config: unexpected end of JSON input",
        ),
        (
            tar_of(folder("rootfs"), file("config.json", b"[]")),
            500,
            "failed to parse config: json: cannot unmarshal array into Go value of type ",
        ),
        (
            tar_of(folder("rootfs"), file("config.json", b"{} {}")),
            500,
            "failed to parse config: invalid character '{' after top-level value",
        ),
        (
            tar_of(folder("rootfs"), file("config.json", b"nothing")),
            500,
            "failed to parse config: invalid character 'o' in literal null (expecting 'u')",
        ),
        (b"this is no tar, however long you look at it" * 30, 500, "failed to read from tar: "),
        (tar_of(folder("rootfs"), _CONFIG)[:700], 500, "failed to read from tar: "),
        (gzip.compress(tar_of(_CONFIG)), 400, "no rootfs found"),
        (gzip.compress(tar_of(folder("rootfs"), _CONFIG))[:-20], 500, "failed to read from tar: "),
    ],
    ids=[
        "without rootfs",
        "empty",
        "without config",
        "config cut short",
        "config a list",
        "config with more behind it",
        "config no JSON",
        "no tar",
        "tar cut short",
        "compressed without rootfs",
        "compressed and cut short",
    ],
)
def test_a_wrong_context_is_refused_and_leaves_nothing(
    node: Node, context: bytes, status: int, message: str
) -> None:
    """What cannot be a plugin is told why, and nothing of it stays on the disk."""
    got_status, got_message = _post(node, "wrong", context)

    assert got_status == status
    assert got_message.startswith(message)
    node.wait_for_files(set())
    assert node.get("/plugins") == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"x@sha256:{'0' * 64}", "canonical references are not permitted"),
        ("", f"{_UNPARSED} : {_INVALID}"),
        (
            "U",
            f"{_UNPARSED} U: {_INVALID}: repository name (library/U) must be lowercase",
        ),
        (
            _HEX,
            f"{_UNPARSED} {_HEX}: invalid repository name ({_HEX}), {_NO_HEX}",
        ),
        ("a b", f"{_UNPARSED} a b: {_INVALID}"),
    ],
)
def test_a_wrong_name_is_refused(node: Node, contexts: Contexts, name: str, message: str) -> None:
    """A name that is none answers 500 in Docker's words."""
    assert _post(node, name, contexts.tar()) == (500, message)


def test_a_bridge_is_refused(node: Node, contexts: Contexts, tmp_path: Path) -> None:
    """A network that the node does not have is told by the CLI; dockerd gives an empty one."""
    context = contexts.write(tmp_path, network={"type": "bridge"})

    told = node.docker_fails("plugin", "create", "bridged", str(context))

    assert "plugin bridged:latest asks for network bridge" in told
    assert node.get("/plugins") == []


def test_f11_a_taken_name_is_refused(node: Node, contexts: Contexts) -> None:
    """A second plugin of a name answers 409 and changes nothing."""
    node.create("taken", contexts.tar())
    before = node.files()

    refused = _post(node, "taken:latest", contexts.tar())

    assert refused == (409, "plugin taken:latest already exists")
    node.wait_for_files(before)


def test_of_two_configs_the_last_counts(node: Node) -> None:
    """The last config.json of a tar is the plugin's, wherever it stands."""
    second = file("./config.json", json.dumps({"description": "second"}).encode())
    node.create("twice", tar_of(_CONFIG, folder("rootfs"), second))

    assert node.get("/plugins/twice/json")["Config"]["Description"] == "second"


def test_a_client_that_goes_away_leaves_nothing(node: Node, contexts: Contexts) -> None:
    """A create whose client hangs up in the middle of the tar makes no plugin and no file."""
    context = contexts.tar()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(node.socket))
        head = (
            "POST /plugins/create?name=gone HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar"
        )
        client.sendall(f"{head}\r\nContent-Length: {len(context)}\r\n\r\n".encode())
        client.sendall(context[: len(context) // 2])
        eventually(node.files, "it is spooled")

    node.wait_for_files(set())
    assert node.get("/plugins") == []
