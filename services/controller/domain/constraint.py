"""Placement constraints: `node.labels.zone==a`, `node.role!=manager`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared import errdefs
from shared.contracts.swarm import GRPC_CODE

_KEY = re.compile(r"[a-z_][a-z0-9\-_.]+", re.IGNORECASE)
_VALUE = re.compile(r"[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+", re.IGNORECASE)
_OPERATORS = ("==", "!=")
_NODE_LABEL = "node.labels."
_ENGINE_LABEL = "engine.labels."


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeable:
    """What constraints look at of a node."""

    node_id: str
    hostname: str = ""
    address: str = ""
    role: str = "worker"
    os: str = "linux"
    architecture: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    engine_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One of a service's conditions on nodes."""

    key: str
    is_equal: bool
    value: str

    def admits(self, node: Placeable) -> bool:
        """Tell whether a node fulfils it; what is none of swarm's keys, no node fulfils."""
        if self.key.lower() == "node.ip":
            return self._admits_address(node.address)
        actual = _actual(self.key, node)
        return actual is not None and (actual.lower() == self.value.lower()) is self.is_equal

    def _admits_address(self, address: str) -> bool:
        try:
            wanted = ipaddress.ip_network(self.value, strict=False)
        except ValueError:
            return False
        try:
            is_within = ipaddress.ip_address(address) in wanted
        except ValueError:
            is_within = False
        return is_within is self.is_equal


def parse(expressions: Iterable[str]) -> tuple[Constraint, ...]:
    """Read constraints; raises InvalidArgument in swarm's words."""
    return tuple(map(_parse, expressions))


def admits(constraints: Iterable[Constraint], node: Placeable) -> bool:
    """Tell whether a node fulfils all constraints."""
    return all(one.admits(node) for one in constraints)


def _parse(expression: str) -> Constraint:
    # In this order, as swarm looks for them: `a!=b==c` is a `==`.
    operator = next((one for one in _OPERATORS if one in expression), None)
    if operator is None:
        raise _invalid(f"constraint expected one operator from {', '.join(_OPERATORS)}")
    key, _, value = (part.strip() for part in expression.partition(operator))
    if not _KEY.fullmatch(key):
        raise _invalid(f"key '{key}' is invalid")
    if not _VALUE.fullmatch(value):
        raise _invalid(f"value '{value}' is invalid")
    return Constraint(key=key, is_equal=operator == "==", value=value)


def _invalid(text: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(text, detail={GRPC_CODE: "Unknown"})


def _actual(key: str, node: Placeable) -> str | None:
    """Return what a node has under a key; None: the key is none of swarm's."""
    folded = key.lower()
    if folded.startswith(_NODE_LABEL) and len(key) > len(_NODE_LABEL):
        return node.labels.get(key[len(_NODE_LABEL) :], "")
    if folded.startswith(_ENGINE_LABEL) and len(key) > len(_ENGINE_LABEL):
        return node.engine_labels.get(key[len(_ENGINE_LABEL) :], "")
    return {
        "node.id": node.node_id,
        "node.hostname": node.hostname,
        "node.role": node.role,
        "node.platform.os": node.os,
        "node.platform.arch": node.architecture,
    }.get(folded)
