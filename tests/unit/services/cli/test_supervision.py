"""`wherry plugin restart-policy`, `health`, `requires` and `supervision`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli.domain.supervision import Supervision
from services.cli.entrypoints.plugin import plugin
from tests.support.cli_jobs import SUPERVISION, FakeApi


@dataclass
class FakeParts:
    """Parts that hold a fake API alone."""

    fake: FakeApi = field(default_factory=FakeApi)

    def api(self) -> FakeApi:
        """Return the fake."""
        return self.fake


def run(*args: str) -> tuple[Result, list[tuple[str, str, Mapping[str, Any] | None]]]:
    """Run a command; return its result, and what was set."""
    parts = FakeParts()
    result = CliRunner().invoke(plugin, args, obj=parts)
    return result, parts.fake.supervised


def test_supervision_is_shown_with_who_said_it() -> None:
    """A person sees each part, what holds and whose word it is."""
    result, _ = run("supervision", "p")

    assert result.output.splitlines() == [
        "PART            IS            SAYS",
        "restart policy  on-failure:3  operator",
        "health          not asked     default",
        "requires        nothing       default",
    ]


def test_health_check_is_shown_in_words() -> None:
    """A check tells what is asked, how often, and what follows."""
    health = {
        "test": ["CALL", "VolumeDriver.List"],
        "interval_s": 30.0,
        "timeout_s": 5.0,
        "start_period_s": 60.0,
        "retries": 2,
        "on_unhealthy": "restart",
    }
    shown = Supervision.from_json({**SUPERVISION, "health": health}).to_text()

    assert (
        "CALL VolumeDriver.List every 30 s, from 60 s on, 5 s each; unhealthy after 2 failures, "
        "then restarted"
    ) in shown


@pytest.mark.parametrize(
    ("args", "part", "body"),
    [
        (["restart-policy", "p", "no"], "restart-policy", {"name": "no"}),
        (
            ["restart-policy", "p", "on-failure:5"],
            "restart-policy",
            {"name": "on-failure", "maximum_retry_count": 5},
        ),
        (["restart-policy", "p", "--reset"], "restart-policy", None),
        (
            ["health", "p", "--interval", "3", "--retries", "2", "--restart", "CALL", "A.B"],
            "health",
            {"test": ["CALL", "A.B"], "interval_s": 3.0, "retries": 2, "on_unhealthy": "restart"},
        ),
        (
            ["health", "p", "--", "CMD", "sh", "-c", "x"],
            "health",
            {"test": ["CMD", "sh", "-c", "x"]},
        ),
        (["requires", "p", "a", "capability=b"], "requires", {"requires": ["a", "capability=b"]}),
        (["requires", "p", "--none"], "requires", {"requires": []}),
    ],
)
def test_part_that_is_set(args: list[str], part: str, body: Mapping[str, Any] | None) -> None:
    """What was said goes to the gateway, and what holds then is shown."""
    result, supervised = run(*args)

    assert supervised == [("p", part, body)]
    assert "restart policy  on-failure:3" in result.output


@pytest.mark.parametrize(
    "args",
    [
        ["restart-policy", "p"],
        ["restart-policy", "p", "no", "--reset"],
        ["requires", "p"],
        ["requires", "p", "a", "--none"],
        ["health", "p"],
    ],
)
def test_nothing_or_too_much_said_is_refused(args: list[str]) -> None:
    """One thing is said at a time; else the usage is shown and nothing is set."""
    result, supervised = run(*args)

    assert (result.exit_code, supervised) == (2, [])
