"""The address of a node's Redis, with the user and the password of the service that asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from shared import errdefs
from shared.sentinels import split_address

_URL, _PASSWORD_FILE = "WHERRY_REDIS_URL", "WHERRY_REDIS_PASSWORD_FILE"
#: Stands for the service's name, so that all of a node's services can have one environment.
_SERVICE = "{service}"


def named_redis(env: Mapping[str, str], service: str) -> str:
    """Return the address that WHERRY_REDIS_URL names for *service*; empty when it names none.

    The password is read from WHERRY_REDIS_PASSWORD_FILE, if that is set: whoever may look at a
    process's environment does not see it there. Without a service the address is as it stands,
    for those who only want to know whether there is one. Raises InvalidArgument naming the
    variable.
    """
    if not service:
        return env.get(_URL, "")
    url = env.get(_URL, "").replace(_SERVICE, service)
    file = env.get(_PASSWORD_FILE, "").replace(_SERVICE, service)
    return _with_password(url, Path(file)) if url and file else url


def _with_password(url: str, file: Path) -> str:
    try:
        password = file.read_text().strip()
    except OSError as error:
        raise errdefs.InvalidArgument(
            f"{_PASSWORD_FILE}={file}: {error.strerror}; it must hold the password of the Redis "
            "user that this service is"
        ) from error
    scheme, authority, rest = split_address(url)
    login, _, place = authority.rpartition("@")
    user, colon, _ = login.partition(":")
    if colon:
        raise errdefs.InvalidArgument(
            f"{_URL} has a password and {_PASSWORD_FILE} is set: take it out of one of them"
        )
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}{rest}"
