"""What a plugin asks for, and what it was granted."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.oci import privileges
from shared.oci import settings as oci_settings
from shared.oci.plugin_config import PluginConfig
from shared.oci.privileges import PluginPrivilege

GREEDY = PluginConfig.from_go(
    {
        "network": {"type": "host"},
        "ipchost": True,
        "pidhost": True,
        "mounts": [
            {"name": "m", "source": "/data", "settable": ["source"]},
            {"name": "void"},
            {"source": ""},
        ],
        "linux": {
            "devices": [{"name": "d", "path": "/dev/fuse", "settable": ["path"]}, {"name": "void"}],
            "allowAllDevices": True,
            "capabilities": ["CAP_SYS_ADMIN", "CAP_A"],
        },
    }
)


def grant(name: str, *value: str) -> PluginPrivilege:
    return PluginPrivilege(name=name, value=value)


def test_privileges_come_in_dockers_order() -> None:
    """Each thing asked for is one entry; null sources and paths are none."""
    assert [(p.name, p.value) for p in privileges.compute(GREEDY)] == [
        ("network", ("host",)),
        ("host ipc namespace", ("true",)),
        ("host pid namespace", ("true",)),
        ("mount", ("/data",)),
        ("mount", ("",)),
        ("device", ("/dev/fuse",)),
        ("allow-all-devices", ("true",)),
        ("capabilities", ("CAP_SYS_ADMIN", "CAP_A")),
    ]


def test_privileges_are_written_as_docker_writes_them() -> None:
    """Name, description and value stand in that order."""
    assert list(privileges.compute(GREEDY)[0].to_dict().items()) == [
        ("Name", "network"),
        ("Description", "permissions to access a network"),
        ("Value", ["host"]),
    ]


@pytest.mark.parametrize(
    ("network", "count"), [("", 0), ("null", 0), ("bridge", 0), ("none", 1), ("host", 1)]
)
def test_only_some_networks_are_a_privilege(network: str, count: int) -> None:
    """Bridge and no network need no grant; none does."""
    config = PluginConfig.from_go({"Network": {"Type": network}})

    assert len(privileges.compute(config)) == count


def test_settings_change_what_is_needed() -> None:
    """A source or path that a user set is what has to be granted."""
    changed = oci_settings.apply(
        GREEDY, oci_settings.initial_settings(GREEDY), ["m=/etc", "d=/dev/sda"]
    )

    values = [p.value for p in privileges.compute(GREEDY, changed)]
    assert ("/etc",) in values
    assert ("/dev/sda",) in values
    assert ("/data",) not in values


@pytest.mark.parametrize(
    ("required", "granted"),
    [
        ([], []),
        ([grant("network", "host")], [grant("network", "host")]),  # A08
        (  # A07
            [grant("a", "x", "y"), grant("b", "1", "2")],
            [grant("b", "2", "1"), grant("a", "y", "x")],
        ),
        (
            [grant("mount", "/a"), grant("mount", "/b")],
            [grant("mount", "/b"), grant("mount", "/a")],
        ),
        ([PluginPrivilege(name="n", description="this")], [grant("n")]),
    ],
)
def test_a07_a08_a_grant_of_just_what_is_needed_is_accepted(
    required: list[PluginPrivilege], granted: list[PluginPrivilege]
) -> None:
    """Neither the order of entries or values nor the description matters."""
    copies = list(required), list(granted)

    privileges.compare(required, granted)

    assert (required, granted) == copies


@pytest.mark.parametrize(
    ("required", "granted"),
    [
        ([grant("a")], [grant("a"), grant("b")]),  # A05
        ([grant("a"), grant("b")], [grant("a")]),
        ([grant("a", "1"), grant("b", "2")], [grant("a", "3"), grant("b", "4")]),  # A06
        ([grant("a", "1")], [grant("a", "2")]),  # A08
        ([grant("a", "1")], [grant("b", "1")]),  # A08
        ([grant("a", "1"), grant("b", "2")], [grant("a", "9"), grant("b", "2")]),  # A08
        ([grant("a", "1")], []),
        ([grant("a"), grant("a"), grant("b")], [grant("a"), grant("b"), grant("b")]),
    ],
)
def test_a05_a06_a08_any_other_grant_is_refused(
    required: list[PluginPrivilege], granted: list[PluginPrivilege]
) -> None:
    """More, less or something else than needed is refused, inputs untouched."""
    copies = list(required), list(granted)
    with pytest.raises(errdefs.PermissionDenied) as raised:
        privileges.compare(required, granted)

    assert raised.value.message == "incorrect privileges"
    assert (required, granted) == copies


def test_the_refusal_shows_the_difference() -> None:
    """The detail tells what is missing and what was not asked for."""
    with pytest.raises(errdefs.PermissionDenied) as raised:
        privileges.compare(
            [grant("network", "host"), grant("mount", "/a")],
            [grant("network", "host"), grant("mount", "/b")],
        )

    assert raised.value.detail == {
        "missing": [{"name": "mount", "value": ["/a"]}],
        "unexpected": [{"name": "mount", "value": ["/b"]}],
    }


def test_the_refusal_of_an_upgrade_shows_what_is_new() -> None:
    """Text and detail tell what the new version needs beside, or no longer, than the old one."""
    old = [grant("network", "host"), grant("capabilities", "CAP_A", "CAP_B")]
    new = [grant("mount", "/a"), grant("capabilities", "CAP_B", "CAP_C")]

    with pytest.raises(errdefs.PermissionDenied) as raised:
        privileges.compare(new, old, installed=iter(old))

    assert raised.value.message == (
        "incorrect privileges: the new version needs mount /a, capabilities CAP_C as well, and it "
        "no longer needs network host, capabilities CAP_A"
    )
    assert raised.value.detail["added"] == [
        {"name": "capabilities", "value": ["CAP_C"]},
        {"name": "mount", "value": ["/a"]},
    ]
    assert raised.value.detail["dropped"] == [
        {"name": "capabilities", "value": ["CAP_A"]},
        {"name": "network", "value": ["host"]},
    ]


def test_the_refusal_of_an_upgrade_that_needs_nothing_new_says_so() -> None:
    """A body that is wrong by itself is not blamed on the version."""
    same = [grant("network", "host")]

    with pytest.raises(errdefs.PermissionDenied, match="needs what the old one did"):
        privileges.compare(same, [], installed=same)


@pytest.mark.parametrize(
    ("asked", "granted", "new"),
    [
        ([grant("c", "1", "2")], [grant("c", "2", "1")], []),
        ([grant("c", "1", "2")], [grant("c", "2"), grant("c", "3")], [grant("c", "1")]),
        ([grant("m", "/a"), grant("m", "/b")], [grant("m", "/b")], [grant("m", "/a")]),
        ([grant("m", "/a")], [grant("d", "/a")], [grant("m", "/a")]),
        ([], [grant("m", "/a")], []),
    ],
)
def test_what_goes_beyond_a_grant_is_found_value_by_value(
    asked: list[PluginPrivilege], granted: list[PluginPrivilege], new: list[PluginPrivilege]
) -> None:
    """Less than was granted is fine; a value of another name is not."""
    assert list(privileges.beyond(asked, granted)) == new
