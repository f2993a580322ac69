"""ports.PrivilegePolicies: a JSON file, read at every pull."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from services.pull.domain.privilege_policy import PrivilegePolicy, PrivilegeRule
from services.pull.domain.trust_policy import normalised_prefix
from shared import errdefs
from shared.oci.privileges import PluginPrivilege


class _AllowEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    value: list[str]


class _RuleEntry(BaseModel):
    # A misspelt word must not loosen a policy.
    model_config = ConfigDict(extra="forbid", strict=True)

    prefix: str
    #: Names, for any value, or names with values.
    allow: list[str | _AllowEntry]


_RULES: Final = TypeAdapter(list[_RuleEntry])


class PrivilegeFile:
    """The policy of a node; without a path it limits nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def current(self) -> PrivilegePolicy:
        """Return the policy as it is now; raises InvalidArgument saying what is wrong with it."""
        if self._path is None:
            return PrivilegePolicy(source="")
        rules: dict[str, PrivilegeRule] = {}
        for entry in self._entries(self._path):
            rule = self._rule(entry)
            if rule.prefix in rules:
                raise self._bad(f"there are two rules for {entry.prefix!r}")
            rules[rule.prefix] = rule
        return PrivilegePolicy(source=str(self._path), rules=tuple(rules.values()))

    def _entries(self, path: Path) -> list[_RuleEntry]:
        try:
            return _RULES.validate_json(path.read_bytes())
        except OSError as error:
            raise self._bad(f"it can't be read: {error.strerror}") from error
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise self._bad(f"{where}: {fault['msg']}" if where else fault["msg"]) from None

    def _rule(self, entry: _RuleEntry) -> PrivilegeRule:
        try:
            prefix = normalised_prefix(entry.prefix)
        except errdefs.InvalidArgument as error:
            raise self._bad(error.message) from error
        return PrivilegeRule(
            prefix=prefix,
            names=frozenset(one for one in entry.allow if isinstance(one, str)),
            values=tuple(
                PluginPrivilege(name=one.name, value=tuple(one.value))
                for one in entry.allow
                if not isinstance(one, str)
            ),
        )

    def _bad(self, why: str) -> errdefs.InvalidArgument:
        return errdefs.InvalidArgument(
            f"privilege policy {self._path}: {why}: mend it, or start the node without "
            "WHERRY_PRIVILEGE_POLICY"
        )
