"""Docker's rules for the filter of events, as dockerd applies them."""

from __future__ import annotations

import pytest

from shared.contracts.event import FeedEvent, FeedFilter

PLUGIN_ID = "4f1c" * 16
IMAGE_ID = "sha256:" + "0a" * 32


def event(
    *,
    event_type: str = "plugin",
    action: str = "enable",
    actor_id: str = PLUGIN_ID,
    scope: str = "local",
    **attributes: str,
) -> FeedEvent:
    """Make an event; *attributes* default to a plugin's name."""
    return FeedEvent(
        seq=1,
        type=event_type,
        action=action,
        actor_id=actor_id,
        attributes=attributes or {"name": "vieux/sshfs:latest"},
        scope=scope,
        time_ns=1,
        epoch="e",
        revision=1,
    )


def passes(terms: dict[str, tuple[str, ...]], subject: FeedEvent) -> bool:
    return FeedFilter(terms=terms).matches(subject)


def test_no_terms_let_everything_pass() -> None:
    """A filter without terms passes every event."""
    assert passes({}, event())


@pytest.mark.parametrize("key", ["type", "scope", "event", "image", "plugin", "label"])
def test_a_key_without_values_lets_everything_pass(key: str) -> None:
    """A key that is given without a value asks for nothing."""
    assert passes({key: ()}, event())


def test_unknown_keys_are_ignored() -> None:
    """A key that Docker does not know neither passes nor stops an event."""
    assert passes({"colour": ("red",)}, event())
    assert not passes({"colour": ("red",), "type": ("volume",)}, event())


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        (("plugin",), True),
        (("volume", "plugin"), True),
        (("volume",), False),
        (("plug",), False),
        (("Plugin",), False),
    ],
)
def test_type_is_matched_whole(values: tuple[str, ...], passed: bool) -> None:
    """The type must be one of the values, letter by letter."""
    assert passes({"type": values}, event()) is passed


@pytest.mark.parametrize(("value", "passed"), [("local", True), ("swarm", False), ("loc", False)])
def test_scope_is_matched_whole(value: str, passed: bool) -> None:
    """The scope must be one of the values, letter by letter."""
    assert passes({"scope": (value,)}, event()) is passed


@pytest.mark.parametrize(
    ("values", "action", "passed"),
    [
        (("enable",), "enable", True),
        (("disable", "enable"), "enable", True),
        (("disable",), "enable", False),
        (("en",), "enable", False),
        (("health_status",), "health_status: healthy", True),
        (("health_status",), "health_status", True),
        (("health_status: healthy",), "health_status: healthy", True),
        (("health_status: unhealthy",), "health_status: healthy", False),
        (("exec_create",), "exec_create: ls -l", True),
        (("exec_start",), "exec_start: ls -l", True),
        (("exec_start",), "exec_create: ls -l", False),
        (("exec_die",), "exec_die: 1", False),
        (("health_status",), "enable", False),
        # One such value turns all of them into prefixes.
        (("health_status", "en"), "enable", True),
    ],
)
def test_event_is_whole_unless_a_value_names_an_action_with_text(
    values: tuple[str, ...], action: str, passed: bool
) -> None:
    """Actions are matched whole; a value health_status, exec_create or exec_start: as prefixes."""
    assert passes({"event": values}, event(action=action)) is passed


@pytest.mark.parametrize(
    ("terms", "passed"),
    [
        (("tier",), True),
        (("tier=front",), True),
        (("tier=",), False),
        (("tier=back",), False),
        (("empty",), True),
        (("empty=",), True),
        (("owner",), False),
        (("tie",), False),
        (("formula=a=b",), True),
        (("formula=a",), False),
        (("tier=front", "empty"), True),
        (("tier=front", "owner"), False),
    ],
)
def test_labels_must_all_be_there(terms: tuple[str, ...], passed: bool) -> None:
    """Each label given must be an attribute, with its value when one was given."""
    subject = event(tier="front", empty="", formula="a=b")

    assert passes({"label": terms}, subject) is passed


@pytest.mark.parametrize(
    ("key", "value", "passed"),
    [
        ("plugin", PLUGIN_ID, True),
        ("plugin", PLUGIN_ID[:6], True),
        ("plugin", PLUGIN_ID[1:6], False),
        ("plugin", "vieux/sshfs:latest", True),
        ("plugin", "vieux/ss", True),
        ("plugin", "sshfs", False),
        ("plugin", PLUGIN_ID + "0", False),
        # dockerd does not look at the event's type here.
        ("container", "vieux/sshfs", True),
        ("daemon", "vieux/sshfs", True),
        ("volume", "vieux/sshfs", True),
        ("network", "vieux/sshfs", True),
        ("node", "vieux/sshfs", True),
        ("service", "vieux/sshfs", True),
        ("secret", "vieux/sshfs", True),
        ("config", "vieux/sshfs", True),
        ("config", "other", False),
    ],
)
def test_an_actor_is_matched_by_the_beginning_of_its_id_or_name(
    key: str, value: str, passed: bool
) -> None:
    """Actor keys match a prefix of the id or of the name, whatever the event's type."""
    assert passes({key: (value,)}, event()) is passed


@pytest.mark.parametrize(("key", "passed"), [("plugin", True), ("volume", False)])
def test_a_strict_filter_looks_at_the_type_too(key: str, passed: bool) -> None:
    """An actor key of a strict filter passes no other type's event."""
    strict = FeedFilter(terms={key: ("vieux/sshfs",)}, strict=True)

    assert strict.matches(event()) is passed


def test_an_actor_without_a_name_is_matched_by_its_id_alone() -> None:
    """An event that has no name attribute is found by the id."""
    nameless = event(tier="front")

    assert passes({"plugin": (PLUGIN_ID[:4],)}, nameless)
    assert not passes({"plugin": ("vieux",)}, nameless)


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (IMAGE_ID, True),
        ("alpine:3.20", True),
        ("alpine", True),
        ("docker.io/library/alpine", False),
        ("alp", False),
        (IMAGE_ID[:12], False),
    ],
)
def test_image_events_are_matched_by_id_or_name(value: str, passed: bool) -> None:
    """An image's event passes by its id, or its name with or without the tag."""
    subject = event(event_type="image", action="pull", actor_id=IMAGE_ID, name="alpine:3.20")

    assert passes({"image": (value,)}, subject) is passed


@pytest.mark.parametrize(
    ("name", "value", "passed"),
    [
        ("registry:5000/alpine:3.20", "registry:5000/alpine:3.20", True),
        ("registry:5000/alpine:3.20", "registry:5000/alpine", True),
        ("registry:5000/alpine:3.20", "registry", False),
        ("registry:5000/alpine", "registry", False),
        (f"alpine@{IMAGE_ID}", "alpine", True),
        ("docker.io/library/alpine:3.20", "alpine", True),
        ("Not A Name", "Not A Name", True),
        ("alpine", "web", False),
    ],
)
def test_containers_are_matched_by_their_image(name: str, value: str, passed: bool) -> None:
    """A container's event passes by its image's name, whole or without tag and digest."""
    subject = event(event_type="container", actor_id="c1", image=name, name="web")

    assert passes({"image": (value,)}, subject) is passed


@pytest.mark.parametrize("value", ["vieux/sshfs:latest", "vieux/sshfs"])
def test_a_pulled_plugin_is_matched_like_an_image(value: str) -> None:
    """A plugin's pull carries its reference as id, which `image` finds as dockerd does."""
    subject = event(action="pull", actor_id="vieux/sshfs:latest", name="sshfs:latest")

    assert passes({"image": (value,)}, subject)


@pytest.mark.parametrize(
    ("terms", "passed"),
    [
        ({"type": ("plugin",), "plugin": ("vieux/sshfs",)}, True),
        ({"type": ("plugin",), "plugin": ("other", "vieux/sshfs")}, True),
        ({"type": ("plugin",), "plugin": ("other",)}, False),
        ({"type": ("container",), "plugin": ("vieux/sshfs",)}, False),
        ({"type": ("plugin",), "event": ("enable",), "plugin": (PLUGIN_ID,)}, True),
        ({"type": ("plugin",), "event": ("disable",), "plugin": (PLUGIN_ID,)}, False),
    ],
)
def test_all_keys_must_match(terms: dict[str, tuple[str, ...]], passed: bool) -> None:
    """Any value of a key is enough, but every key must have one."""
    assert passes(terms, event()) is passed


def test_type_keeps_out_what_plugin_lets_through() -> None:
    """A container whose name begins like the plugin passes `plugin`, not `type` with it."""
    container = event(event_type="container", action="start", actor_id="c1", name="vieux/sshfs-web")

    assert passes({"plugin": ("vieux/sshfs",)}, container)
    assert not passes({"type": ("plugin",), "plugin": ("vieux/sshfs",)}, container)
