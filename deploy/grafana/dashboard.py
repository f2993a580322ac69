"""A dashboard, in Grafana's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.grafana.panel import PROMETHEUS, WHOLE, Panel

_TAG: Final = "wherry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a person chooses at the top: the values of a label."""

    name: str
    #: A series that has the label.
    series: str
    label: str
    is_multiple: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return it as Grafana has it."""
        return {
            "name": self.name,
            "type": "query",
            "datasource": PROMETHEUS,
            "query": {"query": f"label_values({self.series}, {self.label})", "refId": self.name},
            "refresh": 2,
            "sort": 1,
            "multi": self.is_multiple,
            "includeAll": self.is_multiple,
            **({"allValue": ".*"} if self.is_multiple else {}),
        }


#: The node: the address that Prometheus reads it at.
NODE: Final = Variable(name="node", series="wherry_service_up", label="instance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Panels in rows from the top, as they fit; *uid* is its address for good."""

    uid: str
    title: str
    description: str
    panels: Sequence[Panel]
    variables: Sequence[Variable] = (NODE,)

    def to_json(self) -> dict[str, Any]:
        """Return it as Grafana has it."""
        return {
            "uid": f"wherry-{self.uid}",
            "title": f"Wherry / {self.title}",
            "description": self.description,
            "tags": [_TAG],
            "schemaVersion": 39,
            "editable": True,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": [one.to_json() for one in self.variables]},
            "links": [
                {
                    "type": "dashboards",
                    "title": "Wherry",
                    "tags": [_TAG],
                    "asDropdown": True,
                    "includeVars": True,
                    "keepTime": True,
                }
            ],
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[dict[str, Any]]:
        x = y = tallest = 0
        for number, panel in enumerate(self.panels, start=1):
            if x + panel.width > WHOLE:
                x, y, tallest = 0, y + tallest, 0
            yield panel.to_json(number, x, y)
            x, tallest = x + panel.width, max(tallest, panel.height)
