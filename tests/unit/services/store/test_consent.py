"""What plugins were granted: kept at install, extended by set, asked for at every start."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.store.domain.operation import Change, Unit
from shared import errdefs
from shared.contracts import job
from shared.contracts.job import JobKind
from shared.contracts.plugin import Consent, Plugin
from shared.contracts.store import EnablePlugin, GrantPlugin, SetPlugin
from shared.oci import privileges
from shared.oci.plugin_config import PluginConfig
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually


def config(**keys: Any) -> dict[str, Any]:
    """Return the config of a plugin with a settable mount and device."""
    return {
        "interface": {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"},
        "entrypoint": ["/p"],
        "network": {"type": "host"},
        "mounts": [
            {"name": "data", "type": "bind", "source": "/data", "settable": ["source"]},
            {"name": "fixed", "type": "bind", "source": "/fixed"},
        ],
        "linux": {
            "capabilities": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"],
            "devices": [{"name": "dev", "path": "/dev/fuse", "settable": ["path"]}],
        },
        **keys,
    }


async def installed(store: StoreUnderTest) -> Plugin:
    """Put a plugin into the inventory that was created from this config."""
    return await store.install(config_json=json.dumps(config()).encode())


async def changed_behind_its_back(store: StoreUnderTest, plugin: Plugin, **keys: Any) -> None:
    """Change the record as somebody could who writes to the database."""
    edited = store.now(plugin).model_copy(update=keys)
    await store.inventory.commit(Unit(changes=(Change.of(edited),)))


async def start(store: StoreUnderTest) -> None:
    """Enable the plugin."""
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())


def wider(**keys: Any) -> dict[str, Any]:
    """Return the recorded form of a config that asks for more."""
    return PluginConfig.from_json(json.dumps(config(**keys)).encode()).to_dict()


def body(**keys: Any) -> tuple[dict[str, Any], ...]:
    """Return what must be granted to a config."""
    needed = privileges.compute(PluginConfig.from_go(wider(**keys)))
    return tuple(privilege.to_dict() for privilege in needed)


def hows(plugin: Plugin) -> dict[tuple[str, tuple[str, ...]], Consent]:
    """Return how each of a plugin's privileges was consented to."""
    return {(one.name, one.value): one.how for one in plugin.grant or ()}


async def do_job(store: StoreUnderTest, kind: JobKind, **keys: Any) -> None:
    """Pull the plugin, or upgrade it, with a grant of what its config asks for."""
    granted = keys.pop("granted", body(**keys))
    request = job.JobRequest(kind=kind, name="p:latest", remote="r.example/p:v", privileges=granted)
    await store.jobs.begin(job.BeginJob(job_id=kind, request=request), delivery())
    taken = await store.jobs.take(job.TakeJob(job_id=kind, worker="w"), delivery())
    store.fake_folders.staged.add(kind)
    step = job.CommitPlugin(
        job_id=kind,
        token=taken.token,
        config=json.dumps(config(**keys)),
        config_digest=f"sha256:{'c' * 64}",
        manifest_digest=f"sha256:{'d' * 64}",
        layer_digests=(),
    )
    await store.installation.commit(step, delivery())


async def test_pull_keeps_what_was_granted() -> None:
    """The body of a pull is in the plugin's record, in a fixed order, with how and when."""
    store = StoreUnderTest()
    await do_job(store, JobKind.PULL)

    grant = store.inventory.resolve("p").grant

    assert grant is not None
    assert [(one.name, one.value) for one in grant] == [
        ("capabilities", ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")),
        ("device", ("/dev/fuse",)),
        ("mount", ("/data",)),
        ("mount", ("/fixed",)),
        ("network", ("host",)),
    ]
    assert {(one.how, one.granted_at_ns) for one in grant} == {(Consent.PULLED, 10**18)}
    await start(store)


async def test_pull_of_more_than_was_granted_makes_no_plugin() -> None:
    """The store itself compares config and grant, whatever a worker did."""
    store = StoreUnderTest()

    with pytest.raises(errdefs.PermissionDenied, match="incorrect privileges"):
        await do_job(store, JobKind.PULL, granted=body()[1:])

    assert not store.inventory.all()
    assert not store.fake_folders.installed


async def test_set_of_what_is_settable_is_consent() -> None:
    """A source or path that was set is granted as such; what was granted before stays."""
    store = StoreUnderTest()
    plugin = await installed(store)

    args = ("data.source=/x", "dev=/dev/null")
    await store.settings.set(SetPlugin(name="p", args=args), delivery())

    found = hows(store.now(plugin))
    assert found["mount", ("/x",)] is found["device", ("/dev/null",)] is Consent.SET
    assert found["mount", ("/data",)] is Consent.CREATED
    await start(store)


async def test_set_back_and_forth_is_granted_once() -> None:
    """A value that was granted already adds nothing."""
    store = StoreUnderTest()
    plugin = await installed(store)
    for source in ("/x", "/data", "/x"):
        await store.settings.set(SetPlugin(name="p", args=(f"data={source}",)), delivery())

    assert len(store.now(plugin).grant or ()) == len(plugin.grant or ()) + 1


@pytest.mark.parametrize(
    ("keys", "new"),
    [
        ({"pidhost": True}, "host pid namespace true"),
        ({"linux": {"capabilities": ["CAP_SYS_ADMIN", "CAP_BPF"]}}, "capabilities CAP_BPF"),
        ({"mounts": [{"name": "m", "source": "/etc"}]}, "mount /etc"),
        ({"linux": {"allowAllDevices": True}}, "allow-all-devices true"),
    ],
)
async def test_record_that_was_changed_does_not_start(keys: dict[str, Any], new: str) -> None:
    """What nobody granted is named, with what to do, and nothing is started."""
    store = StoreUnderTest()
    plugin = await installed(store)
    edited = wider(**keys)
    mounts = {**plugin.settings, "Mounts": edited["Mounts"]}
    await changed_behind_its_back(store, plugin, config=edited, settings=mounts)

    with pytest.raises(errdefs.PermissionDenied) as refused:
        await start(store)

    assert f"plugin p:latest asks for {new}, which nobody granted" in refused.value.message
    assert "/wherry/v1/plugins/p:latest/grant" in refused.value.message
    assert not store.executor.containers
    assert not store.now(plugin).enabled


async def test_less_than_was_granted_starts() -> None:
    """A grant is what a plugin may have at most."""
    store = StoreUnderTest()
    plugin = await installed(store)
    edited = wider(network={"type": "none"}, linux={"capabilities": ["CAP_SYS_ADMIN"]})
    edited["Network"]["Type"] = ""
    await changed_behind_its_back(store, plugin, config=edited)

    await start(store)


async def test_set_does_not_cover_up_what_was_changed() -> None:
    """Consent to a setting is not consent to what else the record asks for by now."""
    store = StoreUnderTest()
    plugin = await installed(store)
    await changed_behind_its_back(store, plugin, config=wider(pidhost=True))
    await store.settings.set(SetPlugin(name="p", args=("data=/x",)), delivery())

    with pytest.raises(errdefs.PermissionDenied, match="asks for host pid namespace true, which"):
        await start(store)


async def test_restart_asks_for_the_grant_too() -> None:
    """A plugin whose record was changed while it ran is not started again, and that is told."""
    store = StoreUnderTest()
    plugin = await installed(store)
    await start(store)
    await changed_behind_its_back(store, plugin, config=wider(ipchost=True))

    container_id = store.now(plugin).status.container_id or ""
    store.executor.end(container_id)
    store.supervisor.compare_soon()

    await eventually(lambda: "start_failed" in store.records.actions())
    assert "host ipc namespace" in store.now(plugin).status.message
    assert not store.executor.containers
    await store.close()


async def test_grant_of_what_is_asked_for_lets_it_start() -> None:
    """The verb adds to the grant and is an event; a repeat changes nothing."""
    store = StoreUnderTest()
    plugin = await installed(store)
    await changed_behind_its_back(store, plugin, config=wider(pidhost=True))
    command = GrantPlugin(name="p", privileges=({"Name": "host pid namespace", "Value": ["true"]},))

    await store.grants.grant(command, delivery())
    once = store.now(plugin).grant
    await store.grants.grant(command, delivery())
    await start(store)

    assert hows(store.now(plugin))["host pid namespace", ("true",)] is Consent.GRANTED
    assert store.now(plugin).grant == once
    assert store.records.actions()[0] == "grant"


async def test_grant_of_what_nobody_asks_for_is_refused() -> None:
    """Nothing can be granted in advance."""
    store = StoreUnderTest()
    await installed(store)
    command = GrantPlugin(name="p", privileges=({"Name": "mount", "Value": ["/etc"]},))

    with pytest.raises(errdefs.InvalidArgument, match="does not ask for mount /etc"):
        await store.grants.grant(command, delivery())


async def test_upgrade_grants_its_body_and_what_the_kept_settings_need() -> None:
    """The old version's privileges go; a source that a person set stays as it was granted."""
    store = StoreUnderTest()
    plugin = await installed(store)
    await store.settings.set(SetPlugin(name="p", args=("data=/x",)), delivery())

    await do_job(store, JobKind.UPGRADE, network={"type": "none"})

    assert hows(store.now(plugin)) == {
        ("capabilities", ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")): Consent.UPGRADED,
        ("device", ("/dev/fuse",)): Consent.UPGRADED,
        ("mount", ("/data",)): Consent.UPGRADED,
        ("mount", ("/fixed",)): Consent.UPGRADED,
        ("network", ("none",)): Consent.UPGRADED,
        ("mount", ("/x",)): Consent.SET,
    }
    await start(store)


async def test_records_from_before_keep_what_they_had() -> None:
    """A plugin without a grant gets, once, what its config and settings asked for until then."""
    store = StoreUnderTest()
    plugin = await installed(store)
    await store.settings.set(SetPlugin(name="p", args=("data=/x",)), delivery())
    await changed_behind_its_back(store, plugin, grant=None)

    again = await store.restarted()
    await start(again)
    await changed_behind_its_back(again, plugin, config=wider(pidhost=True), enabled=False)

    found = hows(again.now(plugin))
    assert set(found.values()) == {Consent.KEPT}
    assert {("mount", ("/x",)), ("mount", ("/data",))} <= found.keys()
    with pytest.raises(errdefs.PermissionDenied):
        await start(again)
    await again.close()
