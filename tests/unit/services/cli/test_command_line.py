"""The command line itself: help, version, arguments and errors."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from services.cli.__main__ import wherry
from shared.version import VERSION


def test_version() -> None:
    """--version names the product and its version."""
    assert CliRunner().invoke(wherry, ["--version"]).output == f"wherry {VERSION}\n"


def test_help_names_verbs_variables_and_log() -> None:
    """--help tells what there is to say, set and read."""
    text = CliRunner().invoke(wherry, ["--help"]).output

    names = ("ROOT", "EXEC_ROOT", "SOCKET", "REDIS_URL", "NODE", "HOST")
    for word in (*(f"WHERRY_{name} " for name in names), "OTEL_EXPORTER_OTLP_ENDPOINT"):
        assert word in text
    for verb in ("up", "down", "restart", "status", "plugin", "job"):
        assert f"\n  {verb} " in text
    assert "wherry.log" in text


def test_help_imports_nothing_heavy() -> None:
    """Help and version are shown without the imports that only verbs need."""
    code = (
        "import sys, services.cli.__main__;"
        "print(sorted({'pydantic', 'asyncio', 'http', 'json', 'structlog'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_up_begins_without_what_parses() -> None:
    """The parent is started before click is imported."""
    code = (
        "import sys, services.cli.command, services.cli.bootstrap;"
        "print(sorted({'click', 'pydantic', 'asyncio', 'http'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "args",
    [
        ["sideways"],
        ["up", "--live"],
        ["down", "now"],
        ["status", "--yaml"],
        ["plugin", "pull"],
        ["job", "show"],
    ],
)
def test_wrong_arguments(args: list[str]) -> None:
    """What the command does not know is refused with the usage and exit status 2."""
    result = CliRunner().invoke(wherry, args)

    assert result.exit_code == 2
    assert "Usage: " in result.output


@pytest.mark.parametrize(("variable", "value"), [("WHERRY_ROOT", "here"), ("WHERRY_NODE", "a b")])
def test_wrong_variable(variable: str, value: str) -> None:
    """A variable that is wrong is named, with exit status 1 and no traceback."""
    result = CliRunner().invoke(wherry, ["status"], env={variable: value})

    assert result.exit_code == 1
    assert f"Error: {variable}={value}: " in result.output
