"""What a message is about, as log lines and spans tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contracts.message import Message, owner_of

#: Names of fields, and what log lines call what stands there.
_FIELDS: Final = {
    "plugin_id": "plugin_id",
    "container_id": "container_id",
    "job_id": "job_id",
    "remote": "reference",
}
#: What a field `name` names, by the owner of the message.
_NAMED: Final = {"store": "plugin", "volume": "volume"}
_ATTRIBUTES: Final = {
    "plugin": "wherry.plugin",
    "plugin_id": "wherry.plugin_id",
    "volume": "wherry.volume",
    "container_id": "container.id",
    "job_id": "wherry.job.id",
    "reference": "oci.reference",
}


def of(message: Message) -> dict[str, str]:
    """Return what a message is about, by the words of log lines."""
    found = {word: getattr(message, name, None) for name, word in _FIELDS.items()}
    if (word := _NAMED.get(owner_of(message.TYPE))) is not None:
        found[word] = getattr(message, "name", None)
    changed: Any = getattr(message, "plugin", None)
    if name := getattr(changed, "name", ""):
        found["plugin"] = name
    return {word: value for word, value in found.items() if value and isinstance(value, str)}


def attributes(about: Mapping[str, str]) -> dict[str, str]:
    """Return the same by the names of attributes."""
    return {_ATTRIBUTES[word]: value for word, value in about.items()}
