"""What lets a browser in."""

from __future__ import annotations

from services.cli.domain.ticket import Ticket


def test_once() -> None:
    """A key works once: whoever finds it in a history or a log comes too late."""
    ticket = Ticket()
    assert not ticket.take("another")
    assert ticket.take(ticket.key)
    assert not ticket.take(ticket.key)


def test_pass() -> None:
    """The pass admits again and again, and neither the key nor nothing does."""
    ticket = Ticket()
    assert ticket.admits(ticket.pass_)
    assert ticket.admits(ticket.pass_)
    assert not ticket.admits(ticket.key)
    assert not ticket.admits("")
    assert not ticket.admits("é")


def test_others() -> None:
    """No two tickets are alike."""
    assert not Ticket().admits(Ticket().pass_)
