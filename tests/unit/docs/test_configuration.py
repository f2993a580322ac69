from __future__ import annotations

import re
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
_PAGE = _REPOSITORY / "docs" / "reference" / "configuration.md"
_VARIABLE = re.compile(r"\bWHERRY_[A-Z0-9_]+\b")


def variables_read() -> set[str]:
    """Return the variables that modules of settings name in quotes."""
    shared = _REPOSITORY / "shared"
    modules = [
        shared / "node" / "config.py",
        shared / "node" / "redis_url.py",
        shared / "node" / "runtimes.py",
        shared / "plugin_rpc" / "legacy_folders.py",
        shared / "telemetry" / "logs.py",
        shared / "telemetry" / "traces.py",
        _REPOSITORY / "services" / "gateway" / "domain" / "listening.py",
    ]
    modules += (_REPOSITORY / "services").glob("*/config.py")
    quoted = re.compile(rf'"({_VARIABLE.pattern})"')
    return {name for module in modules for name in quoted.findall(module.read_text())}


def test_page_of_settings_names_each_variable_that_is_read() -> None:
    """Who adds a variable to a config module adds it to the page, and who removes one as well."""
    assert set(_VARIABLE.findall(_PAGE.read_text())) == variables_read()
