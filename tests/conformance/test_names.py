"""How a plugin is named, and which plugins a list shows."""

from __future__ import annotations

import json

import docker
import httpx
import pytest

from tests.support.node import Node
from tests.support.plugin_context import Contexts


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def _ids(node: Node) -> list[str]:
    return [plugin["Id"] for plugin in node.get("/plugins")]


def test_f12_inspect_takes_id_prefix_and_name(node: Node, contexts: Contexts) -> None:
    """Full id, five characters of it, name with tag and bare name are one plugin."""
    node.create("127.0.0.1:5000/some/name", contexts.tar())
    (plugin_id,) = _ids(node)

    for name in (
        plugin_id,
        plugin_id[:5],
        "127.0.0.1:5000/some/name:latest",
        "127.0.0.1:5000/some/name",
    ):
        assert node.docker("plugin", "inspect", "--format", "{{.Id}}", name) == plugin_id
    node.docker("plugin", "rm", plugin_id[:5])

    assert f'plugin "{plugin_id[:5]}" not found' in node.docker_fails(
        "plugin", "inspect", plugin_id[:5]
    )


def test_f14_verbs_take_an_id_prefix(node: Node, contexts: Contexts) -> None:
    """Set, enable, disable and remove accept five characters of the id."""
    node.create("x", contexts.tar(env=[{"name": "A", "settable": ["value"]}]))
    prefix = _ids(node)[0][:5]

    node.docker("plugin", "set", prefix, "A=1")
    node.docker("plugin", "enable", prefix)
    node.docker("plugin", "disable", prefix)
    node.docker("plugin", "rm", prefix)

    assert _ids(node) == []


def test_an_ambiguous_prefix_is_refused(node: Node, contexts: Contexts) -> None:
    """A prefix of several ids answers 400, and changes none of them."""
    for number in range(17):
        node.create(f"p{number}", contexts.tar())
    first_letters = [plugin_id[0] for plugin_id in _ids(node)]
    shared = max(first_letters, key=first_letters.count)

    refused = (400, f'multiple plugins found for "{shared}"')

    assert _refusal(node.http.get(f"/plugins/{shared}/json")) == refused
    assert _refusal(node.http.post(f"/plugins/{shared}/enable?timeout=1")) == refused
    assert _refusal(node.http.delete(f"/plugins/{shared}")) == refused
    assert len(_ids(node)) == 17


def test_an_exact_name_wins_over_an_id(node: Node, contexts: Contexts) -> None:
    """A plugin that is named like the beginning of another's id is found by that name."""
    node.create("first", contexts.tar())
    (first_id,) = _ids(node)
    node.create(first_id[:6], contexts.tar())

    assert node.get(f"/plugins/{first_id[:6]}/json")["Id"] != first_id
    assert node.get(f"/plugins/{first_id[:7]}/json")["Id"] == first_id


@pytest.mark.parametrize(
    "name",
    ["nothing", "0" * 64, "nothing:tag", f"x@sha256:{'0' * 64}", "UPPER", "a b", "x:y:z"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "json"),
        ("POST", "enable?timeout=1"),
        ("POST", "disable"),
        ("POST", "set"),
        ("DELETE", ""),
    ],
)
def test_what_names_no_plugin_is_not_found(node: Node, name: str, method: str, path: str) -> None:
    """Every verb answers 404 with the name as it was given."""
    answer = node.http.request(method, f"/plugins/{name}/{path}".rstrip("/"))

    assert _refusal(answer) == (404, f'plugin "{name}" not found')


def test_the_cli_says_what_is_not_there(node: Node) -> None:
    """The CLI passes the text on and exits with 1."""
    assert node.docker_fails("plugin", "enable", "nosuch") == (
        'Error response from daemon: plugin "nosuch" not found'
    )


def test_docker_py_tells_what_is_not_found(docker_py: docker.DockerClient) -> None:
    """docker-py raises its own NotFound."""
    with pytest.raises(docker.errors.NotFound):
        docker_py.plugins.get("nothing")


def test_f15_the_list_is_sorted_and_shows_the_fields(node: Node, contexts: Contexts) -> None:
    """Id, name, description and enabled are shown, sorted by name."""
    for name in ("b", "c", "a"):
        node.create(name, contexts.tar(description=f"plugin {name}"))
    node.enable("b")

    shown = node.docker("plugin", "ls", "--no-trunc", "--format", "json").splitlines()

    assert [
        (row["Name"], row["Description"], row["Enabled"]) for row in map(json.loads, shown)
    ] == [
        ("a:latest", "plugin a", False),
        ("b:latest", "plugin b", True),
        ("c:latest", "plugin c", False),
    ]
    assert sorted(json.loads(row)["ID"] for row in shown) == sorted(_ids(node))


def test_g09_the_list_filters_by_enabled(node: Node, contexts: Contexts) -> None:
    """`enabled` hides what it does not mean; without a filter all are shown."""
    node.create("off", contexts.tar())
    node.create("on", contexts.tar())
    node.enable("on")

    def names(*filters: str) -> list[str]:
        return node.docker("plugin", "ls", "--format", "{{.Name}}", *filters).split()

    assert names() == ["off:latest", "on:latest"]
    assert names("--filter", "enabled=true") == ["on:latest"]
    assert names("--filter", "enabled=false") == ["off:latest"]


def test_g10_the_list_filters_by_capability(node: Node, contexts: Contexts) -> None:
    """A plugin is shown when one of its types fits, also among several."""
    both = {"types": ["docker.volumedriver/1.0", "docker.logdriver/1.0"], "socket": "p.sock"}
    node.create("both", contexts.tar(interface=both))
    node.create("none", contexts.tar(interface={"types": [], "socket": "p.sock"}))

    def names(capability: str) -> list[str]:
        filters = json.dumps({"capability": [capability]})
        return [plugin["Name"] for plugin in node.get("/plugins", filters=filters)]

    assert names("volumedriver") == names("logdriver") == ["both:latest"]
    assert names("volume") == ["both:latest"]
    assert names("authz") == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ('{"colour": {"red": true}}', "invalid filter 'colour'"),
        ('{"enabled": {"maybe": true}}', "invalid filter 'enabled=[maybe]'"),
        ('{"enabled": ["maybe"]}', "invalid filter 'enabled=[maybe]'"),
        ("{", "invalid filter"),
        ("[]", "invalid filter"),
        ('"enabled"', "invalid filter"),
    ],
)
def test_a_wrong_filter_is_refused(node: Node, filters: str, message: str) -> None:
    """A filter that is none answers 400 and says which."""
    assert _refusal(node.http.get("/plugins", params={"filters": filters})) == (400, message)


def test_filters_may_be_maps_or_lists(node: Node, contexts: Contexts) -> None:
    """The CLI's form and docker-py's form mean the same."""
    node.create("off", contexts.tar())

    for filters in ('{"enabled": {"false": true}}', '{"enabled": ["false"]}', '{"enabled":["0"]}'):
        assert [p["Name"] for p in node.get("/plugins", filters=filters)] == ["off:latest"]
