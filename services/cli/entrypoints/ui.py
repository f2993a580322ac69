"""`wherry ui`."""

from __future__ import annotations

import click

from services.cli.entrypoints.parts import Parts


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Serve there (0: any).")
@click.option("--no-open", is_flag=True, help="Only show the address.")
@click.pass_obj
def ui(parts: Parts, *, port: int, no_open: bool) -> None:
    """Open the console: the node, its plugins and its events in a browser.

    It is served on a loopback port as long as this command runs, to the browser that opens the
    address first. Whoever may use the node's socket may run it.
    """
    parts.console().run(port=port, opens=not no_open)
