"""`wherry upgrade`: what it asks for, shows, and exits with."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from services.cli.adapters.live_upgrade import LiveUpgradeDisplay
from services.cli.adapters.upgrade_display import PlainUpgradeDisplay
from services.cli.domain.login import Login
from services.cli.domain.upgrade import Change, Upgrade, listed
from services.cli.entrypoints.upgrade import upgrade as command
from services.cli.service.upgrades import Upgrades
from shared import errdefs
from tests.support.cli_upgrades import FakeUpgradeApi, FakeUpgradeDisplay, plugin, upgrade


class _Logins:
    def find(self, domain: str) -> Login:
        return Login(fields={"serveraddress": domain})


@dataclass
class _Parts:
    fake: FakeUpgradeApi = field(default_factory=FakeUpgradeApi)
    display: FakeUpgradeDisplay = field(default_factory=FakeUpgradeDisplay)

    def upgrades(self, warn: Callable[[str], None]) -> Upgrades:
        return Upgrades(api=self.fake, logins=_Logins(), warn=warn, pause=lambda _s: None)

    def upgrade_display(self, *, is_quiet: bool) -> FakeUpgradeDisplay:
        return self.display


def _change(shown: Upgrade, *numbers: int) -> Change:
    return Change(position="p-1", upgrade=shown, plugins=tuple(plugin(one) for one in numbers))


def _run(parts: _Parts, *args: str) -> Result:
    return CliRunner().invoke(command, args, obj=parts)


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        (upgrade("completed", upgraded=2), 0),
        (upgrade("completed", upgraded=1, failed=1), 3),
        (upgrade("paused", failed=1), 4),
        (upgrade("rollback_completed", rolled_back=2), 5),
        (upgrade("cancelled", cancelled=2), 6),
        (upgrade("rollback_paused", rollback_failed=1), 7),
    ],
    ids=["done", "some", "paused", "back", "cancelled", "stuck"],
)
def test_exit_status(ended: Upgrade, status: int) -> None:
    """A script learns how it ended."""
    parts = _Parts(fake=FakeUpgradeApi(changes=[_change(upgrade(), 0), _change(ended)]))

    done = _run(parts, "--filter", "enabled=true", "--to", "v2")

    assert done.exit_code == status
    assert parts.display.states == ["updating", ended.state]
    assert parts.display.closed == 1


def test_what_is_asked() -> None:
    """Options are the request's words."""
    parts = _Parts(fake=FakeUpgradeApi(changes=[_change(upgrade("completed"))]))

    _run(
        parts,
        *("--filter", "capability=volumedriver", "--filter", "name=a", "--filter", "name=b"),
        *("--filter", "label=rack=7", "--to", "r.example/p:2", "--parallelism", "10"),
        *("--monitor", "1m", "--failure-action", "rollback", "--delay", "2s"),
        *("--privileges", "grant-listed", "--grant", "network=host"),
    )

    ((body, login),) = parts.fake.created
    assert body["selector"]["names"] == ["a", "b"]
    assert body["selector"]["node_labels"] == ["rack=7"]
    assert body["selector"]["capability"] == "volumedriver"
    assert body["target"] == {"reference": "r.example/p:2"}
    assert body["update"]["monitor_s"] == 60.0
    assert body["update"]["delay_s"] == 2.0
    assert body["privileges"] == [{"name": "network", "value": ["host"]}]
    assert login.fields["serveraddress"] == "r.example"


def test_a_tag_has_the_login_that_is_named() -> None:
    """With a tag nobody knows the registry, so it is anonymous unless one is named."""
    parts = _Parts(fake=FakeUpgradeApi(changes=[_change(upgrade("completed"))]))

    _run(parts, "--filter", "enabled=true", "--to", "v2", "--detach")
    _run(parts, "--filter", "enabled=true", "--to", "v2", "--detach", "--registry", "r.example")

    first, second = (login for _, login in parts.fake.created)
    assert (first.fields, second.fields) == ({}, {"serveraddress": "r.example"})


@pytest.mark.parametrize(
    "args",
    [
        ("--filter", "color=red", "--to", "v2"),
        ("--filter", "enabled=maybe", "--to", "v2"),
        ("--filter", "capability=a", "--filter", "capability=b", "--to", "v2"),
        ("--filter", "name", "--to", "v2"),
        ("--filter", "enabled=true", "--to", "v2", "--grant", "network"),
        ("--filter", "enabled=true", "--to", "v2", "--delay", "soon"),
    ],
    ids=["key", "enabled", "twice", "value", "grant", "delay"],
)
def test_what_can_not_be_meant(args: tuple[str, ...]) -> None:
    """It is refused here, before anything is asked."""
    parts = _Parts()

    done = _run(parts, *args)

    assert isinstance(done.exception, errdefs.InvalidArgument)
    assert not parts.fake.created


@pytest.mark.parametrize(
    "args",
    [("--parallelism", "-1"), ("--max-failure-ratio", "1.5")],
    ids=["parallelism", "ratio"],
)
def test_a_number_that_can_not_be(args: tuple[str, str]) -> None:
    """The option is named, and what it takes."""
    done = _run(_Parts(), "--filter", "enabled=true", "--to", "v2", *args)

    assert done.exit_code == 2
    assert f"Invalid value for '{args[0]}'" in done.output


@pytest.mark.parametrize("verb", ["inspect", "watch", "pause", "resume", "cancel", "rollback"])
def test_an_empty_id(verb: str) -> None:
    """It is refused here: a script's variable was empty."""
    parts = _Parts()

    done = _run(parts, verb, "")

    assert (done.exit_code, parts.fake.steered) == (2, [])
    assert "wherry upgrade ls" in done.output


def test_no_target() -> None:
    """Without --to it says what is missing."""
    done = _run(_Parts())

    assert done.exit_code == 2
    assert "--to" in done.output


def test_detached() -> None:
    """The id alone is printed, for scripts."""
    assert _run(_Parts(), "--to", "v2", "--filter", "name=p", "--detach").output == "u1\n"


def test_dry_run() -> None:
    """The plan is shown: each plugin, from what to what."""
    planned = _change(upgrade("planned", pending=1), 0)
    parts = _Parts(fake=FakeUpgradeApi(shown=[_change(upgrade("planning")), planned]))

    done = _run(parts, "--to", "v2", "--filter", "name=p", "--dry-run")

    assert done.exit_code == 0
    assert parts.fake.created[0][0]["dry_run"] is True
    assert f"{'a' * 12}  r.example/p:v2 {'b' * 12}" in done.output


def test_no_plan() -> None:
    """Why there is none is the error."""
    failed = upgrade("failed")
    parts = _Parts(fake=FakeUpgradeApi(shown=[_change(failed)]))

    done = _run(parts, "--to", "v2", "--filter", "name=p", "--dry-run")

    assert isinstance(done.exception, errdefs.InvalidArgument)


def test_json() -> None:
    """Programs get the upgrade with its plugins when it is over."""
    over = _change(upgrade("completed", upgraded=1), 0)
    parts = _Parts(fake=FakeUpgradeApi(changes=[over], shown=[over]))

    done = _run(parts, "--to", "v2", "--filter", "name=p", "--json")

    shown = cast("dict[str, Any]", json.loads(done.output))
    assert (shown["state"], [one["name"] for one in shown["plugins"]]) == ("completed", ["p0"])


def test_a_gateway_that_is_away_for_a_moment() -> None:
    """The upgrade goes on, and so does its display."""
    over = _change(upgrade("completed", upgraded=1))
    fake = FakeUpgradeApi(
        changes=[errdefs.Unavailable("away"), over], shown=[_change(upgrade("updating"))]
    )
    parts = _Parts(fake=fake)

    assert _run(parts, "--to", "v2", "--filter", "name=p").exit_code == 0
    assert len(parts.display.notes) == 1


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "rollback"])
def test_steering(verb: str) -> None:
    """Each verb says how the upgrade is then."""
    parts = _Parts()

    assert "upgrade u1 to v2: paused" in _run(parts, verb, "u1").output
    assert parts.fake.steered == [("u1", verb)]


def test_watch_of_one_that_is_over() -> None:
    """It says how it ended."""
    parts = _Parts(fake=FakeUpgradeApi(shown=[_change(upgrade("completed", upgraded=1))]))

    assert "upgrade u1 to v2: completed" in _run(parts, "watch", "u1").output


def test_watch_for_programs() -> None:
    """The upgrade with its plugins is printed once it is over, and nothing else."""
    over = _change(upgrade("completed", upgraded=1), 0)
    parts = _Parts(fake=FakeUpgradeApi(changes=[over], shown=[_change(upgrade()), over]))

    done = _run(parts, "watch", "u", "--json")

    shown = cast("dict[str, Any]", json.loads(done.output))
    assert (shown["state"], [one["name"] for one in shown["plugins"]]) == ("completed", ["p0"])


def test_list() -> None:
    """A row for each, with how much of it is done."""
    lines = listed([upgrade("updating", upgraded=1, failed=1, pending=2)], 61 * 10**9)

    assert lines.splitlines()[1].split() == ["u1", "updating", "4", "2", "1", "v2", "1m0s"]


def test_summary_tells_what_is_left() -> None:
    """About how long the rest takes is said where it is known."""
    shown = upgrade("updating", left_s=9.6, upgraded=2, pending=2)

    assert shown.summary().endswith("about 10s left")
    assert "left" not in upgrade("updating", pending=2).summary()


def test_plain_lines() -> None:
    """Without a terminal each end is a line, once, and each state."""
    said: list[str] = []
    display = PlainUpgradeDisplay(said.append)
    failed = plugin(0, "failed", error={"message": "it ends"})
    for _ in range(2):
        display.show(upgrade("updating", warnings=["w"], failed=1, pending=1), [failed])
    display.show(upgrade("completed", failed=1, upgraded=1), [plugin(1, "upgraded")])

    assert said == [
        "warning: w",
        "upgrade u1: updating",
        "1/2 n1/p0: failed: it ends",
        "2/2 n1/p1: upgraded",
        "upgrade u1: completed",
    ]


def test_plain_lines_that_come_together() -> None:
    """Plugins that end at once are counted one by one."""
    said: list[str] = []
    display = PlainUpgradeDisplay(said.append)

    display.show(upgrade("updating", upgraded=2), [plugin(0, "upgraded"), plugin(1, "upgraded")])

    assert said[1:] == ["1/2 n1/p0: upgraded", "2/2 n1/p1: upgraded"]


def test_plain_lines_of_a_rollback() -> None:
    """What is upgraded waits to be put back; it counts once it is."""
    said: list[str] = []
    display = PlainUpgradeDisplay(said.append)
    display.show(upgrade("updating", upgraded=2), [plugin(0, "upgraded"), plugin(1, "upgraded")])
    del said[:]

    display.show(upgrade("rollback_started", upgraded=2), [])
    for number, left in ((1, 1), (0, 0)):
        shown = upgrade("rollback_started", upgraded=left, rolled_back=2 - left)
        display.show(shown, [plugin(number, "rolled_back")])

    assert said == [
        "upgrade u1: rollback_started",
        "1/2 n1/p1: rolled_back",
        "2/2 n1/p0: rolled_back",
    ]


def test_watch_of_a_rollback_tells_no_upgrades() -> None:
    """Who comes later is told what was put back, not what was upgraded before."""
    said: list[str] = []

    shown = upgrade("rollback_started", upgraded=1, rolled_back=1)
    PlainUpgradeDisplay(said.append).show(shown, [plugin(0, "upgraded"), plugin(1, "rolled_back")])

    assert said == ["upgrade u1: rollback_started", "1/2 n1/p1: rolled_back"]


@pytest.mark.parametrize(
    ("shown", "summary", "done"),
    [
        (upgrade("rollback_started", upgraded=12), "0 of 12 put back: 12 upgraded", 0),
        (
            upgrade("rollback_started", upgraded=3, rolling_back=2, rolled_back=4, cancelled=3),
            "4 of 9 put back: 3 cancelled, 4 rolled_back, 2 rolling_back, 3 upgraded",
            7,
        ),
        (
            upgrade("rollback_paused", rollback_failed=1, rolled_back=8, failed=1),
            "8 of 9 put back: 1 failed, 1 rollback_failed, 8 rolled_back",
            10,
        ),
        (upgrade("updating", upgraded=3, pending=2), "3 of 5 done: 2 pending, 3 upgraded", 3),
        (upgrade("planned", pending=1, failed=2), "3 planned: 2 failed, 1 pending", 2),
    ],
    ids=["begun", "under way", "stuck", "forwards", "plan"],
)
def test_summary_counts(shown: Upgrade, summary: str, done: int) -> None:
    """A rollback says how much of what was upgraded is put back."""
    assert shown.summary() == f"upgrade u1 to v2: {shown.state}; {summary}"
    assert shown.done == done


@pytest.mark.parametrize(
    ("ended", "commands"),
    [
        (upgrade("completed", upgraded=1, failed=1), ["inspect", "rollback"]),
        (upgrade("paused", failed=1), ["inspect", "resume", "rollback"]),
        (upgrade("cancelled", cancelled=2), ["inspect", "rollback"]),
        (upgrade("rollback_completed", rolled_back=2), ["inspect"]),
        (upgrade("rollback_paused", rollback_failed=1), ["inspect", "rollback"]),
        (upgrade("failed"), []),
    ],
    ids=["some", "paused", "cancelled", "back", "stuck", "no plan"],
)
def test_what_may_be_done_next(ended: Upgrade, commands: list[str]) -> None:
    """Each end that is not the one wished for says how to go on."""
    parts = _Parts(fake=FakeUpgradeApi(changes=[_change(upgrade(), 0), _change(ended)]))

    said = _run(parts, "--filter", "enabled=true", "--to", "v2").output

    assert re.findall(r"`wherry upgrade (\w+) u1`", said) == commands


def test_a_long_phase_squeezes_no_names() -> None:
    """On a narrow terminal it is cut, and the plugins can still be told apart."""
    out = io.StringIO()
    display = LiveUpgradeDisplay(Console(file=out, force_terminal=True, width=80, height=20))

    display.show(upgrade(upgrading=1), [plugin(7, live="Digest: sha256:" + "0" * 64)])
    display.close()

    assert "p7" in out.getvalue()
    assert "Digest: sha256:0" in out.getvalue()


def test_live_table() -> None:
    """On a terminal the plugins that move are a table, above the totals."""
    out = io.StringIO()
    display = LiveUpgradeDisplay(Console(file=out, force_terminal=True, width=100, height=20))
    for _ in range(2):
        shown = upgrade("updating", warnings=["n9 is away"], upgrading=1, pending=1)
        display.show(shown, [plugin(0)])
    display.close()

    text = out.getvalue()
    assert text.count("warning: n9 is away") == 1
    assert "PHASE" in text
    assert "Stopping" in text
    assert "0 of 2 done" in text
