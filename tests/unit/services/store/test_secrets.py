"""Secrets of plugins: kept sealed, given to who was set to have them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from shared import errdefs
from shared.contracts.executor import StartContainer
from shared.contracts.plugin import Plugin
from shared.contracts.sealed import Sealed
from shared.contracts.secret import DropSecret, KeepSecret, ListSecrets, RotateSecretKey
from shared.contracts.store import EnablePlugin, SetPlugin
from tests.support.bus import delivery
from tests.support.store import CONFIG, StoreUnderTest


@pytest.fixture
async def store() -> AsyncIterator[StoreUnderTest]:
    """Run a store."""
    under_test = StoreUnderTest()
    await under_test.start()
    yield under_test
    await under_test.close()


def _config(env: str = "", arg: str = "") -> bytes:
    return json.dumps(
        {
            **json.loads(CONFIG),
            "Env": [{"Name": "PASSWORD_FILE", "Settable": ["value"], "Value": env}],
            "Args": {"Name": "args", "Settable": ["value"], "Value": [arg] if arg else []},
        }
    ).encode()


async def _keep(store: StoreUnderTest, name: str, box: str, *, replace: bool = False) -> None:
    command = KeepSecret(name=name, sealed=Sealed(box=box), replace=replace)
    await store.secrets.keep(command, delivery(message_id=f"{name}-{box}"))


async def _enable(store: StoreUnderTest, plugin: Plugin) -> StartContainer:
    await store.lifecycle.enable(EnablePlugin(name=plugin.name), delivery())
    return next(one for one in reversed(store.executor.sent) if isinstance(one, StartContainer))


async def _set(store: StoreUnderTest, plugin: Plugin, *args: str) -> None:
    await store.settings.set(SetPlugin(name=plugin.name, args=args), delivery(message_id="set"))


async def test_a_setting_that_names_a_secret_is_the_path_of_a_file(store: StoreUnderTest) -> None:
    """The executor is given the sealed secret, and the plugin's environment says where it is."""
    await _keep(store, "db", "box")
    plugin = await store.install(config_json=_config())
    await _set(store, plugin, "PASSWORD_FILE=secret://db", "args=--key=secret://db -v")

    start = await _enable(store, plugin)

    assert "PASSWORD_FILE=/run/secrets/db" in start.config.env
    assert start.config.args[-2:] == ("--key=/run/secrets/db", "-v")
    assert [(one.name, one.sealed.box) for one in start.secrets] == [("db", "box")]
    assert "PASSWORD_FILE=secret://db" in store.now(plugin).settings["Env"]


async def test_a_secret_that_is_not_there_keeps_a_plugin_from_starting(
    store: StoreUnderTest,
) -> None:
    """The error names it, and how it is made."""
    plugin = await store.install(config_json=_config())
    await _set(store, plugin, "PASSWORD_FILE=secret://db")

    with pytest.raises(errdefs.NotFound, match="wherry secret create db"):
        await _enable(store, plugin)
    assert not store.now(plugin).enabled


@pytest.mark.parametrize(
    "config", [_config(env="secret://db"), _config(arg="secret://db")], ids=["env", "args"]
)
async def test_an_author_is_given_no_secret_of_the_node(
    store: StoreUnderTest, config: bytes
) -> None:
    """What a plugin's own config names was not set by anybody here: it does not start."""
    await _keep(store, "db", "box")
    plugin = await store.install(config_json=config)

    with pytest.raises(errdefs.PermissionDenied, match="by itself"):
        await _enable(store, plugin)
    assert not any(isinstance(one, StartContainer) for one in store.executor.sent)


async def test_a_name_is_taken_once_unless_it_is_replaced(store: StoreUnderTest) -> None:
    """A redelivered command finds its own; another value is refused, or takes the place."""
    await _keep(store, "db", "one")
    await _keep(store, "db", "one")
    with pytest.raises(errdefs.AlreadyExists, match="--replace"):
        await _keep(store, "db", "two")

    await _keep(store, "db", "two", replace=True)

    assert store.fake_secrets.records["db"].secret.sealed.box == "two"


async def test_a_secret_in_use_is_not_removed(store: StoreUnderTest) -> None:
    """The list says who uses it; once nobody does, it goes, and only once."""
    await _keep(store, "db", "box")
    plugin = await store.install(config_json=_config())
    await _set(store, plugin, "PASSWORD_FILE=secret://db")

    (listed,) = (await store.secrets.list(ListSecrets(), delivery())).secrets
    assert listed.used_by == (plugin.name,)
    with pytest.raises(errdefs.Conflict, match="in use by p:latest"):
        await store.secrets.drop(DropSecret(name="db"), delivery())

    await _set(store, plugin, "PASSWORD_FILE=")
    await store.secrets.drop(DropSecret(name="db"), delivery())
    with pytest.raises(errdefs.NotFound):
        await store.secrets.drop(DropSecret(name="db"), delivery())


async def test_a_rotation_seals_all_anew(store: StoreUnderTest) -> None:
    """Each is sealed to the new key; one that was cut short left none behind the old one."""
    await _keep(store, "a", "x")
    await _keep(store, "b", "y")

    await store.secrets.rotate(RotateSecretKey(), delivery())
    store.executor.rotations += 1  # a rotation whose second half never came
    await store.secrets.rotate(RotateSecretKey(), delivery())

    boxes = {name: one.secret.sealed.box for name, one in store.fake_secrets.records.items()}
    assert boxes == {"a": "x@3", "b": "y@3"}
