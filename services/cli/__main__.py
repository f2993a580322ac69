"""The command line: `wherry --help`. What a verb needs is imported when it is said."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.entrypoints import archive, look
from services.cli.entrypoints.audit import audit
from services.cli.entrypoints.dockerd import dockerd
from services.cli.entrypoints.job import job
from services.cli.entrypoints.node import node
from services.cli.entrypoints.parts import Parts
from services.cli.entrypoints.plugin import plugin
from services.cli.entrypoints.plugin_service import service
from services.cli.entrypoints.secret import key, secret
from services.cli.entrypoints.token import token
from services.cli.entrypoints.trace import trace
from services.cli.entrypoints.ui import ui
from services.cli.entrypoints.upgrade import upgrade
from shared import errdefs
from shared.version import DOCKER_VERSION, VERSION

if TYPE_CHECKING:
    from services.cli.bootstrap import Beginning, Verbs
    from services.cli.ports import Api, Display, TableDisplay, Tokens, UpgradeDisplay
    from services.cli.service.archives import Archives
    from services.cli.service.console import ConsoleVerb
    from services.cli.service.dockerd import Dockerd
    from services.cli.service.exec import ExecRun
    from services.cli.service.fleet import Fleet
    from services.cli.service.granting import Consent
    from services.cli.service.plugins import PluginJobs
    from services.cli.service.upgrades import Upgrades


_HELP = """Run Docker's managed plugins as small services that survive one another.

A node is brought up on this machine; then the docker CLI, docker-py or any client of the
Docker Engine API works with it through its socket:

\b
  wherry up
  docker -H unix:///run/wherry/docker.sock plugin ls
  wherry status
  wherry down

The processes of Wherry may die, be killed, be restarted or upgraded at any time: plugins
keep running. Only `wherry down` stops them, and the next `wherry up` starts them again.

\b
Environment, the same for every verb:
  WHERRY_ROOT       what survives a reboot: plugins, databases, the log
                    (/var/lib/wherry)
  WHERRY_EXEC_ROOT  what does not: sockets, locks, running containers
                    (/run/wherry)
  WHERRY_SOCKET     the Docker-compatible socket, for root and the group docker
                    (docker.sock in the exec root)
  WHERRY_REDIS_URL  a Redis to use (none: the node runs one of its own on a
                    unix socket)
  WHERRY_NODE       the node's name, unique in a fleet (the host's name)
  WHERRY_HOST       serve the API on loopback TCP as well: tcp://127.0.0.1:<port>
                    (none)
  OTEL_EXPORTER_OTLP_ENDPOINT
                    where traces are sent, by OTLP over HTTP (none: nowhere)

\b
Logs: WHERRY_ROOT/log/wherry.log, and standard error with `wherry up --foreground`.
"""


class _Wherry(click.Group):
    """Shows an error of ours as its message and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except errdefs.Error as error:
            raise click.ClickException(error.message) from error


class _Parts:
    """The parts of commands, imported and made when one is run: `--help` is to be there at once."""

    def __init__(self, beginning: Beginning | None = None) -> None:
        #: Of `up`, if it was begun before this was imported.
        self.beginning = beginning

    def api(self) -> Api:
        from services.cli.bootstrap import build_api

        return build_api(os.environ)

    def plugin_jobs(self, consent: Consent, warn: Callable[[str], None]) -> PluginJobs:
        from services.cli.bootstrap import build_plugin_jobs

        return build_plugin_jobs(os.environ, consent=consent, warn=warn)

    def dockerd(
        self, flags: Mapping[str, Any], file: str, *, is_named: bool, warn: Callable[[str], None]
    ) -> Dockerd:
        from services.cli.bootstrap import build_dockerd, daemon_settings

        settings = daemon_settings(flags, file, is_named=is_named, warn=warn)
        return build_dockerd(os.environ, flags, file, settings)

    def display(self) -> Display:
        from services.cli.bootstrap import build_display

        return build_display(click.echo, is_terminal=sys.stdout.isatty())

    def interrupts_held(self) -> AbstractContextManager[None]:
        from services.cli.adapters.terminal import interrupts_held

        return interrupts_held()

    def archives(self, consent: Consent) -> Archives:
        from services.cli.bootstrap import build_api
        from services.cli.service.archives import Archives

        return Archives(api=build_api(os.environ), consent=consent)

    def upgrades(self, warn: Callable[[str], None]) -> Upgrades:
        from services.cli.bootstrap import build_upgrades

        return build_upgrades(os.environ, warn=warn)

    def upgrade_display(self, *, is_quiet: bool) -> UpgradeDisplay:
        from services.cli.bootstrap import build_upgrade_display

        if is_quiet:
            return build_upgrade_display(_say_nothing, is_terminal=False)
        return build_upgrade_display(click.echo, is_terminal=sys.stdout.isatty())

    def exec_run(self) -> ExecRun:
        from services.cli.bootstrap import build_exec_run

        return build_exec_run(os.environ)

    def fleet(self, consent: Consent | None = None) -> Fleet:
        from services.cli.bootstrap import build_fleet

        return build_fleet(
            os.environ,
            consent=consent or (lambda _remote, _needed: False),
            warn=lambda text: click.echo(text, err=True),
        )

    def console(self) -> ConsoleVerb:
        from services.cli.bootstrap import build_console

        return build_console(os.environ, click.echo)

    def table(self, headings: Sequence[str]) -> TableDisplay:
        from services.cli.bootstrap import build_table

        return build_table(click.echo, headings, is_terminal=sys.stdout.isatty())

    def tokens(self) -> Tokens:
        from services.cli.bootstrap import build_tokens

        return build_tokens(os.environ)


@click.group(
    cls=_Wherry,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "obj": _Parts()},
)
@click.version_option(VERSION, message="wherry %(version)s")
def wherry() -> None:
    """Take a verb."""


@wherry.command()
@click.option(
    "--foreground", is_flag=True, help="Stay and log to standard error; Ctrl-C stops Wherry."
)
@click.pass_obj
def up(parts: _Parts, *, foreground: bool) -> None:
    """Start the node and wait until it is healthy.

    What an earlier node left is taken up: plugins that run keep running, services that lost
    their parent are started anew. A node that is up already stays as it is.

    With --foreground, Ctrl-C or SIGTERM stops the services and lets plugins run; `wherry down`
    stops those, too.
    """
    if foreground:
        _verbs().run_in_foreground()
    _tell_up(parts.beginning or _verbs().begin())


@wherry.command()
@click.option("--live", is_flag=True, help="Stop Wherry alone; plugins keep running.")
def down(*, live: bool) -> None:
    """Stop the node and its plugins; leave no process, socket, mount or cgroup behind.

    Plugins are stopped in parallel and stay wanted: the next `wherry up` starts them. Data in
    WHERRY_ROOT stays.
    """
    if not _verbs().down().run(live=live):
        click.echo("Wherry is not running; nothing of it is left.")
    elif live:
        click.echo("Wherry is down; plugins keep running. `wherry up` takes them up again.")
    else:
        click.echo("Wherry is down; its plugins are stopped, and start with the next `wherry up`.")


@wherry.command()
def restart() -> None:
    """Stop and start the services, to take on a new version; plugins keep running."""
    verbs = _verbs()
    verbs.down().run(live=True)
    _tell_up(verbs.begin())


@wherry.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Show how the node and its services are.

    Exits with 0 when the node is healthy, 1 when it is not, 3 when it is not running.
    """
    found = _verbs().look().run()
    click.echo(found.to_json() if as_json else found.to_text(time.time_ns()))
    ctx.exit(found.exit_status)


@wherry.command()
def stop() -> None:
    """Stop all plugins and leave the services: for who runs those one by one.

    Plugins are stopped in parallel and stay wanted: they start when the store is started again.
    systemd's target, compose and Kubernetes say it before they stop the services; where
    `wherry up` runs, `wherry down` is what you want.
    """
    _verbs().stop_plugins()
    click.echo("Plugins are stopped; they start with the next start of the store.")


@wherry.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Look whether plugins can be run on this host, and say what to do where not.

    Looks at the kernel, cgroups, capabilities, programs, folders, the socket and Redis; changes
    nothing. Exits with 1 when something must be mended first.
    """
    from services.cli.bootstrap import build_diagnosis

    found = build_diagnosis(os.environ)
    click.echo(found.to_json() if as_json else found.to_text())
    ctx.exit(found.exit_status)


@wherry.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def version(*, as_json: bool) -> None:
    """Show the versions of Wherry, of the Docker Engine that it follows, and of Python."""
    import json
    import platform

    said = {
        "wherry": VERSION,
        "docker": DOCKER_VERSION,
        "python": platform.python_version(),
        "platform": f"{sys.platform}/{platform.machine()}",
    }
    if as_json:
        click.echo(json.dumps(said))
    else:
        click.echo("\n".join(f"{name:<9} {value}" for name, value in said.items()))


@wherry.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
@click.pass_obj
def gc(parts: Parts, *, dry_run: bool) -> None:
    """Delete blobs that no plugin and no job needs.

    The node does so by itself after removals and upgrades; this is for who wants to look.
    """
    click.echo(parts.api().collect_garbage(dry_run=dry_run).to_text())


look.add_to(plugin)
plugin.add_command(archive.save)
plugin.add_command(archive.load)
wherry.add_command(plugin)
wherry.add_command(job)
wherry.add_command(node)
wherry.add_command(service)
wherry.add_command(trace)
wherry.add_command(upgrade)
wherry.add_command(dockerd)
wherry.add_command(ui)
wherry.add_command(token)
wherry.add_command(audit)
wherry.add_command(secret)
wherry.add_command(key)


def _say_nothing(_text: str) -> None:
    """Take a line that nobody wants."""


def _verbs() -> Verbs:
    # Late: `wherry --help` is to be there at once.
    from services.cli.bootstrap import build

    return build(os.environ, click.echo)


def _tell_up(beginning: Beginning) -> None:
    verbs, started = beginning.verbs, beginning.finish()
    click.echo(
        f"Wherry {VERSION} is {'up' if started else 'already up'} and healthy.\n\n"
        f"  docker -H unix://{verbs.node.socket} plugin ls\n\n"
        "`wherry status` shows its services, `wherry down` stops it.\n"
        f"Log: {verbs.log}"
    )


def main(beginning: Beginning | None = None) -> None:
    """Run the command line and exit; called by the name dockerd, it is that."""
    args = sys.argv[1:]
    if Path(sys.argv[0]).name == "dockerd":
        args = ["dockerd", *args]
    wherry(args, prog_name="wherry", obj=_Parts(beginning))


if __name__ == "__main__":
    main()
