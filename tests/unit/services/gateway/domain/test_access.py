"""What role a request needs."""

from __future__ import annotations

import pytest

from services.gateway.domain.access import is_audited, required_role
from shared.access import Role


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/_ping", Role.READ),
        ("HEAD", "/v1.51/_ping", Role.READ),
        ("GET", "/v1.51/plugins/a/b:latest/json", Role.READ),
        ("GET", "/events", Role.READ),
        ("GET", "/wherry/v1/plugins/x/logs", Role.READ),
        ("GET", "/wherry/v1/audit", Role.ADMIN),
        ("GET", "/wherry/v1/audit/verify", Role.ADMIN),
        ("POST", "/v1.51/plugins/a/b:latest/enable", Role.OPERATE),
        ("POST", "/plugins/a/disable", Role.OPERATE),
        ("POST", "/plugins/a/push", Role.OPERATE),
        ("POST", "/auth", Role.OPERATE),
        ("POST", "/volumes/create", Role.OPERATE),
        ("DELETE", "/volumes/v", Role.OPERATE),
        ("POST", "/wherry/v1/plugins/a/references", Role.OPERATE),
        ("DELETE", "/wherry/v1/jobs/1", Role.OPERATE),
        ("POST", "/wherry/v1/upgrades/1/pause", Role.OPERATE),
        ("POST", "/wherry/v1/upgrades/1/rollback", Role.OPERATE),
        ("POST", "/wherry/v1/upgrades", Role.ADMIN),
        ("POST", "/plugins/pull", Role.ADMIN),
        ("POST", "/plugins/create", Role.ADMIN),
        ("POST", "/plugins/a/upgrade", Role.ADMIN),
        ("POST", "/plugins/a/set", Role.ADMIN),
        ("DELETE", "/plugins/a", Role.ADMIN),
        ("POST", "/wherry/v1/plugins/a/grant", Role.ADMIN),
        ("POST", "/wherry/v1/plugins/a/exec", Role.ADMIN),
        ("PUT", "/wherry/v1/plugins/a/health", Role.ADMIN),
        ("POST", "/wherry/v1/node/shutdown", Role.ADMIN),
        ("POST", "/nobody/thought/of", Role.ADMIN),
        ("BREW", "/plugins", Role.ADMIN),
    ],
)
def test_role_of_a_request(method: str, path: str, role: Role) -> None:
    """Looking needs the lowest role, using the middle one, all else the highest."""
    assert required_role(method, path) is role


def test_the_console_is_looked_at_and_does_nothing_itself() -> None:
    """A form of it needs no more than looking: the request that it stands for is looked at anew."""
    assert required_role("POST", "/ui/plugins/x/enable") is Role.READ
    assert required_role("POST", "/uix") is Role.ADMIN


def test_what_is_audited() -> None:
    """What changes something, and reads that are for admins; the console by what it asks for."""
    assert is_audited("POST", "/plugins/x/enable")
    assert is_audited("GET", "/wherry/v1/audit")
    assert not is_audited("GET", "/plugins")
    assert not is_audited("POST", "/ui/plugins/x/enable")
