"""Which manifests are plugins, and whether a plugin's parts fit together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared import errdefs
from shared.oci import go_json, media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Index, Manifest
from shared.oci.plugin_config import PluginConfig
from shared.oci.reference import Reference

#: Far above any real one; Docker sets no limit but that of its memory.
MAX_CONFIG: Final = 4 << 20
#: The limit that registry clients keep, 4 x 1048 x 1048.
MAX_MANIFEST: Final = 4_393_216
_LAYERS: Final = media_types.UNPACKABLE_LAYERS | {media_types.OCI_LAYER_ZSTD}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginImage:
    """A plugin at a registry: its manifest's exact bytes, its config's, and what they say."""

    ref: Reference
    #: What the reference stands for; the manifest's own digest, but for an index.
    resolved: Digest
    manifest_bytes: bytes
    manifest_descriptor: Descriptor
    manifest: Manifest
    config_bytes: bytes
    config: PluginConfig

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """Return the layers, the lowest first."""
        return self.manifest.layers


def require_plugin(ref: Reference, manifest: Manifest | Index) -> Manifest:
    """Return a manifest that is a plugin's; raises InvalidArgument in Docker's words."""
    if isinstance(manifest, Index):
        raise _no_plugin(ref, "it is an index within an index")
    if manifest.config.media_type != media_types.DOCKER_PLUGIN_CONFIG:
        raise _no_plugin(ref, f"its config is of type {manifest.config.media_type}")
    if manifest.config.size > MAX_CONFIG:
        raise errdefs.InvalidArgument(
            f"the config of {ref} has {manifest.config.size} bytes, and {MAX_CONFIG} are allowed"
        )
    if not manifest.layers:
        raise errdefs.InvalidArgument(
            f"{ref} has no layers: it was published empty; push it again from where it was made"
        )
    for layer in manifest.layers:
        _check_layer(layer)
    return manifest


def parse_config(data: bytes) -> PluginConfig:
    """Parse a plugin's config; raises InvalidArgument."""
    try:
        data.decode()
        return PluginConfig.from_json(data)
    except (go_json.GoJSONError, UnicodeDecodeError) as error:
        raise errdefs.InvalidArgument(
            f"failed to parse config: {error}", docker_unclassed=True
        ) from error


def check_diff_ids(image: PluginImage) -> None:
    """Raise InvalidArgument where the config names another number of layers than the manifest."""
    named = _diff_ids(image.config)
    if named and len(named) != len(image.layers):
        raise errdefs.InvalidArgument(
            f"{image.ref} is broken: its config names {len(named)} layers, its manifest "
            f"{len(image.layers)}"
        )


def check_diff_id(image: PluginImage, number: int, unpacked: Digest) -> None:
    """Raise InvalidArgument unless the config promised what layer *number* held.

    Docker writes the digest of the packed layer where that of its tar belongs; that is
    tolerated, for the packed layer was verified already. A config that names none promises
    nothing.
    """
    named = _diff_ids(image.config)
    if not named or named[number] in (unpacked, image.layers[number].digest):
        return
    raise errdefs.InvalidArgument(
        f"error applying layer for digest {image.layers[number].digest}: it holds {unpacked}, and "
        f"the config of {image.ref} promised {named[number]}",
        docker_unclassed=True,
    )


def _diff_ids(config: PluginConfig) -> tuple[str, ...]:
    return (config.rootfs.diff_ids if config.rootfs else None) or ()


def _check_layer(layer: Descriptor) -> None:
    if layer.media_type not in _LAYERS:
        raise errdefs.InvalidArgument(
            f"layer {layer.digest} is of type {layer.media_type}, which can't be unpacked: push "
            "the plugin with plain, gzip or zstd layers"
        )
    if not layer.size:
        raise errdefs.InvalidArgument(f"layer {layer.digest} is said to have no bytes")


def _no_plugin(ref: Reference, why: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(
        f"did not find plugin config for specified reference {ref}",
        detail={"reference": str(ref), "reason": why},
        docker_unclassed=True,
    )
