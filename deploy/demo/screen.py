"""What the demo shows: headlines, remarks, and the real output of commands."""

from __future__ import annotations

import itertools

import click

_numbers = itertools.count(1)


def headline(text: str) -> None:
    """Begin a step."""
    click.secho(f"\n{next(_numbers)}. {text}", bold=True)


def remark(text: str) -> None:
    """Say something about what is seen."""
    click.echo(f"   {text}")


def command(line: str) -> None:
    """Show a command as it would be typed."""
    click.secho(f"   $ {line}", fg="cyan")


def output(text: str) -> None:
    """Show what a command wrote."""
    for line in text.splitlines():
        click.echo(f"     {line}")


def failure(text: str) -> None:
    """Say what went wrong."""
    click.secho(f"\ndemo: {text}", fg="red", err=True)
