"""Runtime options: mounts, links and environment that a capability's plugins get last."""

from __future__ import annotations

from shared.contracts.capability import (
    CapabilityKey,
    RegisterRuntimeOption,
    RuntimeOption,
    UnregisterRuntimeOption,
)
from shared.contracts.executor import ContainerConfig, ContainerLink, ContainerMount, StartContainer
from shared.contracts.store import EnablePlugin
from tests.support.store import StoreUnderTest, delivery

VOLUMES = CapabilityKey(capability="volumedriver")


def option(owner: str = "event", key: CapabilityKey = VOLUMES, ttl_s: int = 60) -> RuntimeOption:
    """Return an option with one of everything."""
    mount = ContainerMount(type="bind", source=f"/{owner}", destination="/m", options=("ro",))
    link = ContainerLink(path="/run/docker/metrics.sock", target="m/metrics.sock")
    return RuntimeOption(
        owner=owner, key=key, mounts=(mount,), links=(link,), env=(f"BY={owner}",), ttl_s=ttl_s
    )


async def register(store: StoreUnderTest, one: RuntimeOption) -> None:
    """Register an option."""
    await store.registering.options.register(RegisterRuntimeOption(option=one), delivery())


async def started(store: StoreUnderTest) -> ContainerConfig:
    """Enable the plugin and return what the executor was given."""
    await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    (start,) = (sent for sent in store.executor.sent if isinstance(sent, StartContainer))
    return start.config


async def test_options_come_last_and_in_the_order_of_their_owners() -> None:
    """A plugin of the capability gets each owner's mounts, links and environment."""
    store = StoreUnderTest()
    await register(store, option("network"))
    await register(store, option("event"))

    config = await started(store)

    assert [mount.source for mount in config.last_mounts] == ["/event", "/network"]
    assert config.env == ("DEBUG=0", "BY=event", "BY=network")
    assert len(config.links) == 2


async def test_plugins_of_other_capabilities_and_versions_get_nothing() -> None:
    """The interface type is compared whole, in lower case."""
    store = StoreUnderTest()
    await register(store, option(key=CapabilityKey(capability="logdriver")))
    await register(store, option(key=CapabilityKey(capability="VolumeDriver", version="2.0")))

    config = await started(store)

    assert not config.last_mounts
    assert config.env == ("DEBUG=0",)


async def test_repeat_writes_nothing_and_another_takes_its_place() -> None:
    """An owner has one option per capability, whatever it repeats."""
    store = StoreUnderTest()
    await register(store, option())
    await register(store, option())
    assert store.fake_registrations.writes == 1

    await register(store, option().model_copy(update={"env": ("NEW=1",)}))

    assert (await started(store)).env == ("DEBUG=0", "NEW=1")


async def test_option_outlives_the_store() -> None:
    """What starts before its owner has come back gets the option all the same."""
    store = StoreUnderTest()
    await register(store, option())

    again = await store.restarted()

    assert (await started(again)).last_mounts
    await again.close()


async def test_option_ends_when_it_is_not_renewed_or_is_given_up() -> None:
    """Nothing is given in the name of an owner that is gone."""
    store = StoreUnderTest()
    await register(store, option("event"))
    await register(store, option("network", ttl_s=600))
    store.fake_clock.advance(61)
    for _ in range(2):
        await store.registering.options.unregister(
            UnregisterRuntimeOption(owner="network", key=VOLUMES), delivery()
        )

    assert not (await started(store)).last_mounts
