"""Plugins put at a registry, without either side's help."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from isal import igzip

from tests.bench.contexts import Contexts, File
from tests.support.registry_content import Content

_DOCKER = "application/vnd.docker"
_LAYER_TYPE = f"{_DOCKER}.image.rootfs.diff.tar.gzip"
_CONFIG_TYPE = f"{_DOCKER}.plugin.v1+json"
_MANIFEST_TYPE = f"{_DOCKER}.distribution.manifest.v2+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer at the registry."""

    descriptor: dict[str, Any]
    diff_id: str
    #: Its compressed bytes.
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Makes plugins around the built one and puts them at a registry."""

    contexts: Contexts
    repository: Content
    #: Where layers are kept.
    folder: Path

    def layer(self, tag: str, files: Iterable[File]) -> Layer:
        """Put a layer of the plugin and *files* at the registry."""
        path = self.folder / f"{tag}.tar.gz"
        with path.open("wb") as file, _Hashing(file) as tar:
            self.contexts.write_rootfs(cast("BinaryIO", tar), files)
        descriptor = self.repository.put_blob(path.read_bytes(), _LAYER_TYPE)
        return Layer(descriptor=descriptor, diff_id=tar.digest, file=path)

    def publish(self, tag: str, layer: Layer) -> str:
        """Put a plugin of this layer at the registry, with a config and manifest of its own.

        Returns its reference.
        """
        config = json.loads(self.contexts.config) | {
            "description": tag,
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        }
        stored = self.repository.put_blob(json.dumps(config).encode(), _CONFIG_TYPE)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "config": stored,
            "layers": [layer.descriptor],
        }
        self.repository.put_manifest(manifest, tag)
        return f"{self.repository.name}:{tag}"


class _Hashing:
    """Compresses what is written, and takes its digest."""

    def __init__(self, to: BinaryIO) -> None:
        # isal's Python half has no types.
        self._gzip: Any = igzip.open(to, "wb", compresslevel=2)  # type: ignore[no-untyped-call] # isal
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._gzip.close()

    @property
    def digest(self) -> str:
        """Return the digest of what was written."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes) -> int:
        """Hash and compress."""
        self._hash.update(data)
        return int(self._gzip.write(data))
