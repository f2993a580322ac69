"""Plugins as registries hold them, made for tests."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of

CONFIG: dict[str, Any] = {
    "description": "a plugin",
    "interface": {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"},
    "entrypoint": ["/bin/p"],
    "network": {"type": "host"},
}
#: What CONFIG asks for.
GRANT: tuple[dict[str, Any], ...] = ({"Name": "network", "Description": "", "Value": ["host"]},)


def gzipped(data: bytes) -> bytes:
    """Return the gzip of data, which is the same at any time."""
    return gzip.compress(data, mtime=0)


def tar(files: dict[str, bytes]) -> bytes:
    """Return an archive of regular files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class FakeImage:
    """A plugin's blobs by digest, its manifest among them."""

    layers: tuple[bytes, ...]
    config: bytes
    manifest: bytes
    media_type: str = media_types.DOCKER_MANIFEST
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    #: what it holds once it is unpacked
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        """Return the manifest's digest."""
        return digest_of(self.manifest)

    @property
    def descriptor(self) -> Descriptor:
        """Return the manifest's descriptor."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.manifest))


def image(
    *files: dict[str, bytes],
    compress: Callable[[bytes], bytes] = gzipped,
    diff_ids: tuple[str, ...] | None = None,
    layer_type: str = media_types.DOCKER_LAYER_GZIP,
    config_type: str = media_types.DOCKER_PLUGIN_CONFIG,
    **changes: Any,
) -> FakeImage:
    """Make a plugin with a layer for each dict of files; *changes* are to its config.

    The config names the layers' true diff ids unless *diff_ids* are given.
    """
    archives = [tar(each) for each in files or ({"bin/p": b"program"},)]
    layers = tuple(compress(archive) for archive in archives)
    named = diff_ids if diff_ids is not None else tuple(digest_of(each) for each in archives)
    rootfs = {"type": "layers", "diff_ids": list(named)}
    config = json.dumps({**CONFIG, "rootfs": rootfs, **changes}).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.DOCKER_MANIFEST,
            "config": _descriptor(config, config_type),
            "layers": [_descriptor(layer, layer_type) for layer in layers],
        },
        indent=3,
    ).encode()
    blobs = {digest_of(blob): blob for blob in (*layers, config, manifest)}
    return FakeImage(layers=layers, config=config, manifest=manifest, blobs=blobs)


def _descriptor(blob: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(blob), "digest": digest_of(blob)}
