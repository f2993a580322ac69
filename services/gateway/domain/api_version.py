"""The version prefix of Docker's paths, and what a client of another version is told."""

from __future__ import annotations

import re
from typing import Final

from shared import errdefs
from shared.version import DOCKER_VERSION

MINIMUM: Final = "1.24"
CURRENT: Final = "1.51"
ENGINE: Final = DOCKER_VERSION
_PREFIX = re.compile(r"/v([0-9.]+)(/.*)", re.DOTALL)
#: The last version whose errors were plain text.
_PLAIN_TEXT_ERRORS: Final = "1.23"


def split(path: str) -> tuple[str, str]:
    """Return the version that *path* begins with, empty if none, and the rest."""
    found = _PREFIX.fullmatch(path)
    return (found[1], found[2]) if found else ("", path)


def check(version: str) -> None:
    """Raise InvalidArgument, in dockerd's words, when *version* is not served."""
    if not version:
        return
    if _numbers(version) < _numbers(MINIMUM):
        raise errdefs.InvalidArgument(
            f"client version {version} is too old. Minimum supported API version is {MINIMUM}, "
            "please upgrade your client to a newer version"
        )
    if _numbers(version) > _numbers(CURRENT):
        raise errdefs.InvalidArgument(
            f"client version {version} is too new. Maximum supported API version is {CURRENT}"
        )


def is_below(version: str, other: str) -> bool:
    """Tell whether a request's version is older than another; one that says none is not."""
    return bool(version) and _numbers(version) < _numbers(other)


def has_plain_errors(version: str) -> bool:
    """Say whether clients of *version* expect errors as bare text instead of JSON."""
    return bool(version) and _numbers(version) <= _numbers(_PLAIN_TEXT_ERRORS)


def _numbers(version: str) -> tuple[int, ...]:
    # Parts that are no numbers count as zero, and so do missing ones: 1 is 1.0.
    numbers = [int(part) if part else 0 for part in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
