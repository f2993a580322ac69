"""Ping, version, info, and paths and versions that are not served."""

from __future__ import annotations

import json

import docker
import pytest

from tests.support.node import Node
from tests.support.plugin_context import Contexts


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping_tells_clients_what_to_negotiate(node: Node, method: str) -> None:
    """Both forms of ping answer with the headers that the CLI reads."""
    answer = node.http.request(method, "/_ping")

    assert answer.status_code == 200
    assert answer.text == ("OK" if method == "GET" else "")
    headers = answer.headers
    assert (headers["api-version"], headers["ostype"]) == ("1.51", "linux")
    assert headers["server"] == "Docker/28.3.0 (linux)"
    assert headers["docker-experimental"] == "false"
    assert headers["builder-version"] == "2"
    assert headers["swarm"] == "inactive"
    assert headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert headers["pragma"] == "no-cache"


def test_head_ping_has_no_length_but_zero(node: Node) -> None:
    """HEAD /_ping has an empty body and says so."""
    assert node.http.head("/_ping").headers["content-length"] == "0"


def test_docker_version_names_both_sides(node: Node) -> None:
    """`docker version` negotiates, and shows the engine that is followed."""
    version = json.loads(node.docker("version", "--format", "json"))

    assert version["Server"]["Version"] == "28.3.0"
    assert version["Server"]["ApiVersion"] == "1.51"
    assert version["Server"]["MinAPIVersion"] == "1.24"
    assert version["Server"]["Platform"]["Name"].startswith("Wherry ")
    components = [component["Name"] for component in version["Server"]["Components"]]
    assert components[:2] == ["Engine", "Wherry"]
    assert {"runc", "conmon"} < set(components)


def test_docker_info_works(node: Node) -> None:
    """`docker info` accepts the answer without a complaint of its own."""
    info = json.loads(node.docker("info", "--format", "json"))

    assert not info.get("ServerErrors")
    assert info["ServerVersion"] == "28.3.0"
    assert info["Name"] == node.name
    assert info["DockerRootDir"] == str(node.root)
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    assert info["ID"]


def test_info_lists_enabled_drivers(node: Node, contexts: Contexts) -> None:
    """A volume plugin is listed as a volume driver while it is enabled."""
    types = {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"}
    node.create("vol", contexts.tar(interface=types))
    assert node.get("/info")["Plugins"]["Volume"] == ["local"]

    node.enable("vol")

    assert node.get("/info")["Plugins"]["Volume"] == ["local", "vol:latest"]


def test_g12_info_lists_no_log_plugin(node: Node, contexts: Contexts) -> None:
    """Of log drivers those that are built in are listed, which a node has none of."""
    types = {"types": ["docker.logdriver/1.0"], "socket": "p.sock"}
    node.create("l", contexts.tar(interface=types))
    node.enable("l")

    assert node.get("/info")["Plugins"]["Log"] == []


def test_docker_py_reads_the_engine(docker_py: docker.DockerClient) -> None:
    """docker-py pings, and reads version and info."""
    assert docker_py.ping()
    assert docker_py.version()["ApiVersion"] == "1.51"
    assert docker_py.info()["OSType"] == "linux"


@pytest.mark.parametrize("prefix", ["", "/v1.24", "/v1.41", "/v1.51"])
def test_every_version_between_the_ends_is_served(node: Node, prefix: str) -> None:
    """Routes exist bare and below every version that is served."""
    assert node.get(f"{prefix}/plugins") == []


def test_a_version_above_the_maximum_is_refused(node: Node) -> None:
    """A client that is too new is told in JSON what the maximum is."""
    answer = node.http.get("/v1.52/plugins")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "message": "client version 1.52 is too new. Maximum supported API version is 1.51"
    }


def test_a_version_below_the_minimum_is_refused(node: Node) -> None:
    """A client that is too old gets plain text, as such clients expect."""
    answer = node.http.get("/v1.23/plugins")

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == (
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version\n"
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("GET", "/v1.51/nothing"),
        ("GET", "/v1.51"),
        ("PUT", "/plugins"),
        ("GET", "/plugins/create"),
        ("POST", "/_ping"),
        ("GET", "/plugins/x/enable"),
    ],
)
def test_unknown_pages_are_not_found(node: Node, method: str, path: str) -> None:
    """A wrong path and a wrong method are told the same."""
    answer = node.http.request(method, path)

    assert answer.status_code == 404
    assert answer.json() == {"message": "page not found"}


def test_options_is_allowed_everywhere(node: Node) -> None:
    """OPTIONS answers 200 on any path."""
    assert node.http.options("/v1.51/plugins/x/enable").status_code == 200
