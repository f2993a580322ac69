"""Secrets of plugins: kept sealed by the store, opened by the executor alone."""

import re
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator

from shared import errdefs
from shared.contracts.message import Command, Done, Message, Value
from shared.contracts.sealed import Sealed, SealedSecret

#: As swarm's.
LONGEST: Final = 500 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_name(name: str) -> str:
    """Return a name that is one; raises InvalidArgument."""
    if not _NAME.fullmatch(name):
        raise errdefs.InvalidArgument(
            f"{name!r} is no name of a secret: a letter or digit, then up to 63 letters, digits, "
            "dots, dashes or underscores"
        )
    return name


def _checked(name: str) -> str:
    try:
        return check_name(name)
    except errdefs.InvalidArgument as error:
        raise ValueError(error.message) from error


class Secret(Value):
    """What may be shown of a secret."""

    name: str
    created_at_ns: int
    #: When it was last given a value.
    changed_at_ns: int
    #: Plugins whose settings name it.
    used_by: tuple[str, ...] = ()


class Secrets(Message):
    """All secrets of the node, by name."""

    TYPE: ClassVar[str] = "store.secret.listed.v1"

    secrets: tuple[Secret, ...]


class KeepSecret(Command[Done]):
    """Keep a secret, sealed to the executor; one of that name gives way only to *replace*.

    A repeat without *replace* finds its own and succeeds. A plugin has a new value from its next
    start on.
    """

    TYPE: ClassVar[str] = "store.secret.keep.v1"

    name: Annotated[str, AfterValidator(_checked)]
    sealed: Sealed
    replace: bool = False


class ListSecrets(Command[Secrets]):
    """Ask which secrets there are; their values are told to nobody."""

    TYPE: ClassVar[str] = "store.secret.list.v1"


class DropSecret(Command[Done]):
    """Delete a secret that no plugin's settings name."""

    TYPE: ClassVar[str] = "store.secret.drop.v1"

    name: str


class RotateSecretKey(Command[Done]):
    """Have the executor take a new key, and seal all secrets to it; safe to repeat."""

    TYPE: ClassVar[str] = "store.secret.rotate-key.v1"


class RotateExecutorKey(Command[Done]):
    """Take a new key for secrets; what was sealed to the one before can still be opened."""

    TYPE: ClassVar[str] = "executor.secret.rotate-key.v1"


class SecretsResealed(Message):
    """The same secrets, sealed to the executor's present key."""

    TYPE: ClassVar[str] = "executor.secret.resealed.v1"

    secrets: tuple[SealedSecret, ...]


class ResealSecrets(Command[SecretsResealed]):
    """Open secrets and seal them to the executor's present key; changes nothing."""

    TYPE: ClassVar[str] = "executor.secret.reseal.v1"

    secrets: tuple[SealedSecret, ...]


class RotateCredentialKey(Command[Done]):
    """Take a new key for credentials; what was sealed to the one before can still be opened."""

    TYPE: ClassVar[str] = "pull.key.rotate.v1"
