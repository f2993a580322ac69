"""Volumes as Docker's API has them: filters, bodies, answers."""

from __future__ import annotations

import json

import pytest

from services.gateway.domain import json_body, volume_filter, volume_json
from services.gateway.domain.volume_filter import VolumeFilter
from services.gateway.domain.volume_options import ANONYMOUS, CreateOptions
from shared import errdefs
from shared.contracts.volume import Volume, VolumeList, VolumeUsage

VOLUME = Volume(
    name="data", driver="p:latest", scope="global", labels={"a": "1"}, status={"size": 1}
)


def _filter(**terms: list[str]) -> VolumeFilter:
    return VolumeFilter.parse(json.dumps(terms))


@pytest.mark.parametrize(
    ("terms", "shows"),
    [
        ({}, True),
        ({"name": ["data"]}, True),
        ({"name": ["^d.*a$"]}, True),
        ({"name": ["other", "at"]}, True),
        ({"name": ["^at"]}, False),
        ({"name": ["[", "x"]}, False),
        ({"label": ["a"]}, True),
        ({"label": ["a=1"]}, True),
        ({"label": ["a=2"]}, False),
        ({"label": ["a", "b"]}, False),
        ({"dangling": ["true"]}, True),
        ({"dangling": ["0"]}, False),
    ],
)
def test_filters(terms: dict[str, list[str]], shows: bool) -> None:
    """Keys are joined by and; names are patterns, any of which is enough, and all labels count."""
    assert _filter(**terms).matches(VOLUME) is shows


def test_a_held_volume_does_not_dangle() -> None:
    """Whoever has it mounted keeps it from that."""
    held = VOLUME.model_copy(update={"holders": ("c1",)})
    assert _filter(dangling=["false"]).matches(held)
    assert not _filter(dangling=["true"]).matches(held)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("x", "error reading volume filters: invalid filter"),
        ('{"x": ["1"]}', "invalid filter 'x'"),
        ('{"dangling": ["maybe"]}', r"invalid filter 'dangling=\[maybe\]'"),
    ],
)
def test_filters_that_are_none(raw: str, said: str) -> None:
    """The words are dockerd's."""
    with pytest.raises(errdefs.InvalidArgument, match=f"^{said}$"):
        VolumeFilter.parse(raw)


def test_prune_takes_anonymous_volumes_unless_told_all() -> None:
    """Their label is asked for beside the others; older clients never ask for it."""
    asked = volume_filter.to_prune('{"label": ["a"], "label!": ["b"]}', takes_named=False)
    assert (asked.labels, asked.without_labels) == (("a", ANONYMOUS), ("b",))
    for raw, takes_named in (('{"all": ["1"]}', False), ("", True), ('{"all": ["true"]}', True)):
        assert volume_filter.to_prune(raw, takes_named=takes_named).labels == ()
    assert volume_filter.to_prune('{"all": ["f"]}', takes_named=False).labels == (ANONYMOUS,)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ('{"all": ["maybe"]}', "invalid filter 'all': strconv.ParseBool: parsing \"maybe\": inva"),
        ('{"all": ["1", "0"]}', r"invalid filter 'all=\[1 0\]': only one value is expected"),
        ('{"dangling": ["1"]}', "invalid filter 'dangling'"),
    ],
)
def test_prunes_that_are_none(raw: str, said: str) -> None:
    """The words are dockerd's."""
    with pytest.raises(errdefs.InvalidArgument, match=f"^{said}"):
        volume_filter.to_prune(raw, takes_named=False)


def _body(body: bytes) -> CreateOptions:
    return json_body.volume(body, content_type="application/json", has_length=True)


def test_a_body_becomes_a_command() -> None:
    """Keys in any case; a map that was not sent is told from an empty one."""
    command = _body(b'{"name": "v", "Driver": "p", "DriverOpts": {"a": "b"}}').to_command()
    assert (command.name, command.driver, command.options, command.labels) == (
        "v",
        "p",
        {"a": "b"},
        None,
    )
    assert _body(b'{"Name": "v", "Labels": {}}').to_command().labels == {}


def test_without_a_name_a_volume_is_anonymous() -> None:
    """It gets 64 hex digits, the driver local and a label that says so; so does no body."""
    empty = json_body.volume(b"", content_type="", has_length=True)
    for options in (empty, _body(b"{}"), _body(b"null")):
        command = options.to_command()
        assert len(bytes.fromhex(command.name)) == 32
        assert (command.driver, command.labels) == ("local", {ANONYMOUS: ""})
    labelled = _body(b'{"Labels": {"a": "b"}, "Driver": "p"}').to_command()
    assert (labelled.driver, labelled.labels) == ("p", {"a": "b", ANONYMOUS: ""})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "cannot unmarshal array into Go value of type volume.CreateOptions"),
        (b'{"Labels": 1}', "number into Go struct field CreateOptions.Labels of type map"),
        (b'{"Labels": {"a": 1}}', "number into Go struct field CreateOptions.Labels of type str"),
        (b'{"ClusterVolumeSpec": 1}', "CreateOptions.ClusterVolumeSpec of type volume.Cluster"),
    ],
)
def test_bodies_of_other_types(body: bytes, said: str) -> None:
    """The words are Go's."""
    with pytest.raises(errdefs.InvalidArgument, match=f"^invalid JSON: json: .*{said}"):
        _body(body)


def test_volumes_as_docker_shows_them() -> None:
    """Unknown times are Go's zero; only an inspect shows what the plugin tells besides."""
    shown = volume_json.volume_object(VOLUME)
    assert shown == {
        "CreatedAt": "0001-01-01T00:00:00Z",
        "Driver": "p:latest",
        "Labels": {"a": "1"},
        "Mountpoint": "",
        "Name": "data",
        "Options": None,
        "Scope": "global",
        "Status": {"size": 1},
    }
    listed = volume_json.volume_list(VolumeList(volumes=(VOLUME,), warnings=("w",)))
    assert "Status" not in listed["Volumes"][0]
    assert listed["Warnings"] == ["w"]
    assert volume_json.volume_list(VolumeList(volumes=())) == {"Volumes": [], "Warnings": None}
    dated = VOLUME.model_copy(update={"created_at_ns": 1_767_323_045_678_000_000})
    assert volume_json.volume_object(dated)["CreatedAt"] == "2026-01-02T03:04:05Z"
    held = VOLUME.model_copy(update={"holders": ("a", "b")})
    usage = volume_json.usage_object(VolumeUsage(volume=held, size_bytes=7))
    assert usage["UsageData"] == {"RefCount": 2, "Size": 7}
