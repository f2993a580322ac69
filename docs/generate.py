"""Writes messages.md from shared.contracts: `python -m docs.generate`."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pydantic.fields import FieldInfo

from shared import contracts
from shared.contracts.message import Command, Message, StreamRequest, Value, owner_of

PAGE = Path(__file__).with_name("messages.md")

_HEAD = """# Messages

<!-- Written by `python -m docs.generate` from shared/contracts. Change it there, not here. -->

All that passes between the services, by owner: the service that handles a command, or publishes a
fact. The types are frozen pydantic models in `shared/contracts`; the body of a message is their
JSON. A **command** is sent to one owner and answered by its reply or by an error; a **fact** is
published to whoever follows; a **value** is a part of others. A message that **opens a stream** is
not sent over Redis: it is the first line to the owner's unix socket in the exec root.

A field may be added with a default. Anything else is a `v2` beside the `v1`. A reader ignores
fields it does not know.
"""

#: What the base classes themselves are: no messages.
_BASES = (Value, Message, Command, StreamRequest)


def page() -> str:
    """Return the page as it should be."""
    found = messages()
    values = [model for model in _models() if not issubclass(model, Message)]
    replies = {m.reply_type() for m in found if issubclass(m, Command)}
    parts = [_HEAD]
    for owner in sorted({owner_of(message.TYPE) for message in found}):
        parts.append(f"## {owner}\n")
        parts += [_message(m, replies) for m in found if owner_of(m.TYPE) == owner]
    parts.append("## Values\n")
    parts += [
        f"### {value.__name__}\n\n{_described(value)}"
        for value in sorted(values, key=lambda m: m.__name__)
    ]
    return "\n".join(parts)


def messages() -> list[type[Message]]:
    """Return all messages, by their types."""
    return sorted((m for m in _models() if issubclass(m, Message)), key=lambda m: m.TYPE)


def _models() -> Iterator[type[Value]]:
    for module in _modules():
        for _, model in inspect.getmembers(module, inspect.isclass):
            is_own = model.__module__ == module.__name__ and "[" not in model.__name__
            if is_own and issubclass(model, Value) and model not in _BASES:
                yield model


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(contracts.__path__):
        yield importlib.import_module(f"{contracts.__name__}.{info.name}")


def _message(message: type[Message], replies: set[type[Message]]) -> str:
    return f"### `{message.TYPE}`\n\n{_kind(message, replies)}\n\n{_described(message)}"


def _kind(message: type[Message], replies: set[type[Message]]) -> str:
    name = f"`{message.__name__}`"
    if issubclass(message, Command):
        return f"{name}, a command; its reply is `{message.reply_type().TYPE}`."
    if issubclass(message, StreamRequest):
        return f"{name}, opens a stream."
    return f"{name}, a reply." if message in replies else f"{name}, a fact."


def _described(model: type[Value]) -> str:
    text = inspect.cleandoc(model.__doc__ or "")
    if not model.model_fields:
        return f"{text}\n"
    comments, annotations = _comments(model), _annotations(model)
    rows = [
        f"| `{name}` | `{annotations[name]}` | {_default(field)} | {comments.get(name, '')}"
        for name, field in model.model_fields.items()
    ]
    lines = ["| field | type | default | |", "| --- | --- | --- | --- |"]
    lines += [f"{row.rstrip()} |" for row in rows]
    return f"{text}\n\n" + "\n".join(lines) + "\n"


def _annotations(model: type[Value]) -> dict[str, str]:
    """Return what the source says that each field is."""
    (statement,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(statement, ast.ClassDef)
    return {
        part.target.id: ast.unparse(part.annotation).replace("|", "\\|")
        for part in statement.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Value):
        return "its own defaults"
    return f"`{str(default) if isinstance(default, str) and default else repr(default)}`"


def _comments(model: type[Value]) -> dict[str, str]:
    """Return what the source says above each field, in lines that begin with `#:`."""
    comments: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getsource(model).splitlines():
        if said := re.match(r"\s+#: ?(.*)", line):
            above.append(said[1])
            continue
        if field := re.match(r"    (\w+): ", line):
            comments[field[1]] = " ".join(above)
        above = []
    return comments


if __name__ == "__main__":
    PAGE.write_text(page())
