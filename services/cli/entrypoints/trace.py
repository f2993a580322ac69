"""`wherry trace`: where the time went, without any back end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from services.cli.entrypoints.parts import Parts

if TYPE_CHECKING:
    from services.cli.domain.trace import Answered

limit_option = click.option(
    "-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many."
)
plugin_option = click.option("--plugin", default="", help="Only requests about this plugin.")
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group()
def trace() -> None:
    """Show where the time of recent requests went.

    The node keeps the spans of its services, the newest 4 MiB of each unless WHERRY_TRACE_BYTES
    says otherwise; whether they are sent elsewhere as well makes no difference. Requests that
    only read are left out, unless their client brings a trace.
    """


@trace.command("ls")
@limit_option
@plugin_option
@click.option(
    "-a", "--all", "everything", is_flag=True, help="Also what no request began, such as restarts."
)
@json_option
@click.pass_obj
def list_traces(parts: Parts, *, limit: int, plugin: str, everything: bool, as_json: bool) -> None:
    """List recent traces, newest first."""
    _list(parts, as_json=as_json, limit=limit, plugin=plugin, everything=everything, is_slow=False)


@trace.command()
@limit_option
@plugin_option
@json_option
@click.pass_obj
def slow(parts: Parts, *, limit: int, plugin: str, as_json: bool) -> None:
    """List recent requests, slowest first."""
    _list(parts, as_json=as_json, limit=limit, plugin=plugin, everything=False, is_slow=True)


@trace.command()
@click.argument("trace_id", metavar="ID")
@json_option
@click.pass_obj
def show(parts: Parts, trace_id: str, *, as_json: bool) -> None:
    """Show a trace as a tree with times.

    ID is the beginning of a trace's id, as `wherry trace ls`, log lines and the answers' header
    wherry-trace-id have it. A * marks the critical path: what the end had to wait for, and how
    long for each span alone.
    """
    import json

    from services.cli.domain import trace_text

    found = parts.api().trace(trace_id)
    click.echo(json.dumps(found.body, indent=2) if as_json else trace_text.shown(found))


def _list(
    parts: Parts, *, as_json: bool, limit: int, plugin: str, everything: bool, is_slow: bool
) -> None:
    import dataclasses
    import json

    from services.cli.domain import trace_text

    found = parts.api().traces(limit=limit, plugin=plugin, everything=everything, slow=is_slow)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
    else:
        click.echo(trace_text.listed(found, time.time_ns()))


def tell(parts: Parts, answered: Answered) -> None:
    """Show on standard error what a request did."""
    from services.cli.domain import trace_text
    from services.cli.service.traces import TraceRun

    click.echo(trace_text.shown(TraceRun(api=parts.api()).show(answered)), err=True)
