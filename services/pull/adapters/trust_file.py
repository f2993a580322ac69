"""ports.TrustPolicies: a JSON file and the keys it names, read again when one of them changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from services.pull.domain.public_key import PublicKey
from services.pull.domain.trust_policy import (
    TrustMode,
    TrustPolicy,
    TrustRule,
    normalised_prefix,
)
from shared import errdefs

_PEM: Final = "-----BEGIN"
#: What a change changes; None for a file that is missing.
_Stamp = tuple[int, int, int] | None


class TrustFile:
    """The policy of a node, whose file need not exist unless somebody named it."""

    def __init__(self, path: Path, *, must_exist: bool) -> None:
        self._path = path
        self._must_exist = must_exist
        self._stamps: dict[Path, _Stamp] = {}
        self._policy = TrustPolicy(source=str(path))

    def current(self) -> TrustPolicy:
        """Return the policy as it is now; raises InvalidArgument saying what is wrong with it."""
        if not self._stamps or any(_stamp(path) != was for path, was in self._stamps.items()):
            reading = _Reading(self._path, must_exist=self._must_exist)
            self._policy = reading.policy()
            self._stamps = reading.stamps
        return self._policy


class _KeyEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    #: Path of a PEM file, or the PEM itself.
    key: str


class _RuleEntry(BaseModel):
    # A misspelt word must not loosen a policy.
    model_config = ConfigDict(extra="forbid", strict=True)

    prefix: str
    mode: str
    keys: list[str | _KeyEntry] = []
    match_reference: bool = False


_RULES: Final = TypeAdapter(list[_RuleEntry])


class _Reading:
    """One reading of the file, and what the files looked like then."""

    def __init__(self, path: Path, *, must_exist: bool) -> None:
        self._path = path
        self._must_exist = must_exist
        self.stamps: dict[Path, _Stamp] = {}

    def policy(self) -> TrustPolicy:
        try:
            text = self._read(self._path)
        except FileNotFoundError as error:
            if self._must_exist:
                raise self._bad("it does not exist") from error
            self.stamps[self._path] = None
            return TrustPolicy(source=str(self._path))
        except OSError as error:
            raise self._bad(f"it can't be read: {error.strerror}") from error
        rules: dict[str, TrustRule] = {}
        for entry in self._entries(text):
            rule = self._rule(entry)
            if rule.prefix in rules:
                raise self._bad(f"there are two rules for {_called(entry)}")
            rules[rule.prefix] = rule
        return TrustPolicy(source=str(self._path), rules=tuple(rules.values()))

    def _entries(self, text: bytes) -> list[_RuleEntry]:
        try:
            return _RULES.validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise self._bad(f"{where}: {fault['msg']}" if where else fault["msg"]) from None

    def _rule(self, entry: _RuleEntry) -> TrustRule:
        try:
            prefix = normalised_prefix(entry.prefix)
            mode = _mode(entry.mode)
            keys = tuple(self._key(number, key) for number, key in enumerate(entry.keys, start=1))
        except errdefs.InvalidArgument as error:
            raise self._bad(f"rule for {_called(entry)}: {error.message}") from error
        if mode is not TrustMode.IGNORE and not keys:
            raise self._bad(f"rule for {_called(entry)}: mode {mode} needs keys")
        return TrustRule(prefix=prefix, mode=mode, keys=keys, match_reference=entry.match_reference)

    def _key(self, number: int, entry: str | _KeyEntry) -> PublicKey:
        text = entry if isinstance(entry, str) else entry.key
        if text.lstrip().startswith(_PEM):
            where, pem, name = f"key {number}", text.encode(), f"key {number}"
        else:
            path = self._path.parent / text
            where, pem, name = f"key {path}", self._key_file(path), path.name
        try:
            return PublicKey.from_pem(pem, name=name if isinstance(entry, str) else entry.name)
        except errdefs.InvalidArgument as error:
            raise errdefs.InvalidArgument(f"{where}: {error.message}") from error

    def _key_file(self, path: Path) -> bytes:
        try:
            return self._read(path)
        except OSError as error:
            raise errdefs.InvalidArgument(f"key {path} can't be read: {error.strerror}") from error

    def _read(self, path: Path) -> bytes:
        with path.open("rb") as file:
            # Of the open file: what is read is what is stamped, whoever renames meanwhile.
            self.stamps[path] = _stamp_of(os.fstat(file.fileno()))
            return file.read()

    def _bad(self, why: str) -> errdefs.InvalidArgument:
        return errdefs.InvalidArgument(
            f"trust policy {self._path}: {why}: mend it, or remove it to ask for no signatures",
            detail={"path": str(self._path)},
        )


def _mode(text: str) -> TrustMode:
    try:
        return TrustMode(text)
    except ValueError as error:
        raise errdefs.InvalidArgument(f"mode {text!r} is none of {', '.join(TrustMode)}") from error


def _called(entry: _RuleEntry) -> str:
    return entry.prefix or "all repositories"


def _stamp(path: Path) -> _Stamp:
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None


def _stamp_of(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino
