"""Errors as HTTP."""

from __future__ import annotations

import pytest

from services.gateway.entrypoints.errors import (
    docker_refusal,
    docker_status,
    wherry_refusal,
    wherry_status,
)
from shared import errdefs


@pytest.mark.parametrize(
    ("error", "docker", "wherry"),
    [
        (errdefs.NotFound, 404, 404),
        (errdefs.InvalidArgument, 400, 400),
        (errdefs.Conflict, 409, 409),
        (errdefs.AlreadyExists, 409, 409),
        (errdefs.Unauthenticated, 401, 401),
        (errdefs.PermissionDenied, 403, 403),
        (errdefs.Unavailable, 503, 503),
        (errdefs.Unimplemented, 501, 501),
        (errdefs.ResourceExhausted, 500, 429),
        (errdefs.DeadlineExceeded, 500, 504),
        (errdefs.Internal, 500, 500),
        (errdefs.Error, 500, 500),
    ],
)
def test_by_class(error: type[errdefs.Error], docker: int, wherry: int) -> None:
    """Each class has its status, and ours tells two more apart than dockerd's."""
    assert docker_status(error("x")) == docker
    assert wherry_status(error("x")) == wherry


def test_unclassed() -> None:
    """What has no class in dockerd answers 500 there, and by its class here."""
    error = errdefs.InvalidArgument("x", docker_unclassed=True)
    assert docker_status(error) == 500
    assert wherry_status(error) == 400


@pytest.mark.parametrize(
    ("error", "status"), [(errdefs.ResourceExhausted, 429), (errdefs.Unavailable, 503)]
)
def test_who_is_to_come_again_is_told_when(error: type[errdefs.Error], status: int) -> None:
    """What one client sent too much of is 429 on Docker's routes, too; both say when."""
    told = error("x", detail={"retry_after_s": 7})
    for answer in (docker_refusal(told, ""), docker_refusal(told, "1.23"), wherry_refusal(told)):
        assert answer.status == status
        assert (b"retry-after", b"7") in answer.headers
