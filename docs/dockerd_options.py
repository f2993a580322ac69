"""Writes reference/dockerd.md: `python -m docs.dockerd_options`."""

from __future__ import annotations

from pathlib import Path

from services.cli.domain.daemon_options import HEEDED, IGNORED, RELOADED, Kind, Option

PAGE = Path(__file__).parent / "reference" / "dockerd.md"

_HEAD = """# dockerd's options

<!-- Written by `python -m docs.dockerd_options` from services/cli/domain/daemon_options.py. -->

`wherry dockerd` takes dockerd 28.3's flags and its `daemon.json`:
[how to start it](../how-to/replace-dockerd.md). A flag of several values may come several times,
and is a list in the file. Without `-H` the API is served on `unix:///var/run/docker.sock`.

## With a meaning

| flag | in the file | what it means here | variable |
| --- | --- | --- | --- |
"""
_IGNORED = """
`--config-file` names the file, `--validate` checks flags and file, and ends.

SIGHUP takes up from the file: {reloaded}.

## Taken and ignored

Each is warned of once: what it is about, a node has not.

"""


def page() -> str:
    """Return the page as it should be."""
    rows = [
        f"| `{_flags(option)}` | `{option.key}` | {option.meaning} | {_variable(option)} |"
        for option in HEEDED
    ]
    names = ", ".join(f"`{_flags(option)}`" for option in sorted(IGNORED, key=lambda o: o.flag))
    reloaded = ", ".join(f"`{key}`" for key in sorted(RELOADED))
    ignored = _IGNORED.format(reloaded=reloaded)
    return _HEAD + "\n".join(rows) + "\n" + ignored + names + ".\n"


def _flags(option: Option) -> str:
    short = f"-{option.short}, " if option.short else ""
    several = " …" if option.kind in (Kind.LIST, Kind.MAP) else ""
    return f"{short}--{option.flag}{several}"


def _variable(option: Option) -> str:
    return f"`{option.variable}`" if option.variable else ""


if __name__ == "__main__":
    PAGE.write_text(page())
