"""What volume plugins answer, and the words and names of volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.volume.domain import answer, errors, labels, lease, shown
from services.volume.domain.record import VolumeRecord
from shared import errdefs
from shared.contracts.volume import VolumeList


def test_a_volume_is_read_in_any_case() -> None:
    """Keys in any case, times with a zone or none; Go's zero time says nothing."""
    found = answer.volume(
        {
            "NAME": "v",
            "mountpoint": "/m",
            "createdAt": "2026-01-02T03:04:05.678Z",
            "status": {"a": 1},
        }
    )
    assert found is not None
    assert (found.name, found.mountpoint, found.status) == ("v", "/m", {"a": 1})
    assert found.created_at_ns == 1767323045 * 10**9
    for text in ("0001-01-01T00:00:00Z", "yesterday", None):
        dateless = answer.volume({"Name": "v", "CreatedAt": text, "Status": None})
        assert dateless is not None
        assert (dateless.created_at_ns, dateless.status) == (None, {})


@pytest.mark.parametrize(
    "layer", [lambda inner: {"a": inner}, lambda inner: [inner]], ids=["objects", "lists"]
)
def test_a_status_too_deep_to_be_sent_is_left_out(
    layer: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """No list of volumes fails for what one plugin tells besides, however deep it is nested."""
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = layer(deep)
    found = answer.volume({"Name": "v", "Status": {"plain": {"a": [1]}, "deep": deep}})
    assert found is not None
    listed = VolumeList(volumes=(shown.stranger("p", "local", found),))
    assert VolumeList.model_validate_json(listed.model_dump_json()) == listed
    assert found.status == {"plain": {"a": [1]}}


@pytest.mark.parametrize("value", [None, {}, {"Name": ""}, {"Name": 7}, [], "v"])
def test_what_is_no_volume(value: object) -> None:
    """A plugin that answers something else has none."""
    assert answer.volume(value) is None
    assert answer.volumes({"Volumes": value}) == ()


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ({"Capabilities": {"Scope": "GLOBAL"}}, "global"),
        ({"capabilities": {"scope": "local"}}, "local"),
        ({"Capabilities": {"Scope": "galactic"}}, "local"),
        ({"Capabilities": None}, "local"),
        ({}, "local"),
    ],
)
def test_scopes(said: object, scope: str) -> None:
    """What is no scope is local."""
    assert answer.scope(said) == scope


def test_prefixed_errors_keep_their_class() -> None:
    """So that dockerd's status comes with dockerd's words."""
    error = errdefs.Conflict("it is on", detail={"a": 1}, docker_unclassed=True)
    told = errors.prefixed("create v", error)
    assert (type(told), told.message) == (errdefs.Conflict, "create v: it is on")
    assert (told.detail, told.docker_unclassed) == ({"a": 1}, True)


@pytest.mark.parametrize(
    ("name", "owner"),
    [("data1", "volume/data1"), ("a/b c", "volume/a%2Fb c"), ("ä%", "volume/%C3%A4%25")],
)
def test_owners_have_no_slash(name: str, owner: str) -> None:
    """A volume's name becomes an owner's id, one for each name."""
    assert lease.owner(VolumeRecord(name=name, driver="p", created_at_ns=1)) == owner


def test_a_name_too_long_for_a_lease_is_refused() -> None:
    """It says how long it may be."""
    with pytest.raises(errdefs.InvalidArgument, match="at most 255"):
        lease.owner(VolumeRecord(name="ä" * 100, driver="p", created_at_ns=1))


def test_labels() -> None:
    """All that are wanted must be there, with their values where these are named."""
    has = {"a": "1", "b": ""}
    assert labels.has_all(has, ())
    assert labels.has_all(has, ("a", "b", "a=1", "b="))
    assert not labels.has_all(has, ("a=2",))
    assert not labels.has_all(None, ("a",))
