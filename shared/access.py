"""Who may do what at the API: roles, and the file of the node's tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from enum import IntEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
)

from shared import errdefs

#: Tells scanners of leaked secrets what it is.
PREFIX: Final = "wherry_"
_RANDOM_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class Role(IntEnum):
    """What somebody may do; each may all that is below it."""

    #: Look.
    READ = 1
    #: Start, stop and use what is installed.
    OPERATE = 2
    #: All, and so whatever root of the host may.
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Role:
        """Read a role by its name; raises InvalidArgument."""
        try:
            return cls[text.upper()]
        except KeyError as error:
            known = ", ".join(map(str, cls))
            raise errdefs.InvalidArgument(
                f"role {text!r} is not known: it must be one of {known}"
            ) from error


def _read_role(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return Role.parse(value)
    except errdefs.InvalidArgument as error:
        raise ValueError(error.message) from error


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "a name is a letter or digit, then up to 62 letters, digits, dots, dashes or "
            "underscores"
        )
    return name


def _check_hash(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError("must be the SHA-256 of a token, 64 small hexadecimal digits")
    return text


class Token(BaseModel):
    """A token as it is kept: nothing of it can be used to get in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_check_name)]
    role: Annotated[Role, BeforeValidator(_read_role), PlainSerializer(str)]
    #: Of the whole token. Tokens are random, so nobody gains from a slower hash.
    sha256: Annotated[str, AfterValidator(_check_hash)]
    created_at_ns: int = 0


class TokenFile(BaseModel):
    """The tokens of a node, in the order in which they were made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[Token, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the file; raises InvalidArgument, which quotes nothing of it."""
        try:
            found = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise errdefs.InvalidArgument(f"{place}: {first['msg']}") from error
        names = [token.name for token in found.tokens]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise errdefs.InvalidArgument(f"two tokens are called {', '.join(sorted(twice))}")
        return found

    def to_json(self) -> bytes:
        """Return the file's content."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    def find(self, shown: str) -> Token | None:
        """Return the token that somebody has shown, in a time that does not tell how near it is."""
        shown_hash = digest(shown)
        found = None
        for token in self.tokens:
            if hmac.compare_digest(token.sha256, shown_hash):
                found = token
        return found

    def with_new(self, token: Token) -> Self:
        """Return the tokens with one more; raises AlreadyExists for a name that is taken."""
        if any(one.name == token.name for one in self.tokens):
            raise errdefs.AlreadyExists(
                f"there is a token {token.name} already: remove it first, or choose another name"
            )
        return self.model_copy(update={"tokens": (*self.tokens, token)})

    def without(self, name: str) -> Self:
        """Return the tokens but for one; raises NotFound."""
        kept = tuple(token for token in self.tokens if token.name != name)
        if len(kept) == len(self.tokens):
            raise errdefs.NotFound(
                f"there is no token {name}; `wherry token ls` shows those that there are"
            )
        return self.model_copy(update={"tokens": kept})


def new_secret() -> str:
    """Make a token that nobody guesses."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(secret: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()
