"""`wherry plugin logs` and its like: what goes on in a plugin."""

from __future__ import annotations

import os
import sys
import time

import click

from services.cli.entrypoints.parts import Parts

#: As a shell tells that Ctrl-C ended a program.
_INTERRUPTED = 130
#: Of a plugin's output in its status.
_LAST_LINES = "5"


def add_to(plugin: click.Group) -> None:
    """Add the commands to `wherry plugin`."""
    for command in (status, logs, top, stats, exec_, diff):
        plugin.add_command(command)


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(parts: Parts, name: str, *, as_json: bool) -> None:
    """Show all that is known of a plugin: what is installed, and what is observed.

    When its next start is due, how it ended last, who holds it, and what it wrote last.
    """
    from services.cli.domain.log import LogWish
    from services.cli.domain.plugin_status import PluginStatus

    api = parts.api()
    last = api.logs(name, LogWish(tail=_LAST_LINES))
    found = PluginStatus(
        record=api.record(name),
        references=api.references(name),
        last_lines=[entry.text for entry in last if entry.time_ns is not None],
    )
    click.echo(found.to_json() if as_json else found.to_text(time.time_ns()))


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, over restarts.")
@click.option("--since", default="", help="From then on: a date, or how long ago (10m, 1h30m).")
@click.option("--until", default="", help="Up to then.")
@click.option("-n", "--tail", default="all", show_default=True, help="Only so many last lines.")
@click.option("-t", "--timestamps", is_flag=True, help="Begin each line with its time.")
@click.pass_obj
def logs(
    parts: Parts,
    name: str,
    *,
    follow: bool,
    since: str,
    until: str,
    tail: str,
    timestamps: bool,
) -> None:
    """Show a plugin's output, its errors on standard error.

    What its last containers wrote before they ended is there, too; a line on standard error
    tells where one ended and the next began. With -f, it goes on until Ctrl-C or until the
    plugin is removed.
    """
    from services.cli.domain import moment
    from services.cli.domain.log import LogText, LogWish
    from services.cli.service.logs import LogRun

    now_ns = time.time_ns()
    wish = LogWish(
        since=moment.to_query(since, now_ns),
        until=moment.to_query(until, now_ns),
        tail=_tail(tail),
        follow=follow,
    )
    run = LogRun(api=parts.api(), warn=lambda text: click.echo(text, err=True))
    text = LogText(timestamps=timestamps)
    try:
        for entry in run.run(name, wish):
            written, is_error = text.write(entry)
            click.echo(written, nl=False, err=is_error)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("ps_args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def top(parts: Parts, name: str, ps_args: tuple[str, ...]) -> None:
    """Show a plugin's processes, with the pids of the host.

    PS_ARGS is what `ps` is called with, such as `-o pid,rss,args`; -ef if nothing is given.
    """
    click.echo(parts.api().processes(name, " ".join(ps_args) or "-ef").to_text())


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--no-stream", is_flag=True, help="Look once.")
@click.pass_obj
def stats(parts: Parts, names: tuple[str, ...], *, no_stream: bool) -> None:
    """Show what plugins use of processors, memory and disks.

    Without a NAME, all that are enabled. It is looked at each second until Ctrl-C.
    """
    from services.cli.domain.stats import HEADINGS

    api = parts.api()
    wanted = {api.plugin(name).name for name in names}
    table = parts.table(HEADINGS)
    try:
        for look in api.stats(stream=not no_stream):
            table.show([one.row for one in look if not wanted or one.name in wanted])
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        table.close()


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("-i", "--interactive", is_flag=True, help="Give it what is typed, or piped in.")
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal.")
@click.option("-d", "--detach", is_flag=True, help="Start it and leave it alone.")
@click.option("-u", "--user", default="", help="name|uid[:group|gid]")
@click.option("-w", "--workdir", default="", help="Where in the plugin it begins.")
@click.option("-e", "--env", multiple=True, help="KEY=value; KEY alone is taken from here.")
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_(
    parts: Parts,
    name: str,
    command: tuple[str, ...],
    *,
    interactive: bool,
    tty: bool,
    detach: bool,
    user: str,
    workdir: str,
    env: tuple[str, ...],
) -> None:
    """Run COMMAND in a plugin, beside its own process, and exit as it does.

    Ctrl-C reaches it. When this command is killed, so is COMMAND, with all that it started.
    """
    from services.cli.domain.exec import ExecWish, read_env

    wish = ExecWish(
        args=command,
        env=read_env(env, os.environ),
        user=user,
        cwd=workdir,
        tty=tty,
        stdin=interactive,
    )
    run = parts.exec_run()
    sys.exit(run.detached(name, wish) if detach else run.attached(name, wish))


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def diff(parts: Parts, old: str, new: str, *, as_json: bool) -> None:
    """Show what differs between two versions of a plugin.

    Each is a plugin of the node, or a reference at a registry. Config, privileges, layers; and
    of a plugin that is here, what an upgrade would make of its settings.
    """
    jobs = parts.plugin_jobs(lambda *_: False, lambda text: click.echo(text, err=True))
    found = jobs.diff(old, new)
    click.echo(found.to_json() if as_json else found.to_text())


def _tail(given: str) -> str:
    """Read `--tail`: like docker's, what is negative means all."""
    if given == "all" or given.removeprefix("-").isdecimal():
        return "all" if given == "all" or given.startswith("-") else given
    raise click.BadParameter(f"{given!r} is neither a number nor all", param_hint="--tail")
