"""Signatures put at a registry, as cosign puts them."""

from __future__ import annotations

from services.pull.adapters.registry.client import Registry
from shared.oci import media_types
from tests.support.registry_client import Bytes, described, repository
from tests.support.signing import Artifact


async def push(registry: Registry, name: str, signed: Artifact, *, tag: str = "") -> None:
    """Push a manifest of signatures to a repository, under a tag or its digest alone."""
    target = repository(registry, f"{name}:{tag}" if tag else name, push=True)
    for blob in signed.blobs:
        await target.upload(described(blob), Bytes(body=blob))
    await target.put_manifest(signed.manifest, media_types.OCI_MANIFEST, by_digest=not tag)
