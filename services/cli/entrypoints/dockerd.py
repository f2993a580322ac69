"""`wherry dockerd`: dockerd's flags, as click's."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from services.cli.domain.daemon_options import OPTIONS, Kind, Option
from services.cli.entrypoints.parts import Parts
from shared import errdefs
from shared.version import DOCKER_VERSION, VERSION

_FILE: Final = "/etc/docker/daemon.json"
_HELP: Final = f"""Run a node in the foreground, as dockerd runs: its flags, its file, its end.

The API is served on unix:///var/run/docker.sock, or where -H says. Logs go to standard error.
SIGTERM or SIGINT stops the plugins, unless --live-restore is given, and ends the node; a node
that is killed leaves them running, and the next one takes them up.

What is not given as a flag is read from {_FILE}. What dockerd has and a node has not
is taken and ignored, with a warning. The WHERRY_* variables of `wherry --help` hold as well;
flags and the file are stronger.
"""
#: dockerd's exit status for flags that are wrong.
_WRONG_FLAGS: Final = 125


class _Dockerd(click.Command):
    """Tells wrong flags as dockerd does."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.NoSuchOption as error:
            click.echo(f"unknown flag: {error.option_name}\nSee 'wherry dockerd --help'.", err=True)
            sys.exit(_WRONG_FLAGS)


@click.pass_context
def _run(ctx: click.Context, /, config_file: str, *, validate: bool, **values: Any) -> None:
    flags = {
        option.key: _value(option, values[_parameter(option)])
        for option in OPTIONS
        if _is_given(ctx, _parameter(option))
    }
    parts: Parts = ctx.obj
    daemon = parts.dockerd(flags, config_file, is_named=_is_given(ctx, "config_file"), warn=_warn)
    if validate:
        click.echo("configuration OK")
        return
    daemon.run()


def _is_given(ctx: click.Context, parameter: str) -> bool:
    return ctx.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE


def _parameter(option: Option) -> str:
    return f"flag_{option.flag.replace('-', '_')}"


def _value(option: Option, given: Any) -> Any:
    match option.kind:
        case Kind.SWITCH:
            return _switch(option, given)
        case Kind.LIST:
            return list(given)
        case Kind.MAP:
            return dict(_pair(option, each) for each in given)
        case _:
            return given


def _switch(option: Option, given: str) -> bool:
    if given.lower() in {"1", "t", "true"}:
        return True
    if given.lower() in {"0", "f", "false"}:
        return False
    raise errdefs.InvalidArgument(
        f'invalid argument "{given}" for "--{option.flag}" flag: must be true or false'
    )


def _pair(option: Option, given: str) -> tuple[str, Any]:
    name, separator, value = given.partition("=")
    if not name or not separator:
        raise errdefs.InvalidArgument(
            f'invalid argument "{given}" for "--{option.flag}" flag: must be <name>=<value>'
        )
    return name, {"path": value} if option.key == "runtimes" else value


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's
    if wanted and not ctx.resilient_parsing:
        click.echo(f"Docker version {DOCKER_VERSION}, build wherry-{VERSION}")
        ctx.exit()


def _warn(key: str) -> None:
    click.echo(f"warning: {key} means nothing to this node, and is ignored", err=True)


def _flag(option: Option) -> click.Option:
    names = [f"--{option.flag}", *([f"-{option.short}"] if option.short else [])]
    meaning = option.meaning or "ignored"
    if option.kind is Kind.SWITCH:  # as Go's flags: --tls or --tls=false
        return click.Option(
            [*names, _parameter(option)], is_flag=False, flag_value="true", default="", help=meaning
        )
    return click.Option(
        [*names, _parameter(option)],
        multiple=option.kind in (Kind.LIST, Kind.MAP),
        type=int if option.kind is Kind.NUMBER else str,
        help=meaning,
    )


dockerd = _Dockerd(
    "dockerd",
    callback=_run,
    help=_HELP,
    params=[
        *map(_flag, OPTIONS),
        click.Option(["--config-file"], default=_FILE, help="the file"),
        click.Option(
            ["-v", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="show the version, and end",
        ),
        click.Option(["--validate"], is_flag=True, help="check flags and file, and end"),
    ],
)
