"""Why a connection failed, in a person's words: Python's carry numbers and lines of its source."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from typing import Final

_NUMBER: Final = re.compile(r"\[(?:Errno -?\d+|\w+: \w+)\] ")
_SOURCE: Final = re.compile(r" \(_ssl\.c:\d+\)")
#: How OpenSSL reads an answer that is no TLS.
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST"})
#: Alerts by which a server says that it wants to know who we are, or does not know who that is.
_WHO_ARE_YOU: Final = frozenset(
    {
        "BAD_CERTIFICATE",
        "CERTIFICATE_EXPIRED",
        "CERTIFICATE_REQUIRED",
        "CERTIFICATE_UNKNOWN",
        "UNKNOWN_CA",
    }
)


def in_words(error: BaseException) -> str:
    """Return what an error says, in Docker's words where it has any."""
    if speaks_plain_http(error):
        return "http: server gave HTTP response to HTTPS client"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _SOURCE.sub("", _NUMBER.sub("", said)) or type(error).__name__


def speaks_plain_http(error: BaseException) -> bool:
    """Say whether we spoke TLS to somebody who does not."""
    return any(reason in _NO_TLS for reason in _tls_reasons(error))


def wants_certificate(error: BaseException) -> bool:
    """Say whether the other side refuses whoever shows no certificate that it knows."""
    return any(reason.partition("_ALERT_")[2] in _WHO_ARE_YOU for reason in _tls_reasons(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _tls_reasons(error: BaseException) -> Iterator[str]:
    return (cause.reason or "" for cause in causes(error) if isinstance(cause, ssl.SSLError))
