"""Messages of the pull service: short questions to registries."""

from typing import Any, ClassVar

from pydantic import Field

from shared.contracts.job import Sealed
from shared.contracts.message import Command, Message, Value


class Privileges(Message):
    """What a plugin asks for, as Docker's privileges, in Docker's order."""

    TYPE: ClassVar[str] = "pull.privileges.reply.v1"

    privileges: tuple[dict[str, Any], ...]


class GetPrivileges(Command[Privileges]):
    """Ask what a plugin at a registry needs; what was fetched stays for the pull that follows."""

    TYPE: ClassVar[str] = "pull.privileges.get.v1"

    remote: str
    meta_headers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    credentials: Sealed | None = None
    #: What the credentials are sealed for.
    subject: str = ""


class ArchivedPlugin(Value):
    """A plugin in an archive, for this machine."""

    #: Of its entry: a manifest, or an index.
    digest: str
    #: What the archive calls it, where that is a reference; else empty.
    name: str
    #: What it needs, as Docker's privileges.
    privileges: tuple[dict[str, Any], ...]


class Archived(Message):
    """What was found in an archive."""

    TYPE: ClassVar[str] = "pull.archive.described.v1"

    plugins: tuple[ArchivedPlugin, ...]


class DescribeArchive(Command[Archived]):
    """Ask which plugins are in an archive that was brought; changes nothing."""

    TYPE: ClassVar[str] = "pull.archive.describe.v1"

    archive_id: str


class RemotePlugin(Message):
    """A plugin at a registry, for this machine."""

    TYPE: ClassVar[str] = "pull.plugin.reply.v1"

    #: Docker's plugin config, as its blob has it.
    config: str
    manifest_digest: str
    layer_digests: tuple[str, ...]
    #: What the reference stands for now: of an index, the index.
    resolved_digest: str = ""


class DescribePlugin(Command[RemotePlugin]):
    """Ask what a plugin at a registry is; no layer is fetched."""

    TYPE: ClassVar[str] = "pull.plugin.describe.v1"

    remote: str
    meta_headers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    credentials: Sealed | None = None
    #: What the credentials are sealed for.
    subject: str = ""


class LoggedIn(Message):
    """The registry's answer to a login."""

    TYPE: ClassVar[str] = "pull.registry.reply.v1"

    status: str
    #: Sealing a reply is the gateway's to ask for: an identity token is a secret.
    identity_token: Sealed | None = None


class LogIn(Command[LoggedIn]):
    """Check credentials at a registry."""

    TYPE: ClassVar[str] = "pull.registry.login.v1"

    server_address: str
    credentials: Sealed
    subject: str
    #: Public key of the gateway in base64; an identity token is sealed to it, for *subject*.
    answer_key: str
