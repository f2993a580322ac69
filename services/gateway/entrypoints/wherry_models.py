"""What /wherry/v1 answers with: snake_case, times in nanoseconds since the epoch."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared import errdefs
from shared.contracts import pull as contracts
from shared.contracts.batch import (
    Batch,
    BatchPlugin,
    BatchRequest,
    PrivilegePolicy,
    Selector,
    Target,
    UpdateConfig,
)
from shared.contracts.executor import ExecConfig, LogLine, Resources
from shared.contracts.job import Job
from shared.contracts.plugin import Plugin
from shared.contracts.reference import Reference
from shared.contracts.upgrade import UpgradeStrategy
from shared.contracts.volume import Mount
from shared.oci.privileges import PluginPrivilege


class Problem(BaseModel):
    """Why a request failed."""

    code: str
    message: str
    detail: dict[str, object] = {}


class Node(BaseModel):
    """A node."""

    name: str
    root: str
    exec_root: str
    socket: str
    version: str
    docker_version: str
    api_version: str
    kernel_version: str
    operating_system: str
    architecture: str
    #: Versions of the programs it runs.
    programs: dict[str, str]
    healthy: bool


class Nodes(BaseModel):
    """The nodes that this gateway speaks for: its own."""

    nodes: tuple[Node, ...]


class Plugins(BaseModel):
    """All plugins, and the revision of the inventory that they were read at."""

    epoch: str
    revision: int
    plugins: tuple[Plugin, ...]


class References(BaseModel):
    """Who holds a plugin, by owner."""

    #: Its name.
    plugin: str
    references: tuple[Reference, ...]


class AcquireRequest(BaseModel):
    """A lease on a plugin: acquired, or renewed by the same owner."""

    owner: str = Field(
        description="`<kind>/<id>`; a kind of volume, network, container, task, user"
    )
    capability: str = Field(description="what it is used as, such as `volumedriver`")
    ttl_s: int = Field(description="seconds that it lasts unless it is renewed, up to a week")


class MountRequest(BaseModel):
    """A volume to mount."""

    owner: str = Field(
        description="who uses it: free text without a slash; a plugin is told it as the id"
    )


class MountedVolume(BaseModel):
    """Where an owner has a volume."""

    volume: str
    owner: str
    #: On the host.
    mountpoint: str


class Mounts(BaseModel):
    """Who has a volume mounted, by owner."""

    volume: str
    mounts: tuple[Mount, ...]


class VolumePath(BaseModel):
    """Where a volume is on the host."""

    volume: str
    mountpoint: str


class Garbage(BaseModel):
    """Blobs that nothing needs."""

    digests: tuple[str, ...]
    size_bytes: int
    #: False after a dry run.
    deleted: bool


class Logs(BaseModel):
    """The last lines of a plugin's output, oldest first."""

    lines: tuple[LogLine, ...]


class Processes(BaseModel):
    """A plugin's processes as `ps` lists them, with the pids of the host."""

    titles: tuple[str, ...]
    processes: tuple[tuple[str, ...], ...]


class ArchivedPlugin(BaseModel):
    """A plugin in an archive, for this machine."""

    #: Of its entry.
    digest: str
    #: What the archive calls it; empty where that is no reference.
    name: str
    privileges: tuple[Privilege, ...]

    @classmethod
    def of(cls, found: contracts.ArchivedPlugin) -> ArchivedPlugin:
        """Make it of what was found."""
        needed = tuple(map(Privilege.from_docker, found.privileges))
        return cls(digest=found.digest, name=found.name, privileges=needed)


class Archive(BaseModel):
    """An archive that was brought, and what is in it."""

    archive_id: str
    plugins: tuple[ArchivedPlugin, ...]


class LoadRequest(BaseModel):
    """A plugin in an archive to install, disabled."""

    archive_id: str
    #: Of its entry.
    digest: str
    #: What it is a copy of; a later upgrade pulls from there.
    remote: str
    #: What to call it here; the remote's own name where it is empty.
    name: str = ""
    #: Must be what the plugin needs, no more and no less.
    privileges: tuple[Privilege, ...] = ()


class PluginVersion(BaseModel):
    """One of two versions."""

    name: str
    manifest_digest: str


class Difference(BaseModel):
    """Something that is another in the new version; null where one has it not."""

    what: str
    old: str | None
    new: str | None
    #: Of a setting: `kept`, follows the `default`, `new`, or `dropped`.
    why: str = ""


class PluginDiff(BaseModel):
    """What differs, and what an upgrade from the old to the new makes of its settings."""

    old: PluginVersion
    new: PluginVersion
    config: tuple[Difference, ...]
    privileges: tuple[Difference, ...]
    settings: tuple[Difference, ...]
    layers_kept: tuple[str, ...]
    layers_added: tuple[str, ...]
    layers_removed: tuple[str, ...]


class Selecting(Selector):
    """Which plugins; all that is said must fit."""

    # A misspelt filter must not be none.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Targeting(Target):
    """What they become: a `reference`, or a `tag` of each plugin's own repository."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Updating(UpdateConfig):
    """How the upgrade goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UpgradesRequest(BaseModel):
    """An upgrade of many plugins."""

    model_config = ConfigDict(extra="forbid")

    selector: Selecting
    target: Targeting
    update: Updating = Updating()
    policy: PrivilegePolicy = PrivilegePolicy.REQUIRE_SAME
    #: With the policy `grant-listed`: what may be granted beyond what the installed versions need.
    privileges: tuple[Privilege, ...] = ()
    dry_run: bool = False

    def to_batch(self) -> BatchRequest:
        """Return it as the controller is asked."""
        return BatchRequest(
            selector=Selector.model_validate(self.selector.model_dump()),
            target=Target.model_validate(self.target.model_dump()),
            update=UpdateConfig.model_validate(self.update.model_dump()),
            policy=self.policy,
            privileges=tuple(one.to_docker() for one in self.privileges),
            dry_run=self.dry_run,
        )


class Upgrades(BaseModel):
    """Upgrades that are kept, newest first."""

    upgrades: tuple[Batch, ...]


class UpgradePlan(BaseModel):
    """An upgrade, and each of its plugins."""

    upgrade: Batch
    plugins: tuple[BatchPlugin, ...]


class UpgradeChange(BaseModel):
    """What has changed of an upgrade: all of it, and the plugins that have changed."""

    #: To go on behind it.
    position: str
    upgrade: Batch
    plugins: tuple[BatchPlugin, ...]


class ExecRequest(BaseModel):
    """A process to put beside a plugin's own; what is empty is as the plugin's own."""

    # A misspelt wish must not be none.
    model_config = ConfigDict(extra="forbid")

    args: tuple[str, ...]
    #: On top of the plugin's.
    env: tuple[str, ...] = ()
    #: `name|uid[:group|gid]`.
    user: str = ""
    cwd: str = ""
    tty: bool = False
    #: Whether it is given input.
    stdin: bool = False

    def config(self) -> ExecConfig:
        """Return it for the executor."""
        return ExecConfig(**self.model_dump())


class ExecStart(BaseModel):
    """How an exec begins."""

    #: Go on without a reader.
    detach: bool = False
    #: Of a terminal; 0 leaves them as they are.
    height: int = Field(default=0, ge=0, le=65_535)
    width: int = Field(default=0, ge=0, le=65_535)


class EventGap(BaseModel):
    """Events after *after* and before *oldest* are no longer kept."""

    after: int
    oldest: int


class GapLine(BaseModel):
    """A line of the event stream that is no event."""

    gap: EventGap


class Privilege(BaseModel):
    """One thing that a plugin needs to be granted; the description is only for people."""

    name: str
    description: str = ""
    value: tuple[str, ...] = ()

    @classmethod
    def from_docker(cls, privilege: dict[str, Any]) -> Privilege:
        """Make it of Docker's keys."""
        read = PluginPrivilege.from_go(privilege)
        return cls(name=read.name, description=read.description, value=tuple(read.value or ()))

    def to_docker(self) -> dict[str, Any]:
        """Return it in Docker's keys."""
        privilege = PluginPrivilege(name=self.name, description=self.description, value=self.value)
        return privilege.to_dict()


class Privileges(BaseModel):
    """What a plugin needs, in Docker's order."""

    privileges: tuple[Privilege, ...]


class ServiceRequest(BaseModel):
    """What a swarm service wants of its plugin."""

    #: Lines `K=V` over the environment that the config has; others are ignored.
    env: tuple[str, ...] = ()
    #: The service that the plugin is of; empty: of none.
    swarm_service_id: str = Field(default="", max_length=255)


class PullRequest(ServiceRequest):
    """A plugin to install, disabled."""

    remote: str
    #: What to call it here; the remote's own name where it is empty.
    name: str = ""
    #: Must be what the plugin needs, no more and no less.
    privileges: tuple[Privilege, ...] = ()


class PushRequest(BaseModel):
    """A plugin to push to where its name says."""

    name: str


class UpgradeRequest(ServiceRequest):
    """A plugin to replace by another version; its settings stay, and so does whether it runs."""

    name: str
    #: The reference it was made from where it is empty.
    remote: str = ""
    #: Must be what the new version needs, no more and no less.
    privileges: tuple[Privilege, ...] = ()
    strategy: UpgradeStrategy = Field(
        default=UpgradeStrategy.DISABLED,
        description="what becomes of an enabled plugin: with `disabled` it is refused",
    )
    monitor_s: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="how long the new version has to last; else the old one is put back",
    )
    drain_s: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="with `start-first`, how long the old version serves who holds it, at most",
    )


class GrantRequest(BaseModel):
    """What a plugin is to be granted beside what it was."""

    #: Each must be something that the plugin asks for.
    privileges: tuple[Privilege, ...]


class LimitRequest(Resources):
    """All limits of a plugin; what is left out, or null, is unlimited."""

    # A misspelt limit must not be none.
    model_config = ConfigDict(extra="forbid")

    def resources(self) -> Resources:
        """Return the limits alone."""
        return Resources(**self.model_dump())


class Jobs(BaseModel):
    """All jobs that are kept, newest first."""

    jobs: tuple[Job, ...]


class ProgressLine(BaseModel):
    """Something a job told; what is null is left out."""

    #: A reader goes on behind it.
    position: str = Field(pattern=r"^\d+-\d+$")
    status: str | None = None
    #: The layer or blob that it is about.
    id: str | None = None
    current: int | None = None
    total: int | None = None
    #: What a push made.
    aux: dict[str, Any] | None = None


class JobLine(BaseModel):
    """The last line: the job as it ended, or as it is while the gateway stops."""

    job: Job


class ProblemLine(BaseModel):
    """The last line where nobody can tell how the job is."""

    problem: Problem


class SecretRequest(BaseModel):
    """A secret that plugins' settings may name as `secret://<name>`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str
    #: Base64.
    data: str
    replace: bool = False

    def value(self) -> bytes:
        """Return the secret itself; raises InvalidArgument, quoting nothing of it."""
        try:
            return base64.b64decode(self.data, validate=True)
        except ValueError:  # letters that are not ASCII are no binascii.Error
            # Never `from error`: nothing of what was sent is to be told.
            raise errdefs.InvalidArgument("the secret's data is not base64") from None
