"""What is to be thought of a host: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.cli.domain.diagnosis import Finding, Verdict

#: The first kernel with pidfd_open(2), by which processes are followed.
_KERNEL: Final = (5, 3)
#: The first runc that knows cgroup v2, and the first conmon whose logs can be reopened.
_RUNC: Final = (1, 0, 0)
_CONMON: Final = (2, 0, 0)
#: What the executor uses for itself: mounts, namespaces, other owners' files, other users.
_NEEDED: Final = frozenset({"SYS_ADMIN", "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID"})
_CONTROLLERS: Final = frozenset({"cpu", "memory", "pids", "cpuset", "freezer"})
#: Mount options under which a root file system is no use.
_HARMFUL: Final = ("noexec", "nodev", "nosuid")
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
_ROOM_BYTES: Final = 2 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder, or the deepest that exists above it."""

    path: str
    filesystem: str
    options: tuple[str, ...]
    free_bytes: int
    #: Mode and owner; None while the folder is not there.
    mode: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was seen of a host."""

    is_root: bool
    kernel: str
    #: Of v1 by hierarchy, of v2 those that may be delegated; which of the two is there.
    controllers: frozenset[str]
    has_v1: bool
    has_v2: bool
    are_cgroups_writable: bool
    capabilities: frozenset[str]
    has_seccomp: bool
    #: By program: its version's line, or None when it is not on PATH.
    programs: Mapping[str, str | None]
    root: Place
    exec_root: Place
    socket: str
    #: What is wrong with Redis, by who asked; empty: nothing.
    redis: Mapping[str, str]
    has_private_redis: bool
    group: str | None
    inotify_instances: int


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield what is to be thought of each thing, the most basic first."""
    yield _rights(facts)
    yield _kernel(facts)
    yield _cgroups(facts)
    yield _capabilities(facts)
    yield _seccomp(facts)
    yield from _programs(facts)
    yield from _folders(facts)
    yield _socket(facts)
    yield _redis(facts)
    yield _inotify(facts)


def _rights(facts: Facts) -> Finding:
    if facts.is_root:
        return Finding(subject="user", found="root")
    return Finding(
        subject="user",
        verdict=Verdict.PROBLEM,
        found="not root",
        advice="run Wherry as root, and this with sudo: some of it can't be seen otherwise",
    )


def _kernel(facts: Facts) -> Finding:
    if _version(facts.kernel) >= _KERNEL:
        return Finding(subject="kernel", found=facts.kernel)
    return Finding(
        subject="kernel",
        verdict=Verdict.PROBLEM,
        found=facts.kernel,
        advice="processes are followed by pidfd, which Linux has since 5.3: take a newer kernel",
    )


def _cgroups(facts: Facts) -> Finding:
    kind = {(True, True): "v1 and v2", (True, False): "v1", (False, True): "v2"}.get(
        (facts.has_v1, facts.has_v2)
    )
    if kind is None:
        return Finding(
            subject="cgroups",
            verdict=Verdict.PROBLEM,
            found="none are mounted",
            advice="mount cgroup2 on /sys/fs/cgroup, or in a container pass /sys/fs/cgroup in",
        )
    if not facts.are_cgroups_writable:
        return Finding(
            subject="cgroups",
            verdict=Verdict.PROBLEM,
            found=f"{kind}, not writable",
            advice="plugins get cgroups below /wherry: in a container, mount /sys/fs/cgroup from "
            "the host, writable, with the host's cgroup namespace",
        )
    # What v2 always has, it has no controller for.
    missing = _CONTROLLERS - facts.controllers - ({"freezer"} if facts.has_v2 else set())
    if missing:
        return Finding(
            subject="cgroups",
            verdict=Verdict.WARNING,
            found=f"{kind}, without {', '.join(sorted(missing))}",
            advice="limits of these kinds fail: enable the controllers on the kernel's command "
            "line, or write +name into /sys/fs/cgroup/cgroup.subtree_control",
        )
    return Finding(subject="cgroups", found=kind)


def _capabilities(facts: Facts) -> Finding:
    missing = sorted(_NEEDED - facts.capabilities)
    if missing:
        return Finding(
            subject="capabilities",
            verdict=Verdict.PROBLEM,
            found=f"without {', '.join(missing)}",
            advice="the executor needs them; in a container, make it privileged",
        )
    if "SYS_RESOURCE" not in facts.capabilities:
        return Finding(
            subject="capabilities",
            verdict=Verdict.WARNING,
            found="all that is needed, without SYS_RESOURCE",
            advice="plugins that ask for it, or for more open files than the limit, don't start",
        )
    return Finding(subject="capabilities", found="all that is needed")


def _seccomp(facts: Facts) -> Finding:
    if facts.has_seccomp:
        return Finding(subject="seccomp", found="filters")
    return Finding(
        subject="seccomp",
        verdict=Verdict.WARNING,
        found="no filters in this kernel",
        advice="set WHERRY_PLUGIN_SECCOMP=unconfined; plugins may then make any system call",
    )


def _programs(facts: Facts) -> Iterator[Finding]:
    wanted = {"runc": _RUNC, "conmon": _CONMON}
    for program, version in facts.programs.items():
        least = wanted.get(program, (0,))
        if version is None:
            yield Finding(
                subject=program,
                verdict=Verdict.PROBLEM,
                found="not on PATH",
                advice=f"install it; on Debian and Ubuntu: apt-get install {_package(program)}",
            )
        elif _version(version) < least:
            yield Finding(
                subject=program,
                verdict=Verdict.PROBLEM,
                found=version,
                advice=f"{'.'.join(map(str, least))} or newer is needed",
            )
        else:
            yield Finding(subject=program, found=version)


def _package(program: str) -> str:
    return "procps" if program == "ps" else program


def _folders(facts: Facts) -> Iterator[Finding]:
    yield _folder("data root", facts.root, open_to=0o700)
    yield _folder("exec root", facts.exec_root, open_to=0o755)


def _folder(subject: str, place: Place, *, open_to: int) -> Finding:
    found = f"{place.path} on {place.filesystem}, {place.free_bytes / 2**30:.1f} GiB free"
    verdict, advice = Verdict.OK, ""
    harmful = [option for option in _HARMFUL if option in place.options]
    if subject == "data root" and harmful:
        verdict = Verdict.PROBLEM
        advice = (
            f"it is mounted {', '.join(harmful)}, and plugins' root file systems lie there: mount "
            "it without, or set WHERRY_ROOT"
        )
    elif place.filesystem in _REMOTE:
        verdict = Verdict.PROBLEM
        advice = "it is not a local file system: databases and sockets don't bear that"
    elif place.uid not in {None, 0}:
        verdict = Verdict.PROBLEM
        advice = f"it belongs to user {place.uid}, who could change what root runs: chown root"
    elif place.mode is not None and place.mode & ~open_to & 0o777:
        verdict = Verdict.WARNING
        advice = f"others may look in: chmod {open_to:o} {place.path}"
    elif subject == "data root" and place.free_bytes < _ROOM_BYTES:
        verdict = Verdict.WARNING
        advice = "a pull needs a layer's size twice: make room; `wherry gc` tells what can go"
    return Finding(subject=subject, verdict=verdict, found=found, advice=advice)


def _socket(facts: Facts) -> Finding:
    found = f"{facts.socket}, {len(facts.socket.encode())} of 107 bytes"
    if facts.group is None:
        return Finding(
            subject="socket",
            verdict=Verdict.WARNING,
            found=f"{found}, for root alone",
            advice="the group in WHERRY_SOCKET_GROUP is not there: add it if others than root "
            "are to use it (whoever does is root on this host)",
        )
    return Finding(subject="socket", found=f"{found}, for root and {facts.group}")


def _redis(facts: Facts) -> Finding:
    bad = {who: what for who, what in facts.redis.items() if what}
    if bad:
        who, what = next(iter(bad.items()))
        return Finding(
            subject="redis",
            verdict=Verdict.PROBLEM,
            found=f"as {who}: {what}",
            advice="look whether it runs where WHERRY_REDIS_URL says, and whether its users are "
            "those of this release",
        )
    if facts.has_private_redis and not facts.redis:
        return Finding(subject="redis", found="the node's own; it does not run yet")
    return Finding(subject="redis", found="answers")


def _inotify(facts: Facts) -> Finding:
    # The executor has two, and plugins have theirs.
    if facts.inotify_instances >= 64:
        return Finding(subject="inotify", found=f"{facts.inotify_instances} instances a user")
    return Finding(
        subject="inotify",
        verdict=Verdict.WARNING,
        found=f"{facts.inotify_instances} instances a user",
        advice="exits are told by it: sysctl fs.inotify.max_user_instances=128",
    )


def _version(text: str) -> tuple[int, ...]:
    """Return the numbers of the first version in a text: of `runc version 1.1.5+ds1`, 1.1.5."""
    for word in text.replace("-", " ").replace("+", " ").replace("=", " ").split():
        parts = word.strip("v,").split(".")
        if len(parts) > 1 and all(part.isdecimal() for part in parts):
            return tuple(map(int, parts))
    return (0,)
