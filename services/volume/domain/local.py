"""The rules of the local driver: names, options, and what is mounted for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared import errdefs

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_CHARACTERS = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
#: One folder's name.
_LONGEST_NAME = 255
_OPTIONS = frozenset({"type", "o", "device", "size"})
#: What an option needs beside it.
_NEEDED = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(?:[kmgtp]?(?:i?b)?)\s*", re.IGNORECASE)
#: File systems of other hosts.
_REMOTE = frozenset({"nfs", "nfs4", "cifs"})

#: What the kernel's CIFS takes one by.
_PASSWORDS = frozenset({"pass", "password", "pass2", "password2"})

#: Options that are flags of mount(2), and whether they set or clear them.
_FLAGS = {
    "defaults": (0, True),
    "ro": (1, True),
    "rw": (1, False),
    "nosuid": (2, True),
    "suid": (2, False),
    "nodev": (4, True),
    "dev": (4, False),
    "noexec": (8, True),
    "exec": (8, False),
    "sync": (16, True),
    "async": (16, False),
    "remount": (32, True),
    "mand": (64, True),
    "nomand": (64, False),
    "dirsync": (128, True),
    "noatime": (1024, True),
    "atime": (1024, False),
    "nodiratime": (2048, True),
    "diratime": (2048, False),
    "bind": (4096, True),
    "rbind": (4096 | 16384, True),
    "relatime": (1 << 21, True),
    "norelatime": (1 << 21, False),
    "strictatime": (1 << 24, True),
    "nostrictatime": (1 << 24, False),
}
_PROPAGATION = {
    "unbindable": 1 << 17,
    "runbindable": 1 << 17 | 16384,
    "private": 1 << 18,
    "rprivate": 1 << 18 | 16384,
    "slave": 1 << 19,
    "rslave": 1 << 19 | 16384,
    "shared": 1 << 20,
    "rshared": 1 << 20 | 16384,
}
_BIND = 4096
_READ_ONLY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPlan:
    """The arguments of mount(2)."""

    device: str
    type: str
    flags: int
    data: str
    #: Flags of a second call that sets how mounts travel; 0: none.
    propagation: int = 0

    @property
    def remount_flags(self) -> int:
        """Return the flags that a bind takes on only by a second call; 0: none."""
        is_plain = not self.flags & _BIND or not self.flags & _READ_ONLY
        return 0 if is_plain else self.flags | 32

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must not be repeated in errors, the longest first: one may hold another."""
        words = (word.partition("=") for word in self.data.split(","))
        found = (value for name, _, value in words if name in _PASSWORDS and value)
        return tuple(sorted(found, key=len, reverse=True))


def check_name(name: str) -> None:
    """Raise InvalidArgument, in dockerd's words, for a name that is no folder's."""
    if len(name) == 1:
        raise errdefs.InvalidArgument(
            "volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME.fullmatch(name):
        raise errdefs.InvalidArgument(
            f'"{name}" includes invalid characters for a local volume name, only "{_CHARACTERS}" '
            "are allowed. If you intended to pass a host directory, use absolute path"
        )
    if len(name) > _LONGEST_NAME:
        raise errdefs.InvalidArgument(
            f"volume name is too long: it has {len(name)} characters, and a local volume's has at "
            f"most {_LONGEST_NAME}"
        )


def check_options(options: Mapping[str, str]) -> None:
    """Raise InvalidArgument, in dockerd's words, for options that cannot be mounted."""
    for option in sorted(options):
        if option not in _OPTIONS:
            raise errdefs.InvalidArgument(f'invalid option: "{option}"')
    _check_cifs(options)
    if "size" in options:
        _check_size(options["size"])
    for option, needed in _NEEDED.items():
        missing = [one for one in needed if option in options and one not in options]
        if missing:
            raise errdefs.InvalidArgument(f'missing required option: "{missing[0]}"')


def _check_cifs(options: Mapping[str, str]) -> None:
    if options.get("type") != "cifs":
        return
    try:
        port = urlsplit(options.get("device", "")).port
    except ValueError as error:
        raise errdefs.InvalidArgument(f"error parsing mount device url: {error}") from error
    if port is not None:
        raise errdefs.InvalidArgument("port not allowed in CIFS device URL, include 'port' in 'o='")


def _check_size(size: str) -> None:
    found = _SIZE.fullmatch(size)
    if found is None:
        raise errdefs.InvalidArgument(f"invalid size: '{size}'")
    if float(found[1]) > 0:
        raise errdefs.InvalidArgument(
            "quota size requested but no quota support: local volumes are folders without a "
            "limit; take a driver that has one, or o=size=… with type=tmpfs"
        )


def plan(options: Mapping[str, str] | None) -> MountPlan | None:
    """Return what is mounted for a volume's options; None: nothing, the folder is the volume."""
    if not options or not (options.get("device") or options.get("type")):
        return None
    flags, propagation, data = 0, 0, []
    for word in filter(None, options.get("o", "").split(",")):
        if word in _PROPAGATION:
            propagation |= _PROPAGATION[word]
        elif word in _FLAGS:
            flag, sets = _FLAGS[word]
            flags = flags | flag if sets else flags & ~flag
        else:
            data.append(word)
    return MountPlan(
        device=options.get("device", ""),
        type=options.get("type", ""),
        flags=flags,
        data=",".join(data),
        propagation=propagation,
    )


def host_to_resolve(wanted: MountPlan) -> str | None:
    """Return the host whose address the kernel must be told; None: it needs none."""
    if wanted.type not in _REMOTE:
        return None
    named = [word[5:] for word in wanted.data.split(",") if word.startswith("addr=")]
    if named:
        return named[0]
    return urlsplit(wanted.device).hostname if wanted.type == "cifs" else None


def resolved(wanted: MountPlan, host: str, address: str) -> MountPlan:
    """Return a plan that names an address where it named a host."""
    data = wanted.data.replace(f"addr={host}", f"addr={address}", 1)
    device = wanted.device
    if data == wanted.data and wanted.type == "cifs":
        device = device.replace(host, address, 1)
    return MountPlan(
        device=device,
        type=wanted.type,
        flags=wanted.flags,
        data=data,
        propagation=wanted.propagation,
    )
