"""Plugins that skopeo has copied, and what skopeo makes of ours."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.pull.domain import platforms
from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer
from tests.support.registry_content import Content, described

_INSTALL = ("plugin", "install", "--grant-all-permissions")
_PLUGIN_CONFIG = "application/vnd.docker.plugin.v1+json"
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_TAG = "org.opencontainers.image.ref.name"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[RegistryServer]:
    """Run the registry that skopeo copies to."""
    with RegistryServer() as server:
        yield server


@pytest.fixture
def ours(node: Node, hub: RegistryServer, contexts: Contexts) -> Content:
    """Push a plugin and return where it lies."""
    found = Content(authority=hub.authority, path="skopeo/ours")
    publish(node, found.name, contexts.tar(description="from the hub"))
    return found


def _skopeo(*args: str) -> str:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _copy(source: str, target: str, *options: str) -> None:
    tls = [f"--{end}-tls-verify=false" for end in ("src", "dest")]
    _skopeo("copy", *tls, *options, source, target)


def _installed(node: Node, name: str) -> dict[str, Any]:
    node.docker(*_INSTALL, name)
    return dict(node.get(f"/plugins/{name}/json"))


def test_skopeo_reads_what_is_pushed(ours: Content) -> None:
    """Skopeo finds the tag, the digest and the layer, and the config as we wrote it."""
    manifest = ours.manifest().json()

    found = json.loads(_skopeo("inspect", "--tls-verify=false", f"docker://{ours.name}"))
    raw = _skopeo("inspect", "--tls-verify=false", "--raw", f"docker://{ours.name}")

    assert (found["Digest"], found["RepoTags"]) == (ours.digest(), ["latest"])
    assert found["Layers"] == [layer["digest"] for layer in manifest["layers"]]
    assert raw.encode() == ours.manifest().content


@pytest.mark.parametrize("options", [(), ("--format", "v2s2"), ("--preserve-digests",)])
def test_a_copy_is_the_same_plugin(
    node: Node, elsewhere: RegistryServer, ours: Content, options: tuple[str, ...]
) -> None:
    """From registry to registry, in Docker's form, skopeo's copy is ours to the byte, and runs."""
    copy = Content(authority=elsewhere.authority, path=f"skopeo/copy{len(options)}")

    _copy(f"docker://{ours.name}", f"docker://{copy.name}", *options)

    assert copy.digest() == ours.digest()
    assert _installed(node, copy.name)["Config"]["Description"] == "from the hub"


def test_a_copy_by_way_of_a_folder(
    node: Node, elsewhere: RegistryServer, ours: Content, tmp_path: Path
) -> None:
    """A plugin that went through a folder on disk, as air gaps want it, is the same plugin."""
    copy = Content(authority=elsewhere.authority, path="skopeo/folder")

    _copy(f"docker://{ours.name}", f"dir:{tmp_path}")
    _copy(f"dir:{tmp_path}", f"docker://{copy.name}")

    assert copy.digest() == ours.digest()
    assert _installed(node, copy.name)["Enabled"]


def test_what_skopeo_made_an_oci_image_is_no_plugin(
    node: Node, elsewhere: RegistryServer, ours: Content
) -> None:
    """With --format oci skopeo writes a config of its own; the install says what is missing."""
    name = f"{elsewhere.authority}/skopeo/oci"

    _copy(f"docker://{ours.name}", f"docker://{name}", "--format", "oci")

    assert node.docker_fails(*_INSTALL, name) == (
        "Error response from daemon: did not find plugin config for specified reference "
        f"{name}:latest"
    )


def test_a_plugin_in_oci_form(
    node: Node, elsewhere: RegistryServer, ours: Content, tmp_path: Path
) -> None:
    """A plugin with an OCI manifest and layer comes out of an OCI layout and runs."""
    layout = _Layout(tmp_path, ours)
    copy = Content(authority=elsewhere.authority, path="skopeo/layout")

    layout.tag(layout.plugin("in OCI form"))
    _copy(f"oci:{tmp_path}:this", f"docker://{copy.name}")

    assert copy.manifest().json()["mediaType"] == _OCI_MANIFEST
    assert _installed(node, copy.name)["Config"]["Description"] == "in OCI form"


def test_an_index_of_two_platforms(
    node: Node, elsewhere: RegistryServer, ours: Content, tmp_path: Path
) -> None:
    """Of an index, the plugin for this machine is installed, whichever comes first."""
    layout = _Layout(tmp_path, ours)
    copy = Content(authority=elsewhere.authority, path="skopeo/index")
    here = platforms.of_machine(platform.machine()).architecture
    index = layout.index({"s390x": layout.plugin("foreign"), here: layout.plugin("for us")})

    layout.tag(index)
    _copy(f"oci:{tmp_path}:this", f"docker://{copy.name}", "--all")

    assert copy.digest() == index["digest"]
    assert _installed(node, copy.name)["Config"]["Description"] == "for us"


def test_an_index_without_this_machine(
    node: Node, elsewhere: RegistryServer, ours: Content, tmp_path: Path
) -> None:
    """An index for other machines is refused with what it offers."""
    layout = _Layout(tmp_path, ours)
    name = f"{elsewhere.authority}/skopeo/foreign"

    layout.tag(layout.index({"s390x": layout.plugin("foreign")}))
    _copy(f"oci:{tmp_path}:this", f"docker://{name}", "--all")

    said = node.docker_fails(*_INSTALL, name)
    assert "no matching manifest for linux/" in said
    assert "it offers linux/s390x" in said


class _Layout:
    """An OCI layout on disk, of the files of a plugin at a registry."""

    def __init__(self, folder: Path, source: Content) -> None:
        self._folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        manifest = source.manifest().json()
        self._config = json.loads(source.blob(manifest["config"]["digest"]))
        self._layer = source.blob(manifest["layers"][0]["digest"])

    def plugin(self, description: str) -> dict[str, Any]:
        """Write a plugin and return the descriptor of its manifest."""
        config = json.dumps(self._config | {"description": description}).encode()
        return self._document(
            {
                "schemaVersion": 2,
                "mediaType": _OCI_MANIFEST,
                "config": self._blob(config, _PLUGIN_CONFIG),
                "layers": [self._blob(self._layer, _OCI_LAYER)],
            }
        )

    def index(self, by_architecture: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Write an index of plugins and return its descriptor."""
        manifests = [
            manifest | {"platform": {"os": "linux", "architecture": architecture}}
            for architecture, manifest in by_architecture.items()
        ]
        return self._document({"schemaVersion": 2, "mediaType": _OCI_INDEX, "manifests": manifests})

    def tag(self, descriptor: dict[str, Any]) -> None:
        """Give what was written the name `this`."""
        entry = descriptor | {"annotations": {_TAG: "this"}}
        document = {"schemaVersion": 2, "manifests": [entry]}
        (self._folder / "index.json").write_text(json.dumps(document))

    def _document(self, document: dict[str, Any]) -> dict[str, Any]:
        return self._blob(json.dumps(document).encode(), document["mediaType"])

    def _blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        descriptor = described(data, media_type)
        (self._blobs / descriptor["digest"].removeprefix("sha256:")).write_bytes(data)
        return descriptor
