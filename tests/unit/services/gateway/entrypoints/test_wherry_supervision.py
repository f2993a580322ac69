"""Supervision of plugins in /wherry/v1."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.store import SupervisePlugin
from shared.contracts.supervision import Health, Part, RestartPolicy, Supervision
from shared.oci.plugin_extension import PluginExtension
from tests.support.gateway import changed, plugin, reply
from tests.support.gateway_app import AppWorld

NO = RestartPolicy.parse("no")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("restart-policy", {"name": "no"}, Supervision(restart_policy=NO)),
        (
            "health",
            {"test": ["CONNECT"], "retries": 1},
            Supervision(health=Health(test=("CONNECT",), retries=1)),
        ),
        ("requires", {"requires": ["a"]}, Supervision(requires=("a",))),
    ],
)
async def test_part_is_set_by_itself(
    world: AppWorld, path: str, body: dict[str, Any], said: Supervision
) -> None:
    """What was said goes to the store, and the answer shows what holds and whose word it is."""
    world.sender.answers[SupervisePlugin] = reply(changed(5, plugin("a", supervision=said)))

    response = await world.client.put(f"/wherry/v1/plugins/a/plugin/{path}", json=body)

    assert world.sender.sent == [SupervisePlugin(name="a/plugin", supervision=said)]
    part = path.replace("-", "_")
    assert response.json()["origins"][part] == "operator"


async def test_part_is_reset_to_the_author_s_word(world: AppWorld) -> None:
    """After a reset what config.json declares counts, and is shown so."""
    shown = plugin("a", extension=PluginExtension(restart="on-failure:2"))
    world.sender.answers[SupervisePlugin] = reply(changed(5, shown))

    response = await world.client.delete("/wherry/v1/plugins/a/plugin/restart-policy")

    command = SupervisePlugin(name="a/plugin", reset=(Part.RESTART_POLICY,))
    assert world.sender.sent == [command]
    assert response.json() == {
        "plugin": "a/plugin:latest",
        "restart_policy": {"name": "on-failure", "maximum_retry_count": 2},
        "health": {
            "test": ["NONE"],
            "interval_s": 10.0,
            "timeout_s": 5.0,
            "start_period_s": 0.0,
            "retries": 3,
            "on_unhealthy": "nothing",
        },
        "requires": [],
        "origins": {"restart_policy": "author", "health": "default", "requires": "default"},
    }


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("restart-policy", {"name": "unless-stopped"}, "name"),
        ("restart-policy", {"name": "on-failure", "retries": 3}, "retries"),
        ("restart-policy", {"name": "on-failure", "maximum_retry_count": -1}, "maximum_retry"),
        ("health", {"test": ["CONNECT"], "interval_s": 0}, "interval_s"),
        ("requires", {"needs": []}, "needs"),
    ],
)
async def test_what_can_not_be_meant_is_refused(
    world: AppWorld, path: str, body: dict[str, Any], named: str
) -> None:
    """A misspelt field or a wrong value is named, and nothing is sent."""
    response = await world.client.put(f"/wherry/v1/plugins/a/plugin/{path}", json=body)

    assert response.status_code == 400
    assert named in response.json()["message"]
    assert not world.sender.sent
