"""Which services, tasks and nodes a list shows, and which one a client names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from services.gateway.domain import filters
from services.gateway.domain.filters import Terms
from shared import errdefs
from shared.contracts.node import Fleet, Node
from shared.contracts.swarm import Service, Task, TaskState

T = TypeVar("T")

_SERVICE_KEYS = ("name", "id", "label", "mode", "runtime")
_TASK_KEYS = (
    "name",
    "id",
    "label",
    "service",
    "node",
    "desired-state",
    "_up-to-date",
    "runtime",
)
_NODE_KEYS = ("name", "id", "label", "role", "membership", "node.label")
_PLUGIN = "plugin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFilter:
    """The filters of GET /services.

    As in dockerd, services of plugins are shown only to those who ask for that runtime. Who names
    one, as `docker service ps` does, has asked for it.
    """

    terms: Terms

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Read the `filters` parameter; raises InvalidArgument in dockerd's words."""
        terms = filters.parse(raw)
        filters.check_keys(terms, _SERVICE_KEYS)
        return cls(terms=terms)

    def matches(self, service: Service) -> bool:
        """Tell whether a service is shown."""
        modes = self.terms.get("mode")
        return (
            _shows_plugins(self.terms, ("name", "id"))
            and (not modes or "global" in modes)
            and _begins(service.spec.name, self.terms.get("name"))
            and _begins(service.service_id, self.terms.get("id"))
            and _has_labels(service.spec.labels or {}, self.terms.get("label"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """The filters of GET /tasks; as those of services, with whoever names a service or a task."""

    terms: Terms
    #: Ids of the services and nodes that were named.
    service_ids: frozenset[str]
    node_ids: frozenset[str]
    services: Mapping[str, Service]

    @classmethod
    def parse(cls, raw: str, services: Sequence[Service], fleet: Fleet) -> Self:
        """Read the `filters` parameter; raises what dockerd answers."""
        terms = filters.parse(raw)
        filters.check_keys(terms, _TASK_KEYS)
        for state in terms.get("desired-state", ()):
            if state and state.lower() not in set(TaskState):
                raise errdefs.InvalidArgument(
                    f"Invalid desired-state filter: '{state}'", docker_unclassed=True
                )
        named = (find_service(services, name) for name in terms.get("service", ()))
        on = (find_node(fleet, name) for name in terms.get("node", ()))
        return cls(
            terms=terms,
            service_ids=frozenset(one.service_id for one in named),
            node_ids=frozenset(one.node_id for one in on),
            services={one.service_id: one for one in services},
        )

    def matches(self, task: Task) -> bool:
        """Tell whether a task is shown."""
        states = {state.lower() for state in self.terms.get("desired-state", ()) if state}
        return (
            _shows_plugins(self.terms, ("service", "name", "id"))
            and (not self.service_ids or task.service_id in self.service_ids)
            and (not self.node_ids or task.node_id in self.node_ids)
            and (not states or task.desired_state in states)
            and _begins(task.task_id, self.terms.get("id"))
            and _begins(task_name(task), self.terms.get("name"))
            and _has_labels({}, self.terms.get("label"))
            and (not self.terms.get("_up-to-date") or self._is_up_to_date(task))
        )

    def _is_up_to_date(self, task: Task) -> bool:
        service = self.services.get(task.service_id)
        return service is not None and (
            (task.spec.plugin, task.spec.force_update)
            == (service.spec.plugin, service.spec.force_update)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFilter:
    """The filters of GET /nodes."""

    terms: Terms

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Read the `filters` parameter; raises what dockerd answers."""
        terms = filters.parse(raw)
        filters.check_keys(terms, _NODE_KEYS)
        known = {"role": ("manager", "worker"), "membership": ("accepted", "pending")}
        for key, words in known.items():
            for word in filter(None, terms.get(key, ())):
                if word.lower() not in words:
                    raise errdefs.InvalidArgument(
                        f"Invalid {key} filter: '{word}'", docker_unclassed=True
                    )
        return cls(terms=terms)

    def matches(self, node: Node, active: str) -> bool:
        """Tell whether a node is shown; *active* names the manager."""
        role = "manager" if node.name == active else "worker"
        return (
            _begins(node.name, self.terms.get("name"))
            and _begins(node.node_id, self.terms.get("id"))
            and _one_of(role, self.terms.get("role"))
            and _one_of("accepted", self.terms.get("membership"))
            and _has_labels(node.description.labels, self.terms.get("label"))
            and _has_labels(node.labels, self.terms.get("node.label"))
        )


def find_service(services: Iterable[Service], name: str) -> Service:
    """Return the service that a client names, by id, name or the beginning of an id."""
    return _find("service", name, services, lambda one: (one.service_id, one.spec.name))


def find_node(fleet: Fleet, name: str) -> Node:
    """Return the node that a client names; `self` is none of ours to know."""
    return _find("node", name, fleet.nodes, lambda one: (one.node_id, one.name))


def find_task(tasks: Iterable[Task], name: str) -> Task:
    """Return the task that a client names."""
    return _find("task", name, tasks, lambda one: (one.task_id, task_name(one)))


def task_name(task: Task) -> str:
    """Return what swarm calls a task of a service in mode global."""
    return f"{task.spec.name}.{task.node_id}.{task.task_id}"


def _find(kind: str, name: str, things: Iterable[T], names: Callable[[T], tuple[str, str]]) -> T:
    known = [(names(thing), thing) for thing in things]
    found = [thing for (whole, _), thing in known if whole == name]
    found = found or [thing for (_, called), thing in known if called == name]
    found = found or [thing for (whole, _), thing in known if name and whole.startswith(name)]
    if not found:
        raise errdefs.NotFound(f"{kind} {name} not found", detail={kind: name})
    if len(found) > 1:
        raise errdefs.InvalidArgument(f"{kind} {name} is ambiguous ({len(found)} matches found)")
    return found[0]


def _shows_plugins(terms: Terms, naming: Sequence[str]) -> bool:
    if "runtime" in terms:
        return _PLUGIN in terms["runtime"]
    return any(terms.get(key) for key in naming)


def _begins(text: str, wanted: Sequence[str] | None) -> bool:
    return not wanted or any(text.startswith(one) for one in wanted)


def _one_of(word: str, wanted: Sequence[str] | None) -> bool:
    return not wanted or word in {one.lower() for one in wanted}


def _has_labels(labels: Mapping[str, str], wanted: Sequence[str] | None) -> bool:
    for one in wanted or ():
        key, _, value = one.partition("=")
        if key not in labels or (value and labels[key] != value):
            return False
    return True
