"""`wherry plugin enable` and `disable`: as docker's, and where the time went."""

from __future__ import annotations

import click

from services.cli.entrypoints.parts import Parts
from services.cli.entrypoints.trace import tell
from shared import errdefs

trace_option = click.option(
    "--trace", "is_traced", is_flag=True, help="Show then what it did and where the time went."
)


@click.command()
@click.argument("name")
@click.option(
    "--timeout", default=0, help="Seconds that it has to become ready (0: the node's default)."
)
@trace_option
@click.pass_obj
def enable(parts: Parts, name: str, *, timeout: int, is_traced: bool) -> None:
    """Start a plugin, and have it started whenever the node is."""
    _switch(parts, name, "enable", {"timeout": str(timeout)}, is_traced=is_traced)


@click.command()
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="Also while somebody uses it.")
@trace_option
@click.pass_obj
def disable(parts: Parts, name: str, *, force: bool, is_traced: bool) -> None:
    """Stop a plugin, and leave it so."""
    _switch(parts, name, "disable", {"force": "1" if force else "0"}, is_traced=is_traced)


def _switch(parts: Parts, name: str, verb: str, query: dict[str, str], *, is_traced: bool) -> None:
    answered = parts.api().switch(name, verb, query)
    if is_traced:
        try:
            tell(parts, answered)
        except errdefs.Error as error:
            click.echo(f"no trace: {error.message}", err=True)
    if answered.error is not None:
        raise answered.error
    click.echo(name)
