"""An upgrade of many plugins, as it is asked for on the command line and of the node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.cli.domain.moment import to_seconds
from shared import errdefs

_FILTERS: Final = ("name", "capability", "reference", "node", "label", "enabled")
_STATES: Final = {"true": True, "1": True, "false": False, "0": False}


def to_body(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the node is asked, of the options by their names.

    Raises InvalidArgument for what can't be meant.
    """
    target = options["target"]
    is_reference = "/" in target or ":" in target
    return {
        "selector": _selector(options["filters"]),
        "target": {"reference": target} if is_reference else {"tag": target},
        "update": {
            "parallelism": options["parallelism"],
            "delay_s": to_seconds(options["delay"]),
            "monitor_s": to_seconds(options["monitor"]),
            "max_failure_ratio": options["max_failure_ratio"],
            "failure_action": options["failure_action"],
            "order": options["order"],
        },
        "policy": options["policy"],
        "privileges": _privileges(options["grants"]),
    }


def _selector(filters: Sequence[str]) -> dict[str, Any]:
    given: dict[str, list[str]] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if key not in _FILTERS or not equals or not value:
            raise errdefs.InvalidArgument(
                f"filter {text!r}: give KEY=VALUE with a key of {', '.join(_FILTERS)}"
            )
        given.setdefault(key, []).append(value)
    for key in ("capability", "reference", "enabled"):
        if len(given.get(key, ())) > 1:
            raise errdefs.InvalidArgument(f"filter {key}: give it once")
    selector: dict[str, Any] = {
        "names": given.get("name", []),
        "nodes": given.get("node", []),
        "node_labels": given.get("label", []),
        "capability": "".join(given.get("capability", ())),
        "reference": "".join(given.get("reference", ())),
    }
    if "enabled" in given:
        (said,) = given["enabled"]
        if said not in _STATES:
            raise errdefs.InvalidArgument(f"filter enabled={said}: must be true or false")
        selector["enabled"] = _STATES[said]
    return selector


def _privileges(grants: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[str, list[str]] = {}
    for text in grants:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise errdefs.InvalidArgument(f"--grant {text}: give NAME=VALUE")
        found.setdefault(name, []).append(value)
    return [{"name": name, "value": values} for name, values in found.items()]
