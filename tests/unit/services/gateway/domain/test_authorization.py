"""What authorization plugins are shown."""

from __future__ import annotations

import pytest

from services.gateway.domain import authorization
from services.gateway.domain.authorization import Caller, Question


def test_headers() -> None:
    """Headers have Go's names and their last value, and credentials are left out."""
    shown = authorization.shown_headers(
        [
            (b"content-type", b"application/json"),
            (b"x-1abc", b"1"),
            (b"x-1abc", b"2"),
            (b"authorization", b"s"),
            (b"x-registry-auth", b"s"),
            (b"x-registry-config", b"s"),
        ]
    )
    assert shown == {"Content-Type": "application/json", "X-1abc": "2"}


@pytest.mark.parametrize(
    ("content_type", "docker", "ours"),
    [
        ("application/json", True, True),
        ("Application/JSON; charset=utf-8", True, True),
        ("application/vnd.x+json", False, True),
        (None, False, True),
        ("", False, True),
        ("text/plain", False, False),
        ("application/x-tar", False, False),
    ],
)
def test_bodies(content_type: str | None, *, docker: bool, ours: bool) -> None:
    """JSON is shown; of our own API everything that it would read as JSON."""
    path = "/v1.51/plugins/pull"
    assert authorization.shows_body(path, content_type, is_extension=False) is docker
    assert authorization.shows_body(path, content_type, is_extension=True) is ours


@pytest.mark.parametrize("path", ["/auth", "/v1.51/auth", "/auth/", "/v1/auth", "/authx"])
def test_logins_are_never_shown(path: str) -> None:
    """The body of a login is nobody's but the registry's."""
    assert not authorization.shows_body(path, "application/json", is_extension=False)


@pytest.mark.parametrize("path", ["/plugins/auth", "/v1.51/plugins/auth/set", "/vx/auth"])
def test_paths_that_only_look_like_logins(path: str) -> None:
    """Something that is called auth is no login."""
    assert authorization.shows_body(path, "application/json", is_extension=False)


def test_question() -> None:
    """What is empty is left out, bodies are base64, and the answer comes on top."""
    asked = Question(caller=Caller(), method="POST", uri="/x?a=1", headers={"A": "b"}, body=b"{}")
    before = {
        "RequestMethod": "POST",
        "RequestUri": "/x?a=1",
        "RequestBody": "e30=",
        "RequestHeaders": {"A": "b"},
    }
    assert asked.to_json() == before
    after = asked.answered(200, {"C": "d"}, b"ok").to_json()
    assert after == before | {
        "ResponseStatusCode": 200,
        "ResponseBody": "b2s=",
        "ResponseHeaders": {"C": "d"},
    }


def test_e02_user_of_a_certificate() -> None:
    """Who shows a certificate is named by it, and it is passed on as base64 of PEM."""
    caller = Caller(user="alice", certificates=("PEM",))
    asked = Question(caller=caller, method="GET", uri="/", headers={}).to_json()
    assert (asked["User"], asked["UserAuthNMethod"]) == ("alice", "TLS")
    assert asked["RequestPeerCertificates"] == ["UEVN"]
