from __future__ import annotations

import re
from pathlib import Path

import pytest

_DEPLOY = Path(__file__).parents[3] / "deploy"
_CAPABILITY = re.compile(r"\bCAP_[A-Z_]+\b")


def _row(service: str) -> set[str]:
    """Return the capabilities that the table of rights says a service uses."""
    rights = (_DEPLOY / "README.md").read_text().split("## Rights")[1].split("\n## ")[0]
    [row] = [line for line in rights.splitlines() if line.startswith(f"| {service} |")]
    if "those of the store" in row:
        return _row("store")
    return set(_CAPABILITY.findall(row))


@pytest.mark.parametrize("service", ["store", "volume", "pull", "gateway", "event", "controller"])
def test_the_table_of_rights_is_what_the_units_grant(service: str) -> None:
    """A service has under systemd the capabilities that the page says it uses, and no other."""
    unit = (_DEPLOY / "systemd" / f"wherry-{service}.service").read_text()
    [granted] = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)

    assert set(_CAPABILITY.findall(granted)) == _row(service)
