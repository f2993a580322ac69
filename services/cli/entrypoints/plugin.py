"""`wherry plugin`: plugins and registries, with a display of what takes long."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from services.cli.entrypoints import supervision, switch
from services.cli.entrypoints.parts import Parts

if TYPE_CHECKING:
    from services.cli.domain.job import Job
    from services.cli.domain.plugin import Privilege
    from services.cli.service.plugins import PluginJobs

#: As a shell tells that Ctrl-C ended a program.
_INTERRUPTED: Final = 130

detach_option = click.option("--detach", is_flag=True, help="Print the job's id and let it go on.")
grant_option = click.option(
    "--grant-all-permissions", "grant", is_flag=True, help="Do not ask, grant."
)


@click.group()
def plugin() -> None:
    """Pull, push and upgrade plugins; list them and read their output.

    Logins are those of `docker login`, read from `auths` in ~/.docker/config.json or
    DOCKER_CONFIG; credential helpers are not called. The docker CLI does all this, too, and with
    helpers.
    """


@plugin.command()
@click.argument("remote")
@click.option("--alias", default="", help="What to call it here.")
@grant_option
@detach_option
@click.pass_obj
def pull(parts: Parts, remote: str, *, alias: str, grant: bool, detach: bool) -> None:
    """Install a plugin from a registry; it stays disabled.

    Ctrl-C cancels it.
    """

    def done(job: Job) -> str:
        return f"installed {job.name}; `docker plugin enable {job.name}` starts it"

    finish(parts, _jobs(parts, grant=grant).pull(remote, name=alias), done, detach=detach)


@plugin.command()
@click.argument("name")
@detach_option
@click.pass_obj
def push(parts: Parts, name: str, *, detach: bool) -> None:
    """Push a plugin to the registry that its name says.

    Ctrl-C cancels it.
    """
    begin = _jobs(parts, grant=False).push(name)
    finish(parts, begin, lambda job: f"pushed {job.name}", detach=detach)


@plugin.command()
@click.argument("name")
@click.argument("remote", default="")
@click.option(
    "--strategy",
    type=click.Choice(["disabled", "stop-first", "start-first"]),
    default="disabled",
    show_default=True,
    help="What becomes of a plugin that is enabled.",
)
@click.option(
    "--monitor",
    default="5s",
    show_default=True,
    help="How long the new version has to last; else the old one is put back.",
)
@click.option(
    "--drain",
    default="30s",
    show_default=True,
    help="With start-first, how long the old version serves who holds it, at most.",
)
@grant_option
@detach_option
@click.pass_obj
def upgrade(
    parts: Parts,
    name: str,
    remote: str,
    *,
    strategy: str,
    monitor: str,
    drain: str,
    grant: bool,
    detach: bool,
) -> None:
    """Replace a plugin by another version; its settings stay.

    REMOTE is where the plugin came from, unless it is given.

    A plugin that is enabled is refused, as Docker has it, unless a strategy is given. With
    stop-first it is stopped, replaced and started again. With start-first the new version is
    started beside the old one and called once it is ready, without an interruption; plugins must
    declare that they bear it. In both, a new version that does not start, or does not last, is
    rolled back by itself.

    Ctrl-C cancels it, which puts the old version back.
    """
    from services.cli.domain.moment import to_seconds

    begin = _jobs(parts, grant=grant).upgrade(
        name,
        remote=remote,
        strategy=strategy,
        monitor_s=to_seconds(monitor),
        drain_s=to_seconds(drain),
    )
    finish(parts, begin, lambda job: f"upgraded {job.name} to {job.remote}", detach=detach)


@plugin.command("ls")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_plugins(parts: Parts, *, as_json: bool) -> None:
    """List plugins with what is observed of them."""
    from services.cli.domain.plugin import listed

    found = parts.api().plugins()
    if as_json:
        import json

        click.echo(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
    else:
        click.echo(listed(found))


@plugin.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def references(parts: Parts, name: str, *, as_json: bool) -> None:
    """Show who holds a plugin, since when, and for how long unless it is renewed.

    While somebody does, `docker plugin disable` and `rm` answer that it is in use, unless they
    are given --force.
    """
    found = parts.api().references(name)
    click.echo(found.to_json() if as_json else found.to_text(time.time_ns()))


for _command in (
    switch.enable,
    switch.disable,
    supervision.supervision,
    supervision.restart_policy,
    supervision.health,
    supervision.requires,
):
    plugin.add_command(_command)


def finish(
    parts: Parts, begin: Callable[[], Job], done: Callable[[Job], str], *, detach: bool
) -> None:
    """Begin a job, follow it to its end, and say how it ended."""
    if detach:
        click.echo(begin().job_id)
        return
    from services.cli.service.job import JobRun
    from shared import errdefs

    run = JobRun(api=parts.api(), display=parts.display(), held=parts.interrupts_held)
    try:
        job = run.run(begin)
    except KeyboardInterrupt:
        click.echo(f"left: {_whereabouts(run.job)}", err=True)
        sys.exit(_INTERRUPTED)
    if job.state == "done":
        if job.cancelled:
            click.echo("the job was done before it could be cancelled", err=True)
        digest = "" if run.made is None else f", {run.made.made.get('Digest', '')}"
        click.echo(f"{done(job)}{digest}")
    elif job.cancelled:
        click.echo(f"job {job.job_id} is cancelled; nothing was changed here", err=True)
        sys.exit(_INTERRUPTED)
    else:
        raise errdefs.from_wire(job.error or {"message": f"job {job.job_id} failed"})


def _whereabouts(job: Job | None) -> str:
    if job is None:
        return "`wherry job ls` tells whether it was begun"
    return f"`wherry job show {job.job_id}` tells what becomes of it"


def _jobs(parts: Parts, *, grant: bool) -> PluginJobs:
    consent = grant_everything if grant else ask
    return parts.plugin_jobs(consent, lambda text: click.echo(text, err=True))


def grant_everything(_remote: str, _needed: tuple[Privilege, ...]) -> bool:
    """Consent to all."""
    return True


def ask(remote: str, needed: tuple[Privilege, ...]) -> bool:
    """Ask a person whether a plugin may have what it needs."""
    click.echo(f"Plugin {remote} requests:")
    for privilege in needed:
        click.echo(f" - {privilege}")
    return click.confirm("Grant this?")
