"""Manifests and indexes; the raw bytes, which carry the digest, stay with the caller."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from shared import errdefs
from shared.oci import go_json, media_types
from shared.oci.descriptor import Annotations, Descriptor, OciModel
from shared.oci.digest import Digest


def _none_as_no_items(value: object) -> object:
    return () if value is None else value


Descriptors = Annotated[tuple[Descriptor, ...], BeforeValidator(_none_as_no_items)]


class Manifest(OciModel):
    """One image, plugin or artifact: its config and its layers in order."""

    schema_version: Literal[2] = 2
    media_type: str
    config: Descriptor
    layers: Descriptors = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Annotations = Field(default_factory=dict)

    @property
    def digests(self) -> tuple[Digest, ...]:
        """Return the digests of what it is made of: its config, and its layers in order."""
        return self.config.digest, *(layer.digest for layer in self.layers)

    def to_json(self) -> bytes:
        """Return the manifest's canonical bytes: absent and empty fields left out, layers kept."""
        dumped = self.model_dump(mode="json", exclude_none=True)
        return go_json.encode(_without_empty(dumped))


class Index(OciModel):
    """A manifest list or OCI index: the same thing for several platforms."""

    schema_version: Literal[2] = 2
    media_type: str
    manifests: Descriptors = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Annotations = Field(default_factory=dict)


def parse(data: bytes, media_type: str = "") -> Manifest | Index:
    """Parse a manifest or index; *media_type* is what the registry said it sends.

    The body's own type wins; a body without one takes the registry's, then its shape's.
    Raises InvalidArgument for anything else, a body that is manifest and index at once too.
    """
    try:
        body = go_json.decode(data)
    except go_json.GoJSONError as error:
        raise errdefs.InvalidArgument(f"manifest is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise errdefs.InvalidArgument("manifest is not a JSON object")
    # CVE-2021-41190: the same bytes must never read as two different things.
    if ("config" in body or "layers" in body) and "manifests" in body:
        raise errdefs.InvalidArgument("manifest has both layers and manifests: it is ambiguous")
    return _build(body, str(body.get("mediaType") or media_type or _shape(body)))


def _shape(body: dict[str, Any]) -> str:
    return media_types.OCI_INDEX if "manifests" in body else media_types.OCI_MANIFEST


def _build(body: dict[str, Any], media_type: str) -> Manifest | Index:
    model: type[Manifest | Index]
    if media_type in media_types.MANIFESTS:
        model = Manifest
    elif media_type in media_types.INDEXES:
        model = Index
    else:
        raise errdefs.InvalidArgument(f"unsupported manifest media type {media_type!r}")
    try:
        return model.model_validate({**body, "mediaType": media_type})
    except ValidationError as error:
        raise errdefs.InvalidArgument(f"invalid manifest: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item != {}}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value
