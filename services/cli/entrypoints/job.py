"""`wherry job`: what takes long, looked at and cancelled."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from services.cli.ports import Api


@click.group()
def job() -> None:
    """Look at pulls, pushes and upgrades, and cancel them."""


@job.command("ls")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_jobs(*, as_json: bool) -> None:
    """List the jobs that are kept, newest first."""
    from services.cli.domain.job import listed

    found = _api().jobs()
    if as_json:
        click.echo(_json([dataclasses.asdict(one) for one in found]))
    else:
        click.echo(listed(found, time.time_ns()))


@job.command()
@click.argument("job_id")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(job_id: str, *, as_json: bool) -> None:
    """Show a job, and why it failed if it did."""
    found = _api().job(job_id)
    click.echo(_json(dataclasses.asdict(found)) if as_json else found.to_text())


@job.command()
@click.argument("job_id")
def cancel(job_id: str) -> None:
    """Cancel a job; what it had fetched is thrown away.

    A job that is over stays as it is.
    """
    found = _api().cancel(job_id)
    if found.is_over:
        click.echo(f"job {job_id} is over already: it is {found.shown_state}")
    else:
        click.echo(f"job {job_id} is being cancelled; `wherry job show {job_id}` tells when it is")


def _api() -> Api:
    from services.cli.bootstrap import build_api

    return build_api(os.environ)


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2)
