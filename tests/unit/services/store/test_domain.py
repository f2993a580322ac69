"""The store's decisions, one by one."""

from __future__ import annotations

import json

import pytest

from services.store.domain import ended, runtime
from services.store.domain.restart import Backoff
from shared import errdefs
from shared.contracts.executor import Exit, HealthStatus, NoNewPrivileges, Seccomp
from shared.contracts.plugin import Plugin, PluginStatus
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import initial_settings
from tests.support.store import CONFIG


def plugin_of(config: bytes) -> Plugin:
    """Return a plugin as it is right after its install."""
    parsed = PluginConfig.from_json(config)
    return Plugin(
        plugin_id="ab" * 32,
        name="p:latest",
        reference="p:latest",
        enabled=True,
        config=parsed.to_dict(),
        settings=initial_settings(parsed).to_dict(),
        config_digest="",
        manifest_digest="",
        created_at_ns=0,
    )


def test_pauses_grow_from_none_to_the_cap() -> None:
    """The first restart follows at once, later ones ever later, none after the cap."""
    backoff = Backoff(first_pause_s=0.1, longest_pause_s=60)

    assert [backoff.pause_s(n) for n in (1, 2, 3, 4)] == [0.0, 0.1, 0.2, 0.4]
    assert backoff.pause_s(10_000) == 60


def test_run_that_lasted_clears_the_count() -> None:
    """A plugin that ran long enough starts counting anew."""
    backoff = Backoff(lasting_run_s=10)

    assert backoff.count(7, ran_s=9.9) == 8
    assert backoff.count(7, ran_s=10.0) == 1


def test_exited_plugin_is_due_after_its_pause() -> None:
    """The due time counts from the end, and the reason is told."""
    plugin = ended.exited(plugin_of(CONFIG), Exit(exit_code=3, exited_at_ns=5 * 10**9), Backoff())

    assert plugin.status.restart_at_ns == 5 * 10**9
    assert plugin.status.message == "exited with code 3"


@pytest.mark.parametrize(("was_healthy", "restarts"), [(False, 4), (True, 1)])
def test_run_that_was_never_healthy_has_not_lasted(*, was_healthy: bool, restarts: int) -> None:
    """However long it took to find out; one that was healthy for long starts counting anew."""
    sick = PluginStatus(
        started_at_ns=1,
        restarts=3,
        health=HealthStatus.UNHEALTHY,
        health_message="no answer",
        was_healthy=was_healthy,
    )
    plugin = plugin_of(CONFIG).model_copy(update={"status": sick})

    now = ended.exited(plugin, Exit(exit_code=0, exited_at_ns=3600 * 10**9), Backoff())

    assert now.status.restarts == restarts
    assert now.status.message == "exited with code 0 while unhealthy: no answer"
    assert (now.status.health, now.status.was_healthy) == (HealthStatus.NONE, False)


def test_container_has_the_plugin_s_config_and_settings() -> None:
    """Entrypoint, arguments, environment and namespaces come from config and settings."""
    config = runtime.container_config(
        plugin_of(CONFIG), rootfs="/r", propagated="/p", seccomp=Seccomp.DEFAULT
    )

    assert config.args == ("/p",)
    assert config.env == ("DEBUG=0",)
    assert (config.host_network, config.host_names, config.host_pid) == (True, True, False)
    assert config.propagated_mount is None
    assert config.seccomp is Seccomp.DEFAULT


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b'{"mounts": [{"name": "m", "destination": "/d"}]}', "mount source is not specified"),
        (b'{"linux": {"devices": [{"name": "d"}]}}', "error gathering device information"),
    ],
)
def test_setting_that_is_missing_is_told_before_anything_starts(
    config: bytes, message: str
) -> None:
    """A mount without a source or a device without a path is an error, not a crash."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        runtime.container_config(
            plugin_of(config), rootfs="/r", propagated="/p", seccomp=Seccomp.DEFAULT
        )


def test_plugin_of_old_that_wants_a_bridge_does_not_start() -> None:
    """One that was installed before such plugins were refused gets no empty network either."""
    plugin = plugin_of(b'{"network": {"type": "bridge"}}')

    with pytest.raises(errdefs.Unimplemented, match="plugin p:latest asks for network bridge"):
        runtime.container_config(plugin, rootfs="/r", propagated="/p", seccomp=Seccomp.DEFAULT)


def test_plugin_without_a_socket_is_told_so() -> None:
    """A plugin that nobody could call is refused with what to do."""
    with pytest.raises(errdefs.InvalidArgument, match=r"Interface\.Socket"):
        runtime.ready(plugin_of(b'{"description": "d"}'), 1)


@pytest.mark.parametrize(
    ("wish", "uid", "gains_nothing"),
    [
        (NoNewPrivileges.ROOT, 0, True),
        (NoNewPrivileges.ROOT, 1000, False),
        (NoNewPrivileges.ALL, 1000, True),
        (NoNewPrivileges.NONE, 0, False),
    ],
    ids=["root", "a user", "all", "none"],
)
def test_who_gains_nothing_by_set_uid_programs(
    wish: NoNewPrivileges, uid: int, gains_nothing: bool
) -> None:
    """By default those that run as root; others may be made for it."""
    says = {**json.loads(CONFIG), "User": {"UID": uid, "GID": uid}}
    plugin = plugin_of(json.dumps(says).encode())

    config = runtime.container_config(plugin, rootfs="/r", propagated="/p", no_new_privileges=wish)

    assert config.no_new_privileges is gains_nothing
