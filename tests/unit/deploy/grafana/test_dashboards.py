"""Dashboards as they are described, and as they lie in the repository."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.grafana.__main__ import written
from deploy.grafana.catalog import DASHBOARDS
from deploy.grafana.dashboard import Dashboard


@pytest.mark.parametrize(("path", "text"), [pytest.param(*w, id=w[0].stem) for w in written()])
def test_the_files_are_what_is_described(path: Any, text: str) -> None:
    """Who changes the catalog writes the files: `python -m deploy.grafana`."""
    assert path.read_text() == text


@pytest.mark.parametrize("dashboard", [pytest.param(one, id=one.uid) for one in DASHBOARDS])
def test_panels_lie_beside_one_another(dashboard: Dashboard) -> None:
    """None covers another, none stands out to the right, and each has an id of its own."""
    panels = dashboard.to_json()["panels"]

    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_dashboards_have_addresses_of_their_own() -> None:
    """Links to them last."""
    assert len({json.dumps(one.to_json()["uid"]) for one in DASHBOARDS}) == len(DASHBOARDS)
