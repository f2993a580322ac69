"""`wherry upgrade`: begun with Docker's logins, watched to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.cli.domain.login import Login
from services.cli.domain.upgrade import Change, Upgrade
from services.cli.ports import Logins, UpgradeApi, UpgradeDisplay
from shared import errdefs
from shared.oci import reference

#: A gateway that is being restarted is waited for this long.
_PATIENCE_S = 60.0
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrades:
    """Begins, plans and follows upgrades; all raise what the node answers."""

    api: UpgradeApi
    logins: Logins
    warn: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def begin(self, body: Mapping[str, Any], registry: str) -> Upgrade:
        """Begin an upgrade with the login for a registry, or for that of the target."""
        return self.api.create_upgrade(body, self._login(body, registry))

    def plan(self, body: Mapping[str, Any], registry: str) -> Change:
        """Return what an upgrade would do; raises InvalidArgument with why there is no plan."""
        upgrade_id = self.begin({**body, "dry_run": True}, registry).upgrade_id
        planned = self._get(upgrade_id)
        while not planned.upgrade.is_planned:
            self.pause(_PAUSE_S)
            planned = self._get(upgrade_id)
        if planned.upgrade.state == "failed":
            raise errdefs.InvalidArgument(planned.upgrade.message)
        return planned

    def watch(self, upgrade: Upgrade, display: UpgradeDisplay) -> Upgrade:
        """Show an upgrade until nothing happens of it by itself, and return it as it is then.

        It goes on while the gateway is restarted. Raises Unavailable when that stays away.
        """
        position = ""
        try:
            while not upgrade.is_at_rest:
                try:
                    for change in self.api.follow_upgrade(upgrade.upgrade_id, position):
                        position, upgrade = change.position, change.upgrade
                        display.show(upgrade, change.plugins)
                        if upgrade.is_at_rest:
                            break
                except errdefs.Unavailable:
                    display.note("the gateway is away, waiting for it; the upgrade goes on")
                    upgrade = self._get(upgrade.upgrade_id).upgrade
        finally:
            display.close()
        return upgrade

    def _login(self, body: Mapping[str, Any], registry: str) -> Login:
        target = body["target"].get("reference", "")
        domain = registry or (reference.parse(target).domain if target else "")
        if not domain:
            return Login()
        login = self.logins.find(domain)
        if login.note:
            self.warn(login.note)
        return login

    def _get(self, upgrade_id: str) -> Change:
        deadline = self.clock() + _PATIENCE_S
        while True:
            try:
                return self.api.upgrade(upgrade_id)
            except errdefs.Unavailable:
                if self.clock() > deadline:
                    raise
            self.pause(_PAUSE_S)
