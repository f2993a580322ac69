"""What a batch would make of a plugin, and what it may not make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.controller.domain import plan
from services.controller.domain.batch import ItemRecord
from shared.contracts.batch import (
    BatchRequest,
    Difference,
    ItemState,
    PrivilegePolicy,
    Target,
    UpdateConfig,
)
from shared.contracts.pull import RemotePlugin
from shared.contracts.upgrade import UpgradeStrategy
from tests.support.batch import NEW, OLD, installed

_HOST = {"Name": "network", "Description": "", "Value": ["host"]}
_NETWORKED = {"network": {"type": "host"}}


def _compared(config: dict[str, Any], digest: str = NEW, **request: Any) -> ItemRecord:
    item = plan.planned("b", 0, "n1", installed("rex"), "registry.example/p:v2")
    found = RemotePlugin(config=json.dumps(config), manifest_digest=digest, layer_digests=())
    wish = BatchRequest(target=Target(tag="v2"), **request)
    return plan.compared(item, installed("rex"), found, wish, now_ns=5)


def test_from_and_to() -> None:
    """The plan has both digests, and pins what the tag stands for."""
    item = _compared({"env": [{"name": "A", "value": "1"}]})

    shown = item.planned
    assert (shown.from_digest, shown.to_digest, item.pinned_digest) == (OLD, NEW, NEW)
    assert shown.settings == (Difference(what="env A", old=None, new="1"),)
    assert item.state is ItemState.PENDING


def test_what_it_is_already() -> None:
    """A plugin that has the target stays as it is."""
    assert _compared({}, digest=OLD).state is ItemState.UNCHANGED


@pytest.mark.parametrize(
    ("policy", "listed", "state"),
    [
        (PrivilegePolicy.REQUIRE_SAME, (), ItemState.FAILED),
        (PrivilegePolicy.GRANT_LISTED, (), ItemState.FAILED),
        (PrivilegePolicy.GRANT_LISTED, (_HOST,), ItemState.PENDING),
        (PrivilegePolicy.GRANT_ALL, (), ItemState.PENDING),
    ],
)
def test_privileges(
    policy: PrivilegePolicy, listed: tuple[dict[str, Any], ...], state: ItemState
) -> None:
    """A new version gets what the policy grants; what it needs is in the plan in any case."""
    item = _compared(_NETWORKED, policy=policy, privileges=listed)

    assert item.state is state
    assert item.planned.privileges == (Difference(what="network host", old=None, new="host"),)
    assert (item.planned.error is None) is (state is ItemState.PENDING)


def test_side_by_side() -> None:
    """Start-first is only for versions that both declare it."""
    update = UpdateConfig(order=UpgradeStrategy.START_FIRST)

    item = _compared({"Wherry": {"Handover": True}}, update=update)

    assert item.state is ItemState.FAILED
    assert "stop-first" in str(item.planned.error)


def test_what_is_no_config() -> None:
    """A config that can't be read fails the plugin, not the batch."""
    item = plan.planned("b", 0, "n1", installed("rex"), "registry.example/p:v2")
    found = RemotePlugin(config="[", manifest_digest=NEW, layer_digests=())

    request = BatchRequest(target=Target(tag="v2"))
    shown = plan.compared(item, installed("rex"), found, request, now_ns=5)

    assert shown.state is ItemState.FAILED
