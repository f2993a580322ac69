"""The limits that an operator changes by name: of talking to registries, and of unpacking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from services.pull.adapters.registry import settings
from shared import errdefs
from shared.oci import unpack

#: As much as the context of a `plugin create` may have.
_UNPACKED: Final = unpack.Limits(size=16 << 30)
_UNPACKED_NAMES: Final = {"unpacked_bytes": "size", "unpacked_entries": "entries"}
_REGISTRY: Final = settings.Limits()
#: To do without is fine: nothing is redirected, no blob is tried at once, no token renewed early.
_MAY_BE_ZERO: Final = frozenset({"redirects", "upload_at_once_bytes", "token_leeway_s"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All limits of a pull service."""

    registry: settings.Limits
    #: Of each layer.
    unpacked: unpack.Limits

    @classmethod
    def of(cls, changes: Mapping[str, str]) -> Self:
        """Return the defaults with *changes*; raises InvalidArgument for a name or a number."""
        registry: dict[str, float] = {}
        unpacked: dict[str, float] = {}
        for name, text in changes.items():
            if name in _UNPACKED_NAMES:
                unpacked[_UNPACKED_NAMES[name]] = _number(name, text, is_whole=True)
            else:
                registry[name] = _number(name, text, is_whole=_is_whole(name))
        return cls(
            registry=settings.Limits(**registry),  # type: ignore[arg-type]  # names and types were checked
            unpacked=unpack.Limits(**{"size": _UNPACKED.size, **unpacked}),  # type: ignore[arg-type]  # as above
        )


def names() -> list[str]:
    """Return what can be changed."""
    return [*(field.name for field in fields(settings.Limits)), *_UNPACKED_NAMES]


def _is_whole(name: str) -> bool:
    if name not in names():
        raise errdefs.InvalidArgument(f"there is no limit {name!r}; there are {', '.join(names())}")
    return isinstance(getattr(_REGISTRY, name), int)


def _number(name: str, text: str, *, is_whole: bool) -> float:
    try:
        number = int(text) if is_whole else float(text)
    except ValueError:
        number = -1
    least = 0 if name in _MAY_BE_ZERO else 1 if is_whole else 0.001
    if not least <= number < 2**63:
        kind = "a whole number" if is_whole else "a number of seconds"
        raise errdefs.InvalidArgument(f"{name}={text}: must be {kind}, at least {least}")
    return number
