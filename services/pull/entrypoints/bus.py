"""What the bus wakes this service for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.pull.service.credentials import CredentialKey
from services.pull.service.questions import Questions
from shared.bus.ports import CommandHandler
from shared.contracts.message import Command
from shared.contracts.pull import DescribeArchive, DescribePlugin, GetPrivileges, LogIn
from shared.contracts.secret import RotateCredentialKey


def commands(
    questions: Questions, key: CredentialKey
) -> Mapping[type[Command[Any]], CommandHandler]:
    """Return the handler of each question, and of a rotation."""
    return {
        GetPrivileges: questions.get_privileges,
        DescribePlugin: questions.describe_plugin,
        DescribeArchive: questions.describe_archive,
        LogIn: questions.log_in,
        RotateCredentialKey: key.rotate,
    }
