"""Docker's filters."""

from __future__ import annotations

import pytest

from services.gateway.domain import filters
from shared import errdefs


@pytest.mark.parametrize(
    ("raw", "terms"),
    [
        ("", {}),
        ("null", {}),
        ('{"type":{"plugin":true}}', {"type": ("plugin",)}),
        ('{"type":["plugin","daemon"]}', {"type": ("plugin", "daemon")}),
        ('{"type":{"plugin":true,"daemon":false}}', {"type": ("plugin",)}),
        ('{"type":null}', {"type": ()}),
    ],
)
def test_parse(raw: str, terms: filters.Terms) -> None:
    """Maps of maps, as the CLI sends, and maps of lists, as docker-py does, are the same."""
    assert filters.parse(raw) == terms


@pytest.mark.parametrize(
    "raw", ["x", "[]", '"a"', '{"a":"b"}', '{"a":{"b":1}}', '{"a":[1]}', '{"a":["b"],"c":{}}']
)
def test_parse_refuses(raw: str) -> None:
    """Any other shape is an invalid filter."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^invalid filter$"):
        filters.parse(raw)


def test_unknown_key() -> None:
    """A key that is not known is named."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^invalid filter 'enable'$"):
        filters.check_keys({"enabled": (), "enable": ()}, ("enabled",))


@pytest.mark.parametrize(
    ("values", "wanted"), [(("true",), True), (("1",), True), (("0",), False), (("false",), False)]
)
def test_to_bool(values: tuple[str, ...], wanted: bool) -> None:
    """Two spellings each are understood."""
    assert filters.to_bool({"enabled": values}, "enabled") is wanted


def test_to_bool_absent() -> None:
    """A filter that is not given is None."""
    assert filters.to_bool({}, "enabled") is None


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((), "invalid filter 'enabled'"),
        (("yes",), "invalid filter 'enabled=[yes]'"),
        (("true", "false"), "invalid filter 'enabled=[false true]'"),
    ],
)
def test_to_bool_refuses(values: tuple[str, ...], text: str) -> None:
    """Neither, or both, is refused in dockerd's words."""
    with pytest.raises(errdefs.InvalidArgument) as refused:
        filters.to_bool({"enabled": values}, "enabled")
    assert refused.value.message == text
