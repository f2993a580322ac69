"""Which privileges plugins of a registry may need at most: an allow-list for each prefix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.pull.domain.trust_policy import covers, repository_of
from shared import errdefs
from shared.oci import privileges
from shared.oci.privileges import PluginPrivilege
from shared.oci.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeRule:
    """What the repositories below *prefix*, as ``normalised_prefix`` returns it, may need."""

    prefix: str
    #: Privileges with any value.
    names: frozenset[str] = frozenset()
    #: Privileges with these values.
    values: tuple[PluginPrivilege, ...] = ()

    def beyond(self, needed: Iterable[PluginPrivilege]) -> tuple[PluginPrivilege, ...]:
        """Return what of *needed* the rule does not allow."""
        return privileges.beyond((p for p in needed if p.name not in self.names), self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegePolicy:
    """All rules of a node."""

    #: Where it was read from.
    source: str
    rules: tuple[PrivilegeRule, ...] = ()

    def check(self, ref: Reference, needed: Iterable[PluginPrivilege]) -> None:
        """Raise PermissionDenied unless the rule with the longest prefix allows all of *needed*.

        What no rule covers may need anything.
        """
        repository = repository_of(ref)
        covering = [rule for rule in self.rules if covers(rule.prefix, repository)]
        rule = max(covering, key=lambda one: len(one.prefix), default=None)
        refused = rule.beyond(needed) if rule is not None else ()
        if rule is not None and refused:
            raise errdefs.PermissionDenied(
                f"{ref} needs {privileges.described(refused)}, which the privilege policy for "
                f"{rule.prefix or 'all repositories'} does not allow: take a plugin that needs "
                f"less, or change {self.source}",
                detail={"reference": str(ref), "refused": privileges.shown(refused)},
            )
