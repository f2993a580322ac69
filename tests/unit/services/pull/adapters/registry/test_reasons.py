"""Errors of connections, in words."""

from __future__ import annotations

import ssl

import httpx
import pytest

from services.pull.adapters.registry import faults
from services.pull.adapters.registry.reasons import in_words
from services.pull.adapters.registry.retry import Retry
from services.pull.adapters.registry.settings import Limits
from shared import errdefs


def tls_error(reason: str, said: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {said} (_ssl.c:1006)")
    error.reason = reason
    return error


_NO_TLS = tls_error("WRONG_VERSION_NUMBER", "wrong version number")
_WHO = tls_error("SSLV3_ALERT_BAD_CERTIFICATE", "sslv3 alert bad certificate")


def failed(kind: type[httpx.TransportError], cause: OSError) -> httpx.TransportError:
    error = kind(f"TLS with r: {in_words(cause)}")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 101] b"), "Multiple exceptions: a, b"),
        (_NO_TLS, "http: server gave HTTP response to HTTPS client"),
        (_WHO, "sslv3 alert bad certificate"),
        (OSError(), "OSError"),
    ],
)
def test_words(error: OSError, words: str) -> None:
    """Neither numbers nor lines of Python's source are told."""
    assert in_words(error) == words


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (failed(httpx.ConnectError, _NO_TLS), "name it in WHERRY_INSECURE_REGISTRIES"),
        (failed(httpx.ReadError, _WHO), "put one, X.cert with X.key, into /etc/docker/certs.d/r:1"),
        (httpx.ConnectError("r:1: no"), "check the name, the network and the proxy"),
    ],
)
def test_what_to_do_next(error: httpx.TransportError, next_step: str) -> None:
    """Who speaks no TLS, or wants to know who we are, is told apart from who is away."""
    told = faults.of_transport(error, what="manifest a/b:c", host="r:1")
    assert isinstance(told, errdefs.Unavailable)
    assert told.message.startswith("manifest a/b:c: cannot reach registry r:1: ")
    assert told.message.endswith(next_step)


def test_who_wants_a_certificate_wants_it_the_next_time() -> None:
    """Nobody waits for a registry that refuses whoever shows no certificate."""
    retry = Retry(limits=Limits())
    assert retry.after_fault(1, failed(httpx.ReadError, _WHO), was_reached=True) is None
    assert retry.after_fault(1, httpx.ReadError("reset"), was_reached=True) is not None


@pytest.mark.parametrize(
    ("status", "what", "cls", "next_step"),
    [
        (404, "manifest a/b:c", errdefs.NotFound, "check the name and the tag"),
        (404, "blob sha256:aa", errdefs.NotFound, "or tell the registry's owner"),
        (407, "manifest a/b:c", errdefs.Unavailable, "user and password into HTTP_PROXY"),
    ],
)
def test_refusals(status: int, what: str, cls: type[errdefs.Error], next_step: str) -> None:
    """A blob that is gone is the registry's fault, a proxy's refusal the proxy's."""
    told = faults.of_status(status, b"", what=what, host="r:1")
    assert type(told) is cls
    assert told.message.endswith(next_step)
