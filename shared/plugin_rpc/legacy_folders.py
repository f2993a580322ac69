"""Where Docker's legacy plugins (v1) are found: sockets, and files that name an address."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field

from shared import errdefs
from shared.oci import go_json
from shared.oci.go_struct import GoStruct
from shared.plugin_rpc import endpoint
from shared.plugin_rpc.endpoint import Endpoint, Tls

_SOCKETS = Path("/run/docker/plugins")
_SPECS = (Path("/etc/docker/plugins"), Path("/usr/lib/docker/plugins"))
#: In the order in which they count.
_SPEC_SUFFIXES = (".spec", ".json")


class _TlsSpec(GoStruct):
    ca_file: str = Field(default="", alias="CAFile")
    cert_file: str = Field(default="", alias="CertFile")
    key_file: str = Field(default="", alias="KeyFile")
    insecure_skip_verify: bool = Field(default=False, alias="InsecureSkipVerify")


class _Spec(GoStruct):
    address: str = Field(default="", alias="Addr")
    tls: _TlsSpec | None = Field(default=None, alias="TLSConfig")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyFolders:
    """The folders, in the order in which they are looked through."""

    sockets: Path = _SOCKETS
    specs: tuple[Path, ...] = _SPECS

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read WHERRY_V1_PLUGIN_SOCKETS and WHERRY_V1_PLUGIN_SPECS; raises InvalidArgument."""
        sockets = _paths(env, "WHERRY_V1_PLUGIN_SOCKETS") or (_SOCKETS,)
        if len(sockets) > 1:
            raise errdefs.InvalidArgument("WHERRY_V1_PLUGIN_SOCKETS: must be one folder")
        return cls(sockets=sockets[0], specs=_paths(env, "WHERRY_V1_PLUGIN_SPECS") or _SPECS)

    def find(self, name: str) -> Endpoint:
        """Return where a plugin is; its name is that of the file.

        Raises NotFound, and InvalidArgument when the file is not as it must be.
        """
        if _is_file_name(name):
            for path in _places(self.sockets, name, ".sock"):
                if _is(stat.S_ISSOCK, path):
                    return _unverified(name, f"unix://{path}")
            for path in self._spec_places(name):
                if _is(stat.S_ISREG, path):
                    return _read(name, path)
        raise errdefs.NotFound(f'plugin "{name}" not found', detail={"plugin": name})

    def names(self) -> tuple[str, ...]:
        """Return the names of all that are found, sockets first.

        One that is not UTF-8 is passed over: no message could carry it.
        """
        found = [*_socket_names(self.sockets)]
        for folder in self.specs:
            found += _spec_names(folder)
        return tuple(dict.fromkeys(filter(_is_text, found)))

    def _spec_places(self, name: str) -> Iterator[Path]:
        for folder in self.specs:
            for suffix in _SPEC_SUFFIXES:
                yield from _places(folder, name, suffix)


def _paths(env: Mapping[str, str], variable: str) -> tuple[Path, ...]:
    paths = tuple(Path(word.strip()) for word in env.get(variable, "").split(",") if word.strip())
    for path in paths:
        if not path.is_absolute():
            raise errdefs.InvalidArgument(f"{variable}={path}: must be an absolute path")
    return paths


def _is_file_name(name: str) -> bool:
    return (
        bool(name) and "\0" not in name and all(p not in {"", ".", ".."} for p in name.split("/"))
    )


def _places(folder: Path, name: str, suffix: str) -> tuple[Path, Path]:
    return folder / f"{name}{suffix}", folder / name / f"{name}{suffix}"


def _socket_names(folder: Path) -> Iterator[str]:
    for entry in _entries(folder):
        inner = entry / f"{entry.name}.sock" if _is(stat.S_ISDIR, entry) else entry
        if _is(stat.S_ISSOCK, inner):
            yield inner.stem


def _spec_names(folder: Path) -> Iterator[str]:
    for entry in _entries(folder):
        if _is(stat.S_ISDIR, entry):
            inner = (entry / f"{entry.name}{suffix}" for suffix in _SPEC_SUFFIXES)
            if any(_is(stat.S_ISREG, path) for path in inner):
                yield entry.name
        elif entry.suffix in _SPEC_SUFFIXES:
            yield entry.stem


def _entries(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise errdefs.Internal(
            f"cannot look for plugins in {folder}: {error.strerror}; make it readable, or name "
            "other folders by WHERRY_V1_PLUGIN_SOCKETS and WHERRY_V1_PLUGIN_SPECS"
        ) from error


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Tell whether something of a kind is there; a name too long for a file has nothing."""
    try:
        return kind(path.stat().st_mode)
    except OSError:
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unverified(name: str, address: str) -> Endpoint:
    return endpoint.parse(name, address, Tls(insecure_skip_verify=True))


def _read(name: str, path: Path) -> Endpoint:
    try:
        content = path.read_bytes()
        if path.suffix == ".spec":
            return _unverified(name, content.decode().strip())
        spec = _Spec.from_go(go_json.decode(content))
    except (OSError, ValueError) as error:
        raise errdefs.InvalidArgument(
            f"{path} does not say where plugin {name} is: {error}", docker_unclassed=True
        ) from error
    return endpoint.parse(name, spec.address, _tls(spec.tls))


def _tls(spec: _TlsSpec | None) -> Tls | None:
    if spec is None:
        return None
    return Tls(
        ca_file=spec.ca_file,
        cert_file=spec.cert_file,
        key_file=spec.key_file,
        # Without an authority of their own these plugins have always been taken at their word.
        insecure_skip_verify=spec.insecure_skip_verify or not spec.ca_file,
    )
