"""`wherry plugin supervision`, `restart-policy`, `health` and `requires`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from services.cli.entrypoints.parts import Parts

_HEALTH_HELP = """\
Say how a running plugin is asked whether it still works; it holds at once.

\b
TEST is one of
  CONNECT                 its socket accepts a connection
  CALL <Service.Method>   it answers a call on its socket without an error
  CMD <program> <arg>...  a program in it ends with 0
  NONE                    it is not asked
"""

_ARGUMENTS = frozenset({"policy", "test", "others"})

_reset = click.option("--reset", is_flag=True, help="Let what its author declares count again.")


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def supervision(parts: Parts, name: str, *, as_json: bool) -> None:
    """Show when a plugin is started again, how it is asked, and what it needs first."""
    found = parts.api().supervision(name)
    click.echo(found.to_json() if as_json else found.to_text())


@click.command("restart-policy")
@click.argument("name")
@click.argument("policy", default="")
@_reset
@click.pass_obj
def restart_policy(parts: Parts, name: str, policy: str, *, reset: bool) -> None:
    """Say when a plugin that ended by itself is started again.

    POLICY is always, no, on-failure or on-failure:<retries>, as for Docker's containers. It holds
    at once. A plugin that its policy starts no more stays enabled, and `docker plugin enable`
    starts it.
    """
    from services.cli.domain.supervision import policy_body

    _require_one(policy=bool(policy), reset=reset)
    _change(parts, name, "restart-policy", None if reset else policy_body(policy))


@click.command(help=_HEALTH_HELP)
@click.argument("name")
@click.argument("test", nargs=-1)
@click.option("--interval", type=float, help="Seconds between checks.")
@click.option("--timeout", type=float, help="Seconds that one may take.")
@click.option("--start-period", type=float, help="Seconds in which failures do not count.")
@click.option("--retries", type=int, help="Failures in a row that make it unhealthy.")
@click.option("--restart", is_flag=True, help="Restart it when it becomes unhealthy.")
@_reset
@click.pass_obj
def health(
    parts: Parts, /, name: str, test: tuple[str, ...], *, restart: bool, reset: bool, **times: Any
) -> None:
    """Say how a running plugin is asked."""
    _require_one(test=bool(test), reset=reset)
    given = {f"{key}_s" if key != "retries" else key: one for key, one in times.items() if one}
    then = {"on_unhealthy": "restart"} if restart else {}
    _change(parts, name, "health", None if reset else {"test": list(test), **given, **then})


@click.command()
@click.argument("name")
@click.argument("others", nargs=-1)
@click.option("--none", is_flag=True, help="It needs nothing.")
@_reset
@click.pass_obj
def requires(parts: Parts, name: str, others: tuple[str, ...], *, none: bool, reset: bool) -> None:
    """Say which plugins must be ready before a plugin is started.

    OTHERS are names, or capability=<capability> for any enabled plugin that has it. They replace
    what was required before.
    """
    _require_one(others=bool(others), none=none, reset=reset)
    _change(parts, name, "requires", None if reset else {"requires": list(others)})


def _require_one(**given: bool) -> None:
    if sum(given.values()) != 1:
        names = " or ".join(name.upper() if name in _ARGUMENTS else f"--{name}" for name in given)
        raise click.UsageError(f"give {names}, one of them")


def _change(parts: Parts, name: str, part: str, body: Mapping[str, Any] | None) -> None:
    click.echo(parts.api().supervise(name, part, body).to_text())
