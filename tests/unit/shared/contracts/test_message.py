from __future__ import annotations

import pytest

from docs.generate import messages
from shared.contracts.job import BeginJob, JobReply
from shared.contracts.message import Command, Message


def test_a_command_says_what_its_reply_is() -> None:
    """The reply is the type that the class statement names, of each command there is."""
    commands = [model for model in messages() if issubclass(model, Command)]

    replies = [command.reply_type() for command in commands]

    assert BeginJob.reply_type() is JobReply
    assert all(issubclass(reply, Message) and reply.TYPE for reply in replies)


def test_a_command_that_names_no_reply_has_none() -> None:
    """It is told when the reply is asked for."""

    class Nameless(Command):  # type: ignore[type-arg] # that is the point
        TYPE = "store.nameless.v1"

    with pytest.raises(TypeError, match="Nameless does not say"):
        Nameless.reply_type()


def test_no_model_is_built_for_the_name_of_a_reply() -> None:
    """A command is the one model between it and Command."""
    assert BeginJob.__bases__ == (Command,)
