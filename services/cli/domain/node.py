"""Nodes of the fleet as Docker's API shows them, and what a person sets of one."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from services.cli.domain.table import aligned
from shared import errdefs

_HEADINGS = ("NODE", "ID", "STATE", "AVAILABILITY", "ROLE", "LABELS", "VERSION")
_SHORT_ID = 12


def listed(nodes: Sequence[Mapping[str, Any]]) -> str:
    """Write nodes as a table."""
    return "\n".join(aligned([_HEADINGS, *map(_row, nodes)]))


def changed(
    spec: Mapping[str, Any],
    *,
    added: Sequence[str] = (),
    removed: Sequence[str] = (),
    availability: str = "",
) -> dict[str, Any]:
    """Return a node's spec with other labels or another availability.

    *added* are texts `key=value`, or a key alone. Raises InvalidArgument for a label to remove
    that there is not.
    """
    new = dict(copy.deepcopy(spec))
    labels: dict[str, str] = new.setdefault("Labels", {})
    for key in removed:
        if labels.pop(key, None) is None:
            raise errdefs.InvalidArgument(f"the node has no label {key}: nothing was changed")
    for text in added:
        key, _, value = text.partition("=")
        labels[key] = value
    if availability:
        new["Availability"] = availability
    return new


def _row(node: Mapping[str, Any]) -> tuple[str, ...]:
    spec, description = node["Spec"], node["Description"]
    labels = ",".join(f"{key}={value}" for key, value in sorted(spec["Labels"].items()))
    leads = node.get("ManagerStatus", {}).get("Leader", False)
    return (
        description["Hostname"],
        node["ID"][:_SHORT_ID],
        node["Status"]["State"],
        spec["Availability"],
        "manager (leader)" if leads else spec["Role"],
        labels or "-",
        description["Engine"]["EngineVersion"],
    )
