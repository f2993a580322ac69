"""What the event feed hears of nodes and services."""

from __future__ import annotations

from services.controller.domain import plugin_service
from services.controller.domain.facts import facts
from services.controller.domain.plugin_service import ServiceRecord
from services.controller.domain.term import Term
from shared.contracts.node import Availability, Node, NodeState
from shared.contracts.store import Fact
from shared.contracts.swarm import (
    PluginSpec,
    ServiceSpec,
    UpdateState,
    UpdateStatus,
)

_NODE = Node(name="n1", state=NodeState.READY, joined_at_ns=1, state_since_ns=1)


def _service() -> ServiceRecord:
    plugin = PluginSpec(name="p", remote="registry.example/p:v1")
    return plugin_service.created("s1", ServiceSpec(name="web", plugin=plugin), 1)


def _only(found: tuple[Fact, ...]) -> Fact:
    (fact,) = found
    assert (fact.scope, fact.time_ns) == ("swarm", 7)
    return fact


def test_a_node_comes_and_goes() -> None:
    """Its id is the actor, its name an attribute; the scope is swarm's."""
    came = _only(facts(None, _NODE, 7))
    went = _only(facts(_NODE, None, 7))

    assert (came.type, came.action, went.action) == ("node", "create", "remove")
    assert came.actor_id == went.actor_id == _NODE.node_id
    assert came.attributes == went.attributes == {"name": "n1"}


def test_an_update_of_a_node_says_what_it_was() -> None:
    """State and availability are told with what they were; other changes are told as such."""
    down = _NODE.model_copy(update={"state": NodeState.DOWN, "availability": Availability.DRAIN})

    assert _only(facts(_NODE, down, 7)).attributes == {
        "name": "n1",
        "state.old": "ready",
        "state.new": "down",
        "availability.old": "active",
        "availability.new": "drain",
    }
    labelled = _NODE.model_copy(update={"labels": {"zone": "a"}})
    told = _only(facts(_NODE, labelled, 7))
    assert (told.action, told.attributes) == ("update", {"name": "n1"})


def test_a_service_is_created_updated_and_removed() -> None:
    """An update under way says how far it is; what the controller notes for itself is not told."""
    service = _service()
    begun = plugin_service.in_update(
        service,
        UpdateStatus(state=UpdateState.UPDATING, message="", started_at_ns=2),
        plugin_service.Progress(total=3),
        2,
    )
    noted = begun.model_copy(update={"progress": plugin_service.Progress(total=3, last_at_ns=5)})

    assert _only(facts(None, service, 7)).action == "create"
    told = _only(facts(service, begun, 7))
    assert (told.type, told.action, told.actor_id) == ("service", "update", "s1")
    assert told.attributes == {"name": "web", "updatestate.new": "updating"}
    assert facts(begun, noted, 7) == ()
    assert _only(facts(noted, None, 7)).action == "remove"


def test_what_is_neither_tells_nothing() -> None:
    """Other rows are the controller's own affair, and so is one that stays as it is."""
    assert facts(None, Term(number=1), 7) == ()
    assert facts(_NODE, _NODE, 7) == ()
