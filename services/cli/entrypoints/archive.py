"""`wherry plugin save` and `load`: plugins as archives, for places without a registry."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.entrypoints.parts import Parts
from services.cli.entrypoints.plugin import (
    ask,
    detach_option,
    finish,
    grant_everything,
    grant_option,
)

if TYPE_CHECKING:
    from services.cli.domain.job import Job


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("-o", "--output", default="", help="The file to write; else standard output.")
@click.pass_obj
def save(parts: Parts, names: tuple[str, ...], *, output: str) -> None:
    """Save plugins to a tar of an OCI image layout.

    It holds the blobs as they were pulled or created, so that digests stay the same; skopeo and
    `wherry plugin load` read it. Settings and grants stay here.
    """
    archives = parts.archives(ask)
    if output and output != "-":
        archives.save_to(names, Path(output))
        return
    if sys.stdout.isatty():
        raise click.UsageError("a terminal can't show a tar: give -o FILE, or redirect the output")
    archives.save(names, sys.stdout.buffer)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "-i",
    "--input",
    "source",
    default="-",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="The file to read; else standard input.",
)
@click.option("--alias", default="", help="What to call it here.")
@grant_option
@detach_option
@click.pass_obj
def load(
    parts: Parts, names: tuple[str, ...], *, source: str, alias: str, grant: bool, detach: bool
) -> None:
    """Install plugins from a tar of an OCI image layout; they stay disabled.

    All of them, or those that are named. Everything that a pull checks is checked: digests,
    privileges, signatures, and which of an index is for this machine.
    """
    archives = parts.archives(grant_everything if grant else ask)
    with click.open_file(source, "rb") as file:
        for begin in archives.load(file, names, alias):
            finish(parts, begin, _loaded, detach=detach)


def _loaded(job: Job) -> str:
    return f"loaded {job.name}; `docker plugin enable {job.name}` starts it"
