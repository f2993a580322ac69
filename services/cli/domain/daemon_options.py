"""What dockerd can be told, as flags and in daemon.json, and what becomes of it here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """How a value is written."""

    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    #: A flag that may come several times; a list in daemon.json.
    LIST = "list"
    #: Flags of `key=value`; an object in daemon.json.
    MAP = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that dockerd can be told."""

    flag: str
    kind: Kind = Kind.TEXT
    short: str = ""
    #: Its name in daemon.json, where that is not the flag's.
    named: str = ""
    #: What it means here; empty: it is taken and ignored, with a warning.
    meaning: str = ""
    #: The variable that it becomes, where a value is passed on as it is.
    variable: str = ""

    @property
    def key(self) -> str:
        """Return its name in daemon.json."""
        return self.named or self.flag


def _heeded(flag: str, meaning: str, *, variable: str = "", kind: Kind = Kind.TEXT,
            short: str = "", named: str = "") -> Option:  # fmt: skip
    return Option(
        flag=flag, kind=kind, short=short, named=named, meaning=meaning, variable=variable
    )


_LIST, _SWITCH, _NUMBER, _MAP = Kind.LIST, Kind.SWITCH, Kind.NUMBER, Kind.MAP

#: Options of dockerd 28.3 that mean something.
HEEDED: Final = (
    _heeded("add-runtime", "OCI runtimes, `name=path`; with arguments in daemon.json",
            kind=_MAP, named="runtimes", variable="WHERRY_RUNTIMES"),
    _heeded("authorization-plugin", "plugins that are asked about each request",
            kind=_LIST, named="authorization-plugins", variable="WHERRY_AUTHORIZATION_PLUGINS"),
    _heeded("data-root", "what survives a reboot", short="g", variable="WHERRY_ROOT"),
    _heeded("debug", "log more", kind=_SWITCH, short="D"),
    _heeded("default-runtime", "the runtime that runs plugins", variable="WHERRY_DEFAULT_RUNTIME"),
    _heeded("exec-root", "sockets, locks, running containers; at most 60 bytes",
            variable="WHERRY_EXEC_ROOT"),
    _heeded("experimental", "shown by `docker info` and `docker version`",
            kind=_SWITCH, variable="WHERRY_EXPERIMENTAL"),
    _heeded("group", "whom the socket belongs to, beside root",
            short="G", variable="WHERRY_SOCKET_GROUP"),
    _heeded("host", "where the API is served: unix://, tcp://, fd://",
            kind=_LIST, short="H", named="hosts"),
    _heeded("http-proxy", "for registries", variable="HTTP_PROXY"),
    _heeded("https-proxy", "for registries", variable="HTTPS_PROXY"),
    _heeded("insecure-registry", "registries without verified TLS",
            kind=_LIST, named="insecure-registries", variable="WHERRY_INSECURE_REGISTRIES"),
    _heeded("label", "`key=value`, shown by `docker info`",
            kind=_LIST, named="labels", variable="WHERRY_LABELS"),
    _heeded("live-restore", "plugins go on when this ends", kind=_SWITCH,
            variable="WHERRY_LIVE_RESTORE"),
    _heeded("log-level", "debug, info, warn, error or fatal", short="l",
            variable="WHERRY_LOG_LEVEL"),
    _heeded("max-concurrent-downloads", "layers of one pull on their way at a time",
            kind=_NUMBER, variable="WHERRY_PULL_TRANSFERS"),
    _heeded("metrics-addr", "where metrics are served for Prometheus",
            variable="WHERRY_METRICS_ADDRESS"),
    _heeded("no-proxy", "hosts that are asked without a proxy", variable="NO_PROXY"),
    _heeded("pidfile", "a file for the process's number", short="p"),
    _heeded("registry-mirror", "mirrors of Docker Hub",
            kind=_LIST, named="registry-mirrors", variable="WHERRY_REGISTRY_MIRRORS"),
    _heeded("shutdown-timeout", "seconds for plugins to stop in",
            kind=_NUMBER, variable="WHERRY_SHUTDOWN_TIMEOUT_S"),
    _heeded("tls", "speak TLS on tcp://", kind=_SWITCH),
    _heeded("tlscacert", "the authority of clients' certificates"),
    _heeded("tlscert", "the certificate"),
    _heeded("tlskey", "its key"),
    _heeded("tlsverify", "ask clients for a certificate", kind=_SWITCH),
)  # fmt: skip

_TEXTS: Final = """
    api-cors-header bip bip6 cgroup-parent containerd containerd-namespace
    containerd-plugins-namespace default-cgroupns-mode default-gateway default-gateway-v6
    default-ipc-mode default-shm-size fixed-cidr fixed-cidr-v6 init-path ip log-driver log-format
    min-api-version seccomp-profile swarm-default-advertise-addr userland-proxy-path userns-remap
"""
_NUMBERS: Final = """
    cpu-rt-period cpu-rt-runtime max-concurrent-uploads max-download-attempts mtu
    network-control-plane-mtu network-diagnostic-port
"""
_SWITCHES: Final = """
    allow-direct-routing cri-containerd icc init ip-forward ip-forward-no-drop ip-masq ip6tables
    iptables ipv6 no-new-privileges raw-logs rootless selinux-enabled userland-proxy
"""
#: Options of dockerd 28.3 about what this node has not: containers, images, networks, swarm.
IGNORED: Final = (
    *(Option(flag=flag) for flag in _TEXTS.split()),
    *(Option(flag=flag, kind=_NUMBER) for flag in _NUMBERS.split()),
    *(Option(flag=flag, kind=_SWITCH) for flag in _SWITCHES.split()),
    Option(flag="allow-nondistributable-artifacts", kind=_LIST),
    Option(flag="bridge", short="b"),
    Option(flag="cdi-spec-dir", kind=_LIST, named="cdi-spec-dirs"),
    Option(flag="default-address-pool", kind=_LIST, named="default-address-pools"),
    Option(flag="default-network-opt", kind=_MAP, named="default-network-opts"),
    Option(flag="default-ulimit", kind=_MAP, named="default-ulimits"),
    Option(flag="dns", kind=_LIST),
    Option(flag="dns-opt", kind=_LIST, named="dns-opts"),
    Option(flag="dns-search", kind=_LIST),
    Option(flag="exec-opt", kind=_LIST, named="exec-opts"),
    Option(flag="feature", kind=_MAP, named="features"),
    Option(flag="host-gateway-ip", kind=_LIST, named="host-gateway-ips"),
    Option(flag="log-opt", kind=_MAP, named="log-opts"),
    Option(flag="node-generic-resource", kind=_LIST, named="node-generic-resources"),
    Option(flag="storage-driver", short="s"),
    Option(flag="storage-opt", kind=_LIST, named="storage-opts"),
)
#: Keys of daemon.json that have no flag, and mean nothing here.
FILE_ONLY: Final = frozenset({"builder", "deprecated-key-path", "host-gateway-ip"})

#: What SIGHUP takes up from daemon.json.
RELOADED: Final = frozenset(
    {"authorization-plugins", "debug", "default-runtime", "insecure-registries", "labels"}
    | {"live-restore", "registry-mirrors", "runtimes", "shutdown-timeout"}
)

OPTIONS: Final = tuple(sorted((*HEEDED, *IGNORED), key=lambda option: option.flag))
BY_KEY: Final = {option.key: option for option in OPTIONS}
