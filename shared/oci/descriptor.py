"""Descriptors and platforms, of Docker's schema 2 and OCI alike."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.oci.digest import Digest


def _none_as_empty(value: object) -> object:
    return {} if value is None else value


#: A JSON object of strings; Go writes an absent one as null or not at all.
Annotations = Annotated[dict[str, str], BeforeValidator(_none_as_empty)]


class OciModel(BaseModel):
    """A frozen value with OCI's camelCase keys; unknown keys are ignored, as OCI asks."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class Platform(OciModel):
    """What a manifest in an index runs on."""

    architecture: str
    os: str
    os_version: str | None = Field(default=None, alias="os.version")
    os_features: tuple[str, ...] | None = Field(default=None, alias="os.features")
    variant: str | None = None


class Descriptor(OciModel):
    """What a blob or manifest is, how big, and under which digest it is found."""

    media_type: str
    digest: Digest
    size: int = Field(ge=0)
    urls: tuple[str, ...] | None = None
    annotations: Annotations = Field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str | None = None
