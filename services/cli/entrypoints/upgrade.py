"""`wherry upgrade`: many plugins on many nodes, as one thing that is watched and steered."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli.entrypoints.parts import Parts

if TYPE_CHECKING:
    from services.cli.domain.upgrade import Upgrade

_INTERRUPTED: Final = 130

_HELP: Final = """Upgrade many plugins on many nodes.

What the new versions are made of is fetched before the first plugin is stopped. Each plugin
is stopped, replaced, started and watched; a new version that does not start or last is put
back by itself. Ctrl-C leaves the upgrade to itself.

\b
Exit status:
  0  all plugins are what they were to be
  1  the request failed
  3  it went on to its end, and some plugins failed
  4  it is paused
  5  it was rolled back
  6  it was cancelled
  7  it was rolled back, and some plugins could not be put back
"""

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def _whole_id(_ctx: click.Context, _parameter: click.Parameter, given: str) -> str:
    if not given.strip():
        raise click.BadParameter("give an upgrade's id, or its beginning: `wherry upgrade ls`")
    return given


id_argument = click.argument("upgrade_id", metavar="UPGRADE", callback=_whole_id)


@click.group(invoke_without_command=True, help=_HELP)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Which plugins; all must fit. Keys: name, capability, reference (a pattern), node, label "
    "(of the node: key or key=value), enabled. Names and nodes may be given more than once.",
)
@click.option("--to", "target", default="", help="A reference, or a tag of each own repository.")
@click.option(
    "--parallelism",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Plugins at a time; 0: all.",
)
@click.option("--delay", default="0s", show_default=True, help="Between one and the next.")
@click.option(
    "--monitor", default="5s", show_default=True, help="How long a new version has to last."
)
@click.option(
    "--max-failure-ratio",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="What may fail; 0.1 is a tenth.",
)
@click.option(
    "--failure-action",
    type=click.Choice(["pause", "continue", "rollback"]),
    default="pause",
    show_default=True,
    help="What happens when more fails.",
)
@click.option(
    "--order",
    type=click.Choice(["stop-first", "start-first"]),
    default="stop-first",
    show_default=True,
)
@click.option(
    "--privileges",
    "policy",
    type=click.Choice(["require-same", "grant-listed", "grant-all"]),
    default="require-same",
    show_default=True,
    help="What new versions may be granted.",
)
@click.option(
    "--grant",
    "grants",
    multiple=True,
    metavar="NAME=VALUE",
    help="With grant-listed: a privilege that may be granted, such as network=host.",
)
@click.option("--registry", default="", help="Whose login of `docker login` is used with a tag.")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("-y", "--yes", is_flag=True, help="Do not show the plan and ask first.")
@click.option("--detach", is_flag=True, help="Print the upgrade's id and let it go on.")
@json_option
@click.pass_context
def upgrade(ctx: click.Context, /, **options: Any) -> None:
    """Upgrade many plugins on many nodes."""
    if ctx.invoked_subcommand is not None:
        return
    if not options["target"]:
        raise click.UsageError("say what to upgrade to: --to REFERENCE, or --to TAG")
    from services.cli.domain.upgrade_request import to_body

    ctx.exit(_run(ctx.obj, to_body(options), options))


@upgrade.command("ls")
@json_option
@click.pass_obj
def list_upgrades(parts: Parts, *, as_json: bool) -> None:
    """List upgrades, newest first."""
    from services.cli.domain.upgrade import listed

    found = parts.upgrades(_warn).api.upgrades()
    if as_json:
        click.echo(_json([_shown(one) for one in found]))
    else:
        click.echo(listed(found, time.time_ns()))


@upgrade.command()
@id_argument
@json_option
@click.pass_obj
def inspect(parts: Parts, upgrade_id: str, *, as_json: bool) -> None:
    """Show an upgrade with its plan, and how far each plugin is."""
    _show(parts, upgrade_id, as_json=as_json)


@upgrade.command()
@id_argument
@json_option
@click.pass_context
def watch(ctx: click.Context, upgrade_id: str, *, as_json: bool) -> None:
    """Watch an upgrade that goes on; exits as `wherry upgrade` does."""
    parts: Parts = ctx.obj
    found = parts.upgrades(_warn).api.upgrade(upgrade_id).upgrade
    if found.is_at_rest and not as_json:
        click.echo(found.summary())
    ctx.exit(_to_its_end(parts, found, as_json=as_json))


@upgrade.command()
@id_argument
@click.pass_obj
def pause(parts: Parts, upgrade_id: str) -> None:
    """Begin nothing more; what is under way ends."""
    _steer(parts, upgrade_id, "pause")


@upgrade.command()
@id_argument
@click.pass_obj
def resume(parts: Parts, upgrade_id: str) -> None:
    """Go on with an upgrade that is paused; what has failed until now is accepted."""
    _steer(parts, upgrade_id, "resume")


@upgrade.command()
@id_argument
@click.pass_obj
def cancel(parts: Parts, upgrade_id: str) -> None:
    """Begin nothing more, for good; what is under way ends, what is upgraded stays."""
    _steer(parts, upgrade_id, "cancel")


@upgrade.command()
@id_argument
@click.pass_obj
def rollback(parts: Parts, upgrade_id: str) -> None:
    """Put back all that was upgraded, whether the upgrade is over or not."""
    _steer(parts, upgrade_id, "rollback")


def _run(parts: Parts, body: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    upgrades = parts.upgrades(_warn)
    is_asked = not options["yes"] and not options["detach"] and sys.stdin.isatty()
    if options["dry_run"] or is_asked:
        plan = upgrades.plan(body, options["registry"])
        if options["dry_run"]:
            _show(parts, plan.upgrade.upgrade_id, as_json=options["as_json"])
            return plan.upgrade.exit_status
        click.echo(plan.plan())
        if not click.confirm("Upgrade these?"):
            return 6
    begun = upgrades.begin(body, options["registry"])
    if options["detach"]:
        click.echo(_json(_shown(begun)) if options["as_json"] else begun.upgrade_id)
        return 0
    return _to_its_end(parts, begun, as_json=options["as_json"])


def _to_its_end(parts: Parts, begun: Upgrade, *, as_json: bool) -> int:
    """Watch an upgrade until it rests, and return the exit status; JSON tells the end alone."""
    ended = _watched(parts, begun, is_quiet=as_json)
    if as_json:
        _show(parts, ended.upgrade_id, as_json=True)
    return ended.exit_status


def _watched(parts: Parts, begun: Upgrade, *, is_quiet: bool = False) -> Upgrade:
    display = parts.upgrade_display(is_quiet=is_quiet)
    upgrade_id = begun.upgrade_id
    try:
        ended = parts.upgrades(_warn).watch(begun, display)
    except KeyboardInterrupt:
        click.echo(
            f"left: `wherry upgrade watch {upgrade_id}` shows it again, `wherry upgrade pause "
            f"{upgrade_id}` pauses it",
            err=True,
        )
        sys.exit(_INTERRUPTED)
    if ended.exit_status and not is_quiet:
        why = f": {ended.message}" if ended.message else ""
        click.echo(f"upgrade {ended.upgrade_id} is {ended.state}{why}", err=True)
        _say_next(ended)
    return ended


def _show(parts: Parts, upgrade_id: str, *, as_json: bool) -> None:
    found = parts.upgrades(_warn).api.upgrade(upgrade_id)
    if as_json:
        plugins = [_shown(one) for one in found.plugins]
        click.echo(_json({**_shown(found.upgrade), "plugins": plugins}))
        return
    click.echo(found.upgrade.summary())
    if found.upgrade.message:
        click.echo(found.upgrade.message)
    click.echo(found.plan())


def _steer(parts: Parts, upgrade_id: str, verb: str) -> None:
    found = parts.upgrades(_warn).api.steer_upgrade(upgrade_id, verb)
    click.echo(found.summary())
    _say_next(found)


def _say_next(upgrade: Upgrade) -> None:
    for line in upgrade.next_steps():
        click.echo(line, err=True)


def _shown(value: Any) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(value)


def _warn(text: str) -> None:
    click.echo(text, err=True)


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2)
