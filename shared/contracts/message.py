"""What all messages share: frozen pydantic models that carry their type and version."""

from types import GenericAlias
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict

R = TypeVar("R", bound="Message")


class Value(BaseModel):
    """A part of a message: frozen, and deaf to fields that a newer peer added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Value):
    """A message: TYPE is `<owner>.<noun>.<verb>.v<version>`."""

    TYPE: ClassVar[str]


class Command(Message, Generic[R]):
    """A wish to one owner, answered by a reply of type R or by an error."""

    #: Whether services send it again and again by themselves: logs tell of it when it fails.
    IS_ROUTINE: ClassVar[bool] = False

    # Not pydantic's, which would build a model of its own for each: no field is of type R.
    def __class_getitem__(cls, reply: Any) -> Any:
        return GenericAlias(cls, reply)

    @classmethod
    def reply_type(cls) -> type[R]:
        """Return the model of the reply."""
        for base in cls.__mro__:
            for written in vars(base).get("__orig_bases__", ()):
                if get_origin(written) is Command:
                    (reply,) = get_args(written)
                    return cast("type[R]", reply)
        raise TypeError(f"{cls.__name__} does not say what its reply is")


class StreamRequest(Message):
    """The first line to one owner's socket: the bytes of a stream follow, both ways."""


class Done(Message):
    """The reply of a command that has nothing more to say than that it succeeded."""

    TYPE: ClassVar[str] = "bus.command.done.v1"


def owner_of(message_type: str) -> str:
    """Return the service that handles commands, or publishes facts, of this type."""
    return message_type.partition(".")[0]
