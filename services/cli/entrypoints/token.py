"""`wherry token`: what lets clients in over TCP, and how far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from services.cli.entrypoints.parts import Parts

if TYPE_CHECKING:
    from shared.access import TokenFile


@click.group()
def token() -> None:
    """Make, list and remove the tokens that let clients in.

    A node that has tokens lets nobody in over TCP who shows neither one of them nor a
    certificate. They are kept as hashes, in WHERRY_TOKENS or `tokens.json` in the data root.
    """


@token.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["read", "operate", "admin"]),
    default="read",
    show_default=True,
    help="What it may do.",
)
@click.pass_obj
def create(parts: Parts, name: str, *, role: str) -> None:
    """Make a token and print it: it is shown this once, and kept nowhere.

    It counts at once. A client sends `Authorization: Bearer TOKEN`.
    """
    from pydantic import ValidationError

    from shared import errdefs
    from shared.access import Role, Token, digest, new_secret

    secret = new_secret()
    try:
        made = Token(
            name=name, role=Role.parse(role), sha256=digest(secret), created_at_ns=time.time_ns()
        )
    except ValidationError as error:
        raise errdefs.InvalidArgument(f"{name}: {error.errors()[0]['msg']}") from error
    parts.tokens().change(lambda file: file.with_new(made))
    click.echo(secret)


@token.command("ls")
@click.pass_obj
def list_tokens(parts: Parts) -> None:
    """List the tokens that count."""
    from services.cli.domain.token import listed

    click.echo(listed(parts.tokens().read(), time.time_ns()))


@token.command()
@click.argument("name")
@click.pass_obj
def rm(parts: Parts, name: str) -> None:
    """Remove a token: from now on it lets nobody in."""

    def without(file: TokenFile) -> TokenFile:
        return file.without(name)

    parts.tokens().change(without)
    click.echo(name)
