"""Plugins at a real registry: pushed, installed, upgraded, with the docker CLI."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.published import publish, push
from tests.support.registry import RegistryServer
from tests.support.registry_content import Content

_INSTALL = ("plugin", "install", "--grant-all-permissions")
_UPGRADE = ("plugin", "upgrade", "--grant-all-permissions", "--skip-remote-check")
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_IMAGE_CONFIG = "application/vnd.docker.container.image.v1+json"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[RegistryServer]:
    """Run a second registry."""
    with RegistryServer() as server:
        yield server


def _at(registry: RegistryServer, path: str) -> Content:
    return Content(authority=registry.authority, path=path)


def test_c13_f05_a_plugin_is_installed_disabled(
    node: Node, hub: RegistryServer, contexts: Contexts
) -> None:
    """What is installed with --disable is found by its whole reference, and runs once enabled."""
    name = f"{hub.authority}/c13/plugin:v1"
    publish(node, name, contexts.tar())

    node.docker(*_INSTALL, "--disable", name)

    found = json.loads(node.docker("plugin", "inspect", name))[0]
    assert (found["Name"], found["Enabled"], found["PluginReference"]) == (name, False, name)
    for verb, shown in (("enable", "true"), ("disable", "false")):
        node.docker("plugin", verb, name)
        assert node.docker("plugin", "ls", "--format", "{{.Enabled}}") == shown
    node.docker("plugin", "rm", name)
    assert node.get("/plugins") == []


def test_f06_volumes_are_listed_beside_a_plugin_that_is_disabled(
    node: Node, hub: RegistryServer, contexts: Contexts
) -> None:
    """A volume plugin that does not run keeps nobody from the list of volumes."""
    name = f"{hub.authority}/f06/plugin"
    publish(node, name, contexts.tar())

    node.docker(*_INSTALL, "--disable", name)

    assert node.docker("volume", "ls", "--quiet") == ""


def test_c14_a_plugin_is_installed_by_digest(
    node: Node, hub: RegistryServer, contexts: Contexts
) -> None:
    """What was installed by tag and digest is found by its tag, and its reference is the digest."""
    name = f"{hub.authority}/c14/plugin:latest"
    node.create(name, contexts.tar())
    digest = push(node, name)["Digest"]
    node.remove(name, force=True)

    node.docker(*_INSTALL, f"{name}@{digest}")

    plugin = node.get(f"/plugins/{name}/json")
    assert (plugin["Name"], plugin["Enabled"]) == (name, True)
    repository = name.removesuffix(":latest")
    assert plugin["PluginReference"] == f"{repository}@{digest}"


def test_c16_an_insecure_registry_is_spoken_to_in_the_clear(
    node: Node, hub: RegistryServer, outside: str, contexts: Contexts
) -> None:
    """An http registry that is not on loopback is used once it is listed as insecure."""
    publish(node, f"{hub.authority}/c16/plugin", contexts.tar())

    node.docker(*_INSTALL, f"{outside}/c16/plugin")

    assert node.get(f"/plugins/{outside}/c16/plugin/json")["Enabled"]


def test_c19_what_is_pushed_is_a_docker_manifest(
    node: Node, hub: RegistryServer, contexts: Contexts
) -> None:
    """Whoever takes only Docker's schema 2 gets one with a single layer, gzip as Docker's."""
    publish(node, f"{hub.authority}/c19/plugin", contexts.tar())

    answer = _at(hub, "c19/plugin").manifest(accept=(_DOCKER_MANIFEST,))

    manifest = answer.json()
    assert answer.headers["Content-Type"] == manifest["mediaType"] == _DOCKER_MANIFEST
    assert [layer["mediaType"] for layer in manifest["layers"]] == [_DOCKER_LAYER]


def test_f08_install_takes_settings(node: Node, hub: RegistryServer, contexts: Contexts) -> None:
    """A variable without a value is set by an argument of the install."""
    name = f"{hub.authority}/f08/plugin"
    publish(node, name, contexts.tar(env=[{"name": "DEBUG", "settable": ["value"]}]))

    node.docker(*_INSTALL, name, "DEBUG=1")

    assert node.get(f"/plugins/{name}/json")["Settings"]["Env"] == ["DEBUG=1"]


def test_f09_an_image_is_no_plugin(node: Node, hub: RegistryServer) -> None:
    """Installing an ordinary image fails, and nothing of it stays."""
    image = _at(hub, "f09/image")
    image.put_manifest(
        {
            "schemaVersion": 2,
            "mediaType": _DOCKER_MANIFEST,
            "config": image.put_blob(b'{"architecture":"amd64","os":"linux"}', _IMAGE_CONFIG),
            "layers": [image.put_blob(b"layer", _DOCKER_LAYER)],
        }
    )

    said = node.docker_fails(*_INSTALL, image.name)

    assert said == (
        "Error response from daemon: did not find plugin config for specified reference "
        f"{image.name}:latest"
    )
    assert node.get("/plugins") == []


def test_f16_an_upgrade_keeps_the_volumes_data(
    node: Node, hub: RegistryServer, quota_volume: Path, tmp_path: Path
) -> None:
    """Only a disabled plugin is upgraded; its id and the data of its volumes stay."""
    name = f"{hub.authority}/f16/plugin"
    second = Path(shutil.copytree(quota_volume, tmp_path / "v2"))
    (second / "rootfs" / "new").write_text("of the second version")
    for tag, context in (("v1", quota_volume), ("v2", second)):
        node.docker("plugin", "create", f"{name}:{tag}", str(context))
        node.docker("plugin", "push", f"{name}:{tag}")
        node.docker("plugin", "rm", f"{name}:{tag}")
    node.docker(*_INSTALL, "--alias", "f16", f"{name}:v1")
    before = node.get("/plugins/f16/json")["Id"]
    node.docker("volume", "create", "-d", "f16", "-o", "size=1m", "v")
    note = node.mount("v", "first") / "note"
    note.write_text("from before")
    plugin = node.root / "plugins" / before

    said = node.docker_fails(*_UPGRADE, "f16", f"{name}:v2")
    assert "the plugin must be disabled before upgrading" in said
    assert list(plugin.glob("rootfs*/new")) == []

    node.docker("plugin", "disable", "-f", "f16")
    node.docker(*_UPGRADE, "f16", f"{name}:v2")
    [new] = plugin.glob("rootfs*/new")
    assert new.read_text() == "of the second version"
    node.docker("plugin", "enable", "f16")
    after = node.get("/plugins/f16/json")
    assert (after["Id"], after["PluginReference"]) == (before, f"{name}:v2")
    assert node.mount("v", "second") / "note" == note
    assert note.read_text() == "from before"
    assert node.get("/wherry/v1/volumes/v/path")["mountpoint"] == str(note.parent)
    for owner in ("first", "second"):
        node.unmount("v", owner)
    node.docker("volume", "rm", "v")


def test_an_enabled_plugin_is_not_upgraded(
    node: Node, hub: RegistryServer, contexts: Contexts
) -> None:
    """The daemon itself refuses to upgrade what runs, for clients that do not look first."""
    name = f"{hub.authority}/enabled/plugin"
    publish(node, name, contexts.tar())
    node.docker(*_INSTALL, name)

    answer = node.http.post(f"/plugins/{name}/upgrade", params={"remote": name}, json=[])

    assert answer.status_code == 409
    assert answer.json()["message"] == (
        f"plugin must be disabled before upgrading: plugin {name}:latest is enabled"
    )


def test_the_digest_is_the_registrys(node: Node, hub: RegistryServer, contexts: Contexts) -> None:
    """Push, pull and the registry call the same bytes by the same digest."""
    name = f"{hub.authority}/digest/plugin"
    pushed = publish(node, name, contexts.tar())

    said = node.docker(*_INSTALL, name)

    assert f"Digest: {pushed}" in said.splitlines()
    assert _at(hub, "digest/plugin").digest() == pushed


def test_what_was_pulled_is_pushed_byte_for_byte(
    node: Node, hub: RegistryServer, elsewhere: RegistryServer, contexts: Contexts
) -> None:
    """A manifest that no program of ours would write goes on to another registry unchanged.

    Also when garbage was collected in between: none of it is any.
    """
    first, second = _at(hub, "bytes/plugin"), _at(elsewhere, "bytes/copy")
    publish(node, first.name, contexts.tar())
    manifest = first.manifest().json()
    manifest["annotations"] = {"written": "by hand"}
    told = first.put_manifest(dict(reversed(manifest.items())), tag="odd")

    node.docker(*_INSTALL, "--disable", "--alias", second.name, f"{first.name}:odd")
    node.http.post("/wherry/v1/content/collect").raise_for_status()
    pushed = push(node, second.name)

    assert pushed == {"Tag": "latest", "Digest": told["digest"], "Size": told["size"]}
    assert second.manifest().content == first.manifest("odd").content
    assert second.blob(manifest["config"]["digest"]) == first.blob(manifest["config"]["digest"])


def test_a_push_says_what_is_there(node: Node, hub: RegistryServer, contexts: Contexts) -> None:
    """A second push uploads nothing; one beside it takes the layer over from its neighbour."""
    name = f"{hub.authority}/again/plugin"
    publish(node, name, contexts.tar())
    node.docker(*_INSTALL, "--disable", name)
    node.docker(*_INSTALL, "--disable", "--alias", f"{hub.authority}/again/copy", name)

    again = node.docker("plugin", "push", name).splitlines()
    beside = node.docker("plugin", "push", f"{hub.authority}/again/copy").splitlines()

    assert again[0] == f"The push refers to repository [{name}]"
    assert [line.split(": ")[1] for line in again[-2:]] == ["Layer already exists"] * 2
    assert [line.split(": ")[1] for line in beside[-2:]] == [f"Mounted from {name}"] * 2


def test_docker_hubs_mirror_is_asked(node: Node, hub: RegistryServer, contexts: Contexts) -> None:
    """A name without a registry is Docker Hub's, and is found at its mirror."""
    publish(node, f"{hub.authority}/library/mirrored", contexts.tar())

    node.docker(*_INSTALL, "mirrored")

    assert node.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}") == (
        "mirrored:latest true"
    )


def test_events_of_pulls(node: Node, hub: RegistryServer, contexts: Contexts) -> None:
    """Install and upgrade are told as pulls of their reference, under the plugin's name."""
    name = f"{hub.authority}/told/plugin"
    publish(node, name, contexts.tar())

    node.docker(*_INSTALL, "--alias", "told-pull", name)
    node.docker("plugin", "disable", "told-pull")
    node.docker(*_UPGRADE, "told-pull", name)

    node.until_told("told-pull:latest", "pull", "enable", "disable", "pull")
