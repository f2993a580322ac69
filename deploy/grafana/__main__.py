"""Write the dashboards: `python -m deploy.grafana`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from deploy.grafana.catalog import DASHBOARDS

_FOLDER = Path(__file__).parent / "dashboards"


def written() -> Iterator[tuple[Path, str]]:
    """Yield each dashboard's file and what stands in it."""
    for one in DASHBOARDS:
        yield _FOLDER / f"{one.uid}.json", json.dumps(one.to_json(), indent=2) + "\n"


if __name__ == "__main__":
    _FOLDER.mkdir(exist_ok=True)
    for path, text in written():
        path.write_text(text)
