"""The version prefix of Docker's paths."""

from __future__ import annotations

import pytest

from services.gateway.domain import api_version
from shared import errdefs


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("/version", ("", "/version")),
        ("/v1.41/plugins/a/b:c/json", ("1.41", "/plugins/a/b:c/json")),
        ("/v1/info", ("1", "/info")),
        ("/v1.41", ("", "/v1.41")),
        ("/vx/info", ("", "/vx/info")),
        ("/volumes", ("", "/volumes")),
    ],
)
def test_split(path: str, split: tuple[str, str]) -> None:
    """A prefix of digits and dots is a version; anything else belongs to the path."""
    assert api_version.split(path) == split


@pytest.mark.parametrize("version", ["", "1.24", "1.41", "1.51", "1.51.0"])
def test_check_passes(version: str) -> None:
    """All versions from the oldest to the newest are served, and none at all."""
    api_version.check(version)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (
            "1.23",
            (
                "client version 1.23 is too old. Minimum supported API version is 1.24, "
                "please upgrade your client to a newer version"
            ),
        ),
        ("1.52", "client version 1.52 is too new. Maximum supported API version is 1.51"),
        ("2", "client version 2 is too new. Maximum supported API version is 1.51"),
    ],
)
def test_check_refuses(version: str, text: str) -> None:
    """A version outside is refused in dockerd's words."""
    with pytest.raises(errdefs.InvalidArgument) as refused:
        api_version.check(version)
    assert refused.value.message == text


@pytest.mark.parametrize(
    ("version", "is_plain"), [("", False), ("1.24", False), ("1.23", True), ("1", True)]
)
def test_has_plain_errors(version: str, is_plain: bool) -> None:
    """Errors were plain text up to 1.23."""
    assert api_version.has_plain_errors(version) == is_plain
