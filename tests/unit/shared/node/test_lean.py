"""What a parent imports, and what it does not."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import sys
import services.parent.__main__
from services.parent.adapters.forks import import_what_services_share

import_what_services_share()
print(sorted({"rich", "yaml", "opentelemetry.sdk.metrics", "fastapi"} & sys.modules.keys()))
import rich, opentelemetry.sdk.metrics
print(rich.__name__, opentelemetry.sdk.metrics.__name__)
from opentelemetry.util._importlib_metadata import entry_points
print(len(entry_points(group="opentelemetry_propagator")) > 0)
"""


def test_what_nobody_wants_is_not_imported() -> None:
    """What libraries import in case is not in memory, and whoever wants it gets it."""
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-3:-1] == ["[]", "rich opentelemetry.sdk.metrics"]


def test_plugins_of_others_are_found() -> None:
    """Those of pydantic and Celery's client are not looked for; OpenTelemetry finds its own."""
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "True"
