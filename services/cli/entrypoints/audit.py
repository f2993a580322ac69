"""`wherry audit`: who did what, and whether nobody changed the record of it."""

from __future__ import annotations

import sys

import click

from services.cli.entrypoints.parts import Parts


@click.group()
def audit() -> None:
    """Show who asked the node for what, and prove that the record was not changed."""


@audit.command("ls")
@click.option("-n", "--last", default=100, show_default=True, help="Only so many last records.")
@click.option("--json", "as_json", is_flag=True, help="For programs, one record a line.")
@click.pass_obj
def list_records(parts: Parts, *, last: int, as_json: bool) -> None:
    """List the last records, oldest first.

    A request has one when it begins and one with its status. Bodies and headers are not kept.
    """
    found = parts.api().audit(last)
    click.echo(found.to_json() if as_json else found.to_text())


@audit.command()
@click.option("--noted", default="", help="SEQ:HASH, as an earlier verify printed it.")
@click.pass_obj
def verify(parts: Parts, *, noted: str) -> None:
    """Compute the chain of hashes anew; exits with 1 where it is broken.

    Who can write the database can make a new chain. What was noted elsewhere proves that it is
    still the same.
    """
    found = parts.api().verify_audit(_noted(noted))
    click.echo(found.to_text())
    sys.exit(0 if found.broken_seq is None else 1)


def _noted(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    seq, colon, noted_hash = text.partition(":")
    if not colon or not seq.isdecimal() or not noted_hash:
        raise click.BadParameter(f"{text!r} is not SEQ:HASH", param_hint="--noted")
    return int(seq), noted_hash
