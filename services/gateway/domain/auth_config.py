"""Who a client is to a registry: Docker's AuthConfig, as `X-Registry-Auth` and bodies have it."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar, Self

from pydantic import Field

from shared import errdefs
from shared.oci import go_json
from shared.oci.go_struct import GoStruct


class AuthConfig(GoStruct):
    """A login; repr and str show nothing of it."""

    username: str = Field(default="", repr=False)
    password: str = Field(default="", repr=False)
    auth: str = Field(default="", repr=False)
    email: str = Field(default="", repr=False)
    serveraddress: str = Field(default="", repr=False)
    identitytoken: str = Field(default="", repr=False)
    registrytoken: str = Field(default="", repr=False)

    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset(
        {
            "username",
            "password",
            "auth",
            "email",
            "serveraddress",
            "identitytoken",
            "registrytoken",
        }
    )

    @classmethod
    def from_header(cls, value: str | None) -> Self:
        """Read base64url of JSON; what can't be read is anonymous, as it is to dockerd."""
        try:
            # Some clients leave the padding out.
            text = base64.b64decode(f"{value or ''}==", altchars=b"-_")
            return cls.from_go(go_json.decode(text))
        except (binascii.Error, ValueError):
            return cls()

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """Read the JSON of a body; raises InvalidArgument, unclassed in dockerd."""
        try:
            return cls.from_go(go_json.decode(body, stream=True))
        except go_json.GoJSONError as error:
            raise errdefs.InvalidArgument(str(error), docker_unclassed=True) from error

    @property
    def is_anonymous(self) -> bool:
        """Say whether there is nothing to log in with."""
        secrets = (self.username, self.password, self.auth, self.identitytoken, self.registrytoken)
        return not any(secrets)

    def plaintext(self) -> bytes:
        """Return what is sealed for the pull service: the object that Docker has, as JSON."""
        return go_json.encode(self.to_dict())
