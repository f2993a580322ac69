"""The command `wherry`, as it is installed.

`wherry up` has nothing to parse: the parent is started before what parses is imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.cli.bootstrap import Beginning


def main() -> None:
    """Run the command line and exit."""
    beginning = _begin() if sys.argv[1:] == ["up"] and Path(sys.argv[0]).name == "wherry" else None
    from services.cli.__main__ import main as run

    run(beginning)


def _begin() -> Beginning | None:
    """Start the parent; None where that fails, which the command will find as well, and tell."""
    from services.cli.bootstrap import build
    from shared import errdefs

    try:
        return build(os.environ, _say).begin()
    except errdefs.Error:
        return None


def _say(text: str) -> None:
    import click

    click.echo(text)
