"""Messages of each release are read by this tree: services of two releases work side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from docs.generate import messages
from shared.contracts.message import Message
from tests.support.golden import FOLDER

_MODELS = {model.TYPE: model for model in messages()}


def _released() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.json")):
        for message_type, body in json.loads(path.read_text()).items():
            yield pytest.param(message_type, body, id=f"{message_type} of {path.stem}")


def _is_kept(old: object, new: object) -> bool:
    """Tell whether all that was said is still there; what is new may stand beside it."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and _is_kept(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_is_kept, old, new))
    return old == new


@pytest.mark.parametrize(("message_type", "body"), [*_released()])
def test_a_released_message_is_read_whole(message_type: str, body: dict[str, Any]) -> None:
    """No field of a v1 is gone, renamed or of another kind, and none that is new is required."""
    assert message_type in _MODELS, "a message that was released may still come: keep its model"
    message: Message = _MODELS[message_type].model_validate(body)
    assert _is_kept(body, json.loads(message.model_dump_json()))


@pytest.mark.parametrize(("message_type", "body"), [*_released()])
def test_a_newer_peers_field_is_passed_over(message_type: str, body: dict[str, Any]) -> None:
    """A field that this tree does not know changes nothing."""
    model = _MODELS[message_type]
    assert model.model_validate({**body, "of_tomorrow": 1}) == model.model_validate(body)
