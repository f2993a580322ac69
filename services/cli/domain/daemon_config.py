"""What dockerd's flags and daemon.json say together, as the variables of a node."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from services.cli.domain.daemon_hosts import addresses
from services.cli.domain.daemon_options import (
    BY_KEY,
    FILE_ONLY,
    HEEDED,
    RELOADED,
    Kind,
    Option,
)
from shared import errdefs

#: By name in daemon.json.
Settings = dict[str, Any]

#: Objects of daemon.json that stand for several options.
_GROUPS: Final = ("proxies",)
#: May be said both by flag and in the file.
_ADDED_UP: Final = frozenset({"runtimes"})
_LOG_LEVELS: Final = ("debug", "info", "warn", "error", "fatal")
_TYPES: Final[Mapping[Kind, tuple[type, str]]] = {
    Kind.TEXT: (str, "a string"),
    Kind.NUMBER: (int, "a number"),
    Kind.SWITCH: (bool, "true or false"),
    Kind.LIST: (list, "a list of strings"),
    Kind.MAP: (dict, "an object"),
}


def merged(flags: Mapping[str, Any], file: Mapping[str, Any]) -> Settings:
    """Return what is set by *flags* and by *file*, both by name in daemon.json.

    Raises InvalidArgument, in dockerd's words for keys that it does not know and for what is set
    twice.
    """
    flat = _flattened(file)
    unknown = sorted(key for key in flat if key not in BY_KEY and key not in FILE_ONLY)
    if unknown:
        raise errdefs.InvalidArgument(
            f"the following directives don't match any configuration option: {', '.join(unknown)}"
        )
    twice = sorted((flags.keys() & flat.keys()) - _ADDED_UP)
    if twice:
        said = (f"{k}: (from flag: {_go(flags[k])}, from file: {_go(flat[k])})" for k in twice)
        raise errdefs.InvalidArgument(
            "the following directives are specified both as a flag and in the configuration file: "
            + ", ".join(said)
        )
    settings = {key: _checked(BY_KEY[key], value) for key, value in flat.items() if key in BY_KEY}
    both = _ADDED_UP & settings.keys() & flags.keys()
    return {**settings, **flags, **{key: {**settings[key], **flags[key]} for key in both}}


def reloaded(before: Settings, flags: Mapping[str, Any], file: Mapping[str, Any]) -> Settings:
    """Return what holds once the file says this; only some of it changes while a daemon runs.

    What the file no longer names stays, but for authorization plugins: one that is taken off the
    list is asked no more, unless a flag named it. Raises InvalidArgument, as the first reading.
    """
    said = merged(flags, file)
    kept = {k: v for k, v in before.items() if k != "authorization-plugins"}
    return {**kept, **{key: value for key, value in said.items() if key in RELOADED}}


def ignored(settings: Settings) -> list[str]:
    """Return what is set and means nothing here, by its name in daemon.json."""
    return sorted(key for key in settings if not BY_KEY[key].meaning)


def environment(settings: Settings, *, inherited: int = 0) -> dict[str, str]:
    """Return the variables of the node; *inherited* is how many sockets it was started with.

    Raises InvalidArgument for what dockerd refuses, too.
    """
    level = settings.get("log-level", "info")
    if level not in _LOG_LEVELS:
        raise errdefs.InvalidArgument(f"invalid logging level: {level}")
    passed_on = {
        option.variable: _text(option, settings[option.key])
        for option in HEEDED
        if option.variable and option.key in settings
    }
    return {
        "WHERRY_LIVE_RESTORE": "false",
        **passed_on,
        **addresses(settings.get("hosts", []), inherited=inherited, has_tls=_has_tls(settings)),
        **_tls(settings),
        **({"WHERRY_LOG_LEVEL": "debug"} if settings.get("debug") else {}),
    }


def _flattened(file: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in file.items():
        flat.update(value if key in _GROUPS and isinstance(value, dict) else {key: value})
    return flat


def _checked(option: Option, value: Any) -> Any:
    kind, words = _TYPES[option.kind]
    is_bool_for_number = option.kind is Kind.NUMBER and isinstance(value, bool)
    if not isinstance(value, kind) or is_bool_for_number:
        raise errdefs.InvalidArgument(f"{option.key}: must be {words}, and is {json.dumps(value)}")
    return value


def _go(value: Any) -> str:
    """Write a value as Go prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{' '.join(map(_go, value))}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{_go(value[key])}' for key in sorted(value))}]"
    return str(value)


_TEXTS: Final[Mapping[Kind, Callable[[Any], str]]] = {
    Kind.TEXT: str,
    Kind.NUMBER: str,
    Kind.SWITCH: _go,
    Kind.LIST: lambda value: ",".join(each.rstrip("/") for each in value),
    Kind.MAP: json.dumps,
}


def _text(option: Option, value: Any) -> str:
    return _TEXTS[option.kind](value)


def _has_tls(settings: Settings) -> bool:
    # Whoever says tlsverify at all, even that it is not wanted, speaks TLS.
    return bool(settings.get("tls")) or "tlsverify" in settings


def _tls(settings: Settings) -> dict[str, str]:
    if not _has_tls(settings):
        return {}
    files = {"WHERRY_TLS_CERT": settings.get("tlscert"), "WHERRY_TLS_KEY": settings.get("tlskey")}
    if settings.get("tlsverify", True):
        files["WHERRY_TLS_CA"] = settings.get("tlscacert")
    missing = [name.removeprefix("WHERRY_").lower() for name, path in files.items() if not path]
    if missing:
        raise errdefs.InvalidArgument(
            "could not load X509 key pair: TLS needs --tlscert and --tlskey, and --tlscacert to "
            f"verify clients; not given: {', '.join(missing)}"
        )
    return {name: str(path) for name, path in files.items()}
