"""What the runc binary is and can do: `version` and `features`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What ``runc --version`` prints; empty where the build does not say."""

    runc: str
    commit: str = ""
    spec: str = ""
    go: str = ""
    libseccomp: str = ""

    @classmethod
    def from_text(cls, text: str) -> Version:
        """Read the lines of ``--version``. Raises ValueError if they are not runc's."""
        first, *rest = text.strip().splitlines() or [""]
        name, _, number = first.partition(" version ")
        if name != "runc" or not number:
            raise ValueError(f"not runc's version: {first!r}")
        said = dict(line.split(": ", 1) for line in rest if ": " in line)
        known = {key: said[key] for key in ("commit", "spec", "go", "libseccomp") if key in said}
        return cls(runc=number, **known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What this runc was built with."""

    oci_version_min: str
    oci_version_max: str
    hooks: tuple[str, ...]
    mount_options: tuple[str, ...]
    namespaces: tuple[str, ...]
    capabilities: tuple[str, ...]
    cgroup_v1: bool
    cgroup_v2: bool
    cgroup_systemd: bool
    seccomp: bool
    apparmor: bool
    selinux: bool
    annotations: Mapping[str, str]
    #: All of it as runc printed it.
    raw: Mapping[str, Any]

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Features:
        """Read the answer. Raises LookupError, TypeError or ValueError on other JSON."""
        linux = fields.get("linux") or {}
        cgroup = linux.get("cgroup") or {}
        return cls(
            oci_version_min=str(fields["ociVersionMin"]),
            oci_version_max=str(fields["ociVersionMax"]),
            hooks=tuple(fields.get("hooks") or ()),
            mount_options=tuple(fields.get("mountOptions") or ()),
            namespaces=tuple(linux.get("namespaces") or ()),
            capabilities=tuple(linux.get("capabilities") or ()),
            cgroup_v1=bool(cgroup.get("v1")),
            cgroup_v2=bool(cgroup.get("v2")),
            cgroup_systemd=bool(cgroup.get("systemd")),
            seccomp=_enabled(linux, "seccomp"),
            apparmor=_enabled(linux, "apparmor"),
            selinux=_enabled(linux, "selinux"),
            annotations=dict(fields.get("annotations") or {}),
            raw=fields,
        )


def _enabled(linux: Mapping[str, Any], name: str) -> bool:
    return bool((linux.get(name) or {}).get("enabled"))
