"""Which secrets a plugin's settings name, and where it finds them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.store.domain.plugin_config import config_of, settings_of
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.sealed import SealedSecret
from shared.contracts.secret import Secret
from shared.oci.settings import Settings, initial_settings

#: Where a plugin finds its secrets, as a service of swarm does.
FOLDER: Final = "/run/secrets"
_NAMED: Final = re.compile(r"secret://([A-Za-z0-9][A-Za-z0-9_.-]{0,63})")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRecord:
    """A secret as it is kept."""

    secret: SealedSecret
    created_at_ns: int
    changed_at_ns: int

    def shown(self, plugins: Iterable[Plugin]) -> Secret:
        """Return what may be shown of it, with those of *plugins* whose settings name it."""
        name = self.secret.name
        return Secret(
            name=name,
            created_at_ns=self.created_at_ns,
            changed_at_ns=self.changed_at_ns,
            used_by=tuple(sorted(one.name for one in plugins if name in named(one))),
        )


def placed(text: str) -> str:
    """Return a setting as the plugin sees it: a secret is the path of a file that holds it."""
    return _NAMED.sub(rf"{FOLDER}/\1", text)


def named(plugin: Plugin) -> tuple[str, ...]:
    """Return the secrets that a plugin's settings name, each once."""
    return _in(settings_of(plugin))


def required(plugin: Plugin) -> tuple[str, ...]:
    """Return the secrets that a plugin is to be given.

    Raises PermissionDenied for one that the plugin's author named: only who sets it gives it.
    """
    settings = settings_of(plugin)
    authors = initial_settings(config_of(plugin))
    own = {*authors.env, *authors.args}
    asked = [text for text in (*settings.env, *settings.args) if text in own]
    for text in asked:
        if found := _NAMED.search(text):
            raise errdefs.PermissionDenied(
                f"plugin {plugin.name} asks for secret {found[1]} by itself, in its config.json: "
                "only who sets a secret gives it. Set it to a secret of your own, by another name",
                detail={"plugin": plugin.name, "secret": found[1]},
            )
    return _in(settings)


def missing(plugin: Plugin, name: str) -> errdefs.NotFound:
    """Return the error of a plugin whose secret is not there."""
    return errdefs.NotFound(
        f"plugin {plugin.name} needs secret {name}, which is not there: make it with "
        f"`wherry secret create {name}`, or set another",
        detail={"plugin": plugin.name, "secret": name},
    )


def _in(settings: Settings) -> tuple[str, ...]:
    texts = (*settings.env, *settings.args)
    return tuple(dict.fromkeys(name for text in texts for name in _NAMED.findall(text)))
