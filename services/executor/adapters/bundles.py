"""The folders of containers: bundle, record, sockets, exit."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from services.executor.adapters import rootfs
from services.executor.adapters.abis import lacking_abis
from services.executor.adapters.inotify import FolderEvents
from services.executor.adapters.own_places import OwnPlaces, is_bind
from services.executor.domain.layout import Bundle, Layout
from services.executor.domain.record import Record
from shared import errdefs
from shared.contracts.executor import ContainerConfig, ContainerMount, Exit, Resources, Seccomp
from shared.oci import runtime_spec
from shared.oci.devices import DeviceNode, resolve_devices

#: As a shell tells of SIGKILL.
_KILLED = 128 + signal.SIGKILL

_CPU_PERIOD_US = 100_000
_PROPAGATION = frozenset(
    f"{how}{kind}" for how in ("", "r") for kind in ("private", "shared", "slave", "unbindable")
)
_NO_PROGRAMS = ("nosuid", "nodev", "noexec")
_HOST_NAME_FILES = ("/etc/hosts", "/etc/resolv.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """What a container that was given more does not get of it."""

    disks: frozenset[tuple[int, int]]
    #: In the container.
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFolders:
    """ports.Bundles."""

    layout: Layout
    events: FolderEvents
    own: OwnPlaces

    def prepare(self, container_id: str, config: ContainerConfig) -> None:
        """Make the container's folder, ready its root file system and write its spec.

        Raises InvalidArgument when the configuration names what the host does not have, and
        PermissionDenied when it would reach what is Wherry's own.
        """
        bundle = self.layout.bundle(container_id)
        devices = resolve_devices(config.devices)
        self.own.refuse_devices(devices)
        mounts, hidden = self.own.refuse_mounts(config.mounts, bundle.path)
        config = config.model_copy(update={"mounts": _received_only(mounts) if hidden else mounts})
        bundle.sockets.mkdir(mode=0o755, parents=True, exist_ok=True)
        os.chown(bundle.sockets, config.uid, config.gid)
        if not Path(config.rootfs).is_dir():
            raise errdefs.InvalidArgument(f"root file system {config.rootfs} is no folder")
        rootfs.prepare(Path(config.rootfs), config.links)
        for mount in (*config.mounts, *config.last_mounts):
            if mount.create_source:
                Path(mount.source).mkdir(mode=0o755, parents=True, exist_ok=True)
        disks = self.own.disks() if config.allow_all_devices else frozenset()
        spec = _spec(config, bundle, self.layout, devices, Denied(disks=disks, paths=hidden))
        bundle.spec.write_text(json.dumps(spec))

    def load(self, container_id: str) -> Record | None:
        """Return what the container's folder remembers; None when it is not (all) there."""
        try:
            return Record.model_validate_json(self.layout.bundle(container_id).record.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def save(self, record: Record) -> None:
        """Replace what the container's folder remembers, atomically."""
        path = self.layout.bundle(record.container_id).record
        # For root alone: specs hold the environment, and with it people's secrets.
        self.layout.containers.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(record.model_dump_json())
        new.replace(path)

    def has(self, container_id: str) -> bool:
        """Tell whether there is a folder of the container."""
        return self.layout.bundle(container_id).path.exists()

    def container_ids(self) -> list[str]:
        """Return the ids of all folders."""
        try:
            return sorted(path.name for path in self.layout.containers.iterdir())
        except FileNotFoundError:
            return []

    def exit_of(self, container_id: str) -> Exit | None:
        """Return the exit that the supervisor recorded; None when it recorded none."""
        bundle = self.layout.bundle(container_id)
        try:
            code = int(bundle.exit_file.read_text())
            return Exit(
                exit_code=code,
                # Else it was a child that the kernel killed, and this end has another cause.
                oom_killed=code == _KILLED and self.ran_out_of_memory(container_id),
                exited_at_ns=bundle.exit_file.stat().st_mtime_ns,
            )
        except (FileNotFoundError, ValueError):
            return None

    def ran_out_of_memory(self, container_id: str) -> bool:
        """Tell whether the supervisor saw the kernel kill for want of memory."""
        return self.layout.bundle(container_id).oom_file.exists()

    def note_out_of_memory(self, container_id: str) -> None:
        """Note in the supervisor's place what it began to look for too late to see."""
        self.layout.bundle(container_id).oom_file.touch()

    async def out_of_memory(self, container_id: str) -> None:
        """Return once the supervisor has seen the kernel kill for want of memory."""
        bundle = self.layout.bundle(container_id)
        with self.events.watching(bundle.path) as appeared:
            while not bundle.oom_file.exists():
                await appeared.wait()
                appeared.clear()

    def sockets(self, container_id: str) -> str:
        """Return the host folder of the container's sockets."""
        return str(self.layout.bundle(container_id).sockets)

    def remove(self, container_id: str) -> None:
        """Delete the container's folder with all that is in it; none there is success."""
        path = self.layout.bundle(container_id).path
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except RecursionError:
            # A container may nest folders in its socket folder as deep as it likes.
            subprocess.run(["rm", "-rf", "--", path], check=True)

    def remove_all(self) -> None:
        """Delete the empty folders that the bundles and the runtime's state lay in."""
        for folder in (self.layout.containers, self.layout.state_root):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                raise errdefs.Conflict(f"{folder} is not empty; delete its containers") from error


def _spec(
    config: ContainerConfig,
    bundle: Bundle,
    layout: Layout,
    devices: tuple[DeviceNode, ...],
    denied: Denied,
) -> dict[str, object]:
    propagated = config.propagated_mount
    return runtime_spec.build(
        runtime_spec.ContainerSpec(
            rootfs=config.rootfs,
            args=config.args,
            env=config.env,
            cwd=config.cwd,
            uid=config.uid,
            gid=config.gid,
            capabilities=config.capabilities,
            shares_host_network=config.host_network,
            shares_host_pid=config.host_pid,
            shares_host_ipc=config.host_ipc,
            mounts=_mounts(config, bundle),
            propagated_mount=None
            if propagated is None
            else runtime_spec.propagated(propagated.source, propagated.destination),
            devices=devices,
            denied_disks=tuple(sorted(denied.disks)),
            allows_all_devices=config.allow_all_devices,
            cgroups_path=layout.cgroup_of(bundle.container_id),
            resources=_resources(config.resources),
            no_new_privileges=config.no_new_privileges,
            masked_paths=(*runtime_spec.thermal_throttle_paths(), *denied.paths),
            seccomp_machine=platform.machine() if config.seccomp is Seccomp.DEFAULT else None,
            seccomp_lacking=lacking_abis(),
        )
    )


def _resources(limits: Resources) -> runtime_spec.Resources:
    quota = None if limits.cpus is None else int(limits.cpus * _CPU_PERIOD_US)
    return runtime_spec.Resources(
        memory_bytes=limits.memory_bytes,
        cpu_quota_us=quota,
        cpu_period_us=None if quota is None else _CPU_PERIOD_US,
        pids=limits.pids,
    )


def _mounts(config: ContainerConfig, bundle: Bundle) -> tuple[runtime_spec.Mount, ...]:
    asked, last = map(_to_spec, config.mounts), map(_to_spec, config.last_mounts)
    sockets = _bind(str(bundle.sockets), config.socket_dir, "rbind", "rshared")
    names = [_bind(path, path, "rbind", "ro") for path in _HOST_NAME_FILES if config.host_names]
    return (*asked, sockets, *names, *_secrets(bundle), *last)


def _received_only(mounts: tuple[ContainerMount, ...]) -> tuple[ContainerMount, ...]:
    """Have binds that say nothing of it take the host's mounts in, and send it none.

    Below one of them something is hidden by a mount, which must not reach the host.
    """
    return tuple(
        mount.model_copy(update={"options": (*mount.options, "rslave")})
        if is_bind(mount) and _PROPAGATION.isdisjoint(mount.options)
        else mount
        for mount in mounts
    )


def _secrets(bundle: Bundle) -> tuple[runtime_spec.Mount, ...]:
    if not bundle.secrets.is_dir():
        return ()
    return (_bind(str(bundle.secrets), "/run/secrets", "bind", "ro", *_NO_PROGRAMS),)


def _to_spec(mount: ContainerMount) -> runtime_spec.Mount:
    return runtime_spec.Mount(
        destination=mount.destination,
        type=mount.type,
        source=mount.source,
        options=mount.options,
    )


def _bind(source: str, destination: str, *options: str) -> runtime_spec.Mount:
    return runtime_spec.Mount(destination=destination, type="bind", source=source, options=options)
