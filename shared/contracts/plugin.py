"""A plugin as the store publishes it, and how people name one."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from shared import errdefs
from shared.contracts.executor import Exit, HealthStatus, Resources
from shared.contracts.message import Value
from shared.contracts.supervision import Supervised, Supervision, declared, requirements
from shared.contracts.upgrade import Upgrading
from shared.oci import reference
from shared.oci.plugin_extension import PluginExtension

_FULL_ID = re.compile(r"[0-9a-f]{64}")


class PluginState(StrEnum):
    """What is observed of a plugin's process."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    #: It ended unasked and waits for its next start.
    RESTARTING = "restarting"
    #: It ended, and its restart policy starts it no more; it is still wished.
    EXITED = "exited"
    STOPPING = "stopping"


class PluginStatus(Value):
    """What is observed; written by the store from what the executor reports."""

    state: PluginState = PluginState.STOPPED
    container_id: str | None = None
    pid: int | None = None
    socket_dir: str | None = None
    started_at_ns: int | None = None
    #: How often it was ever started; the next container's number is one more.
    starts: int = 0
    #: Starts in a row that did not last.
    restarts: int = 0
    #: When the next start is due, while RESTARTING.
    restart_at_ns: int | None = None
    degraded: bool = False
    health: HealthStatus = HealthStatus.NONE
    #: What its last health check failed with; empty after one that succeeded.
    health_message: str = ""
    #: Whether this run was ever healthy.
    was_healthy: bool = False
    #: Whether the kernel killed a process of this run for want of memory.
    ran_out_of_memory: bool = False
    last_exit: Exit | None = None
    message: str = ""
    #: The upgrade that has the plugin, while it is enabled.
    upgrading: Upgrading | None = None


class Signer(Value):
    """A key whose signature was verified before the plugin was unpacked."""

    #: SHA-256 of the public key's DER, `sha256:…`.
    key: str
    #: What the trust policy calls the key.
    name: str
    #: What was signed: the manifest or index that the reference stood for.
    digest: str
    verified_at_ns: int


class Consent(StrEnum):
    """How somebody consented to a privilege."""

    #: It was created here: who builds a config consents to what it asks for.
    CREATED = "created"
    #: It was listed in the body of a pull.
    PULLED = "pulled"
    #: It was listed in the body of an upgrade.
    UPGRADED = "upgraded"
    #: A mount's source or a device's path was set, which the config lets users do.
    SET = "set"
    #: It was granted by itself.
    GRANTED = "granted"
    #: The plugin had it before grants were kept.
    KEPT = "kept"


class Granted(Value):
    """A privilege that somebody consented to, in Docker's names."""

    name: str
    #: Sorted.
    value: tuple[str, ...] = ()
    how: Consent
    granted_at_ns: int


class Plugin(Value):
    """A plugin: what was installed, what is wished, what is observed."""

    plugin_id: str
    name: str
    reference: str
    #: The wish, shown by Docker's API as Enabled.
    enabled: bool
    #: Docker's plugin config, in Docker's own keys and order.
    config: dict[str, Any]
    #: What its author declares beside Docker's keys.
    extension: PluginExtension = PluginExtension()
    #: Docker's plugin settings (Mounts, Devices, Env, Args), in Docker's own keys.
    settings: dict[str, Any]
    config_digest: str
    manifest_digest: str
    layer_digests: tuple[str, ...] = ()
    #: Name of its root file system, a folder beside those of versions that come or go.
    rootfs: str = "rootfs"
    #: Who signed what is installed; empty where no signature was asked for, or none was valid.
    signers: tuple[Signer, ...] = ()
    #: What it may have at most, checked at every start; None only before the store has filled it.
    grant: tuple[Granted, ...] | None = None
    #: Limits from its next start on.
    resources: Resources = Resources()
    #: What an operator set, over what its author declares.
    supervision: Supervision = Supervision()
    created_at_ns: int
    #: The swarm service that installed it; no other upgrades it.
    swarm_service_id: str = ""
    status: PluginStatus = PluginStatus()

    @property
    def requires(self) -> tuple[str, ...]:
        """Return what must be ready before it, as supervised has it, but looked at cheaply."""
        if self.supervision.requires is not None:
            return self.supervision.requires
        return requirements(self.extension.requires) if self.extension.requires else ()

    @property
    def supervised(self) -> Supervised:
        """Return how it is supervised: an operator's word counts, else its author's."""
        return Supervised.of(declared(self.extension), self.supervision)


def resolve(raw: str, id_by_name: Mapping[str, str], ids: Collection[str]) -> str:
    """Return the id of the plugin that *raw* names: full id, name, or unique id prefix.

    Raises NotFound, or InvalidArgument when a prefix fits several. Follows dockerd's order: an
    exact name wins over an id prefix.
    """
    if _FULL_ID.fullmatch(raw):
        if raw in ids:
            return raw
        raise _not_found(raw)
    try:
        named_as = reference.parse(raw)
    except errdefs.InvalidArgument as error:
        raise _not_found(raw) from error
    if named_as.digest is not None:
        raise _not_found(raw)
    named = id_by_name.get(named_as.with_default_tag().familiar)
    return named if named is not None else _by_prefix(raw, ids)


def _by_prefix(raw: str, ids: Collection[str]) -> str:
    hits = [plugin_id for plugin_id in ids if plugin_id.startswith(raw)]
    if len(hits) > 1:
        raise errdefs.InvalidArgument(f'multiple plugins found for "{raw}"')
    if not hits:
        raise _not_found(raw)
    return hits[0]


def _not_found(raw: str) -> errdefs.NotFound:
    return errdefs.NotFound(f'plugin "{raw}" not found', detail={"plugin": raw})
