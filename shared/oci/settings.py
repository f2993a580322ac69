"""Docker's plugin settings: an overlay over the immutable config, and the rules of ``set``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import Field

from shared import errdefs
from shared.oci import go_json
from shared.oci.go_struct import GoStruct
from shared.oci.plugin_config import PluginConfig, PluginDevice, PluginMount, Strings

_Named = TypeVar("_Named", PluginMount, PluginDevice)


class Settings(GoStruct):
    """What a user may change of a plugin; JSON never shows null here, always ``[]``."""

    args: tuple[str, ...] = Field(default=(), alias="Args")
    devices: tuple[PluginDevice, ...] = Field(default=(), alias="Devices")
    env: tuple[str, ...] = Field(default=(), alias="Env")
    mounts: tuple[PluginMount, ...] = Field(default=(), alias="Mounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One argument of ``set``: ``<name>[.<field>][=<value>]``."""

    name: str
    field: str = ""
    value: str = ""


def initial_settings(config: PluginConfig) -> Settings:
    """Return the settings a plugin has when it is installed."""
    return Settings(
        mounts=config.mounts or (),
        devices=config.linux.devices or (),
        env=tuple(f"{env.name}={env.value}" for env in config.env or () if env.value is not None),
        args=config.args.value or (),
    )


def with_env(settings: Settings, lines: Sequence[str]) -> Settings:
    """Return *settings* under the environment of *lines*, whatever the config lets users set.

    Of several with one name the last counts, at the place of the first; what is not `K=V` is
    ignored.
    """
    env: dict[str, str] = {}
    for line in (*settings.env, *lines):
        name, equals, _ = line.partition("=")
        if name and equals:
            env[name] = line
    return settings.model_copy(update={"env": tuple(env.values())})


def parse(arg: str) -> Setting:
    """Split an argument of ``set``; a dot in front of a name is part of it.

    Raises InvalidArgument, in Docker's words, where the name is missing.
    """
    name, _, value = arg.partition("=")
    if not name:
        raise _unclassed("invalid format, must be <name>[.<field>][=<value>]")
    dot = name.rfind(".")
    if dot > 0:
        return Setting(name=name[:dot], field=name[dot + 1 :], value=value)
    return Setting(name=name, value=value)


def apply(config: PluginConfig, settings: Settings, args: Sequence[str]) -> Settings:
    """Return *settings* with all of *args* applied, or raise and apply none.

    Raises InvalidArgument in Docker's words, marked as unclassed (500) for Docker's routes.
    Repeating is safe.
    """
    for setting in [parse(arg) for arg in args]:
        settings = _apply_one(config, settings, setting)
    return settings


def is_settable(setting: Setting, *, allowed: str, settable: Strings) -> bool:
    """Say whether *setting* names the one *allowed* field, and the config lets it be set.

    Raises InvalidArgument where no field is named and the config offers several.
    """
    return _field(setting, settable) == allowed and allowed in (settable or ())


def update_env(env: Sequence[str], name: str, value: str) -> tuple[str, ...]:
    """Replace ``name=…`` where it stands, or append it."""
    entry = f"{name}={value}"
    if any(item.partition("=")[0] == name for item in env):
        return tuple(entry if item.partition("=")[0] == name else item for item in env)
    return (*env, entry)


def _apply_one(config: PluginConfig, settings: Settings, setting: Setting) -> Settings:
    # Docker looks a name up in this order, so an env hides a mount of its name.
    for apply_kind in _KINDS:
        changed = apply_kind(config, settings, setting)
        if changed is not None:
            return changed
    raise _unclassed(f"setting {go_json.quote(setting.name)} not found in the plugin configuration")


def _apply_env(config: PluginConfig, settings: Settings, setting: Setting) -> Settings | None:
    found = next((env for env in config.env or () if env.name == setting.name), None)
    if found is None:
        return None
    _require(setting, allowed="value", settable=found.settable)
    return settings.model_copy(
        update={"env": update_env(settings.env, setting.name, setting.value)}
    )


def _apply_mount(config: PluginConfig, settings: Settings, setting: Setting) -> Settings | None:
    found = next((mount for mount in config.mounts or () if mount.name == setting.name), None)
    if found is None:
        return None
    _require(setting, allowed="source", settable=found.settable)
    if found.source is None:
        raise _unclassed("Plugin config has no mount source")
    changed = found.model_copy(update={"source": setting.value})
    return settings.model_copy(update={"mounts": _overlay(settings.mounts, changed)})


def _apply_device(config: PluginConfig, settings: Settings, setting: Setting) -> Settings | None:
    devices = config.linux.devices or ()
    found = next((device for device in devices if device.name == setting.name), None)
    if found is None:
        return None
    _require(setting, allowed="path", settable=found.settable)
    if found.path is None:
        raise _unclassed("Plugin config has no device path")
    changed = found.model_copy(update={"path": setting.value})
    return settings.model_copy(update={"devices": _overlay(settings.devices, changed)})


def _apply_args(config: PluginConfig, settings: Settings, setting: Setting) -> Settings | None:
    if config.args.name != setting.name:
        return None
    _require(setting, allowed="value", settable=config.args.settable)
    return settings.model_copy(update={"args": tuple(setting.value.split(" "))})


_KINDS: Final[tuple[Callable[[PluginConfig, Settings, Setting], Settings | None], ...]] = (
    _apply_env,
    _apply_mount,
    _apply_device,
    _apply_args,
)


def _overlay(items: tuple[_Named, ...], changed: _Named) -> tuple[_Named, ...]:
    """Put *changed* where the first item of its name stands, or at the end."""
    kept = list(items)
    at = next((at for at, item in enumerate(kept) if item.name == changed.name), len(kept))
    kept[at : at + 1] = [changed]
    return tuple(kept)


def _field(setting: Setting, settable: Strings) -> str:
    """Return the field meant: the one named, or else the only one there is."""
    if setting.field or not settable:
        return setting.field
    if len(settable) > 1:
        raise _unclassed("multiple fields are settable, one must be specified")
    return settable[0]


def _require(setting: Setting, *, allowed: str, settable: Strings) -> None:
    if is_settable(setting, allowed=allowed, settable=settable):
        return
    field = _field(setting, settable)
    name = f"{setting.name}.{field}" if field else setting.name
    raise _unclassed(f"{go_json.quote(name)} is not settable")


def _unclassed(message: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(message, docker_unclassed=True)
