"""`wherry secret` and `wherry key`: what plugins keep to themselves, and how it is kept."""

from __future__ import annotations

import sys
import time
from typing import IO

import click

from services.cli.entrypoints.parts import Parts


@click.group()
def secret() -> None:
    """Keep, list and remove secrets of plugins.

    A plugin's setting names one: `docker plugin set PLUGIN PASSWORD_FILE=secret://NAME`. The
    plugin finds it in /run/secrets/NAME, and the setting is that path.
    """


@secret.command()
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--replace", is_flag=True, help="Give one that is there a new value.")
@click.pass_obj
def create(parts: Parts, name: str, file: IO[bytes], *, replace: bool) -> None:
    """Keep what FILE holds, or standard input, byte by byte.

    It is sealed to the node at once and never shown again. A plugin has a new value from its
    next start on.
    """
    if file.isatty():
        click.echo("Type the secret, and Ctrl-D at its end:", err=True)
    parts.api().keep_secret(name, file.read(), replace=replace)
    click.echo(name)


@secret.command("ls")
@click.pass_obj
def list_secrets(parts: Parts) -> None:
    """List secrets, and the plugins whose settings name them."""
    click.echo(parts.api().secrets().to_text(time.time_ns()))


@secret.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def rm(parts: Parts, names: tuple[str, ...]) -> None:
    """Remove secrets that no plugin's settings name."""
    api = parts.api()
    for name in names:
        api.drop_secret(name)
        click.echo(name)


@click.group()
def key() -> None:
    """Look after the keys that credentials and secrets are sealed to."""


@key.command()
@click.pass_obj
def rotate(parts: Parts) -> None:
    """Give the node new keys, and seal all secrets to them.

    What was sealed before and is still on its way is opened with the old ones, which the next
    rotation deletes.
    """
    parts.api().rotate_keys()
    click.echo("The node has new keys; all secrets are sealed to them.", file=sys.stdout)
