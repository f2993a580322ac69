"""A node whose operator wants plugins signed, used with the docker CLI."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.pull.domain import cosign
from shared.oci import layout, media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of
from tests.support import signed, signing
from tests.support.node import Node, running_node
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer
from tests.support.registry_client import new_registry
from tests.support.signing import SigningKey

pytestmark = pytest.mark.root

_CODE = Path(__file__).parents[4]
_INSTALL = ("plugin", "install", "--grant-all-permissions")
_UPGRADE = ("plugin", "upgrade", "--grant-all-permissions", "--skip-remote-check")


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared_node() -> Iterator[Node]:
    with running_node({"WHERRY_STOP_GRACE_S": "1"}) as node:
        yield node
        node.shut_down()


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts.compiled(tmp_path_factory.mktemp("program"))


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    with shared_node.log_shown():
        yield shared_node
        shared_node.remove_all()
        (shared_node.root / "trust.json").unlink(missing_ok=True)


def sign(name: str, digest: str, key: SigningKey) -> None:
    """Put a signature under cosign's tag."""
    artifact = signing.artifact(signing.simple(key, signing.payload(digest)))
    tag = cosign.tag_of(Digest(digest))

    async def push() -> None:
        client = new_registry()
        await signed.push(client, name, artifact, tag=tag)
        await client.aclose()

    asyncio.run(push())


def require(node: Node, prefix: str, key: SigningKey) -> None:
    """Have the running node want signatures from now on."""
    (node.root / "release.pub").write_bytes(key.pem)
    rule = {"prefix": prefix, "mode": "require", "keys": ["release.pub"]}
    new = node.root / "trust.json.new"
    new.write_text(json.dumps([rule]))
    new.rename(node.root / "trust.json")


def test_only_a_signed_plugin_is_installed(
    node: Node, registry: RegistryServer, contexts: Contexts
) -> None:
    """Install of an unsigned plugin fails with what to do; signed, it works and is on record."""
    name, key = f"{registry.authority}/team/p", signing.ecdsa_key()
    digest = publish(node, name, contexts.tar())
    require(node, f"{registry.authority}/team", key)

    said = node.docker_fails(*_INSTALL, name)

    assert f"{name}:latest ({digest}) is refused by the trust policy for" in said
    assert "it has no signature: sign it with a key of the policy" in said
    assert node.get("/plugins") == []
    sign(name, digest, key)
    shown = node.docker(*_INSTALL, name)
    assert f"Verified signature by key {key.fingerprint[:12]}" in shown
    (signer,) = node.plugin(name)["signers"]
    assert signer.pop("verified_at_ns") > 0
    assert signer == {"key": f"sha256:{key.fingerprint}", "name": "release.pub", "digest": digest}


def test_a_signature_by_somebody_else_is_refused(
    node: Node, registry: RegistryServer, contexts: Contexts
) -> None:
    """What another key signed is refused, with that as the reason."""
    name = f"{registry.authority}/team/other"
    digest = publish(node, name, contexts.tar())
    sign(name, digest, signing.ecdsa_key())
    require(node, registry.authority, signing.ecdsa_key())

    assert "by none of the policy's keys" in node.docker_fails(*_INSTALL, name)


def test_a_neighbour_of_the_prefix_need_not_be_signed(
    node: Node, registry: RegistryServer, contexts: Contexts
) -> None:
    """A policy for team says nothing about teamx."""
    name = f"{registry.authority}/teamx/p"
    publish(node, name, contexts.tar())
    require(node, f"{registry.authority}/team", signing.ecdsa_key())

    node.docker(*_INSTALL, name)

    assert node.plugin(name)["signers"] == []


def test_an_upgrade_to_an_unsigned_plugin_leaves_the_old_one(
    node: Node, registry: RegistryServer, contexts: Contexts
) -> None:
    """An upgrade is checked as a pull is; refused, the plugin stays what it was."""
    name, key = f"{registry.authority}/team/up", signing.ecdsa_key()
    first = publish(node, f"{name}:1", contexts.tar())
    second = publish(node, f"{name}:2", contexts.tar(description="newer"))
    sign(name, first, key)
    require(node, registry.authority, key)
    node.docker(*_INSTALL, "--disable", f"{name}:1")

    assert "it has no signature" in node.docker_fails(*_UPGRADE, f"{name}:1", f"{name}:2")

    assert node.plugin(f"{name}:1")["manifest_digest"] == first
    sign(name, second, key)
    node.docker(*_UPGRADE, f"{name}:1", f"{name}:2")
    assert [one["digest"] for one in node.plugin(f"{name}:1")["signers"]] == [second]


@pytest.mark.parametrize("is_tagged", [True, False], ids=["under a tag", "as a referrer"])
def test_what_an_archive_brings_must_be_signed_in_it(
    node: Node, contexts: Contexts, tmp_path: Path, is_tagged: bool
) -> None:
    """A plugin from a file is refused as one from a registry is, until its signature lies there."""
    name, key = "reg.test/team/kept:v1", signing.ecdsa_key()
    node.create(name, contexts.tar())
    digest = node.plugin(name)["manifest_digest"]
    unsigned, whole = tmp_path / "unsigned.tar", tmp_path / "signed.tar"
    node.wherry("plugin", "save", name, "-o", str(unsigned))
    node.remove(name)
    require(node, "reg.test/team", key)
    whole.write_bytes(_signed(unsigned.read_bytes(), digest, key, is_tagged=is_tagged))

    assert "it has no signature" in node.wherry_fails("plugin", "load", "-i", str(unsigned))
    assert node.get("/plugins") == []
    node.wherry("plugin", "load", "-i", str(whole), name)

    assert [one["key"] for one in node.plugin(name)["signers"]] == [f"sha256:{key.fingerprint}"]


def _signed(archive: bytes, digest: str, key: SigningKey, *, is_tagged: bool) -> bytes:
    """Return a layout with a signature of one of its plugins added."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr] # of a file
    index = json.loads(members["index.json"])
    (plugin,) = index["manifests"]
    subject = None if is_tagged else Descriptor.model_validate(plugin)
    artifact = signing.artifact(signing.simple(key, signing.payload(digest)), subject=subject)
    entry: dict[str, Any] = {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": digest_of(artifact.manifest),
        "size": len(artifact.manifest),
        "artifactType": artifact.artifact_type,
    }
    if is_tagged:
        entry["annotations"] = {layout.REF_NAME: cosign.tag_of(Digest(digest))}
    index["manifests"].append(entry)
    members["index.json"] = json.dumps(index).encode()
    for blob in (*artifact.blobs, artifact.manifest):
        members[f"blobs/sha256/{digest_of(blob).hex}"] = blob
    parts = [layout.head(n, len(d)) + d + layout.padding(len(d)) for n, d in members.items()]
    return b"".join(parts) + layout.END


def test_a_broken_policy_fails_pulls_until_it_is_mended(
    node: Node, registry: RegistryServer, contexts: Contexts
) -> None:
    """While the policy can't be read nothing is pulled, and the error names the file."""
    name = f"{registry.authority}/any/p"
    publish(node, name, contexts.tar())
    policy = node.root / "trust.json"
    policy.write_text("[{")

    said = node.docker_fails(*_INSTALL, name)

    assert f"nothing is pulled while it is unknown what to trust: trust policy {policy}" in said
    policy.unlink()
    node.docker(*_INSTALL, name)


@pytest.mark.parametrize("text", [None, '[{"prefix": "reg.test", "mode": "require"}]'])
def test_the_service_refuses_to_start_on_a_bad_policy(text: str | None) -> None:
    """A policy that is named must be there and right: the service ends, and says what is wrong."""
    with tempfile.TemporaryDirectory(prefix="wt-", dir="/tmp") as folder:
        policy = Path(folder) / "policy.json"
        if text is not None:
            policy.write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "services.pull"],
            cwd=_CODE,
            env={
                "PATH": "/usr/bin:/bin",
                "WHERRY_ROOT": f"{folder}/d",
                "WHERRY_EXEC_ROOT": f"{folder}/e",
                "WHERRY_TRUST_POLICY": str(policy),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    why = "it does not exist" if text is None else "rule for reg.test: mode require needs keys"
    assert done.returncode == 1
    assert f"wherry pull: trust policy {policy}: {why}: mend it" in done.stderr
