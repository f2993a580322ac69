"""Set: its grammar, its rules, and bodies that are no list of settings."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import docker
import pytest

from tests.support.node import Node
from tests.support.plugin_context import Contexts

_CONFIG = {
    "env": [
        {"name": "DEBUG", "value": "0", "settable": ["value"]},
        {"name": "UNSET", "settable": ["value"]},
        {"name": "FIXED", "value": "1"},
        {"name": "OTHER", "value": "1", "settable": ["name"]},
        {"name": "TWO", "value": "1", "settable": ["value", "name"]},
    ],
    "mounts": [
        {
            "name": "pmount1",
            "settable": ["source"],
            "source": "/tmp",
            "destination": "/mnt",
            "type": "none",
            "options": ["rbind"],
        },
        {"name": "pmount2", "settable": ["source"], "destination": "/mnt2", "type": "none"},
    ],
    "linux": {
        "devices": [
            {"name": "pdev1", "path": "/dev/null", "settable": ["path"]},
            {"name": "pdev2", "settable": ["path"]},
        ]
    },
    "args": {"name": "args", "settable": ["value"], "value": ["a"]},
}


@pytest.fixture
def name(node: Node, contexts: Contexts) -> str:
    """Create a plugin with something of every kind to set."""
    node.create("set", contexts.tar(**_CONFIG))
    return "set"


def _settings(node: Node, name: str) -> dict[str, Any]:
    return dict(node.get(f"/plugins/{name}/json")["Settings"])


def _set(node: Node, name: str, *args: str) -> tuple[int, str]:
    answer = node.http.post(f"/plugins/{name}/set", json=list(args))
    return answer.status_code, answer.json()["message"] if answer.content else ""


def test_f07_the_cli_sets_a_variable(node: Node, name: str) -> None:
    """A variable that is set is shown in the settings, in its place."""
    node.docker("plugin", "set", name, "DEBUG=1")

    assert _settings(node, name)["Env"] == ["DEBUG=1", "FIXED=1", "OTHER=1", "TWO=1"]


def test_docker_py_sets_a_variable(node: Node, docker_py: docker.DockerClient, name: str) -> None:
    """docker-py's configure is the same verb."""
    docker_py.plugins.get(name).configure({"DEBUG": "1"})

    assert "DEBUG=1" in _settings(node, name)["Env"]


@pytest.mark.parametrize(
    ("args", "env"),
    [
        (["DEBUG=1"], ["DEBUG=1", "FIXED=1", "OTHER=1", "TWO=1"]),
        (["DEBUG.value=a.b=c"], ["DEBUG=a.b=c", "FIXED=1", "OTHER=1", "TWO=1"]),
        (["DEBUG"], ["DEBUG=", "FIXED=1", "OTHER=1", "TWO=1"]),
        (["DEBUG.value"], ["DEBUG=", "FIXED=1", "OTHER=1", "TWO=1"]),
        (["UNSET=1"], ["DEBUG=0", "FIXED=1", "OTHER=1", "TWO=1", "UNSET=1"]),
        (["DEBUG=1", "DEBUG=2", "UNSET="], ["DEBUG=2", "FIXED=1", "OTHER=1", "TWO=1", "UNSET="]),
        (["TWO.value=2"], ["DEBUG=0", "FIXED=1", "OTHER=1", "TWO=2"]),
        ([], ["DEBUG=0", "FIXED=1", "OTHER=1", "TWO=1"]),
    ],
)
def test_b01_b02_b03_b04_b09_b10_b14_settings_are_parsed_and_laid_over(
    node: Node, name: str, args: list[str], env: list[str]
) -> None:
    """Name, field and value are told apart; order is kept."""
    assert _set(node, name, *args) == (204, "")

    assert _settings(node, name)["Env"] == env


def test_f07_a_mount_a_device_and_arguments_are_set(node: Node, name: str) -> None:
    """Settings are changed, and the config stays what it was."""
    assert _set(node, name, "pmount1.source=bar", "pdev1=/dev/zero", "args=x  y") == (204, "")

    settings = _settings(node, name)
    assert settings["Mounts"][0]["Source"] == "bar"
    assert settings["Devices"][0]["Path"] == "/dev/zero"
    assert settings["Args"] == ["x", "", "y"]
    config = node.get(f"/plugins/{name}/json")["Config"]
    assert config["Mounts"][0]["Source"] == "/tmp"
    assert config["Linux"]["Devices"][0]["Path"] == "/dev/null"
    assert config["Args"]["Value"] == ["a"]


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("=value", "invalid format, must be <name>[.<field>][=<value>]"),
        ("=", "invalid format, must be <name>[.<field>][=<value>]"),
        ("", "invalid format, must be <name>[.<field>][=<value>]"),
        ("NOPE=1", 'setting "NOPE" not found in the plugin configuration'),
        ("FIXED=1", '"FIXED" is not settable'),
        ("FIXED.value=1", '"FIXED.value" is not settable'),
        ("OTHER=1", '"OTHER.name" is not settable'),
        ("OTHER.name=1", '"OTHER.name" is not settable'),
        ("DEBUG.foo=1", '"DEBUG.foo" is not settable'),
        ("TWO=1", "multiple fields are settable, one must be specified"),
        ("pmount2=/tmp", "Plugin config has no mount source"),
        ("pdev2=/dev/null", "Plugin config has no device path"),
    ],
)
def test_b05_b06_b07_b08_b11_b12_b13_f07_what_can_not_be_set_is_refused_whole(
    node: Node, name: str, arg: str, message: str
) -> None:
    """Docker's text, 500, and the settings before it are not kept."""
    before = _settings(node, name)

    assert _set(node, name, "DEBUG=7", arg) == (500, message)

    assert _settings(node, name) == before


def test_the_cli_says_why_it_was_not_set(node: Node, name: str) -> None:
    """The CLI exits with 1 and the text."""
    assert node.docker_fails("plugin", "set", name, "NOPE=1") == (
        'Error response from daemon: setting "NOPE" not found in the plugin configuration'
    )


def test_an_enabled_plugin_can_not_be_set(node: Node, contexts: Contexts) -> None:
    """Set is for plugins that are disabled."""
    node.create("on", contexts.tar(env=[{"name": "A", "settable": ["value"]}]))
    node.enable("on")

    assert _set(node, "on", "A=1") == (
        500,
        "cannot set on an active plugin, disable plugin before setting",
    )


def test_the_plugin_gets_what_was_set(node: Node, contexts: Contexts) -> None:
    """Arguments that were set are those that the plugin runs with."""
    listens = "listen=/run/docker/plugins/p.sock"
    args = {"name": "args", "settable": ["value"], "value": ["exit=3"]}
    node.create("args", contexts.tar("term=0", listens, args=args))

    assert _set(node, "args", "args=print=1") == (204, "")
    node.enable("args")

    lines = node.get("/wherry/v1/plugins/args/logs")["lines"]
    assert [line["text"] for line in lines] == ["line 1"]


def test_parallel_sets_are_all_kept(node: Node, contexts: Contexts) -> None:
    """Sets of different variables at once lose none."""
    names = [f"V{number}" for number in range(16)]
    env = [{"name": variable, "settable": ["value"]} for variable in names]
    node.create("many", contexts.tar(env=env))

    def change(variable: str) -> int:
        with node.client() as client:
            return client.post("/plugins/many/set", json=[f"{variable}=1"]).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, names)) == {204}

    assert sorted(_settings(node, "many")["Env"]) == sorted(f"{v}=1" for v in names)


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        (
            "text/plain",
            b"[]",
            "unsupported Content-Type header (text/plain): must be 'application/json'",
        ),
        (
            "application/json",
            b"{invalid json",
            "invalid JSON: invalid character 'i' looking for beginning of object key string",
        ),
        ("application/json", b"[] trailing content", "unexpected content after JSON"),
        ("application/json; charset", b"[]", "malformed Content-Type header ("),
        ("application/json", b'{"A": "1"}', "invalid JSON: json: cannot unmarshal object"),
        ("application/json", b"[1]", "invalid JSON: json: cannot unmarshal number"),
        ("application/json", b"\xff\xfe", "invalid JSON: invalid character"),
    ],
)
def test_a_body_that_is_no_list_is_refused(
    node: Node, name: str, content_type: str, body: bytes, message: str
) -> None:
    """400 and what is wrong with the body."""
    headers = {"Content-Type": content_type}

    answer = node.http.post(f"/plugins/{name}/set", content=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)


def test_no_body_at_all_sets_nothing(node: Node, name: str) -> None:
    """A length of zero stands for an empty list."""
    assert node.http.post(f"/plugins/{name}/set").status_code == 204
