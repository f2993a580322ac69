"""Looks at this host; changes nothing."""

from __future__ import annotations

import asyncio
import grp
import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from services.cli.domain.examination import Facts, Place
from shared import errdefs
from shared.node.config import NodeConfig
from shared.sentinels import Sentinels

_CGROUPS = Path("/sys/fs/cgroup")
_CAPABILITIES = {0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER", 6: "SETGID", 7: "SETUID"} | {
    21: "SYS_ADMIN",
    24: "SYS_RESOURCE",
}
_ANSWER_LIMIT_S = 5.0


def look(env: Mapping[str, str], node: NodeConfig, services: tuple[str, ...]) -> Facts:
    """Return what is seen of this host, and of the node's Redis by each of *services*."""
    v1 = _v1_controllers()
    v2 = _words(_CGROUPS / "cgroup.controllers")
    return Facts(
        is_root=os.geteuid() == 0,
        kernel=platform.release(),
        controllers=v1 | v2,
        has_v1=bool(v1),
        has_v2=any(kind == "cgroup2" for _, kind, _ in _mounts()),
        are_cgroups_writable=_are_writable(),
        capabilities=_capabilities(),
        has_seccomp=Path("/proc/sys/kernel/seccomp").exists(),
        programs=_programs(env, node),
        root=_place(node.root),
        exec_root=_place(node.exec_root),
        socket=str(node.socket),
        redis=_redis(env, node, services),
        has_private_redis=node.private_redis,
        group=_group(env.get("WHERRY_SOCKET_GROUP") or "docker"),
        inotify_instances=int(_text(Path("/proc/sys/fs/inotify/max_user_instances")) or 0),
    )


def _programs(env: Mapping[str, str], node: NodeConfig) -> dict[str, str | None]:
    names = {
        "runc": env.get("WHERRY_RUNC") or "runc",
        "conmon": env.get("WHERRY_CONMON") or "conmon",
        "ps": "ps",
    }
    if node.private_redis:
        names["redis-server"] = "redis-server"
    return {name: _version_line(program) for name, program in names.items()}


def _version_line(program: str) -> str | None:
    found = shutil.which(program)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.partition("\n")[0].strip()


def _mounts() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return mount points with their kind of file system and options, in the order of mounting."""
    rows = [line.split() for line in _text(Path("/proc/self/mounts")).splitlines()]
    return [(row[1], row[2], tuple(row[3].split(","))) for row in rows]


def _v1_controllers() -> frozenset[str]:
    return frozenset(
        option
        for _, kind, options in _mounts()
        if kind == "cgroup"
        for option in options
        if not option.startswith(("rw", "ro", "name=")) and option.isalpha()
    )


def _are_writable() -> bool:
    writable = [
        "rw" in options and os.access(path, os.W_OK)
        for path, kind, options in _mounts()
        if kind in {"cgroup", "cgroup2"}
    ]
    return bool(writable) and all(writable)


def _capabilities() -> frozenset[str]:
    for line in _text(Path("/proc/self/status")).splitlines():
        if line.startswith("CapBnd:"):
            bits = int(line.split()[1], 16)
            return frozenset(name for number, name in _CAPABILITIES.items() if bits >> number & 1)
    return frozenset()


def _place(path: Path) -> Place:
    there = path
    while not there.exists():
        there = there.parent
    resolved = there.resolve()
    kind, options = "", tuple[str, ...]()
    for mount, of_kind, with_options in _mounts():
        if resolved.is_relative_to(mount):  # the last one is on top
            kind, options = of_kind, with_options
    room = os.statvfs(there)
    seen = there.stat() if there == path else None
    return Place(
        path=str(path),
        filesystem=kind,
        options=options,
        free_bytes=room.f_bavail * room.f_frsize,
        mode=None if seen is None else stat.S_IMODE(seen.st_mode),
        uid=None if seen is None else seen.st_uid,
    )


def _redis(env: Mapping[str, str], node: NodeConfig, services: tuple[str, ...]) -> dict[str, str]:
    if node.private_redis:
        there = Path(node.redis_url.removeprefix("unix://")).exists()
        return {"root": _complaint(node.redis_url)} if there else {}
    complaints = {}
    for service in services:
        try:
            complaints[service] = _complaint(NodeConfig.from_env(env, service).redis_url)
        except errdefs.InvalidArgument as error:
            complaints[service] = error.message
    return complaints


def _complaint(url: str) -> str:
    """Return what is wrong with Redis as its user in *url* sees it; empty: nothing."""
    # Late: half a second that only this verb is worth.
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(_server(url), socket_timeout=_ANSWER_LIMIT_S) as client:
            client.ping()
    except (RedisError, OSError, ValueError, errdefs.InvalidArgument) as error:
        return str(error)
    return ""


def _server(url: str) -> str:
    """Return the address of Redis itself: of the master, where *url* names Sentinels."""
    sentinels = Sentinels.parse(url)
    if sentinels is None:
        return url
    from shared.bus.master import find_master

    host, port = asyncio.run(find_master(sentinels))
    return sentinels.at(host, port)


def _group(name: str) -> str | None:
    try:
        return grp.getgrgid(int(name)).gr_name if name.isdecimal() else grp.getgrnam(name).gr_name
    except KeyError:
        return None


def _words(path: Path) -> frozenset[str]:
    return frozenset(_text(path).split())


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
