"""WWW-Authenticate: what a registry asks for before it answers (RFC 7235, section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_SEPARATORS = re.compile(r"[ \t,]*")
_SCHEME = re.compile(rf"({_WORD})(?:[ \t]+|$|(?=,))")
#: The lone value some schemes have; it must reach to the next comma, or it is a parameter.
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)")
_PARAMETER = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to authenticate; scheme and parameter names are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges of all WWW-Authenticate headers of an answer, in order.

    One header may hold several, apart by the same comma that keeps the parameters apart. What
    can't be read ends its header; what came before it counts.
    """
    return tuple(challenge for value in values for challenge in _challenges(value))


def find(challenges: Iterable[Challenge], scheme: str) -> Challenge | None:
    """Return the first challenge of *scheme*."""
    return next((one for one in challenges if one.scheme == scheme), None)


def _challenges(value: str) -> Iterable[Challenge]:
    position = _skip(value, 0)
    while scheme := _SCHEME.match(value, position):
        position = scheme.end()
        if lone := _TOKEN68.match(value, position):
            position = lone.end()
        parameters, position = _parameters(value, position)
        yield Challenge(scheme=scheme[1].lower(), parameters=parameters)


def _parameters(value: str, position: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    position = _skip(value, position)
    while parameter := _PARAMETER.match(value, position):
        name, quoted, plain = parameter.groups()
        text = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        found.setdefault(name.lower(), text)
        position = _skip(value, parameter.end())
    return found, position


def _skip(value: str, position: int) -> int:
    separators = _SEPARATORS.match(value, position)
    return separators.end() if separators else position
