"""Puts the verbs together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from services.cli.adapters.gateway import UnixGateway
from services.cli.adapters.host import LocalHost
from services.cli.adapters.parent import ARGV, CODE, DetachedParent
from services.cli.service.up import Begun, Up
from shared import errdefs
from shared.node.config import NodeConfig

if TYPE_CHECKING:
    from services.cli.domain import daemon_config
    from services.cli.domain.diagnosis import Diagnosis
    from services.cli.ports import Api, Display, TableDisplay, Tokens, UpgradeDisplay
    from services.cli.service.console import ConsoleVerb
    from services.cli.service.dockerd import Dockerd
    from services.cli.service.down import Down
    from services.cli.service.exec import ExecRun
    from services.cli.service.fleet import Fleet
    from services.cli.service.granting import Consent, Granting
    from services.cli.service.plugins import PluginJobs
    from services.cli.service.status import Look
    from services.cli.service.upgrades import Upgrades

# What else a verb is made of is imported where it is made: `wherry up` waits for none of it.

#: Those of a node, each of which may have a Redis user of its own.
SERVICES = ("gateway", "store", "executor", "volume", "pull", "event", "controller")
#: An authorization plugin that was enabled answers by then; any other never will.
_UNAUTHORIZED_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """What `wherry` can do to one node."""

    node: NodeConfig
    log: Path
    gateway: UnixGateway
    host: LocalHost
    parent: DetachedParent
    say: Callable[[str], None]

    def up(self) -> Up:
        """Return what brings it up."""
        return Up(gateway=self.gateway, parent=self.parent, host=self.host, log=str(self.log))

    def begin(self) -> Beginning:
        """Start a parent, unless one runs; raises what keeps a node from running here."""
        return Beginning(verbs=self, begun=self.up().begin())

    def down(self) -> Down:
        """Return what brings it down."""
        from services.cli.service.down import Down

        return Down(
            gateway=self.gateway, parent=self.parent, host=self.host, up=self.up(), say=self.say
        )

    def look(self) -> Look:
        """Return what looks how it is."""
        from services.cli.service.status import Look

        return Look(node=self.node, gateway=self.gateway, host=self.host, log=str(self.log))

    def stop_plugins(self) -> None:
        """Stop all plugins, still wished for; raises what the node answers."""
        self.gateway.shut_down()

    def run_in_foreground(self) -> NoReturn:
        """Become the parent."""
        self.host.check()
        os.chdir(CODE)
        os.execv(ARGV[0], ARGV)  # noqa: S606 - no shell is the point


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A node that is on its way up."""

    verbs: Verbs
    begun: Begun

    def finish(self) -> bool:
        """Wait until it is healthy, as Up.run does."""
        return self.verbs.up().finish(self.begun)


def build(env: Mapping[str, str], say: Callable[[str], None]) -> Verbs:
    """Construct the verbs for the node that the environment names; raises InvalidArgument."""
    node = NodeConfig.from_env(env)
    log = node.root / "log" / "wherry.log"
    return Verbs(
        node=node,
        log=log,
        gateway=UnixGateway(socket=node.socket),
        host=LocalHost(node=node, env=env),
        parent=DetachedParent(node, log),
        say=say,
    )


def build_diagnosis(env: Mapping[str, str]) -> Diagnosis:
    """Examine this host for the node that the environment names; raises InvalidArgument."""
    from services.cli.adapters.host_facts import look
    from services.cli.domain.diagnosis import Diagnosis
    from services.cli.domain.examination import examine

    node = NodeConfig.from_env(env)
    return Diagnosis(findings=tuple(examine(look(env, node, SERVICES))))


def daemon_settings(
    flags: Mapping[str, Any], file: str, *, is_named: bool, warn: Callable[[str], None]
) -> daemon_config.Settings:
    """Read what a daemon is told by flags and by *file*, and warn of what means nothing here.

    A file that is not there is none, unless it was named. Raises InvalidArgument.
    """
    from services.cli.adapters.daemon_file import read_daemon_file
    from services.cli.domain import daemon_config

    try:
        settings = daemon_config.merged(flags, read_daemon_file(Path(file), is_named=is_named))
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"unable to configure the Docker daemon with file {file}: {error.message}"
        ) from error
    for key in daemon_config.ignored(settings):
        warn(key)
    return settings


def build_dockerd(
    given: Mapping[str, str], flags: Mapping[str, Any], file: str, settings: daemon_config.Settings
) -> Dockerd:
    """Construct a daemon that is not started; raises InvalidArgument for what can't be meant."""
    from services.cli.adapters.daemon_file import read_daemon_file
    from services.cli.adapters.foreground import ForegroundParent
    from services.cli.adapters.pid_file import LocalPidFile
    from services.cli.domain import daemon_config
    from services.cli.service.dockerd import Dockerd
    from services.cli.service.down import Down
    from shared.node.runtimes import Runtimes
    from shared.telemetry import set_up_logs

    is_activated = given.get("LISTEN_PID") == str(os.getpid())
    inherited = int(given.get("LISTEN_FDS", "0")) if is_activated else 0

    def environment(settings: daemon_config.Settings) -> dict[str, str]:
        said = daemon_config.environment(settings, inherited=inherited)
        env = {**_own_name(said.get("WHERRY_EXEC_ROOT", "")), **given, **said}
        Runtimes.from_env(env)
        return env

    def reload(before: daemon_config.Settings) -> daemon_config.Settings:
        return daemon_config.reloaded(before, flags, read_daemon_file(Path(file), is_named=False))

    env = environment(settings)
    node = NodeConfig.from_env(env)
    gateway = UnixGateway(socket=node.socket)
    host = LocalHost(node=node, env=env)
    parent = ForegroundParent(node, env, inherited=inherited)
    up = Up(
        gateway=gateway,
        parent=parent,
        host=host,
        log="above",
        complaint_limit_s=_UNAUTHORIZED_LIMIT_S,
    )
    set_up_logs("dockerd", env)
    parent.listen()
    return Dockerd(
        up=up,
        down=Down(gateway=gateway, parent=parent, host=host, up=up, say=_to_standard_error),
        parent=parent,
        foreground=parent,
        pid_file=LocalPidFile(path=Path(pid) if (pid := settings.get("pidfile")) else None),
        settings=settings,
        reload=reload,
        environment=environment,
    )


def _own_name(exec_root: str) -> dict[str, str]:
    """Return a name for a node with folders of its own: two on one machine share no cgroup."""
    import hashlib
    import socket

    if not exec_root:
        return {}
    digest = hashlib.sha256(exec_root.encode()).hexdigest()[:8]
    return {"WHERRY_NODE": f"{socket.gethostname()[:54]}-{digest}"}


def _to_standard_error(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - for a person


def build_api(env: Mapping[str, str]) -> Api:
    """Construct what speaks to the gateway about plugins and jobs; raises InvalidArgument."""
    from services.cli.adapters.api import UnixApi

    return UnixApi(socket=NodeConfig.from_env(env).socket)


def build_tokens(env: Mapping[str, str]) -> Tokens:
    """Construct the node's tokens; raises InvalidArgument."""
    from services.cli.adapters.tokens import TokensOnDisk

    path = env.get("WHERRY_TOKENS") or NodeConfig.from_env(env).root / "tokens.json"
    return TokensOnDisk(path=Path(path))


def build_plugin_jobs(
    env: Mapping[str, str], *, consent: Consent, warn: Callable[[str], None]
) -> PluginJobs:
    """Construct what begins jobs, with Docker's logins; raises InvalidArgument."""
    from services.cli.service.plugins import PluginJobs

    granting = _build_granting(env, consent=consent, warn=warn)
    return PluginJobs(api=granting.api, granting=granting)


def build_fleet(env: Mapping[str, str], *, consent: Consent, warn: Callable[[str], None]) -> Fleet:
    """Construct what asks about nodes and services; raises InvalidArgument."""
    from services.cli.adapters.engine import UnixEngine
    from services.cli.service.fleet import Fleet

    engine = UnixEngine(socket=NodeConfig.from_env(env).socket)
    granting = _build_granting(env, consent=consent, warn=warn)
    return Fleet(engine=engine, granting=granting, warn=warn)


def _build_granting(
    env: Mapping[str, str], *, consent: Consent, warn: Callable[[str], None]
) -> Granting:
    from services.cli.adapters.docker_config import DockerConfig
    from services.cli.service.granting import Granting

    return Granting(api=build_api(env), logins=DockerConfig(env), consent=consent, warn=warn)


def build_exec_run(env: Mapping[str, str]) -> ExecRun:
    """Construct what runs a process in a plugin; raises InvalidArgument."""
    from services.cli.adapters.terminal import StandardTerminal
    from services.cli.service.exec import ExecRun

    return ExecRun(api=build_api(env), terminal=StandardTerminal())


def build_console(env: Mapping[str, str], say: Callable[[str], None]) -> ConsoleVerb:
    """Construct what serves the console; raises InvalidArgument."""
    from services.cli.adapters.browser import DesktopBrowser
    from services.cli.adapters.console_proxy import LoopbackConsole
    from services.cli.service.console import ConsoleVerb

    node = NodeConfig.from_env(env)
    return ConsoleVerb(
        node=node.name,
        gateway=UnixGateway(socket=node.socket),
        server=LoopbackConsole(socket=node.socket),
        browser=DesktopBrowser(env=env),
        say=say,
    )


def build_display(say: Callable[[str], None], *, is_terminal: bool) -> Display:
    """Construct a display that changes in place, or one of plain lines."""
    from services.cli.adapters.display import PlainDisplay

    if not is_terminal:
        return PlainDisplay(say)
    # Late: a tenth of a second that only a terminal is worth.
    from services.cli.adapters.live_display import LiveDisplay

    return LiveDisplay()


def build_upgrades(env: Mapping[str, str], *, warn: Callable[[str], None]) -> Upgrades:
    """Construct what begins upgrades of many plugins; raises InvalidArgument."""
    from services.cli.adapters.api import UnixApi
    from services.cli.adapters.docker_config import DockerConfig
    from services.cli.service.upgrades import Upgrades

    api = UnixApi(socket=NodeConfig.from_env(env).socket)
    return Upgrades(api=api, logins=DockerConfig(env), warn=warn)


def build_upgrade_display(say: Callable[[str], None], *, is_terminal: bool) -> UpgradeDisplay:
    """Construct a display that changes in place, or one of plain lines."""
    from services.cli.adapters.upgrade_display import PlainUpgradeDisplay

    if not is_terminal:
        return PlainUpgradeDisplay(say)
    # Late: a tenth of a second that only a terminal is worth.
    from services.cli.adapters.live_upgrade import LiveUpgradeDisplay

    return LiveUpgradeDisplay()


def build_table(
    say: Callable[[str], None], headings: Sequence[str], *, is_terminal: bool
) -> TableDisplay:
    """Construct a table that changes in place, or one that is said again and again."""
    from services.cli.adapters.display import PlainTable

    if not is_terminal:
        return PlainTable(say, headings)
    from services.cli.adapters.live_table import LiveTable

    return LiveTable(headings)
