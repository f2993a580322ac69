"""`wherry node`: the nodes of the fleet."""

from __future__ import annotations

import click

from services.cli.entrypoints.parts import Parts


@click.group()
def node() -> None:
    """Look at the nodes of the fleet, label them, empty them.

    The nodes that share a Redis, by WHERRY_REDIS_URL, are a fleet. Any of them can be asked.
    """


@node.command("ls")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_nodes(parts: Parts, *, as_json: bool) -> None:
    """List the nodes, and whether they are heard of."""
    from services.cli.domain.node import listed

    found = parts.fleet().nodes()
    click.echo(_json(found) if as_json else listed(found))


@node.command()
@click.argument("name")
@click.pass_obj
def inspect(parts: Parts, name: str) -> None:
    """Show all that is known of a node, as JSON."""
    click.echo(_json(parts.fleet().node(name)))


@node.command()
@click.argument("name")
@click.option("--label-add", "added", multiple=True, metavar="KEY[=VALUE]", help="Set a label.")
@click.option("--label-rm", "removed", multiple=True, metavar="KEY", help="Take a label away.")
@click.option(
    "--availability",
    type=click.Choice(["active", "pause", "drain"]),
    help="What the controller may do there.",
)
@click.pass_obj
def update(
    parts: Parts,
    name: str,
    *,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    availability: str | None,
) -> None:
    """Set labels or the availability of a node.

    Services whose constraints it fulfils from now on come, others go.
    """
    parts.fleet().update_node(name, added=added, removed=removed, availability=availability or "")


@node.command()
@click.argument("name")
@click.pass_obj
def drain(parts: Parts, name: str) -> None:
    """Take all services from a node, and give it no more."""
    parts.fleet().update_node(name, availability="drain")


@node.command()
@click.argument("name")
@click.pass_obj
def activate(parts: Parts, name: str) -> None:
    """Give a node services again."""
    parts.fleet().update_node(name, availability="active")


@node.command()
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="Though it is not down.")
@click.pass_obj
def rm(parts: Parts, name: str, *, force: bool) -> None:
    """Forget a node that will not come back; one that does is new."""
    parts.fleet().remove_node(name, force=force)


def _json(value: object) -> str:
    # Late: `wherry --help` is to be there at once.
    import json

    return json.dumps(value, indent=2)
