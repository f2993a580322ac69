"""Plugins without a registry: saved to archives, and loaded from ours and from others'."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from services.pull.domain import platforms
from shared.oci import layout
from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.registry import RegistryServer

_GRANTED = "--grant-all-permissions"
_INDEX = "application/vnd.oci.image.index.v1+json"
#: A privilege to be granted.
_NEEDS = {"network": {"type": "host"}}


def _skopeo(*args: str) -> str:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr] # files


def _tar(members: dict[str, bytes]) -> bytes:
    parts = [layout.head(n, len(d)) + d + layout.padding(len(d)) for n, d in members.items()]
    return b"".join(parts) + layout.END


@pytest.fixture
def saved(node: Node, contexts: Contexts, tmp_path: Path) -> Path:
    """Give an archive of a plugin `kept:v1`, which is removed from the node."""
    node.create("kept:v1", contexts.tar(**_NEEDS))
    archive = tmp_path / "kept.tar"
    node.wherry("plugin", "save", "kept:v1", "-o", str(archive))
    node.remove("kept:v1")
    return archive


def _as_oci(members: dict[str, bytes]) -> dict[str, bytes]:
    """Return a plugin with a manifest of OCI's types: of Docker's, skopeo makes images."""
    (entry,) = json.loads(members["index.json"])["manifests"]
    manifest = json.loads(members.pop(f"blobs/sha256/{entry['digest'][7:]}"))
    manifest["mediaType"] = entry["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
    for one in manifest["layers"]:
        one["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip"
    body = json.dumps(manifest).encode()
    digest = hashlib.sha256(body).hexdigest()
    entry |= {"digest": f"sha256:{digest}", "size": len(body)}
    index = {"schemaVersion": 2, "manifests": [entry]}
    return {
        **members,
        f"blobs/sha256/{digest}": body,
        "index.json": json.dumps(index).encode(),
    }


def _bring(node: Node, archive: bytes) -> Any:
    return node.http.post("/wherry/v1/archives", content=archive)


def _job(node: Node, body: dict[str, Any]) -> dict[str, Any]:
    """Load, and return the job once it is over."""
    begun = node.http.post("/wherry/v1/plugins/load", json=body)
    assert begun.status_code == 202, begun.text
    job_id = begun.json()["job_id"]
    *_, last = node.http.get(f"/wherry/v1/jobs/{job_id}/progress").text.splitlines()
    return dict(json.loads(last)["job"])


def test_saved_and_loaded(node: Node, saved: Path, contexts: Contexts) -> None:
    """What was saved and loaded has the digests that it had, and works."""
    node.create("again:v1", contexts.tar(**_NEEDS))
    before = node.plugin("again:v1")
    node.wherry("plugin", "save", "again:v1", "-o", str(saved.with_name("again.tar")))
    node.remove("again:v1")

    said = node.wherry("plugin", "load", "-i", str(saved.with_name("again.tar")), _GRANTED)

    assert "loaded again:v1" in said
    after = node.plugin("again:v1")
    for key in ("manifest_digest", "config_digest", "layer_digests", "config"):
        assert after[key] == before[key]
    assert [one["how"] for one in after["grant"]] == ["pulled"]
    assert node.enable("again:v1")["state"] == "running"


def test_several_in_one_archive(node: Node, contexts: Contexts, tmp_path: Path) -> None:
    """Blobs that plugins share are there once; one of them can be loaded under another name."""
    for name in ("a:v1", "b:v1"):
        node.create(name, contexts.tar(description=name))
    archive = tmp_path / "both.tar"
    node.wherry("plugin", "save", "a:v1", "b:v1", "-o", str(archive))
    with tarfile.open(archive) as tar:
        names = [m.name for m in tar if m.isfile()]
    assert len(names) == len(set(names)) == 2 + 2 + 2 + 1
    node.remove_all()

    node.wherry("plugin", "load", "-i", str(archive), "--alias", "c:v1", "b:v1")
    assert [one["Name"] for one in node.get("/plugins")] == ["c:v1"]
    assert node.plugin("c:v1")["config"]["Description"] == "b:v1"
    node.wherry("plugin", "load", "-i", str(archive))
    assert [one["Name"] for one in node.get("/plugins")] == ["a:v1", "b:v1", "c:v1"]


def test_skopeo_reads_what_is_saved(
    node: Node, saved: Path, hub: RegistryServer, tmp_path: Path
) -> None:
    """Skopeo finds the plugin in the archive and copies it to a registry, unchanged."""
    raw = _skopeo("inspect", "--raw", f"oci-archive:{saved}")
    digest = "sha256:" + hashlib.sha256(raw.encode()).hexdigest()
    target = f"docker://{hub.authority}/saved/kept:v1"
    _skopeo("copy", "--dest-tls-verify=false", f"oci-archive:{saved}", target)

    node.docker("plugin", "install", "--disable", _GRANTED, f"{hub.authority}/saved/kept:v1")

    plugin = node.plugin(f"{hub.authority}/saved/kept:v1")
    assert plugin["manifest_digest"] == digest


def test_what_skopeo_wrote_is_loaded(
    node: Node, saved: Path, hub: RegistryServer, tmp_path: Path
) -> None:
    """An archive that skopeo made of a registry's plugin has no name, and is given one."""
    saved.write_bytes(_tar(_as_oci(_members(saved.read_bytes()))))
    target = f"docker://{hub.authority}/saved/by-skopeo:v1"
    _skopeo("copy", "--dest-tls-verify=false", f"oci-archive:{saved}", target)
    theirs = tmp_path / "theirs.tar"
    _skopeo("copy", "--src-tls-verify=false", target, f"oci-archive:{theirs}")

    refused = node.wherry_fails("plugin", "load", "-i", str(theirs), _GRANTED)
    assert "--alias" in refused
    node.wherry("plugin", "load", "-i", str(theirs), "--alias", "theirs:v1", _GRANTED)

    assert node.enable("theirs:v1")["state"] == "running"


def test_what_is_not_granted_is_not_loaded(node: Node, saved: Path) -> None:
    """The privileges are compared as those of a pull are, whatever the client says."""
    brought = _bring(node, saved.read_bytes()).json()
    archive_id, (found,) = brought["archive_id"], brought["plugins"]
    assert [one["name"] for one in found["privileges"]] == ["network"]

    job = _job(node, {"archive_id": archive_id, "digest": found["digest"], "remote": "kept:v1"})

    assert (job["state"], job["error"]["code"]) == ("failed", "permission_denied")
    assert node.get("/plugins") == []
    assert node.http.delete(f"/wherry/v1/archives/{archive_id}").status_code == 204


def test_a_blob_that_is_not_what_it_says(node: Node, saved: Path) -> None:
    """A layer with other bytes than its digest says is refused, and nothing of it stays."""
    members = _members(saved.read_bytes())
    largest = max((n for n in members if n.startswith("blobs/")), key=lambda n: len(members[n]))
    members[largest] = bytes(len(members[largest]))
    brought = _bring(node, _tar(members)).json()
    (found,) = brought["plugins"]

    job = _job(
        node,
        {
            "archive_id": brought["archive_id"],
            "digest": found["digest"],
            "remote": "kept:v1",
            "privileges": found["privileges"],
        },
    )

    assert (job["state"], job["error"]["code"]) == ("failed", "invalid_argument")
    node.http.delete(f"/wherry/v1/archives/{brought['archive_id']}")


def _without(members: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: value for key, value in members.items() if key != name}


def test_what_is_no_layout(node: Node, saved: Path) -> None:
    """What is no archive of a layout is refused with what is wrong, and not kept."""
    members = _members(saved.read_bytes())
    manifest = json.loads(members["index.json"])["manifests"][0]["digest"]
    cases = {
        b"nothing of the kind" * 100: "no tar",
        _tar(_without(members, "oci-layout")): "oci-layout",
        _tar({**members, "index.json": b"{"}): "not JSON",
        _tar({**members, "index.json": b'{"schemaVersion":2,"manifests":[]}'}): "no plugin",
        _tar(_without(members, f"blobs/sha256/{manifest[7:]}")): "not whole",
    }
    for archive, why in cases.items():
        answer = _bring(node, archive)
        assert answer.status_code in (400, 404), answer.text
        assert why in answer.json()["message"]
    assert not list((node.root / "staging").iterdir())


def test_links_are_no_files(node: Node, saved: Path) -> None:
    """A link in an archive leads nowhere: what it stands for is missing."""
    members = _members(saved.read_bytes())
    link = tarfile.TarInfo("index.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive = link.tobuf() + _tar(_without(members, "index.json"))
    answer = _bring(node, archive)
    assert answer.status_code == 404
    assert "index.json" in answer.json()["message"]


def test_an_index_for_several_machines(node: Node, saved: Path) -> None:
    """Of an index, the plugin for this machine is loaded."""
    members = _members(saved.read_bytes())
    (entry,) = json.loads(members["index.json"])["manifests"]
    ours = platforms.of_machine(platform.machine())
    plain = {key: entry[key] for key in ("mediaType", "digest", "size")}
    elsewhere = {**plain, "digest": f"sha256:{'0' * 64}"}
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _INDEX,
            "manifests": [
                {**elsewhere, "platform": {"os": "linux", "architecture": "s390x"}},
                {**plain, "platform": {"os": "linux", "architecture": ours.architecture}},
            ],
        }
    ).encode()
    digest = hashlib.sha256(index).hexdigest()
    top = {"mediaType": _INDEX, "digest": f"sha256:{digest}", "size": len(index)}
    members[f"blobs/sha256/{digest}"] = index
    members["index.json"] = json.dumps(
        {"schemaVersion": 2, "manifests": [{**top, "annotations": entry["annotations"]}]}
    ).encode()
    saved.write_bytes(_tar(members))

    node.wherry("plugin", "load", "-i", str(saved), _GRANTED)

    assert node.plugin("kept:v1")["manifest_digest"] == entry["digest"]


def test_nothing_to_save(node: Node) -> None:
    """A plugin that is not there is refused before an archive begins."""
    assert node.http.get("/wherry/v1/archives?name=nosuch").status_code == 404
    assert "not found" in node.wherry_fails("plugin", "save", "nosuch", "-o", "/nonexistent/x")
