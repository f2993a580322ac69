"""The OCI runtimes of a node: programs that are called as runc is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import errdefs

#: The runtime that is always there.
STOCK = "runc"


@dataclass(frozen=True, slots=True, kw_only=True)
class OciRuntime:
    """A program, by its name on PATH or its path, and what it is always told first."""

    path: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtimes:
    """Runtimes by their names, and the name of the one that runs containers."""

    by_name: Mapping[str, OciRuntime]
    default: str = STOCK

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Runtimes:
        """Read WHERRY_RUNC, WHERRY_RUNTIMES and WHERRY_DEFAULT_RUNTIME.

        WHERRY_RUNTIMES is a JSON object as daemon.json has it under `runtimes`. Raises
        InvalidArgument.
        """
        stock = OciRuntime(path=env.get("WHERRY_RUNC") or STOCK)
        by_name = {STOCK: stock, **_added(env.get("WHERRY_RUNTIMES", ""))}
        default = env.get("WHERRY_DEFAULT_RUNTIME") or STOCK
        if default not in by_name:
            raise errdefs.InvalidArgument(
                f"specified default runtime '{default}' does not exist: known are "
                f"{', '.join(sorted(by_name))}; add it to WHERRY_RUNTIMES"
            )
        return cls(by_name=by_name, default=default)

    @property
    def chosen(self) -> OciRuntime:
        """Return the runtime that runs containers."""
        return self.by_name[self.default]


def _added(text: str) -> dict[str, OciRuntime]:
    if not text:
        return {}
    try:
        return {name: _runtime(name, said) for name, said in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise errdefs.InvalidArgument(
            f'WHERRY_RUNTIMES={text}: must be JSON such as {{"name": {{"path": "/usr/bin/crun", '
            '"runtimeArgs": ["--debug"]}}'
        ) from error


def _runtime(name: str, said: Mapping[str, Any]) -> OciRuntime:
    if name == STOCK:
        raise errdefs.InvalidArgument("runtime name 'runc' is reserved: set WHERRY_RUNC instead")
    path, args = said.get("path"), said.get("runtimeArgs") or []
    if not isinstance(path, str) or not path or not all(isinstance(arg, str) for arg in args):
        raise ValueError(name)
    return OciRuntime(path=path, args=tuple(args))
