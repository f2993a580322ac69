"""`wherry job`: what takes long, looked at and cancelled."""

from __future__ import annotations

import dataclasses
import time

import click

from services.cli.entrypoints.parts import Parts


@click.group()
def job() -> None:
    """Look at pulls, pushes and upgrades, and cancel them."""


@job.command("ls")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_jobs(parts: Parts, *, as_json: bool) -> None:
    """List the jobs that are kept, newest first."""
    from services.cli.domain.job import listed

    found = parts.api().jobs()
    if as_json:
        click.echo(_json([dataclasses.asdict(one) for one in found]))
    else:
        click.echo(listed(found, time.time_ns()))


@job.command()
@click.argument("job_id")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def show(parts: Parts, job_id: str, *, as_json: bool) -> None:
    """Show a job, and why it failed if it did."""
    found = parts.api().job(job_id)
    click.echo(_json(dataclasses.asdict(found)) if as_json else found.to_text())


@job.command()
@click.argument("job_id")
@click.pass_obj
def cancel(parts: Parts, job_id: str) -> None:
    """Cancel a job; what it had fetched is thrown away.

    A job that is over stays as it is, and so does an upgrade whose new version has lasted.
    """
    found = parts.api().cancel(job_id)
    if found.is_over:
        click.echo(f"job {job_id} is over already: it is {found.shown_state}")
    elif not found.cancelled:
        click.echo(f"job {job_id} can't be cancelled any more: it is in phase {found.phase}")
    else:
        click.echo(f"job {job_id} is being cancelled; `wherry job show {job_id}` tells when it is")


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2)
