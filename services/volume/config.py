"""The volume service's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared import errdefs
from shared.node.config import NodeConfig
from shared.plugin_rpc.legacy_folders import LegacyFolders


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeConfig:
    """Where volumes are kept, and how long drivers may take."""

    node: NodeConfig
    #: Where legacy plugins are found.
    legacy: LegacyFolders = field(default_factory=LegacyFolders)
    #: Seconds for a plugin to create or to mount a volume.
    create_timeout_s: float = 120.0
    #: Seconds for any other call.
    call_timeout_s: float = 60.0
    #: Seconds for a plugin to list its volumes: a list shows the others without it.
    list_timeout_s: float = 5.0

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> VolumeConfig:
        """Read WHERRY_VOLUME_CREATE_TIMEOUT_S, _CALL_TIMEOUT_S, _LIST_TIMEOUT_S, and plugin_rpc's.

        Raises InvalidArgument.
        """
        return cls(
            node=node,
            legacy=LegacyFolders.from_env(env),
            create_timeout_s=_seconds(env, "WHERRY_VOLUME_CREATE_TIMEOUT_S", 120.0),
            call_timeout_s=_seconds(env, "WHERRY_VOLUME_CALL_TIMEOUT_S", 60.0),
            list_timeout_s=_seconds(env, "WHERRY_VOLUME_LIST_TIMEOUT_S", 5.0),
        )

    @property
    def database(self) -> Path:
        """Return the path of volume.db."""
        return self.node.root / "volume" / "volume.db"

    @property
    def folder(self) -> Path:
        """Return the folder of the local driver's volumes."""
        return self.node.root / "volumes"


def _seconds(env: Mapping[str, str], variable: str, default: float) -> float:
    text = env.get(variable)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise errdefs.InvalidArgument(f"{variable}={text}: must be seconds, above 0, below a day")
    return seconds
