"""`wherry service`: plugins on all nodes of the fleet, or on some."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from services.cli.entrypoints.parts import Parts
from services.cli.entrypoints.plugin import ask, grant_everything, grant_option

if TYPE_CHECKING:
    from services.cli.service.fleet import Fleet

_NS = 10**9


@click.group()
def service() -> None:
    """Have a plugin on all nodes of the fleet, or on those that constraints name.

    The docker CLI lists and removes such services, and cannot create them.
    """


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a new service and an update have in common."""
    for option in (
        click.option("--env", multiple=True, metavar="KEY=VALUE", help="Of its environment."),
        click.option(
            "--parallelism", type=click.IntRange(min=0), help="Nodes at once; 0 for all.  [1]"
        ),
        click.option("--delay", default="", help="Between nodes, such as 10s."),
        click.option("--monitor", default="", help="How long a new version has to last.  [5s]"),
        click.option("--failure-action", type=click.Choice(["pause", "continue", "rollback"])),
        click.option("--order", type=click.Choice(["stop-first", "start-first"])),
        grant_option,
    ):
        command = option(command)
    return command


@service.command()
@click.argument("name")
@click.argument("remote")
@click.option("--plugin-name", help="What to call the plugin on the nodes.")
@click.option("--constraint", multiple=True, help="Such as node.labels.zone==a.")
@click.option("--disabled", is_flag=True, help="Install it, and do not start it.")
@_options
@click.pass_obj
def create(
    parts: Parts,
    /,
    name: str,
    remote: str,
    *,
    plugin_name: str | None,
    constraint: tuple[str, ...],
    disabled: bool,
    env: tuple[str, ...],
    grant: bool,
    **how: Any,
) -> None:
    """Create a service: the plugin REMOTE, installed and running.

    Nodes that come later get it, too.
    """
    from services.cli.domain.plugin_service import ServiceWish

    wish = ServiceWish(
        remote=remote,
        plugin_name=plugin_name,
        env=env,
        constraints=constraint,
        enabled=not disabled,
        update=_update(**how),
    )
    click.echo(_fleet(parts, grant=grant).create(name, wish))


@service.command()
@click.argument("name")
@click.option("--remote", default="", help="Another version.")
@click.option("--env-rm", multiple=True, metavar="KEY", help="Back to what its config has.")
@click.option("--constraint-add", multiple=True)
@click.option("--constraint-rm", multiple=True)
@click.option("--enabled/--disabled", default=None, help="Whether it shall run.")
@click.option("--force", is_flag=True, help="Install it anew though nothing has changed.")
@click.option("--rollback", is_flag=True, help="Back to the spec before, and nothing else.")
@_options
@click.pass_obj
def update(
    parts: Parts,
    /,
    name: str,
    *,
    remote: str,
    env: tuple[str, ...],
    env_rm: tuple[str, ...],
    constraint_add: tuple[str, ...],
    constraint_rm: tuple[str, ...],
    enabled: bool | None,
    force: bool,
    rollback: bool,
    grant: bool,
    **how: Any,
) -> None:
    """Change a service; its nodes follow, a few at a time."""
    from services.cli.domain.plugin_service import ServiceWish

    fleet = _fleet(parts, grant=grant)
    if rollback:
        fleet.roll_back(name)
        return
    wish = ServiceWish(
        remote=remote,
        env=env,
        env_removed=env_rm,
        constraints=constraint_add,
        constraints_removed=constraint_rm,
        enabled=enabled,
        update=_update(**how),
        force=force,
    )
    fleet.update(name, wish)


@service.command("ls")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_services(parts: Parts, *, as_json: bool) -> None:
    """List the services, and on how many nodes they run."""
    from services.cli.domain.plugin_service import listed

    found = parts.fleet().services()
    click.echo(_json(found) if as_json else listed(found))


@service.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def ps(parts: Parts, name: str, *, as_json: bool) -> None:
    """List a service's tasks, with those that ended."""
    from services.cli.domain.plugin_service import tasks_listed

    fleet = parts.fleet()
    found = fleet.tasks(name)
    if as_json:
        click.echo(_json(found))
        return
    names = {one["ID"]: one["Description"]["Hostname"] for one in fleet.nodes()}
    click.echo(tasks_listed(found, names))


@service.command()
@click.argument("name")
@click.pass_obj
def inspect(parts: Parts, name: str) -> None:
    """Show all that is known of a service, as JSON."""
    click.echo(_json(parts.fleet().service(name)))


@service.command()
@click.argument("name")
@click.pass_obj
def rm(parts: Parts, name: str) -> None:
    """Remove a service; its plugin goes from all nodes."""
    parts.fleet().remove(name)


def _fleet(parts: Parts, *, grant: bool) -> Fleet:
    return parts.fleet(grant_everything if grant else ask)


def _update(
    *,
    parallelism: int | None,
    delay: str,
    monitor: str,
    failure_action: str | None,
    order: str | None,
) -> dict[str, Any]:
    """Return what is said of rolling updates, in Docker's keys."""
    from services.cli.domain.moment import to_seconds

    said = {
        "Parallelism": parallelism,
        "Delay": int(to_seconds(delay) * _NS) if delay else None,
        "Monitor": int(to_seconds(monitor) * _NS) if monitor else None,
        "FailureAction": failure_action,
        "Order": order,
    }
    return {key: value for key, value in said.items() if value is not None}


def _json(value: object) -> str:
    # Late: `wherry --help` is to be there at once.
    import json

    return json.dumps(value, indent=2)
