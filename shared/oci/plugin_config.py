"""Docker's plugin config.json: read as Go reads it, written as Go writes it.

Field order is that of Docker's generated structs, for it is the order on the wire.
"""

from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic.dataclasses import dataclass

from shared.oci import go_json
from shared.oci.go_struct import GoStruct

Strings = tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInterfaceType:
    """One capability a plugin implements, ``prefix.capability/version`` on the wire."""

    prefix: str = ""
    capability: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.prefix}.{self.capability}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split at the first slash and, before it, at the last dot; every text is accepted."""
        name, _, version = text.partition("/")
        prefix, _, capability = name.rpartition(".")
        return cls(prefix=prefix, capability=capability, version=version)

    @classmethod
    def from_go(cls, value: object) -> Self:
        """Read the wire form; raises GoJSONError, in Docker's words, unless it is a string."""
        if not isinstance(value, str):
            raw = go_json.quote(go_json.encode(value).decode())
            raise go_json.GoJSONError(f"{raw} is not a plugin interface type")
        return cls.parse(value)


def _read_type(value: object) -> object:
    return PluginInterfaceType.parse(value) if isinstance(value, str) else value


InterfaceType = Annotated[
    PluginInterfaceType, BeforeValidator(_read_type), PlainSerializer(str, return_type=str)
]


class PluginConfigArgs(GoStruct):
    """The default arguments after the entrypoint."""

    description: str = Field(default="", alias="Description")
    name: str = Field(default="", alias="Name")
    settable: Strings = Field(default=None, alias="Settable")
    value: Strings = Field(default=None, alias="Value")


class PluginEnv(GoStruct):
    """An environment variable; without a value it is known, but not set."""

    description: str = Field(default="", alias="Description")
    name: str = Field(default="", alias="Name")
    settable: Strings = Field(default=None, alias="Settable")
    value: str | None = Field(default=None, alias="Value")


class PluginConfigInterface(GoStruct):
    """The socket the plugin serves, and what it speaks there."""

    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset({"protocol_scheme"})

    protocol_scheme: str = Field(default="", alias="ProtocolScheme")
    socket: str = Field(default="", alias="Socket")
    types: tuple[InterfaceType, ...] | None = Field(default=None, alias="Types")


class PluginDevice(GoStruct):
    """A host device, or a folder of them."""

    description: str = Field(default="", alias="Description")
    name: str = Field(default="", alias="Name")
    path: str | None = Field(default=None, alias="Path")
    settable: Strings = Field(default=None, alias="Settable")


class PluginConfigLinux(GoStruct):
    """What the plugin asks of the kernel."""

    allow_all_devices: bool = Field(default=False, alias="AllowAllDevices")
    capabilities: Strings = Field(default=None, alias="Capabilities")
    devices: tuple[PluginDevice, ...] | None = Field(default=None, alias="Devices")


class PluginMount(GoStruct):
    """A mount into the plugin; without a source it can't run until one is set."""

    description: str = Field(default="", alias="Description")
    destination: str = Field(default="", alias="Destination")
    name: str = Field(default="", alias="Name")
    options: Strings = Field(default=None, alias="Options")
    settable: Strings = Field(default=None, alias="Settable")
    source: str | None = Field(default=None, alias="Source")
    type: str = Field(default="", alias="Type")


class PluginConfigNetwork(GoStruct):
    """The network mode, free text."""

    type: str = Field(default="", alias="Type")


class PluginConfigUser(GoStruct):
    """The ids the plugin asks to run as."""

    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset({"gid", "uid"})

    gid: int = Field(default=0, alias="GID")
    uid: int = Field(default=0, alias="UID")


class PluginConfigRootfs(GoStruct):
    """The layers of the root file system, by the digest of their tar."""

    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset({"type"})

    diff_ids: Strings = None
    type: str = ""


class PluginConfig(GoStruct):
    """What a plugin is and needs; never changed after install, settings lie over it."""

    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset({"docker_version", "rootfs"})

    args: PluginConfigArgs = Field(default=PluginConfigArgs(), alias="Args")
    description: str = Field(default="", alias="Description")
    docker_version: str = Field(default="", alias="DockerVersion")
    documentation: str = Field(default="", alias="Documentation")
    entrypoint: Strings = Field(default=None, alias="Entrypoint")
    env: tuple[PluginEnv, ...] | None = Field(default=None, alias="Env")
    interface: PluginConfigInterface = Field(default=PluginConfigInterface(), alias="Interface")
    ipc_host: bool = Field(default=False, alias="IpcHost")
    linux: PluginConfigLinux = Field(default=PluginConfigLinux(), alias="Linux")
    mounts: tuple[PluginMount, ...] | None = Field(default=None, alias="Mounts")
    network: PluginConfigNetwork = Field(default=PluginConfigNetwork(), alias="Network")
    pid_host: bool = Field(default=False, alias="PidHost")
    propagated_mount: str = Field(default="", alias="PropagatedMount")
    user: PluginConfigUser = Field(default=PluginConfigUser(), alias="User")
    work_dir: str = Field(default="", alias="WorkDir")
    rootfs: PluginConfigRootfs | None = None

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse config.json; raises GoJSONError, to which the caller adds what failed."""
        return cls.from_go(go_json.decode(data))

    def to_json(self) -> bytes:
        """Return the config blob's bytes, with the newline Go's Encoder ends on."""
        return go_json.encode(self.to_dict()) + b"\n"
