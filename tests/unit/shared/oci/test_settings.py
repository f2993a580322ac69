"""Docker's plugin settings and the rules of ``set``."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.oci import settings as oci_settings
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import Setting, Settings

CONFIG = PluginConfig.from_go(
    {
        "mounts": [
            {"name": "state", "source": "/data", "destination": "/s", "settable": ["source"]},
            {"name": "other", "source": "/o", "settable": ["destination"]},
            {"name": "void", "settable": ["source"]},
        ],
        "env": [
            {"name": "DEBUG", "value": "0", "settable": ["value"]},
            {"name": "UNSET", "settable": ["value"]},
            {"name": "FIXED", "value": "f"},
            {"name": "TWO", "value": "2", "settable": ["value", "name"]},
            {"name": "both", "value": "", "settable": ["value"]},
        ],
        "args": {"name": "args", "settable": ["value"], "value": ["-v"]},
        "linux": {
            "devices": [
                {"name": "fuse", "path": "/dev/fuse", "settable": ["path"]},
                {"name": "nothing", "settable": ["path"]},
                {"name": "both", "path": "/dev/b", "settable": ["path"]},
            ]
        },
    }
)
INITIAL = oci_settings.initial_settings(CONFIG)


def source(settings: Settings, name: str) -> str | None:
    return next(mount.source for mount in settings.mounts if mount.name == name)


def path(settings: Settings, name: str) -> str | None:
    return next(device.path for device in settings.devices if device.name == name)


def test_initial_settings_copy_the_config() -> None:
    """Mounts, devices and arguments are copied; an env without a value is left out."""
    assert INITIAL.env == ("DEBUG=0", "FIXED=f", "TWO=2", "both=")
    assert INITIAL.args == ("-v",)
    assert INITIAL.mounts == CONFIG.mounts
    assert INITIAL.devices == CONFIG.linux.devices


def test_empty_settings_are_written_as_lists() -> None:
    """Settings are never null on the wire."""
    assert oci_settings.initial_settings(PluginConfig()).to_dict() == {
        "Args": [],
        "Devices": [],
        "Env": [],
        "Mounts": [],
    }


@pytest.mark.parametrize(
    ("arg", "name", "field", "value"),
    [
        ("name=value", "name", "", "value"),
        ("name", "name", "", ""),
        ("name.field=value", "name", "field", "value"),
        ("name.field", "name", "field", ""),
        ("a.b.c=x=y.z", "a.b", "c", "x=y.z"),
        (".hidden=x", ".hidden", "", "x"),
        ("name.=x", "name", "", "x"),
    ],
)
def test_b01_b02_b03_b04_set_arguments_split(arg: str, name: str, field: str, value: str) -> None:
    """The first equals sign and the last dot before it divide an argument."""
    assert oci_settings.parse(arg) == Setting(name=name, field=field, value=value)


@pytest.mark.parametrize("arg", ["=value", "=", ""])
def test_b05_b06_an_argument_without_a_name_is_refused(arg: str) -> None:
    """A missing name is a syntax error."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        oci_settings.parse(arg)

    assert raised.value.message == "invalid format, must be <name>[.<field>][=<value>]"


@pytest.mark.parametrize(
    ("field", "settable", "expected"),
    [
        ("", None, False),
        ("value", (), False),
        ("", ("value",), True),
        ("value", ("value",), True),
        ("foo", ("value",), False),
        ("foo", ("foo",), False),
        ("", ("foo",), False),
        ("value", ("foo", "value"), True),
    ],
)
def test_b07_b08_b09_b10_b11_b12_what_is_settable(
    field: str, settable: tuple[str, ...] | None, expected: bool
) -> None:
    """A field must be both allowed for its kind and listed."""
    setting = Setting(name="n", field=field)

    assert oci_settings.is_settable(setting, allowed="value", settable=settable) is expected


def test_b13_a_field_must_be_named_where_several_are_settable() -> None:
    """Without a field, two candidates are an error."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        oci_settings.is_settable(Setting(name="n"), allowed="value", settable=("value", "foo"))

    assert raised.value.message == "multiple fields are settable, one must be specified"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ([], ("DEBUG=1",)),
        (["DEBUG=0"], ("DEBUG=1",)),
        (["FOO=0"], ("FOO=0", "DEBUG=1")),
        (["FOO=0", "DEBUG=0"], ("FOO=0", "DEBUG=1")),
        (["FOO=0", "DEBUG=0", "BAR=1"], ("FOO=0", "DEBUG=1", "BAR=1")),
        (["DEBUGGER=0"], ("DEBUGGER=0", "DEBUG=1")),
    ],
)
def test_b14_env_is_replaced_in_place_or_appended(
    env: list[str], expected: tuple[str, ...]
) -> None:
    """An update keeps the order of the environment."""
    assert oci_settings.update_env(env, "DEBUG", "1") == expected


def test_apply_lays_settings_over_the_config() -> None:
    """Every kind is set, by its one field or by name, and the config stays as it was."""
    before = CONFIG.to_json()
    changed = oci_settings.apply(
        CONFIG,
        INITIAL,
        ["DEBUG=1", "UNSET.value=u", "state=/d2", "fuse.path=/dev/f2", "args=-a -b"],
    )

    assert changed.env == ("DEBUG=1", "FIXED=f", "TWO=2", "both=", "UNSET=u")
    assert source(changed, "state") == "/d2"
    assert path(changed, "fuse") == "/dev/f2"
    assert changed.args == ("-a", "-b")
    assert CONFIG.to_json() == before
    assert oci_settings.apply(CONFIG, changed, ["DEBUG=1"]) == changed


def test_an_env_hides_a_device_of_its_name() -> None:
    """Names are looked up in env first, then mounts, devices and args."""
    changed = oci_settings.apply(CONFIG, INITIAL, ["both=/dev/x"])

    assert "both=/dev/x" in changed.env
    assert path(changed, "both") == "/dev/b"


def test_a_mount_the_settings_lack_is_added() -> None:
    """Settings kept from before an upgrade gain a mount the new config brought."""
    changed = oci_settings.apply(CONFIG, Settings(), ["state.source=/d2", "fuse=/dev/f"])

    assert source(changed, "state") == "/d2"
    assert path(changed, "fuse") == "/dev/f"


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("FIXED=1", '"FIXED" is not settable'),
        ("FIXED.value=1", '"FIXED.value" is not settable'),
        ("DEBUG.name=1", '"DEBUG.name" is not settable'),
        ("other=/x", '"other.destination" is not settable'),
        ("TWO=1", "multiple fields are settable, one must be specified"),
        ("NOPE=1", 'setting "NOPE" not found in the plugin configuration'),
        ("void=/x", "Plugin config has no mount source"),
        ("nothing=/dev/x", "Plugin config has no device path"),
        ("=x", "invalid format, must be <name>[.<field>][=<value>]"),
    ],
)
def test_a_refused_argument_undoes_the_whole_set(arg: str, message: str) -> None:
    """The text is Docker's, and what stood before is not applied either."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        oci_settings.apply(CONFIG, INITIAL, ["DEBUG=1", arg])

    assert raised.value.message == message
    assert raised.value.docker_unclassed
    assert oci_settings.initial_settings(CONFIG) == INITIAL


def test_h11_environment_of_a_service_lies_over_the_config_s() -> None:
    """The last of one name wins at the first's place; lines without `=` or a name are ignored."""
    lines = ("foo=bar", "baz", "DEBUG=1", "=x", "foo=a=b", "EMPTY=")

    env = oci_settings.with_env(INITIAL, lines).env

    assert env == ("DEBUG=1", "FIXED=f", "TWO=2", "both=", "foo=a=b", "EMPTY=")
