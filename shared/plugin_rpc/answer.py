"""What a plugin answers: a JSON object whose keys may be written in any case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared import errdefs
from shared.oci import go_json


class RemoteError(errdefs.Error):
    """The plugin was reached, and answered with an error or with no JSON object."""

    def __init__(self, method: str, text: str, *, status: int) -> None:
        super().__init__(f"{method}: {text}", docker_unclassed=True)
        self.method = method
        #: The HTTP status that it answered.
        self.status = status

    @property
    def is_not_found(self) -> bool:
        """Tell whether the plugin does not know the method, as old ones don't know new ones."""
        return self.status == 404


class Answer(dict[str, Any]):
    """A JSON object that is looked into as Go would: the exact key first, else in any case."""

    def __getitem__(self, key: str) -> Any:
        return _answers(super().__getitem__(self._spelled(key)))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and super().__contains__(self._spelled(key))

    def get(self, key: str, default: Any = None) -> Any:
        """Return what stands under the key; a null and a missing key are the default."""
        found = _answers(super().get(self._spelled(key)))
        return default if found is None else found

    def _spelled(self, key: str) -> str:
        if super().__contains__(key):
            return key
        folded = key.casefold()
        # Of several that differ only in case, the last one counts, as in Go.
        return next((name for name in reversed(self) if name.casefold() == folded), key)


def read(method: str, status: int, body: bytes) -> Answer:
    """Read an answer of status 200; an empty one says nothing. Raises RemoteError."""
    if not body.strip():
        return Answer()
    try:
        value = go_json.decode(body)
    except go_json.GoJSONError as error:
        raise RemoteError(method, f"the answer is no JSON: {error}", status=status) from error
    if value is None:
        return Answer()
    if not isinstance(value, dict):
        raise RemoteError(method, "the answer is JSON, but no object", status=status)
    return Answer(value)


def read_error(method: str, status: int, body: bytes) -> RemoteError:
    """Return what an answer of another status says: its Err field, else the whole body."""
    text = body.decode("utf-8", "replace")
    try:
        value = go_json.decode(body)
    except go_json.GoJSONError:
        value = None
    said = Answer(value).get("Err") if isinstance(value, Mapping) else None
    return RemoteError(method, said if isinstance(said, str) and said else text, status=status)


def _answers(value: Any) -> Any:
    if isinstance(value, dict):
        return Answer(value)
    if isinstance(value, list):
        return [Answer(item) if isinstance(item, dict) else item for item in value]
    return value
